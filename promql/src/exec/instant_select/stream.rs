//! Runs in, grid batches out.

use std::collections::VecDeque;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::algo::{self, Ends};
use super::{Emit, InstantSelect};
use crate::exec::grid::GridBuilder;
use crate::exec::operator::Transform;
use crate::exec::runs::RunReader;

pub(super) struct InstantSelectStream {
    ends: Ends,
    emit: Emit,
    reader: RunReader,
    builder: GridBuilder,
    ready: VecDeque<RecordBatch>,
}

impl InstantSelectStream {
    pub(super) fn new(operator: &InstantSelect) -> Self {
        let InstantSelect { grid, start, step, lookback, emit } = *operator;
        Self {
            ends: Ends { start, step, lookback },
            emit,
            reader: RunReader::default(),
            builder: GridBuilder::new(grid),
            ready: VecDeque::new(),
        }
    }

    /// Splits self, so that the reader can call back into the rest.
    fn read(&mut self, batch: Option<&RecordBatch>) -> Result<()> {
        let Self { ends, emit, reader, builder, ready } = self;
        let each = |series: u32, ts: &[i64], from: Option<&[f64]>| {
            let (out, valid) = builder.slots();
            match (*emit, from) {
                (Emit::Timestamp, from) => algo::timestamps(ts, from, *ends, out, valid),
                (Emit::Value, Some(from)) => algo::values(ts, from, *ends, out, valid),
                // Only counted or grouped above: any value serves.
                (Emit::Value, None) => algo::timestamps(ts, None, *ends, out, valid),
            }
            builder.commit(series);
            if builder.is_full() {
                ready.extend(builder.take()?);
            }
            Ok(())
        };
        match batch {
            Some(batch) => reader.push(batch, each),
            None => reader.finish(each),
        }
    }
}

impl Transform for InstantSelectStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        self.read(Some(&batch))
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        self.read(None)?;
        self.ready.extend(self.builder.take()?);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.pop_front())
    }

    fn held(&self) -> usize {
        self.reader.held() + self.builder.held()
    }
}
