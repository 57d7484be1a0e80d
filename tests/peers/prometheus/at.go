package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// shifted is a line of the output of at: one of its fields is there.
type shifted struct {
	Query  string `json:"query,omitempty"`
	Unsafe bool   `json:"unsafe,omitempty"` // The answer depends on the evaluation time all the same.
	Error  string `json:"error,omitempty"`
}

// at sets `@ <time>` on every selector and subquery of the queries on stdin (one JSON object a line, the
// time in milliseconds) and prints them, as promqltest does to evaluate them at other times. What has a
// modifier keeps it, and so does what is inside a subquery.
func at(args []string) error {
	if err := flag.NewFlagSet("at", flag.ContinueOnError).Parse(args); err != nil {
		return err
	}
	parse := parser.NewParser(promqltest.TestParserOpts)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var asked struct {
			Query string `json:"query"`
			Time  int64  `json:"time"`
		}
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		if err := encoder.Encode(shift(parse, asked.Query, asked.Time)); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func shift(parse parser.Parser, query string, time int64) shifted {
	expr, err := parse.ParseExpr(query)
	if err != nil {
		return shifted{Error: err.Error()}
	}
	unsafe := false
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		for _, above := range path {
			if subquery, ok := above.(*parser.SubqueryExpr); ok && subquery.Timestamp != nil {
				return nil
			}
		}
		var stamp **int64
		switch n := node.(type) {
		case *parser.VectorSelector:
			stamp = &n.Timestamp
		case *parser.MatrixSelector:
			stamp = &n.VectorSelector.(*parser.VectorSelector).Timestamp
		case *parser.SubqueryExpr:
			stamp = &n.Timestamp
		case *parser.Call:
			_, found := promql.AtModifierUnsafeFunctions[n.Func.Name]
			unsafe = unsafe || found
		}
		if stamp != nil && *stamp == nil {
			*stamp = &time
		}
		return nil
	})
	if unsafe {
		return shifted{Unsafe: true}
	}
	return shifted{Query: expr.String()}
}
