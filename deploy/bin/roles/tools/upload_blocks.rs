//! `stoa tools bucket upload-blocks`: blocks of a Prometheus, converted and committed to the bucket.
//!
//! It may be killed at any point and run again: a block is in the bucket only by its `meta.json`, and
//! the id of a converted block follows from its source, so one that is there is found and left.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, bail};
use engine::block::{BlockId, BlockMeta};
use engine::bucket::{BLOCKS_PREFIX, Bucket, commit};
use engine::model::Labels;
use engine::{Error, ErrorKind};
use ingest::convert::{ConvertOptions, convert, converted_id};
use ingest::sidecar::shipper::compacted;
use ingest::tsdb::meta::META_FILE;
use ingest::tsdb::{LocalBlock, TsdbMeta};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::progress::Progress;
use super::{labels, print, spelling};

/// Who converts, in `thanos.source` (Thanos `metadata.BucketUploadSource`).
const SOURCE: &str = "bucket.upload";

/// The flags of `upload-blocks`.
#[derive(Debug, clap::Args)]
pub(super) struct UploadBlocksArgs {
    /// Folder with the blocks' folders, as a Prometheus' data folder is.
    #[arg(long = "path", value_name = "PATH", default_value = "./data")]
    path: PathBuf,
    /// External label of the blocks; repeatable. Without any, those in each block's meta.json.
    #[arg(long = "label", value_name = "NAME=\"VALUE\"", value_parser = labels::parse)]
    labels: Vec<(String, String)>,
    /// Upload blocks that Prometheus has compacted, too.
    #[arg(long = "shipper.upload-compacted")]
    upload_compacted: bool,
    /// Folder for the files of the block that is being converted (default: the system's).
    #[arg(long = "tmp.dir", value_name = "PATH")]
    tmp_dir: Option<PathBuf>,
}

/// What became of a block.
enum Outcome {
    Uploaded(BlockMeta),
    /// It was there, under this id.
    There(BlockId),
    /// It is compacted, at this level, and such blocks were not asked for.
    Compacted(u32),
}

/// Why a block is not uploaded.
enum Failure {
    /// The block is bad; others need not be.
    Block(Error),
    /// The bucket does not answer, or refuses; so it would for all blocks.
    Bucket(Error),
}

#[derive(Debug, Default)]
struct Counts {
    uploaded: usize,
    there: usize,
    skipped: usize,
    failed: Vec<String>,
}

pub(super) async fn run(args: UploadBlocksArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let labels =
        Labels::new(args.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .context("--label")?;
    let dirs = block_dirs(&args.path)?;
    if dirs.is_empty() {
        bail!("--path: {} has no blocks (folders with a ULID as name)", args.path.display());
    }
    // A question about one object is answered with "no such object" where there is no bucket.
    bucket.list_dirs(BLOCKS_PREFIX).await.context("look into the bucket")?;
    let work = match &args.tmp_dir {
        Some(dir) => tempfile::Builder::new().prefix("stoa-").tempdir_in(dir),
        None => tempfile::Builder::new().prefix("stoa-").tempdir(),
    }
    .context("--tmp.dir: make a folder")?;
    let upload = Upload { bucket, labels, upload_compacted: args.upload_compacted, work: &work };
    let counts = tokio::select! {
        counts = upload.all(&dirs) => counts?,
        code = interrupted() => {
            let code = code?;
            // Conversions run to their end on their own thread; nobody waits for this one.
            drop(work);
            std::process::exit(code);
        }
    };
    print(&format!(
        "{} uploaded, {} already there, {} skipped, {} failed\n",
        counts.uploaded,
        counts.there,
        counts.skipped,
        counts.failed.len()
    ))?;
    if !counts.failed.is_empty() {
        let failed = counts.failed.join(", ");
        bail!("{} of {} blocks are not uploaded: {failed}", counts.failed.len(), dirs.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// The folders of finished blocks in `path`: Prometheus gives a block its name when it is complete.
fn block_dirs(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || format!("--path: read {}", path.display());
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(path).with_context(read)? {
        let dir = entry.with_context(read)?.path();
        let name = dir.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.parse::<BlockId>().is_ok()) && dir.is_dir() {
            dirs.push(dir);
        }
    }
    dirs.sort();
    Ok(dirs)
}

/// The exit code after SIGINT or SIGTERM, as shells have it.
async fn interrupted() -> anyhow::Result<i32> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    Ok(tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    })
}

struct Upload<'a> {
    bucket: &'a Bucket,
    labels: Labels,
    upload_compacted: bool,
    work: &'a TempDir,
}

