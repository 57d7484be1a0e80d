//! Series that are sent on as they came.

use std::fmt;

use async_trait::async_trait;

use super::{ChunkedSeries, EncodedChunk};
use crate::source::ChunkParts;
use crate::{Error, Result};

/// Series in order of the roster, and what accounts for their memory.
pub(super) struct Kept {
    series: Vec<ChunkedSeries>,
    _held: Box<dyn Send + Sync>,
}

impl Kept {
    pub(super) fn new(series: Vec<ChunkedSeries>, held: Box<dyn Send + Sync>) -> Self {
        Self { series, _held: held }
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
            Some(one) => Ok(one.chunks.clone()),
            None => Err(Error::internal(format!("no series {at}"))),
        };
        series.iter().map(chunks).collect()
    }
}
