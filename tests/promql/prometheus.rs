//! Prometheus' own engine over a folder of blocks: `tests/peers/prometheus eval`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::support::go_program;

use super::answer::{Answer, Ask, Question, Series};

#[derive(Deserialize)]
struct Line {
    #[serde(default, rename = "type")]
    kind: String,
    error: Option<String>,
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
    histograms: usize,
}

/// The answers to `questions`, in their order.
pub(crate) fn ask(blocks: &Path, questions: &[Question]) -> Vec<Answer> {
    let mut eval = Command::new(go_program("prometheus"))
        .args(["eval", "-blocks"])
        .arg(blocks)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go program starts");
    let mut stdin = eval.stdin.take().expect("stdin is piped");
    let input: String = questions.iter().map(|q| line_of(q) + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = eval.wait_with_output().expect("the Go program ends");
    assert!(output.status.success(), "prometheus eval: {}", output.status);
    writer.join().expect("the writer does not panic").expect("all questions are written");
    let answers: Vec<Answer> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| answer_of(serde_json::from_str(line).expect("a line of JSON")))
        .collect();
    assert_eq!(answers.len(), questions.len(), "one answer a question");
    answers
}

fn line_of(question: &Question) -> String {
    let query = &question.query;
    match &question.ask {
        Ask::Instant(time) => json!({"query": query, "start": time}),
        Ask::Range { start, end, step } => {
            json!({"query": query, "start": start, "end": end, "step": step})
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
        (row.labels, Series { points, histograms: row.histograms })
    });
    Answer::Data { kind: line.kind, series: series.collect() }
}
