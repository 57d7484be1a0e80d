// Command thanos answers what Thanos' own deduplication (pkg/dedup) makes of replicas.
//
// It reads sets from standard input, one JSON line each, and writes one JSON line a set. A set is a
// list of replicas, a replica a list of chunks ordered by their first timestamp (they may overlap, as
// those of overlapping blocks do), a chunk a list of samples [timestamp, histogram?]. Every sample
// carries a number of its own as its payload: its position in the set, counted through all chunks.
// The answer names the samples that Thanos' querier would see, by those numbers:
// {"penalty":[…],"chain":[timestamps…]}.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/thanos-io/thanos/pkg/dedup"
	"github.com/thanos-io/thanos/pkg/store/storepb"
)

type set struct {
	Replicas [][][][2]int64 `json:"replicas"`
}

type answer struct {
	Penalty []int64 `json:"penalty"`
	Chain   []int64 `json:"chain"`
}

// sample is a float or a histogram whose value, or sum, is the sample's number.
type sample struct {
	t      int64
	number float64
	hist   bool
}

func (s sample) T() int64                { return s.t }
func (s sample) ST() int64               { return 0 }
func (s sample) F() float64              { return s.number }
func (s sample) H() *histogram.Histogram { return &histogram.Histogram{Sum: s.number} }
func (s sample) FH() *histogram.FloatHistogram {
	return &histogram.FloatHistogram{Sum: s.number}
}
func (s sample) Copy() chunks.Sample { return s }
func (s sample) Type() chunkenc.ValueType {
	if s.hist {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

// replicas presents the replicas of one series as a store's answer: equal labels (the replica label
// is removed already), chunks whose payload is their index in all.
type replicas struct {
	chunks [][]storepb.AggrChunk
	at     int
}

func (r *replicas) Next() bool { r.at++; return r.at < len(r.chunks) }
func (r *replicas) At() (labels.Labels, []storepb.AggrChunk) {
	return labels.FromStrings("__name__", "m"), r.chunks[r.at]
}
func (r *replicas) Err() error { return nil }

// decoded is the split store's answer as Prometheus' series set.
type decoded struct {
	set     storepb.SeriesSet
	samples [][]chunks.Sample
}

func (d *decoded) Next() bool                        { return d.set.Next() }
func (d *decoded) Err() error                        { return d.set.Err() }
func (d *decoded) Warnings() annotations.Annotations { return nil }
func (d *decoded) At() storage.Series {
	lset, parts := d.set.At()
	var all []chunks.Sample
	for _, part := range parts {
		all = append(all, d.samples[binary.BigEndian.Uint64(part.Raw.Data)]...)
	}
	return storage.NewListSeries(lset, all)
}

func evaluate(s set, algorithm string) (times, numbers []int64, err error) {
	var samples [][]chunks.Sample
	var stored [][]storepb.AggrChunk
	number := 0
	for _, replica := range s.Replicas {
		var list []storepb.AggrChunk
		for _, chunk := range replica {
			index := binary.BigEndian.AppendUint64(nil, uint64(len(samples)))
			var decodedChunk []chunks.Sample
			for _, pair := range chunk {
				decodedChunk = append(decodedChunk, sample{t: pair[0], number: float64(number), hist: pair[1] != 0})
				number++
			}
			samples = append(samples, decodedChunk)
			list = append(list, storepb.AggrChunk{
				MinTime: chunk[0][0],
				MaxTime: chunk[len(chunk)-1][0],
				Raw:     &storepb.Chunk{Data: index},
			})
		}
		stored = append(stored, list)
	}
	split := dedup.NewOverlapSplit(&replicas{chunks: stored, at: -1})
	// No function is named: it would only turn on the adjustment of counter values.
	merged := dedup.NewSeriesSet(&decoded{set: split, samples: samples}, "", algorithm)
	series := 0
	times, numbers = []int64{}, []int64{}
	for merged.Next() {
		series++
		it := merged.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			switch kind {
			case chunkenc.ValFloat:
				t, v := it.At()
				times, numbers = append(times, t), append(numbers, int64(v))
			case chunkenc.ValFloatHistogram:
				t, h := it.AtFloatHistogram(nil)
				times, numbers = append(times, t), append(numbers, int64(h.Sum))
			default:
				return nil, nil, fmt.Errorf("unexpected sample type %v", kind)
			}
		}
		if it.Err() != nil {
			return nil, nil, it.Err()
		}
	}
	if series != 1 {
		return nil, nil, fmt.Errorf("expected one series, got %d", series)
	}
	return times, numbers, merged.Err()
}

func run() error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	decoder := json.NewDecoder(in)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(out)
	for decoder.More() {
		var s set
		if err := decoder.Decode(&s); err != nil {
			return err
		}
		_, numbers, err := evaluate(s, dedup.AlgorithmPenalty)
		if err != nil {
			return err
		}
		times, _, err := evaluate(s, dedup.AlgorithmChain)
		if err != nil {
			return err
		}
		if err := encoder.Encode(answer{Penalty: numbers, Chain: times}); err != nil {
			return err
		}
	}
	return out.Flush()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "thanos:", err)
		os.Exit(1)
	}
}
