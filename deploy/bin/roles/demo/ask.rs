//! The questions that the demo asks the querier, and what their answers prove: that they are not
//! empty, use every replica, come from blocks scraped in this run where the store is asked alone, and
//! reach to the last scrape where all are asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::answer;
use super::blocks::clock;
use super::millis;
use super::stores::{self, Stores, set};

/// A target that every replica scrapes.
const TARGET: &str = r#"up{job="node"}"#;
/// How often it was scraped: shows what deduplication does.
const SCRAPES: &str = r#"count_over_time(up{job="node"}[1m])"#;
/// Something that one would want to know.
const CPU: &str = "sum by (mode) (rate(node_cpu_seconds_total[1m]))";
/// How old the last scrape may be, in s: no block is there so soon.
const LAST_WITHIN: f64 = 60.0;

/// Asks the demo's querier.
#[derive(Debug)]
pub(super) struct Asker {
    client: reqwest::Client,
    url: String,
    replica_label: String,
    replicas: Vec<String>,
    since_ms: i64,
}

/// Who is asked.
#[derive(Debug, Clone, Copy)]
enum Whom<'a> {
    Everybody,
    /// The endpoint at this address alone.
    Only(&'a str),
}

/// One series of a vector.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Asker {
    /// Asks at `url`. `replica_label` tells `replicas` apart; this run began at `since_ms`.
    pub(super) fn new(
        url: String,
        replica_label: String,
        replicas: Vec<String>,
        since_ms: i64,
    ) -> Self {
        Self { client: reqwest::Client::new(), url, replica_label, replicas, since_ms }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    async fn list(&self) -> anyhow::Result<Stores> {
        answer::get(&self.client, &format!("{}/api/v1/stores", self.url), &[]).await
    }

    /// The endpoints of the querier, as text; an error says who is missing.
    pub(super) async fn stores(&self) -> anyhow::Result<String> {
        let list = self.list().await?;
        stores::check(&list, &self.replica_label, &self.replicas)?;
        Ok(stores::text(&list, &self.url))
    }

    /// Questions and answers as text: of the store alone at `time_ms`, of all now. An error says what
    /// they do not prove.
    pub(super) async fn ask(&self, time_ms: i64) -> anyhow::Result<String> {
        let list = self.list().await?;
        let store = Whom::Only(stores::check(&list, &self.replica_label, &self.replicas)?);
        let scraped = format!("timestamp({TARGET})");
        self.check_scraped(&self.vector(&scraped, time_ms, false, store).await?)?;
        let apart = self.vector(SCRAPES, time_ms, false, store).await?;
        let merged = self.vector(SCRAPES, time_ms, true, store).await?;
        self.check_merged(&apart, &merged)?;
        let cpu = self.vector(CPU, time_ms, true, store).await?;
        ensure!(!cpu.is_empty(), "{CPU} is empty");
        let now = millis(SystemTime::now());
        let ages = format!("time() - {scraped}");
        let ages = self.vector(&ages, now, false, Whom::Everybody).await?;
        self.check_last(&ages)?;
        let mut text = format!("Asked of the store alone, at {} UTC:\n", clock(time_ms));
        push(&mut text, &format!("{SCRAPES}, each replica (dedup=false)"), &apart);
        push(&mut text, &format!("{SCRAPES}, deduplicated"), &merged);
        push(&mut text, &format!("{CPU}, deduplicated"), &cpu);
        let _ = writeln!(text, "Asked of all, now, at {} UTC:", clock(now));
        push(
            &mut text,
            &format!("time() - {scraped}, each replica: seconds since the last scrape"),
            &ages,
        );
        Ok(text.trim_end().to_owned())
    }

    /// The newest sample of each replica must be of this run; `scraped` has their times in seconds.
    fn check_scraped(&self, scraped: &[Sample]) -> anyhow::Result<()> {
        for (replica, values) in self.by_replica(scraped)? {
            ensure!(
                values.iter().any(|time| time * 1000.0 >= self.since_ms as f64),
                "the newest sample of replica {replica} was scraped before this run"
            );
        }
        Ok(())
    }

    /// Each replica has been scraped just now; `ages` are in seconds.
    fn check_last(&self, ages: &[Sample]) -> anyhow::Result<()> {
        for (replica, values) in self.by_replica(ages)? {
            ensure!(
                values.iter().any(|&age| age < LAST_WITHIN),
                "the last scrape of replica {replica} is more than {LAST_WITHIN} s ago"
            );
        }
        Ok(())
    }

    /// The values of each replica, of which each must have some.
    fn by_replica(&self, samples: &[Sample]) -> anyhow::Result<Vec<(&str, Vec<f64>)>> {
        let mut all = Vec::new();
        for replica in &self.replicas {
            let own = samples.iter().filter(|sample| self.replica_of(sample) == Some(replica));
            let values: Vec<f64> = own.map(|sample| sample.value).collect();
            ensure!(!values.is_empty(), "replica {replica} is missing in the answer");
            all.push((replica.as_str(), values));
        }
        Ok(all)
    }

    /// Without dedup each replica has its series, with it there is one without replica label.
    fn check_merged(&self, apart: &[Sample], merged: &[Sample]) -> anyhow::Result<()> {
        self.by_replica(apart)?;
        ensure!(!merged.is_empty(), "{SCRAPES} is empty");
        ensure!(
            merged.len() * self.replicas.len() == apart.len()
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

    async fn vector(
        &self,
        query: &str,
        time_ms: i64,
        dedup: bool,
        whom: Whom<'_>,
    ) -> anyhow::Result<Vec<Sample>> {
        let time = format!("{}.{:03}", time_ms.div_euclid(1000), time_ms.rem_euclid(1000));
        let dedup = dedup.to_string();
        let only = match whom {
            Whom::Everybody => "{__address__=~\".+\"}".to_owned(),
            Whom::Only(address) => format!("{{__address__={address:?}}}"),
        };
        let parameters =
            [("query", query), ("time", &time), ("dedup", &dedup), ("storeMatch[]", &only)];
        let url = format!("{}/api/v1/query", self.url);
        let data: Data =
            answer::get(&self.client, &url, &parameters).await.context(query.to_owned())?;
        data.samples()
    }
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

impl Data {
    fn samples(self) -> anyhow::Result<Vec<Sample>> {
        self.result
            .into_iter()
            .map(|row| Ok(Sample { labels: row.metric, value: row.value.1.parse()? }))
            .collect()
    }
}

fn push(text: &mut String, title: &str, samples: &[Sample]) {
    let names: Vec<String> = samples.iter().map(|sample| set(&sample.labels)).collect();
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
        let replicas = vec!["a".to_owned(), "b".to_owned()];
        Asker::new("http://x".to_owned(), "replica".to_owned(), replicas, 100_000)
    }

    fn sample(replica: &str, value: f64) -> Sample {
        let labels = [("job", "node"), ("replica", replica)].into_iter();
        let labels = labels.filter(|(_, value)| !value.is_empty());
        Sample { labels: labels.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(), value }
    }

    #[test]
    fn every_replica_must_have_a_sample_of_this_run() {
        let check = |samples: &[Sample]| {
            let checked = asker().check_scraped(samples);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(&[sample("a", 100.0), sample("b", 130.5)]), Ok(()));
        let error = check(&[sample("a", 101.0)]).unwrap_err();
        assert_eq!(error, "replica b is missing in the answer");
        let error = check(&[sample("a", 99.9), sample("b", 101.0)]).unwrap_err();
        assert_eq!(error, "the newest sample of replica a was scraped before this run");
    }

    #[test]
    fn every_replica_must_have_been_scraped_just_now() {
        let check = |samples: &[Sample]| {
            let checked = asker().check_last(samples);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(&[sample("a", 3.0), sample("b", 59.0)]), Ok(()));
        let error = check(&[sample("a", 3.0), sample("b", 61.0)]).unwrap_err();
        assert_eq!(error, "the last scrape of replica b is more than 60 s ago");
    }

    #[test]
    fn a_deduplicated_answer_has_each_series_once() {
        let apart = [sample("a", 12.0), sample("b", 11.0)];
        let check =
            |apart: &[Sample], merged: &[Sample]| asker().check_merged(apart, merged).is_ok();
        assert!(check(&apart, &[sample("", 12.0)]));
        assert!(!check(&apart, &[]));
        assert!(!check(&apart, &apart));
        assert!(!check(&apart, &[sample("a", 12.0)]));
        assert!(!check(&apart[..1], &[sample("", 12.0)]));
    }

    #[test]
    fn answers_are_vectors_or_errors() {
        let vector = |body: &str| answer::parse::<Data>(body).and_then(Data::samples);
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"job":"node","replica":"a"},"value":[1.5,"12"]}]}}"#;
        assert_eq!(vector(body).unwrap(), [sample("a", 12.0)]);
        let body = r#"{"status":"error","errorType":"timeout","error":"too late"}"#;
        assert_eq!(vector(body).unwrap_err().to_string(), "too late");
        assert!(vector("Service Unavailable").is_err());
    }
}
