//! Blocks written by the real writer into a bucket in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};
use object_store::memory::InMemory;

use super::super::{BucketSource, Resolved, Select, SelectOptions, SeriesSource};
use crate::Result;
use crate::block::meta::Compaction;
use crate::block::{BlockId, BlockSettings, BlockWriter, order};
use crate::bucket::{Bucket, commit};
use crate::catalog::{Catalog, CatalogSettings};
use crate::model::{Aggregates, Histogram, LabelTable, Labels, Matcher, TimeRange};
use crate::scan::BlockCache;
use crate::source::{Columns, DedupFunc};

pub(crate) type Samples = Vec<(i64, f64)>;
/// Native histograms with their timestamps in ms.
pub(crate) type Natives = Vec<(i64, Histogram)>;

/// What a test block holds.
pub(crate) struct TestBlock {
    pub(crate) external: Labels,
    /// Half open.
    pub(crate) range: Range<i64>,
    pub(crate) bucket_ms: i64,
    pub(crate) level: u32,
    pub(crate) series: Vec<(Labels, Samples)>,
    /// The start timestamp of a sample at a time.
    pub(crate) start_of: Option<fn(i64) -> i64>,
}

/// A bucket in memory with its catalog and source.
pub(crate) struct Fixture {
    pub(crate) bucket: Bucket,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) source: BucketSource,
    pub(crate) written: u64,
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).unwrap()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
        let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
        let cache = BlockCache::new(bucket.clone(), 64 << 20);
        let source = BucketSource::new(Arc::clone(&catalog), cache);
        Self { bucket, catalog, source, written: 0 }
    }

    pub(crate) async fn of(blocks: Vec<TestBlock>) -> Self {
        let mut fixture = Self::new();
        for block in blocks {
            fixture.add(block).await;
        }
        fixture
    }

    /// Writes, uploads and lists a block; later ones have later ids.
    pub(crate) async fn add(&mut self, block: TestBlock) -> BlockId {
        self.add_with(block, Vec::new()).await
    }

    /// As [`Self::add`], with native histograms of these series or others.
    pub(crate) async fn add_with(
        &mut self,
        mut block: TestBlock,
        histograms: Vec<(Labels, Natives)>,
    ) -> BlockId {
        let mut natives: BTreeMap<Labels, Natives> = histograms.into_iter().collect();
        for labels in natives.keys() {
            if block.series.iter().all(|(own, _)| own != labels) {
                block.series.push((labels.clone(), Vec::new()));
            }
        }
        self.written += 1;
        let ulid = BlockId(ulid::Ulid::from_parts(self.written, 7));
        let settings = BlockSettings {
            ulid,
            external_labels: block.external,
            source: "test".to_owned(),
            resolution_ms: 0,
            min_time: block.range.start,
            max_time: block.range.end,
            bucket_ms: block.bucket_ms,
            compaction: Compaction { level: block.level, sources: vec![ulid], parents: vec![] },
        };
        let unsorted = LabelTable::from_labels(block.series.iter().map(|(labels, _)| labels));
        let order = order::sort(&unsorted);
        let table = Arc::new(unsorted.take(&order));
        let dir = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::create(dir.path(), settings, Arc::clone(&table)).unwrap();
        // metric, then time bucket, then series.
        let mut runs: BTreeMap<(String, u32, u32), (Samples, Natives)> = BTreeMap::new();
        for (series_ref, &at) in order.iter().enumerate() {
            let (labels, floats) = &block.series[at as usize];
            let metric = table.value(series_ref, "__name__");
            let key = |t: i64| (metric.to_owned(), writer.bucket_of(t), series_ref as u32);
            for &(t, value) in floats {
                runs.entry(key(t)).or_default().0.push((t, value));
            }
            for (t, histogram) in natives.remove(labels).unwrap_or_default() {
                runs.entry(key(t)).or_default().1.push((t, histogram));
            }
        }
        for ((_, _, series_ref), (floats, natives)) in runs {
            let (ts, values): (Vec<i64>, Vec<f64>) = floats.into_iter().unzip();
            let starts = |ts: &[i64]| {
                block.start_of.map(|of| ts.iter().copied().map(of).collect::<Vec<i64>>())
            };
            writer.floats(series_ref, &ts, &values, starts(&ts).as_deref()).unwrap();
            let (ts, natives): (Vec<i64>, Vec<Histogram>) = natives.into_iter().unzip();
            writer.histograms(series_ref, &ts, starts(&ts).as_deref(), &natives).unwrap();
        }
        let meta = writer.finish().unwrap();
        commit(&self.bucket, dir.path(), &meta).await.unwrap();
        self.catalog.sync().await.unwrap();
        ulid
    }

    pub(crate) async fn resolve(&self, select: &Select, options: &SelectOptions) -> Resolved {
        self.source.resolve(select, options).await.unwrap()
    }

    /// Resolves and reads, in roster order.
    pub(crate) async fn read(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Vec<(Labels, Samples)> {
        let resolved = self.resolve(select, options).await;
        let runs = run(&resolved).await.unwrap();
        runs.into_iter()
            .map(|(labels, ts, values)| {
                let values = values.expect("values");
                (labels, ts.into_iter().zip(values).collect())
            })
            .collect()
    }
}

