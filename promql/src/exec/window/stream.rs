//! Runs in, grid batches out.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Kernel, WindowFunction};
use crate::exec::ArgumentValues;
use crate::exec::grid::GridBuilder;
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::exec::parameters;
use crate::exec::runs::RunReader;
use crate::functions::histogram::totals;
use crate::functions::{
    RangeFunction, RangeKernel, Reach, Remark, Remarks, Samples, Scalar, Windows,
};

pub(super) struct WindowStream {
    windows: Windows,
    kernel: Option<Arc<dyn RangeKernel>>,
    /// The function and its parameters, until the kernel is made of them.
    pending: Option<(RangeFunction, Vec<ArgumentValues>, Option<Reach>)>,
    sides: usize,
    reader: RunReader,
    builder: GridBuilder,
    notes: NoteTaker,
    expects_counters: bool,
    totals_only: bool,
    /// Where what is odd with the parameter goes.
    odd: NoteTaker,
    /// The parameter, if there is something odd with it at any step.
    odd_parameter: Option<(RangeFunction, Scalar)>,
    ready: VecDeque<RecordBatch>,
}

impl WindowStream {
    pub(super) fn new(operator: &WindowFunction) -> Self {
        let (kernel, pending) = match &operator.kernel {
            Kernel::Ready(kernel) => (Some(Arc::clone(kernel)), None),
            Kernel::WithArguments(function, arguments, reach) => {
                let values = arguments.iter().map(|&a| ArgumentValues::new(a, operator.grid));
                (None, Some((*function, values.collect(), *reach)))
            }
        };
        Self {
            windows: operator.windows,
            kernel,
            pending,
            sides: operator.sides,
            reader: RunReader::default(),
            builder: GridBuilder::of(operator.grid, operator.cells),
            notes: NoteTaker::new(&operator.notes),
            expects_counters: operator.expects_counters,
            totals_only: operator.totals_only,
            odd: NoteTaker::new(&operator.odd),
            odd_parameter: None,
            ready: VecDeque::new(),
        }
    }

    /// Reads runs; the kernel is made first, if its parameters have just become known.
    fn read(&mut self, batch: Option<&RecordBatch>) -> Result<()> {
        if let Some((function, arguments, reach)) = self.pending.take() {
            let scalars: Vec<Scalar> = arguments.iter().map(ArgumentValues::scalar).collect();
            self.odd_parameter = match (function, scalars.as_slice()) {
                (RangeFunction::Quantile | RangeFunction::Integral, [parameter]) => {
                    let mut steps = (0..self.windows.len()).map(|k| parameter.at(k));
                    let odd = steps.any(|value| parameters::is_odd(function, value));
                    odd.then(|| (function, parameter.clone()))
                }
                _ => None,
            };
            self.kernel = Some(match reach {
                Some(reach) => function.reaching(reach)?.into(),
                None => function.kernel(&scalars)?.into(),
            });
        }
        let (expects_counters, totals_only) = (self.expects_counters, self.totals_only);
        let (odd, odd_parameter) = (&self.odd, self.odd_parameter.as_ref());
        let Self { windows, kernel: Some(kernel), reader, builder, notes, ready, .. } = self else {
            return Ok(());
        };
        let each = |series: u32, samples: &Samples<'_>| {
            let mut slots = builder.all_slots();
            let mut remarks = Remarks::default();
            let totals = if totals_only { totals(samples.histograms) } else { Vec::new() };
            let samples = match totals_only {
                true => Samples { histograms: &totals, ..*samples },
                false => *samples,
            };
            kernel.row(&samples, windows, &mut slots, &mut remarks);
            if expects_counters && slots.valid.contains(&true) {
                remarks.add(Remark::PossibleNonCounter);
            }
            if let Some((function, parameter)) = odd_parameter {
                let valid = slots.valid.iter().enumerate().filter(|(_, valid)| **valid);
                valid.for_each(|(k, _)| parameters::check(*function, parameter.at(k), odd));
            }
            notes.add(series, remarks);
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
        if let Some((_, arguments, _)) = &mut self.pending {
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
