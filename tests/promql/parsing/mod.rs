//! Our parser against Prometheus' own (`tests/peers/prometheus parse`): the queries of the scripts and
//! thousands of mutations of them are accepted by both or refused by both, in the same words and at the
//! same place; printed in one line, in many, and as JSON they are the same.

mod mutate;

use std::collections::BTreeMap;

use promql::parse::{Features, formatted, printed, syntax_tree};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fuzz::random::Random;
use super::promqltest;
use crate::support::go_answer;
use mutate::Mutations;

const SEED: u64 = 20_261_126;

/// Mutations of a run.
const MUTATIONS: usize = 6_000;

/// What is made of a query.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Parsed {
    error: Option<String>,
    text: Option<String>,
    pretty: Option<Value>,
    tree: Option<Value>,
}

/// All that can be on of the parser, or nothing.
fn features(enabled: bool) -> Features {
    Features {
        experimental_functions: enabled,
        fill_modifiers: enabled,
        unquoted_utf8_names: enabled,
        ..Features::default()
    }
}

fn by_prometheus(args: &[&str], asked: &[(String, bool)]) -> String {
    let line = |(query, enabled): &(String, bool)| {
        format!("{}\n", json!({"query": query, "enabled": enabled}))
    };
    go_answer("prometheus", &[&["parse"], args].concat(), asked.iter().map(line).collect())
}

fn by_us(query: &str, enabled: bool) -> Parsed {
    let features = features(enabled);
    let data = |data: Value| Some(json!({"status": "success", "data": data}));
    match printed(query, features) {
        Err(error) => Parsed { error: Some(error.message().to_owned()), ..Parsed::default() },
        Ok(text) => Parsed {
            error: None,
            text: Some(text),
            pretty: data(formatted(query, features).expect("it is accepted").into()),
            tree: data(syntax_tree(query, features).expect("it is accepted")),
        },
    }
}

/// Numbers are what they are, however they are written.
fn as_floats(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(as_floats),
        Value::Object(fields) => fields.values_mut().for_each(as_floats),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Fails unless both make the same of all; returns how many are accepted.
fn compare(asked: &[(String, bool)]) -> usize {
    let theirs = by_prometheus(&[], asked);
    let theirs: Vec<Parsed> =
        theirs.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(theirs.len(), asked.len(), "one answer a query");
    let (mut accepted, mut different) = (0, Vec::new());
    for ((query, enabled), mut go) in asked.iter().zip(theirs) {
        accepted += usize::from(go.error.is_none());
        let mut ours = by_us(query, *enabled);
        // Go makes no JSON of fill values that are no numbers.
        if go.error.is_none() && go.tree.is_none() {
            ours.tree = None;
        }
        for tree in [&mut go.tree, &mut ours.tree] {
            tree.iter_mut().for_each(as_floats);
        }
        if go != ours {
            different.push(format!("{query:?} ({enabled})\n    Go:   {go:?}\n    ours: {ours:?}"));
        }
    }
    let shown = different.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {} differ:\n{shown}", different.len(), asked.len());
    accepted
}

#[test]
fn queries_of_the_scripts_are_parsed_and_printed_as_prometheus_does() {
    let queries = promqltest::queries();
    assert!(queries.len() > 1_000, "{} queries", queries.len());
    let asked: Vec<(String, bool)> = queries
        .iter()
        .flat_map(|query| [true, false].map(|enabled| ((*query).to_owned(), enabled)))
        .collect();
    let accepted = compare(&asked);
    assert!(accepted > 1_500, "{accepted} are accepted");
}

#[test]
fn mutations_of_queries_are_refused_in_the_same_words() {
    let queries = promqltest::queries();
    let mut mutations = Mutations::new(&queries, Random::new(SEED));
    let asked: Vec<(String, bool)> =
        (0..MUTATIONS).map(|at| (mutations.next(), at % 4 != 0)).collect();
    let accepted = compare(&asked);
    assert!((500..MUTATIONS - 500).contains(&accepted), "{accepted} are accepted");
    println!("{MUTATIONS} mutations, {accepted} of them accepted (seed {SEED})");
}

#[test]
fn features_are_listed_as_prometheus_lists_them() {
    for enabled in [false, true] {
        let args: &[&str] = if enabled { &["-features", "-enabled"] } else { &["-features"] };
        let theirs: BTreeMap<String, BTreeMap<String, bool>> =
            serde_json::from_str(&by_prometheus(args, &[])).expect("JSON");
        let ours = features(enabled).listed().map(|(category, listed)| {
            let listed = listed.into_iter().map(|(name, on)| (name.to_owned(), on)).collect();
            (category.to_owned(), listed)
        });
        assert_eq!(BTreeMap::from(ours), theirs);
    }
}
