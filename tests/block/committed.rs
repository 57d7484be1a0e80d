//! The buckets in `tests/testdata`, one a version of the writer. They stay readable for ever.
//!
//! The writer still gives the bytes of the last one; whoever changes that raises
//! [`WRITER_VERSION`](engine::block::meta::WRITER_VERSION), lets the tests write a new bucket beside
//! the others, and keeps the reading of the old.
//!
//! Version 2 splits the bytes of histograms' whole counts and tells which columns have no values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::block::meta::WRITER_VERSION;
use engine::block::{BlockId, BlockMeta, BlockSettings, verify};
use engine::bucket::{BLOCKS_PREFIX, Bucket};

use super::samples::{
    Data, Float, HOURS_2, Native, Random, START, Samples, every_kind_of_histogram, float, labels,
    odd_values, read, settings, write,
};
use super::served::ask;
use crate::support::{repository, scratch};

/// The bucket of the writer as it is.
pub(super) fn bucket() -> PathBuf {
    bucket_of(WRITER_VERSION)
}

fn bucket_of(version: &str) -> PathBuf {
    repository().join(format!("tests/testdata/bucket-v{version}"))
}

/// The two blocks: four hours of everything, and two hours of another replica.
pub(super) fn blocks() -> [(BlockSettings, Data); 2] {
    let block = |replica: &str, hours: i64, data: Data| {
        let external = [("cluster", "eu-1"), ("replica", replica), ("Zone", "größer")];
        let mut settings = settings(&external, hours);
        // Blocks with the same sources would be one for a catalog that looks at sources alone.
        settings.compaction.sources = vec![settings.ulid];
        (settings, data)
    };
    let mut random = Random(1);
    let mut everything = requests("a", 4, &mut random);
    oddities(&mut everything);
    vast(&mut everything, &mut random);
    histograms(&mut everything);
    [block("a", 4, everything), block("b", 2, requests("b", 2, &mut random))]
}

/// A service, scraped every half minute, a bit later by the second replica.
fn requests(replica: &str, hours: i64, random: &mut Random) -> Data {
    let late = if replica == "a" { 0 } else { 7_003 };
    let scrapes = || (0..hours * 120).map(move |at| START + late + at * 30_000);
    let mut data = Data::new();
    for job in ["api", "web"] {
        for pod in 0..3 {
            let (pod, instance) = (format!("{job}-{pod}"), format!("10.0.0.{pod}:8080"));
            let mut add = |name: &str, more: &[(&str, &str)], floats: Vec<Float>| {
                let target = [("__name__", name), ("job", job), ("pod", &pod)];
                let pairs = [&target[..], &[("instance", &instance)], more].concat();
                data.insert(labels(&pairs), Samples { floats, natives: vec![] });
            };
            let mut up: Vec<Float> = scrapes().map(|ts| float(ts, 1.0)).collect();
            if pod == "web-2" {
                // Gone after an hour.
                up.truncate(120);
                up[119].bits = engine::model::STALE_NAN_BITS;
            }
            add("up", &[], up);
            for code in ["200", "500"] {
                let mut total = 0;
                let counted = scrapes().map(|ts| {
                    total += if code == "200" { random.below(40) } else { random.below(2) };
                    if random.below(300) == 0 {
                        total = 0;
                    }
                    Float { start_ts: START - 90_000, ..float(ts, total as f64) }
                });
                add("http_requests_total", &[("code", code)], counted.collect());
            }
            for le in ["0.005", "0.1", "2.5", "+Inf"] {
                let mut total = 0;
                let counted = scrapes().map(|ts| {
                    total += random.below(3);
                    float(ts, total as f64)
                });
                add("http_request_duration_seconds_bucket", &[("le", le)], counted.collect());
            }
            let load = scrapes().map(|ts| float(ts, random.below(1 << 20) as f64 / 65_536.0));
            add("node_load1", &[], load.collect());
        }
    }
    data
}

/// Names and values that a careless reader or writer changes.
fn oddities(data: &mut Data) {
    let floats = |step: i64| -> Vec<Float> {
        let at = |(at, bits)| Float { ts: START + at as i64 * step, bits, start_ts: 0 };
        odd_values().into_iter().enumerate().map(at).collect()
    };
    let mut add = |pairs: &[(&str, &str)], floats: Vec<Float>| {
        data.insert(labels(pairs), Samples { floats, natives: vec![] });
    };
    add(&[("__name__", "odd_values")], floats(1_000));
    add(&[("job", "nameless")], floats(1));
    add(
        &[("__name__", "temperature.celsius"), ("größe", "süß 🌡"), ("a.b", "x\ny\"z\\")],
        floats(7),
    );
    add(
        &[("__name__", "cases"), ("job", "1"), ("Job", "2"), ("JOB", "3"), ("job__2", "4")],
        floats(2),
    );
    add(&[("__name__", "last_millisecond")], vec![float(START + 2 * HOURS_2 - 1, 1.5)]);
    add(&[("__name__", "no_samples")], vec![]);
}

