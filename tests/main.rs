//! The integration tests: Stoa against software that nobody here wrote, and against bad input.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps what should not fail tells where it failed"
)]

mod block;
mod bucket;
mod cli;
mod compact;
mod dedup;
mod downsampled;
mod fanout;
mod flight;
mod http;
mod ingest;
mod live;
mod promql;
mod regex;
mod sidecar;
mod storeapi;
mod support;
mod tidy;
