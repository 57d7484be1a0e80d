// Command histograms writes a block of native histograms: request durations of some pods, observed as a
// Prometheus client with native histograms does. The same seed gives the same samples.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	start    = int64(1_790_899_200_000)
	interval = int64(15_000)
	hours    = 2
	schema   = 3
)

// observed is a histogram in the making: how many observations each bucket has.
type observed struct {
	buckets map[int32]int64
	count   uint64
	sum     float64
}

func (o *observed) add(value float64) {
	index := int32(math.Ceil(math.Log2(value) * float64(int(1)<<schema)))
	o.buckets[index]++
	o.count++
	o.sum += value
}

// histogram is the integer histogram with delta-encoded buckets that Prometheus scrapes.
func (o *observed) histogram() *histogram.Histogram {
	h := &histogram.Histogram{Schema: schema, ZeroThreshold: 1e-128, Count: o.count, Sum: o.sum}
	low, high := int32(math.MaxInt32), int32(math.MinInt32)
	for index := range o.buckets {
		low, high = min(low, index), max(high, index)
	}
	var before int64
	for index := low; index <= high; index++ {
		h.PositiveBuckets = append(h.PositiveBuckets, o.buckets[index]-before)
		before = o.buckets[index]
	}
	if o.count > 0 {
		h.PositiveSpans = []histogram.Span{{Offset: low, Length: uint32(high - low + 1)}}
	}
	return h
}

func main() {
	series := flag.Int("series", 500, "how many series")
	out := flag.String("out", "", "the folder of the block")
	flag.Parse()
	if err := write(*series, *out); err != nil {
		log.Fatal(err)
	}
}

func write(series int, out string) error {
	ctx := context.Background()
	writer, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), out, hours*3_600_000)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	sets := make([]labels.Labels, series)
	all := make([]observed, series)
	for i := range sets {
		sets[i] = labels.FromStrings("__name__", "request_duration_seconds", "job", fmt.Sprintf("job-%d", i%10),
			"pod", fmt.Sprintf("pod-%03d", i))
		all[i].buckets = map[int32]int64{}
	}
	refs := make([]storage.SeriesRef, series)
	for at := start; at < start+hours*3_600_000; at += interval {
		appender := writer.Appender(ctx)
		for i := range all {
			for range random.IntN(40) {
				all[i].add(math.Exp(random.NormFloat64()-3) * (1 + float64(i%7)/3))
			}
			refs[i], err = appender.AppendHistogram(refs[i], sets[i], at, all[i].histogram(), nil)
			if err != nil {
				return err
			}
		}
		if err := appender.Commit(); err != nil {
			return err
		}
	}
	block, err := writer.Flush(ctx)
	if err != nil {
		return err
	}
	if err := label(filepath.Join(out, block.String(), "meta.json")); err != nil {
		return err
	}
	return writer.Close()
}

// label gives the block the external labels of a sidecar.
func label(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var meta map[string]any
	if err := json.Unmarshal(text, &meta); err != nil {
		return err
	}
	meta["thanos"] = map[string]any{
		"version":    1,
		"labels":     map[string]string{"cluster": "bench", "replica": "a"},
		"downsample": map[string]any{"resolution": 0},
		"source":     "sidecar",
	}
	if text, err = json.Marshal(meta); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
