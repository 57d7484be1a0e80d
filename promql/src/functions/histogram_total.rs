//! The sum and the mean of native histograms, compensated: for ranges (`funcSumOverTime`,
//! `funcAvgOverTime`) and for groups (`aggregation` in promql/engine.go).

use std::sync::Arc;

use engine::model::CounterResetHint;

use super::histogram::{FloatHistogram, Merged};
use super::{Remark, Remarks};

/// Histograms that are added up one after the other.
#[derive(Debug, Clone)]
pub struct HistogramTotal {
    /// The sum; the mean itself once `incremental`.
    total: Arc<FloatHistogram>,
    /// What the sum has lost.
    lost: Option<Arc<FloatHistogram>>,
    /// How many there were.
    count: f64,
    /// Whether the sum would overflow, and the mean is carried instead.
    incremental: bool,
    /// Whether a histogram said that there was a reset before it.
    reset: bool,
    /// Whether a histogram said that there was none.
    no_reset: bool,
    /// Whether exponential and custom buckets met: there is no result.
    incompatible: bool,
}

impl HistogramTotal {
    /// The total of one histogram.
    pub fn new(first: &Arc<FloatHistogram>) -> Self {
        let hint = first.counter_reset_hint;
        Self {
            total: match first.uses_custom_buckets() {
                true => Arc::new(first.copied()),
                false => Arc::clone(first),
            },
            lost: None,
            count: 1.0,
            incremental: false,
            reset: hint == CounterResetHint::CounterReset,
            no_reset: hint == CounterResetHint::NotCounterReset,
            incompatible: false,
        }
    }

    /// A total without a result, that looks at nothing more.
    pub fn closed(first: &Arc<FloatHistogram>) -> Self {
        Self { incompatible: true, ..Self::new(first) }
    }

    /// The total as two histograms and two numbers.
    pub fn into_parts(self) -> ([Option<Arc<FloatHistogram>>; 2], [f64; 2]) {
        let flags = [self.incremental, self.reset, self.no_reset, self.incompatible];
        let bits = flags.iter().rev().fold(0u8, |bits, &flag| bits << 1 | u8::from(flag));
        ([Some(self.total), self.lost], [self.count, f64::from(bits)])
    }

    /// The total that was [`into_parts`](Self::into_parts).
    pub fn from_parts(
        total: Arc<FloatHistogram>,
        lost: Option<Arc<FloatHistogram>>,
        [count, bits]: [f64; 2],
    ) -> Self {
        let flag = |at: u8| bits as u8 >> at & 1 == 1;
        let (incremental, reset, no_reset, incompatible) = (flag(0), flag(1), flag(2), flag(3));
        Self { total, lost, count, incremental, reset, no_reset, incompatible }
    }

    /// Whether there is no result, as exponential and custom buckets have met: what comes after is not
    /// looked at.
    pub fn is_incompatible(&self) -> bool {
        self.incompatible
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.total.bytes() + self.lost.as_ref().map_or(0, |lost| lost.bytes())
    }

    /// Adds a histogram to a sum.
    pub fn add(&mut self, histogram: &FloatHistogram, remarks: &mut Remarks) {
        if self.incompatible {
            return;
        }
        self.see(histogram);
        self.count += 1.0;
        match Arc::make_mut(&mut self.total).kahan_add(histogram, &mut self.lost) {
            Ok(merged) => note(merged, remarks),
            Err(_) => self.fail(remarks),
        }
    }

    /// Adds a histogram to a mean: to the sum, as long as that does not overflow.
    pub fn add_to_mean(&mut self, histogram: &FloatHistogram, remarks: &mut Remarks) {
        if self.incompatible {
            return;
        }
        self.see(histogram);
        self.count += 1.0;
        if !self.incremental {
            // The sum before is kept, for this one may overflow.
            let (mut total, mut lost) = (Arc::clone(&self.total), self.lost.clone());
            match Arc::make_mut(&mut total).kahan_add(histogram, &mut lost) {
                Ok(merged) => note(merged, remarks),
                Err(_) => return self.fail(remarks),
            }
            if !total.has_overflow() {
                (self.total, self.lost) = (total, lost);
                return;
            }
            self.incremental = true;
            self.div(self.count - 1.0);
        }
        self.mul((self.count - 1.0) / self.count);
        let mut part = histogram.clone();
        part.div(self.count);
        match Arc::make_mut(&mut self.total).kahan_add(&part, &mut self.lost) {
            Ok(merged) => note(merged, remarks),
            Err(_) => self.fail(remarks),
        }
    }

