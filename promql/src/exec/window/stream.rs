//! Runs in, grid batches out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use engine::model::is_stale;

use super::{Kernel, WindowFunction};
use crate::exec::ArgumentValues;
use crate::exec::consumed::Counter;
use crate::exec::grid::GridBuilder;
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::exec::parameters;
use crate::exec::runs::RunReader;
use crate::functions::histogram::totals;
use crate::functions::range::check_factors;
use crate::functions::{
    RangeFunction, RangeKernel, Reach, Remark, Remarks, Samples, Scalar, Windows,
};
use crate::runtime::Stop;

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
    counter: Option<Counter>,
    /// Where what is odd with the parameter goes.
    odd: NoteTaker,
    /// The parameter, if there is something odd with it at any step.
    odd_parameter: Option<(RangeFunction, Scalar)>,
    /// The factors of smoothing, if any step has some that are refused.
    refused_factors: Option<[Scalar; 2]>,
    ready: VecDeque<RecordBatch>,
    stop: Stop,
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
            counter: operator.counter(),
            odd: NoteTaker::new(&operator.odd),
            odd_parameter: None,
            refused_factors: None,
            ready: VecDeque::new(),
            stop: Stop::default(),
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
            self.refused_factors = match (function, scalars.as_slice()) {
                (RangeFunction::DoubleExponentialSmoothing, [factor, trend]) => {
                    let mut steps = (0..self.windows.len()).map(|k| (factor.at(k), trend.at(k)));
                    let refused =
                        steps.any(|(factor, trend)| check_factors(factor, trend).is_err());
                    refused.then(|| [factor.clone(), trend.clone()])
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
        let refused_factors = self.refused_factors.as_ref();
        let Self {
            windows,
            kernel: Some(kernel),
            reader,
            builder,
            notes,
            counter,
            ready,
            stop,
            ..
        } = self
        else {
            return Ok(());
        };
        let each = |series: u32, samples: &Samples<'_>| {
            let mut slots = builder.all_slots();
            let mut remarks = Remarks::default();
            let totals = if totals_only { totals(samples, windows) } else { Vec::new() };
            let samples = match totals_only {
                true => Samples { histograms: &totals, ..*samples },
                false => *samples,
            };
            if let Some([factor, trend]) = refused_factors {
                let mut with_samples =
                    (0..windows.len()).filter(|&k| has_samples(&samples, windows, k));
                with_samples.try_for_each(|k| check_factors(factor.at(k), trend.at(k)))?;
            }
            for part in parts(&samples, windows.len()) {
                stop.check()?;
                kernel.row(&samples, &windows.part(part), &mut slots, &mut remarks);
            }
            if let Some(counter) = counter {
                counter.add(&samples, &slots);
            }
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

/// The most samples that are looked at between two looks at the clock, if every window had all of a row.
const SAMPLES_AT_ONCE: usize = 1 << 24;

/// The steps of a row, cut where its windows may take long.
fn parts(samples: &Samples<'_>, steps: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let most = samples.ts.len() + samples.histogram_ts.len();
    let part = (SAMPLES_AT_ONCE / most.max(1)).max(1);
    (0..steps).step_by(part).map(move |first| first..(first + part).min(steps))
}

/// Whether any sample lies in a window; stale markers are none.
fn has_samples(samples: &Samples<'_>, windows: &Windows, window: usize) -> bool {
    let inside = |t: i64| windows.start(window) < t && t <= windows.end(window);
    let mut floats = samples.ts.iter().zip(samples.values);
    let mut histograms = samples.histogram_ts.iter().zip(samples.histograms);
    floats.any(|(&t, &value)| inside(t) && !is_stale(value))
        || histograms.any(|(&t, histogram)| inside(t) && !histogram.is_stale())
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
            self.counter.iter_mut().for_each(Counter::finish);
            self.ready.extend(self.builder.take()?);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.pop_front())
    }

    fn watch(&mut self, stop: &Stop) {
        self.stop = stop.clone();
    }

    fn held(&self) -> usize {
        let counted = self.counter.as_ref().map_or(0, Counter::held);
        self.reader.held() + self.builder.held() + counted
    }
}
