package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"

	"github.com/thanos-io/thanos/pkg/compact/downsample"
)

// windows prints the aggregate chunks of a downsampled block, a series a line: for each chunk its aggregates,
// and for each of these its samples as "timestamp bits".
func windows(args []string) (err error) {
	flags := flag.NewFlagSet("windows", flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder that has the block's folder")
	id := flags.String("block", "", "the downsampled block")
	if err := flags.Parse(args); err != nil {
		return err
	}
	block, err := tsdb.OpenBlock(promslog.NewNopLogger(), filepath.Join(*dir, *id), downsample.NewPool(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, block.Close()) }()
	series, err := block.Index()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, series.Close()) }()
	data, err := block.Chunks()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	name, value := index.AllPostingsKey()
	postings, err := series.Postings(context.Background(), name, value)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	for postings.Next() {
		var builder labels.ScratchBuilder
		var metas []chunks.Meta
		if err := series.Series(postings.At(), &builder, &metas); err != nil {
			return err
		}
		line := struct {
			Labels string                `json:"labels"`
			Chunks []map[string][]string `json:"chunks"`
		}{Labels: builder.Labels().String()}
		for _, meta := range metas {
			chunk, _, err := data.ChunkOrIterable(meta)
			if err != nil {
				return err
			}
			aggregates, err := samplesOf(chunk)
			if err != nil {
				return err
			}
			line.Chunks = append(line.Chunks, aggregates)
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return postings.Err()
}

// samplesOf decodes the aggregates of floats in a chunk.
func samplesOf(chunk chunkenc.Chunk) (map[string][]string, error) {
	aggregate, ok := chunk.(*downsample.AggrChunk)
	if !ok {
		return nil, fmt.Errorf("a chunk of encoding %v", chunk.Encoding())
	}
	all := map[string][]string{}
	for kind := downsample.AggrCount; kind <= downsample.AggrCounter; kind++ {
		part, err := aggregate.Get(kind)
		if errors.Is(err, downsample.ErrAggrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		samples := []string{}
		it := part.Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			t, v := it.At()
			samples = append(samples, fmt.Sprintf("%d %016x", t, math.Float64bits(v)))
		}
		if it.Err() != nil {
			return nil, it.Err()
		}
		all[kind.String()] = samples
	}
	return all, nil
}
