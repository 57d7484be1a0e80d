//! Classic histograms: `histogram_quantile` and `histogram_fraction` of one histogram at one step
//! (`promql/quantile.go`, `BucketQuantile` and `BucketFraction`).

/// Relative differences below this come from floating-point sums, not from observations.
const SMALL_DELTA: f64 = 1e-12;

/// A bucket: how many observations were at most `bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The upper bound, label `le`; not NaN.
    pub bound: f64,
    /// The observations at or below it, of this and all lower buckets.
    pub count: f64,
}

/// A decrease that was flattened before a quantile was taken; Prometheus tells of it in an info.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flattened {
    /// The lowest bound whose count was raised.
    pub min_bound: f64,
    /// The highest.
    pub max_bound: f64,
    /// The greatest raise.
    pub max_diff: f64,
}

/// The φ-quantile. `buckets` are changed in place: sorted, those of equal bounds added up at the front
/// with the last ones left behind them as they were, and made to rise. Prometheus takes the next quantile
/// of the same histogram (`histogram_quantiles`) from what is left so.
pub fn quantile(phi: f64, buckets: &mut [Bucket]) -> (f64, Option<Flattened>) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if phi > 1.0 {
        return (f64::INFINITY, None);
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    let merged = merge_equal(buckets);
    let buckets = &mut buckets[..merged];
    let flattened = flatten(buckets);
    let [lower @ .., last] = &*buckets else { return (f64::NAN, flattened) };
    let Some(highest) = lower.last() else { return (f64::NAN, flattened) };
    if last.count == 0.0 {
        return (f64::NAN, flattened);
    }
    let mut rank = phi * last.count;
    let at = first_holding(lower, rank);
    let Some(bucket) = lower.get(at) else { return (highest.bound, flattened) };
    if at == 0 && bucket.bound <= 0.0 {
        return (bucket.bound, flattened);
    }
    let (mut start, mut count) = (0.0, bucket.count);
    if at > 0 {
        start = lower[at - 1].bound;
        count -= lower[at - 1].count;
        rank -= lower[at - 1].count;
    }
    (start + (bucket.bound - start) * (rank / count), flattened)
}

