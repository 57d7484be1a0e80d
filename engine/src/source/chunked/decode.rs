//! The chunks of one series to two columns: sorted, cut to the range, each timestamp once.

use super::ChunkedSeries;
use crate::Result;
use crate::chunk::Floats;
use crate::model::TimeRange;

/// Decodes series after series; buffers keep their capacity.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    floats: Floats,
    order: Vec<u32>,
}

impl Decoder {
    /// Appends the float samples of `series` inside `range` to `ts` and `values`; returns how many.
    pub(super) fn read(
        &mut self,
        series: &ChunkedSeries,
        range: TimeRange,
        ts: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<usize> {
        let start = ts.len();
        let mut sorted = true;
        for chunk in series.chunks.iter().filter(|chunk| chunk.encoding.is_float()) {
            self.floats.clear();
            self.floats
                .decode(chunk.encoding, &chunk.bytes)
                .map_err(|e| e.context(format!("a chunk of {}", series.labels)))?;
            let from = self.floats.ts().partition_point(|&t| t < range.min);
            let to = self.floats.ts().partition_point(|&t| t <= range.max);
            let Some(inside) = self.floats.ts().get(from..to).filter(|inside| !inside.is_empty())
            else {
                continue;
            };
            sorted &= ts[start..].last().is_none_or(|last| *last < inside[0]);
            ts.extend_from_slice(inside);
            values.extend_from_slice(&self.floats.values()[from..to]);
        }
        if !sorted {
            self.join(start, ts, values);
        }
        Ok(ts.len() - start)
    }

    /// Chunks overlapped: sorts the samples from `start` on; of equal timestamps the first stays.
    fn join(&mut self, start: usize, ts: &mut Vec<i64>, values: &mut Vec<f64>) {
        let (own_ts, own_values) = (ts.split_off(start), values.split_off(start));
        self.order.clear();
        self.order.extend(0..own_ts.len() as u32);
        self.order.sort_by_key(|&at| own_ts[at as usize]);
        self.order.dedup_by_key(|at| own_ts[*at as usize]);
        ts.extend(self.order.iter().map(|&at| own_ts[at as usize]));
        values.extend(self.order.iter().map(|&at| own_values[at as usize]));
    }
}
