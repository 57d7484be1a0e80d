//! Runs that were chosen before they are read: by dedup, in a rewrite of blocks.

use std::fmt;

use super::wave::Stretch;
use crate::Result;

/// Consecutive rows of one file that belong to one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PickedRun {
    /// The series, by its place in the plan.
    pub(crate) series: u32,
    /// The rows; none is outside of what the file's block stands for.
    pub(crate) stretch: Stretch,
}

/// Chosen runs, in the order in which they are read. Runs of one series that follow each other ascend in
/// time.
pub(crate) trait PickedRuns: fmt::Debug + Send + Sync {
    /// The runs from the first on.
    fn runs(&self) -> Result<Box<dyn Iterator<Item = Result<PickedRun>> + Send>>;
}
