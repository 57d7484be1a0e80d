package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/go-kit/log"
	"github.com/thanos-io/objstore"
	"github.com/thanos-io/objstore/providers/filesystem"
	"google.golang.org/grpc"

	"github.com/thanos-io/thanos/pkg/block"
	"github.com/thanos-io/thanos/pkg/component"
	_ "github.com/thanos-io/thanos/pkg/extgrpc/snappy"
	"github.com/thanos-io/thanos/pkg/info"
	"github.com/thanos-io/thanos/pkg/info/infopb"
	"github.com/thanos-io/thanos/pkg/model"
	"github.com/thanos-io/thanos/pkg/store"
	"github.com/thanos-io/thanos/pkg/store/labelpb"
)

// always are the times that a filter without limits lets through.
func always() *store.FilterConfig {
	var min, max model.TimeOrDurationValue
	_ = min.Set("0000-01-01T00:00:00Z")
	_ = max.Set("9999-12-31T23:59:59Z")
	return &store.FilterConfig{MinTime: min, MaxTime: max}
}

// serve serves a folder's blocks until it is killed.
func serve(args []string) error {
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	bucket := flags.String("bucket", "", "the folder with the blocks")
	scratch := flags.String("scratch", "", "a folder for index headers")
	seriesLimit := flags.Uint64("series-limit", 0, "most series of a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := log.NewNopLogger()
	if os.Getenv("STOREAPI_LOG") != "" {
		logger = log.NewLogfmtLogger(os.Stderr)
	}
	files, err := filesystem.NewBucket(*bucket)
	if err != nil {
		return err
	}
	bkt := objstore.WithNoopInstr(files)
	metas := filepath.Join(*scratch, "meta")
	if err := os.MkdirAll(metas, 0o755); err != nil {
		return err
	}
	filter := always()
	fetcher, err := block.NewMetaFetcher(logger, 20, bkt, block.NewConcurrentLister(logger, bkt), metas, nil,
		[]block.MetadataFilter{block.NewTimePartitionMetaFilter(filter.MinTime, filter.MaxTime)})
	if err != nil {
		return err
	}
	pool, err := store.NewDefaultChunkBytesPool(2 << 30)
	if err != nil {
		return err
	}
	blocks, err := store.NewBucketStore(
		bkt, fetcher, *scratch,
		store.NewChunksLimiterFactory(0),
		store.NewSeriesLimiterFactory(*seriesLimit),
		store.NewBytesLimiterFactory(0),
		store.NewGapBasedPartitioner(store.PartitionerMaxGapSize),
		20, store.DefaultPostingOffsetInMemorySampling, false, false, time.Minute,
		store.WithLogger(logger),
		store.WithChunkPool(pool),
		store.WithFilterConfig(filter),
		store.WithChunkHashCalculation(true),
	)
	if err != nil {
		return err
	}
	if err := blocks.SyncBlocks(context.Background()); err != nil {
		return err
	}
	information := info.NewInfoServer(
		component.Store.String(),
		info.WithLabelSetFunc(func() []labelpb.ZLabelSet { return blocks.LabelSet() }),
		info.WithStoreInfoFunc(func() (*infopb.StoreInfo, error) {
			mint, maxt := blocks.TimeRange()
			return &infopb.StoreInfo{
				MinTime:                      mint,
				MaxTime:                      maxt,
				SupportsSharding:             true,
				SupportsWithoutReplicaLabels: true,
				TsdbInfos:                    blocks.TSDBInfos(),
			}, nil
		}),
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxSendMsgSize(math.MaxInt32), grpc.MaxRecvMsgSize(math.MaxInt32))
	store.RegisterStoreServer(blocks, logger)(server)
	info.RegisterInfoServer(information)(server)
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}
