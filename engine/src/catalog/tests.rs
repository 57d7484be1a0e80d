//! Listings, bad `meta.json` of every family, marks, covered blocks, and a store that fails.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use ulid::Ulid;

use super::*;
use crate::block::meta::{BlockStats, Compaction, Downsample, FileMeta, StoaMeta, ThanosMeta};

fn id(number: u128) -> BlockId {
    BlockId(Ulid::from_parts(1_000, number))
}

/// A sound block `number` of `[min, max)` from `sources`.
fn meta(number: u128, min: i64, max: i64, sources: &[u128]) -> BlockMeta {
    let file = |name: &str| FileMeta {
        name: name.into(),
        size_bytes: 4,
        rows: 1,
        tail_offset: 0,
        tail_crc32c: 0,
        chunk_crc32c: Vec::new(),
    };
    BlockMeta {
        ulid: id(number),
        min_time: min,
        max_time: max,
        stats: BlockStats::default(),
        compaction: Compaction {
            level: 1,
            sources: sources.iter().map(|&n| id(n)).collect(),
            parents: Vec::new(),
        },
        version: 1,
        thanos: ThanosMeta {
            version: 1,
            labels: [("replica".to_owned(), "a".to_owned())].into(),
            downsample: Downsample { resolution: 0 },
            source: "test".into(),
        },
        stoa: StoaMeta {
            format: 1,
            writer: "test".into(),
            bucket_ms: 7_200_000,
            label_columns: Vec::new(),
            files: vec![file("series.parquet"), file("samples.parquet")],
            digest: String::new(),
        },
    }
}

async fn put(bucket: &Bucket, id: BlockId, name: &str, text: impl Into<Bytes>) {
    bucket.put(&format!("{BLOCKS_PREFIX}/{id}/{name}"), text.into()).await.unwrap();
}

async fn put_block(bucket: &Bucket, meta: &BlockMeta) {
    for file in &meta.stoa.files {
        put(bucket, meta.ulid, &file.name, vec![0; file.size_bytes as usize]).await;
    }
    put(bucket, meta.ulid, META_FILE, meta.to_json().unwrap()).await;
}

/// A JSON object with the CRC that makes it a whole `meta.json`.
fn sealed(object: &str) -> String {
    let body = format!("{},\n  \"crc32c\": \"", object.strip_suffix('}').unwrap());
    format!("{body}{:08x}\"\n}}\n", crc32c::crc32c(body.as_bytes()))
}

fn memory() -> Bucket {
    Bucket::new(Arc::new(InMemory::new()), "memory")
}

fn ids(snapshot: &Snapshot) -> Vec<BlockId> {
    snapshot.blocks.iter().map(|meta| meta.ulid).collect()
}

