package main

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/tombstones"
)

// start is the first time of all blocks but "wild": a boundary of 2 h, 6 h and 1 d.
const (
	start   = int64(1_790_899_200_000)
	hour    = int64(3_600_000)
	scrape  = int64(15_000)
	blockMs = 2 * hour
)

// kinds maps what can be written to how.
var kinds = map[string]func(dir string, rng *rand.Rand) error{
	"encodings":  writeEncodings,
	"tombstones": writeTombstones,
	"v1":         writeVersion1,
	"wild":       writeWild,
	"long":       writeLong,
	"overlap":    writeOverlap,
	"disorder":   writeDisorder,
	"head":       func(dir string, rng *rand.Rand) error { return writeHead(dir, rng, false) },
	"node":       writeNode,
	"natives":    writeNatives,
	"head-st":    func(dir string, rng *rand.Rand) error { return writeHead(dir, rng, true) },
}

// write writes one block into OUT/KIND. The same seed gives the same samples.
func write(args []string) error {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	out := flags.String("out", "", "the folder that gets the block's folder")
	kind := flags.String("kind", "encodings", "what to write")
	seed := flags.Uint64("seed", 1, "seed of the samples")
	if err := flags.Parse(args); err != nil {
		return err
	}
	writeKind := kinds[*kind]
	if writeKind == nil {
		return fmt.Errorf("no kind %q", *kind)
	}
	return writeKind(filepath.Join(*out, *kind), rand.New(rand.NewPCG(*seed, 0)))
}

// names are the keys of kinds in a fixed order.
func names[T any](kinds map[string]T) []string {
	return slices.Sorted(maps.Keys(kinds))
}

func lset(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{"__name__", name}, pairs...)...)
}

// encodings is a series for each encoding, kind of values, kind of timestamps and kind of start
// timestamps, beside some with unusual labels.
func encodings(rng *rand.Rand) []blockSeries {
	var all []blockSeries
	for _, enc := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
		for _, valueKind := range names(valueKinds) {
			for _, timeKind := range names(timeKinds) {
				for _, startKind := range names(startKinds) {
					if enc == chunkenc.EncXOR && startKind != "none" {
						continue
					}
					ts := timeKinds[timeKind](rng, start, 300)
					all = append(all, blockSeries{
						lset("floats", "encoding", enc.String(), "value", valueKind, "time", timeKind, "start", startKind),
						floatChunks(enc, startKinds[startKind](rng, ts), ts, valueKinds[valueKind](rng, len(ts)), 120),
					})
				}
			}
		}
		for _, n := range []int{1, 2, 3, 127, 128, 129} {
			ts := timeKinds["regular"](rng, start, n)
			all = append(all, blockSeries{
				lset("few", "encoding", enc.String(), "n", fmt.Sprint(n)),
				floatChunks(enc, startKinds["delta"](rng, ts), ts, valueKinds["counter"](rng, n), 1000),
			})
		}
		for _, size := range []int{120, math.MaxUint16} {
			n := 100_000
			ts := make([]int64, n)
			for i := range ts {
				ts[i] = start + int64(i)*70
			}
			all = append(all, blockSeries{
				lset("many", "encoding", enc.String(), "size", fmt.Sprint(size)),
				floatChunks(enc, startKinds["none"](rng, ts), ts, valueKinds["gauge"](rng, n), size),
			})
		}
	}
	for layout := range 12 {
		for _, suffix := range []string{"counter", "gauge"} {
			for _, enc := range []chunkenc.Encoding{
				chunkenc.EncHistogram, chunkenc.EncFloatHistogram, chunkenc.EncHistogramST, chunkenc.EncFloatHistogramST,
			} {
				for _, startKind := range names(startKinds) {
					st := enc == chunkenc.EncHistogramST || enc == chunkenc.EncFloatHistogramST
					if !st && startKind != "none" {
						continue
					}
					ts := timeKinds["jitter"](rng, start, 150)
					all = append(all, blockSeries{
						lset("histograms", "encoding", enc.String(), "layout", fmt.Sprint(layout), "kind", suffix, "start", startKind),
						histogramChunks(enc, startKinds[startKind](rng, ts), ts, histogramWalk(rng, layout, suffix == "gauge", len(ts)), 40),
					})
				}
			}
		}
	}
	ts := timeKinds["regular"](rng, start, 480)
	mixed := floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts[:200]), ts[:200], valueKinds["counter"](rng, 200), 120)
	mixed = append(mixed, histogramChunks(chunkenc.EncHistogram, startKinds["none"](rng, ts[200:300]), ts[200:300], histogramWalk(rng, 3, false, 100), 40)...)
	mixed = append(mixed, floatChunks(chunkenc.EncXOR2, startKinds["fixed"](rng, ts[300:]), ts[300:], valueKinds["counter"](rng, 180), 120)...)
	all = append(all, blockSeries{lset("mixed"), mixed})
	for _, l := range []labels.Labels{
		lset("utf8.name/π", "läbel ☂", "wért \n\"quoted\" \\", "z", "\x00\x01"),
		lset("utf8.name/π", "läbel ☂", "另一个"),
		labels.FromStrings("no_name", "1"),
		labels.FromStrings("A", "before the name", "__name__", "floats"),
		labels.FromStrings("B", "x", "__name__", "capital", "a", "y"),
		lset("capital", "a", "y"),
	} {
		all = append(all, blockSeries{l, floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts), ts, valueKinds["gauge"](rng, len(ts)), 120)})
	}
	return all
}

