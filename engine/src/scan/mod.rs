//! Blocks to run batches: label index, pruning, exact row selection, late values.
//!
//! ```text
//! ValuesExec    decodes values for the rows that are left, one run batch row a series
//!   DedupExec   picks among replicas, by timestamps
//!     MergeExec makes overlapping blocks of one replica one sequence
//!       ScanExec  decodes timestamps of the rows that the label index names
//! ```
//!
//! Between the operators flow **located runs** ([`located`]): stretches of consecutive rows of one
//! file that belong to one series, with their timestamps. Where a sample lies stays known to the
//! end, so values are read once, and only for what dedup took. Where native histograms are asked for
//! too, runs of `histograms.parquet` flow beside those of `samples.parquet`, and only `ValuesExec` looks
//! at which file a run lies in ([`files`], [`histograms`]).
//!
//! A scan never searches in samples. The label index of a block gives the rows of each series; the
//! page index gives the pages; these are fetched in waves under a byte budget ([`wave`]), checked
//! against their CRCs, unpacked when their turn comes ([`fast`]) and dropped after their last use
//! ([`decode`]). Pages of values that somebody looked into for stale markers are not unpacked again
//! for their values ([`shelf`]).
//!
//! Where dedup follows one replica ([`ScanPlan::follows`]), `ScanExec` reads each series' first replica
//! only; `DedupExec` reads of the others what the holes of the first need.

mod cache;
pub(crate) mod decode;
mod exec;
mod fast;
mod files;
pub(crate) mod frame;
pub(crate) mod group;
mod histograms;
pub(crate) mod located;
mod pages;
mod picked;
mod plan;
mod roster;
pub(crate) mod runs;
mod select;
mod shelf;
mod values;
mod wave;
mod windows;

pub use cache::{BlockCache, OpenBlock};
pub use exec::ScanExec;
pub use values::ValuesExec;
pub(crate) use values::{Settling, left_out};
pub(crate) use wave::Stretch;
pub(crate) use windows::{Wanted, read_windows};

pub(crate) use picked::{PickedRun, PickedRuns};
pub(crate) use plan::{ScanPlan, ScanSettings, cut};
pub(crate) use roster::{resolve, resolve_own};
pub(crate) use select::{Selection, select};
