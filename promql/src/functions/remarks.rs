//! What functions notice in the samples, for the annotations of an answer.

/// One thing that may be said of the samples of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Remark {
    /// A range has numbers and histograms, and the function takes one kind.
    MixedRange,
    /// A group has numbers and histograms.
    MixedGroup,
    /// A classic and a native histogram have the same labels.
    MixedClassicNative,
    /// Histograms of exponential and of custom buckets.
    MixedBuckets,
    /// A gauge histogram where a counter is expected.
    NotCounter,
    /// A counter histogram where a gauge is expected.
    NotGauge,
    /// A counter by its use, but not by its name.
    PossibleNonCounter,
    /// Histograms of a range that also has numbers are left out.
    IgnoredInRange,
    /// Histograms are left out of an aggregation.
    IgnoredInAggregation,
    /// The observations of a histogram have NaN among them, and the quantile is NaN.
    QuantileNan,
    /// The observations have NaN among them, and the quantile is too high.
    QuantileSkewed,
    /// NaN observations are in no fraction.
    FractionNan,
    /// Histograms added although one says there was a reset and the other that there was none.
    CollisionAdd,
    /// The same, subtracted.
    CollisionSub,
    /// The same, in an aggregation.
    CollisionAggregation,
    /// Custom bounds differ, and only common ones are left: addition.
    ReconciledAdd,
    /// Subtraction.
    ReconciledSub,
    /// Aggregation.
    ReconciledAggregation,
    /// A binary operator on two numbers that it does not take.
    FloatFloat,
    /// A number and a histogram.
    FloatHistogram,
    /// A histogram and a number.
    HistogramFloat,
    /// Two histograms.
    HistogramHistogram,
    /// Two histograms whose buckets cannot be brought together.
    IncompatibleBuckets,
    /// A start timestamp before the sample before.
    StartOverlap,
    /// A number that is taken for a bucket, but has no bound.
    BadBucket,
}

const REMARKS: [Remark; 25] = [
    Remark::MixedRange,
    Remark::MixedGroup,
    Remark::MixedClassicNative,
    Remark::MixedBuckets,
    Remark::NotCounter,
    Remark::NotGauge,
    Remark::PossibleNonCounter,
    Remark::IgnoredInRange,
    Remark::IgnoredInAggregation,
    Remark::QuantileNan,
    Remark::QuantileSkewed,
    Remark::FractionNan,
    Remark::CollisionAdd,
    Remark::CollisionSub,
    Remark::CollisionAggregation,
    Remark::ReconciledAdd,
    Remark::ReconciledSub,
    Remark::ReconciledAggregation,
    Remark::FloatFloat,
    Remark::FloatHistogram,
    Remark::HistogramFloat,
    Remark::HistogramHistogram,
    Remark::IncompatibleBuckets,
    Remark::StartOverlap,
    Remark::BadBucket,
];

/// A set of [`Remark`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remarks(u32);

impl Remarks {
    /// Adds one.
    pub fn add(&mut self, remark: Remark) {
        self.0 |= 1 << remark as u8;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of `self` that are not in `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Remark> {
        REMARKS.into_iter().filter(move |&remark| self.0 & (1 << remark as u8) != 0)
    }
}

impl From<Remark> for Remarks {
    fn from(remark: Remark) -> Self {
        Self(1 << remark as u8)
    }
}