/// A metric that is large enough for a row group of its own, and for many pages.
fn vast(data: &mut Data, random: &mut Random) {
    for number in 0..40 {
        let mut total = 0;
        let floats = (0..7_200).map(|at| {
            if number % 10 == 0 && random.below(50) == 0 {
                total += 1;
            }
            float(START + at * 2_000, f64::from(total))
        });
        let pairs = [("__name__", "vast"), ("number", &format!("{number:02}"))];
        data.insert(labels(&pairs), Samples { floats: floats.collect(), natives: vec![] });
    }
}

/// More than a page of native histograms, and a series that has floats too.
fn histograms(data: &mut Data) {
    let kinds = every_kind_of_histogram();
    let natives = |count: i64, step: i64, start_ts: i64| -> Vec<Native> {
        let kinds = kinds.iter().cycle();
        let ts = (0..count).map(|at| START + at * step);
        ts.zip(kinds).map(|(ts, h)| Native { ts, start_ts, histogram: h.clone() }).collect()
    };
    let latency = [("__name__", "latency"), ("job", "api")];
    data.insert(labels(&latency), Samples { floats: vec![], natives: natives(1_100, 10_000, 0) });
    let mixed = Samples {
        floats: (0..20).map(|at| float(START + at * 1_000 + 500, f64::from(at as i32))).collect(),
        natives: natives(20, 1_000, START - 1),
    };
    data.insert(labels(&[("__name__", "latency"), ("job", "mixed")]), mixed);
}

/// Writes the bucket into `folder`.
fn write_bucket(folder: &Path) -> Vec<(BlockMeta, Data)> {
    blocks()
        .into_iter()
        .map(|(settings, data)| {
            let dir = folder.join(BLOCKS_PREFIX).join(settings.ulid.to_string());
            std::fs::create_dir_all(&dir).expect("a folder");
            (write(&dir, &settings, &data), data)
        })
        .collect()
}

/// All files below `folder`, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").to_path_buf();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn the_writer_still_gives_these_bytes() {
    let committed = bucket();
    if !committed.exists() {
        write_bucket(&committed);
        panic!("{} was missing and is written now: commit it", committed.display());
    }
    let written = scratch();
    write_bucket(written.path());
    let (committed, written) = (files(&committed), files(written.path()));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&committed), "other files, or another id");
    for (name, bytes) in &written {
        assert!(
            bytes == &committed[name],
            "{}: the writer gives other bytes than it did; see the head of this file",
            name.display()
        );
    }
    let size: usize = committed.values().map(Vec::len).sum();
    assert!(size < 400_000, "{size} bytes are much to commit");
}

#[tokio::test]
async fn the_committed_buckets_are_read() {
    for version in ["1", WRITER_VERSION] {
        is_read(&bucket_of(version)).await;
    }
}

async fn is_read(folder: &Path) {
    let yaml = format!("type: FILESYSTEM\nconfig: {{directory: {}}}", folder.display());
    let bucket = Bucket::from_yaml(&yaml).expect("a configuration");
    let ids = bucket.list_dirs(BLOCKS_PREFIX).await.expect("a listing");
    let mut found = Vec::new();
    for id in ids {
        // The id is of the bytes: other versions have others.
        let id: BlockId = id.parse().expect("an id");
        let report = verify(&bucket, id).await.expect("the block is there");
        assert_eq!(report.problems, Vec::<String>::new());
        let json = bucket.get(&BlockMeta::path(id, "meta.json")).await.expect("meta.json");
        let meta = BlockMeta::of_block(id, &json).expect("a sound meta.json");
        let labels = meta.external_labels().expect("labels");
        let written = blocks().into_iter().position(|(of, _)| of.external_labels == labels);
        let at = written.expect("one of the two");
        assert!(
            read(&bucket, &meta).await.expect("a sound block") == blocks()[at].1,
            "other samples"
        );
        found.push((at, id));
    }
    found.sort_unstable();
    assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1]);
    let ids: Vec<BlockId> = found.into_iter().map(|(_, id)| id).collect();
    let all = blocks();
    let samples: usize =
        all.iter().flat_map(|(_, data)| data.values()).map(|samples| samples.floats.len()).sum();
    let (seen, warnings) = ask(&bucket, ids[0]).await;
    assert_eq!(warnings, Vec::<String>::new());
    // One series has no name, so the query of all metrics leaves it out.
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), samples - odd_values().len());
}
