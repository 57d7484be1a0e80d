package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"

	"github.com/thanos-io/thanos/pkg/component"
	"github.com/thanos-io/thanos/pkg/dedup"
	"github.com/thanos-io/thanos/pkg/extgrpc"
	"github.com/thanos-io/thanos/pkg/extgrpc/snappy"
	"github.com/thanos-io/thanos/pkg/query"
	"github.com/thanos-io/thanos/pkg/store"
)

// question is one line of the input: an instant query if it has no step.
type question struct {
	Query         string   `json:"query"`
	Start         int64    `json:"start"`
	End           int64    `json:"end"`
	Step          int64    `json:"step"`
	Dedup         bool     `json:"dedup"`
	ReplicaLabels []string `json:"replica_labels"`
	// In milliseconds: the coarsest resolution wanted (0 is raw), and how far selectors look back (0
	// is the engine's five minutes).
	MaxResolution int64 `json:"max_resolution"`
	Lookback      int64 `json:"lookback"`
}

// answer is one line of the output. Values are bits, so that NaN and -0 compare.
type answer struct {
	Series   []row    `json:"series"`
	Warnings []string `json:"warnings"`
	Error    string   `json:"error"`
}

type row struct {
	Labels  string   `json:"labels"`
	Samples []string `json:"samples"`
}

// queries answers PromQL with Thanos' querier over the endpoints.
func queries(args []string) error {
	flags := flag.NewFlagSet("query", flag.ContinueOnError)
	endpoints := flags.String("endpoints", "", "addresses, with commas between")
	compression := flags.String("compression", "none", "none or snappy")
	ca := flags.String("ca", "", "whose certificates servers have; with it TLS is spoken")
	cert := flags.String("cert", "", "the client's certificate")
	key := flags.String("key", "", "its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	credentials, err := extgrpc.StoreClientTLSCredentials(log.NewNopLogger(), *ca != "", false, *cert, *key, *ca, "localhost", "1.3")
	if err != nil {
		return err
	}
	options := []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		credentials,
	}
	if *compression == snappy.Name {
		if encoding.GetCompressor(snappy.Name) == nil {
			return fmt.Errorf("no compressor %s", snappy.Name)
		}
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(snappy.Name)))
	}
	set, err := connect(*endpoints, options...)
	if err != nil {
		return err
	}
	defer set.Close()
	creator := queryables(set)
	engine := promql.NewEngine(engineOptions())
	return answerAll(func(q question) answer { return ask(engine, creator, q) })
}

// connect makes a set of endpoints, which must all answer.
func connect(endpoints string, options ...grpc.DialOption) (*query.EndpointSet, error) {
	var specs []*query.GRPCEndpointSpec
	for address := range strings.SplitSeq(endpoints, ",") {
		specs = append(specs, query.NewGRPCEndpointSpec(address, false, options...))
	}
	set := query.NewEndpointSet(time.Now, log.NewNopLogger(), nil,
		func() []*query.GRPCEndpointSpec { return specs }, 5*time.Minute, 10*time.Second, 2*time.Minute)
	set.Update(context.Background())
	for _, status := range set.GetEndpointStatus() {
		if status.LastError != nil {
			return nil, fmt.Errorf("endpoint %s: %w", status.Name, status.LastError)
		}
	}
	if got := len(set.GetStoreClients()); got != len(specs) {
		return nil, fmt.Errorf("%d of %d endpoints are accepted", got, len(specs))
	}
	return set, nil
}

// queryables are Thanos' over StoreAPI, which dedup by penalty.
func queryables(set *query.EndpointSet) query.QueryableCreator {
	logger := log.NewNopLogger()
	proxy := store.NewProxyStore(logger, nil, set.GetStoreClients, component.Query, labels.EmptyLabels(),
		0, store.EagerRetrieval)
	return query.NewQueryableCreator(logger, nil, proxy, 4, 2*time.Minute, dedup.AlgorithmPenalty, 64)
}

func engineOptions() promql.EngineOpts {
	return promql.EngineOpts{
		Logger:               promslog.NewNopLogger(),
		MaxSamples:           math.MaxInt32,
		Timeout:              2 * time.Minute,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	}
}

// answerAll answers the questions of the input, a line each.
func answerAll(answered func(question) answer) error {
	decoder := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for decoder.More() {
		var q question
		if err := decoder.Decode(&q); err != nil {
			return err
		}
		if err := encoder.Encode(answered(q)); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func ask(engine *promql.Engine, creator query.QueryableCreator, q question) answer {
	ctx := context.Background()
	queryable := creator(q.Dedup, q.ReplicaLabels, nil, q.MaxResolution, true, false, nil, query.NoopSeriesStatsReporter)
	options := promql.NewPrometheusQueryOpts(false, time.Duration(q.Lookback)*time.Millisecond)
	var running promql.Query
	var err error
	if q.Step == 0 {
		running, err = engine.NewInstantQuery(ctx, queryable, options, q.Query, time.UnixMilli(q.End))
	} else {
		running, err = engine.NewRangeQuery(ctx, queryable, options, q.Query,
			time.UnixMilli(q.Start), time.UnixMilli(q.End), time.Duration(q.Step)*time.Millisecond)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer running.Close()
	return told(running.Exec(ctx))
}

// point is a sample of an answer.
func point(t int64, v float64) string { return fmt.Sprintf("%d %016x", t, math.Float64bits(v)) }

// told is a result as it is compared.
func told(result *promql.Result) answer {
	got := answer{Series: []row{}}
	if result.Err != nil {
		got.Error = result.Err.Error()
		return got
	}
	for _, warning := range result.Warnings.AsErrors() {
		got.Warnings = append(got.Warnings, warning.Error())
	}
	// They come out of a map.
	slices.Sort(got.Warnings)
	switch value := result.Value.(type) {
	case promql.Matrix:
		for _, series := range value {
			r := row{Labels: series.Metric.String()}
			for _, p := range series.Floats {
				r.Samples = append(r.Samples, point(p.T, p.F))
			}
			for _, p := range series.Histograms {
				r.Samples = append(r.Samples, histogramPoint(p.T, p.H))
			}
			got.Series = append(got.Series, r)
		}
	case promql.Vector:
		for _, s := range value {
			text := point(s.T, s.F)
			if s.H != nil {
				text = histogramPoint(s.T, s.H)
			}
			got.Series = append(got.Series, row{s.Metric.String(), []string{text}})
		}
	case promql.Scalar:
		got.Series = append(got.Series, row{"scalar", []string{point(value.T, value.V)}})
	}
	slices.SortFunc(got.Series, func(a, b row) int { return strings.Compare(a.Labels, b.Labels) })
	return got
}

// histogramPoint is a histogram without its empty buckets: which of them a chunk has depends on where
// it begins. What it says of counter resets depends on that too.
func histogramPoint(t int64, h *histogram.FloatHistogram) string {
	h = h.Copy().Compact(0)
	bits := func(all ...float64) string {
		var text strings.Builder
		for _, v := range all {
			fmt.Fprintf(&text, "%016x,", math.Float64bits(v))
		}
		return text.String()
	}
	return fmt.Sprintf("%d schema %d %s spans %v %v buckets %s %s bounds %s", t, h.Schema,
		bits(h.ZeroThreshold, h.ZeroCount, h.Count, h.Sum), h.PositiveSpans, h.NegativeSpans,
		bits(h.PositiveBuckets...), bits(h.NegativeBuckets...), bits(h.CustomValues...))
}
