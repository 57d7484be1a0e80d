//! Sums and differences of histograms.

use std::borrow::Cow;
use std::fmt;

use engine::model::{CounterResetHint, Span};

use super::FloatHistogram;
use super::merge::Side;
use super::side::{self, inside};

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
        } else if self.contains(other) {
            let add = |own: &mut [f64], other: &[f64]| {
                own.iter_mut().zip(other).for_each(|(own, other)| *own += sign * other);
            };
            inside(&self.positive_spans, &other.positive_spans, |at, of| {
                add(&mut self.positive_buckets[at], &other.positive_buckets[of]);
            });
            inside(&self.negative_spans, &other.negative_spans, |at, of| {
                add(&mut self.negative_buckets[at], &other.negative_buckets[of]);
            });
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

    /// Whether each bucket of `other` is one of this histogram's, and all of them count (see [`Side::plus`]):
    /// then its layout stays.
    pub(super) fn contains(&self, other: &Self) -> bool {
        let counts = |spans: &[Span]| {
            let first = side::numbers(spans).next();
            first.is_none_or(|first| !side::is_below(first, self.schema, self.zero_threshold))
        };
        let holds = |spans: &[Span], buckets: &[f64]| {
            spans.iter().map(|span| span.length as usize).sum::<usize>() == buckets.len()
        };
        let within = |own: (&[Span], &[f64]), other: (&[Span], &[f64])| {
            holds(own.0, own.1)
                && holds(other.0, other.1)
                && counts(other.0)
                && inside(own.0, other.0, |_, _| {})
        };
        self.schema == other.schema
            && within(
                (&self.positive_spans, &self.positive_buckets),
                (&other.positive_spans, &other.positive_buckets),
            )
            && within(
                (&self.negative_spans, &self.negative_buckets),
                (&other.negative_spans, &other.negative_buckets),
            )
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