#[tokio::test]
async fn blocks_come_and_go() {
    let bucket = memory();
    let mut registry = Registry::default();
    let catalog = Catalog::new(bucket.clone(), CatalogSettings::default())
        .with_metrics(CatalogMetrics::new(&mut registry));
    assert!(!catalog.is_ready());
    catalog.sync().await.unwrap();
    assert!(catalog.is_ready());
    assert!(catalog.snapshot().blocks.is_empty());

    put_block(&bucket, &meta(2, 0, 10, &[2])).await;
    put_block(&bucket, &meta(1, 10, 20, &[1])).await;
    put(&bucket, id(3), "series.parquet", "half").await;
    bucket.put(&format!("{BLOCKS_PREFIX}/notes/{META_FILE}"), "x".into()).await.unwrap();
    bucket.put(&format!("{BLOCKS_PREFIX}/stray"), "x".into()).await.unwrap();
    catalog.sync().await.unwrap();
    let snapshot = catalog.snapshot();
    assert_eq!(ids(&snapshot), [id(2), id(1)]);
    assert!(snapshot.set_aside.is_empty());

    crate::bucket::delete_block(&bucket, id(2)).await.unwrap();
    catalog.sync().await.unwrap();
    assert_eq!(ids(&catalog.snapshot()), [id(1)]);
    assert_eq!(ids(&snapshot), [id(2), id(1)], "a snapshot in hand does not change");

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "thanos_blocks_meta_syncs_total 3",
        "thanos_blocks_meta_sync_failures_total 0",
        "thanos_blocks_meta_synced{state=\"loaded\"} 1",
        "thanos_blocks_meta_synced{state=\"no-meta-json\"} 1",
        "thanos_bucket_store_block_loads_total 2",
        "thanos_bucket_store_block_drops_total 1",
        "thanos_bucket_store_blocks_loaded 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn bad_blocks_are_set_aside_and_the_rest_is_read() {
    let good = meta(1, 0, 10, &[1]);
    let plain = |change: &dyn Fn(&mut BlockMeta)| {
        let mut bad = meta(2, 0, 10, &[2]);
        change(&mut bad);
        serde_json::to_string(&bad).unwrap()
    };
    let json = |change: &dyn Fn(&mut BlockMeta)| sealed(&plain(change));
    let text = plain(&|_| {});
    let whole = sealed(&text);
    let nested = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep = text.replacen('{', &format!("{{\"a\":{nested},"), 1);
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        sealed(&text.replacen(from, to, 1))
    };
    let name =
        |name: &'static str| json(&move |m: &mut BlockMeta| m.stoa.files[1].name = name.to_owned());
    let cases: Vec<(String, &str)> = vec![
        ("x".repeat(11 << 20), "more than 10485760"),
        (String::new(), "damaged"),
        ("[]".into(), "damaged"),
        ("[".repeat(100_000), "damaged"),
        (whole[..whole.len() / 2].into(), "damaged"),
        (whole[..whole.len() - 1].into(), "damaged"),
        (whole.replacen("\"minTime\":0", "\"minTime\":1", 1), "damaged"),
        (text.clone(), "damaged"),
        (sealed(&deep), "recursion limit"),
        (sealed("{}"), "cannot be read"),
        (edited("\"minTime\":0", "\"minTime\":0,\"minTime\":0"), "duplicate field `minTime`"),
        (
            edited("\"replica\":\"a\"", "\"replica\":\"a\",\"replica\":\"b\""),
            "\"replica\" occurs twice",
        ),
        (json(&|m| m.ulid = id(9)), "it is that of block"),
        (json(&|m| m.min_time = 10), "contradicts itself"),
        (json(&|m| (m.min_time, m.max_time) = (i64::MAX, i64::MIN)), "contradicts itself"),
        (json(&|m| m.version = 2), "version 2 is unknown"),
        (json(&|m| m.stoa.format = 99), "block format 99 is unknown"),
        (edited("\"format\":1", "\"format\":7,\"files\":3"), "block format 7 is unknown"),
        (json(&|m| m.thanos.downsample.resolution = -1), "resolution -1"),
        (json(&|m| m.stoa.bucket_ms = 0), "contradicts itself"),
        (json(&|m| m.stoa.files.clear()), "series.parquet is not among"),
        (json(&|m| m.stoa.files[1].tail_offset = 5), "contradicts itself"),
        (name("series.parquet"), "occurs twice"),
        (name("../samples.parquet"), "is not allowed"),
        (name("/etc/passwd"), "is not allowed"),
        (name("a/b"), "is not allowed"),
        (name(".."), "is not allowed"),
        (name("a\\b"), "is not allowed"),
        (name("%2e%2e"), "is not allowed"),
        (name("a\0b"), "is not allowed"),
        (name("ѕamples.parquet"), "is not allowed"),
        (name(""), "is not allowed"),
        (name("meta.json"), "is not allowed"),
        (name("histograms.parquet"), "histograms.parquet is missing"),
        (json(&|m| m.stoa.files[1].size_bytes = 5), "has 4 bytes, meta.json says 5"),
        (edited("\"ulid\":\"", "\"ulid\":\"x"), "cannot be read"),
        (json(&|m| drop(m.thanos.labels.insert(String::new(), "v".into()))), "external labels"),
    ];
    for (text, reason) in cases {
        let bucket = memory();
        put_block(&bucket, &good).await;
        put_block(&bucket, &meta(2, 0, 10, &[2])).await;
        put(&bucket, id(2), META_FILE, text.clone()).await;
        let catalog = Catalog::new(bucket, CatalogSettings::default());
        catalog.sync().await.unwrap();
        let snapshot = catalog.snapshot();
        let shown = &text[..text.len().min(200)];
        assert_eq!(ids(&snapshot), [id(1)], "{shown}");
        assert_eq!(snapshot.set_aside.len(), 1, "{shown}");
        assert_eq!(snapshot.set_aside[0].block, id(2));
        let said = &snapshot.set_aside[0].reason;
        assert!(said.contains(reason), "{said} does not say {reason}: {shown}");
    }
}

