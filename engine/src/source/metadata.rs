//! What the blocks of a bucket say of their metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;

use crate::block::meta::BlockId;
use crate::block::{BlockMeta, MetricMetadata, metadata};
use crate::catalog::Catalog;

/// How many blocks are read at once.
const READS: usize = 8;

/// Metadata of metrics, with what could not be read.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Of each part its metrics, sorted; newer parts first.
    pub parts: Vec<Arc<Vec<MetricMetadata>>>,
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// Whoever knows types, units and help texts of metrics.
#[async_trait]
pub trait MetadataSource: std::fmt::Debug + Send + Sync {
    /// All that is known now.
    async fn metadata(&self) -> Metadata;
}

/// The metadata of a bucket: of each set of external labels those of its newest block that has any.
#[derive(Debug)]
pub struct BlockMetadata {
    catalog: Arc<Catalog>,
    /// Of the blocks that were asked last.
    read: Mutex<HashMap<BlockId, Arc<Vec<MetricMetadata>>>>,
}

impl BlockMetadata {
    /// Of the blocks that `catalog` knows.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, read: Mutex::default() }
    }

    /// The newest block of each set of external labels, newest first.
    fn newest(&self) -> Vec<Arc<BlockMeta>> {
        let snapshot = self.catalog.snapshot();
        let mut of_labels: HashMap<&BTreeMap<String, String>, &Arc<BlockMeta>> = HashMap::new();
        for meta in snapshot.blocks.iter().filter(|meta| metadata::is_in(meta)) {
            let newest = of_labels.entry(&meta.thanos.labels).or_insert(meta);
            if (meta.max_time, meta.ulid) > (newest.max_time, newest.ulid) {
                *newest = meta;
            }
        }
        let mut newest: Vec<Arc<BlockMeta>> = of_labels.into_values().cloned().collect();
        newest.sort_by_key(|meta| std::cmp::Reverse((meta.max_time, meta.ulid)));
        newest
    }
}

#[async_trait]
impl MetadataSource for BlockMetadata {
    /// A block that cannot be read is a warning; its samples may be sound.
    async fn metadata(&self) -> Metadata {
        let newest = self.newest();
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read: Vec<_> = futures::stream::iter(newest)
            .map(|meta| {
                let known = known.get(&meta.ulid).cloned();
                async move {
                    match known {
                        Some(known) => (meta, Ok(known)),
                        None => {
                            let rows = metadata::read(&self.catalog.bucket, &meta).await;
                            (meta, rows.map(Arc::new))
                        }
                    }
                }
            })
            .buffered(READS)
            .collect()
            .await;
        let mut answer = Metadata::default();
        let mut kept = HashMap::new();
        for (meta, rows) in read {
            match rows {
                Ok(rows) => {
                    kept.insert(meta.ulid, Arc::clone(&rows));
                    answer.parts.push(rows);
                }
                Err(error) => answer.warnings.push(format!("block {}: {error}", meta.ulid)),
            }
        }
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        answer
    }
}
