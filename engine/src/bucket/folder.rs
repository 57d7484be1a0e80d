//! A bucket in a local folder that survives power loss: files and folders are synced before an
//! object is visible. `object_store`'s own local store does not sync.
//!
//! Reads, listings and removals are those of [`LocalFileSystem`]; so is the naming of staged files,
//! `<object>#<number>`, which listings leave out.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult, UploadPart,
};

use super::cached;
use crate::{Error, Result};

const STORE: &str = "folder";

/// Makes the names of staged files differ inside this process.
static STAGED: AtomicU64 = AtomicU64::new(0);

/// An [`ObjectStore`] over a folder. The folder is created by the first write, as Thanos does. Until
/// then a writer that looks at single objects and folders finds none; to list the whole bucket, as
/// readers do, is an error, because a mistyped path is not an empty bucket.
#[derive(Debug)]
pub(super) struct FolderStore {
    root: PathBuf,
    /// The files of the folder, and its path without symbolic links, once it exists.
    opened: OnceLock<(LocalFileSystem, PathBuf)>,
}

impl FolderStore {
    /// A store over `root`, which need not exist yet.
    pub(super) fn new(root: &FilePath) -> Result<Self> {
        let root = std::path::absolute(root).map_err(|e| {
            Error::invalid(format!("config.directory {:?}", root.display())).with_source(e)
        })?;
        if root.exists() && !root.is_dir() {
            return Err(Error::invalid(format!(
                "config.directory {:?} is not a folder",
                root.display()
            )));
        }
        Ok(Self { root, opened: OnceLock::new() })
    }

    /// The folder.
    pub(super) fn root(&self) -> &FilePath {
        &self.root
    }

    /// The files of the folder, which must exist.
    fn files(&self) -> StoreResult<&LocalFileSystem> {
        self.opened().map(|(files, _)| files)
    }

    fn opened(&self) -> StoreResult<&(LocalFileSystem, PathBuf)> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        if !self.root.is_dir() {
            return Err(StoreError::Generic {
                store: STORE,
                source: Box::new(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the bucket's folder {} does not exist", self.root.display()),
                )),
            });
        }
        let root = std::fs::canonicalize(&self.root).map_err(|e| failure(&self.root, e))?;
        let files = LocalFileSystem::new_with_prefix(&root)?.with_automatic_cleanup(true);
        Ok(self.opened.get_or_init(|| (files, root)))
    }

    /// Where the object at `location` lies; its folder exists and is durable afterwards.
    fn destination(&self, location: &Path) -> StoreResult<Destination> {
        if !self.root.is_dir() {
            std::fs::create_dir_all(&self.root).map_err(|e| failure(&self.root, e))?;
            if let Some(parent) = self.root.parent() {
                sync_folder(parent)?;
            }
        }
        let (files, root) = self.opened()?;
        Ok(Destination { file: files.path_to_filesystem(location)?, root: root.clone() })
    }
}

/// Where an object lies, and the folder of the bucket.
#[derive(Debug, Clone)]
struct Destination {
    file: PathBuf,
    root: PathBuf,
}

impl Destination {
    /// Opens a staged file beside the destination.
    fn stage(&self) -> StoreResult<Staged> {
        let folder = self.file.parent().unwrap_or(&self.root);
        loop {
            let number = STAGED.fetch_add(1, Ordering::Relaxed);
            let mut name = self.file.clone().into_os_string();
            name.push(format!("#{}{number:06}", std::process::id()));
            let path = PathBuf::from(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Staged { file, path }),
                // Left behind by a process that had the same id.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                // Also when another removal cleans the folder up right now.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    std::fs::create_dir_all(folder).map_err(|e| failure(folder, e))?;
                }
                Err(e) => return Err(failure(&path, e)),
            }
        }
    }

    /// Makes the staged file the object, durably: its bytes first, then its name, then the folders
    /// up to the bucket's.
    fn publish(&self, staged: &Staged, mode: &PutMode) -> StoreResult<()> {
        staged.file.sync_all().map_err(|e| failure(&staged.path, e))?;
        match mode {
            PutMode::Create => {
                std::fs::hard_link(&staged.path, &self.file).map_err(|e| match e.kind() {
                    io::ErrorKind::AlreadyExists => StoreError::AlreadyExists {
                        path: self.file.display().to_string(),
                        source: Box::new(e),
                    },
                    _ => failure(&self.file, e),
                })?;
                std::fs::remove_file(&staged.path).map_err(|e| failure(&staged.path, e))?;
            }
            _ => std::fs::rename(&staged.path, &self.file).map_err(|e| failure(&self.file, e))?,
        }
        let mut folder = self.file.parent();
        while let Some(path) = folder {
            sync_folder(path)?;
            if path == self.root {
                break;
            }
            folder = path.parent();
        }
        Ok(())
    }
}

