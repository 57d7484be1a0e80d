//! Two replicas that scrape for days, their blocks in a bucket, and what must be found there afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;
use engine::block::meta::Compaction;
use engine::block::{self, BlockId, BlockSettings, BlockWriter, order, verify};
use engine::bucket::{Bucket, commit};
use engine::catalog::{Catalog, CatalogSettings};
use engine::compact::log::Holder;
use engine::compact::plan::windows::DAY_MS;
use engine::compact::plan::{DownsampleAges, HOUR_MS, PlanSettings};
use engine::compact::retention::{Retention, RetentionPolicy};
use engine::compact::work::{CompactMetrics, CompactSettings, Compactor, Turn};
use engine::model::{Aggregate, Aggregates, LabelTable, Labels, STALE_NAN_BITS, TimeRange};
use engine::scan::BlockCache;
use engine::source::{
    BucketSource, Columns, DedupFunc, DownsampledSource, Resolved, Select, SelectOptions,
    SeriesSource as _,
};

use super::store::FaultyStore;

/// 2026-10-01T00:00:00Z.
pub(crate) const START: i64 = 1_790_812_800_000;

/// What is scraped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) series: u64,
    pub(crate) step_ms: i64,
    pub(crate) seed: u64,
}

/// Samples of a series: times and bits of values.
pub(crate) type Samples = Vec<(i64, u64)>;

fn hash(mut x: u64) -> u64 {
    x ^= x >> 31;
    x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ x >> 32
}

impl Shape {
    pub(crate) fn labels(series: u64) -> Labels {
        let metric = ["requests_total", "temperature", "up"][(series % 3) as usize];
        Labels::new([("__name__", metric), ("pod", &format!("p{series}"))]).unwrap()
    }

    /// What replica `replica` (0 or 1) scraped of a series in `from..to`: counters that are reset, gauges, stale
    /// markers, and holes.
    fn scraped(&self, series: u64, replica: u64, from: i64, to: i64) -> Samples {
        let mut samples = Samples::new();
        let first = from.div_euclid(self.step_ms) * self.step_ms;
        let mut at = first;
        while at < to {
            let t = at + replica as i64 * self.step_ms / 2 + (series % 7) as i64;
            let tick = (at / self.step_ms) as u64;
            let h = hash(self.seed ^ series << 40 ^ replica << 32 ^ tick);
            at += self.step_ms;
            // A replica is down for a while now and then.
            let down = hash(self.seed ^ replica ^ (tick / 20) << 8).is_multiple_of(29);
            if t < from || t >= to || down || h.is_multiple_of(97) {
                continue;
            }
            let value = match series % 3 {
                _ if h.is_multiple_of(211) => STALE_NAN_BITS,
                0 => ((tick % 500) as f64 * 3.0).to_bits(),
                1 => ((h >> 40) as f64 / 16.0).to_bits(),
                _ => 1f64.to_bits(),
            };
            samples.push((t, value));
        }
        samples
    }
}

/// A bucket, and what was put into it.
pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) store: FaultyStore,
    pub(crate) clock: Arc<AtomicI64>,
    /// By series: all samples of both replicas.
    pub(crate) truth: Arc<BTreeMap<u64, Samples>>,
    pub(crate) dir: Arc<tempfile::TempDir>,
    pub(crate) settings: fn(&Path) -> CompactSettings,
}

impl World {
    pub(crate) fn new(shape: Shape, settings: fn(&Path) -> CompactSettings) -> Self {
        let clock = Arc::new(AtomicI64::new(START));
        let store = FaultyStore::new(Arc::clone(&clock), shape.seed);
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self { shape, store, clock, truth: Arc::default(), dir, settings }
    }

