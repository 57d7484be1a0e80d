package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// question is a line of the input. Times, the step and the lookback (0 is 5 minutes) are in
// milliseconds; a step of 0 asks for an instant query at Start. With Call it asks for "series",
// "labels" or the values of the label "=name" of the series that Query selects.
type question struct {
	Call     string `json:"call,omitempty"`
	Query    string `json:"query"`
	Start    int64  `json:"start"`
	End      int64  `json:"end"`
	Step     int64  `json:"step"`
	Lookback int64  `json:"lookback"`
}

// answer is a line of the output.
type answer struct {
	Type     string   `json:"type,omitempty"`
	Error    string   `json:"error,omitempty"`
	Refused  bool     `json:"refused,omitempty"` // The error is the parser's.
	Warnings []string `json:"warnings,omitempty"`
	Infos    []string `json:"infos,omitempty"`
	Text     string   `json:"text,omitempty"`  // of a string
	Names    []string `json:"names,omitempty"` // label names or values
	Series   []series `json:"series,omitempty"`
}

// series holds the points of one series: a value is the 16 hexadecimal digits of its bits, a histogram
// a line of a dump.
type series struct {
	Labels     map[string]string `json:"labels"`
	Times      []int64           `json:"times"`
	Values     []string          `json:"values"`
	Histograms []string          `json:"histograms,omitempty"`
}

// eval answers the questions on stdin, one JSON object a line, from the blocks of a folder or from the
// samples of a dump, with the options that Prometheus has without any flag but those of -features.
func eval(args []string) error {
	flags := flag.NewFlagSet("eval", flag.ContinueOnError)
	dir := flags.String("blocks", "", "folder of the blocks")
	dumped := flags.String("dump", "", "file of the dump")
	features := flags.String("features", "", "names of features of PromQL, joined by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var source storage.Queryable
	if *dumped != "" {
		read, err := readMemory(*dumped)
		if err != nil {
			return err
		}
		source = read
	} else {
		blocks, err := openBlocks(*dir)
		if err != nil {
			return err
		}
		defer func() {
			for _, block := range blocks {
				block.Close()
			}
		}()
		source = blocks
	}
	on := func(name string) bool { return slices.Contains(strings.Split(*features, ","), name) }
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:               50_000_000,
		Timeout:                  2 * time.Minute,
		LookbackDelta:            5 * time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		EnableDelayedNameRemoval: on("promql-delayed-name-removal"),
		UseStartTimestamps:       on("use-start-timestamps"),
		Parser: parser.NewParser(parser.Options{
			EnableExperimentalFunctions: on("promql-experimental-functions"),
			EnableBinopFillModifiers:    on("promql-binop-fill-modifiers"),
			EnableUnquotedUTF8Names:     on("promql-unquoted-utf8-names"),
		}),
	})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		answered := answerTo
		if q.Call != "" {
			answered = listingOf
		}
		if err := encoder.Encode(answered(engine, source, q)); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return in.Err()
}

// blocks is what the engine queries: the blocks of a Prometheus that has no head.
type blocks []*tsdb.Block

func openBlocks(dir string) (blocks, error) {
	metas, err := filepath.Glob(filepath.Join(dir, "*", "meta.json"))
	if err != nil {
		return nil, err
	}
	if len(metas) == 0 {
		return nil, fmt.Errorf("no block in %q", dir)
	}
	var opened blocks
	for _, meta := range metas {
		block, err := tsdb.OpenBlock(nil, filepath.Dir(meta), nil, nil)
		if err != nil {
			return nil, err
		}
		opened = append(opened, block)
	}
	slices.SortFunc(opened, func(a, b *tsdb.Block) int { return int(a.MinTime() - b.MinTime()) })
	return opened, nil
}

// Querier implements storage.Queryable as tsdb.DB does: the blocks that overlap, merged.
func (b blocks) Querier(mint, maxt int64) (storage.Querier, error) {
	var queriers []storage.Querier
	for _, block := range b {
		if !block.OverlapsClosedInterval(mint, maxt) {
			continue
		}
		querier, err := tsdb.NewBlockQuerier(block, mint, maxt)
		if err != nil {
			return nil, err
		}
		queriers = append(queriers, querier)
	}
	return storage.NewMergeQuerier(queriers, nil, storage.ChainedSeriesMerge), nil
}

func answerTo(engine *promql.Engine, source storage.Queryable, q question) answer {
	ctx := context.Background()
	start, end := time.UnixMilli(q.Start), time.UnixMilli(q.End)
	var query promql.Query
	var err error
	lookback := time.Duration(q.Lookback) * time.Millisecond
	options := promql.NewPrometheusQueryOpts(false, lookback, nil)
	if q.Step == 0 {
		query, err = engine.NewInstantQuery(ctx, source, options, q.Query, start)
	} else {
		step := time.Duration(q.Step) * time.Millisecond
		query, err = engine.NewRangeQuery(ctx, source, options, q.Query, start, end, step)
	}
	if err != nil {
		return answer{Error: err.Error(), Refused: true}
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return answer{Error: result.Err.Error()}
	}
	a := answer{Type: string(result.Value.Type())}
	a.Warnings, a.Infos = result.Warnings.AsStrings(q.Query, 0, 0)
	switch value := result.Value.(type) {
	case promql.Scalar:
		s := series{Labels: map[string]string{}}
		s.add(value.T, value.V)
		a.Series = []series{s}
	case promql.String:
		a.Text = value.V
	case promql.Vector:
		for _, sample := range value {
			s := series{Labels: sample.Metric.Map()}
			if sample.H != nil {
				s.addHistogram(sample.T, sample.H)
			} else {
				s.add(sample.T, sample.F)
			}
			a.Series = append(a.Series, s)
		}
	case promql.Matrix:
		for _, row := range value {
			s := series{Labels: row.Metric.Map()}
			for _, point := range row.Floats {
				s.add(point.T, point.F)
			}
			for _, point := range row.Histograms {
				s.addHistogram(point.T, point.H)
			}
			a.Series = append(a.Series, s)
		}
	default:
		a = answer{Error: fmt.Sprintf("an answer of type %T", value)}
	}
	return a
}

func (s *series) add(t int64, v float64) {
	s.Times = append(s.Times, t)
	s.Values = append(s.Values, bits(v))
}

func (s *series) addHistogram(t int64, h *histogram.FloatHistogram) {
	var line strings.Builder
	dumpFloat(&line, 0, t, h)
	s.Histograms = append(s.Histograms, strings.TrimSpace(line.String()))
}

// listingOf answers the metadata calls of the HTTP API, as web/api/v1 does with one selector.
func listingOf(_ *promql.Engine, source storage.Queryable, q question) answer {
	ctx := context.Background()
	querier, err := source.Querier(q.Start, q.End)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer querier.Close()
	var matchers []*labels.Matcher
	if q.Query != "" {
		if matchers, err = parser.NewParser(parser.Options{}).ParseMetricSelector(q.Query); err != nil {
			return answer{Error: err.Error()}
		}
	}
	a := answer{Type: q.Call}
	switch {
	case q.Call == "series":
		hints := &storage.SelectHints{Start: q.Start, End: q.End, Func: "series"}
		set := querier.Select(ctx, true, hints, matchers...)
		for set.Next() {
			a.Series = append(a.Series, series{Labels: set.At().Labels().Map()})
		}
		err = set.Err()
	case q.Call == "labels":
		a.Names, _, err = querier.LabelNames(ctx, nil, matchers...)
	default:
		a.Names, _, err = querier.LabelValues(ctx, strings.TrimPrefix(q.Call, "="), nil, matchers...)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return a
}
