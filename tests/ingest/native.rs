//! Native blocks in a bucket, read in place, answer as the blocks that they are converted to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::collect;
use engine::block::BlockId;
use engine::block::histogram::HistogramColumns;
use engine::bucket::Bucket;
use engine::catalog::{Catalog, CatalogSettings, Snapshot};
use engine::model::{Aggregates, HistogramView, Labels, MatchOp, Matcher, TimeRange};
use engine::scan::BlockCache;
use engine::source::{BucketSource, Columns, Select, SelectOptions, SeriesSource, histograms_of};
use engine::{ErrorKind, Result};
use ingest::native::{NativeCatalog, NativeSource};
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::dump::write_block;
use crate::block::served::{Seen, all};
use crate::support::{scratch, stoa};

/// A folder that is a bucket.
struct Place {
    folder: TempDir,
    bucket: Bucket,
    blocks: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = scratch();
        let store = LocalFileSystem::new_with_prefix(folder.path()).expect("a folder");
        Self { bucket: Bucket::new(Arc::new(store), "bucket"), folder, blocks: scratch() }
    }

    /// Puts a block that Prometheus wrote at the bucket's top level, as Thanos' sidecar does.
    fn add(&self, kind: &str, replica: &str) -> BlockId {
        let written = write_block(self.blocks.path(), kind);
        let path = written.join("meta.json");
        let mut meta: Value =
            serde_json::from_slice(&fs::read(&path).expect("meta.json")).expect("JSON");
        meta["thanos"] = json!({"labels": {"cluster": "c", "replica": replica}, "source": "sidecar",
            "downsample": {"resolution": 0}});
        fs::write(&path, meta.to_string()).expect("meta.json");
        let id = meta["ulid"].as_str().expect("an id");
        copy(&written, &self.folder.path().join(id));
        fs::rename(&written, self.blocks.path().join(id)).expect("the block is named by its id");
        id.parse().expect("a ULID")
    }

    /// Converts what was added.
    fn convert(&self) {
        let bucket = self.folder.path().display();
        let uploaded = Command::new(stoa())
            .args(["tools", "bucket", "upload-blocks", "--path"])
            .arg(self.blocks.path())
            .arg(format!(
                "--objstore.config={{type: FILESYSTEM, config: {{directory: '{bucket}'}}}}"
            ))
            .output()
            .expect("stoa runs");
        assert!(uploaded.status.success(), "{}", String::from_utf8_lossy(&uploaded.stderr));
    }

    /// The blocks of Stoa.
    async fn converted(&self) -> (Arc<Snapshot>, BucketSource) {
        let catalog = Arc::new(Catalog::new(self.bucket.clone(), CatalogSettings::default()));
        catalog.sync().await.expect("the bucket is listed");
        let cache = BlockCache::new(self.bucket.clone(), 64 << 20);
        (catalog.snapshot(), BucketSource::new(catalog, cache))
    }

    /// The native blocks, seen beside `converted`.
    async fn native(&self, converted: &Snapshot) -> NativeCatalog {
        let settings = CatalogSettings::default();
        let catalog = NativeCatalog::new(self.bucket.clone(), settings, 64 << 20);
        catalog.sync(converted).await.expect("the bucket is listed");
        catalog
    }

    async fn only(&self) -> (NativeCatalog, Arc<NativeSource>) {
        let catalog = self.native(&Snapshot::default()).await;
        let [source] = &catalog.sources()[..] else { panic!("{:?}", catalog.sources()) };
        let source = Arc::clone(source);
        (catalog, source)
    }
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry").path();
        let to = to.join(entry.file_name().expect("a name"));
        match entry.is_dir() {
            true => copy(&entry, &to),
            false => drop(fs::copy(&entry, to).expect("the file is copied")),
        }
    }
}

fn select(op: MatchOp, value: &str, range: TimeRange) -> Select {
    let matchers = vec![Matcher::new("__name__", op, value).expect("a matcher")];
    Select {
        matchers,
        range,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    }
}

