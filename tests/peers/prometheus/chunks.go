package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// listChunks prints the chunks of a block as they lie in it, series by series in order of their
// labels. Names, values and data are printed as hexadecimal digits:
//
//	series NAME=VALUE …
//	ENCODING MIN_TIME MAX_TIME DATA
func listChunks(args []string) error {
	flags := flag.NewFlagSet("chunks", flag.ContinueOnError)
	dir := flags.String("block", "", "the block's folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	index, err := openIndex(*dir)
	if err != nil {
		return err
	}
	defer index.Close()
	refs, err := allRefs(index)
	if err != nil {
		return err
	}
	reader, err := chunks.NewDirReader(filepath.Join(*dir, "chunks"), chunkenc.NewPool())
	if err != nil {
		return err
	}
	defer reader.Close()
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	builder := labels.NewScratchBuilder(0)
	var metas []chunks.Meta
	for _, ref := range refs {
		if err := index.Series(ref, &builder, &metas); err != nil {
			return err
		}
		out.WriteString("series")
		builder.Labels().Range(func(l labels.Label) {
			fmt.Fprintf(out, " %x=%x", l.Name, l.Value)
		})
		out.WriteByte('\n')
		for _, meta := range metas {
			chunk, _, err := reader.ChunkOrIterable(meta)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%d %d %d %x\n", chunk.Encoding(), meta.MinTime, meta.MaxTime, chunk.Bytes())
		}
	}
	return out.Flush()
}
