package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
)

// read reads series by Prometheus' own client of remote read. Each line on stdin is a JSON object with
// selectors and, in milliseconds, the times of one request; its answer is printed as dump prints a block,
// and ends with a line "end", or "error" and a text in quotes.
func read(args []string) error {
	flags := flag.NewFlagSet("read", flag.ContinueOnError)
	address := flags.String("url", "", "where to read")
	chunked := flags.Bool("chunked", false, "accept streamed chunks alone, not samples alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	at, err := url.Parse(*address)
	if err != nil {
		return err
	}
	accepted := prompb.ReadRequest_SAMPLES
	if *chunked {
		accepted = prompb.ReadRequest_STREAMED_XOR_CHUNKS
	}
	client, err := remote.NewReadClient("test", &remote.ClientConfig{
		URL:                   &configutil.URL{URL: at},
		Timeout:               model.Duration(2 * time.Minute),
		ChunkedReadLimit:      config.DefaultChunkedReadLimit,
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{accepted},
	})
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for in.Scan() {
		var asked readQuestion
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		if err := readOnce(out, client, asked); err != nil {
			fmt.Fprintf(out, "error %q\n", err)
		} else {
			fmt.Fprintln(out, "end")
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return out.Flush()
}

type readQuestion struct {
	Selectors []string             `json:"selectors"`
	Start     int64                `json:"start"`
	End       int64                `json:"end"`
	Hints     *storage.SelectHints `json:"hints,omitempty"`
}

func readOnce(out io.Writer, client remote.ReadClient, asked readQuestion) error {
	ctx := context.Background()
	var queries []*prompb.Query
	for _, selector := range asked.Selectors {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
		if err != nil {
			return err
		}
		query, err := remote.ToQuery(asked.Start, asked.End, matchers, asked.Hints)
		if err != nil {
			return err
		}
		queries = append(queries, query)
	}
	// What the server has sorted must not be sorted here.
	set, err := client.ReadMultiple(ctx, queries, false)
	if err != nil {
		return err
	}
	return dumpSet(out, set)
}
