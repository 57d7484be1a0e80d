//! Counter resets between two histograms.

use engine::model::{CounterResetHint, Span};

use super::{FloatHistogram, side};

impl FloatHistogram {
    /// Whether a counter began anew between `previous` and this histogram (`DetectReset`): by what
    /// it says itself, else if any count is lower, or a bucket with observations is gone.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::CounterReset => return true,
            CounterResetHint::NotCounterReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return self.falls_at_common_bounds(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero_count, threshold) = previous.zero_count_for(self.zero_threshold);
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        let falls = |own: (&[Span], &[f64]), before: (&[Span], &[f64])| {
            let before = side::indexed(before.0, before.1);
            let before = side::coarser(before, previous.schema, self.schema);
            let own = side::indexed(own.0, own.1);
            falls(self.above_zero(own), self.above_zero(before))
        };
        falls(
            (&self.positive_spans, &self.positive_buckets),
            (&previous.positive_spans, &previous.positive_buckets),
        ) || falls(
            (&self.negative_spans, &self.negative_buckets),
            (&previous.negative_spans, &previous.negative_buckets),
        )
    }

    /// The buckets without the first ones that lie in the zero bucket.
    fn above_zero(
        &self,
        buckets: impl Iterator<Item = (i32, f64)>,
    ) -> impl Iterator<Item = (i32, f64)> {
        let threshold = self.zero_threshold;
        let threshold = if threshold == 0.0 { f64::NEG_INFINITY } else { threshold };
        side::above(buckets, self.schema, threshold)
    }
}

/// Whether a count is lower than before, or a bucket with observations is gone (`detectReset`).
fn falls(
    own: impl Iterator<Item = (i32, f64)>,
    mut before: impl Iterator<Item = (i32, f64)>,
) -> bool {
    let mut own = own.peekable();
    before.any(|(number, count)| {
        while own.next_if(|&(other, _)| other < number).is_some() {}
        match own.peek() {
            Some(&(other, now)) if other == number => now < count,
            _ => count != 0.0,
        }
    })
}
