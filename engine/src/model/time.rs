//! Time ranges in milliseconds since 1970, UTC.

/// A range of sample timestamps in milliseconds, both ends included.
///
/// A block's `[minTime, maxTime)` of `meta.json` is `TimeRange::new(min_time, max_time - 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The earliest timestamp inside.
    pub min: i64,
    /// The latest timestamp inside.
    pub max: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    /// The range from `min` to `max`, both included; empty if `max < min`.
    pub const fn new(min: i64, max: i64) -> Self {
        Self { min, max }
    }

    /// Whether no timestamp is inside.
    pub fn is_empty(&self) -> bool {
        self.max < self.min
    }

    /// Whether both ranges have a timestamp in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.is_empty() && !other.is_empty() && self.min <= other.max && other.min <= self.max
    }

    /// Whether `ts` is inside.
    pub fn contains(&self, ts: i64) -> bool {
        self.min <= ts && ts <= self.max
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}
