//! Runs in, grid batches out.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Kernel, WindowFunction};
use crate::exec::ArgumentValues;
use crate::exec::grid::GridBuilder;
use crate::exec::operator::Transform;
use crate::exec::runs::RunReader;
use crate::functions::{RangeFunction, RangeKernel, Scalar, Windows};

pub(super) struct WindowStream {
    windows: Windows,
    kernel: Option<Arc<dyn RangeKernel>>,
    /// The function and its parameters, until the kernel is made of them.
    pending: Option<(RangeFunction, Vec<ArgumentValues>)>,
    sides: usize,
    reader: RunReader,
    builder: GridBuilder,
    ready: VecDeque<RecordBatch>,
}

impl WindowStream {
    pub(super) fn new(operator: &WindowFunction) -> Self {
        let (kernel, pending) = match &operator.kernel {
            Kernel::Ready(kernel) => (Some(Arc::clone(kernel)), None),
            Kernel::WithArguments(function, arguments) => {
                let values = arguments.iter().map(|&a| ArgumentValues::new(a, operator.grid));
                (None, Some((*function, values.collect())))
            }
        };
        Self {
            windows: operator.windows,
            kernel,
            pending,
            sides: operator.sides,
            reader: RunReader::default(),
            builder: GridBuilder::new(operator.grid),
            ready: VecDeque::new(),
        }
    }

    /// Reads runs; the kernel is made first, if its parameters have just become known.
    fn read(&mut self, batch: Option<&RecordBatch>) -> Result<()> {
        if let Some((function, arguments)) = self.pending.take() {
            let scalars: Vec<Scalar> = arguments.iter().map(ArgumentValues::scalar).collect();
            self.kernel = Some(function.kernel(&scalars)?.into());
        }
        let Self { windows, kernel: Some(kernel), reader, builder, ready, .. } = self else {
            return Ok(());
        };
        let each = |series: u32, ts: &[i64], values: Option<&[f64]>| {
            let (out, valid) = builder.slots();
            kernel.row(ts, values.unwrap_or_default(), windows, out, valid);
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

impl Transform for WindowStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input == self.sides {
            return self.read(Some(&batch));
        }
        if let Some((_, arguments)) = &mut self.pending {
            for argument in arguments {
                argument.push(input, &batch)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == self.sides {
            self.read(None)?;
            self.ready.extend(self.builder.take()?);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.pop_front())
    }

    fn held(&self) -> usize {
        self.reader.held() + self.builder.held()
    }
}