/// A series of the answer: labels, timestamps, and values unless they are null.
pub(crate) type Run = (Labels, Vec<i64>, Option<Vec<f64>>);

/// Executes the plan; checks what run batches promise.
pub(crate) async fn run(resolved: &Resolved) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last: Option<u32> = None;
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let context = Arc::new(TaskContext::default());
        let stream = resolved.runs.execute(partition, context)?;
        let batches = datafusion::physical_plan::common::collect(stream).await?;
        for batch in batches {
            let series = batch.column(0).as_primitive::<UInt32Type>();
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            for row in 0..batch.num_rows() {
                let ts = ts.value(row).as_primitive::<Int64Type>().values().to_vec();
                let values = values
                    .is_valid(row)
                    .then(|| values.value(row).as_primitive::<Float64Type>().values().to_vec());
                if let Some(values) = &values {
                    assert_eq!(ts.len(), values.len());
                }
                let id = series.value(row);
                if last == Some(id) {
                    let (_, all_ts, all_values) = runs.last_mut().unwrap();
                    assert!(all_ts.last() < ts.first());
                    all_ts.extend(ts);
                    if let (Some(all), Some(values)) = (all_values, values) {
                        all.extend(values);
                    }
                } else {
                    assert!(last < Some(id), "series do not ascend");
                    assert!(ts.windows(2).all(|w| w[0] < w[1]), "timestamps do not ascend");
                    runs.push((resolved.roster.labels(id as usize), ts, values));
                }
                last = Some(id);
            }
        }
    }
    Ok(runs)
}

/// Reads a plan through DataFusion's own collector, so that its metrics are filled.
pub(crate) async fn drain(plan: &Arc<dyn ExecutionPlan>) -> Result<usize> {
    let batches = collect(Arc::clone(plan), Arc::new(TaskContext::default())).await?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

pub(crate) fn matcher(name: &str, value: &str) -> Matcher {
    Matcher::new(name, crate::model::MatchOp::Equal, value).unwrap()
}

/// Everything of metric `metric` in `range`.
pub(crate) fn metric(metric: &str, range: TimeRange) -> Select {
    let matchers = vec![matcher("__name__", metric)];
    Select {
        matchers,
        range,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    }
}

pub(crate) fn options(dedup: Option<DedupFunc>) -> SelectOptions {
    SelectOptions {
        dedup: dedup.is_some(),
        dedup_func: dedup.unwrap_or_default(),
        replica_labels: vec!["replica".to_owned()],
        ..SelectOptions::default()
    }
}

/// Values by bits, so that NaN and -0 compare.
pub(crate) fn bits(series: &[(Labels, Samples)]) -> Vec<(String, Vec<(i64, u64)>)> {
    let of = |samples: &Samples| samples.iter().map(|&(t, v)| (t, v.to_bits())).collect();
    series.iter().map(|(labels, samples)| (labels.to_string(), of(samples))).collect()
}