fn everything() -> Select {
    select(MatchOp::Regex, ".*", TimeRange::ALL)
}

async fn seen(source: &dyn SeriesSource, select: &Select) -> Result<Seen> {
    all(source, select).await.map(|(seen, _)| seen)
}

/// All and a part of the series and of the time; the lists too.
#[tokio::test(flavor = "multi_thread")]
async fn native_blocks_answer_as_converted_ones() {
    let options = SelectOptions { dedup: false, ..SelectOptions::default() };
    for kind in ["node", "long"] {
        let place = Place::new();
        place.add(kind, "a");
        place.convert();
        let ((_, converted), (_, native)) = (place.converted().await, place.only().await);
        assert_eq!(native.extents(), converted.extents(), "{kind}");
        let whole = native.meta().range();
        let middle = (whole.max - whole.min) / 2 + whole.min;
        for range in [TimeRange::ALL, TimeRange::new(middle - 60_000, middle + 600_000)] {
            let floats = (MatchOp::NotEqual, "delta_seconds");
            for (op, value) in [floats, (MatchOp::Regex, "up|alpha_total|gamma")] {
                let select = select(op, value, range);
                let expected = seen(&converted, &select).await.expect("an answer");
                let got = seen(native.as_ref(), &select).await.expect("an answer");
                assert!(!got.is_empty() && got == expected, "{kind}, {range:?}");
            }
            let matchers = everything().matchers;
            let series = |s: Vec<Labels>| s.into_iter().map(|l| l.to_string()).collect::<Vec<_>>();
            let ours = native.series(&matchers, range, &options, 0).await.expect("series").items;
            let theirs = converted.series(&matchers, range, &options, 0).await.expect("series");
            assert_eq!(series(ours), series(theirs.items), "{kind}, {range:?}");
            let ours = native.label_names(&matchers, range, &options, 0).await.expect("names");
            let theirs = converted.label_names(&matchers, range, &options, 0).await.expect("names");
            assert_eq!(ours.items, theirs.items, "{kind}, {range:?}");
            for name in ["__name__", "replica", "none"] {
                let args = (name, &matchers, range, &options);
                let ours = native.label_values(args.0, args.1, args.2, args.3, 2).await;
                let theirs = converted.label_values(args.0, args.1, args.2, args.3, 2).await;
                assert_eq!(ours.expect("values").items, theirs.expect("values").items, "{kind}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_converted_is_not_read_twice() {
    let place = Place::new();
    place.add("node", "a");
    place.convert();
    let late = place.add("long", "b");
    let (converted, _) = place.converted().await;
    let left: Vec<BlockId> =
        place.native(&converted).await.sources().iter().map(|source| source.meta().ulid).collect();
    assert_eq!(left, [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn matchers_meet_external_labels() {
    let place = Place::new();
    place.add("node", "a");
    let (_, native) = place.only().await;
    let mut select = everything();
    select.matchers.push(Matcher::new("replica", MatchOp::Equal, "b").expect("a matcher"));
    assert!(seen(native.as_ref(), &select).await.expect("an answer").is_empty());
    *select.matchers.last_mut().expect("one") =
        Matcher::new("replica", MatchOp::Regex, "a|x").expect("a matcher");
    assert!(!seen(native.as_ref(), &select).await.expect("an answer").is_empty());
}

/// A deletion mark holds when its delay is over; one that makes no sense marks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_marked_long_ago_are_left_out() {
    let place = Place::new();
    let [old, new, odd] = ["node", "long", "encodings"].map(|kind| place.add(kind, "a"));
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs();
    let mark = |block: BlockId, hours: u64| {
        let time = now - hours * 3600;
        format!("{{\"id\": \"{block}\", \"version\": 1, \"deletion_time\": {time}}}")
    };
    for (block, mark) in [(old, mark(old, 25)), (new, mark(new, 23)), (odd, "no mark".to_owned())] {
        let folder = place.folder.path().join(block.to_string());
        fs::write(folder.join("deletion-mark.json"), mark).expect("a file");
    }
    let catalog = place.native(&Snapshot::default()).await;
    let mut left: Vec<BlockId> =
        catalog.sources().iter().map(|source| source.meta().ulid).collect();
    left.sort_unstable();
    let mut expected = [new, odd];
    expected.sort_unstable();
    assert_eq!(left, expected);
}

/// A bad `meta.json` is named by the sync, damaged files when they are read; both are set aside.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_blocks_are_set_aside() {
    let place = Place::new();
    let damaged = place.add("node", "a");
    let other = place.add("long", "a");
    fs::write(place.folder.path().join(other.to_string()).join("meta.json"), "{").expect("a file");
    let catalog = place.native(&Snapshot::default()).await;
    let aside = catalog.set_aside();
    assert!(aside.len() == 1 && aside[0].block == other, "{aside:?}");
    assert!(aside[0].reason.contains("meta.json"), "{aside:?}");

    let chunks = place.folder.path().join(damaged.to_string()).join("chunks/000001");
    let mut bytes = fs::read(&chunks).expect("the chunks");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&chunks, bytes).expect("the chunks");
    let [source] = &catalog.sources()[..] else { panic!("{:?}", catalog.sources()) };
    let error = seen(source.as_ref(), &everything()).await.expect_err("a damaged block");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(&damaged.to_string()), "{error}");
    assert!(catalog.sources().is_empty());
    assert_eq!(catalog.set_aside().len(), 2);
}

/// Who asks for floats is told of histograms; who asks for both gets those that the converted block
/// has, in the same order.
#[tokio::test(flavor = "multi_thread")]
async fn native_histograms_are_not_passed_over() {
    let place = Place::new();
    place.add("encodings", "a");
    place.convert();
    let ((_, converted), (_, native)) = (place.converted().await, place.only().await);
    let error = seen(native.as_ref(), &everything()).await.expect_err("histograms");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let both = Select { columns: Columns::Samples, ..everything() };
    let expected = lines(&converted, &both).await;
    let got = lines(native.as_ref(), &both).await;
    let histograms = expected.values().flatten().filter(|(_, text)| text.contains("Span")).count();
    assert!(histograms > 10_000, "{histograms} histograms");
    assert!(got.keys().eq(expected.keys()));
    for (labels, expected) in &expected {
        assert!(got[labels] == *expected, "{labels}");
    }
}

/// The samples of all series as text, in order of time.
async fn lines(source: &dyn SeriesSource, select: &Select) -> BTreeMap<String, Vec<(i64, String)>> {
    let options = SelectOptions { dedup: false, ..SelectOptions::default() };
    let resolved = source.resolve(select, &options).await.expect("an answer");
    let mut all: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    let batches = collect(resolved.runs, Arc::new(TaskContext::default())).await.expect("samples");
    for batch in batches {
        let series = batch.column(0).as_primitive::<UInt32Type>();
        let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
        let (lists, structs) = histograms_of(&batch).expect("a run batch").expect("histograms");
        let columns = HistogramColumns::of(structs).expect("columns");
        for row in 0..batch.num_rows() {
            let ts = ts.value(row).as_primitive::<Int64Type>().values().to_vec();
            let texts: Vec<String> = if lists.is_valid(row) {
                let ends = lists.value_offsets();
                let text = |at: i32| {
                    let view = columns.view(at as usize).expect("a histogram");
                    // NaN has many forms.
                    format!("{:x} {:?}", view.sum.to_bits(), HistogramView { sum: 0.0, ..view })
                };
                (ends[row]..ends[row + 1]).map(text).collect()
            } else {
                let values = values.value(row);
                let values = values.as_primitive::<Float64Type>().values().iter();
                values.map(|value| format!("{:x}", value.to_bits())).collect()
            };
            assert_eq!(ts.len(), texts.len());
            let labels = resolved.roster.labels(series.value(row) as usize).to_string();
            let samples = all.entry(labels).or_default();
            assert!(samples.last().map(|(t, _)| *t) < ts.first().copied(), "in order of time");
            samples.extend(ts.into_iter().zip(texts));
        }
    }
    all
}
