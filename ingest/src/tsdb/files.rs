//! Where a block's files lie: a folder, or a bucket. The one seam between parsers and storage.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engine::bucket::Bucket;
use engine::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// The files of one block, named as inside its folder: `index`, `chunks/000001`, `meta.json`.
pub trait BlockFiles: std::fmt::Debug + Send + Sync {
    /// What errors call the block: its folder or its path in the bucket.
    fn name(&self) -> &str;

    /// The size of `file`, `None` if there is none.
    fn size(&self, file: &str) -> Result<Option<u64>>;

    /// Bytes of `file`; exactly as many as asked, else an error.
    fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes>;

    /// How many bytes one read should bring: enough that its fixed cost vanishes.
    fn read_ahead(&self) -> usize;

    /// The size of a file that a block must have.
    fn must_size(&self, file: &str) -> Result<u64> {
        self.size(file)?
            .ok_or_else(|| Error::corrupt(format!("{}/{file} does not exist", self.name())))
    }
}

/// A block in a folder.
#[derive(Debug)]
pub struct LocalBlock {
    dir: PathBuf,
    name: String,
    open: Mutex<HashMap<String, Arc<File>>>,
}

impl LocalBlock {
    /// The block in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { name: dir.display().to_string(), dir, open: Mutex::default() }
    }

    /// The same block, called `name` in errors.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn error(&self, file: &str, error: std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{}/{file}", self.name)).with_source(error)
    }

    fn file(&self, name: &str) -> Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(name) {
            return Ok(Arc::clone(file));
        }
        let file = File::open(self.dir.join(name)).map_err(|e| self.error(name, e))?;
        let file = Arc::new(file);
        open.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

impl BlockFiles for LocalBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self, file: &str) -> Result<Option<u64>> {
        match std::fs::metadata(self.dir.join(file)) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error(file, e)),
        }
    }

    fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        let length = range_length(&range)?;
        let mut bytes = vec![0; length];
        self.file(file)?.read_exact_at(&mut bytes, range.start).map_err(|e| {
            self.error(file, e).context(format!("bytes {} to {}", range.start, range.end))
        })?;
        Ok(bytes.into())
    }

    fn read_ahead(&self) -> usize {
        1 << 20
    }
}

/// A block in a bucket. Reads wait for the store: call them on a thread that may block
/// (`spawn_blocking`), never inside a task.
#[derive(Debug)]
pub struct BucketBlock {
    bucket: Bucket,
    prefix: String,
    name: String,
    sizes: HashMap<String, u64>,
    runtime: Handle,
}

impl BucketBlock {
    /// The block under `prefix` (its ULID, at a bucket's top level). Lists its files, and keeps the
    /// current runtime for its reads.
    pub async fn open(bucket: &Bucket, prefix: &str) -> Result<Self> {
        let prefix = prefix.trim_end_matches('/').to_owned();
        let objects = bucket.list(&prefix).await?;
        let sizes = objects
            .into_iter()
            .filter_map(|object| {
                let file = object.path.strip_prefix(&prefix)?.strip_prefix('/')?.to_owned();
                Some((file, object.size_bytes))
            })
            .collect();
        Ok(Self {
            name: format!("{}/{prefix}", bucket.name()),
            bucket: bucket.clone(),
            prefix,
            sizes,
            runtime: Handle::current(),
        })
    }
}

impl BlockFiles for BucketBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self, file: &str) -> Result<Option<u64>> {
        Ok(self.sizes.get(file).copied())
    }

    fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        range_length(&range)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let path = format!("{}/{file}", self.prefix);
        self.runtime.block_on(self.bucket.get_range(&path, range))
    }

    fn read_ahead(&self) -> usize {
        8 << 20
    }
}

fn range_length(range: &Range<u64>) -> Result<usize> {
    range
        .end
        .checked_sub(range.start)
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| Error::internal(format!("read of bytes {} to {}", range.start, range.end)))
}

#[cfg(test)]
pub(crate) mod memory {
    //! Files in memory, read in small pieces.

    use super::*;

    #[derive(Debug)]
    pub(crate) struct MemoryBlock(HashMap<String, Vec<u8>>);

    impl MemoryBlock {
        pub(crate) fn of<const N: usize>(files: [(&str, Vec<u8>); N]) -> Self {
            Self(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
        }
    }

    impl BlockFiles for MemoryBlock {
        fn name(&self) -> &str {
            "memory"
        }

        fn size(&self, file: &str) -> Result<Option<u64>> {
            Ok(self.0.get(file).map(|bytes| bytes.len() as u64))
        }

        fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
            let bytes = self.0[file].get(range.start as usize..range.end as usize);
            let bytes = bytes.ok_or_else(|| {
                Error::internal(format!("{file}: {range:?} was asked for, beyond the file"))
            })?;
            Ok(Bytes::copy_from_slice(bytes))
        }

        fn read_ahead(&self) -> usize {
            16
        }
    }
}
