package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/go-kit/log"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/thanos-io/thanos/pkg/block/metadata"
	"github.com/thanos-io/thanos/pkg/compact/downsample"
)

// downsampled makes a block with windows of a block's samples beside it, as Thanos' compactor does.
func downsampled(args []string) (err error) {
	flags := flag.NewFlagSet("downsample", flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder that has the block's folder")
	id := flags.String("block", "", "the block, raw or downsampled less")
	resolution := flags.Int64("resolution", downsample.ResLevel1, "milliseconds of a window")
	if err := flags.Parse(args); err != nil {
		return err
	}
	from := filepath.Join(*dir, *id)
	meta, err := metadata.ReadFromDir(from)
	if err != nil {
		return err
	}
	block, err := tsdb.OpenBlock(promslog.NewNopLogger(), from, downsample.NewPool(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, block.Close()) }()
	made, err := downsample.Downsample(context.Background(), log.NewNopLogger(), meta, block, *dir, *resolution)
	fmt.Println(made)
	return err
}
