//! `topk` and `bottomk`: a heap a group and step.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Groups, Ordered};
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::exec::{Argument, ArgumentValues};
use crate::functions::Remark;
use crate::functions::order::{Pick, TopK, kept};

pub(super) struct TopKStream {
    grid: Grid,
    bottom: bool,
    groups: Arc<Groups>,
    notes: NoteTaker,
    sides: usize,
    argument: ArgumentValues,
    /// How many series each step keeps, once the argument is known.
    kept: Option<Arc<[usize]>>,
    heaps: Vec<Option<TopK>>,
    /// The groups that have rows, in order of first sight: so they are answered.
    seen: Vec<u32>,
    held: usize,
    /// What is kept, once the input has ended: all steps of a series side by side.
    picks: VecDeque<Pick>,
    builder: GridBuilder,
}

impl TopKStream {
    pub(super) fn new(operator: &Ordered, bottom: bool, k: Argument) -> Self {
        let grid = operator.grid;
        Self {
            grid,
            bottom,
            groups: Arc::clone(&operator.groups),
            notes: NoteTaker::new(&operator.groups.notes),
            sides: operator.sides,
            argument: ArgumentValues::new(k, grid),
            kept: None,
            heaps: (0..operator.groups.count).map(|_| None).collect(),
            seen: Vec::new(),
            held: 0,
            picks: VecDeque::new(),
            builder: GridBuilder::new(grid),
        }
    }

    fn kept(&mut self) -> Result<Arc<[usize]>> {
        if let Some(kept) = &self.kept {
            return Ok(Arc::clone(kept));
        }
        let most = self.groups.group_of.len();
        let new: Arc<[usize]> = kept(&self.argument.scalar(), self.grid.steps, most)?.into();
        Ok(Arc::clone(self.kept.insert(new)))
    }
}

impl Transform for TopKStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        let kept = self.kept()?;
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            let ignores = |step: usize| kept[step] > 0 && row.histogram(step).is_some();
            if row.has_histograms() && (0..self.grid.steps).any(ignores) {
                self.notes.add(series, Remark::IgnoredInAggregation.into());
            }
            let group = self.groups.group_of[series as usize];
            let heap = self.heaps[group as usize].get_or_insert_with(|| {
                self.seen.push(group);
                TopK::new(self.bottom, Arc::clone(&kept))
            });
            let before = heap.bytes();
            heap.add(series, row.values, row.valid);
            self.held += heap.bytes() - before;
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input < self.sides {
            return Ok(());
        }
        // Also without any series a wrong parameter is an error.
        self.kept()?;
        let mut heaps = std::mem::take(&mut self.heaps);
        let seen = std::mem::take(&mut self.seen);
        let seen = seen.into_iter().filter_map(|group| heaps[group as usize].take());
        let mut picks: Vec<Pick> = seen.flat_map(TopK::finish).collect();
        if self.grid.steps > 1 {
            picks.sort_unstable_by_key(|pick| (pick.series, pick.step));
        }
        self.held = picks.capacity() * size_of::<Pick>();
        self.picks = picks.into();
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(&Pick { series, .. }) = self.picks.front() {
            if self.builder.is_full() {
                break;
            }
            let (out, valid) = self.builder.slots();
            while let Some(pick) = self.picks.pop_front_if(|pick| pick.series == series) {
                out[pick.step] = pick.value;
                valid[pick.step] = true;
            }
            self.builder.commit(series);
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
