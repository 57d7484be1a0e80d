//! Questions to both engines and their answers, in one form.

use std::collections::BTreeMap;

use super::promqltest::histogram::Native;

/// A question. Times are in ms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// Whose query it is: a group of the query file, or a line's name.
    pub(crate) about: String,
    /// The PromQL text; the selector of a metadata call, or empty.
    pub(crate) query: String,
    /// What is asked.
    pub(crate) ask: Ask,
}

/// What is asked about a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// Its value at a time.
    Instant(i64),
    /// Its values from start to end, each step.
    Range { start: i64, end: i64, step: i64 },
    /// The label sets of the series with samples between start and end.
    Series { start: i64, end: i64 },
    /// Their label names.
    Labels { start: i64, end: i64 },
    /// The values of one label.
    Values { name: String, start: i64, end: i64 },
}

/// A series of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Series {
    /// Times in ms and values.
    pub(crate) points: Vec<(i64, f64)>,
    /// Times in ms and native histograms.
    pub(crate) histograms: Vec<(i64, Native)>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// A scalar, vector or matrix (or series, with no points), in the order in which it came.
    Data { kind: String, series: Vec<(BTreeMap<String, String>, Series)> },
    /// A string.
    Text(String),
    /// Label names or values.
    Names(Vec<String>),
    /// An error.
    Error(String),
}

/// An answer with what the engine remarks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remarked {
    /// The answer.
    pub(crate) answer: Answer,
    /// Whether the answer is the parser's error.
    pub(crate) refused: bool,
    /// Warnings, in order.
    pub(crate) warnings: Vec<String>,
    /// Infos, in order.
    pub(crate) infos: Vec<String>,
}

impl Answer {
    /// Whether there is anything in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Data { series, .. } => series.is_empty(),
            Self::Text(_) => false,
            Self::Names(names) => names.is_empty(),
            Self::Error(_) => true,
        }
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.ask {
            Ask::Instant(time) => write!(f, "[{}] {} at {time}", self.about, self.query),
            Ask::Range { start, end, step } => {
                write!(f, "[{}] {} from {start} to {end} by {step}", self.about, self.query)
            }
            ask => write!(f, "[{}] {} {ask:?}", self.about, self.query),
        }
    }
}
