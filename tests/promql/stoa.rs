//! Stoa over the same blocks: uploaded to a bucket, asked over HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use futures::StreamExt;
use serde_json::Value;

use crate::support::{Server, UploadedBucket, free_address, stoa};

use super::answer::{Answer, Ask, Question, Series};

/// How many questions are asked at once: as many as a small machine has cores.
const AT_ONCE: usize = 2;

/// A querier over a bucket of its own.
#[derive(Debug)]
pub(super) struct Querier {
    server: Server,
    client: reqwest::Client,
    _bucket: UploadedBucket,
}

impl Querier {
    /// Uploads the blocks and starts `stoa query` over them. The external labels are replica labels,
    /// so that answers have the labels that the blocks have.
    pub(super) async fn over(blocks: &Path) -> Self {
        let bucket = UploadedBucket::of(blocks);
        let (http, grpc) = (free_address(), free_address());
        let mut command = Command::new(stoa());
        command.arg("query").arg(format!("--objstore.config={}", bucket.objstore()));
        command.arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
        command.args(["--query.replica-label=cluster", "--query.replica-label=replica"]);
        let server = Server::start(&mut command, http, "/-/ready").await;
        Self { server, client: reqwest::Client::new(), _bucket: bucket }
    }

    /// The answers to `questions`, in their order.
    pub(super) async fn ask(&self, questions: &[Question]) -> Vec<Answer> {
        futures::stream::iter(questions.iter().cloned().map(|question| self.one(question)))
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn one(&self, question: Question) -> Answer {
        let (path, parameters) = request(&question);
        let sent = self.client.get(self.server.url(&path)).query(&parameters).send().await;
        let response = sent.unwrap_or_else(|e| {
            panic!("{question}: {e}\n{}", self.server.output());
        });
        let status = response.status();
        let body = response.text().await.unwrap_or_else(|e| panic!("{question}: {e}"));
        let body: Value = serde_json::from_str(&body)
            .unwrap_or_else(|e| panic!("{question}: {status}: {e}: {body}"));
        if body["status"] == "success" {
            answer_of(&body["data"])
        } else {
            Answer::Error(format!("{status}: {}", body["error"].as_str().unwrap_or("no text")))
        }
    }
}

fn request(question: &Question) -> (String, Vec<(&'static str, String)>) {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (path, mut parameters, select) = match &question.ask {
        Ask::Instant(time) => ("query".to_owned(), vec![("time", seconds(*time))], "query"),
        Ask::Range { start, end, step } => {
            let grid =
                vec![("start", seconds(*start)), ("end", seconds(*end)), ("step", seconds(*step))];
            ("query_range".to_owned(), grid, "query")
        }
        Ask::Series { start, end } => (
            "series".to_owned(),
            vec![("start", seconds(*start)), ("end", seconds(*end))],
            "match[]",
        ),
        Ask::Labels { start, end } => (
            "labels".to_owned(),
            vec![("start", seconds(*start)), ("end", seconds(*end))],
            "match[]",
        ),
        Ask::Values { name, start, end } => {
            let range = vec![("start", seconds(*start)), ("end", seconds(*end))];
            (format!("label/{name}/values"), range, "match[]")
        }
    };
    if !(question.query.is_empty() && select == "match[]") {
        parameters.push((select, question.query.clone()));
    }
    (format!("/api/v1/{path}"), parameters)
}

fn answer_of(data: &Value) -> Answer {
    if let Some(list) = data.as_array() {
        return match list.first() {
            Some(Value::Object(_)) => {
                let series = list.iter().map(|l| (labels_of(l), Series::default())).collect();
                Answer::Data { kind: "series".to_owned(), series }
            }
            _ => Answer::Names(list.iter().map(|n| text_of(n).to_owned()).collect()),
        };
    }
    let kind = text_of(&data["resultType"]).to_owned();
    let result = &data["result"];
    let series = match kind.as_str() {
        "string" => return Answer::Text(text_of(&result[1]).to_owned()),
        "scalar" => vec![(BTreeMap::new(), series_of([result]))],
        "vector" => rows(result, |row| series_of(row.get("value"))),
        _ => rows(result, |row| series_of(row["values"].as_array().into_iter().flatten())),
    };
    Answer::Data { kind, series }
}

fn rows(
    result: &Value,
    points: impl Fn(&Value) -> Series,
) -> Vec<(BTreeMap<String, String>, Series)> {
    let rows = result.as_array().unwrap_or_else(|| panic!("not a list: {result}"));
    rows.iter()
        .map(|row| {
            let native = row.get("histogram").or(row.get("histograms"));
            assert!(native.is_none(), "the data sets have no native histograms: {row}");
            (labels_of(&row["metric"]), points(row))
        })
        .collect()
}

fn series_of<'a>(points: impl IntoIterator<Item = &'a Value>) -> Series {
    let points = points.into_iter().map(|point| {
        let seconds = point[0].as_f64().unwrap_or_else(|| panic!("not a time: {point}"));
        let value = text_of(&point[1]);
        let value = value.parse().unwrap_or_else(|e| panic!("not a number: {value}: {e}"));
        ((seconds * 1000.0).round() as i64, value)
    });
    Series { points: points.collect(), histograms: Vec::new() }
}

fn labels_of(value: &Value) -> BTreeMap<String, String> {
    let labels = value.as_object().unwrap_or_else(|| panic!("not labels: {value}"));
    labels.iter().map(|(name, value)| (name.clone(), text_of(value).to_owned())).collect()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}