/// A file that is not an object yet.
#[derive(Debug)]
struct Staged {
    file: File,
    path: PathBuf,
}

fn sync_folder(path: &FilePath) -> StoreResult<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| failure(path, e))
}

fn failure(path: &FilePath, error: io::Error) -> StoreError {
    let kind = error.kind();
    StoreError::Generic {
        store: STORE,
        source: Box::new(io::Error::new(kind, format!("{}: {error}", path.display()))),
    }
}

/// Runs file work apart from the threads that poll.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    tokio::task::spawn_blocking(work).await?
}

impl std::fmt::Display for FolderStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{STORE} {}", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> StoreResult<PutResult> {
        if let PutMode::Update(_) = opts.mode {
            return Err(StoreError::NotImplemented {
                operation: "conditional update".into(),
                implementer: self.to_string(),
            });
        }
        let destination = self.destination(location)?;
        blocking(move || {
            let mut staged = destination.stage()?;
            let written = payload
                .iter()
                .try_for_each(|part| staged.file.write_all(part))
                .map_err(|e| failure(&staged.path, e))
                .and_then(|()| destination.publish(&staged, &opts.mode));
            if let Err(error) = written {
                // The cause counts, not whether the leftover goes; listings leave it out.
                let _ = std::fs::remove_file(&staged.path);
                return Err(error);
            }
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let destination = self.destination(location)?;
        blocking(move || {
            let staged = Arc::new(destination.stage()?);
            Ok(Box::new(FolderUpload { destination, staged, offset: 0, done: false }) as _)
        })
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        // A writer looks for what is there before it makes the folder.
        let files = self.files().map_err(|e| StoreError::NotFound {
            path: location.to_string(),
            source: Box::new(e),
        })?;
        files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        let files = self.files()?;
        if let Some(bytes) = cached::read(&files.path_to_filesystem(location)?, ranges) {
            return Ok(bytes);
        }
        files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        match self.files() {
            Ok(files) => files.delete_stream(locations),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        match self.files() {
            Ok(files) => files.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        if !self.root.is_dir() {
            return Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() });
        }
        self.files()?.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(StoreError::NotImplemented { operation: "copy".into(), implementer: self.to_string() })
    }
}

/// A multipart upload into a staged file.
#[derive(Debug)]
struct FolderUpload {
    destination: Destination,
    staged: Arc<Staged>,
    offset: u64,
    done: bool,
}

#[async_trait]
impl MultipartUpload for FolderUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        let staged = Arc::clone(&self.staged);
        blocking(move || {
            for part in data.iter() {
                staged.file.write_all_at(part, offset).map_err(|e| failure(&staged.path, e))?;
                offset += part.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let (staged, destination) = (Arc::clone(&self.staged), self.destination.clone());
        blocking(move || destination.publish(&staged, &PutMode::Overwrite)).await?;
        self.done = true;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.done = true;
        let staged = Arc::clone(&self.staged);
        blocking(move || std::fs::remove_file(&staged.path).map_err(|e| failure(&staged.path, e)))
            .await
    }
}

impl Drop for FolderUpload {
    fn drop(&mut self) {
        if !self.done {
            // A dropped upload is given up; listings leave the file out if it cannot be removed.
            let _ = std::fs::remove_file(&self.staged.path);
        }
    }
}
