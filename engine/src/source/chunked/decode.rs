//! The chunks of one series to columns: sorted, cut to the range, each timestamp once.

use super::ChunkedSeries;
use crate::Result;
use crate::chunk::{Floats, Histograms};
use crate::model::TimeRange;
use crate::source::RunBuilder;

/// Decodes series after series; buffers keep their capacity.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    floats: Floats,
    histograms: Histograms,
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

    /// Adds the samples of `series`, which is number `id`, inside `range` to `runs`, floats and
    /// histograms: of equal timestamps the first that the chunks have.
    pub(super) fn read_all(
        &mut self,
        id: u32,
        series: &ChunkedSeries,
        range: TimeRange,
        runs: &mut RunBuilder,
    ) -> Result<()> {
        self.floats.clear();
        self.histograms.clear();
        // Where each sample lies: its time, whether it is a histogram, and its place among its kind.
        let mut places: Vec<(i64, bool, u32)> = Vec::new();
        for chunk in &series.chunks {
            let is_histogram = !chunk.encoding.is_float();
            let (floats, histograms) = (self.floats.len(), self.histograms.len());
            let decoded = match is_histogram {
                true => self.histograms.decode(chunk.encoding, &chunk.bytes),
                false => self.floats.decode(chunk.encoding, &chunk.bytes),
            };
            decoded.map_err(|e| e.context(format!("a chunk of {}", series.labels)))?;
            let (ts, from) = match is_histogram {
                true => (&self.histograms.ts[histograms..], histograms),
                false => (&self.floats.ts()[floats..], floats),
            };
            let places_of = ts.iter().zip(from as u32..).map(|(&t, at)| (t, is_histogram, at));
            places.extend(places_of.filter(|&(t, ..)| range.contains(t)));
        }
        places.sort_by_key(|&(t, ..)| t);
        places.dedup_by_key(|&mut (t, ..)| t);
        let (mut ts, mut values) = (Vec::new(), Vec::new());
        let mut starts = Vec::new();
        for alike in places.chunk_by(|a, b| a.1 == b.1) {
            ts.clear();
            ts.extend(alike.iter().map(|&(t, ..)| t));
            if alike[0].1 {
                let samples = &self.histograms.samples;
                let parts = alike.iter().map(|&(_, _, at)| samples[at as usize].parts());
                runs.histograms(id, &ts, parts)?;
                if let Some(all) = self.histograms.starts() {
                    starts.clear();
                    starts.extend(alike.iter().map(|&(_, _, at)| all[at as usize]));
                    runs.starts(&starts);
                }
            } else {
                values.clear();
                let at = |&(_, _, at): &(i64, bool, u32)| self.floats.values()[at as usize];
                values.extend(alike.iter().map(at));
                runs.floats(id, &ts, &values);
                if let Some(all) = self.floats.starts() {
                    starts.clear();
                    starts.extend(alike.iter().map(|&(_, _, at)| all[at as usize]));
                    runs.starts(&starts);
                }
            }
        }
        Ok(())
    }
}
