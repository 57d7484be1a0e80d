//! The columnar core of Stoa: what a block is, where blocks lie, and how their samples become
//! streams of Arrow batches.
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | labels, matchers, time ranges, histograms, label tables: pure values |
//! | [`regex`] | Go's RE2 syntax, compiled for Rust |
//! | [`chunk`] | Prometheus' chunk encodings, decoded into flat columns |
//! | [`block`] | the block format: schemas, writer, reader, `meta.json`, verification |
//! | [`bucket`] | object storage by Thanos' configuration; commits |
//! | [`catalog`] | which blocks exist, and which are set aside |
//! | [`source`] | [`source::SeriesSource`], the one seam behind which all samples lie |
//! | [`scan`] | blocks to located runs: label index, pruning, exact row selection, late values |
//! | [`merge`] | the runs of many files as one stream in roster order |
//! | [`dedup`] | replica deduplication on run batches |
//! | [`compact`] | blocks rewritten, downsampled and retired |
//!
//! # Architecture invariants
//! - No server, no command line, no wire format of a protocol: this crate fails only by its inputs,
//!   its storage or its memory budget.
//! - Bytes that come from outside (blocks, YAML, patterns) never panic; they become an [`Error`]
//!   that names what and where.

pub mod block;
pub mod bucket;
pub mod catalog;
pub mod chunk;
pub mod compact;
pub mod dedup;
pub mod error;
pub mod merge;
pub mod model;
pub mod regex;
pub mod scan;
pub mod source;

pub use error::{Error, ErrorKind, Result};
