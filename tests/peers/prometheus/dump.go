package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// dump prints all series of a block in order of their labels, and their samples in order of time, as
// Prometheus' block querier reads them (tombstones applied). Floats are printed as the hexadecimal
// digits of their bits, and label names and values as the hexadecimal digits of their bytes:
//
//	series NAME=VALUE …
//	f START TS VALUE
//	i START TS HINT SCHEMA ZERO_THRESHOLD SUM COUNT ZERO_COUNT PSPANS NSPANS CUSTOM PBUCKETS NBUCKETS
//	h …the same with float counts…
//
// Lists are joined by commas, a span is offset:length, and an empty list is "-". Buckets are absolute.
func dump(args []string) error {
	flags := flag.NewFlagSet("dump", flag.ContinueOnError)
	dir := flags.String("block", "", "the block's folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	block, err := tsdb.OpenBlock(slog.New(slog.DiscardHandler), *dir, chunkenc.NewPool(), nil)
	if err != nil {
		return err
	}
	defer block.Close()
	querier, err := tsdb.NewBlockQuerier(block, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	defer querier.Close()

	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	if err := dumpSeries(context.Background(), out, querier); err != nil {
		return err
	}
	return out.Flush()
}

// dumpSeries prints all series of a querier.
func dumpSeries(ctx context.Context, out *bufio.Writer, querier storage.Querier) error {
	all := labels.MustNewMatcher(labels.MatchRegexp, "nolabelhasthisname", ".*")
	return dumpSet(out, querier.Select(ctx, true, nil, all))
}

func dumpSet(out io.Writer, set storage.SeriesSet) error {
	var it chunkenc.Iterator
	for set.Next() {
		series := set.At()
		fmt.Fprint(out, "series")
		series.Labels().Range(func(l labels.Label) {
			fmt.Fprintf(out, " %x=%x", l.Name, l.Value)
		})
		fmt.Fprintln(out)
		it = series.Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			switch kind {
			case chunkenc.ValFloat:
				ts, v := it.At()
				fmt.Fprintf(out, "f %d %d %s\n", it.AtST(), ts, bits(v))
			case chunkenc.ValHistogram:
				ts, h := it.AtHistogram(nil)
				dumpInteger(out, it.AtST(), ts, h)
			case chunkenc.ValFloatHistogram:
				ts, h := it.AtFloatHistogram(nil)
				dumpFloat(out, it.AtST(), ts, h)
			}
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("%s: %w", series.Labels(), err)
		}
	}
	return set.Err()
}

func dumpInteger(out io.Writer, st, ts int64, h *histogram.Histogram) {
	fmt.Fprintf(out, "i %d %d %d %d %s %s %d %d %s %s %s %s %s\n", st, ts, h.CounterResetHint, h.Schema,
		bits(h.ZeroThreshold), bits(h.Sum), h.Count, h.ZeroCount, spans(h.PositiveSpans), spans(h.NegativeSpans),
		list(h.CustomValues, bits), list(absolute(h.PositiveBuckets), decimal), list(absolute(h.NegativeBuckets), decimal))
}

func dumpFloat(out io.Writer, st, ts int64, h *histogram.FloatHistogram) {
	fmt.Fprintf(out, "h %d %d %d %d %s %s %s %s %s %s %s %s %s\n", st, ts, h.CounterResetHint, h.Schema,
		bits(h.ZeroThreshold), bits(h.Sum), bits(h.Count), bits(h.ZeroCount), spans(h.PositiveSpans), spans(h.NegativeSpans),
		list(h.CustomValues, bits), list(h.PositiveBuckets, bits), list(h.NegativeBuckets, bits))
}

// absolute turns the deltas of an integer histogram's buckets into counts.
func absolute(deltas []int64) []int64 {
	counts := make([]int64, len(deltas))
	sum := int64(0)
	for i, d := range deltas {
		sum += d
		counts[i] = sum
	}
	return counts
}

func bits(v float64) string        { return fmt.Sprintf("%016x", math.Float64bits(v)) }
func decimal(v int64) string       { return strconv.FormatInt(v, 10) }
func span(s histogram.Span) string { return fmt.Sprintf("%d:%d", s.Offset, s.Length) }

func spans(all []histogram.Span) string { return list(all, span) }

func list[T any](items []T, text func(T) string) string {
	if len(items) == 0 {
		return "-"
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = text(item)
	}
	return strings.Join(texts, ",")
}
