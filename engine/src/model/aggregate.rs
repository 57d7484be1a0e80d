//! The aggregates of downsampled samples.

/// One value a window of a downsampled series (`pkg/compact/downsample`, in the order of its chunks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregate {
    /// How many raw samples the window has.
    Count,
    /// Their sum.
    Sum,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
    /// What a counter has counted, resets undone.
    Counter,
}

impl Aggregate {
    /// All of them, in the order of Thanos' chunks.
    pub const ALL: [Self; 5] = [Self::Count, Self::Sum, Self::Min, Self::Max, Self::Counter];
}

/// The one value that stands for a downsampled sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateValue {
    /// The sum by the count.
    Average,
    /// One aggregate.
    Of(Aggregate),
}

/// A set of aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aggregates(u8);

impl Aggregates {
    /// None.
    pub const NONE: Self = Self(0);
    /// What an average is computed from.
    pub const AVERAGE: Self = Self::of(Aggregate::Count).and(Aggregate::Sum);
    /// The counter alone.
    pub const COUNTER: Self = Self::of(Aggregate::Counter);
    /// All of them.
    pub const ALL: Self =
        Self::AVERAGE.and(Aggregate::Min).and(Aggregate::Max).and(Aggregate::Counter);

    /// The set of one.
    pub const fn of(aggregate: Aggregate) -> Self {
        Self(1 << aggregate as u8)
    }

    /// The set, and one more.
    #[must_use]
    pub const fn and(self, aggregate: Aggregate) -> Self {
        Self(self.0 | Self::of(aggregate).0)
    }

    /// Whether `aggregate` is in the set.
    pub const fn has(self, aggregate: Aggregate) -> bool {
        self.0 & Self::of(aggregate).0 != 0
    }

    /// The value that the set stands for; none if it is not one value (`chunkSeries.Iterator` in
    /// `pkg/query/iter.go`).
    pub fn value(self) -> Option<AggregateValue> {
        if self == Self::AVERAGE {
            return Some(AggregateValue::Average);
        }
        let mut all = self.iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Some(AggregateValue::Of(only)),
            _ => None,
        }
    }

    /// Those in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Aggregate> {
        Aggregate::ALL.into_iter().filter(move |&aggregate| self.has(aggregate))
    }
}

/// What a query that names no function over the series reads: averages (`aggrsFromFunc`).
impl Default for Aggregates {
    fn default() -> Self {
        Self::AVERAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        assert_eq!(Aggregates::AVERAGE.iter().collect::<Vec<_>>(), Aggregate::ALL[..2]);
        assert_eq!(Aggregates::ALL.iter().collect::<Vec<_>>(), Aggregate::ALL);
        assert_eq!(Aggregates::NONE.iter().next(), None);
        assert!(!Aggregates::COUNTER.has(Aggregate::Max));
    }

    #[test]
    fn one_aggregate_or_an_average_is_a_value() {
        assert_eq!(Aggregates::AVERAGE.value(), Some(AggregateValue::Average));
        for aggregate in Aggregate::ALL {
            assert_eq!(Aggregates::of(aggregate).value(), Some(AggregateValue::Of(aggregate)));
        }
        for none in [Aggregates::NONE, Aggregates::ALL, Aggregates::COUNTER.and(Aggregate::Sum)] {
            assert_eq!(none.value(), None);
        }
    }
}