func writeEncodings(dir string, rng *rand.Rand) error {
	return writeBlock(dir, encodings(rng), start, start+blockMs, 0)
}

// writeNatives has native histograms of all layouts in the encodings that every Thanos reads, series
// that change between them and floats, and floats.
func writeNatives(dir string, rng *rand.Rand) error {
	var all []blockSeries
	none := startKinds["none"]
	for layout := range 12 {
		for _, kind := range []string{"counter", "gauge"} {
			for _, enc := range []chunkenc.Encoding{chunkenc.EncHistogram, chunkenc.EncFloatHistogram} {
				ts := timeKinds["jitter"](rng, start, 450)
				all = append(all, blockSeries{
					lset("natives", "encoding", enc.String(), "layout", fmt.Sprint(layout), "kind", kind),
					histogramChunks(enc, none(rng, ts), ts, histogramWalk(rng, layout, kind == "gauge", len(ts)), 60),
				})
			}
		}
	}
	for i := range 4 {
		ts := timeKinds["regular"](rng, start, 470)
		var mixed []chunks.Meta
		for from := 0; from < len(ts); {
			to := min(from+20+rng.IntN(150), len(ts))
			part, enc := ts[from:to], chunkenc.EncHistogram
			switch rng.IntN(3) {
			case 0:
				mixed = append(mixed, floatChunks(chunkenc.EncXOR, none(rng, part), part, valueKinds["counter"](rng, len(part)), 120)...)
			case 1:
				enc = chunkenc.EncFloatHistogram
				fallthrough
			default:
				mixed = append(mixed, histogramChunks(enc, none(rng, part), part, histogramWalk(rng, i, false, len(part)), 60)...)
			}
			from = to
		}
		all = append(all, blockSeries{lset("mixed", "n", fmt.Sprint(i)), mixed})
		all = append(all, blockSeries{
			lset("floats", "n", fmt.Sprint(i)),
			floatChunks(chunkenc.EncXOR, none(rng, ts), ts, valueKinds["counter"](rng, len(ts)), 120),
		})
	}
	return writeBlock(dir, all, start, start+blockMs, 0)
}

// writeTombstones deletes whole series, whole chunks, parts of chunks and single samples.
func writeTombstones(dir string, rng *rand.Rand) error {
	if err := writeBlock(dir, encodings(rng), start, start+blockMs, 0); err != nil {
		return err
	}
	stones := tombstones.NewMemTombstones()
	refs, err := seriesRefs(dir)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		at := start + rng.Int64N(blockMs)
		switch i % 7 {
		case 0:
			stones.AddInterval(ref, tombstones.Interval{Mint: math.MinInt64, Maxt: math.MaxInt64})
		case 1:
			stones.AddInterval(ref, tombstones.Interval{Mint: start, Maxt: at})
		case 2:
			stones.AddInterval(ref, tombstones.Interval{Mint: at, Maxt: at + 10*60_000})
			stones.AddInterval(ref, tombstones.Interval{Mint: start, Maxt: start})
		case 3:
			for n := range int64(5) {
				stones.AddInterval(ref, tombstones.Interval{Mint: at + n*60_000, Maxt: at + n*60_000 + 20_000})
			}
		case 4: // Beside all samples.
			stones.AddInterval(ref, tombstones.Interval{Mint: start - hour, Maxt: start - 1})
		}
	}
	_, err = tombstones.WriteFile(quiet, dir, stones)
	return err
}

