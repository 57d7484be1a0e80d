//! Windows to chunks of aggregates, as Thanos lays them out (`pkg/compact/downsample`): a chunk of a counter
//! begins with the first sample that was scraped and ends with the last one, at the timestamp before.

use std::ops::Range;

use bytes::Bytes;

use crate::chunk::{AggregateChunks, Encoding, XorEncoder};
use crate::compact::downsample::growth;
use crate::model::{Aggregate, Aggregates, TimeRange, Windows};
use crate::scan::Wanted;
use crate::source::EncodedChunk;

/// Most windows of a chunk (`targetChunkCount`).
const CHUNK_WINDOWS: usize = 140;

/// The columns that `aggregates` are made of.
pub(super) fn wanted(aggregates: Aggregates) -> Wanted {
    Wanted {
        count: aggregates.has(Aggregate::Count),
        sum: aggregates.has(Aggregate::Sum),
        min: aggregates.has(Aggregate::Min),
        max: aggregates.has(Aggregate::Max),
        counter: aggregates.has(Aggregate::Counter),
    }
}

/// Appends chunks of the windows `rows`, which are of one series, with these aggregates.
pub(super) fn encode(
    windows: &Windows,
    rows: Range<usize>,
    aggregates: Aggregates,
    out: &mut Vec<EncodedChunk>,
) {
    // Equal chunks, as Thanos makes them.
    let chunks = rows.len().div_ceil(CHUNK_WINDOWS);
    let mut encoder = XorEncoder::default();
    let mut numbers: Vec<f64> = Vec::new();
    for chunk in 0..chunks {
        let at = |chunk: usize| rows.start + rows.len() * chunk / chunks;
        let rows = at(chunk)..at(chunk + 1);
        let ts = &windows.ts[rows.clone()];
        let (Some(&min), Some(&max)) = (ts.first(), ts.last()) else { continue };
        let mut parts = AggregateChunks::default();
        for aggregate in aggregates.iter() {
            let values = match aggregate {
                Aggregate::Count => {
                    numbers.clear();
                    numbers.extend(windows.count[rows.clone()].iter().map(|&count| count as f64));
                    &numbers
                }
                Aggregate::Sum => &windows.sum[rows.clone()],
                Aggregate::Min => &windows.min[rows.clone()],
                Aggregate::Max => &windows.max[rows.clone()],
                Aggregate::Counter => {
                    let (ts, values) = counter(windows, rows.clone());
                    encoder.encode(&ts, &values, usize::MAX);
                    let data = Bytes::copy_from_slice(encoder.bytes());
                    parts.set(aggregate, Encoding::Xor, data);
                    continue;
                }
            };
            encoder.encode(ts, values, usize::MAX);
            parts.set(aggregate, Encoding::Xor, Bytes::copy_from_slice(encoder.bytes()));
        }
        let range = TimeRange::new(min, max);
        out.push(EncodedChunk { range, encoding: Encoding::Aggregates, bytes: parts.encode() });
    }
}

/// The samples of a counter's chunk: the first as scraped, the running total a window, the last as scraped.
fn counter(windows: &Windows, rows: Range<usize>) -> (Vec<i64>, Vec<f64>) {
    let mut ts = Vec::with_capacity(rows.len() + 2);
    let mut values = Vec::with_capacity(rows.len() + 2);
    let mut total = 0.0;
    for row in rows.clone() {
        if row == rows.start {
            total = windows.first[row];
            // A window of one sample is that sample.
            if windows.first_ts[row] < windows.ts[row] {
                ts.push(windows.first_ts[row]);
                values.push(total);
            }
        } else {
            total += growth(windows.last[row - 1], windows.first[row]);
        }
        total += windows.counter[row];
        ts.push(windows.ts[row]);
        values.push(total);
    }
    if let Some(row) = rows.last() {
        ts.push(windows.ts[row]);
        values.push(windows.last[row]);
    }
    (ts, values)
}
