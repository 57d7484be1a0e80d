#!/usr/bin/env python3
"""Captures real exporters: a Prometheus and a node exporter on this machine, scraped each second.

    capture.py MINUTES

leaves the block in the cache, for `bench.py` to convert. Ports are free ones on loopback.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import prepare
import process

FOLDER = prepare.BENCH / "capture"


def node_exporter():
    """The node exporter of Debian: on PATH, or unpacked from its package without installing it."""
    found = shutil.which("prometheus-node-exporter")
    if found:
        return found
    unpacked = prepare.BENCH / "debian"
    program = unpacked / "usr/bin/prometheus-node-exporter"
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            prepare.run("apt-get", "download", "-q", "prometheus-node-exporter", cwd=folder)
            for package in Path(folder).glob("*.deb"):
                prepare.run("dpkg-deb", "--extract", package, unpacked)
    return program


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    prometheus, exporter = prepare.prometheus(), node_exporter()
    node_port, port = process.free_port(), process.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {
                        "scrape_interval": "1s",
                        "scrape_timeout": "1s",
                        "external_labels": {"cluster": "capture", "replica": "a"},
                    },
                    "scrape_configs": [
                        {"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{node_port}"]}]},
                        {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
                    ],
                }
            )
        )
        node = subprocess.Popen(
            [exporter, f"--web.listen-address=127.0.0.1:{node_port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            arguments = [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-admin-api",
                "--log.level=warn",
            ]
            server = process.Server("prometheus", arguments, port, f"{folder}/log")
            try:
                until = time.monotonic() + minutes * 60
                while (left := until - time.monotonic()) > 0:
                    print(f"\rcapturing, {left / 60:.1f} minutes left ", end="", file=sys.stderr, flush=True)
                    time.sleep(min(left, 15))
                print(file=sys.stderr)
                url = f"http://127.0.0.1:{port}/api/v1/admin/tsdb/snapshot"
                with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=120) as answer:
                    name = json.load(answer)["data"]["name"]
                shutil.rmtree(FOLDER, ignore_errors=True)
                shutil.move(f"{folder}/data/snapshots/{name}", FOLDER)
            finally:
                server.stop()
        finally:
            node.terminate()
            node.wait()
    samples = sum(meta["stats"]["numSamples"] for _, meta in prepare.blocks(FOLDER))
    print(f"{FOLDER}: {samples} samples")


if __name__ == "__main__":
    main()