func writeVersion1(dir string, rng *rand.Rand) error {
	if err := writeBlock(dir, encodings(rng), start, start+blockMs, 0); err != nil {
		return err
	}
	return rewriteAsVersion1(dir)
}

// writeWild has times from -2^60 to 2^60, with the largest steps that a chunk can hold.
func writeWild(dir string, rng *rand.Rand) error {
	var all []blockSeries
	const edge = int64(1) << 60
	for i := range 40 {
		var ts []int64
		t := -edge + rng.Int64N(1<<40)
		for t < edge && len(ts) < 300 {
			ts = append(ts, t)
			t += 1 + rng.Int64N(int64(1)<<(1+rng.IntN(59)))
		}
		for _, enc := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
			all = append(all, blockSeries{
				lset("wild", "encoding", enc.String(), "n", fmt.Sprint(i)),
				floatChunks(enc, startKinds["wild"](rng, ts), ts, valueKinds["bits"](rng, len(ts)), 120),
			})
		}
		for _, enc := range []chunkenc.Encoding{chunkenc.EncHistogramST, chunkenc.EncFloatHistogramST} {
			all = append(all, blockSeries{
				lset("wild_histogram", "encoding", enc.String(), "n", fmt.Sprint(i)),
				histogramChunks(enc, startKinds["wild"](rng, ts), ts, histogramWalk(rng, i%12, i%2 == 0, len(ts)), 50),
			})
		}
	}
	return writeBlock(dir, all, -edge, edge+1, 0)
}

// writeLong is a compacted block of 24 h in small segments; chunks cross the edges of time buckets.
func writeLong(dir string, rng *rand.Rand) error {
	var all []blockSeries
	for i := range 30 {
		ts := timeKinds["jitter"](rng, start+rng.Int64N(hour), int(22*hour/scrape))
		if i%5 == 0 { // Lives for a while only.
			ts = ts[1000+rng.IntN(1000):][:1500]
		}
		name := []string{"alpha_total", "beta", "gamma"}[i%3]
		all = append(all, blockSeries{
			lset(name, "instance", fmt.Sprint(i)),
			floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts), ts, valueKinds["counter"](rng, len(ts)), 100+rng.IntN(60)),
		})
	}
	for i := range 3 {
		ts := timeKinds["regular"](rng, start+hour, 3000)
		all = append(all, blockSeries{
			lset("delta_seconds", "instance", fmt.Sprint(i)),
			histogramChunks(chunkenc.EncHistogram, startKinds["none"](rng, ts), ts, histogramWalk(rng, i, false, len(ts)), 70),
		})
	}
	return writeBlock(dir, all, start, start+24*hour, 64<<10)
}

// writeOverlap has a series whose second chunk begins before the first ends. Prometheus' writer
// refuses such an index, so the chunks are made to lie about their times.
func writeOverlap(dir string, rng *rand.Rand) error {
	ts := timeKinds["regular"](rng, start, 200)
	first := floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts[:120]), ts[:120], valueKinds["gauge"](rng, 120), 120)
	second := floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts[100:]), ts[100:], valueKinds["gauge"](rng, 100), 120)
	second[0].MinTime = first[0].MaxTime + 1
	return writeBlock(dir, []blockSeries{{lset("overlap"), append(first, second...)}}, start, start+blockMs, 0)
}

// writeDisorder has a chunk whose timestamps go back: the appender writes what it is given.
func writeDisorder(dir string, rng *rand.Rand) error {
	ts := timeKinds["regular"](rng, start, 120)
	ts[60], ts[61] = ts[61], ts[60]
	chunks := floatChunks(chunkenc.EncXOR, startKinds["none"](rng, ts), ts, valueKinds["gauge"](rng, 120), 120)
	return writeBlock(dir, []blockSeries{{lset("disorder"), chunks}}, start, start+blockMs, 0)
}

// seriesRefs are the references of a block's series, in order.
func seriesRefs(dir string) ([]storage.SeriesRef, error) {
	reader, err := openIndex(dir)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return allRefs(reader)
}