/// The first bucket whose count reaches `rank`, searched as Go's `sort.Search` does, which matters
/// where a count is NaN.
fn first_holding(buckets: &[Bucket], rank: f64) -> usize {
    let (mut low, mut high) = (0, buckets.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if buckets[middle].count >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The fraction of observations between `lower` and `upper`. `buckets` as for [`quantile`].
/// They must be in ascending order of their bounds.
pub fn fraction(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    let merged = merge_equal(buckets);
    let buckets = &buckets[..merged];
    let count = buckets.last().map_or(0.0, |last| last.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (mut lower_rank, mut upper_rank) = (None, None);
    let mut rank = 0.0;
    // Without a bucket at or below zero, observations are taken to be positive.
    let mut start = if buckets[0].bound <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    for bucket in buckets.iter() {
        let rank_of = |limit: f64| {
            if start >= limit {
                Some(rank)
            } else if bucket.bound <= limit {
                None
            } else if start == f64::NEG_INFINITY {
                Some(bucket.count)
            } else {
                // An infinite bound adds nothing.
                let part = (bucket.count - rank) * (limit - start) / (bucket.bound - start);
                Some(rank + part)
            }
        };
        lower_rank = lower_rank.or_else(|| rank_of(lower));
        upper_rank = upper_rank.or_else(|| rank_of(upper));
        if lower_rank.is_some() && upper_rank.is_some() {
            break;
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    let capped = |rank: Option<f64>| match rank {
        Some(rank) if !(rank > count) => rank,
        _ => count,
    };
    (capped(upper_rank) - capped(lower_rank)) / count
}

/// Adds up buckets of one bound at the front, and says how many there are then.
fn merge_equal(buckets: &mut [Bucket]) -> usize {
    let mut last = 0;
    for at in 1..buckets.len() {
        if buckets[at].bound == buckets[last].bound {
            buckets[last].count += buckets[at].count;
        } else {
            last += 1;
            buckets[last] = buckets[at];
        }
    }
    buckets.len().min(last + 1)
}

/// Makes counts rise: small differences are levelled silently, decreases are reported.
fn flatten(buckets: &mut [Bucket]) -> Option<Flattened> {
    let mut flattened: Option<Flattened> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            let held = flattened.get_or_insert(Flattened {
                min_bound: bucket.bound,
                max_bound: bucket.bound,
                max_diff: 0.0,
            });
            held.max_bound = bucket.bound;
            held.max_diff = held.max_diff.max(before - bucket.count);
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    flattened
}

/// Whether two counts differ by less than [`SMALL_DELTA`] of their sum (`util/almost`).
fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    if a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|&(bound, count)| Bucket { bound, count }).collect()
    }

    fn quantile_of(phi: f64, pairs: &[(f64, f64)]) -> f64 {
        quantile(phi, &mut buckets(pairs)).0
    }

    /// testhistogram of histograms.test, after 50 minutes.
    const POSITIVE: [(f64, f64); 4] = [(0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 120.0)];
    const NEGATIVE: [(f64, f64); 5] =
        [(-0.3, 20.0), (-0.2, 50.0), (-0.1, 60.0), (0.3, 60.0), (INF, 60.0)];

    #[test]
    fn quantiles_interpolate_inside_a_bucket() {
        assert_eq!(quantile_of(0.0, &POSITIVE), 0.0);
        assert!((quantile_of(0.25, &POSITIVE) - 0.06).abs() < 1e-15);
        assert!((quantile_of(0.5, &POSITIVE) - 0.15).abs() < 1e-15);
        assert_eq!(quantile_of(1.0, &POSITIVE), 1.0, "the last but one bound, not infinity");
        assert_eq!(quantile_of(0.1, &NEGATIVE), -0.3, "a first bound at or below zero is itself");
        assert!((quantile_of(0.5, &NEGATIVE) - -0.266_666_666_666_666_66).abs() < 1e-15);
        assert_eq!(quantile_of(-1.0, &POSITIVE), -INF);
        assert_eq!(quantile_of(1.01, &POSITIVE), INF);
        assert!(quantile_of(f64::NAN, &POSITIVE).is_nan());
    }

    #[test]
    fn quantiles_that_do_not_exist() {
        assert!(quantile_of(0.5, &[]).is_nan());
        assert!(quantile_of(0.5, &[(1.0, 3.0), (2.0, 5.0)]).is_nan(), "no infinite bucket");
        assert!(quantile_of(0.5, &[(INF, 5.0)]).is_nan(), "one bucket");
        assert!(quantile_of(0.5, &[(INF, 5.0), (INF, 5.0)]).is_nan(), "one bucket, twice");
        assert!(quantile_of(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan(), "no observation");
    }

    #[test]
    fn decreases_are_flattened_and_told() {
        let mut dip = buckets(&[(0.1, 10.0), (1.0, 5.0), (10.0, 20.0), (INF, 19.0)]);
        let (value, flattened) = quantile(0.9, &mut dip);
        assert_eq!(value, 1.0 + 9.0 * (18.0 - 10.0) / 10.0);
        let expected = Flattened { min_bound: 1.0, max_bound: INF, max_diff: 5.0 };
        assert_eq!(flattened, Some(expected));
        // Differences in the last digits are levelled without a word.
        let mut noise = buckets(&[(0.1, 1.0), (1.0, 1.0 - 1e-15), (INF, 1.0)]);
        assert_eq!(quantile(0.5, &mut noise).1, None);
        assert_eq!(noise[1].count, 1.0);
    }

    #[test]
    fn the_next_quantile_is_taken_from_what_is_left() {
        let mut twice = buckets(&[(1.0, 3.0), (1.0, 1.0), (INF, 8.0)]);
        assert_eq!(quantile(0.5, &mut twice).0, 1.0);
        // The infinite bucket is there once more.
        assert_eq!(twice, buckets(&[(1.0, 4.0), (INF, 8.0), (INF, 8.0)]));
        assert_eq!(quantile(0.25, &mut twice).0, 1.0);
        let mut dip = buckets(&[(1.0, 5.0), (2.0, 3.0), (INF, 8.0)]);
        assert!(quantile(0.5, &mut dip).1.is_some());
        assert!(quantile(0.5, &mut dip).1.is_none(), "they rise by now");
    }

    #[test]
    fn fractions() {
        let of = |lower, upper, pairs: &[(f64, f64)]| fraction(lower, upper, &mut buckets(pairs));
        assert_eq!(of(0.0, 0.2, &POSITIVE), 70.0 / 120.0);
        assert_eq!(of(-1.0, 0.2, &POSITIVE), 70.0 / 120.0);
        assert_eq!(of(-INF, INF, &POSITIVE), 1.0);
        assert_eq!(of(0.0, 0.15, &POSITIVE), 0.5);
        assert_eq!(of(1.0, INF, &POSITIVE), 10.0 / 120.0);
        assert_eq!(of(2.0, 5.0, &POSITIVE), 0.0, "inside the infinite bucket");
        assert_eq!(of(-0.25, 0.0, &NEGATIVE), (60.0 - 35.0) / 60.0);
        assert_eq!(of(0.2, 0.1, &POSITIVE), 0.0);
        assert!(of(f64::NAN, 1.0, &POSITIVE).is_nan());
        assert!(of(0.0, 1.0, &[(1.0, 3.0)]).is_nan());
    }
}
