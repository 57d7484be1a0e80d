//! `meta.json`: what a block is, written last and never changed.
//!
//! The fields outside `stoa` are those of Prometheus and Thanos (`tsdb.BlockMeta`,
//! `metadata.Thanos`), so that their readers understand what they need.

mod check;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::metadata::is_metadata;
use crate::bucket::BLOCKS_PREFIX;
use crate::model::{Labels, TimeRange};
use crate::{Error, Result};

/// The object that makes a block exist.
pub const META_FILE: &str = "meta.json";

/// The version of the block format that this code writes.
pub const FORMAT_VERSION: u32 = 1;

/// The version of the writer: it changes whenever the same input gives other bytes.
pub const WRITER_VERSION: &str = "2";

/// The identity of a block: a ULID, as 26 characters in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BlockId(pub Ulid);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for BlockId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ulid::from_string(text)
            .map(Self)
            .map_err(|e| Error::invalid(format!("block id {text:?}: {e}")))
    }
}

impl Serialize for BlockId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The content of `meta.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// The block's id.
    pub ulid: BlockId,
    /// The earliest time of the block in ms.
    pub min_time: i64,
    /// The end of the block in ms, not part of it.
    pub max_time: i64,
    /// How much is in it.
    pub stats: BlockStats,
    /// Where it comes from.
    pub compaction: Compaction,
    /// The version of Prometheus' part: 1.
    pub version: u32,
    /// Thanos' part.
    pub thanos: ThanosMeta,
    /// Stoa's part.
    pub stoa: StoaMeta,
}

/// Prometheus' counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockStats {
    /// Samples, floats and histograms.
    pub num_samples: u64,
    /// Float samples.
    pub num_float_samples: u64,
    /// Native histogram samples.
    pub num_histogram_samples: u64,
    /// Series.
    pub num_series: u64,
    /// Chunks: 0, a Stoa block has none.
    pub num_chunks: u64,
}

/// Prometheus' account of a block's ancestry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Compaction {
    /// 1 for a block that was cut from a head.
    pub level: u32,
    /// The blocks of level 1 that are in it.
    pub sources: Vec<BlockId>,
    /// The blocks that it was made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Parent>,
}

/// A block that another one was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parent {
    /// Its id.
    pub ulid: BlockId,
    /// Its earliest time in ms.
    pub min_time: i64,
    /// Its end in ms, not part of it.
    pub max_time: i64,
}

/// Thanos' part of `meta.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThanosMeta {
    /// 1.
    pub version: u32,
    /// The external labels.
    pub labels: BTreeMap<String, String>,
    /// The resolution.
    pub downsample: Downsample,
    /// Who made it: `sidecar`, `compactor`, `bucket.upload`, …
    pub source: String,
}

/// The resolution of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Downsample {
    /// Milliseconds a window; 0 is raw.
    pub resolution: i64,
}

/// Stoa's part of `meta.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoaMeta {
    /// The version of the block format.
    pub format: u32,
    /// The version of the writer: the same sources, settings and writer give the same bytes.
    pub writer: String,
    /// The length of a time bucket inside the samples' order, in ms.
    pub bucket_ms: i64,
    /// The label names that have a column of their own.
    pub label_columns: Vec<String>,
    /// The block's other objects.
    pub files: Vec<FileMeta>,
    /// The digest of all samples ([`crate::block::digest`]), as text.
    pub digest: String,
}

/// An object of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    /// Its name inside the block: `series.parquet`, `samples.parquet`, `histograms.parquet`,
    /// `metadata-….parquet`.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Where the tail (page index and footer) begins: one read from here opens the file.
    pub tail_offset: u64,
    /// CRC32C of the tail.
    pub tail_crc32c: u32,
    /// CRC32C of each column chunk, row group by row group.
    pub chunk_crc32c: Vec<u32>,
}

/// The name of the last field of `meta.json`: a CRC32C of all other bytes, as 8 hexadecimal digits.
const CRC_FIELD: &[u8] = b"\"crc32c\": \"";
/// What follows its value.
const CRC_END: &[u8] = b"\"\n}\n";
/// A `meta.json` with more bytes than this is not read.
pub const MAX_META_BYTES: u64 = 10 << 20;
/// Most time buckets of a block.
const MAX_BUCKETS: u32 = 1 << 20;

