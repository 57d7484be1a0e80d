//! Histograms without the observations above or below a number: `</` and `>/` (`TrimBuckets`).

use super::{Bucket, FloatHistogram};

/// What is left of a bucket: a count, and where its observations are taken to be.
type Kept = (f64, f64);

/// Nothing.
const NONE: Kept = (0.0, 0.0);

/// Which observations go.
#[derive(Clone, Copy)]
struct Cut {
    at: f64,
    /// Those above, else those below.
    above: bool,
    /// Whether buckets are custom, where observations are spread evenly.
    linear: bool,
}

impl FloatHistogram {
    /// The histogram without the observations above (`above`) or below `at`. The sum is estimated
    /// anew if any are gone.
    pub fn trim(&self, at: f64, above: bool) -> Self {
        let cut = Cut { at, above, linear: self.uses_custom_buckets() };
        let mut trimmed = self.copied();
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let (mut has_positive, mut has_negative) = (false, false);
        let mut take =
            |buckets: Vec<Bucket>, counts: &mut [f64], positive: bool, has: &mut bool| {
                for (bucket, kept) in buckets.into_iter().zip(counts) {
                    if bucket.count == 0.0 {
                        continue;
                    }
                    *has = true;
                    let (left, middle) = cut.bucket(&bucket, positive);
                    count += left;
                    sum += middle * left;
                    changed |= *kept != left;
                    *kept = left;
                }
            };
        let positive: Vec<Bucket> = self.positive().collect();
        take(positive, &mut trimmed.positive_buckets, true, &mut has_positive);
        let negative: Vec<Bucket> = self.negative().collect();
        take(negative, &mut trimmed.negative_buckets, false, &mut has_negative);
        if trimmed.zero_count > 0.0 {
            let (left, middle) = cut.zero(&self.zero(), has_negative, has_positive);
            changed |= trimmed.zero_count != left;
            trimmed.zero_count = left;
            sum += middle * left;
            count += left;
        }
        if changed {
            (trimmed.count, trimmed.sum) = (count, sum);
            trimmed.compact();
        }
        trimmed
    }
}

impl Cut {
    fn bucket(&self, bucket: &Bucket, positive: bool) -> Kept {
        let &Bucket { lower, upper, count, .. } = bucket;
        let (keeps_all, contains) = match self.above {
            true => (upper <= self.at, lower < self.at),
            false => (lower >= self.at, upper > self.at),
        };
        if keeps_all {
            return (count, self.middle(lower, upper, positive));
        }
        if !contains {
            return NONE;
        }
        if lower == f64::NEG_INFINITY {
            return self.below_all_bounds(upper, count);
        }
        if upper == f64::INFINITY {
            return self.above_all_bounds(lower, count);
        }
        let under = if self.at <= lower {
            0.0
        } else if self.at >= upper {
            count
        } else {
            count * bucket.fraction_below(self.at, self.linear)
        };
        match self.above {
            true => (under, self.middle(lower, self.at, positive)),
            false => (count - under, self.middle(self.at, upper, positive)),
        }
    }

    /// The bucket from minus infinity on. If it ends above zero, it is taken to begin there.
    fn below_all_bounds(&self, upper: f64, count: f64) -> Kept {
        let finite = upper != f64::INFINITY;
        let end = if upper.is_infinite() { 0.0 } else { upper };
        if self.above {
            if self.at >= upper {
                (count, 0.0)
            } else if self.at > 0.0 && upper > 0.0 && finite {
                (count * self.at / upper, self.at / 2.0)
            } else if upper <= 0.0 {
                (count, self.at)
            } else {
                (0.0, end)
            }
        } else if self.at == f64::NEG_INFINITY {
            (count, 0.0)
        } else if self.at >= 0.0 && upper > self.at && finite {
            (count * (1.0 - self.at / upper), (self.at + upper) / 2.0)
        } else {
            (0.0, end)
        }
    }

    /// The bucket up to infinity: nobody knows where its observations are.
    fn above_all_bounds(&self, lower: f64, count: f64) -> Kept {
        match !self.above && self.at >= lower {
            true => (count, self.at),
            false => (0.0, if lower.is_infinite() { 0.0 } else { lower }),
        }
    }

    /// The zero bucket; without buckets on one side of zero it has nothing there.
    fn zero(&self, zero: &Bucket, has_negative: bool, has_positive: bool) -> Kept {
        let lower = if has_positive && !has_negative { 0.0 } else { zero.lower };
        let upper = if has_negative && !has_positive { 0.0 } else { zero.upper };
        let width = upper - lower;
        if self.above {
            if self.at <= lower {
                return NONE;
            }
            if self.at >= upper {
                return (zero.count, (lower + upper) / 2.0);
            }
            return (zero.count * ((self.at - lower) / width), (lower + self.at) / 2.0);
        }
        if self.at <= lower {
            return (zero.count, (lower + upper) / 2.0);
        }
        if self.at >= upper {
            return NONE;
        }
        (zero.count * ((upper - self.at) / width), (self.at + upper) / 2.0)
    }

    /// Where observations between two bounds are taken to be (`computeMidpoint`).
    fn middle(&self, lower: f64, upper: f64, positive: bool) -> f64 {
        match (lower.is_infinite(), upper.is_infinite()) {
            (true, true) => 0.0,
            (true, false) => {
                if upper > 0.0 {
                    upper / 2.0
                } else {
                    upper
                }
            }
            (false, true) => lower,
            (false, false) if self.linear => (lower + upper) / 2.0,
            (false, false) => {
                let middle = (lower * upper).abs().sqrt();
                if positive { middle } else { -middle }
            }
        }
    }
}
