//! Chunks that are kept as they came.

use std::fmt;

use async_trait::async_trait;

use super::EncodedChunk;
use crate::source::ChunkParts;
use crate::{Error, Result};

/// The chunks of each series in order of the roster, and what accounts for their memory.
pub(in crate::source) struct Kept {
    series: Vec<Vec<EncodedChunk>>,
    _held: Box<dyn Send + Sync>,
}

impl Kept {
    pub(in crate::source) fn new(
        series: Vec<Vec<EncodedChunk>>,
        held: Box<dyn Send + Sync>,
    ) -> Self {
        Self { series, _held: held }
    }

    /// All chunks.
    pub(in crate::source) fn chunks(&self) -> impl Iterator<Item = &EncodedChunk> {
        self.series.iter().flatten()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} series)", self.series.len())
    }
}

#[async_trait]
impl ChunkParts for Kept {
    async fn part(&self, series: &[u32]) -> Result<Vec<Vec<EncodedChunk>>> {
        let chunks = |&at: &u32| match self.series.get(at as usize) {
            Some(chunks) => Ok(chunks.clone()),
            None => Err(Error::internal(format!("no series {at}"))),
        };
        series.iter().map(chunks).collect()
    }
}
