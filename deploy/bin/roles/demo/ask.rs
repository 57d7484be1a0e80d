//! The questions that the demo asks itself, over HTTP as anybody would, and what their answers prove:
//! that they are not empty, use every replica, and come from blocks scraped in this run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::replica::clock;

/// A target that every replica scrapes.
const TARGET: &str = r#"up{job="node"}"#;
/// How often it was scraped: shows what deduplication does.
const SCRAPES: &str = r#"count_over_time(up{job="node"}[1m])"#;
/// Something that one would want to know.
const CPU: &str = "sum by (mode) (rate(node_cpu_seconds_total[1m]))";

/// Asks the demo's querier.
#[derive(Debug)]
pub(super) struct Asker {
    client: reqwest::Client,
    url: String,
    replica_label: String,
    since_ms: i64,
}

/// One series of a vector.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Asker {
    /// Asks at `url`. `replica_label` tells replicas apart; this run began at `since_ms`.
    pub(super) fn new(url: String, replica_label: String, since_ms: i64) -> Self {
        Self { client: reqwest::Client::new(), url, replica_label, since_ms }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Questions and answers at `time_ms`, as text; an error says what they do not prove.
    pub(super) async fn ask(&self, replicas: &[&str], time_ms: i64) -> anyhow::Result<String> {
        let scraped = self.vector(&format!("timestamp({TARGET})"), time_ms, false).await?;
        self.check_scraped(replicas, &scraped)?;
        let apart = self.vector(SCRAPES, time_ms, false).await?;
        let merged = self.vector(SCRAPES, time_ms, true).await?;
        self.check_merged(replicas, &apart, &merged)?;
        let cpu = self.vector(CPU, time_ms, true).await?;
        ensure!(!cpu.is_empty(), "{CPU} is empty");
        let mut text = format!("Asked of {}, at {} UTC:\n", self.url, clock(time_ms));
        push(&mut text, &format!("{SCRAPES}, each replica (dedup=false)"), &apart);
        push(&mut text, &format!("{SCRAPES}, deduplicated"), &merged);
        push(&mut text, &format!("{CPU}, deduplicated"), &cpu);
        Ok(text.trim_end().to_owned())
    }

    /// The newest sample of each replica must be of this run; `scraped` has their times in seconds.
    fn check_scraped(&self, replicas: &[&str], scraped: &[Sample]) -> anyhow::Result<()> {
        for &replica in replicas {
            let newest = scraped
                .iter()
                .filter(|sample| self.replica_of(sample) == Some(replica))
                .map(|sample| sample.value)
                .reduce(f64::max)
                .with_context(|| format!("replica {replica} is missing in the answer"))?;
            ensure!(
                newest * 1000.0 >= self.since_ms as f64,
                "the newest sample of replica {replica} was scraped before this run"
            );
        }
        Ok(())
    }

    /// Without dedup each replica has its series, with it there is one without replica label.
    fn check_merged(
        &self,
        replicas: &[&str],
        apart: &[Sample],
        merged: &[Sample],
    ) -> anyhow::Result<()> {
        for &replica in replicas {
            if !apart.iter().any(|sample| self.replica_of(sample) == Some(replica)) {
                bail!("{SCRAPES} has no series of replica {replica}");
            }
        }
        ensure!(!merged.is_empty(), "{SCRAPES} is empty");
        ensure!(
            merged.len() * replicas.len() == apart.len()
                && merged.iter().all(|sample| self.replica_of(sample).is_none()),
            "{SCRAPES} is not deduplicated: {} series of {}",
            merged.len(),
            apart.len()
        );
        Ok(())
    }

    fn replica_of<'a>(&self, sample: &'a Sample) -> Option<&'a str> {
        sample.labels.get(&self.replica_label).map(String::as_str)
    }

    async fn vector(&self, query: &str, time_ms: i64, dedup: bool) -> anyhow::Result<Vec<Sample>> {
        let time = format!("{}.{:03}", time_ms.div_euclid(1000), time_ms.rem_euclid(1000));
        let dedup = dedup.to_string();
        let parameters = [("query", query), ("time", &time), ("dedup", &dedup)];
        let request = self.client.get(format!("{}/api/v1/query", self.url)).query(&parameters);
        let body = request.send().await?.text().await?;
        parse(&body).with_context(|| query.to_owned())
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

fn parse(body: &str) -> anyhow::Result<Vec<Sample>> {
    let answer: Answer = serde_json::from_str(body).with_context(|| body.to_owned())?;
    let data = answer.data.with_context(|| answer.error.clone())?;
    data.result
        .into_iter()
        .map(|row| Ok(Sample { labels: row.metric, value: row.value.1.parse()? }))
        .collect()
}

fn push(text: &mut String, title: &str, samples: &[Sample]) {
    let names: Vec<String> = samples
        .iter()
        .map(|sample| {
            let labels = sample.labels.iter().map(|(name, value)| format!("{name}={value:?}"));
            format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let _ = writeln!(text, "  {title}");
    for (name, sample) in names.iter().zip(samples) {
        let _ = writeln!(text, "    {name:width$}  {}", (sample.value * 1000.0).round() / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> Asker {
        Asker::new("http://x".to_owned(), "replica".to_owned(), 100_000)
    }

    fn sample(replica: &str, value: f64) -> Sample {
        let labels = [("job", "node"), ("replica", replica)].into_iter();
        let labels = labels.filter(|(_, value)| !value.is_empty());
        Sample { labels: labels.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(), value }
    }

    #[test]
    fn every_replica_must_have_a_sample_of_this_run() {
        let check = |samples: &[Sample]| {
            let checked = asker().check_scraped(&["a", "b"], samples);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(&[sample("a", 100.0), sample("b", 130.5)]), Ok(()));
        let error = check(&[sample("a", 101.0)]).unwrap_err();
        assert_eq!(error, "replica b is missing in the answer");
        let error = check(&[sample("a", 99.9), sample("b", 101.0)]).unwrap_err();
        assert_eq!(error, "the newest sample of replica a was scraped before this run");
    }

    #[test]
    fn a_deduplicated_answer_has_each_series_once() {
        let apart = [sample("a", 12.0), sample("b", 11.0)];
        let check = |apart: &[Sample], merged: &[Sample]| {
            asker().check_merged(&["a", "b"], apart, merged).is_ok()
        };
        assert!(check(&apart, &[sample("", 12.0)]));
        assert!(!check(&apart, &[]));
        assert!(!check(&apart, &apart));
        assert!(!check(&apart, &[sample("a", 12.0)]));
        assert!(!check(&apart[..1], &[sample("", 12.0)]));
    }

    #[test]
    fn answers_are_vectors_or_errors() {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"job":"node","replica":"a"},"value":[1.5,"12"]}]}}"#;
        assert_eq!(parse(body).unwrap(), [sample("a", 12.0)]);
        let body = r#"{"status":"error","errorType":"timeout","error":"too late"}"#;
        assert_eq!(parse(body).unwrap_err().to_string(), "too late");
        assert!(parse("Service Unavailable").is_err());
    }
}
