//! Sums and differences of histograms.

use std::borrow::Cow;
use std::fmt;

use engine::model::CounterResetHint;

use super::merge::Side;
use super::{FloatHistogram, side};

/// Histograms that cannot be brought together: exponential and custom buckets
/// (`ErrHistogramsIncompatibleSchema`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incompatible;

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot apply this operation on histograms with a mix of exponential and ")?;
        f.write_str("custom bucket schemas")
    }
}

impl std::error::Error for Incompatible {}

/// What was odd with two histograms that have been brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// One says that there was a counter reset, the other that there was none.
    pub counter_reset_collision: bool,
    /// Custom bounds differ: only common ones are left.
    pub bounds_reconciled: bool,
}

impl FloatHistogram {
    /// Adds `other` (`Add`).
    ///
    /// # Errors
    /// [`Incompatible`]; nothing is changed then.
    pub fn add(&mut self, other: &Self) -> Result<Merged, Incompatible> {
        self.plus(other, 1.0)
    }

    /// Takes `other` away (`Sub`).
    ///
    /// # Errors
    /// [`Incompatible`]; nothing is changed then.
    pub fn sub(&mut self, other: &Self) -> Result<Merged, Incompatible> {
        self.plus(other, -1.0)
    }

    fn plus(&mut self, other: &Self, sign: f64) -> Result<Merged, Incompatible> {
        let merged = self.meet(other)?;
        if !self.uses_custom_buckets() {
            let zero_count = self.reconcile_zero(other, None).sum;
            self.zero_count += sign * zero_count;
        }
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if merged.bounds_reconciled {
            self.add_custom(other, sign, None);
        } else if self.is_aligned(other) {
            for (own, other) in self.buckets_mut().zip(other.bucket_counts()) {
                *own += sign * other;
            }
        } else {
            let ([positive, negative], others) = (self.sides(), other.sides());
            let threshold = self.zero_threshold;
            let positive = positive.plus(&others[0], threshold, |count| sign * count);
            let negative = negative.plus(&others[1], threshold, |count| sign * count);
            (self.positive_spans, self.positive_buckets) = positive;
            (self.negative_spans, self.negative_buckets) = negative;
            self.schema = self.schema.min(other.schema);
        }
        Ok(merged)
    }

    fn sides(&self) -> [Side<'_, f64>; 2] {
        let side =
            |spans, counts| Side { schema: self.schema, spans, totals: Cow::Borrowed(counts) };
        [
            side(self.positive_spans.as_slice(), self.positive_buckets.as_slice()),
            side(&self.negative_spans, &self.negative_buckets),
        ]
    }

    /// Whether the buckets of both are the same, and all of `other` count (see [`Side::plus`]).
    pub(super) fn is_aligned(&self, other: &Self) -> bool {
        let counts = |spans| {
            let first = side::numbers(spans).next();
            first.is_none_or(|first| !side::is_below(first, self.schema, self.zero_threshold))
        };
        self.schema == other.schema
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets.len() == other.positive_buckets.len()
            && self.negative_buckets.len() == other.negative_buckets.len()
            && counts(&other.positive_spans)
            && counts(&other.negative_spans)
    }

    /// Checks that both can be brought together, and sets what the result says of counter resets
    /// (`checkSchemaAndBounds`, `adjustCounterReset`).
    pub(super) fn meet(&mut self, other: &Self) -> Result<Merged, Incompatible> {
        use CounterResetHint::{Gauge, Unknown};
        let custom = self.uses_custom_buckets();
        if custom != other.uses_custom_buckets() {
            return Err(Incompatible);
        }
        let mut merged = Merged {
            bounds_reconciled: custom && self.custom_values != other.custom_values,
            ..Merged::default()
        };
        self.counter_reset_hint = match (self.counter_reset_hint, other.counter_reset_hint) {
            (own, others) if own == others => own,
            (Gauge, _) | (_, Gauge) => Gauge,
            (Unknown, _) | (_, Unknown) => Unknown,
            _ => {
                merged.counter_reset_collision = true;
                Unknown
            }
        };
        Ok(merged)
    }
}