impl BlockMeta {
    /// The bytes of `meta.json`. The last field, `crc32c`, is the CRC of all bytes before its value,
    /// so that damage shows although nothing else names this object.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| {
            Error::internal(format!("block {}: meta.json", self.ulid)).with_source(e)
        })?;
        // The object's closing brace makes room for one more field.
        json.truncate(json.len() - 2);
        json.extend_from_slice(b",\n  ");
        json.extend_from_slice(CRC_FIELD);
        let crc = crc32c::crc32c(&json);
        json.extend_from_slice(format!("{crc:08x}").as_bytes());
        json.extend_from_slice(CRC_END);
        Ok(json)
    }

    /// Reads the bytes of `meta.json` and checks their CRC. Fields that are not known are ignored.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        if json.len() as u64 > MAX_META_BYTES {
            return Err(Error::corrupt(format!("meta.json has {} bytes", json.len())));
        }
        let damaged = || Error::corrupt("meta.json is damaged: its CRC does not match");
        let before_end = json.strip_suffix(CRC_END).ok_or_else(damaged)?;
        let at = before_end.len().checked_sub(8).ok_or_else(damaged)?;
        let (body, crc) = before_end.split_at(at);
        if !body.ends_with(CRC_FIELD) || crc != format!("{:08x}", crc32c::crc32c(body)).as_bytes() {
            return Err(damaged());
        }
        let meta: Self = serde_json::from_slice(json)
            .map_err(|e| Error::corrupt("meta.json cannot be read").with_source(e))?;
        meta.check()?;
        Ok(meta)
    }

    /// Reads the `meta.json` of block `id`: as [`Self::from_json`], and more strictly, because what
    /// stands under that name in a bucket may be anything.
    pub fn of_block(id: BlockId, json: &[u8]) -> Result<Self> {
        check::parse(id, json)
    }

    /// Whether this version can read the block, and its numbers make sense.
    fn check(&self) -> Result<()> {
        if self.stoa.format != FORMAT_VERSION {
            return Err(Error::unsupported(format!(
                "block {} has format {}, this version reads {FORMAT_VERSION}",
                self.ulid, self.stoa.format
            )));
        }
        let files_fit = self.stoa.files.iter().all(|file| file.tail_offset < file.size_bytes);
        let buckets = Self::buckets(self.min_time, self.max_time, self.stoa.bucket_ms);
        if buckets.is_none() || !files_fit {
            return Err(Error::corrupt(format!(
                "block {}: meta.json contradicts itself",
                self.ulid
            )));
        }
        Ok(())
    }

    /// The folder of the block `id` in its bucket.
    pub fn folder(id: BlockId) -> String {
        format!("{BLOCKS_PREFIX}/{id}")
    }

    /// The path of the object `name` of the block `id` in its bucket.
    pub fn path(id: BlockId, name: &str) -> String {
        format!("{BLOCKS_PREFIX}/{id}/{name}")
    }

    /// The external labels.
    pub fn external_labels(&self) -> Result<Labels> {
        Labels::new(self.thanos.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }

    /// The time range, both ends included.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time - 1)
    }

    /// How many time buckets of `bucket_ms` the time from `min_time` to `max_time` touches; none if
    /// there are more than a block may have, or the numbers make no sense. Buckets lie on multiples
    /// of `bucket_ms` since 1970.
    pub(super) fn buckets(min_time: i64, max_time: i64, bucket_ms: i64) -> Option<u32> {
        if min_time >= max_time || bucket_ms <= 0 {
            return None;
        }
        let (first, last) = (min_time.div_euclid(bucket_ms), (max_time - 1).div_euclid(bucket_ms));
        let buckets = last.checked_sub(first)?.checked_add(1)?;
        u32::try_from(buckets).ok().filter(|&buckets| buckets <= MAX_BUCKETS)
    }

    /// The same without the file of metadata: what the block's id stands for.
    #[must_use]
    pub fn without_metadata(&self) -> Self {
        let mut meta = self.clone();
        meta.stoa.files.retain(|file| !is_metadata(&file.name));
        meta
    }

    /// The entry of the file `name`, if the block has it.
    pub fn file(&self, name: &str) -> Option<&FileMeta> {
        self.stoa.files.iter().find(|file| file.name == name)
    }
}
