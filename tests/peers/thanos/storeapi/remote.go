package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/prometheus/promql"
	"github.com/thanos-io/promql-engine/api"
	"github.com/thanos-io/promql-engine/engine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/thanos-io/thanos/pkg/api/query/querypb"
	"github.com/thanos-io/thanos/pkg/query"
	"github.com/thanos-io/thanos/pkg/store/labelpb"
	"github.com/thanos-io/thanos/pkg/store/storepb/prompb"
)

// remote asks queriers for whole queries: one by Thanos' generated client, or several through Thanos'
// distributed engine.
func remote(args []string) error {
	flags := flag.NewFlagSet("remote", flag.ContinueOnError)
	endpoints := flags.String("endpoints", "", "addresses, with commas between")
	distributed := flags.Bool("distributed", false, "through the distributed engine")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	}
	if *distributed {
		return askDistributed(*endpoints, options)
	}
	connection, err := grpc.NewClient(*endpoints, options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := querypb.NewQueryClient(connection)
	return answerAll(func(q question) answer { return askRemote(client, q) })
}

func askDistributed(endpoints string, options []grpc.DialOption) error {
	set, err := connect(endpoints, options...)
	if err != nil {
		return err
	}
	defer set.Close()
	creator := queryables(set)
	remotes := query.NewRemoteEndpointsCreator(log.NewNopLogger(), set.GetQueryAPIClients, nil, time.Minute, false, false)
	planner := engine.NewDistributedEngine(engine.Opts{EngineOpts: engineOptions()})
	return answerAll(func(q question) answer {
		ctx := context.Background()
		queryable := creator(q.Dedup, q.ReplicaLabels, nil, 0, false, false, nil, query.NoopSeriesStatsReporter)
		var asked counted
		asked.RemoteEndpoints = remotes(q.ReplicaLabels, false)
		var running promql.Query
		var err error
		if q.Step == 0 {
			running, err = planner.MakeInstantQuery(ctx, queryable, &asked, nil, q.Query, time.UnixMilli(q.End))
		} else {
			running, err = planner.MakeRangeQuery(ctx, queryable, &asked, nil, q.Query,
				time.UnixMilli(q.Start), time.UnixMilli(q.End), time.Duration(q.Step)*time.Millisecond)
		}
		if err != nil {
			return answer{Error: err.Error()}
		}
		defer running.Close()
		if asked.engines == 0 {
			return answer{Error: "no querier takes part"}
		}
		return told(running.Exec(ctx))
	})
}

// counted are remote engines, and how many the planner was given.
type counted struct {
	api.RemoteEndpoints
	engines int
}

func (c *counted) Engines() []api.RemoteEngine {
	engines := c.RemoteEndpoints.Engines()
	c.engines = len(engines)
	return engines
}

// frame is a message of either method.
type frame interface {
	GetWarnings() string
	GetTimeseries() *prompb.TimeSeries
	GetTimeseriesBatch() *querypb.TimeSeriesBatch
}

func askRemote(client querypb.QueryClient, q question) answer {
	ctx := context.Background()
	var next func() (frame, error)
	if q.Step == 0 {
		stream, err := client.Query(ctx, &querypb.QueryRequest{
			Query: q.Query, TimeSeconds: q.End / 1000, EnableDedup: q.Dedup, ReplicaLabels: q.ReplicaLabels,
			ResponseBatchSize: 64,
		})
		if err != nil {
			return answer{Error: err.Error()}
		}
		next = func() (frame, error) { return stream.Recv() }
	} else {
		stream, err := client.QueryRange(ctx, &querypb.QueryRangeRequest{
			Query: q.Query, StartTimeSeconds: q.Start / 1000, EndTimeSeconds: q.End / 1000,
			IntervalSeconds: q.Step / 1000, EnableDedup: q.Dedup, ReplicaLabels: q.ReplicaLabels,
		})
		if err != nil {
			return answer{Error: err.Error()}
		}
		next = func() (frame, error) { return stream.Recv() }
	}
	got := answer{Series: []row{}}
	for {
		message, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return answer{Error: err.Error()}
		}
		if warnings := message.GetWarnings(); warnings != "" {
			got.Warnings = append(got.Warnings, warnings)
		}
		if series := message.GetTimeseries(); series != nil {
			got.Series = append(got.Series, rowOf(series))
		}
		if batch := message.GetTimeseriesBatch(); batch != nil {
			for _, series := range batch.Series {
				got.Series = append(got.Series, rowOf(series))
			}
		}
	}
	slices.SortFunc(got.Series, func(a, b row) int { return strings.Compare(a.Labels, b.Labels) })
	return got
}

func rowOf(series *prompb.TimeSeries) row {
	r := row{Labels: labelpb.ZLabelsToPromLabels(series.Labels).String()}
	for _, sample := range series.Samples {
		r.Samples = append(r.Samples, point(sample.Timestamp, sample.Value))
	}
	return r
}
