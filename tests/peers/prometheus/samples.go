package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

var staleNaN = math.Float64frombits(value.StaleNaN)

// valueKinds are ways in which values move.
var valueKinds = map[string]func(rng *rand.Rand, n int) []float64{
	"constant": each(func(*rand.Rand, float64) float64 { return 42.5 }),
	"counter": each(func(rng *rand.Rand, last float64) float64 {
		if rng.IntN(50) == 0 {
			return 0
		}
		return last + float64(rng.IntN(100))
	}),
	"gauge": each(func(rng *rand.Rand, last float64) float64 {
		if rng.IntN(3) == 0 {
			return last
		}
		return math.Round(100*(last+rng.NormFloat64())) / 100
	}),
	"stale": each(func(rng *rand.Rand, last float64) float64 {
		if rng.IntN(4) == 0 {
			return staleNaN
		}
		if math.IsNaN(last) || rng.IntN(2) == 0 {
			return float64(rng.IntN(5))
		}
		return last
	}),
	"special": each(func(rng *rand.Rand, _ float64) float64 {
		specials := []float64{
			math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, math.NaN(), staleNaN,
			math.Float64frombits(0x7ff8_dead_beef_0001), math.Float64frombits(0xfff0_0000_0000_0001),
			math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64, 1, -1, 0.1,
		}
		return specials[rng.IntN(len(specials))]
	}),
	"bits": each(func(rng *rand.Rand, last float64) float64 {
		return math.Float64frombits(math.Float64bits(last) ^ rng.Uint64()>>rng.IntN(64)<<rng.IntN(64))
	}),
}

func each(next func(rng *rand.Rand, last float64) float64) func(*rand.Rand, int) []float64 {
	return func(rng *rand.Rand, n int) []float64 {
		values := make([]float64, n)
		last := 0.0
		for i := range values {
			last = next(rng, last)
			values[i] = last
		}
		return values
	}
}

// timeKinds are ways in which timestamps move; all stay inside two hours for up to 480 of them.
var timeKinds = map[string]func(rng *rand.Rand, from int64, n int) []int64{
	"regular": times(func(*rand.Rand, int) int64 { return scrape }),
	"jitter":  times(func(rng *rand.Rand, _ int) int64 { return scrape - 20 + rng.Int64N(40) }),
	"gaps": times(func(rng *rand.Rand, i int) int64 {
		if i%97 == 0 {
			return scrape + rng.Int64N(1_000_000)
		}
		return 1 + rng.Int64N(scrape)
	}),
}

func times(step func(rng *rand.Rand, i int) int64) func(*rand.Rand, int64, int) []int64 {
	return func(rng *rand.Rand, from int64, n int) []int64 {
		ts := make([]int64, n)
		t := from
		for i := range ts {
			ts[i] = t
			t += step(rng, i)
		}
		return ts
	}
}

// startKinds are ways in which start timestamps move with timestamps.
var startKinds = map[string]func(rng *rand.Rand, ts []int64) []int64{
	"none":  starts(func(*rand.Rand, []int64, int, int64) int64 { return 0 }),
	"fixed": starts(func(_ *rand.Rand, ts []int64, _ int, _ int64) int64 { return ts[0] - 12_345 }),
	"delta": starts(func(_ *rand.Rand, ts []int64, i int, _ int64) int64 { return ts[max(i, 1)-1] + 1 }),
	"late": starts(func(_ *rand.Rand, ts []int64, i int, _ int64) int64 {
		if i < 60 {
			return 0
		}
		return ts[60] - 5
	}),
	"last": starts(func(_ *rand.Rand, ts []int64, i int, _ int64) int64 {
		if i < 119 {
			return ts[0] - 7
		}
		return ts[119] - 5
	}),
	"resets": starts(func(rng *rand.Rand, ts []int64, i int, last int64) int64 {
		switch rng.IntN(20) {
		case 0:
			return ts[i] - rng.Int64N(30_000)
		case 1:
			return 0
		}
		return last
	}),
	"wild": starts(func(rng *rand.Rand, ts []int64, i int, last int64) int64 {
		if rng.IntN(3) == 0 {
			return ts[i] - rng.Int64N(int64(1)<<(1+rng.IntN(58)))
		}
		return last
	}),
}

func starts(next func(rng *rand.Rand, ts []int64, i int, last int64) int64) func(*rand.Rand, []int64) []int64 {
	return func(rng *rand.Rand, ts []int64) []int64 {
		all := make([]int64, len(ts))
		last := int64(0)
		for i := range ts {
			last = next(rng, ts, i, last)
			all[i] = last
		}
		return all
	}
}

// floatChunks encodes samples, size of them a chunk.
func floatChunks(enc chunkenc.Encoding, st, ts []int64, values []float64, size int) []chunks.Meta {
	var metas []chunks.Meta
	for from := 0; from < len(ts); from += size {
		to := min(from+size, len(ts))
		chunk, err := chunkenc.NewEmptyChunk(enc)
		check(err)
		app, err := chunk.Appender()
		check(err)
		for i := from; i < to; i++ {
			app.Append(st[i], ts[i], values[i])
		}
		metas = append(metas, chunks.Meta{MinTime: ts[from], MaxTime: ts[to-1], Chunk: chunk})
	}
	return metas
}

