//! Quantiles, fractions and moments of a histogram (`promql/quantile.go`, `promql/functions.go`).

use super::logarithm::{exp2, log2};
use super::{Bucket, FloatHistogram};
use crate::functions::kahan::Kahan;
use crate::functions::{Remark, Remarks};

impl Bucket {
    /// The fraction of the bucket below `value`: by distance, or, of exponential buckets, by that
    /// of logarithms (`FractionBelow`).
    pub(super) fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|bound| log2(bound.abs()));
        if value > 0.0 {
            return (at - lower) / (upper - lower);
        }
        1.0 - ((at - upper) / (lower - upper))
    }
}

impl FloatHistogram {
    /// The φ-quantile (`HistogramQuantile`), and what is odd with it.
    pub fn quantile(&self, phi: f64) -> (f64, Remarks) {
        let nothing = Remarks::default();
        if phi < 0.0 {
            return (f64::NEG_INFINITY, nothing);
        }
        if phi > 1.0 {
            return (f64::INFINITY, nothing);
        }
        if self.count == 0.0 || phi.is_nan() {
            return (f64::NAN, nothing);
        }
        // NaN observations are in no bucket, so the rank can only be counted from below.
        if self.sum.is_nan() || phi < 0.5 {
            self.value_at(phi * self.count, self.buckets(), true)
        } else {
            self.value_at((1.0 - phi) * self.count, self.buckets().rev(), false)
        }
    }

    /// The value of the observation that has `rank` if they are counted by `buckets`, from below or
    /// from above.
    fn value_at(
        &self,
        mut rank: f64,
        mut buckets: impl Iterator<Item = Bucket>,
        from_below: bool,
    ) -> (f64, Remarks) {
        let mut remarks = Remarks::default();
        let (mut bucket, mut count) = (Bucket::default(), 0.0);
        for next in buckets.by_ref() {
            bucket = next;
            if bucket.count == 0.0 {
                continue;
            }
            count += bucket.count;
            if count >= rank {
                break;
            }
        }
        if self.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return (bucket.upper, remarks);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return (bucket.lower, remarks);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.cut_zero(&mut bucket);
        }
        // Sums of counts may be inaccurate.
        if count > self.count {
            count = self.count;
        }
        if count < rank {
            if self.sum.is_nan() {
                return (f64::NAN, Remark::QuantileNan.into());
            }
            return (bucket.upper, remarks);
        }
        rank = if from_below { rank - (count - bucket.count) } else { count - rank };
        if self.sum.is_nan() {
            buckets.for_each(|bucket| count += bucket.count);
            if count < self.count {
                remarks.add(Remark::QuantileSkewed);
            }
        }
        let fraction = rank / bucket.count;
        if self.uses_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return (bucket.lower + (bucket.upper - bucket.lower) * fraction, remarks);
        }
        // On a scale of logarithms all buckets have one width.
        let (lower, upper) = (log2(bucket.lower.abs()), log2(bucket.upper.abs()));
        let value = match bucket.lower > 0.0 {
            true => exp2(lower + (upper - lower) * fraction),
            false => -exp2(upper + (lower - upper) * (1.0 - fraction)),
        };
        (value, remarks)
    }

    /// Observations of a histogram without negative, or without positive, buckets are taken to lie
    /// on the other side of zero.
    fn cut_zero(&self, bucket: &mut Bucket) {
        match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }

    /// The fraction of observations between `lower` and `upper` (`HistogramFraction`), and what is
    /// odd with it.
    pub fn fraction(&self, lower: f64, upper: f64) -> (f64, Remarks) {
        let mut remarks = Remarks::default();
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, remarks);
        }
        if lower >= upper {
            return (0.0, remarks);
        }
        let custom = self.uses_custom_buckets();
        let (mut count, mut rank) = (0.0, 0.0);
        let (mut lower_rank, mut upper_rank) = (None, None);
        let mut buckets = self.buckets();
        for mut bucket in buckets.by_ref() {
            count += bucket.count;
            let mut linear = custom;
            if custom {
                if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                    bucket.lower = 0.0;
                }
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                linear = true;
                self.cut_zero(&mut bucket);
            }
            let rank_of = |limit: f64| {
                if bucket.lower >= limit {
                    Some(rank)
                } else if bucket.lower < limit && bucket.upper > limit {
                    // There is no place within an infinite bucket.
                    Some(match bucket.lower == f64::NEG_INFINITY && linear {
                        true => bucket.count,
                        false => rank + bucket.count * bucket.fraction_below(limit, linear),
                    })
                } else {
                    None
                }
            };
            lower_rank = lower_rank.or_else(|| rank_of(lower));
            upper_rank = upper_rank.or_else(|| rank_of(upper));
            if lower_rank.is_some() && upper_rank.is_some() {
                break;
            }
            rank += bucket.count;
        }
        if self.sum.is_nan() {
            buckets.for_each(|bucket| count += bucket.count);
            if count < self.count {
                remarks.add(Remark::FractionNan);
            }
        } else {
            count = self.count;
        }
        let capped = |rank: Option<f64>| match rank {
            Some(rank) if rank > count => count,
            rank => rank.unwrap_or(count),
        };
        ((capped(upper_rank) - capped(lower_rank)) / self.count, remarks)
    }

    /// The mean of the observations (`funcHistogramAvg`).
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    /// The variance of the observations, each taken to be in the middle of its bucket
    /// (`histogramVariance`).
    pub fn stdvar(&self) -> f64 {
        let mean = self.avg();
        let mut squares = Kahan::default();
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.uses_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                let middle = (bucket.upper * bucket.lower).sqrt();
                if bucket.upper < 0.0 { -middle } else { middle }
            };
            let delta = middle - mean;
            squares.add(bucket.count * delta * delta);
        }
        squares.total() / self.count
    }

    /// The standard deviation of the observations.
    pub fn stddev(&self) -> f64 {
        self.stdvar().sqrt()
    }
}