    /// The same at this moment, on its own.
    pub(crate) async fn fork(&self) -> Self {
        let clock = Arc::new(AtomicI64::new(self.now()));
        Self {
            shape: self.shape,
            store: self.store.fork(Arc::clone(&clock)).await,
            clock,
            truth: Arc::clone(&self.truth),
            dir: Arc::clone(&self.dir),
            settings: self.settings,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn bucket(&self) -> Bucket {
        Bucket::new(Arc::new(self.store.clone()), "world")
    }

    /// A process of its own.
    pub(crate) fn compactor(&self) -> Compactor {
        let settings = (self.settings)(self.dir.path());
        Compactor::new(self.bucket(), settings, CompactMetrics::default())
    }

    /// Uploads what a replica scraped in `from..to`, as often as it takes.
    pub(crate) async fn upload(&mut self, replica: u64, from: i64, to: i64) {
        let all: Vec<(u64, Samples)> = (0..self.shape.series)
            .map(|series| (series, self.shape.scraped(series, replica, from, to)))
            .filter(|(_, samples)| !samples.is_empty())
            .collect();
        let truth = Arc::make_mut(&mut self.truth);
        for (series, samples) in &all {
            let known = truth.entry(*series).or_default();
            known.extend(samples);
            known.sort_unstable();
        }
        let unsorted: Vec<Labels> = all.iter().map(|(series, _)| Shape::labels(*series)).collect();
        let unsorted = LabelTable::from_labels(&unsorted);
        let rows = order::sort(&unsorted);
        let name = ["a", "b"][replica as usize];
        let mut settings = BlockSettings {
            ulid: BlockId::default(),
            external_labels: Labels::new([("cluster", "c"), ("replica", name)]).unwrap(),
            source: "sidecar".to_owned(),
            resolution_ms: 0,
            min_time: from,
            max_time: to,
            bucket_ms: 2 * HOUR_MS,
            compaction: Compaction { level: 1, sources: vec![], parents: vec![] },
        };
        settings.ulid = block::id(&[], &settings);
        settings.compaction.sources = vec![settings.ulid];
        let dir = tempfile::tempdir().unwrap();
        let table = Arc::new(unsorted.take(&rows));
        let mut writer = BlockWriter::create(dir.path(), settings, table).unwrap();
        for (series_ref, &row) in rows.iter().enumerate() {
            let samples = &all[row as usize].1;
            let ts: Vec<i64> = samples.iter().map(|&(t, _)| t).collect();
            let values: Vec<f64> = samples.iter().map(|&(_, v)| f64::from_bits(v)).collect();
            let mut at = 0;
            while at < ts.len() {
                let bucket = writer.bucket_of(ts[at]);
                let end =
                    at + ts[at..].iter().take_while(|&&t| writer.bucket_of(t) == bucket).count();
                writer.floats(series_ref as u32, &ts[at..end], &values[at..end], None).unwrap();
                at = end;
            }
        }
        let meta = writer.finish().unwrap();
        while commit(&self.bucket(), dir.path(), &meta).await.is_err() {}
    }

    /// Turns of one process until nothing is left to do; at most `most`.
    pub(crate) async fn turns(&self, compactor: &Compactor, most: usize) -> Turn {
        let mut last = Turn::default();
        for _ in 0..most {
            let clock = Arc::clone(&self.clock);
            match compactor.turn(&move || clock.load(Ordering::SeqCst)).await {
                Ok(turn) => {
                    let ended = !turn.more;
                    last = turn;
                    if ended {
                        break;
                    }
                }
                Err(_) if self.store.is_dead() => break,
                Err(_) => {}
            }
        }
        last
    }

    /// Whether every sample is there once: raw, or in windows of five minutes. Samples that are readable
    /// twice, altered ones and lost ones are named.
    pub(crate) async fn check(&self, when: &str) {
        let catalog = Arc::new(Catalog::new(self.bucket(), CatalogSettings::default()));
        catalog.sync().await.unwrap();
        let snapshot = catalog.snapshot();
        assert!(snapshot.set_aside.is_empty(), "{when}: {:?}", snapshot.set_aside);
        let source =
            BucketSource::new(Arc::clone(&catalog), BlockCache::new(self.bucket(), 64 << 20));
        let raw =
            read(&source.resolve(&everything(Aggregates::AVERAGE), &options()).await.unwrap())
                .await;
        let mut counts: BTreeMap<(Labels, i64), f64> = BTreeMap::new();
        for meta in snapshot.blocks.iter().filter(|m| m.thanos.downsample.resolution == 300_000) {
            let windows = DownsampledSource::new(&source, Arc::clone(meta));
            let count = everything(Aggregates::of(Aggregate::Count));
            let read = read(&windows.resolve(&count, &options()).await.unwrap()).await;
            for (labels, samples) in read {
                for (t, bits) in samples {
                    let day = counts.entry((labels.clone(), t.div_euclid(DAY_MS))).or_default();
                    *day += f64::from_bits(bits);
                }
            }
        }
        for (series, truth) in self.truth.iter() {
            let labels = Shape::labels(*series).overlay(&Labels::new([("cluster", "c")]).unwrap());
            let none = Samples::new();
            let raw = raw.get(&labels).unwrap_or(&none);
            for day in truth.chunk_by(|a, b| a.0.div_euclid(DAY_MS) == b.0.div_euclid(DAY_MS)) {
                let number = day[0].0.div_euclid(DAY_MS);
                let from = raw.partition_point(|&(t, _)| t.div_euclid(DAY_MS) < number);
                let to = raw.partition_point(|&(t, _)| t.div_euclid(DAY_MS) <= number);
                if raw[from..to] == *day {
                    continue;
                }
                let is_raw = |&(t, v): &(i64, u64)| raw[from..to].contains(&(t, v));
                assert!(
                    raw[from..to].iter().all(|s| day.contains(s)),
                    "{when}: {labels} is altered"
                );
                let live = day.iter().filter(|(_, v)| !f64::from_bits(*v).is_nan()).count();
                let counted = counts.get(&(labels.clone(), number)).copied().unwrap_or(0.0);
                assert_eq!(
                    counted,
                    live as f64,
                    "{when}: {labels}, day {}: {} raw samples are missing, the windows have {counted} of {live}",
                    number - START / DAY_MS,
                    day.iter().filter(|s| !is_raw(s)).count()
                );
            }
        }
    }

    /// Whether everything in the bucket is sound, and nothing lies there that nobody needs.
    pub(crate) async fn check_tidy(&self) {
        let survey =
            Catalog::new(self.bucket(), CatalogSettings::default()).survey().await.unwrap();
        assert!(survey.partial.is_empty(), "{:?}", survey.partial);
        assert!(survey.set_aside.is_empty(), "{:?}", survey.set_aside);
        for block in &survey.blocks {
            let report = verify(&self.bucket(), block.meta.ulid).await.unwrap();
            assert_eq!(report.problems, [""; 0], "{}", block.meta.ulid);
            assert!(block.marks.no_compact.is_none(), "{:?}", block.marks);
        }
        let objects = self.bucket().list("").await.unwrap();
        for object in objects {
            let of_block =
                survey.blocks.iter().any(|b| object.path.contains(&b.meta.ulid.to_string()));
            let known =
                object.path == "stoa/v1/files.json" || object.path.starts_with("stoa/v1/groups/");
            assert!(of_block || known, "{} is an orphan", object.path);
        }
        let files = std::fs::read_dir(self.dir.path().join("compact"));
        assert_eq!(files.map_or(0, Iterator::count), 0, "local files stay");
    }
}

/// Settings under which a few days see everything that a compactor does.
pub(crate) fn hasty(dir: &Path) -> CompactSettings {
    let retention = Retention { raw_ms: 2 * DAY_MS, five_minutes_ms: 0, hour_ms: 0 };
    let ages = DownsampleAges { raw_ms: 4 * HOUR_MS, five_minutes_ms: 20 * HOUR_MS };
    let idle = CompactSettings::idle(dir.join("compact"));
    CompactSettings {
        plan: PlanSettings {
            compact: true,
            replica_labels: vec!["replica".to_owned()],
            downsample: Some(ages),
            ..PlanSettings::default()
        },
        dedup: DedupFunc::Chain,
        retention: RetentionPolicy::new(retention),
        delete_delay_ms: 6 * HOUR_MS,
        holder: Holder::new(5 * 60_000),
        ..idle
    }
}

/// All samples, or what stands for them.
pub(crate) fn everything(aggregates: Aggregates) -> Select {
    Select {
        matchers: Vec::new(),
        range: TimeRange::ALL,
        columns: Columns::Values,
        aggregates,
        max_resolution: i64::MAX,
    }
}

fn options() -> SelectOptions {
    SelectOptions {
        dedup: true,
        dedup_func: DedupFunc::Chain,
        replica_labels: vec!["replica".to_owned()],
        ..SelectOptions::default()
    }
}

/// The samples of each series, in the order in which they come.
pub(crate) async fn read(resolved: &Resolved) -> BTreeMap<Labels, Samples> {
    let mut all: BTreeMap<Labels, Samples> = BTreeMap::new();
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let context = Arc::new(TaskContext::default());
        let stream = resolved.runs.execute(partition, context).unwrap();
        for batch in datafusion::physical_plan::common::collect(stream).await.unwrap() {
            let series = batch.column(0).as_primitive::<UInt32Type>();
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            for row in 0..batch.num_rows() {
                let labels = resolved.roster.labels(series.value(row) as usize);
                let (ts, values) = (ts.value(row), values.value(row));
                let ts = ts.as_primitive::<Int64Type>().values();
                let values = values.as_primitive::<Float64Type>().values();
                assert_eq!(ts.len(), values.len());
                let samples = ts.iter().copied().zip(values.iter().map(|v| v.to_bits()));
                all.entry(labels).or_default().extend(samples);
            }
        }
    }
    all
}
