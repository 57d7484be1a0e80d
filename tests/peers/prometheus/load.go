package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// load lets promqltest load the texts on stdin (JSON strings, one a line, of load commands each) into a
// storage of its own, and prints what is then read, as dump does, and a line "end" after each.
func load(args []string) error {
	if err := flag.NewFlagSet("load", flag.ContinueOnError).Parse(args); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		if err := loadOne(out, text); err != nil {
			return err
		}
		fmt.Fprintln(out, "end")
	}
	if err := in.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func loadOne(out *bufio.Writer, text string) error {
	t := &outside{}
	defer t.end()
	storage := promqltest.LoadedStorage(t, text, func(options *tsdb.Options) {
		options.EnableSTStorage = true
		options.FloatChunkEncoding = chunkenc.EncXOR2
		options.EnableHistogramSTEncoding = true
	})
	querier, err := storage.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	defer querier.Close()
	return dumpSeries(context.Background(), out, querier)
}

// outside stands for a test where there is none: what fails ends the program.
type outside struct {
	testing.TB
	cleanups []func()
}

func (*outside) Helper() {}

func (t *outside) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (*outside) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (*outside) FailNow() { panic("promqltest failed") }

func (t *outside) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
