//! `meta.json` of a Prometheus or Thanos block.

use engine::block::BlockId;
use engine::block::meta::Compaction;
use engine::model::{Labels, TimeRange};
use engine::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::files::BlockFiles;

/// The file's name.
pub const META_FILE: &str = "meta.json";

/// No `meta.json` is longer.
pub(crate) const LONGEST: u64 = 16 << 20;

/// What a block says of itself (`tsdb.BlockMeta`, and Thanos' section if there is one).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TsdbMeta {
    /// The block's id.
    pub ulid: BlockId,
    /// The earliest time of the block in ms.
    pub min_time: i64,
    /// The end of the block in ms, not part of it.
    pub max_time: i64,
    /// How much was written.
    #[serde(default)]
    pub stats: TsdbStats,
    /// Where it comes from.
    #[serde(default)]
    pub compaction: Compaction,
    /// The version of the file: 1.
    pub version: u32,
    /// Thanos' section.
    #[serde(default)]
    pub thanos: Option<ThanosSection>,
}

/// Prometheus' counts (`tsdb.BlockStats`).
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TsdbStats {
    /// Samples, deleted ones included.
    pub num_samples: u64,
    /// Float samples; 0 from writers before native histograms.
    pub num_float_samples: u64,
    /// Histogram samples.
    pub num_histogram_samples: u64,
    /// Series.
    pub num_series: u64,
    /// Chunks.
    pub num_chunks: u64,
}

/// What is read of Thanos' section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ThanosSection {
    /// The external labels.
    pub labels: BTreeMap<String, String>,
    /// The resolution.
    pub downsample: Resolution,
}

/// Thanos' resolution.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Resolution {
    /// Milliseconds a window; 0 is raw.
    pub resolution: i64,
}

impl TsdbMeta {
    /// Parses the content of a `meta.json`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let meta: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::corrupt("not a block's meta.json").with_source(e))?;
        if meta.version != 1 {
            return Err(Error::unsupported(format!("meta.json version {}", meta.version)));
        }
        if meta.min_time > meta.max_time {
            return Err(Error::corrupt(format!(
                "minTime {} is after maxTime {}",
                meta.min_time, meta.max_time
            )));
        }
        Ok(meta)
    }

    /// Reads a block's `meta.json`.
    pub fn read(files: &dyn BlockFiles) -> Result<Self> {
        let size = files.must_size(META_FILE)?;
        let read = if size > LONGEST {
            Err(Error::corrupt(format!("{size} bytes are no meta.json")))
        } else {
            files.read(META_FILE, 0..size).and_then(|bytes| Self::parse(&bytes))
        };
        read.map_err(|e| e.context(format!("{}/{META_FILE}", files.name())))
    }

    /// The times that the block may have samples of.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time.saturating_sub(1))
    }

    /// The labels of Thanos' section as they are written, empty if there is none.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        self.thanos.as_ref().map_or(NONE, |thanos| &thanos.labels)
    }

    /// The external labels.
    pub fn external_labels(&self) -> Result<Labels> {
        Labels::new(self.labels().iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Thanos' resolution in ms, 0 for raw.
    pub fn resolution_ms(&self) -> i64 {
        self.thanos.as_ref().map_or(0, |thanos| thanos.downsample.resolution)
    }
}
