//! Where the samples of the sources of a rewrite went.

use std::sync::Arc;

use crate::block::{BlockMeta, Digest};
use crate::catalog::Catalog;
use crate::{Error, Result};

/// The samples of one source.
#[derive(Debug, Clone)]
pub struct SourceAccount {
    /// The source.
    pub meta: Arc<BlockMeta>,
    /// Those that are in the result, with the source's labels.
    pub kept: Digest,
    /// Those that another replica or block stands for.
    pub left_out: Digest,
}

/// The samples of all sources.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Source by source.
    pub sources: Vec<SourceAccount>,
}

impl Account {
    /// Nothing was read yet of `blocks`.
    pub(super) fn new<'a>(blocks: impl IntoIterator<Item = &'a Arc<BlockMeta>>) -> Self {
        let source = |meta: &Arc<BlockMeta>| SourceAccount {
            meta: Arc::clone(meta),
            kept: Digest::default(),
            left_out: Digest::default(),
        };
        Self { sources: blocks.into_iter().map(source).collect() }
    }

    /// How many samples are in the result.
    pub fn kept(&self) -> u64 {
        self.sources.iter().map(|source| source.kept.count).sum()
    }

    /// How many samples were left out.
    pub fn left_out(&self) -> u64 {
        self.sources.iter().map(|source| source.left_out.count).sum()
    }

    /// Whether each source's samples, kept and left out, are those that it was made with. A source that
    /// has others is set aside in `catalog`.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for the first source that has others.
    pub(super) fn check(&self, catalog: &Catalog) -> Result<()> {
        for source in &self.sources {
            let mut read = source.kept;
            read.merge(&source.left_out);
            let said = &source.meta.stoa.digest;
            if read.to_string() != *said {
                let what =
                    format!("the digest of all samples read is {read}, meta.json says {said}");
                catalog.set_aside(source.meta.ulid, &what);
                return Err(Error::corrupt(what).context(format!("block {}", source.meta.ulid)));
            }
        }
        Ok(())
    }
}
