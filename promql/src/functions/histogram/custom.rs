//! Custom buckets of different bounds: only bounds that both have are left.

use std::sync::Arc;

use engine::model::Span;

use super::{FloatHistogram, side};
use crate::functions::kahan::Kahan;

/// The bounds that both have (`intersectCustomBucketBounds`).
fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut common = Vec::new();
    while let (Some(&left), Some(&right)) = (a.peek(), b.peek()) {
        if left == right {
            common.push(left);
            a.next();
            b.next();
        } else if left < right {
            a.next();
        } else {
            b.next();
        }
    }
    common
}

/// The buckets with the bounds `common`: those of `own` and `sign` times those of `other`, and what
/// the counts have lost; `lost` is what those of `own` have lost before
/// (`addCustomBucketsWithMismatches`).
fn sum(
    own: &FloatHistogram,
    other: &FloatHistogram,
    sign: f64,
    lost: Option<&[f64]>,
    common: &[f64],
) -> (Vec<Span>, Vec<f64>, Vec<f64>) {
    let mut totals = vec![Kahan::default(); common.len() + 1];
    for (at, target, count) in mapped(own, common) {
        totals[target].add(count);
        if let Some(lost) = lost.and_then(|lost| lost.get(at)) {
            totals[target].add(*lost);
        }
    }
    for (_, target, count) in mapped(other, common) {
        totals[target].add(sign * count);
    }
    let kept = |(at, total): (usize, Kahan)| {
        (total.sum != 0.0 || total.lost != 0.0).then_some((at as i32, total))
    };
    let kept = totals.into_iter().enumerate().filter_map(kept);
    let (spans, totals) = side::from_indexed(kept);
    let (counts, lost) = totals.into_iter().map(|total: Kahan| (total.sum, total.lost)).unzip();
    (spans, counts, lost)
}

/// Each bucket: its place, the bucket of the common bounds that holds it, and its count.
fn mapped(histogram: &FloatHistogram, common: &[f64]) -> Vec<(usize, usize, f64)> {
    let buckets = side::indexed(&histogram.positive_spans, &histogram.positive_buckets);
    let mut from = 0;
    let target = |(at, (number, count)): (usize, (i32, f64))| {
        let bound = usize::try_from(number).ok().and_then(|at| histogram.custom_values.get(at));
        let Some(bound) = bound else { return (at, common.len(), count) };
        let further = common[from..].iter().position(|common| common >= bound);
        from = further.map_or(common.len(), |further| from + further);
        (at, from, count)
    };
    buckets.enumerate().map(target).collect()
}

impl FloatHistogram {
    /// Adds `sign` times custom buckets of other bounds to a sum that has lost `lost`.
    pub(super) fn add_custom(&mut self, other: &Self, sign: f64, lost: Option<&mut Self>) {
        let common = common_bounds(&self.custom_values, &other.custom_values);
        let lost_buckets = lost.as_deref().map(|lost| lost.positive_buckets.as_slice());
        let (spans, counts, losses) = sum(self, other, sign, lost_buckets, &common);
        (self.positive_spans, self.positive_buckets) = (spans, counts);
        self.custom_values = common.into();
        if let Some(lost) = lost {
            lost.positive_spans.clone_from(&self.positive_spans);
            lost.positive_buckets = losses;
            lost.custom_values = Arc::clone(&self.custom_values);
        }
    }

    /// Whether the count up to any bound that both have is lower than in `previous`
    /// (`detectResetWithMismatchedCustomBounds`).
    pub(super) fn falls_at_common_bounds(&self, previous: &Self) -> bool {
        let mut common = common_bounds(&self.custom_values, &previous.custom_values);
        // Behind an infinite bound is nothing.
        common.retain(|bound| *bound < f64::INFINITY);
        let sums = |histogram: &Self| {
            let mut sums = vec![0.0; common.len() + 1];
            mapped(histogram, &common).into_iter().for_each(|(_, at, count)| sums[at] += count);
            sums
        };
        sums(self).iter().zip(sums(previous)).any(|(now, before)| *now < before)
    }
}
