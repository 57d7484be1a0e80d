//! Samples that are read for any part of a roster.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::physical_plan::ExecutionPlan;

use super::{EncodedChunk, Roster};
use crate::{Error, Result};

/// A selector's series at each source that has some, and how their samples are read.
#[derive(Debug, Clone, Default)]
pub struct ResolvedParts {
    /// What each source has. Several may have the same series.
    pub sources: Vec<SourceParts>,
    /// What could not be read, if partial answers are wanted.
    pub warnings: Vec<String>,
}

impl ResolvedParts {
    /// What one source has.
    pub fn one(roster: Arc<Roster>, samples: Parts, warnings: Vec<String>) -> Self {
        Self { sources: vec![SourceParts { roster, samples }], warnings }
    }
}

/// A selector's series at one source.
#[derive(Debug, Clone)]
pub struct SourceParts {
    /// The matching series.
    pub roster: Arc<Roster>,
    /// Their samples.
    pub samples: Parts,
}

/// How the samples of a roster can be read. Runs are of whole windows
/// ([`whole_windows`](crate::chunk::whole_windows)), so that the chunks made of them are those of a
/// native block; chunks are all that overlap the range that was asked for.
#[derive(Debug, Clone)]
pub enum Parts {
    /// Runs of all series by one plan, in the roster's order.
    Whole(Arc<dyn ExecutionPlan>),
    /// Runs of any of the series.
    Runs(Arc<dyn RunParts>),
    /// Chunks of any of the series, as they are kept.
    Chunks(Arc<dyn ChunkParts>),
}

/// Runs for any part of a roster, so that a reader who wants the series in another order holds no
/// more than a part.
pub trait RunParts: fmt::Debug + Send + Sync {
    /// A plan that streams run batches of `series` (indices into the roster, ascending). In its
    /// batches the column `series` is the position in that slice. All parts count against one limit
    /// of samples.
    fn part(&self, series: &[u32]) -> Result<Arc<dyn ExecutionPlan>>;
}

/// Chunks for any part of a roster. They may overlap, and come as they are kept: whoever sends them on
/// need not decode them.
#[async_trait]
pub trait ChunkParts: fmt::Debug + Send + Sync {
    /// The chunks of each of `series` (indices into the roster, ascending), by time.
    async fn part(&self, series: &[u32]) -> Result<Vec<Vec<EncodedChunk>>>;

    /// Takes note that one of the chunks is damaged, as `error` says; returns what the reader is told.
    fn damaged(&self, error: Error) -> Error {
        error
    }

    /// How many bytes stay in memory as long as the chunks can be read.
    fn held(&self) -> usize {
        0
    }
}
