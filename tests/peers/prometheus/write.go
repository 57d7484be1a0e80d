package main

import (
	"flag"
	"fmt"
)

// write writes TSDB blocks for the tests.
func write(args []string) error {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	kind := flags.String("kind", "encodings", "what to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return fmt.Errorf("no kind %q", *kind)
}
