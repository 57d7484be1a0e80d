package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/thanos-io/thanos/pkg/store/storepb"
)

// taken is what came in answer to the calls.
type taken struct {
	Calls   int     `json:"calls"`
	Series  int     `json:"series"`
	Chunks  int     `json:"chunks"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// fetch makes Series calls to an endpoint with the client of Thanos and tells what came.
func fetch(args []string) error {
	flags := flag.NewFlagSet("series", flag.ContinueOnError)
	endpoint := flags.String("endpoint", "", "the address")
	metric := flags.String("metric", ".+", "a regular expression for the name of the metric")
	calls := flags.Int("calls", 1, "how many calls, one after the other")
	if err := flags.Parse(args); err != nil {
		return err
	}
	connection, err := grpc.NewClient(*endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := storepb.NewStoreClient(connection)
	got := taken{Calls: *calls}
	began := time.Now()
	for range *calls {
		stream, err := client.Series(context.Background(), &storepb.SeriesRequest{
			MinTime:              0,
			MaxTime:              math.MaxInt64,
			WithoutReplicaLabels: []string{"replica"},
			ResponseBatchSize:    64,
			Matchers: []storepb.LabelMatcher{
				{Type: storepb.LabelMatcher_RE, Name: "__name__", Value: *metric},
			},
		})
		if err != nil {
			return err
		}
		for {
			frame, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
			if warning := frame.GetWarning(); warning != "" {
				return errors.New(warning)
			}
			all := []*storepb.Series{frame.GetSeries()}
			if batch := frame.GetBatch(); batch != nil {
				all = batch.Series
			}
			for _, series := range all {
				if series == nil {
					continue
				}
				got.Series++
				got.Chunks += len(series.Chunks)
				for _, chunk := range series.Chunks {
					got.Bytes += len(chunk.Raw.Data)
				}
			}
		}
	}
	got.Seconds = time.Since(began).Seconds()
	return json.NewEncoder(os.Stdout).Encode(got)
}
