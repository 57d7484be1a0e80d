//! Native histograms, read late: the rows of `histograms.parquet` that merge and dedup left.
//!
//! A wave names rows of some files; for each file the pages of all columns that hold them are fetched
//! at once and checked against their CRCs. The Parquet crate decodes them, since lists have levels; it
//! sees a file of which nothing else is there ([`fetch`]). Out comes one array of structs a file, of
//! which runs are slices ([`decode`]).

mod decode;
mod fetch;

use std::collections::BTreeMap;
use std::ops::Range;

use super::wave::Stretch;

pub(super) use decode::DecodedHistograms;
pub(super) use fetch::{FetchedHistograms, fetch_histograms};

/// The rows that are read, file by file.
#[derive(Debug, Default)]
pub(super) struct HistogramRows(BTreeMap<u32, Vec<Range<u64>>>);

impl HistogramRows {
    /// Adds rows, in any order.
    pub(super) fn add(&mut self, stretch: Stretch) {
        let rows = stretch.start..stretch.start + u64::from(stretch.rows);
        self.0.entry(stretch.file).or_default().push(rows);
    }

    /// For each file the rows, ascending and disjoint.
    fn sorted(self) -> impl Iterator<Item = (u32, Vec<Range<u64>>)> {
        self.0.into_iter().map(|(file, mut rows)| {
            rows.sort_unstable_by_key(|range| range.start);
            let mut merged: Vec<Range<u64>> = Vec::with_capacity(rows.len());
            for next in rows {
                match merged.last_mut() {
                    Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                    _ => merged.push(next),
                }
            }
            (file, merged)
        })
    }
}
