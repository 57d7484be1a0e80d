package main

import (
	"math/rand/v2"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// writeNode writes two minutes of what a Prometheus scrapes of a node exporter: the series that
// `stoa demo` asks for.
func writeNode(dir string, rng *rand.Rand) error {
	const samples = 8
	ts := timeKinds["regular"](rng, start, samples)
	none := startKinds["none"](rng, ts)
	up := make([]float64, samples)
	for i := range up {
		up[i] = 1
	}
	all := []blockSeries{{
		lset("up", "job", "node", "instance", "this-machine"),
		floatChunks(chunkenc.EncXOR, none, ts, up, 120),
	}}
	for _, mode := range []string{"idle", "user"} {
		all = append(all, blockSeries{
			lset("node_cpu_seconds_total", "job", "node", "cpu", "0", "mode", mode),
			floatChunks(chunkenc.EncXOR, none, ts, valueKinds["counter"](rng, samples), 120),
		})
	}
	return writeBlock(dir, all, start, start+samples*scrape, 0)
}
