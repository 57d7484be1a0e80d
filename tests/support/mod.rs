//! What the tests share: peers built once, servers started and stopped.
//!
//! | need | call |
//! |---|---|
//! | a Go program of `tests/peers/<name>` | [`go_program`], [`go_package`] |
//! | what one says to its stdin | [`go_answer`], [`go_output`] |
//! | a Node program pinned in `tests/peers/<module>/package-lock.json` | [`node_program`] |
//! | Python with the packages of a `requirements.txt` | [`python`] |
//! | the binary under test | [`stoa`] |
//! | the shared data and queries | [`shared`], [`data_set_s`], [`data_set_edges`] |
//! | a bucket with converted blocks | [`UploadedBucket`] |
//! | a real Prometheus | [`prometheus::Prometheus`] |
//! | a server on loopback | [`Server`] |
//! | an HTTP answer | [`http::get`] |
//!
//! What is missing on the machine fails the test that needs it, and the message says what to
//! install. Nothing skips.

mod bucket;
mod cache;
mod data;
mod go_answers;
pub(crate) mod http;
mod places;
mod programs;
pub(crate) mod prometheus;
mod server;

pub(crate) use bucket::UploadedBucket;
pub(crate) use data::{DATA_START, data_set_edges, data_set_kills, data_set_s};
pub(crate) use go_answers::{go_answer, go_output};
pub(crate) use places::{repository, scratch, shared, stoa};
pub(crate) use programs::{go_package, go_program, node_program, python};
pub(crate) use server::{Server, free_address};
