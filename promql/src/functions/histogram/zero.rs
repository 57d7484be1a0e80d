//! Zero buckets of different widths.

use std::cmp::Ordering;

use super::FloatHistogram;
use crate::functions::kahan::Kahan;

impl FloatHistogram {
    /// What the zero bucket would count if it were `threshold` wide, and how wide it is then: up to
    /// the end of a bucket with observations that `threshold` lies in
    /// (`zeroCountForLargerThreshold`).
    pub(super) fn zero_count_for(&self, threshold: f64) -> (f64, f64) {
        let (zero, threshold) = self.kahan_zero_count_for(threshold, None);
        (zero.sum, threshold)
    }

    /// The same with what has been lost, of a sum whose lost parts are `lost`.
    fn kahan_zero_count_for(&self, mut threshold: f64, lost: Option<&Self>) -> (Kahan, f64) {
        let lost_before = lost.map_or(0.0, |lost| lost.zero_count);
        let start = |kept| Kahan { sum: self.zero_count, lost: kept };
        // NaN never reaches any bucket.
        if threshold.partial_cmp(&self.zero_threshold) != Some(Ordering::Greater) {
            return (start(lost_before), threshold);
        }
        let mut kept = lost_before;
        'again: loop {
            let mut zero = start(kept);
            for (at, bucket) in self.positive().enumerate() {
                if bucket.lower >= threshold {
                    break;
                }
                zero.add(bucket.count);
                if let Some(lost) = lost.and_then(|lost| lost.positive_buckets.get(at)) {
                    zero.add(*lost);
                }
                if bucket.upper > threshold {
                    if bucket.count != 0.0 {
                        threshold = bucket.upper;
                    }
                    break;
                }
            }
            for (at, bucket) in self.negative().enumerate() {
                if bucket.upper <= -threshold {
                    break;
                }
                zero.add(bucket.count);
                if let Some(lost) = lost.and_then(|lost| lost.negative_buckets.get(at)) {
                    zero.add(*lost);
                }
                if bucket.lower < -threshold {
                    if bucket.count != 0.0 {
                        // What was taken from above zero is wrong now.
                        threshold = -bucket.lower;
                        kept = zero.lost;
                        continue 'again;
                    }
                    break;
                }
            }
            return (zero, threshold);
        }
    }

    /// Makes the zero bucket wide enough for both histograms; returns the zero count that `other`
    /// has then, and its error (`reconcileZeroBuckets`).
    pub(super) fn reconcile_zero(&mut self, other: &Self, mut lost: Option<&mut Self>) -> Kahan {
        let mut others = Kahan { sum: other.zero_count, lost: 0.0 };
        let mut threshold = other.zero_threshold;
        loop {
            match threshold.partial_cmp(&self.zero_threshold) {
                // A width that is not a number meets none.
                Some(Ordering::Equal) | None => return others,
                Some(Ordering::Less) => {
                    (others, threshold) = other.kahan_zero_count_for(self.zero_threshold, None);
                }
                Some(Ordering::Greater) => {
                    let (zero, wider) = self.kahan_zero_count_for(threshold, lost.as_deref());
                    (self.zero_count, self.zero_threshold) = (zero.sum, wider);
                    if let Some(lost) = lost.as_deref_mut() {
                        (lost.zero_count, lost.zero_threshold) = (zero.lost, wider);
                    }
                    self.empty_below_threshold(lost.as_deref_mut());
                }
            }
        }
    }

    /// Removes the buckets that are in the zero bucket now (`trimBucketsInZeroBucket`).
    fn empty_below_threshold(&mut self, lost: Option<&mut Self>) {
        let threshold = self.zero_threshold;
        let positive = self.positive().take_while(|bucket| bucket.lower < threshold).count();
        let negative = self.negative().take_while(|bucket| bucket.upper > -threshold).count();
        let empty = |histogram: &mut Self| {
            histogram.positive_buckets.iter_mut().take(positive).for_each(|count| *count = 0.0);
            histogram.negative_buckets.iter_mut().take(negative).for_each(|count| *count = 0.0);
        };
        empty(self);
        match lost {
            None => self.compact(),
            Some(lost) => {
                empty(lost);
                self.compact_with(lost);
            }
        }
    }
}
