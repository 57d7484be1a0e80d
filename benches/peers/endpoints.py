#!/usr/bin/env python3
"""Stoa's store, sidecar and querier over a store beside Thanos' on this machine, as Markdown.

    endpoints.py [--set L] [--only d01,d02] [--blocks 10000] [--keep-build STOA]

- How long `stoa store` takes until it is ready, over the set's blocks and over many: copies of the
  block of set S, as hard links.
- What a sidecar takes to ship the block of set M, 50,000 series for two hours, beside the Prometheus
  that has it.
- How fast a Thanos client gets all series of a metric from `stoa store` and from Thanos' store.
- The queries of ../shared/bench over both replicas: `stoa query` over `stoa store`, `thanos query`
  over `thanos store`, each as it comes: Thanos makes replicas one by `penalty`, Stoa by `coverage`.
  The last column is Stoa by `penalty`, whose answers are compared with Thanos'. CPU is that of both
  processes together.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import bench
import prepare
import process
import queries
import table

# What the throughput of Series is measured on.
METRICS = "http_requests_total|container_cpu_usage_seconds_total"
SERIES_CALLS = 5
# A ULID whose last characters are a number, in Crockford's base 32.
ULID = "01K6H0000000000000000{:05}"
# Stoa with Thanos' rule of deduplication.
PENALTY = "Stoa by penalty"


def objstore(folder):
    return f"--objstore.config=type: FILESYSTEM\nconfig: {{directory: {folder}}}"


def thanos():
    # Its wire code looks into label sets as slices.
    package = "github.com/thanos-io/thanos/cmd/thanos"
    return prepare.go_build(prepare.HERE / "thanos", package, "thanos", tags="slicelabels")


def thanos_client():
    module = prepare.REPOSITORY / "tests/peers/thanos"
    return prepare.go_build(module, "./storeapi", "storeapi", tags="slicelabels")


class Role(process.Server):
    """A process of Stoa or Thanos, which has a gRPC port besides."""

    def __init__(self, name, program, role, flags, logs):
        http, self.grpc = process.free_port(), process.free_port()
        addresses = [f"--http-address=127.0.0.1:{http}", f"--grpc-address=127.0.0.1:{self.grpc}"]
        log = logs / f"{name}-{role}.log"
        super().__init__(f"{name} {role}", [program, role, *addresses, "--log.level=warn", *flags], http, log)


class Pair:
    """A querier over a store, measured as one server."""

    def __init__(self, name, program, bucket, logs, store_flags=(), query_flags=()):
        self.name = name
        self.store = Role(name, program, "store", [objstore(bucket), *store_flags], logs)
        flags = [f"--endpoint=127.0.0.1:{self.store.grpc}", "--query.replica-label=replica", *query_flags]
        self.query = Role(name, program, "query", flags, logs)
        self.port = self.query.port

    def cpu_seconds(self):
        return self.store.cpu_seconds() + self.query.cpu_seconds()

    def memory(self, key):
        return self.store.memory(key) + self.query.memory(key)

    def stop(self):
        self.query.stop()
        self.store.stop()


def many(bucket, count, copy):
    """A bucket with `count` copies of the only block of another."""
    [block] = (bucket / "stoa/v1/blocks").iterdir()
    meta = json.loads((block / "meta.json").read_text())
    if copy.exists():
        return copy
    half = copy.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    for at in range(count):
        meta["ulid"] = ULID.format(at)
        to = half / "stoa/v1/blocks" / meta["ulid"]
        to.mkdir(parents=True)
        for file in block.iterdir():
            if file.name == "meta.json":
                (to / file.name).write_text(json.dumps(meta))
            else:
                os.link(file, to / file.name)
    half.rename(copy)
    return copy


def readiness(stoa, buckets, logs):
    yield "| store over | ready after ms | RSS MiB |"
    yield "|---|--:|--:|"
    for title, bucket in buckets:
        store = Role("Stoa", stoa, "store", [objstore(bucket)], logs)
        yield f"| {title} | {store.ready_ms:,.0f} | {store.rss_at_start:.0f} |"
        store.stop()


def sidecar(stoa, prometheus, logs):
    """What a sidecar takes from its start until the block is in the record of shipped ones."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = prepare.only_replica(prepare.data_set("M"), "a", folder / "data")
        # Prometheus may write into its folder, so what it may write into is a copy.
        config = folder / "prometheus.yml"
        config.write_text("global: {external_labels: {cluster: bench, replica: a}}\n")
        port = process.free_port()
        arguments = [
            prometheus,
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            "--storage.tsdb.min-block-duration=2h",
            "--storage.tsdb.max-block-duration=2h",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        (folder / "bucket").mkdir()
        peer = process.Server("Prometheus", arguments, port, logs / "prometheus.log")
        flags = [f"--prometheus.url=http://127.0.0.1:{port}", f"--tsdb.path={data}", objstore(folder / "bucket")]
        shipper = Role("Stoa", stoa, "sidecar", flags, logs)
        began = time.monotonic()
        while not (data / "thanos.shipper.json").exists():
            if time.monotonic() - began > 300:
                raise SystemExit("the sidecar does not ship")
            time.sleep(0.05)
        [(_, meta)] = prepare.blocks(data)
        samples, wall, cpu = meta["stats"]["numSamples"], time.monotonic() - began, shipper.cpu_seconds()
        rss = shipper.memory("VmHWM")
        shipper.stop()
        peer.stop()
    yield "| sidecar ships | samples | wall s | CPU s | M samples a CPU-second | peak RSS MiB |"
    yield "|---|--:|--:|--:|--:|--:|"
    yield f"| M, one replica | {samples:,} | {wall:.1f} | {cpu:.1f} | {samples / cpu / 1e6:.1f} | {rss:.0f} |"


def throughput(stores, client):
    yield "| store | series | chunks | MB of chunks | wall s | MB/s | server CPU s |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for store in stores:
        before = store.cpu_seconds()
        arguments = ["series", "-metric", METRICS, "-calls", str(SERIES_CALLS), "-endpoint", f"127.0.0.1:{store.grpc}"]
        said = subprocess.run([str(client), *arguments], check=True, capture_output=True, text=True)
        got, cpu = json.loads(said.stdout), store.cpu_seconds() - before
        megabytes, calls = got["bytes"] / 1e6, got["calls"]
        yield (
            f"| {store.name} | {got['series'] // calls:,} | {got['chunks'] // calls:,} | {megabytes / calls:.1f} "
            f"| {got['seconds'] / calls:.2f} | {megabytes / got['seconds']:.0f} | {cpu / calls:.2f} |"
        )


def asked(pairs, set_name, only):
    yield "| query | answers | Thanos, CPU ms | Stoa, CPU ms | Stoa / Thanos | Thanos, ms | Stoa, ms | by penalty / Thanos |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    ratios = []
    for row in queries.measure(pairs, "Thanos", PENALTY, set_name, only):
        if "failed" in row:
            yield f"| {row['query']} | failed: {row['failed'][:80]} | | | | | | |"
            continue
        theirs, ours, penalty = (row["servers"][name] for name in ("Thanos", "Stoa", PENALTY))
        ratios.append(ours["cpu_ms"] / theirs["cpu_ms"])
        # Thanos takes counter resets out of deduplicated counters, Stoa does not.
        note = f" ({row['differs']})" if row["differs"] else ""
        yield (
            f"| {row['query']}{note} | {row['points']:,} | {table.number(theirs['cpu_ms'])} | {table.number(ours['cpu_ms'])} "
            f"| {table.ratio(ours['cpu_ms'], theirs['cpu_ms'])} | {table.number(theirs['median_ms'])} | {table.number(ours['median_ms'])} "
            f"| {table.ratio(penalty['cpu_ms'], theirs['cpu_ms'])} |"
        )
    if ratios:
        yield f"| median | | | | {statistics.median(ratios):.2f} | | | |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="L")
    parser.add_argument("--only", default="", help="ids of queries that start with one of these, separated by commas")
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--keep-build", help="take this binary instead of building one")
    arguments = parser.parse_args()
    stoa, prometheus = arguments.keep_build or prepare.stoa(), prepare.prometheus()
    logs = prepare.BENCH / "logs/endpoints"
    logs.mkdir(parents=True, exist_ok=True)
    blocks = prepare.data_set(arguments.set)
    bucket, small = prepare.BENCH / f"{arguments.set}.bucket", prepare.BENCH / "S.bucket"
    bench.convert(stoa, blocks, bucket)
    bench.convert(stoa, prepare.data_set("S"), small)
    copies = many(small, arguments.blocks, prepare.BENCH / f"S-{arguments.blocks}.bucket")
    count = len(prepare.blocks(blocks))
    parts = [readiness(stoa, [(f"{count} blocks", bucket), (f"{arguments.blocks:,} blocks", copies)], logs)]
    parts.append(sidecar(stoa, prometheus, logs))
    pairs = []
    try:
        with tempfile.TemporaryDirectory() as scratch:
            pairs.append(Pair("Thanos", thanos(), blocks, logs, [f"--data-dir={scratch}"]))
            pairs.append(Pair("Stoa", stoa, bucket, logs))
            pairs.append(Pair(PENALTY, stoa, bucket, logs, query_flags=["--deduplication.func=penalty"]))
            stores = [pair.store for pair in pairs[:2]]
            # The first call of all reads what every later one finds in memory.
            list(throughput(stores, thanos_client()))
            parts.append(throughput(stores, thanos_client()))
            parts.append(asked(pairs, arguments.set, [o for o in arguments.only.split(",") if o]))
            for part in parts:
                for line in part:
                    print(line, flush=True)
                print()
            for pair in pairs:
                print(f"{pair.name}: peak RSS {pair.memory('VmHWM'):.0f} MiB, store and querier together")
    finally:
        for pair in pairs:
            pair.stop()


if __name__ == "__main__":
    main()
