//! Upload of local files: in parts, a few at a time, so that memory is bounded.

use std::path::Path as FilePath;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
};
use tokio::io::AsyncReadExt;

use crate::{Error, ErrorKind, Result};

use super::Bucket;

/// The size of a part. Thanos' default is 64 MiB; smaller parts give the same object with less
/// memory.
const PART_BYTES: u64 = 16 << 20;
/// No store takes more parts an object.
const MAX_PARTS: u64 = 10_000;
/// How many parts are under way at a time: memory is (this + 1) × the part's size.
const PARALLEL: usize = 2;

/// How objects are uploaded.
#[derive(Debug, Clone)]
pub(super) struct UploadSettings {
    /// The size of a part.
    pub part_bytes: u64,
    /// Whether parts are used at all.
    pub multipart: bool,
    /// What is set on each object: storage class, user metadata.
    pub attributes: Attributes,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { part_bytes: PART_BYTES, multipart: true, attributes: Attributes::new() }
    }
}

impl UploadSettings {
    /// The same settings with parts of `bytes`, from 5 MiB (the least that S3 takes) to 1 GiB; `key`
    /// is what an error names. 0 is the default.
    pub(super) fn with_part_bytes(mut self, bytes: u64, key: &str) -> Result<Self> {
        match bytes {
            0 => self.part_bytes = PART_BYTES,
            0x50_0000..=0x4000_0000 => self.part_bytes = bytes,
            _ => return Err(Error::invalid(format!("{key}: expected 5 MiB to 1 GiB in bytes"))),
        }
        Ok(self)
    }
}

fn unreadable(file: &FilePath, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, file.display().to_string()).with_source(error)
}

/// Reads the next `bytes` of `source`; a file that got shorter is an error.
async fn read_part(source: &mut tokio::fs::File, bytes: u64) -> std::io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(bytes as usize);
    source.read_exact(&mut buffer).await?;
    Ok(buffer.freeze())
}

pub(super) async fn put_file(bucket: &Bucket, path: &str, file: &FilePath) -> Result<()> {
    let mut source = tokio::fs::File::open(file).await.map_err(|e| unreadable(file, e))?;
    let size = source.metadata().await.map_err(|e| unreadable(file, e))?.len();
    let settings = &bucket.upload;
    let part_bytes = settings.part_bytes.max(size.div_ceil(MAX_PARTS));
    if !settings.multipart || size <= part_bytes {
        let bytes = read_part(&mut source, size).await.map_err(|e| unreadable(file, e))?;
        return put(bucket, path, bytes).await;
    }
    let options =
        PutMultipartOptions { attributes: settings.attributes.clone(), ..Default::default() };
    let mut upload = bucket
        .store
        .put_multipart_opts(&Path::from(path), options)
        .await
        .map_err(|e| bucket.error(path, &e))?;
    let sent = send_parts(bucket, path, file, &mut source, size, part_bytes, &mut *upload).await;
    if let Err(error) = sent {
        if let Err(abort) = upload.abort().await {
            tracing::warn!(
                bucket = bucket.name(),
                path,
                error = %bucket.error(path, &abort),
                "an upload could not be aborted; its parts stay until the store drops them"
            );
        }
        return Err(error);
    }
    Ok(())
}

async fn send_parts(
    bucket: &Bucket,
    path: &str,
    file: &FilePath,
    source: &mut tokio::fs::File,
    size: u64,
    part_bytes: u64,
    upload: &mut dyn MultipartUpload,
) -> Result<()> {
    let mut under_way = FuturesUnordered::new();
    let mut left = size;
    while left > 0 {
        let bytes = read_part(source, part_bytes.min(left)).await;
        let bytes = bytes.map_err(|e| unreadable(file, e))?;
        left -= bytes.len() as u64;
        under_way.push(upload.put_part(PutPayload::from_bytes(bytes)));
        while under_way.len() >= PARALLEL {
            if let Some(sent) = under_way.next().await {
                sent.map_err(|e| bucket.error(path, &e))?;
            }
        }
    }
    while let Some(sent) = under_way.next().await {
        sent.map_err(|e| bucket.error(path, &e))?;
    }
    upload.complete().await.map(|_| ()).map_err(|e| bucket.error(path, &e))
}

/// One request, over what is there.
pub(super) async fn put(bucket: &Bucket, path: &str, bytes: Bytes) -> Result<()> {
    let options =
        PutOptions { attributes: bucket.upload.attributes.clone(), ..PutOptions::default() };
    bucket
        .store
        .put_opts(&Path::from(path), PutPayload::from_bytes(bytes), options)
        .await
        .map(|_| ())
        .map_err(|e| bucket.error(path, &e))
}
