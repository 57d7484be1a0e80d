package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
)

var quiet = slog.New(slog.DiscardHandler)

// blockSeries is what a block holds of one series.
type blockSeries struct {
	labels labels.Labels
	chunks []chunks.Meta
}

// writeBlock writes a block into dir with Prometheus' own writers of chunks and index. Segments are
// cut at segmentSize bytes if it is not 0.
func writeBlock(dir string, all []blockSeries, mint, maxt, segmentSize int64) error {
	slices.SortFunc(all, func(a, b blockSeries) int { return labels.Compare(a.labels, b.labels) })
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var options []chunks.WriterOption
	if segmentSize > 0 {
		options = append(options, chunks.WithSegmentSize(segmentSize))
	}
	chunkWriter, err := chunks.NewWriter(filepath.Join(dir, "chunks"), options...)
	if err != nil {
		return err
	}
	indexWriter, err := index.NewWriter(context.Background(), filepath.Join(dir, "index"))
	if err != nil {
		return err
	}
	symbols := map[string]struct{}{}
	for _, s := range all {
		s.labels.Range(func(l labels.Label) {
			symbols[l.Name], symbols[l.Value] = struct{}{}, struct{}{}
		})
	}
	sorted := make([]string, 0, len(symbols))
	for symbol := range symbols {
		sorted = append(sorted, symbol)
	}
	slices.Sort(sorted)
	for _, symbol := range sorted {
		if err := indexWriter.AddSymbol(symbol); err != nil {
			return err
		}
	}
	meta := tsdb.BlockMeta{MinTime: mint, MaxTime: maxt, Version: 1}
	for i, s := range all {
		if err := chunkWriter.WriteChunks(s.chunks...); err != nil {
			return err
		}
		if err := indexWriter.AddSeries(storage.SeriesRef(i), s.labels, s.chunks...); err != nil {
			return err
		}
		meta.Stats.NumSeries++
		meta.Stats.NumChunks += uint64(len(s.chunks))
		for _, c := range s.chunks {
			n := uint64(c.Chunk.NumSamples())
			meta.Stats.NumSamples += n
			if e := c.Chunk.Encoding(); e == chunkenc.EncXOR || e == chunkenc.EncXOR2 {
				meta.Stats.NumFloatSamples += n
			} else {
				meta.Stats.NumHistogramSamples += n
			}
		}
	}
	if err := chunkWriter.Close(); err != nil {
		return err
	}
	if err := indexWriter.Close(); err != nil {
		return err
	}
	return writeMeta(dir, meta)
}

// writeMeta names the block after its folder's name and writes meta.json.
func writeMeta(dir string, meta tsdb.BlockMeta) error {
	name := sha256.Sum256([]byte(filepath.Base(dir)))
	if err := meta.ULID.SetTime(uint64(max(meta.MinTime, 0))); err != nil {
		return err
	}
	if err := meta.ULID.SetEntropy(name[:10]); err != nil {
		return err
	}
	meta.Compaction = tsdb.BlockMetaCompaction{Level: 1, Sources: []ulid.ULID{meta.ULID}}
	text, err := json.MarshalIndent(meta, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "meta.json"), text, 0o666)
}

func openIndex(dir string) (*index.Reader, error) {
	return index.NewFileReader(filepath.Join(dir, "index"), index.DecodePostingsRaw)
}

func allRefs(reader *index.Reader) ([]storage.SeriesRef, error) {
	name, value := index.AllPostingsKey()
	postings, err := reader.Postings(context.Background(), name, value)
	if err != nil {
		return nil, err
	}
	return index.ExpandPostings(postings)
}