#[tokio::test]
async fn fields_of_later_versions_are_no_error() {
    let bucket = memory();
    let good = meta(1, 0, 10, &[1]);
    put_block(&bucket, &good).await;
    let text = serde_json::to_string(&good).unwrap().replacen('{', "{\"later\":{\"a\":[1]},", 1);
    put(&bucket, id(1), META_FILE, sealed(&text)).await;
    let catalog = Catalog::new(bucket, CatalogSettings::default());
    catalog.sync().await.unwrap();
    assert_eq!(ids(&catalog.snapshot()), [id(1)]);
}

#[tokio::test]
async fn marked_blocks_leave_after_the_delay() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mark = |id: BlockId, version: u32, ago: u64| {
        format!(
            "{{\"id\":\"{id}\",\"version\":{version},\"details\":\"\",\"deletion_time\":{}}}",
            now - ago
        )
    };
    let day = 24 * 3600;
    let bucket = memory();
    for (number, mark) in [
        (1, Some(mark(id(1), 1, day + 60))),
        (2, Some(mark(id(2), 1, day - 60))),
        (3, Some(mark(id(9), 1, 2 * day))),
        (4, Some(mark(id(4), 2, 2 * day))),
        (5, Some("nonsense".to_owned())),
        (6, None),
    ] {
        put_block(&bucket, &meta(number, 0, 10, &[number])).await;
        if let Some(mark) = mark {
            put(&bucket, id(number), DeletionMark::FILE, mark).await;
        }
    }
    let catalog = Catalog::new(bucket.clone(), CatalogSettings::default());
    catalog.sync().await.unwrap();
    assert_eq!(ids(&catalog.snapshot()), [id(2), id(3), id(4), id(5), id(6)]);
    // A mark that is taken back brings the block back.
    bucket.delete(&format!("{BLOCKS_PREFIX}/{}/{}", id(1), DeletionMark::FILE)).await.unwrap();
    catalog.sync().await.unwrap();
    assert_eq!(catalog.snapshot().blocks.len(), 6);
}

#[tokio::test]
async fn covered_blocks_are_read_once_and_return_when_the_cover_is_damaged() {
    let bucket = memory();
    for block in [
        meta(1, 0, 10, &[1]),
        meta(2, 10, 20, &[2]),
        meta(3, 20, 30, &[3]),
        meta(10, 0, 20, &[1, 2]),
        meta(11, 0, 20, &[1, 2]),
        meta(12, 0, 30, &[]),
    ] {
        put_block(&bucket, &block).await;
    }
    let mut other = meta(20, 0, 10, &[1]);
    other.thanos.labels.insert("replica".into(), "b".into());
    put_block(&bucket, &other).await;
    let mut coarse = meta(21, 0, 10, &[1]);
    coarse.thanos.downsample.resolution = 300_000;
    put_block(&bucket, &coarse).await;

    let catalog = Catalog::new(bucket, CatalogSettings::default());
    catalog.sync().await.unwrap();
    assert_eq!(ids(&catalog.snapshot()), [id(10), id(12), id(20), id(21), id(3)]);
    catalog.set_aside(id(10), "page 3 of samples.parquet");
    assert_eq!(ids(&catalog.snapshot()), [id(11), id(12), id(20), id(21), id(3)]);
    catalog.set_aside(id(11), "page 4");
    catalog.sync().await.unwrap();
    let snapshot = catalog.snapshot();
    assert_eq!(ids(&snapshot), [id(1), id(12), id(20), id(21), id(2), id(3)]);
    assert_eq!(
        snapshot.set_aside,
        [
            SetAside { block: id(10), reason: "page 3 of samples.parquet".into() },
            SetAside { block: id(11), reason: "page 4".into() },
        ]
    );
}

#[tokio::test]
async fn the_time_range_leaves_blocks_out() {
    let bucket = memory();
    for (number, min, max) in [(1, 0, 10), (2, 10, 20), (3, 20, 30)] {
        put_block(&bucket, &meta(number, min, max, &[number])).await;
    }
    let settings =
        CatalogSettings { range: TimeRange::new(10, 19).into(), ..CatalogSettings::default() };
    let catalog = Catalog::new(bucket, settings);
    catalog.sync().await.unwrap();
    assert_eq!(ids(&catalog.snapshot()), [id(2)]);
}

