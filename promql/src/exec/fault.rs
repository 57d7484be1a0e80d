//! Errors that depend on the samples and name series: operators know ids, so they say which, and
//! the root, which knows the labels, says it in Prometheus' words.

use std::fmt;

use datafusion::error::DataFusionError;

/// Which side of a binary operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The left operand.
    Left,
    /// The right operand.
    Right,
}

/// What is wrong with the samples of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Two series of one label set have a value at one step.
    SameLabels,
    /// Two series on the one side of a binary operation match one group at one step.
    DuplicateMatch {
        /// The number of the binary operation in the plan.
        operation: u32,
        /// The one side.
        side: Side,
        /// The series seen first (index into that side's series).
        first: u32,
        /// The other one.
        second: u32,
    },
    /// One-to-one matching, but the other side has two series in a group.
    ManyToOne,
    /// With `group_left`/`group_right`, two results have one label set.
    GroupingLabels,
    /// Two info series of one metric have their newest sample at one time.
    DuplicateInfo {
        /// The number of the operation in the plan.
        operation: u32,
        /// The series seen first (index into the info series).
        first: u32,
        /// The other one.
        second: u32,
        /// The time in ms.
        time: i64,
    },
    /// Anything else that Prometheus refuses while it evaluates, in its words.
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameLabels => "vector cannot contain metrics with the same labelset",
            Self::DuplicateMatch { .. } => "found duplicate series for the match group",
            Self::DuplicateInfo { .. } => "found duplicate series for info metric",
            Self::ManyToOne => {
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            }
            Self::GroupingLabels => {
                "multiple matches for labels: grouping labels must ensure unique matches"
            }
            Self::Other(text) => text,
        })
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for DataFusionError {
    fn from(fault: Fault) -> Self {
        Self::External(Box::new(fault))
    }
}

impl Fault {
    /// The fault inside `error`, if there is one.
    pub fn find(error: &DataFusionError) -> Option<&Self> {
        match error {
            DataFusionError::External(inner) => inner.downcast_ref(),
            DataFusionError::Context(_, inner) => Self::find(inner),
            DataFusionError::Shared(inner) => Self::find(inner),
            _ => None,
        }
    }
}