impl Upload<'_> {
    async fn all(&self, dirs: &[PathBuf]) -> anyhow::Result<Counts> {
        let mut blocks: Vec<(&PathBuf, Result<TsdbMeta, Error>)> =
            dirs.iter().map(|dir| (dir, TsdbMeta::read(&LocalBlock::new(dir)))).collect();
        // Oldest first; what has no time before.
        blocks.sort_by_key(|(_, meta)| meta.as_ref().ok().map(|meta| (meta.min_time, meta.ulid)));
        let samples = |meta: &TsdbMeta| meta.stats.num_samples;
        let total = blocks.iter().filter_map(|(_, meta)| meta.as_ref().ok()).map(samples).sum();
        let progress = Progress::samples(total);
        let mut counts = Counts::default();
        let mut done = 0;
        for (dir, meta) in blocks {
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            progress.begin(&name);
            let outcome = match &meta {
                Ok(meta) => self.block(dir, meta, progress.count()).await,
                Err(error) => Err(Failure::Block(error.clone())),
            };
            match outcome {
                Ok(outcome) => {
                    let line = counts.add(&name, dir, outcome);
                    progress.above(|| print(&line))?;
                }
                Err(Failure::Bucket(error)) => {
                    return Err(anyhow::Error::new(error).context(format!("upload of {name}")));
                }
                Err(Failure::Block(error)) => {
                    progress.above(
                        || tracing::error!(block = name, err = %error, "a block is not uploaded"),
                    );
                    counts.failed.push(name);
                }
            }
            done += meta.as_ref().map_or(0, samples);
            progress.done(done);
        }
        Ok(counts)
    }

    async fn block(
        &self,
        dir: &Path,
        meta: &TsdbMeta,
        written: Arc<AtomicU64>,
    ) -> Result<Outcome, Failure> {
        if meta.compaction.level > 1 && !self.upload_compacted {
            return Ok(Outcome::Compacted(meta.compaction.level));
        }
        let files = Arc::new(LocalBlock::new(dir));
        let options =
            ConvertOptions { written, ..ConvertOptions::new(self.labels.clone(), SOURCE) };
        let id = converted_id(files.as_ref(), &options).map_err(Failure::Block)?;
        match self.bucket.head(&BlockMeta::path(id, META_FILE)).await {
            Ok(_) => return Ok(Outcome::There(id)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::Bucket(error)),
        }
        if meta.compaction.level > 1 {
            let labels = match self.labels.is_empty() {
                true => meta.external_labels().map_err(Failure::Block)?,
                false => self.labels.clone(),
            };
            compacted::check(self.bucket, meta, &labels).await.map_err(of_bucket)?;
        }
        let out = self.work.path().join(id.to_string());
        let made = {
            let out = out.clone();
            tokio::task::spawn_blocking(move || {
                std::fs::create_dir_all(&out).map_err(|e| {
                    let error = Error::new(ErrorKind::Unavailable, out.display().to_string());
                    error.with_source(e)
                })?;
                convert(files, &out, &options)
            })
            .await
            .map_err(|e| Error::internal("converting a block").with_source(e))
        };
        let uploaded = match made {
            Ok(Ok(made)) => match commit(self.bucket, &out, &made).await {
                Ok(_) => Ok(Outcome::Uploaded(made)),
                Err(error) => Err(of_bucket(error)),
            },
            Ok(Err(error)) | Err(error) => Err(Failure::Block(error)),
        };
        // What stays goes with the folder around it.
        let _ = std::fs::remove_dir_all(&out);
        uploaded
    }
}

/// Whose fault an error of an upload is.
fn of_bucket(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Unsupported => Failure::Bucket(error),
        _ => Failure::Block(error),
    }
}

impl Counts {
    /// Counts what became of a block, and says it in a line.
    fn add(&mut self, name: &str, dir: &Path, outcome: Outcome) -> String {
        match outcome {
            Outcome::Uploaded(meta) => {
                self.uploaded += 1;
                format!(
                    "{name}: uploaded as {}: {} samples of {} series in {} (was {})\n",
                    meta.ulid,
                    spelling::count(meta.stats.num_samples),
                    spelling::count(meta.stats.num_series),
                    spelling::bytes(meta.stoa.files.iter().map(|file| file.size_bytes).sum()),
                    spelling::bytes(bytes_of(dir))
                )
            }
            Outcome::There(id) => {
                self.there += 1;
                format!("{name}: already there as {id}\n")
            }
            Outcome::Compacted(level) => {
                self.skipped += 1;
                format!(
                    "{name}: skipped: compacted (level {level}); --shipper.upload-compacted \
                     uploads such blocks\n"
                )
            }
        }
    }
}

/// The bytes of a block's index and chunks; of what cannot be read, none.
fn bytes_of(dir: &Path) -> u64 {
    let segments = std::fs::read_dir(dir.join("chunks")).into_iter().flatten().flatten();
    let files = segments.map(|segment| segment.path()).chain([dir.join("index")]);
    files.filter_map(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()).sum()
}