#[tokio::test]
async fn a_survey_leaves_nothing_out() {
    let bucket = memory();
    for block in [meta(1, 10, 20, &[1]), meta(2, 0, 10, &[2]), meta(10, 0, 20, &[1, 2])] {
        put_block(&bucket, &block).await;
    }
    let mark = format!("{{\"id\":\"{}\",\"version\":1,\"deletion_time\":9999999999}}", id(1));
    put(&bucket, id(1), DeletionMark::FILE, mark).await;
    put(&bucket, id(3), META_FILE, "nonsense").await;
    put(&bucket, id(4), "series.parquet", "half").await;
    let settings =
        CatalogSettings { range: TimeRange::new(100, 200).into(), ..CatalogSettings::default() };
    let survey = Catalog::new(bucket, settings).survey().await.unwrap();
    let blocks: Vec<(BlockId, bool)> =
        survey.blocks.iter().map(|block| (block.meta.ulid, block.is_marked())).collect();
    assert_eq!(blocks, [(id(2), false), (id(10), false), (id(1), true)]);
    assert_eq!(survey.set_aside.len(), 1);
    assert_eq!((survey.set_aside[0].block, survey.partial.len()), (id(3), 1));
}

proptest! {
    /// However sources are spread over blocks, what is read has each source exactly once more often
    /// than it has a reason to: no kept block lies inside another, and no source is lost.
    #[test]
    fn covering_loses_no_source(
        blocks in prop::collection::vec(prop::collection::btree_set(0u128..8, 1..5), 1..20)
    ) {
        let metas: Vec<Arc<BlockMeta>> = blocks
            .iter()
            .enumerate()
            .map(|(at, sources)| {
                let sources: Vec<u128> = sources.iter().copied().collect();
                Arc::new(meta(100 + at as u128, 0, 10, &sources))
            })
            .collect();
        let all: HashSet<BlockId> =
            metas.iter().flat_map(|m| m.compaction.sources.clone()).collect();
        let (kept, dropped) = covered::drop_covered(metas.clone());
        prop_assert_eq!(kept.len() + dropped, metas.len());
        let left: HashSet<BlockId> =
            kept.iter().flat_map(|m| m.compaction.sources.clone()).collect();
        prop_assert_eq!(all, left);
        for a in &kept {
            for b in &kept {
                let inside = a.compaction.sources.iter().all(|s| b.compaction.sources.contains(s));
                prop_assert!(a.ulid == b.ulid || !inside);
            }
        }
    }
}

/// A store whose listings end in an error after a few objects, or whose reads fail, when told so.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    listings: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failing")
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "failing", source: "503 Slow Down".into() }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> StoreResult<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        if self.reads.load(Ordering::Relaxed) {
            return Err(broken());
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        if self.listings.load(Ordering::Relaxed) {
            let torn = self.inner.list(prefix).take(3);
            return torn.chain(futures::stream::once(async { Err(broken()) })).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn an_incomplete_listing_never_replaces_a_complete_snapshot() {
    let (listings, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let store = Failing {
        inner: InMemory::new(),
        listings: Arc::clone(&listings),
        reads: Arc::clone(&reads),
    };
    let bucket = Bucket::new(Arc::new(store), "failing");
    for number in 1..=3 {
        put_block(&bucket, &meta(number, 0, 10, &[number])).await;
    }
    let catalog = Catalog::new(bucket.clone(), CatalogSettings::default());
    listings.store(true, Ordering::Relaxed);
    let error = catalog.sync().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!catalog.is_ready());
    listings.store(false, Ordering::Relaxed);
    catalog.sync().await.unwrap();
    assert_eq!(catalog.snapshot().blocks.len(), 3);

    listings.store(true, Ordering::Relaxed);
    catalog.sync().await.unwrap_err();
    assert_eq!(catalog.snapshot().blocks.len(), 3);
    listings.store(false, Ordering::Relaxed);

    put_block(&bucket, &meta(4, 0, 10, &[4])).await;
    reads.store(true, Ordering::Relaxed);
    let error = catalog.sync().await.unwrap_err();
    assert!(error.to_string().contains("503 Slow Down"), "{error}");
    assert_eq!(catalog.snapshot().blocks.len(), 3);
    assert!(catalog.is_ready());
    reads.store(false, Ordering::Relaxed);
    catalog.sync().await.unwrap();
    assert_eq!(catalog.snapshot().blocks.len(), 4);
}
