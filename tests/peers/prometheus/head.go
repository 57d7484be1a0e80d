package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// writeHead lets a head cut its block, as a running Prometheus does: XOR and plain histograms, or
// XOR2 and histograms with start timestamps.
func writeHead(dir string, rng *rand.Rand, st bool) error {
	headDir, err := os.MkdirTemp("", "head")
	if err != nil {
		return err
	}
	defer os.RemoveAll(headDir)
	options := tsdb.DefaultHeadOptions()
	options.ChunkRange = blockMs
	options.ChunkDirRoot = headDir
	if st {
		options.FloatChunkEncoding.Store(uint32(chunkenc.EncXOR2))
		options.EnableSTStorage.Store(true)
		options.EnableHistogramSTEncoding.Store(true)
	}
	head, err := tsdb.NewHead(nil, quiet, nil, nil, options, tsdb.NewHeadStats())
	if err != nil {
		return err
	}
	defer head.Close()
	if err := head.Init(math.MinInt64); err != nil {
		return err
	}
	ts := timeKinds["jitter"](rng, start, 470)
	st0 := startKinds["none"]
	if st {
		st0 = startKinds["resets"]
	}
	sets := make([]labels.Labels, 40)
	floats := make([][]float64, len(sets))
	starts := make([][]int64, len(sets))
	for i := range sets {
		sets[i] = lset("head_total", "n", fmt.Sprint(i))
		kind := []string{"constant", "counter", "gauge", "stale", "special"}[i%5]
		floats[i] = valueKinds[kind](rng, len(ts))
		starts[i] = st0(rng, ts)
	}
	histograms := histogramWalk(rng, 1, false, len(ts))
	for i, t := range ts {
		app := head.AppenderV2(context.Background())
		for s, set := range sets {
			if _, err := app.Append(0, set, starts[s][i], t, floats[s][i], nil, nil, storage.AppendV2Options{}); err != nil {
				return err
			}
		}
		set := lset("head_histogram")
		if _, err := app.Append(0, set, starts[0][i], t, 0, histograms[i].Copy(), nil, storage.AppendV2Options{}); err != nil {
			return err
		}
		set = lset("head_float_histogram")
		if _, err := app.Append(0, set, starts[1][i], t, 0, nil, floatOf(histograms[i]), storage.AppendV2Options{}); err != nil {
			return err
		}
		if err := app.Commit(); err != nil {
			return err
		}
	}
	compactor, err := tsdb.NewLeveledCompactor(context.Background(), nil, quiet, []int64{blockMs}, chunkenc.NewPool(), nil)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	ids, err := compactor.Write(parent, head, head.MinTime(), head.MaxTime()+1, nil)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return fmt.Errorf("the head gave %d blocks", len(ids))
	}
	return os.Rename(filepath.Join(parent, ids[0].String()), dir)
}
