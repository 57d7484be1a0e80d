//! Object storage: where blocks lie, by Thanos' configuration, and how they are committed.

mod commit;
mod config;
mod metrics;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::{Error, ErrorKind, Result};

pub use commit::{commit, delete_block};
pub use metrics::BucketMetrics;

/// The prefix of all blocks; it hides them from a native Thanos, which reads only top-level ULIDs.
pub const BLOCKS_PREFIX: &str = "stoa/v1/blocks";

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
}

/// A bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: Arc<str>,
}

impl Bucket {
    /// A bucket over `store`; `name` is what errors and logs call it.
    pub fn new(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self { store, name: Arc::from(name) }
    }

    /// A bucket from Thanos' object storage YAML (`type`, `config`, `prefix`), as
    /// `--objstore.config` gives it. Unknown and duplicate keys are errors that name the key.
    pub fn from_yaml(yaml: &str) -> Result<Self> {
        config::from_yaml(yaml)
    }

    /// What errors and logs call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole object.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let got = self.store.get(&Path::from(path)).await.map_err(|e| self.error(path, e))?;
        got.bytes().await.map_err(|e| self.error(path, e))
    }

    /// Bytes of an object; an answer of another length is an error.
    pub async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let want = range.end - range.start;
        let bytes = self
            .store
            .get_range(&Path::from(path), range)
            .await
            .map_err(|e| self.error(path, e))?;
        if bytes.len() as u64 != want {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("{}/{path}: asked for {want} bytes, got {}", self.name, bytes.len()),
            ));
        }
        Ok(bytes)
    }

    /// Several ranges of one object, in the order asked for. Ranges that lie close together are read
    /// as one.
    pub async fn get_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        futures::future::try_join_all(ranges.iter().map(|r| self.get_range(path, r.clone()))).await
    }

    /// The size of an object in bytes; `NotFound` if there is none.
    pub async fn head(&self, path: &str) -> Result<u64> {
        self.store.head(&Path::from(path)).await.map(|m| m.size).map_err(|e| self.error(path, e))
    }

    /// The names of the folders directly under `prefix`, sorted.
    pub async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        let found = self
            .store
            .list_with_delimiter(Some(&Path::from(prefix)))
            .await
            .map_err(|e| self.error(prefix, e))?;
        let mut names: Vec<String> =
            found.common_prefixes.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Writes the content of a local file as an object, over what is there, with bounded memory.
    pub async fn put_file(&self, path: &str, file: &std::path::Path) -> Result<()> {
        let bytes = tokio::fs::read(file).await.map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("{}", file.display())).with_source(e)
        })?;
        self.put(path, bytes.into()).await
    }

    /// Writes an object, over what is there.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.store
            .put(&Path::from(path), PutPayload::from_bytes(bytes))
            .await
            .map(|_| ())
            .map_err(|e| self.error(path, e))
    }

    /// Writes an object only if there is none.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(bytes.clone());
        match self.store.put_opts(&Path::from(path), payload, options).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let there = self.get(path).await?;
                Ok(if there == bytes { Created::Same } else { Created::Different })
            }
            Err(e) => Err(self.error(path, e)),
        }
    }

    /// The objects under `prefix`, in order of their paths.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut objects: Vec<Object> = self
            .store
            .list(Some(&Path::from(prefix)))
            .map_ok(|meta| Object { path: meta.location.to_string(), size_bytes: meta.size })
            .try_collect()
            .await
            .map_err(|e| self.error(prefix, e))?;
        objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// Removes an object.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.store.delete(&Path::from(path)).await.map_err(|e| self.error(path, e))
    }

    fn error(&self, path: &str, error: object_store::Error) -> Error {
        let kind = match &error {
            object_store::Error::NotFound { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{}/{path}", self.name)).with_source(error)
    }
}
