//! Label patterns against Go's own regexp: what is accepted, in which words it is refused, what
//! matches, and what templates make of a match.

mod generate;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use engine::Error;
use engine::regex::Regex;
use serde::{Deserialize, Serialize};

use crate::support;
use generate::Dice;

#[derive(Debug, Serialize)]
struct Question {
    pattern: String,
    value: String,
    template: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Answer {
    error: String,
    matched: bool,
    expanded: String,
}

/// Go's answers.
fn ask_go(questions: &[Question]) -> Vec<Answer> {
    let mut go = Command::new(support::go_program("regex"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let mut stdin = go.stdin.take().expect("stdin is piped");
    let lines: Vec<u8> = questions
        .iter()
        .flat_map(|question| {
            let mut line = serde_json::to_vec(question).expect("a question is JSON");
            line.push(b'\n');
            line
        })
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(&lines));
    let output = go.wait_with_output().expect("the peer ends");
    writer.join().expect("the writer ends").expect("the peer reads all questions");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout)
        .expect("the answers are text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an answer is JSON"))
        .collect()
}

fn ask_ours(regex: &Result<Regex, Error>, question: &Question) -> Answer {
    match regex {
        Err(error) => Answer { error: error.to_string(), matched: false, expanded: String::new() },
        Ok(regex) => {
            let expanded = regex.expand(&question.value, &question.template);
            let matched = regex.is_match(&question.value);
            assert_eq!(expanded.is_some(), matched, "both automata agree: {question:?}");
            Answer { error: String::new(), matched, expanded: expanded.unwrap_or_default() }
        }
    }
}

/// Compares all, and says how many were refused, matched and not matched.
fn compare(questions: &[Question]) -> BTreeMap<&'static str, usize> {
    let answers = ask_go(questions);
    assert_eq!(answers.len(), questions.len());
    let mut kinds = BTreeMap::new();
    let mut different = Vec::new();
    let mut compiled: Option<(&str, Result<Regex, Error>)> = None;
    for (question, go) in questions.iter().zip(answers) {
        // Questions about one pattern follow each other, and compiling it is what takes time.
        let pattern = question.pattern.as_str();
        let (_, regex) = match compiled.take().filter(|(of, _)| *of == pattern) {
            Some(same) => compiled.insert(same),
            None => compiled.insert((pattern, Regex::anchored(pattern))),
        };
        let ours = ask_ours(regex, question);
        if ours != go {
            different.push(format!("{question:?}\n  Go   {go:?}\n  ours {ours:?}"));
        }
        let kind = match (go.error.is_empty(), go.matched) {
            (false, _) => "refused",
            (true, true) => "matched",
            (true, false) => "not matched",
        };
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let shown = different.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {} differ:\n{shown}", different.len(), questions.len());
    kinds
}

#[test]
fn generated_patterns_are_go_s() {
    const TEMPLATES: &[&str] =
        &["$0", "$1", "<$1><$2><$3>", "${1}x", "$1x", "$n0|$n1|${n2}", "$$1 $ ${", "$01", "plain"];
    let mut dice = Dice::new(20_261_125);
    let mut questions = Vec::new();
    while questions.len() < 24_000 {
        let (pattern, value) = generate::pattern(&mut dice);
        for _ in 0..4 {
            questions.push(Question {
                pattern: pattern.clone(),
                value: generate::near(&mut dice, &value),
                template: (*dice.pick(TEMPLATES)).to_owned(),
            });
        }
    }
    let kinds = compare(&questions);
    for kind in ["refused", "matched", "not matched"] {
        assert!(kinds[kind] > questions.len() / 10, "too few are {kind}: {kinds:?}");
    }
}

#[test]
fn patterns_of_dashboards_are_go_s() {
    let patterns = [
        ".*",
        ".+",
        "",
        "node-.*",
        ".*-node",
        ".*node.*",
        ".+node.+",
        "a|b|c",
        "a|",
        "|",
        "(a|b).*",
        "^a$",
        "^(a|b)$",
        "(?i)Node-[0-9]+",
        "10\\.0\\.[0-9]{1,3}\\.[0-9]{1,3}:9100",
        "[^:]+:9100",
        "kube-(.+)",
        "(.*):.*",
        "([^:]+)(:[0-9]+)?",
        "5..",
        "2..|3..",
        "!~",
        "prod|staging|dev",
        "pod-[a-z0-9]{5,10}-[a-z0-9]{5}",
        "(?:foo|bar)-\\d+",
        "\\w+@\\w+\\.com",
        "a{0,1000}",
        "a{1001}",
        "(a{500}){3}",
        "((a{10}){10}){10}",
        "((a{10}){10}){11}",
        "(?s:.)",
        "(?-s:.*)",
        "node.a",
        "node\\.a",
        "\\$var",
        "${var}",
        "$",
        "a$b",
        "\\Qa|b\\E",
        "(",
        ")",
        "*",
        "[",
        "a**",
        "(?P<a>x)(?P<a>y)",
        "(?P<a>x)|(?P<a>y)",
        "x*+",
        "(?x) a",
        "\\p{L}+",
        "\\p{Han}+",
        "[[:alpha:]]+",
    ];
    let values = [
        "",
        "a",
        "b",
        "c",
        "d",
        "ab",
        "node",
        "node-1",
        "Node-12",
        "my-node",
        "a node b",
        "node.a",
        "nodexa",
        "10.0.0.1:9100",
        "10.0.0.1:91000",
        "host:9100",
        "kube-system",
        "503",
        "200",
        "prod",
        "production",
        "pod-abcde-x1y2z",
        "foo-1",
        "baz-1",
        "me@x.com",
        "a\nb",
        "\n",
        "漢字",
        "$var",
        "${var}",
        "a|b",
        "x",
        "y",
        "xy",
        "é",
    ];
    let questions: Vec<Question> = patterns
        .iter()
        .flat_map(|pattern| {
            values.iter().map(|value| Question {
                pattern: (*pattern).to_owned(),
                value: (*value).to_owned(),
                template: "${1}-$a-$0".to_owned(),
            })
        })
        .collect();
    compare(&questions);
}
