//! Puts the runs of one series together, over the edges of batches.

use std::ops::Range;

use arrow::record_batch::RecordBatch;

use super::located::Located;
use crate::Result;

/// All runs of one series.
#[derive(Debug)]
pub(crate) struct Group {
    /// Which series.
    pub(crate) series: u32,
    parts: Vec<(RecordBatch, Range<usize>)>,
    samples: usize,
}

impl Group {
    /// The batches that the runs lie in.
    pub(crate) fn batches(&self) -> Result<Vec<Located<'_>>> {
        self.parts.iter().map(|(batch, _)| Located::of(batch)).collect()
    }

    /// The runs: which of the batches, and which row of it.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.parts
            .iter()
            .enumerate()
            .flat_map(|(part, (_, rows))| rows.clone().map(move |row| (part, row)))
    }

    /// How many samples the runs have.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }
}

/// Cuts batches at the edges of series. The last series of a batch waits for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Grouper {
    waiting: Option<Group>,
}

impl Grouper {
    /// The series that are complete now.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Vec<Group>> {
        let located = Located::of(&batch)?;
        let mut complete = Vec::new();
        let mut start = 0;
        for runs in located.series.chunk_by(|a, b| a == b) {
            let rows = start..start + runs.len();
            let samples = (located.offsets[rows.end] - located.offsets[rows.start]) as usize;
            let part = (batch.clone(), rows.clone());
            match &mut self.waiting {
                Some(group) if group.series == runs[0] => {
                    group.parts.push(part);
                    group.samples += samples;
                }
                _ => {
                    let group = Group { series: runs[0], parts: vec![part], samples };
                    complete.extend(self.waiting.replace(group));
                }
            }
            start = rows.end;
        }
        Ok(complete)
    }

    /// The series that waited.
    pub(crate) fn end(&mut self) -> Option<Group> {
        self.waiting.take()
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        let parts = self.waiting.iter().flat_map(|group| &group.parts);
        parts.map(|(batch, _)| batch.get_array_memory_size()).sum()
    }
}
