package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/features"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// parsed is a line of the output of parse: an error, or all the others.
type parsed struct {
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"` // The expression, printed.
	// What format_query and parse_query answer.
	Pretty json.RawMessage `json:"pretty,omitempty"`
	Tree   json.RawMessage `json:"tree,omitempty"`
}

// parse reads the queries on stdin (a JSON object a line; enabled turns all features of the parser on)
// and prints what Prometheus' parser makes of each, and its HTTP API. With -features it prints the
// features that parser and engine register instead, with -enabled as they are when all are on.
func parse(args []string) error {
	flags := flag.NewFlagSet("parse", flag.ContinueOnError)
	listed := flags.Bool("features", false, "print the features")
	enabled := flags.Bool("enabled", false, "all features of the parser are on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listed {
		return json.NewEncoder(os.Stdout).Encode(listFeatures(*enabled))
	}
	parsers := map[bool]*judge{
		false: newJudge(parser.Options{}),
		true:  newJudge(promqltest.TestParserOpts),
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var asked struct {
			Query   string `json:"query"`
			Enabled bool   `json:"enabled"`
		}
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		if err := encoder.Encode(parsers[asked.Enabled].parse(asked.Query)); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return out.Flush()
}

// judge is a parser and the HTTP API over it.
type judge struct {
	parser parser.Parser
	router *route.Router
}

func listFeatures(enabled bool) map[string]map[string]bool {
	var options parser.Options
	if enabled {
		options = promqltest.TestParserOpts
	}
	registry := features.NewRegistry()
	promql.NewEngine(promql.EngineOpts{
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		FeatureRegistry:      registry,
		Parser:               parser.NewParser(options),
	})
	return registry.Get()
}

func newJudge(options parser.Options) *judge {
	made := &judge{parser: parser.NewParser(options), router: route.New()}
	ready := func(next http.HandlerFunc) http.HandlerFunc { return next }
	api := v1.NewAPI(
		(promql.QueryEngine)(nil), nil, nil, nil, nil, nil, nil, nil, nil, v1.GlobalURLOptions{},
		ready, nil, "", false, false, 0, slog.New(slog.DiscardHandler), nil, 0, 0, 0, false, nil,
		nil, nil, nil, nil, nil, prometheus.NewRegistry(), nil, false, nil, false, false, false, 0,
		false, false, nil, features.NewRegistry(), v1.OpenAPIOptions{}, made.parser, false, 0,
	)
	api.Register(made.router)
	return made
}

func (j *judge) parse(query string) parsed {
	expr, err := j.parser.ParseExpr(query)
	if err != nil {
		return parsed{Error: err.Error()}
	}
	return parsed{
		Text:   expr.String(),
		Pretty: j.ask("/format_query", query),
		Tree:   j.ask("/parse_query", query),
	}
}

func (j *judge) ask(path, query string) json.RawMessage {
	request := httptest.NewRequest("GET", path+"?query="+url.QueryEscape(query), nil)
	answer := httptest.NewRecorder()
	j.router.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		return nil // Of a NaN or an infinity it cannot make JSON.
	}
	return answer.Body.Bytes()
}
