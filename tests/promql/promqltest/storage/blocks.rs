//! Blocks of loaded series in a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::block::meta::Compaction;
use engine::block::{BlockId, BlockSettings};
use engine::bucket::{Bucket, commit};
use engine::catalog::{Catalog, CatalogSettings};
use engine::model::Labels;
use engine::scan::BlockCache;
use engine::source::{BucketSource, SelectOptions, SeriesSource};

use super::stored;
use crate::block::samples::write;
use crate::promql::promqltest::script::Sample;
use crate::support::scratch;

/// The external label that tells replicas apart.
const REPLICA: &str = "prometheus_replica";
const HOUR_MS: i64 = 3_600_000;
/// Bytes of open blocks that are kept.
const CACHE_BYTES: u64 = 64 << 20;

type Series = BTreeMap<Labels, Vec<Sample>>;

/// How series are distributed over blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::promql) enum Layout {
    /// All in one block.
    One,
    /// Cut in time, and over two replicas: a third of the series is in both, a third in either.
    Split,
}

/// A bucket with blocks, as `stoa query` reads it.
#[derive(Debug)]
pub(in crate::promql) struct Place {
    pub(in crate::promql) source: Arc<dyn SeriesSource>,
    pub(in crate::promql) options: SelectOptions,
    _folder: tempfile::TempDir,
}

impl Place {
    /// A bucket with `series`.
    pub(in crate::promql) async fn new(series: &Series, layout: Layout) -> Self {
        let folder = scratch();
        let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", folder.path().display());
        let bucket = Bucket::from_yaml(&yaml).expect("a configuration");
        for (number, block) in blocks(series, layout).into_iter().enumerate() {
            block.commit(&bucket, number).await;
        }
        let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
        catalog.sync().await.expect("the bucket lists");
        let source = Arc::new(BucketSource::new(catalog, BlockCache::new(bucket, CACHE_BYTES)));
        let options = SelectOptions {
            replica_labels: vec![REPLICA.to_owned()],
            partial_response: false,
            ..SelectOptions::default()
        };
        Self { source, options, _folder: folder }
    }
}

/// A block to be written.
#[derive(Debug)]
struct Block {
    series: Series,
    replica: &'static str,
    /// The earliest time, and the end in ms, not part of it.
    times: (i64, i64),
    bucket_ms: i64,
    /// Whether histograms are stored with whole counts where they have such.
    whole: bool,
}

fn blocks(series: &Series, layout: Layout) -> Vec<Block> {
    let mut times: Vec<i64> = series.values().flatten().map(|sample| sample.ts).collect();
    times.sort_unstable();
    times.dedup();
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return Vec::new() };
    let (series, whole_time) = (series.clone(), (first, last + 1));
    let one =
        Block { series, replica: "a", times: whole_time, bucket_ms: 2 * HOUR_MS, whole: false };
    match layout {
        Layout::One => vec![one],
        Layout::Split => {
            // Replicas are cut at other times, and inside blocks time buckets are short.
            let at = |share: usize| times[times.len() * share / 12];
            let bucket_ms = ((last - first) / 7).max(60_000);
            let of = |replica, other: u128, cuts: [i64; 2], whole| {
                let mut series = one.series.clone();
                series.retain(|labels, _| labels.fingerprint() % 3 != other);
                let block = Block { series, replica, times: whole_time, bucket_ms, whole };
                block.cut(&cuts)
            };
            let mut blocks = of("a", 0, [at(5), at(9)], false);
            blocks.extend(of("b", 1, [at(3), at(7)], true));
            blocks
        }
    }
}

impl Block {
    /// Blocks that begin at `cuts`, and what is before. Those without samples are left out.
    fn cut(self, cuts: &[i64]) -> Vec<Self> {
        let (first, end) = self.times;
        let mut edges = [&[first], cuts, &[end]].concat();
        edges.dedup();
        let inside = |&[from, to]: &[i64; 2]| {
            let mut series = self.series.clone();
            for samples in series.values_mut() {
                samples.retain(|sample| (from..to).contains(&sample.ts));
            }
            Self { series, times: (from, to), ..self }
        };
        let pairs: Vec<[i64; 2]> = edges.windows(2).map(|pair| [pair[0], pair[1]]).collect();
        let mut blocks: Vec<Self> = pairs.iter().map(inside).collect();
        blocks.retain(|block| block.series.values().any(|samples| !samples.is_empty()));
        blocks
    }

    async fn commit(&self, bucket: &Bucket, number: usize) {
        let ulid: BlockId = format!("{number:026}").parse().expect("a block id");
        let external = Labels::new([(REPLICA, self.replica)]);
        let settings = BlockSettings {
            ulid,
            external_labels: external.expect("distinct names"),
            source: "test".to_owned(),
            resolution_ms: 0,
            min_time: self.times.0,
            max_time: self.times.1,
            bucket_ms: self.bucket_ms,
            compaction: Compaction { level: 1, sources: vec![ulid], parents: Vec::new() },
        };
        let folder = scratch();
        let meta = write(folder.path(), &settings, &stored(&self.series, self.whole));
        commit(bucket, folder.path(), &meta).await.expect("an upload");
    }
}
