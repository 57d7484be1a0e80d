//! Damaged blocks: flipped bits, cut files, half an upload, a bad `meta.json`. `verify` finds all of
//! it, and no query ever sees an altered sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::ErrorKind;
use engine::block::{BlockId, BlockMeta, verify};
use engine::bucket::Bucket;
use object_store::memory::InMemory;

use super::samples::{
    Data, HOURS_2, Native, Random, START, Samples, every_kind_of_histogram, float, labels, read,
    settings, write,
};
use super::served::{Seen, ask};

/// A block that gets damaged and one that stays whole, in one bucket.
struct Victim {
    id: BlockId,
    data: Data,
    /// The objects of the block that gets damaged, by name.
    objects: BTreeMap<String, Bytes>,
    bucket: Bucket,
    /// What a query sees in both blocks, and in the one that stays whole.
    both: Seen,
    rest: Seen,
}

/// Samples of all kinds in the block that begins at `start`.
fn data(start: i64) -> Data {
    let mut data = Data::new();
    for metric in ["container_cpu_usage_seconds_total", "up", "größe.in.bytes"] {
        for pod in 0..6 {
            let mut samples = Samples::default();
            for at in 0..240 {
                let value = match metric {
                    "up" => 1.0,
                    _ => f64::from(at * (pod + 1)) * 1.37,
                };
                let mut sample = float(start + i64::from(at) * 30_000 + i64::from(pod), value);
                if pod == 5 {
                    sample.start_ts = start - 1;
                }
                samples.floats.push(sample);
            }
            let pod = format!("pod-{pod}");
            let pairs = [("__name__", metric), ("job", "a"), ("pod", &pod), ("töpfe", "x y")];
            data.insert(labels(&pairs), samples);
        }
    }
    let histograms = every_kind_of_histogram();
    let natives = (0..).step_by(60_000).zip(histograms).map(|(at, histogram)| Native {
        ts: start + at,
        start_ts: start,
        histogram,
    });
    let samples = Samples { floats: vec![], natives: natives.collect() };
    data.insert(labels(&[("__name__", "latency")]), samples);
    data
}

impl Victim {
    async fn new() -> Self {
        let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
        let mut made = Vec::new();
        for start in [START, START + HOURS_2] {
            let mut settings = settings(&[("replica", "a")], 2);
            (settings.min_time, settings.max_time) = (start, start + HOURS_2);
            settings.ulid = engine::block::id(&settings.compaction.sources, &settings);
            // Two blocks with the same sources would be one for the catalog.
            settings.compaction.sources = vec![settings.ulid];
            let dir = tempfile::tempdir().expect("a folder");
            let data = data(start);
            let meta = write(dir.path(), &settings, &data);
            engine::bucket::commit(&bucket, dir.path(), &meta).await.expect("commit");
            let names = meta.stoa.files.iter().map(|file| file.name.as_str());
            let objects = names.chain(["meta.json"]).map(|name| {
                let bytes = std::fs::read(dir.path().join(name)).expect("a file of the block");
                (name.to_owned(), Bytes::from(bytes))
            });
            let objects: BTreeMap<String, Bytes> = objects.collect();
            made.push((meta, data, objects));
        }
        let (intact, ..) = made.pop().expect("two blocks");
        let (meta, data, objects) = made.pop().expect("two blocks");
        for id in [meta.ulid, intact.ulid] {
            let report = verify(&bucket, id).await.expect("the block is there");
            assert_eq!(report.problems, Vec::<String>::new());
        }
        let (both, warnings) = ask(&bucket, meta.ulid).await;
        assert_eq!(warnings, Vec::<String>::new());
        let rest: Seen = both
            .iter()
            .map(|(labels, samples)| {
                let in_intact = |&&(ts, _): &&(i64, u64)| ts >= START + HOURS_2;
                (labels.clone(), samples.iter().filter(in_intact).copied().collect())
            })
            .collect();
        assert_eq!(both.values().map(Vec::len).sum::<usize>(), 2 * 18 * 240);
        assert_eq!(rest.values().map(Vec::len).sum::<usize>(), 18 * 240);
        Self { id: meta.ulid, data, objects, bucket, both, rest }
    }

    fn path(&self, name: &str) -> String {
        BlockMeta::path(self.id, name)
    }

    async fn put(&self, name: &str, bytes: Bytes) {
        self.bucket.put(&self.path(name), bytes).await.expect("put");
    }

    async fn restore(&self, name: &str) {
        self.put(name, self.objects[name].clone()).await;
    }