// histogramWalk is a native histogram over time: buckets come and go, counters reset, stale markers
// stand between.
func histogramWalk(rng *rand.Rand, layout int, gauge bool, n int) []*histogram.Histogram {
	schemas := []int32{0, 3, -4, 8, 1, histogram.CustomBucketsSchema, 5, -1, histogram.CustomBucketsSchema, 2, 7, 0}
	thresholds := []float64{0, 0x1p-128, 0.001, 1, 0x1p-243, 0x1p10, 0x1p11, 1e-300}
	custom := [][]float64{{0.005, 0.01, 0.25, 1, 2.5, 10}, {-3, 0.0001, 33554.43, 33554.431, 1e9}}
	schema := schemas[layout%len(schemas)]
	counts := map[int]int64{}   // Of positive buckets, by index.
	negative := map[int]int64{} // Likewise.
	zero, sum := uint64(0), 0.0
	all := make([]*histogram.Histogram, n)
	for i := range all {
		h := &histogram.Histogram{Schema: schema, ZeroThreshold: thresholds[layout%len(thresholds)]}
		if rng.IntN(40) == 0 {
			all[i] = &histogram.Histogram{Sum: staleNaN}
			if gauge {
				all[i].CounterResetHint = histogram.GaugeType
			}
			continue
		}
		if !gauge && rng.IntN(60) == 0 {
			clear(counts)
			clear(negative)
			zero, sum = 0, 0
		}
		top := 20
		if schema == histogram.CustomBucketsSchema {
			h.CustomValues = custom[layout%len(custom)]
			h.ZeroThreshold = 0
			top = len(h.CustomValues) + 1
		}
		for range rng.IntN(6) {
			more := rng.Int64N(1 << (1 + rng.IntN(20)))
			at := rng.IntN(min(2+i/4, top))
			switch {
			case schema != histogram.CustomBucketsSchema && rng.IntN(3) == 0:
				negative[at*3-10] += more
			case schema != histogram.CustomBucketsSchema && rng.IntN(6) == 0:
				zero += uint64(more)
			default:
				counts[at] += more
			}
			sum += rng.NormFloat64() * float64(more)
			if gauge && rng.IntN(3) == 0 {
				counts[at] /= 2
				delete(negative, at*3-10)
			}
		}
		h.PositiveSpans, h.PositiveBuckets = spread(counts)
		h.NegativeSpans, h.NegativeBuckets = spread(negative)
		h.ZeroCount, h.Sum = zero, sum
		h.Count = zero
		for _, c := range counts {
			h.Count += uint64(c)
		}
		for _, c := range negative {
			h.Count += uint64(c)
		}
		if gauge {
			h.CounterResetHint = histogram.GaugeType
		}
		check(h.Validate())
		all[i] = h
	}
	return all
}

// spread makes spans and deltas of counts by bucket.
func spread(counts map[int]int64) (spans []histogram.Span, deltas []int64) {
	last, end := int64(0), 0
	for at := -100; at <= 100; at++ {
		c, ok := counts[at]
		if !ok {
			continue
		}
		if len(spans) > 0 && end == at {
			spans[len(spans)-1].Length++
		} else {
			offset := at - end
			if len(spans) == 0 {
				offset = at
			}
			spans = append(spans, histogram.Span{Offset: int32(offset), Length: 1})
		}
		end = at + 1
		deltas = append(deltas, c-last)
		last = c
	}
	return spans, deltas
}

// histogramChunks encodes histograms, at most size of them a chunk; a chunk ends earlier where its
// appender says so.
func histogramChunks(enc chunkenc.Encoding, st, ts []int64, all []*histogram.Histogram, size int) []chunks.Meta {
	var (
		metas []chunks.Meta
		chunk chunkenc.Chunk
		app   chunkenc.Appender
		from  int
	)
	finish := func(to int) {
		if chunk != nil {
			metas = append(metas, chunks.Meta{MinTime: ts[from], MaxTime: ts[to-1], Chunk: chunk})
		}
	}
	for i, h := range all {
		var prev chunkenc.Appender
		if chunk == nil || chunk.NumSamples() >= size {
			finish(i)
			from, prev = i, app
			var err error
			chunk, err = chunkenc.NewEmptyChunk(enc)
			check(err)
			app, err = chunk.Appender()
			check(err)
		}
		var (
			next    chunkenc.Chunk
			recoded bool
			err     error
		)
		if enc == chunkenc.EncFloatHistogram || enc == chunkenc.EncFloatHistogramST {
			next, recoded, app, err = app.AppendFloatHistogram(prev, st[i], ts[i], floatOf(h), false)
		} else {
			next, recoded, app, err = app.AppendHistogram(prev, st[i], ts[i], h.Copy(), false)
		}
		check(err)
		if next != nil {
			if !recoded {
				finish(i)
				from = i
			}
			chunk = next
		}
	}
	finish(len(all))
	return metas
}

// floatOf is h with float counts that are not whole.
func floatOf(h *histogram.Histogram) *histogram.FloatHistogram {
	fh := h.ToFloat(nil)
	if value.IsStaleNaN(fh.Sum) {
		return fh
	}
	fh.Count *= 1.1
	fh.ZeroCount *= 1.1
	for i := range fh.PositiveBuckets {
		fh.PositiveBuckets[i] *= 1.1
	}
	for i := range fh.NegativeBuckets {
		fh.NegativeBuckets[i] *= 1.1
	}
	return fh
}

// check ends the program: what it writes for the tests must not fail.
func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("%+v", err))
	}
}
