package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-kit/log"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"

	"github.com/thanos-io/thanos/pkg/block/metadata"
)

// series is one line of the input: samples are timestamps and values; null is the stale marker.
type series struct {
	Labels  map[string]string `json:"labels"`
	Samples [][2]*float64     `json:"samples"`
}

type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// write makes one block below the output folder and gives it external labels, as a sidecar does.
func write(args []string) error {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	out := flags.String("out", "", "the folder that gets the block's folder")
	external := flags.String("labels", "", "external labels, as in a=b,c=d")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var all []storage.Series
	count, first, last := 0, int64(math.MaxInt64), int64(math.MinInt64)
	for decoder := json.NewDecoder(os.Stdin); ; {
		var s series
		if err := decoder.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		samples := make([]chunks.Sample, 0, len(s.Samples))
		for _, pair := range s.Samples {
			if pair[0] == nil {
				return errors.New("a sample without a timestamp")
			}
			v := math.Float64frombits(value.StaleNaN)
			if pair[1] != nil {
				v = *pair[1]
			}
			t := int64(*pair[0])
			samples = append(samples, sample{t, v})
			count, first, last = count+1, min(first, t), max(last, t)
		}
		all = append(all, storage.NewListSeries(labels.FromMap(s.Labels), samples))
	}
	// Samples are committed 10,000 at a time, and those half a range before committed ones are refused.
	chunkRange := int64(0)
	if count > 10_000 {
		chunkRange = 2*(last-first) + 2
	}
	dir, err := tsdb.CreateBlock(all, *out, chunkRange, promslog.NewNopLogger())
	if err != nil {
		return err
	}
	lset := map[string]string{}
	for pair := range strings.SplitSeq(*external, ",") {
		name, value, _ := strings.Cut(pair, "=")
		lset[name] = value
	}
	_, err = metadata.InjectThanos(log.NewNopLogger(), dir, metadata.Thanos{
		Labels: lset,
		Source: metadata.TestSource,
	}, nil)
	fmt.Println(filepath.Base(dir))
	return err
}
