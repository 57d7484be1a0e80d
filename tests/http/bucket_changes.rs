//! Blocks that come while a querier runs, and blocks that are damaged.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::place::{Place, at, get};
use crate::support::Server;

const SYNC_OFTEN: &[&str] = &["--sync-block-duration=20ms"];

/// How long something may take that happens in milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of `up` series 10 minutes after the start of block `number`, and the warnings.
async fn ask(server: &Server, number: i64, extra: &[(&str, &str)]) -> (u16, Value) {
    let time = at(600 + number * 7_200).to_string();
    let parameters = [&[("query", "count(up)"), ("time", &time)][..], extra].concat();
    let (status, body) = get(server, "/api/v1/query", &parameters).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{status}: {e}: {body}")))
}

fn count(answer: &Value) -> Option<&str> {
    answer["data"]["result"][0]["value"][1].as_str()
}

fn warnings(answer: &Value) -> Vec<&str> {
    let list = answer["warnings"].as_array();
    list.into_iter().flatten().map(|text| text.as_str().expect("a text")).collect()
}

async fn await_metric(server: &Server, line: &str) {
    let begin = Instant::now();
    loop {
        let (_, metrics) = get(server, "/metrics", &[]).await;
        if metrics.lines().any(|have| have == line) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{line} is not in\n{metrics}");
    }
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).expect("the file");
    bytes[byte] ^= 0x10;
    fs::write(path, bytes).expect("the file is written");
}

/// Damages the last page of the column `ts`, which every query of samples reads, in each row group.
fn damage_times(path: &Path) {
    let file = fs::File::open(path).expect("the file");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    for row_group in reader.metadata().row_groups() {
        let column = row_group.columns().iter().find(|c| c.column_path().string() == "ts");
        let (start, length) = column.expect("the column").byte_range();
        // The pages follow their dictionary, if there is one; the last byte is a value's.
        flip(path, (start + length - 1) as usize);
    }
}

#[tokio::test]
async fn new_blocks_appear_without_a_restart() {
    let place = Place::new();
    let server = place.serve(SYNC_OFTEN).await;
    let (status, answer) = ask(&server, 0, &[]).await;
    assert_eq!((status, count(&answer)), (200, None));
    for number in 0..2 {
        place.add("a", number).await;
        let begin = Instant::now();
        while count(&ask(&server, number, &[]).await.1) != Some("2") {
            assert!(begin.elapsed() < PATIENCE, "block {number} does not appear");
        }
    }
    await_metric(&server, "thanos_bucket_store_blocks_loaded 2").await;
    // And they go.
    fs::remove_dir_all(place.folder().join("stoa/v1/blocks")).expect("the blocks go");
    let begin = Instant::now();
    while count(&ask(&server, 0, &[]).await.1).is_some() {
        assert!(begin.elapsed() < PATIENCE, "the block does not go");
    }
}

/// A page of samples is damaged: that is seen when it is read, and never served.
#[tokio::test]
async fn a_block_with_damaged_samples_is_set_aside() {
    let place = Place::new();
    let bad = place.add("a", 0).await;
    place.add("a", 1).await;
    place.add("b", 0).await;
    damage_times(&place.file(bad, "samples.parquet"));
    let server = place.serve(&[]).await;

    let (status, answer) = ask(&server, 0, &[("partial_response", "false")]).await;
    assert_eq!(status, 500, "{answer}");
    assert_eq!(answer["errorType"], "internal", "{answer}");
    assert!(answer["error"].as_str().is_some_and(|e| e.contains(&bad.to_string())), "{answer}");

    // The other replica has the same, and the other block is not touched.
    for number in 0..2 {
        let (status, answer) = ask(&server, number, &[]).await;
        assert_eq!((status, count(&answer)), (200, Some("2")), "{answer}");
        let warnings = warnings(&answer);
        assert_eq!(warnings.len(), 1, "{answer}");
        assert!(warnings[0].contains(&bad.to_string()), "{answer}");
        assert!(warnings[0].contains("samples.parquet"), "{answer}");
    }
    await_metric(&server, "thanos_blocks_meta_synced{state=\"set-aside\"} 1").await;
    await_metric(&server, "thanos_bucket_store_blocks_loaded 2").await;
}

/// The first query that meets the damage is already answered from the rest.
#[tokio::test]
async fn the_query_that_finds_damage_is_answered() {
    let place = Place::new();
    let bad = place.add("a", 0).await;
    place.add("b", 0).await;
    damage_times(&place.file(bad, "samples.parquet"));
    let server = place.serve(&[]).await;
    let (status, answer) = ask(&server, 0, &[]).await;
    assert_eq!((status, count(&answer)), (200, Some("2")), "{answer}");
    assert!(warnings(&answer)[0].contains(&bad.to_string()), "{answer}");
    let (status, body) = get(&server, "/api/v1/series", &[("match[]", "up")]).await;
    assert!(status == 200 && body.contains(&bad.to_string()), "{status} {body}");
}

/// What is wrong with a block's `meta.json` or files is seen by the sync.
#[tokio::test]
async fn blocks_that_a_sync_finds_bad_are_counted_and_named() {
    let place = Place::new();
    let damaged = place.add("a", 0).await;
    let shorter = place.add("a", 1).await;
    let begun = place.add("a", 2).await;
    place.add("b", 0).await;
    flip(&place.file(damaged, "meta.json"), 30);
    let series = place.file(shorter, "series.parquet");
    let bytes = fs::read(&series).expect("the file");
    fs::write(&series, &bytes[..bytes.len() / 2]).expect("the file is written");
    // A block that is being uploaded has no meta.json yet: it is no block, and nothing to warn of.
    fs::remove_file(place.file(begun, "meta.json")).expect("the file goes");

    let server = place.serve(SYNC_OFTEN).await;
    let (status, answer) = ask(&server, 0, &[]).await;
    assert_eq!((status, count(&answer)), (200, Some("2")), "{answer}");
    let text = warnings(&answer).join("\n");
    assert!(text.contains(&format!("block {damaged}: meta.json")), "{text}");
    assert!(text.contains(&format!("block {shorter}: ")), "{text}");
    assert!(text.contains("series.parquet"), "{text}");
    assert!(!text.contains(&begun.to_string()), "{text}");
    await_metric(&server, "thanos_blocks_meta_synced{state=\"corrupted-meta-json\"} 2").await;
    await_metric(&server, "thanos_blocks_meta_synced{state=\"no-meta-json\"} 1").await;
    await_metric(&server, "thanos_blocks_meta_synced{state=\"loaded\"} 1").await;

    // A block that is whole again comes back by itself.
    fs::write(&series, &bytes).expect("the file is written");
    flip(&place.file(damaged, "meta.json"), 30);
    await_metric(&server, "thanos_blocks_meta_synced{state=\"loaded\"} 3").await;
    let (_, answer) = ask(&server, 1, &[]).await;
    assert_eq!((count(&answer), warnings(&answer).len()), (Some("2"), 0), "{answer}");
}
