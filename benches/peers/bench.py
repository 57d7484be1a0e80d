#!/usr/bin/env python3
"""Stoa beside a real Prometheus 3.16 on this machine, as Markdown.

    bench.py [--sets S,M,L,N] [--only d01,d02] [--capture-minutes 15] [--keep-build]

For each set of ../shared/bench, and N, one of native histograms: the blocks are uploaded to a FILESYSTEM bucket (conversion is
measured), then every query is asked of Prometheus (one replica's blocks, as it has no dedup), of
Stoa over the same replica, and of Stoa over both replicas, deduplicated. Answers are compared
first. Then the servers are asked one request each in turn; every repetition begins and ends one
step earlier. CPU is user and system time of the server process over all repetitions, memory its
peak over the set's queries, caches included. No server keeps answers.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys

import prepare
import process
import queries
import table


def objstore(folder):
    return f"--objstore.config=type: FILESYSTEM\nconfig: {{directory: {folder}}}"


def convert(stoa, blocks, bucket):
    """Uploads a folder of blocks: what it took, and what lies in the bucket."""
    shutil.rmtree(bucket, ignore_errors=True)
    bucket.mkdir(parents=True)
    wall, cpu, rss = process.measured(
        [stoa, "tools", "bucket", "upload-blocks", "--path", blocks, objstore(bucket)]
    )
    metas = [meta for _, meta in prepare.blocks(blocks)]
    return {
        "samples": sum(meta["stats"]["numSamples"] for meta in metas),
        "series": max(meta["stats"]["numSeries"] for meta in metas),
        "blocks": len(metas),
        "wall_s": wall,
        "cpu_s": cpu,
        "rss_mib": rss,
        "tsdb": prepare.size(blocks),
        "bucket": prepare.size(bucket),
    }


def start_prometheus(program, blocks, logs):
    port = process.free_port()
    config = logs / "prometheus.yml"
    config.write_text("global: {}\n")
    arguments = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={blocks}",
        "--storage.tsdb.retention.time=100y",
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    return process.Server("Prometheus", arguments, port, logs / "prometheus.log")


def start_stoa(program, bucket, name, logs):
    port, grpc = process.free_port(), process.free_port()
    arguments = [
        program,
        "query",
        objstore(bucket),
        f"--http-address=127.0.0.1:{port}",
        f"--grpc-address=127.0.0.1:{grpc}",
        "--query.replica-label=replica",
        "--log.level=warn",
    ]
    return process.Server(name, arguments, port, logs / f"{name.replace(' ', '-')}.log")


def measure_set(name, stoa, prometheus, only):
    """The figures of a set: conversions, a row a query, memory."""
    blocks, logs = prepare.data_set(name), prepare.BENCH / "logs" / name
    logs.mkdir(parents=True, exist_ok=True)
    both = prepare.BENCH / f"{name}.bucket"
    one_blocks = prepare.only_replica(blocks, "a", prepare.BENCH / f"{name}-a")
    one = prepare.BENCH / f"{name}-a.bucket"
    figures = {
        "set": name,
        "conversion": convert(stoa, blocks, both),
        "conversion_of_one": convert(stoa, one_blocks, one),
    }
    replicas = {meta["thanos"]["labels"]["replica"] for _, meta in prepare.blocks(blocks)}
    servers = []
    try:
        servers.append(start_prometheus(prometheus, one_blocks, logs))
        servers.append(start_stoa(stoa, one, "Stoa", logs))
        if len(replicas) > 1:
            servers.append(start_stoa(stoa, both, "Stoa 2 replicas", logs))
        figures["queries"] = []
        for row in queries.measure(servers, "Prometheus", "Stoa", name, only):
            figures["queries"].append(row)
            print(f"{name} {table.line(row)}", file=sys.stderr, flush=True)
        figures["servers"] = {
            s.name: {
                "ready_ms": s.ready_ms,
                "rss_at_start_mib": s.rss_at_start,
                "peak_rss_mib": s.memory("VmHWM"),
            }
            for s in servers
        }
    finally:
        for server in servers:
            server.stop()
    return figures


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine()
    )
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} cores of {model}, {memory / 2**20:.0f} GiB, {platform.system()} {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="S,M,L,N")
    parser.add_argument("--only", default="", help="ids of queries that start with one of these, separated by commas")
    parser.add_argument("--capture-minutes", type=float, default=15, help="how long real exporters are captured, once")
    parser.add_argument("--keep-build", help="take this binary instead of building one")
    arguments = parser.parse_args()
    only = [o for o in arguments.only.split(",") if o]

    prometheus = prepare.prometheus()
    stoa = arguments.keep_build or prepare.stoa()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=prepare.REPOSITORY, capture_output=True, text=True
    ).stdout.strip()
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "commit": commit,
        "sets": [],
    }
    capture = prepare.BENCH / "capture"
    if arguments.capture_minutes > 0 and not capture.exists():
        prepare.run(sys.executable, prepare.HERE / "capture.py", arguments.capture_minutes)
    if capture.exists():
        report["capture"] = convert_capture(stoa, capture)
    for name in arguments.sets.split(","):
        report["sets"].append(measure_set(name, stoa, prometheus, only))
        report["load"] = os.getloadavg()[0]
    text = table.markdown(report)
    results = prepare.BENCH / "results"
    results.mkdir(exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y-%m-%dT%H%M")
    (results / f"{stamp}.json").write_text(json.dumps(report, indent=1))
    (results / f"{stamp}.md").write_text(text)
    print(text)


def convert_capture(stoa, capture):
    """A snapshot's meta.json has no external labels: flags give them."""
    bucket = prepare.BENCH / "capture.bucket"
    shutil.rmtree(bucket, ignore_errors=True)
    bucket.mkdir(parents=True)
    labels = ["--label", 'cluster="capture"', "--label", 'replica="a"']
    process.measured([stoa, "tools", "bucket", "upload-blocks", "--path", capture, *labels, objstore(bucket)])
    metas = [meta for _, meta in prepare.blocks(capture)]
    return {
        "samples": sum(meta["stats"]["numSamples"] for meta in metas),
        "series": max(meta["stats"]["numSeries"] for meta in metas),
        "tsdb": prepare.size(capture),
        "bucket": prepare.size(bucket),
    }


if __name__ == "__main__":
    main()
