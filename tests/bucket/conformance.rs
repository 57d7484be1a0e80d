//! What every bucket must do, whatever store is below.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use engine::block::meta::{
    BlockId, BlockMeta, BlockStats, Compaction, Downsample, FileMeta, META_FILE, StoaMeta,
    ThanosMeta,
};
use engine::bucket::{BLOCKS_PREFIX, Bucket, Created, commit, delete_block};
use engine::catalog::{Catalog, CatalogSettings};
use engine::{Error, ErrorKind};

use super::servers::{Forbidden, Place, bucket};
use crate::support;

/// Runs all of it.
pub(super) async fn holds(place: Place) {
    for bucket in [&place.bucket(), &place.prefixed("/some/where/")] {
        objects(bucket).await;
        create_if_absent(bucket).await;
        concurrent_creates(bucket).await;
        blocks(bucket).await;
    }
    prefixes(&place).await;
    files(&place).await;
    refusals(&place).await;
}

fn missing(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// Bytes that differ from place to place.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Writing, reading whole and in ranges, listing, removing.
async fn objects(bucket: &Bucket) {
    assert_eq!(bucket.list("a").await.unwrap(), []);
    assert_eq!(bucket.list_dirs("a").await.unwrap(), Vec::<String>::new());
    for (path, bytes) in
        [("a/x/1", 3), ("a/x/2", 5), ("a/y/z/3", 7), ("a/4", 2), ("ab/5", 1), ("a/é ü%/6", 4)]
    {
        bucket.put(path, pattern(bytes).into()).await.unwrap();
    }
    let listed: Vec<(String, u64)> =
        bucket.list("a").await.unwrap().into_iter().map(|o| (o.path, o.size_bytes)).collect();
    let paths: BTreeSet<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    assert!(paths.contains("a/x/1") && paths.contains("a/y/z/3") && paths.contains("a/4"));
    assert!(!paths.contains("ab/5"), "a prefix is a folder: {paths:?}");
    assert_eq!(listed.len(), 5, "{listed:?}");
    assert!(listed.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order: {listed:?}");
    assert!(listed.contains(&("a/x/2".to_owned(), 5)));
    let dirs = bucket.list_dirs("a").await.unwrap();
    assert_eq!(dirs.len(), 3, "{dirs:?}");
    assert!(dirs.contains(&"x".to_owned()) && dirs.contains(&"y".to_owned()), "{dirs:?}");

    assert_eq!(bucket.get("a/x/2").await.unwrap(), pattern(5));
    assert_eq!(bucket.get("a/é ü%/6").await.unwrap(), pattern(4));
    assert_eq!(bucket.head("a/x/2").await.unwrap(), 5);
    assert!(missing(&bucket.get("a/none").await.unwrap_err()));
    assert!(missing(&bucket.head("a/none").await.unwrap_err()));
    assert!(missing(&bucket.get_range("a/none", 0..2).await.unwrap_err()));
    assert_eq!(bucket.get_at_most("a/x/2", 5).await.unwrap().len(), 5);
    assert_eq!(bucket.get_at_most("a/x/2", 4).await.unwrap_err().kind(), ErrorKind::Corrupt);

    let big = pattern(5 << 20);
    bucket.put("big", big.clone().into()).await.unwrap();
    assert_eq!(bucket.get_range("big", 100..300).await.unwrap(), big[100..300]);
    assert_eq!(bucket.get_range("big", 7..7).await.unwrap(), Bytes::new());
    let past = bucket.get_range("big", (5 << 20) - 10..(5 << 20) + 10).await;
    assert!(past.is_err(), "a range past the end is an error, not fewer bytes");
    let ranges = [4_000_000..4_000_100, 0..10, 50..60, 3..5, 2_000_000..2_600_000, 9..9];
    let parts = bucket.get_ranges("big", &ranges).await.unwrap();
    for (range, part) in ranges.iter().zip(parts) {
        assert_eq!(part, big[range.start as usize..range.end as usize], "{range:?}");
    }

    bucket.put("a/x/2", pattern(6).into()).await.unwrap();
    assert_eq!(bucket.get("a/x/2").await.unwrap(), pattern(6), "put writes over");
    for path in ["a/x/1", "a/x/2", "a/y/z/3", "a/4", "ab/5", "a/é ü%/6", "big"] {
        bucket.delete(path).await.unwrap();
        assert!(missing(&bucket.get(path).await.unwrap_err()));
    }
    assert_eq!(bucket.list("a").await.unwrap(), []);
}

async fn create_if_absent(bucket: &Bucket) {
    let create = |text: &'static str| bucket.create("c/once", text.into());
    assert_eq!(create("first").await.unwrap(), Created::New);
    assert_eq!(create("first").await.unwrap(), Created::Same);
    assert_eq!(create("other").await.unwrap(), Created::Different);
    assert_eq!(create("a longer one").await.unwrap(), Created::Different);
    assert_eq!(create("").await.unwrap(), Created::Different);
    assert_eq!(bucket.get("c/once").await.unwrap(), "first");
    bucket.delete("c/once").await.unwrap();
}

/// Of many who create one object with different content, exactly one wins, and its content stays.
async fn concurrent_creates(bucket: &Bucket) {
    for round in 0..5 {
        let path = format!("c/race-{round}");
        let creates = (0..8).map(|number| {
            let (path, text) = (path.clone(), format!("content of {number}"));
            async move { (bucket.create(&path, text.clone().into()).await.unwrap(), text) }
        });
        let done = futures::future::join_all(creates).await;
        let winners: Vec<&String> =
            done.iter().filter(|(c, _)| *c == Created::New).map(|(_, text)| text).collect();
        assert_eq!(winners.len(), 1, "{done:?}");
        assert_eq!(bucket.get(&path).await.unwrap(), winners[0].as_bytes());
        assert_eq!(done.iter().filter(|(c, _)| *c == Created::Different).count(), 7);
        bucket.delete(&path).await.unwrap();
    }
}

/// A block in the local folder `dir`.
fn write_block(dir: &Path, number: u128, files: &[(&str, usize)]) -> BlockMeta {
    let files = files
        .iter()
        .map(|(name, bytes)| {
            let content = pattern(*bytes);
            std::fs::write(dir.join(name), &content).unwrap();
            let tail = bytes / 2;
            FileMeta {
                name: (*name).to_owned(),
                size_bytes: *bytes as u64,
                rows: 1,
                tail_offset: tail as u64,
                tail_crc32c: crc32c(&content[tail..]),
                chunk_crc32c: Vec::new(),
            }
        })
        .collect();
    let id: BlockId = format!("{number:026}").parse().unwrap();
    let meta = BlockMeta {
        ulid: id,
        min_time: 0,
        max_time: 7_200_000,
        stats: BlockStats::default(),
        compaction: Compaction { level: 1, sources: vec![id], parents: Vec::new() },
        version: 1,
        thanos: ThanosMeta {
            version: 1,
            labels: [("replica".to_owned(), "a".to_owned())].into(),
            downsample: Downsample::default(),
            source: "test".to_owned(),
        },
        stoa: StoaMeta {
            format: 1,
            writer: "test".to_owned(),
            bucket_ms: 7_200_000,
            label_columns: Vec::new(),
            files,
            digest: String::new(),
        },
    };
    std::fs::write(dir.join(META_FILE), meta.to_json().unwrap()).unwrap();
    meta
}

/// CRC32C by its definition (reflected polynomial 0x82f63b78), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

/// Commit, repeated and conflicting commit, what a catalog sees, removal.
async fn blocks(bucket: &Bucket) {
    let folder = support::scratch();
    let dir = folder.path();
    let meta = write_block(dir, 1, &[("series.parquet", 1000), ("samples.parquet", 5000)]);
    let base = format!("{BLOCKS_PREFIX}/{}", meta.ulid);
    let catalog = Catalog::new(bucket.clone(), CatalogSettings::default());

    // Half of an earlier try lies there.
    bucket.put(&format!("{base}/samples.parquet"), "half".into()).await.unwrap();
    catalog.sync().await.unwrap();
    assert!(catalog.snapshot().blocks.is_empty() && catalog.snapshot().set_aside.is_empty());

    assert_eq!(commit(bucket, dir, &meta).await.unwrap(), Created::New);
    catalog.sync().await.unwrap();
    assert_eq!(*catalog.snapshot().blocks[0], meta);
    let there: Vec<String> =
        bucket.list(&base).await.unwrap().into_iter().map(|object| object.path).collect();
    assert_eq!(
        there,
        ["meta.json", "samples.parquet", "series.parquet"].map(|name| format!("{base}/{name}"))
    );
    assert_eq!(bucket.get(&format!("{base}/samples.parquet")).await.unwrap(), pattern(5000));
    assert_eq!(commit(bucket, dir, &meta).await.unwrap(), Created::Same);

    // Another block under the same id: nothing of the first is touched.
    let other = support::scratch();
    let wrong =
        write_block(other.path(), 1, &[("series.parquet", 1000), ("samples.parquet", 4000)]);
    let error = commit(bucket, other.path(), &wrong).await.unwrap_err();
    assert!(error.to_string().contains("another meta.json"), "{error}");
    assert_eq!(bucket.get(&format!("{base}/samples.parquet")).await.unwrap(), pattern(5000));

    // A folder that is not what its meta.json says is not committed.
    let torn = support::scratch();
    let short = write_block(torn.path(), 2, &[("series.parquet", 1000)]);
    std::fs::write(torn.path().join("series.parquet"), pattern(999)).unwrap();
    let error = commit(bucket, torn.path(), &short).await.unwrap_err();
    assert!(error.to_string().contains("999 bytes, meta.json says 1000"), "{error}");
    let mut flipped = pattern(1000);
    flipped[900] ^= 1;
    std::fs::write(torn.path().join("series.parquet"), flipped).unwrap();
    let error = commit(bucket, torn.path(), &short).await.unwrap_err();
    assert!(error.to_string().contains("CRC32C"), "{error}");
    catalog.sync().await.unwrap();
    assert_eq!(catalog.snapshot().blocks.len(), 1);

    delete_block(bucket, meta.ulid).await.unwrap();
    delete_block(bucket, meta.ulid).await.unwrap();
    delete_block(bucket, short.ulid).await.unwrap();
    assert_eq!(bucket.list(BLOCKS_PREFIX).await.unwrap(), []);
    catalog.sync().await.unwrap();
    assert!(catalog.snapshot().blocks.is_empty());
}

/// `prefix:` puts everything below a folder.
async fn prefixes(place: &Place) {
    let (bucket, prefixed) = (place.bucket(), place.prefixed("some/where"));
    prefixed.put("inside", "x".into()).await.unwrap();
    assert_eq!(bucket.get("some/where/inside").await.unwrap(), "x");
    assert!(missing(&bucket.get("inside").await.unwrap_err()));
    prefixed.delete("inside").await.unwrap();
}

/// Uploads from files, small and in parts.
async fn files(place: &Place) {
    let folder = support::scratch();
    let bucket = place.bucket();
    let sizes: &[usize] =
        if place.parts { &[0, 10, 5 << 20, (35 << 20) + 123] } else { &[0, 10, 5 << 20] };
    for &size in sizes {
        let file = folder.path().join("file");
        std::fs::write(&file, pattern(size)).unwrap();
        bucket.put_file("f/file", &file).await.unwrap();
        assert_eq!(bucket.head("f/file").await.unwrap(), size as u64);
        assert!(bucket.get("f/file").await.unwrap() == pattern(size), "{size} bytes");
    }
    let none = bucket.put_file("f/none", &folder.path().join("none")).await.unwrap_err();
    assert!(none.to_string().contains("none"), "{none}");
    bucket.delete("f/file").await.unwrap();
    assert_eq!(bucket.list("f").await.unwrap(), []);
}

/// A wrong secret and a missing bucket are told apart, and no secret shows.
async fn refusals(place: &Place) {
    if let Some(Forbidden { yaml, secret }) = &place.forbidden {
        let bucket = bucket(yaml);
        for error in [
            bucket.list("a").await.unwrap_err(),
            bucket.get("a").await.unwrap_err(),
            bucket.put("a", "x".into()).await.unwrap_err(),
            bucket.create("a", "x".into()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("forbidden"), "{error}");
            let shown = format!("{error} {error:?} {bucket:?}");
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
    }
    let missing = bucket(&place.missing);
    let error = missing.list("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
    let catalog = Catalog::new(missing, CatalogSettings::default());
    let error = catalog.sync().await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert!(!catalog.is_ready());
}
