//! Compensated sums of histograms: what a sum has lost is a second histogram with the same buckets.

use std::sync::Arc;

use engine::model::Span;

use super::merge::Side;
use super::side::{self, inside};
use super::{FloatHistogram, Incompatible, Merged};
use crate::functions::kahan::Kahan;

impl FloatHistogram {
    /// Adds `other` to a sum that has lost `lost`: nothing yet, if that is none (`KahanAdd`). In
    /// the end [`add`](Self::add) brings both together.
    ///
    /// # Errors
    /// [`Incompatible`]; nothing is changed then.
    pub fn kahan_add(
        &mut self,
        other: &Self,
        lost: &mut Option<Arc<Self>>,
    ) -> Result<Merged, Incompatible> {
        let merged = self.meet(other)?;
        let lost = Arc::make_mut(lost.get_or_insert_with(|| Arc::new(self.no_loss())));
        if !self.uses_custom_buckets() {
            let zero = self.reconcile_zero(other, Some(lost));
            add(&mut self.zero_count, &mut lost.zero_count, zero.sum);
            add(&mut self.zero_count, &mut lost.zero_count, zero.lost);
        }
        add(&mut self.count, &mut lost.count, other.count);
        add(&mut self.sum, &mut lost.sum, other.sum);
        if merged.bounds_reconciled {
            self.add_custom(other, 1.0, Some(lost));
        } else if self.has_layout_of(lost) && self.contains(other) {
            let add_all = |sums: &mut [f64], lost: &mut [f64], other: &[f64]| {
                let own = sums.iter_mut().zip(lost);
                own.zip(other).for_each(|((sum, lost), other)| add(sum, lost, *other));
            };
            inside(&self.positive_spans, &other.positive_spans, |at, of| {
                let sums = &mut self.positive_buckets[at.clone()];
                add_all(sums, &mut lost.positive_buckets[at], &other.positive_buckets[of]);
            });
            inside(&self.negative_spans, &other.negative_spans, |at, of| {
                let sums = &mut self.negative_buckets[at.clone()];
                add_all(sums, &mut lost.negative_buckets[at], &other.negative_buckets[of]);
            });
        } else {
            let ([positive, negative], others) = (self.kahan_sides(lost), other.lossless_sides());
            let positive = positive.plus(&others[0], self.zero_threshold, |total| total);
            let negative = negative.plus(&others[1], self.zero_threshold, |total| total);
            self.set_sides(lost, positive, negative);
            self.schema = self.schema.min(other.schema);
        }
        (lost.schema, lost.zero_threshold) = (self.schema, self.zero_threshold);
        Ok(merged)
    }

    fn has_layout_of(&self, lost: &Self) -> bool {
        self.positive_spans == lost.positive_spans
            && self.negative_spans == lost.negative_spans
            && self.positive_buckets.len() == lost.positive_buckets.len()
            && self.negative_buckets.len() == lost.negative_buckets.len()
    }

    /// A sum of zeros with the same buckets (`newCompensationHistogram`).
    fn no_loss(&self) -> Self {
        Self {
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive_buckets: vec![0.0; self.positive_buckets.len()],
            negative_buckets: vec![0.0; self.negative_buckets.len()],
            ..self.clone()
        }
    }

    /// Leaves out buckets that are empty in this sum and in what it has lost (`kahanCompact`).
    pub(super) fn compact_with(&mut self, lost: &mut Self) {
        let filled = |side: &Side<'_, Kahan>| {
            let filled = side::indexed(side.spans, &side.totals)
                .filter(|(_, total)| total.sum != 0.0 || total.lost != 0.0);
            side::from_indexed(filled)
        };
        let [positive, negative] = self.kahan_sides(lost);
        let (positive, negative) = (filled(&positive), filled(&negative));
        self.set_sides(lost, positive, negative);
    }

    /// Both sides of zero of a sum and of what it has lost.
    fn kahan_sides(&self, lost: &Self) -> [Side<'_, Kahan>; 2] {
        let side = |spans, sums: &[f64], lost: &[f64]| {
            let lost = lost.iter().copied().chain(std::iter::repeat(0.0));
            let totals = sums.iter().zip(lost).map(|(&sum, lost)| Kahan { sum, lost }).collect();
            Side { schema: self.schema, spans, totals }
        };
        [
            side(self.positive_spans.as_slice(), &self.positive_buckets, &lost.positive_buckets),
            side(&self.negative_spans, &self.negative_buckets, &lost.negative_buckets),
        ]
    }

    /// Both sides of zero, of which nothing is lost.
    fn lossless_sides(&self) -> [Side<'_, Kahan>; 2] {
        let side = |spans, counts: &[f64]| Side {
            schema: self.schema,
            spans,
            totals: counts.iter().map(|&sum| Kahan { sum, lost: 0.0 }).collect(),
        };
        [
            side(self.positive_spans.as_slice(), &self.positive_buckets),
            side(&self.negative_spans, &self.negative_buckets),
        ]
    }

    fn set_sides(
        &mut self,
        lost: &mut Self,
        positive: (Vec<Span>, Vec<Kahan>),
        negative: (Vec<Span>, Vec<Kahan>),
    ) {
        let split = |totals: &[Kahan]| -> (Vec<f64>, Vec<f64>) {
            totals.iter().map(|total| (total.sum, total.lost)).unzip()
        };
        (self.positive_buckets, lost.positive_buckets) = split(&positive.1);
        (self.negative_buckets, lost.negative_buckets) = split(&negative.1);
        (self.positive_spans, self.negative_spans) = (positive.0, negative.0);
        lost.positive_spans.clone_from(&self.positive_spans);
        lost.negative_spans.clone_from(&self.negative_spans);
    }
}

fn add(sum: &mut f64, lost: &mut f64, value: f64) {
    let mut total = Kahan { sum: *sum, lost: *lost };
    total.add(value);
    (*sum, *lost) = (total.sum, total.lost);
}
