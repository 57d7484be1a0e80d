// Command regex answers, for each JSON line {pattern, value, template} on stdin, what Go's regexp makes of it when it
// is compiled as Prometheus compiles label matchers: {error} or {matched, expanded}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"regexp/syntax"
)

type question struct {
	Pattern  string `json:"pattern"`
	Value    string `json:"value"`
	Template string `json:"template"`
}

type answer struct {
	Error    string `json:"error"`
	Matched  bool   `json:"matched"`
	Expanded string `json:"expanded"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	questions := json.NewDecoder(bufio.NewReader(in))
	buffered := bufio.NewWriter(out)
	answers := json.NewEncoder(buffered)
	for {
		var q question
		if err := questions.Decode(&q); err == io.EOF {
			return buffered.Flush()
		} else if err != nil {
			return err
		}
		a, err := ask(q)
		if err != nil {
			return err
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func ask(q question) (answer, error) {
	parsed, err := syntax.Parse(q.Pattern, syntax.Perl|syntax.DotNL)
	if err != nil {
		return answer{Error: err.Error()}, nil
	}
	re, err := regexp.Compile("^(?s:" + parsed.String() + ")$")
	if err != nil {
		return answer{}, fmt.Errorf("%q parses and does not compile: %w", q.Pattern, err)
	}
	groups := re.FindStringSubmatchIndex(q.Value)
	if groups == nil {
		return answer{}, nil
	}
	return answer{Matched: true, Expanded: string(re.ExpandString(nil, q.Template, q.Value, groups))}, nil
}
