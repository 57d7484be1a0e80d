//! Numbers of one native histogram: `histogram_count`, `histogram_avg`, … (`simpleHistogramFunc`).

use super::histogram::FloatHistogram;

/// What is asked of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistogramValue {
    /// `histogram_count`
    Count,
    /// `histogram_sum`
    Sum,
    /// `histogram_avg`
    Avg,
    /// `histogram_stddev`
    Stddev,
    /// `histogram_stdvar`
    Stdvar,
}

const NAMES: [(&str, HistogramValue); 5] = [
    ("histogram_count", HistogramValue::Count),
    ("histogram_sum", HistogramValue::Sum),
    ("histogram_avg", HistogramValue::Avg),
    ("histogram_stddev", HistogramValue::Stddev),
    ("histogram_stdvar", HistogramValue::Stdvar),
];

impl HistogramValue {
    /// That of the function called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    /// The function's name.
    pub fn function(self) -> &'static str {
        NAMES.iter().find(|&&(_, value)| value == self).map_or("", |&(name, _)| name)
    }

    /// The number.
    pub fn of(self, histogram: &FloatHistogram) -> f64 {
        match self {
            Self::Count => histogram.count,
            Self::Sum => histogram.sum,
            Self::Avg => histogram.avg(),
            Self::Stddev => histogram.stddev(),
            Self::Stdvar => histogram.stdvar(),
        }
    }
}
