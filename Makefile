# Building and testing. What is built or fetched once a machine lies in $STOA_CACHE.
#
#   make demo        two Prometheus replicas, a bucket and Stoa on this machine (DURATION=120 ends by itself)
#   make test        every test; needs Go 1.26, Python 3 with venv, Node and npm
#   make test-fast   unit tests and house rules: Rust only, quick
#   make fuzz        generated queries, answered as by Prometheus' engine (QUERIES=100000 SEED=1)
#   make bench       Stoa beside a real Prometheus 3.16 and beside Thanos, as tables (builds a release)
#   make proto       makes the code of the wire messages from flight/proto/schema
#   make fmt         formats Rust and Go
#   make lint        clippy and go vet

SHELL := bash
.DEFAULT_GOAL := help

export STOA_CACHE ?= $(HOME)/.cache/stoa
export CARGO_TARGET_DIR ?= $(STOA_CACHE)/target
export CARGO_TERM_COLOR ?= auto
# Of make fuzz: how many queries, and the seed of queries and data. A seed repeats its run.
QUERIES ?= 100000
SEED ?= 1
# Of make demo: seconds from readiness to the end, and where Stoa answers.
export DURATION PORT

GO_SOURCES := $(wildcard tests/peers/*/main.go benches/peers/programs/*/main.go)

.PHONY: help demo test test-fast fuzz bench proto fmt lint

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

demo:
	@deploy/demo/run.sh

test:
	cargo test --workspace --locked --no-fail-fast

test-fast:
	cargo test --workspace --locked --lib --bins
	cargo test --workspace --locked --test integration tidy:: -- --skip go_is_formatted

fuzz:
	STOA_FUZZ_QUERIES=$(QUERIES) STOA_FUZZ_SEED=$(SEED) \
	cargo test --workspace --locked --test integration -- promql::fuzz --nocapture

bench:
	benches/peers/run
	python3 benches/peers/endpoints.py

proto:
	STOA_WRITE_GENERATED=1 cargo test --workspace --locked --test integration -- flight::generated

fmt:
	cargo fmt --all
	gofmt -w tests benches

lint:
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	for module in $(dir $(GO_SOURCES)); do (cd $$module && go vet ./...) || exit 1; done
