//! Time ranges in milliseconds since 1970, UTC.

use std::time::{SystemTime, UNIX_EPOCH};

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

/// A moment: a time, or one relative to whenever it is asked for (Thanos' `TimeOrDurationValue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In ms since 1970.
    At(i64),
    /// In ms from now on; negative is before.
    FromNow(i64),
}

impl Moment {
    /// In ms since 1970, as of now.
    pub fn ms(self) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::FromNow(ms) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_add(ms)
            }
        }
    }
}

/// A range between moments, which may move on with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Where it begins.
    pub min: Moment,
    /// Where it ends.
    pub max: Moment,
}

impl Bounds {
    /// The range as of now.
    pub fn range(self) -> TimeRange {
        TimeRange::new(self.min.ms(), self.max.ms())
    }
}

impl From<TimeRange> for Bounds {
    fn from(range: TimeRange) -> Self {
        Self { min: Moment::At(range.min), max: Moment::At(range.max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_move_on_with_time() {
        let now = || Moment::FromNow(0).ms();
        let (day, before) = (86_400_000, now());
        let bounds = Bounds { min: Moment::FromNow(-day), max: Moment::At(i64::MAX) };
        let range = bounds.range();
        assert!((before - day..=now() - day).contains(&range.min), "{range:?}");
        assert_eq!(range.max, i64::MAX);
        assert_eq!(Bounds::from(TimeRange::ALL).range(), TimeRange::ALL);
    }
}
