package main

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// script runs the text on stdin as Prometheus runs its own scripts: as a test, which prints what fails
// and then exits with 1.
func script(args []string) error {
	if err := flag.NewFlagSet("script", flag.ContinueOnError).Parse(args); err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	os.Args = os.Args[:1]
	test := func(t *testing.T) {
		engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
		promqltest.RunTestWithStorage(t, string(text), engine, func(t testing.TB) storage.Storage {
			return promqltest.NewBuiltinTestStorage(t)
		})
	}
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "script", F: test}}, nil, nil)
	return nil
}
