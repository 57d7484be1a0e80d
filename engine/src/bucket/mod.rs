//! Object storage: where blocks lie, by Thanos' configuration, and how they are committed.

mod cached;
mod commit;
mod config;
mod failure;
mod folder;
mod metrics;
mod ranges;
mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::{Error, ErrorKind, Result};

pub use commit::{commit, delete_block};
pub use metrics::BucketMetrics;
pub use ranges::{MERGE_GAP_BYTES, MERGED_BYTES, Merged, merge};

use config::Secrets;
use metrics::Operation;
use upload::UploadSettings;

/// The prefix of all blocks; it hides them from a native Thanos, which reads only top-level ULIDs.
pub const BLOCKS_PREFIX: &str = "stoa/v1/blocks";

/// How often a create-if-absent is tried when the store says that the object is there, and then that
/// it is not: another writer was under way and failed, or was not finished.
const CREATE_TRIES: usize = 3;

/// What a create-if-absent did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// An object with the same content was there.
    Same,
    /// An object with other content was there; it is untouched.
    Different,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its path inside the bucket.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was written, in ms since 1970, by the store's clock.
    pub modified: i64,
}

/// A bucket. Cheap to clone. No error and no `Debug` of it shows a secret of its configuration.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: Arc<str>,
    secrets: Arc<Secrets>,
    upload: Arc<UploadSettings>,
    metrics: BucketMetrics,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Bucket {
    /// A bucket over `store`; `name` is what errors, logs and metrics call it.
    pub fn new(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self {
            store,
            name: Arc::from(name),
            secrets: Arc::default(),
            upload: Arc::default(),
            metrics: BucketMetrics::default(),
        }
    }

    /// A bucket from Thanos' object storage YAML (`type`, `config`, `prefix`), as
    /// `--objstore.config` gives it. Unknown and duplicate keys are errors that name the key. Nothing
    /// is asked of the store yet: a missing bucket or a refused credential shows at the first call.
    pub fn from_yaml(yaml: &str) -> Result<Self> {
        config::from_yaml(yaml)
    }

    /// The same bucket, counting into `metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: BucketMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// What errors, logs and metrics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole object.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        self.get_at_most(path, u64::MAX).await
    }

    /// The whole object, unless it has more than `most` bytes: that is a
    /// [`Corrupt`](ErrorKind::Corrupt) error, and nothing of it is read.
    pub async fn get_at_most(&self, path: &str, most: u64) -> Result<Bytes> {
        let work = async {
            let got = self.store.get(&Path::from(path)).await.map_err(|e| self.error(path, &e))?;
            if got.meta.size > most {
                return Err(Error::corrupt(format!(
                    "{}/{path}: {} bytes, more than {most}",
                    self.name, got.meta.size
                )));
            }
            got.bytes().await.map_err(|e| self.error(path, &e))
        };
        let bytes = self.metrics.observe(&self.name, Operation::get, work).await?;
        self.metrics.fetched(&self.name, Operation::get, bytes.len() as u64);
        Ok(bytes)
    }

    /// Bytes of an object; an answer of another length is an error.
    pub async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let want = range.end - range.start;
        let work = async {
            // One by one, a folder's ranges take two turns on a thread that may block.
            let ranges = self.store.get_ranges(&Path::from(path), &[range]).await;
            let mut ranges = ranges.map_err(|e| self.error(path, &e))?;
            let bytes = ranges.pop().unwrap_or_default();
            if bytes.len() as u64 != want {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("{}/{path}: asked for {want} bytes, got {}", self.name, bytes.len()),
                ));
            }
            Ok(bytes)
        };
        let bytes = self.metrics.observe(&self.name, Operation::get_range, work).await?;
        self.metrics.fetched(&self.name, Operation::get_range, bytes.len() as u64);
        Ok(bytes)
    }

    /// Several ranges of one object, in the order asked for. Ranges that lie close together are read
    /// as one ([`merge`]), the reads in parallel.
    pub async fn get_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        ranges::get(self, path, ranges).await
    }

    /// The size of an object in bytes; `NotFound` if there is none.
    pub async fn head(&self, path: &str) -> Result<u64> {
        let work = async {
            self.store
                .head(&Path::from(path))
                .await
                .map(|meta| meta.size)
                .map_err(|e| self.error(path, &e))
        };
        self.metrics.observe(&self.name, Operation::attributes, work).await
    }

    /// Writes an object, over what is there.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let work = upload::put(self, path, bytes);
        self.metrics.observe(&self.name, Operation::upload, work).await
    }

    /// Writes the content of a local file as an object, over what is there, in parts: memory stays
    /// bounded. After an error no object and no part stays.
    pub async fn put_file(&self, path: &str, file: &std::path::Path) -> Result<()> {
        let work = upload::put_file(self, path, file);
        self.metrics.observe(&self.name, Operation::upload, work).await
    }

    /// Writes an object only if there is none. When the outcome of a request is unknown (a lost
    /// answer, a retry that meets its own success), the object is read and compared.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created> {
        let work = self.create_or_compare(path, bytes);
        self.metrics.observe(&self.name, Operation::upload, work).await
    }

    async fn create_or_compare(&self, path: &str, bytes: Bytes) -> Result<Created> {
        let mut tries = 0;
        loop {
            tries += 1;
            let options = PutOptions {
                mode: PutMode::Create,
                attributes: self.upload.attributes.clone(),
                ..PutOptions::default()
            };
            let payload = PutPayload::from_bytes(bytes.clone());
            let error = match self.store.put_opts(&Path::from(path), payload, options).await {
                Ok(_) => return Ok(Created::New),
                Err(error) => error,
            };
            let exists = matches!(
                error,
                object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. }
            );
            match self.get_at_most(path, bytes.len() as u64).await {
                Ok(there) if there == bytes => return Ok(Created::Same),
                Ok(_) => return Ok(Created::Different),
                Err(e) if e.kind() == ErrorKind::Corrupt => return Ok(Created::Different),
                Err(e) if e.kind() == ErrorKind::NotFound && exists && tries < CREATE_TRIES => {}
                Err(_) => return Err(self.error(path, &error)),
            }
        }
    }

    /// The objects under `prefix`, in order of their paths.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let work = async {
            let mut objects: Vec<Object> = self
                .store
                .list(Some(&Path::from(prefix)))
                .map_ok(|meta| Object {
                    path: meta.location.to_string(),
                    size_bytes: meta.size,
                    modified: meta.last_modified.timestamp_millis(),
                })
                .try_collect()
                .await
                .map_err(|e| self.error(prefix, &e))?;
            objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            Ok(objects)
        };
        self.metrics.observe(&self.name, Operation::iter, work).await
    }

    /// The names of the folders directly under `prefix`, sorted.
    pub async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        let work = async {
            let found = self
                .store
                .list_with_delimiter(Some(&Path::from(prefix)))
                .await
                .map_err(|e| self.error(prefix, &e))?;
            let mut names: Vec<String> = found
                .common_prefixes
                .iter()
                .filter_map(|path| path.filename().map(str::to_owned))
                .collect();
            names.sort_unstable();
            Ok(names)
        };
        self.metrics.observe(&self.name, Operation::iter, work).await
    }

    /// Removes an object. That there is none may be an error or not: stores differ.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let work =
            async { self.store.delete(&Path::from(path)).await.map_err(|e| self.error(path, &e)) };
        self.metrics.observe(&self.name, Operation::delete, work).await
    }
}
