//! Prometheus' own engine over a folder of blocks: `tests/peers/prometheus eval`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::support::go_program;

use super::answer::{Answer, Ask, Question, Remarked, Series};
use super::promqltest::storage::native_of_dump;

/// Where the samples are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Samples<'a> {
    /// In the blocks of a folder.
    Blocks(&'a Path),
    /// In a file, as `tests/peers/prometheus/dump.go` describes it.
    Dump(&'a Path),
}

#[derive(Deserialize)]
struct Line {
    #[serde(default, rename = "type")]
    kind: String,
    error: Option<String>,
    #[serde(default)]
    refused: bool,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
    text: Option<String>,
    names: Option<Vec<String>>,
    #[serde(default)]
    series: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    labels: BTreeMap<String, String>,
    times: Option<Vec<i64>>,
    values: Option<Vec<String>>,
    #[serde(default)]
    histograms: Vec<String>,
}

/// The answers to `questions` over the blocks of a folder, in their order.
pub(crate) fn ask(blocks: &Path, questions: &[Question]) -> Vec<Answer> {
    let questions: Vec<(&Question, i64)> = questions.iter().map(|question| (question, 0)).collect();
    let remarked = ask_with(Samples::Blocks(blocks), "", &questions);
    remarked.into_iter().map(|remarked| remarked.answer).collect()
}

/// The answers to `questions`, in their order, with the engine's remarks. Beside each question stands
/// its lookback in ms, 0 for the default; `features` are Prometheus' names, joined by commas.
pub(super) fn ask_with(
    samples: Samples<'_>,
    features: &str,
    questions: &[(&Question, i64)],
) -> Vec<Remarked> {
    let mut eval = Command::new(go_program("prometheus"));
    eval.args(["eval", "-features", features]);
    match samples {
        Samples::Blocks(folder) => eval.arg("-blocks").arg(folder),
        Samples::Dump(file) => eval.arg("-dump").arg(file),
    };
    let mut eval =
        eval.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the Go program starts");
    let mut stdin = eval.stdin.take().expect("stdin is piped");
    let input: String =
        questions.iter().map(|(question, lookback)| line_of(question, *lookback) + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = eval.wait_with_output().expect("the Go program ends");
    assert!(output.status.success(), "prometheus eval: {}", output.status);
    writer.join().expect("the writer does not panic").expect("all questions are written");
    let answers: Vec<Remarked> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| remarked(serde_json::from_str(line).expect("a line of JSON")))
        .collect();
    assert_eq!(answers.len(), questions.len(), "one answer a question");
    answers
}

fn line_of(question: &Question, lookback: i64) -> String {
    let query = &question.query;
    match &question.ask {
        Ask::Instant(time) => {
            json!({"query": query, "start": time, "lookback": lookback})
        }
        Ask::Range { start, end, step } => {
            let (start, end, step) = (*start, *end, *step);
            json!({"query": query, "start": start, "end": end, "step": step, "lookback": lookback})
        }
        Ask::Series { start, end } => {
            json!({"call": "series", "query": query, "start": start, "end": end})
        }
        Ask::Labels { start, end } => {
            json!({"call": "labels", "query": query, "start": start, "end": end})
        }
        Ask::Values { name, start, end } => {
            json!({"call": format!("={name}"), "query": query, "start": start, "end": end})
        }
    }
    .to_string()
}

fn remarked(mut line: Line) -> Remarked {
    let (mut warnings, mut infos) =
        (std::mem::take(&mut line.warnings), std::mem::take(&mut line.infos));
    warnings.sort_unstable();
    infos.sort_unstable();
    Remarked { refused: line.refused, answer: answer_of(line), warnings, infos }
}

fn answer_of(line: Line) -> Answer {
    if let Some(error) = line.error {
        return Answer::Error(error);
    }
    if let Some(text) = line.text {
        return Answer::Text(text);
    }
    if let Some(names) = line.names {
        return Answer::Names(names);
    }
    let series = line.series.into_iter().map(|row| {
        let values = row.values.unwrap_or_default().into_iter().map(|digits| {
            f64::from_bits(u64::from_str_radix(&digits, 16).expect("16 hexadecimal digits"))
        });
        let points = row.times.unwrap_or_default().into_iter().zip(values).collect();
        let histograms = row.histograms.iter().map(|line| native_of_dump(line)).collect();
        (row.labels, Series { points, histograms })
    });
    Answer::Data { kind: line.kind, series: series.collect() }
}
