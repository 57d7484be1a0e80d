//! Quantiles of plain values (`promql/quantile.go`, `quantile`).

use std::cmp::Ordering;

/// The order in which quantiles are taken: NaN lowest, then by value.
#[inline]
pub fn order(a: &f64, b: &f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.total_cmp(b),
    }
}

/// The φ-quantile of `values`, which are reordered; NaN of nothing, -Inf below 0, +Inf above 1.
pub fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if let Some(result) = special(phi, values.len()) {
        return result;
    }
    let (lower, weight) = rank(phi, values.len());
    let (_, &mut low, above) = values.select_nth_unstable_by(lower, order);
    if weight == 0.0 {
        return low;
    }
    let high = above.iter().copied().min_by(order).unwrap_or(low);
    low * (1.0 - weight) + high * weight
}

/// The φ-quantile of values that are sorted by [`order`].
pub fn interpolate(phi: f64, sorted: &[f64]) -> f64 {
    if let Some(result) = special(phi, sorted.len()) {
        return result;
    }
    let (lower, weight) = rank(phi, sorted.len());
    let low = sorted[lower];
    if weight == 0.0 {
        return low;
    }
    low * (1.0 - weight) + sorted.get(lower + 1).copied().unwrap_or(low) * weight
}

fn special(phi: f64, count: usize) -> Option<f64> {
    if count == 0 || phi.is_nan() {
        Some(f64::NAN)
    } else if phi < 0.0 {
        Some(f64::NEG_INFINITY)
    } else if phi > 1.0 {
        Some(f64::INFINITY)
    } else {
        None
    }
}

/// The index at or below the rank, and how far the rank lies above it.
fn rank(phi: f64, count: usize) -> (usize, f64) {
    let rank = phi * (count as f64 - 1.0);
    (rank.floor() as usize, rank - rank.floor())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn between_and_on_values() {
        let mut values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile(0.5, &mut values), 2.5);
        assert_eq!(quantile(0.0, &mut values), 1.0);
        assert_eq!(quantile(1.0, &mut values), 4.0);
        assert_eq!(quantile(-0.1, &mut values), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut values), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut values).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
        // At an exact rank infinity is itself, not infinity times zero.
        assert_eq!(quantile(0.0, &mut [f64::INFINITY]), f64::INFINITY);
        assert_eq!(quantile(0.5, &mut [f64::NAN, 1.0, 2.0]), 1.0);
    }

    proptest! {
        #[test]
        fn selecting_equals_sorting(
            mut values in proptest::collection::vec(-1e3..1e3f64, 1..50), phi in 0.0..=1.0f64,
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable_by(order);
            prop_assert_eq!(quantile(phi, &mut values), interpolate(phi, &sorted));
        }
    }
}