    /// With `name` damaged as `how` says: `verify` finds it, and queries answer as before or name
    /// the block and go without it.
    async fn check(&self, name: &str, how: &str) {
        let report = verify(&self.bucket, self.id).await.expect("the block is there");
        assert!(!report.problems.is_empty(), "verify does not find {how}");
        let names = report.problems.iter().any(|problem| problem.contains(name));
        assert!(names, "verify does not name {name} for {how}: {:?}", report.problems);

        let (seen, warnings) = ask(&self.bucket, self.id).await;
        match warnings.is_empty() {
            true => assert!(seen == self.both, "an altered answer after {how}"),
            false => {
                let id = self.id.to_string();
                assert!(warnings.iter().all(|w| w.contains(&id)), "{how}: {warnings:?}");
                assert!(seen == self.rest, "more or less than the other block after {how}");
            }
        }

        // Histograms, and all that no query of floats reads.
        let json = self.bucket.get(&self.path("meta.json")).await.expect("meta.json");
        if let Ok(meta) = BlockMeta::of_block(self.id, &json) {
            match read(&self.bucket, &meta).await {
                Ok(data) => assert!(data == self.data, "altered samples after {how}"),
                Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{how}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn every_flipped_bit_is_found_and_none_is_served() {
    let victim = Victim::new().await;
    let names: Vec<&String> = victim.objects.keys().collect();
    assert_eq!(names, ["histograms.parquet", "meta.json", "samples.parquet", "series.parquet"]);
    let mut random = Random(20_261_002);
    for flip in 0..1000 {
        let name = names[flip % names.len()];
        let mut bytes = victim.objects[name].to_vec();
        let (at, bit) = (random.below(bytes.len()), random.below(8));
        bytes[at] ^= 1 << bit;
        victim.put(name, bytes.into()).await;
        victim.check(name, &format!("bit {bit} of byte {at} of {name} flipped")).await;
        victim.restore(name).await;
    }
}

#[tokio::test]
async fn cut_files_are_found_and_none_is_served() {
    let victim = Victim::new().await;
    let mut random = Random(7);
    for (name, bytes) in &victim.objects {
        let length = bytes.len();
        let mut cuts: Vec<usize> =
            vec![0, 1, 4, 8, 12, length / 2, length - 8, length - 4, length - 1];
        cuts.extend((0..20).map(|_| random.below(length)));
        for cut in cuts {
            victim.put(name, bytes.slice(..cut)).await;
            victim.check(name, &format!("{name} cut after {cut} bytes")).await;
        }
        // And a file that goes on after its end.
        victim.put(name, [bytes, &b"PAR1"[..]].concat().into()).await;
        victim.check(name, &format!("{name} with four bytes more")).await;
        victim.restore(name).await;
    }
}

#[tokio::test]
async fn a_missing_file_is_found() {
    let victim = Victim::new().await;
    for name in victim.objects.keys().filter(|name| *name != "meta.json") {
        victim.bucket.delete(&victim.path(name)).await.expect("delete");
        victim.check(name, &format!("{name} removed")).await;
        victim.restore(name).await;
    }
}

/// Without `meta.json` there is no block, however much of it is there: nothing to serve, and nothing
/// to warn of.
#[tokio::test]
async fn half_an_upload_is_no_block() {
    let victim = Victim::new().await;
    victim.bucket.delete(&victim.path("meta.json")).await.expect("delete");
    for name in ["histograms.parquet", "samples.parquet", "series.parquet"] {
        let error = verify(&victim.bucket, victim.id).await.expect_err("no block");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let (seen, warnings) = ask(&victim.bucket, victim.id).await;
        assert!(seen == victim.rest && warnings.is_empty());
        victim.bucket.delete(&victim.path(name)).await.expect("delete");
    }
}

#[tokio::test]
async fn a_bad_meta_json_is_found() {
    let victim = Victim::new().await;
    let text = String::from_utf8(victim.objects["meta.json"].to_vec()).expect("UTF-8");
    let changed = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in meta.json");
        changed
    };
    let bad = [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        "x".repeat(11 << 20),
        "\u{feff}".to_owned() + &text,
        changed("\"replica\": \"a\"", "\"replica\": \"b\""),
        changed("\"version\": 1", "\"version\": 2"),
        changed("\"format\": 1", "\"format\": 2"),
        changed("\"minTime\": ", "\"minTime\": -"),
        changed("\"bucket_ms\": 7200000", "\"bucket_ms\": 0"),
        changed("series.parquet", "../../x"),
        changed("\"crc32c\": \"", "\"crc32c\": \"0"),
        changed("\"crc32c\"", "\"crc32d\""),
    ];
    for (case, bad) in bad.into_iter().enumerate() {
        victim.put("meta.json", bad.into()).await;
        victim.check("meta.json", &format!("bad meta.json {case}")).await;
        let (_, warnings) = ask(&victim.bucket, victim.id).await;
        assert_eq!(warnings.len(), 1, "bad meta.json {case} is named");
    }
}

/// A sound `meta.json` of another block in this block's place.
#[tokio::test]
async fn a_block_in_the_wrong_place_is_found() {
    let victim = Victim::new().await;
    let other: BlockId = "01K6H00000000000000000HERE".parse().expect("a ULID");
    for (name, bytes) in &victim.objects {
        victim.bucket.put(&BlockMeta::path(other, name), bytes.clone()).await.expect("put");
    }
    let report = verify(&victim.bucket, other).await.expect("the block is there");
    assert!(report.problems[0].contains("it is that of block"), "{:?}", report.problems);
    let (seen, warnings) = ask(&victim.bucket, other).await;
    assert!(seen == victim.both && warnings.len() == 1, "{warnings:?}");
}
