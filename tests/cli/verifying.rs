//! `stoa tools bucket verify`.

use std::fs;
use std::path::Path;

use super::command::{Place, json, mark, name, thousands};

/// A bucket with `number` blocks.
fn place(number: u8) -> Place {
    let place = Place::new();
    place.add("head");
    for replica in 0..number {
        place.upload(&["--label", &format!("replica={replica}")]).well();
    }
    assert_eq!(place.blocks().len(), usize::from(number));
    place
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("the file");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("the file is written");
}

#[test]
fn sound_blocks_are_said_to_be_sound() {
    let place = place(2);
    let source = fs::read_dir(place.data()).expect("the folder").next().expect("a block");
    let stats = json(&source.expect("an entry").path().join("meta.json"))["stats"].clone();
    let samples = thousands(&stats["numSamples"]);
    let out = place.tool(&["verify"]).well();
    for block in place.blocks() {
        let id = name(&block);
        let line = format!("{id}: sound: {samples} samples of {} series, ", stats["numSeries"]);
        assert!(out.contains(&line), "{line} is not in\n{out}");
    }
    assert!(out.ends_with("\n2 of 2 blocks are sound\n"), "{out}");
}

#[test]
fn damage_is_named_and_the_others_are_read() {
    let place = place(4);
    let blocks = place.blocks();
    flip(&blocks[0].join("samples.parquet"), 100);
    flip(&blocks[1].join("meta.json"), 20);
    fs::remove_file(blocks[2].join("series.parquet")).expect("the series go");
    let out = place.tool(&["verify"]).badly(&[]);
    for (block, words) in
        [(&blocks[0], "samples.parquet"), (&blocks[1], "meta.json"), (&blocks[2], "series.parquet")]
    {
        let begin = out.find(&name(block)).expect("the block is in the output");
        let mut lines = out[begin..].lines();
        let first = lines.next().expect("a line");
        assert!(first.contains(" problem"), "{out}");
        let problems: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
        assert!(problems.iter().any(|line| line.contains(words)), "{words} is not in\n{out}");
    }
    assert!(out.contains(&format!("{}: sound", name(&blocks[3]))), "{out}");
    assert!(out.ends_with("\n1 of 4 blocks are sound\n"), "{out}");

    let out = place.tool(&["verify", "--id", &name(&blocks[3])]).well();
    assert!(out.ends_with("\n1 of 1 blocks are sound\n"), "{out}");
    place.tool(&["verify", "--id", &name(&blocks[3]), "--id", &name(&blocks[1])]).badly(&[]);
}

#[test]
fn what_is_on_its_way_in_or_out_is_left_alone() {
    let place = place(3);
    let blocks = place.blocks();
    flip(&blocks[0].join("samples.parquet"), 100);
    mark(&blocks[0]);
    fs::remove_file(blocks[1].join("meta.json")).expect("meta.json goes");
    let said = place.tool(&["verify"]);
    assert!(said.errors.contains("folders without meta.json"), "{}", said.errors);
    assert!(said.well().ends_with("\n1 of 1 blocks are sound\n"));
    // Asked for by name, both are looked at.
    place.tool(&["verify", "--id", &name(&blocks[0])]).badly(&[]);
    place.tool(&["verify", "--id", &name(&blocks[1])]).badly(&[&name(&blocks[1])]);
}

#[test]
fn ids_must_be_those_of_blocks() {
    let place = place(1);
    let none = "01M3WYJ800J13JYX576MVGS37B";
    place.tool(&["verify", "--id", none]).badly(&[none, "no such object"]);
    let said = place.tool(&["verify", "--id", "latest"]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("--id") && said.errors.contains("latest"), "{}", said.errors);
    let said = place.tool(&["verify", "--repair"]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("'--repair' is not built yet"), "{}", said.errors);
}
