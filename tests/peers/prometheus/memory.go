package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory is what the engine queries where the samples are known one by one. Unlike a head it keeps the
// counter reset hints that it is given. Series are selected in the order in which they stand here: the
// engine wants none, and some answers depend on it.
type memory []memorySeries

type memorySeries struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// memorySample is one sample: a float, or a histogram with float counts.
type memorySample struct {
	st, t int64
	f     float64
	fh    *histogram.FloatHistogram
}

func (s memorySample) T() int64                      { return s.t }
func (s memorySample) ST() int64                     { return s.st }
func (s memorySample) F() float64                    { return s.f }
func (s memorySample) H() *histogram.Histogram       { return nil }
func (s memorySample) FH() *histogram.FloatHistogram { return s.fh }
func (s memorySample) Copy() chunks.Sample {
	if s.fh != nil {
		s.fh = s.fh.Copy()
	}
	return s
}
func (s memorySample) Type() chunkenc.ValueType {
	if s.fh != nil {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

// readMemory reads a dump (dump.go has its format) without integer histograms.
func readMemory(path string) (memory, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var read memory
	in := bufio.NewScanner(file)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		fields := strings.Split(in.Text(), " ")
		line := dumped{fields: fields[1:]}
		switch fields[0] {
		case "series":
			read = append(read, memorySeries{labels: line.labels()})
		case "f", "h":
			last := &read[len(read)-1]
			sample := memorySample{st: line.whole(), t: line.whole()}
			if fields[0] == "f" {
				sample.f = line.float()
			} else {
				sample.fh = line.histogram()
			}
			last.samples = append(last.samples, sample)
		default:
			return nil, fmt.Errorf("not a line of a dump: %q", in.Text())
		}
		if line.err != nil {
			return nil, fmt.Errorf("%q: %w", in.Text(), line.err)
		}
	}
	return read, in.Err()
}

// dumped reads the fields of a line one after the other; err is the first error.
type dumped struct {
	fields []string
	err    error
}

func (d *dumped) next() string {
	if len(d.fields) == 0 {
		d.keep(fmt.Errorf("too few fields"))
		return ""
	}
	field := d.fields[0]
	d.fields = d.fields[1:]
	return field
}

func (d *dumped) keep(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *dumped) whole() int64 {
	n, err := strconv.ParseInt(d.next(), 10, 64)
	d.keep(err)
	return n
}

func (d *dumped) float() float64 { return d.floatOf(d.next()) }

func (d *dumped) floatOf(digits string) float64 {
	n, err := strconv.ParseUint(digits, 16, 64)
	d.keep(err)
	return math.Float64frombits(n)
}

func (d *dumped) floats() []float64 {
	return listOf(d.next(), d.floatOf)
}

func (d *dumped) spans() []histogram.Span {
	return listOf(d.next(), func(text string) histogram.Span {
		offset, length, _ := strings.Cut(text, ":")
		parts := dumped{fields: []string{offset, length}}
		span := histogram.Span{Offset: int32(parts.whole()), Length: uint32(parts.whole())}
		d.keep(parts.err)
		return span
	})
}

func (d *dumped) histogram() *histogram.FloatHistogram {
	h := &histogram.FloatHistogram{
		CounterResetHint: histogram.CounterResetHint(d.whole()),
		Schema:           int32(d.whole()),
		ZeroThreshold:    d.float(),
		Sum:              d.float(),
		Count:            d.float(),
		ZeroCount:        d.float(),
	}
	h.PositiveSpans, h.NegativeSpans, h.CustomValues = d.spans(), d.spans(), d.floats()
	h.PositiveBuckets, h.NegativeBuckets = d.floats(), d.floats()
	return h
}

func (d *dumped) labels() labels.Labels {
	pairs := map[string]string{}
	for _, field := range d.fields {
		name, value, _ := strings.Cut(field, "=")
		pairs[d.text(name)] = d.text(value)
	}
	return labels.FromMap(pairs)
}

func (d *dumped) text(digits string) string {
	text, err := hex.DecodeString(digits)
	d.keep(err)
	return string(text)
}

func listOf[T any](field string, parse func(string) T) []T {
	if field == "-" {
		return nil
	}
	var items []T
	for _, text := range strings.Split(field, ",") {
		items = append(items, parse(text))
	}
	return items
}

// Querier implements storage.Queryable.
func (m memory) Querier(mint, maxt int64) (storage.Querier, error) {
	return memoryQuerier{series: m, mint: mint, maxt: maxt}, nil
}

// memoryQuerier gives the samples of a range of time, as the querier of a block does.
type memoryQuerier struct {
	storage.LabelQuerier
	series     memory
	mint, maxt int64
}

func (q memoryQuerier) Close() error { return nil }

func (q memoryQuerier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	selected := &memorySet{at: -1}
	for _, s := range q.series {
		matches := func(m *labels.Matcher) bool { return m.Matches(s.labels.Get(m.Name)) }
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !matches(m) }) {
			continue
		}
		from := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].T() >= q.mint })
		to := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].T() > q.maxt })
		if from == to {
			continue
		}
		samples := s.samples[from:to]
		selected.series = append(selected.series, &storage.SeriesEntry{
			Lset: s.labels,
			SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator {
				return storage.NewListSeriesIteratorWithCopy(memorySamples(samples))
			},
		})
	}
	return selected
}

type memorySamples []chunks.Sample

func (s memorySamples) Get(i int) chunks.Sample { return s[i] }
func (s memorySamples) Len() int                { return len(s) }

// memorySet implements storage.SeriesSet.
type memorySet struct {
	series []storage.Series
	at     int
}

func (s *memorySet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *memorySet) At() storage.Series                { return s.series[s.at] }
func (s *memorySet) Err() error                        { return nil }
func (s *memorySet) Warnings() annotations.Annotations { return nil }