    /// Adds what another sum has seen after this one.
    pub fn merge(&mut self, other: &Self, remarks: &mut Remarks) {
        self.add_other(other);
        if self.incompatible {
            return;
        }
        let total = Arc::make_mut(&mut self.total);
        let merged = total.kahan_add(&other.total, &mut self.lost);
        let lost = other.lost.as_ref().map(|lost| total.kahan_add(lost, &mut self.lost));
        for merged in [Some(merged), lost].into_iter().flatten() {
            match merged {
                Ok(merged) => note(merged, remarks),
                Err(_) => self.fail(remarks),
            }
        }
    }

    /// Adds what another mean has seen after this one.
    pub fn merge_means(&mut self, other: &Self, remarks: &mut Remarks) {
        if !self.incremental && !other.incremental {
            return self.merge(other, remarks);
        }
        let (own, others) = (self.count, other.count);
        self.add_other(other);
        if self.incompatible {
            return;
        }
        if !self.incremental {
            self.incremental = true;
            self.div(own);
        }
        self.mul(own / self.count);
        let divisor = if other.incremental { self.count / others } else { self.count };
        for part in [Some(&other.total), other.lost.as_ref()].into_iter().flatten() {
            let mut part = (**part).clone();
            part.div(divisor);
            match Arc::make_mut(&mut self.total).kahan_add(&part, &mut self.lost) {
                Ok(merged) => note(merged, remarks),
                Err(_) => self.fail(remarks),
            }
        }
    }

    /// Counts and hints of another total.
    fn add_other(&mut self, other: &Self) {
        self.count += other.count;
        self.reset |= other.reset;
        self.no_reset |= other.no_reset;
        self.incompatible |= other.incompatible;
    }

    /// The sum, if there is one.
    pub fn sum(mut self, remarks: &mut Remarks) -> Option<Arc<FloatHistogram>> {
        if self.incompatible {
            return None;
        }
        self.note_hints(remarks);
        if let Some(lost) = &self.lost
            && let Ok(merged) = Arc::make_mut(&mut self.total).add(lost)
        {
            note(merged, remarks);
        }
        Some(self.total)
    }

    /// The mean, if there is one.
    pub fn mean(mut self, remarks: &mut Remarks) -> Option<Arc<FloatHistogram>> {
        if self.incompatible {
            return None;
        }
        self.note_hints(remarks);
        if !self.incremental {
            self.div(self.count);
        }
        if let Some(lost) = &self.lost {
            // What was added before can be added again.
            let _ = Arc::make_mut(&mut self.total).add(lost);
        }
        Some(self.total)
    }

    fn div(&mut self, divisor: f64) {
        Arc::make_mut(&mut self.total).div(divisor);
        self.lost.iter_mut().for_each(|lost| Arc::make_mut(lost).div(divisor));
    }

    fn mul(&mut self, factor: f64) {
        Arc::make_mut(&mut self.total).mul(factor);
        self.lost.iter_mut().for_each(|lost| Arc::make_mut(lost).mul(factor));
    }

    fn see(&mut self, histogram: &FloatHistogram) {
        self.reset |= histogram.counter_reset_hint == CounterResetHint::CounterReset;
        self.no_reset |= histogram.counter_reset_hint == CounterResetHint::NotCounterReset;
    }

    fn note_hints(&self, remarks: &mut Remarks) {
        if self.reset && self.no_reset {
            remarks.add(Remark::CollisionAggregation);
        }
    }

    fn fail(&mut self, remarks: &mut Remarks) {
        self.incompatible = true;
        remarks.add(Remark::MixedBuckets);
    }
}

fn note(merged: Merged, remarks: &mut Remarks) {
    if merged.bounds_reconciled {
        remarks.add(Remark::ReconciledAggregation);
    }
}
