//! What is loaded is what promqltest itself loads (`tests/peers/prometheus load`).

use serde_json::json;

use super::SCRIPTS;
use super::script::{Command as Step, Script};
use super::storage::{Loaded, buckets_of_dump, dumped};
use crate::support::go_answer;

/// The loads of a script between one `clear` and the next, as text, and their series as a dump.
fn states(script: &Script) -> Vec<(String, String)> {
    let mut states = Vec::new();
    let (mut text, mut loaded) = (String::new(), Loaded::default());
    for step in script.commands.iter().chain([&Step::Clear]) {
        match step {
            Step::Load(load) => {
                text += &format!("{}\n\n", load.text);
                loaded.add(load).unwrap_or_else(|why| panic!("{}: {why}", script.name));
            }
            Step::Clear if !text.is_empty() => {
                states.push((std::mem::take(&mut text), dumped(&loaded.kept())));
                loaded = Loaded::default();
            }
            Step::Clear | Step::Evaluate(_) => {}
        }
    }
    states
}

fn by_promqltest(texts: &[&str]) -> Vec<String> {
    let input = texts.iter().map(|text| format!("{}\n", json!(text))).collect();
    let output = go_answer("prometheus", &["load"], input);
    let mut dumps = vec![String::new()];
    for line in output.lines() {
        match line {
            "end" => dumps.push(String::new()),
            _ => *dumps.last_mut().expect("there is one") += &format!("{line}\n"),
        }
    }
    dumps.pop();
    dumps
}

/// A dump without what depends on how samples lie in chunks: empty buckets, which are added so that all
/// histograms of a chunk have the same; and that the hint is lost where a chunk was full, which is not
/// before its tenth histogram.
fn comparable(dump: &str) -> String {
    let mut nth = 0;
    let line = |line: &str| -> String {
        let fields: Vec<&str> = line.split(' ').collect();
        let ["h", start, ts, hint, head @ .., spans, negative_spans, custom, buckets, negatives] =
            fields.as_slice()
        else {
            nth = 0;
            return format!("{line}\n");
        };
        nth += 1;
        let hint = if nth > 10 && *hint == NOT_COUNTER_RESET { UNKNOWN } else { hint };
        let populated = |spans, buckets| {
            let mut by_index = buckets_of_dump(spans, buckets);
            by_index.retain(|_, count| *count != 0.0);
            format!("{by_index:?}")
        };
        let (positive, negative) =
            (populated(spans, buckets), populated(negative_spans, negatives));
        format!("h {start} {ts} {hint} {head:?} {positive} {negative} {custom}\n")
    };
    dump.lines().map(line).collect()
}

/// Hints as they are dumped.
const UNKNOWN: &str = "0";
const NOT_COUNTER_RESET: &str = "2";

#[test]
fn loads_are_those_of_promqltest() {
    let states: Vec<(String, String)> = SCRIPTS.iter().flat_map(states).collect();
    assert!(states.len() > 100, "{} loads", states.len());
    let texts: Vec<&str> = states.iter().map(|(text, _)| text.as_str()).collect();
    let theirs = by_promqltest(&texts);
    assert_eq!(theirs.len(), states.len(), "a dump a load");
    let mut samples = 0;
    for ((text, ours), theirs) in states.iter().zip(&theirs) {
        samples += ours.lines().filter(|line| !line.starts_with("series")).count();
        let (ours, theirs) = (comparable(ours), comparable(theirs));
        crate::ingest::dump::assert_equal(&ours, &theirs, text);
    }
    println!("{} loads of {samples} samples", states.len());
}
