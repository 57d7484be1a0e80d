//! `stoa tools bucket ls` and `inspect`.

use std::fs;

use super::command::{Place, json, mark, name, thousands};

/// A bucket with a block of 2 h by two replicas, and one of 24 h a day later.
fn place() -> Place {
    let place = Place::new();
    let head = place.add("head");
    place.change(&head, |meta| {
        meta["maxTime"] = (meta["minTime"].as_i64().expect("a time") + 2 * 3_600_000).into();
    });
    place.upload(&["--label", "cluster=test", "--label", "replica=b"]).well();
    let long = place.add("long");
    place.upload(&["--label", "cluster=test", "--label", "replica=a"]).well();
    fs::remove_dir_all(place.data().join(long)).expect("the block goes");
    place
}

#[test]
fn ls_lists_blocks() {
    let place = place();
    let blocks = place.blocks();
    assert_eq!(blocks.len(), 3);
    let out = place.tool(&["ls"]).well();
    let mut listed: Vec<&str> = out.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, blocks.iter().map(|block| name(block)).collect::<Vec<_>>());

    let wide = place.tool(&["ls", "-o", "wide"]).well();
    let short = " -- 2026-10-02T00:00:00Z - 2026-10-02T02:00:00Z Diff: 2h0m0s, Compaction: 1, \
         Downsample: 0, Source: bucket.upload";
    assert_eq!(wide.lines().filter(|line| &line[26..] == short).count(), 2, "{wide}");
    let long = short.replace("02T02", "03T00").replace("2h0m", "24h0m");
    assert_eq!(wide.lines().filter(|line| line[26..] == long).count(), 1, "{wide}");

    let text = place.tool(&["ls", "--output=json"]).well();
    assert!(text.contains("\n\t\"thanos\": {\n\t\t\"version\": 1,"), "{text}");
    let metas = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    for (meta, id) in metas.zip(out.lines()) {
        let meta = meta.expect("JSON");
        let mut stored = json(&place.bucket().join("stoa/v1/blocks").join(id).join("meta.json"));
        // It covers the bytes of the file, not its content.
        stored.as_object_mut().expect("an object").remove("crc32c");
        assert_eq!(meta, stored);
    }

    let said = place.tool(&["ls", "-o", "{{.ULID}}"]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("expected wide or json"), "{}", said.errors);
}

#[test]
fn ls_leaves_out_by_time_and_mark() {
    let place = place();
    let lines = |args: &[&str]| place.tool(args).well().lines().count();
    assert_eq!(lines(&["ls", "--min-time=2026-10-02T02:00:00Z"]), 1);
    assert_eq!(lines(&["ls", "--min-time=2026-10-02T01:59:59Z"]), 3);
    assert_eq!(lines(&["ls", "--min-time=2026-10-03T00:00:00Z"]), 0);
    assert_eq!(lines(&["ls", "--max-time=2026-10-01T23:59:59Z"]), 0);
    assert_eq!(lines(&["ls", "--max-time", "-100y"]), 0);
    let said = place.tool(&["ls", "--min-time=yesterday"]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("--min-time"), "{}", said.errors);

    mark(&place.blocks()[0]);
    assert_eq!(lines(&["ls"]), 3);
    assert_eq!(lines(&["ls", "--exclude-delete"]), 2);
    assert_eq!(lines(&["ls", "--no-exclude-delete"]), 3);
}

/// A block that is not sound is named, and the others are listed.
#[test]
fn ls_names_bad_blocks() {
    let place = place();
    let blocks = place.blocks();
    fs::write(blocks[0].join("meta.json"), "nonsense").expect("meta.json is spoilt");
    fs::remove_file(blocks[1].join("samples.parquet")).expect("the samples go");
    let said = place.tool(&["ls"]);
    for (block, reason) in
        [(&blocks[0], "meta.json is damaged"), (&blocks[1], "samples.parquet is missing")]
    {
        let line = said.errors.lines().find(|line| line.contains(&name(block)));
        assert!(line.is_some_and(|line| line.contains(reason)), "{}", said.errors);
    }
    assert_eq!(said.well().trim(), name(&blocks[2]));
}

#[test]
fn inspect_has_the_columns_of_thanos() {
    let place = place();
    let header = "ULID,FROM,UNTIL,RANGE,UNTIL-DOWN,#SERIES,#SAMPLES,#CHUNKS,COMP-LEVEL,COMP-FAILED,\
                  LABELS,RESOLUTION,SOURCE";
    let csv = place.tool(&["inspect", "--output=csv"]).well();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), (header, 4));
    for line in &lines[1..3] {
        assert!(
            line[26..].starts_with(",2026-10-02T00:00:00Z,2026-10-02T02:00:00Z,2h0m0s,38h0m0s,"),
            "{line}"
        );
    }
    let long = &lines[3][26..];
    let id = lines[3].split(',').next().expect("an id");
    let stats =
        json(&place.bucket().join("stoa/v1/blocks").join(id).join("meta.json"))["stats"].clone();
    let (series, samples) = (&stats["numSeries"], thousands(&stats["numSamples"]));
    assert_eq!(
        long,
        format!(
            ",2026-10-02T00:00:00Z,2026-10-03T00:00:00Z,24h0m0s,16h0m0s,{series},\"{samples}\",0,1,\
             false,\"cluster=test,replica=a\",0s,bucket.upload"
        )
    );

    let tsv = place.tool(&["inspect", "--output=tsv"]).well();
    assert_eq!(tsv.lines().next(), Some(&*header.replace(',', "\t")));
    let table = place.tool(&["inspect"]).well();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 5, "{table}");
    assert!(
        rows[0].starts_with("|            ULID            |         FROM         |"),
        "{table}"
    );
    assert!(
        rows[1].starts_with("|----------------------------|----------------------|"),
        "{table}"
    );
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
}

#[test]
fn inspect_selects_and_sorts() {
    let place = place();
    let labels = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["inspect", "--output=csv"];
        all.extend(args);
        let csv = place.tool(&all).well();
        let lines = csv.lines().skip(1);
        lines
            .map(|line| {
                let range = line.split(',').nth(3).expect("a range");
                let replica = line.split("replica=").nth(1).and_then(|rest| rest.chars().next());
                format!("{range} {}", replica.expect("a label"))
            })
            .collect()
    };
    assert_eq!(labels(&["-l", "replica=\"b\""]), ["2h0m0s b"]);
    assert_eq!(labels(&["-l", "replica=a", "-l", "cluster=test"]).len(), 2);
    assert!(labels(&["-l", "replica=a", "-l", "cluster=other"]).is_empty());
    assert!(labels(&["-l", "none=a"]).is_empty());

    let sorted = |columns: &[&str]| {
        labels(&columns.iter().flat_map(|c| ["--sort-by", c]).collect::<Vec<_>>())
    };
    assert_eq!(sorted(&["RANGE", "LABELS"]), ["2h0m0s a", "2h0m0s b", "24h0m0s a"]);
    assert_eq!(sorted(&["UNTIL-DOWN", "LABELS"]), ["24h0m0s a", "2h0m0s a", "2h0m0s b"]);
    assert_eq!(sorted(&["LABELS", "#SAMPLES"])[2], "2h0m0s b");
    let said = place.tool(&["inspect", "--sort-by=SIZE"]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("--sort-by") && said.errors.contains("COMP-LEVEL"));
}
