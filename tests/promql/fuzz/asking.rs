//! One data set, as both engines have it.

use std::sync::LazyLock;
use std::time::Duration;

use futures::StreamExt;
use promql::parse::Features;
use promql::query::Evaluation;
use promql::{Engine, EngineSettings};
use tokio::task::JoinHandle;

use super::data::Series;
use crate::promql::answer::{self, Answer, Ask, Question, Remarked};
use crate::promql::prometheus::{Samples, ask_with};
use crate::promql::promqltest::answer::{Answer as Found, Found as Value};
use crate::promql::promqltest::evaluate::{ALL_FEATURES, ask_engine};
use crate::promql::promqltest::script::Value as Sample;
use crate::promql::promqltest::storage::{self, Layout, dumped_as_blocks};
use crate::support::scratch;

/// How many questions Stoa is asked at once: as many as a small machine has cores.
const AT_ONCE: usize = 2;
/// The lookback that is meant by 0, in ms.
const LOOKBACK: i64 = 300_000;

/// The features under Prometheus' names; delayed name removal is the last.
const FEATURES: [&str; 5] = [
    "promql-experimental-functions",
    "promql-binop-fill-modifiers",
    "promql-unquoted-utf8-names",
    "use-start-timestamps",
    "promql-delayed-name-removal",
];

static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    [false, true].map(|delayed_name_removal| {
        let features = Features { delayed_name_removal, ..ALL_FEATURES };
        Engine::new(EngineSettings { features, ..EngineSettings::default() })
    })
});

/// A question and its lookback.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// In ms; 0 is the default.
    pub(super) lookback: i64,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.question)?;
        if self.lookback > 0 { write!(f, " lookback {}", self.lookback) } else { Ok(()) }
    }
}

/// A data set in a bucket and in a dump.
#[derive(Debug)]
pub(super) struct Place {
    place: storage::Place,
    delayed_name_removal: bool,
    dump: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Place {
    pub(super) async fn new(series: &Series, layout: Layout, delayed_name_removal: bool) -> Self {
        let folder = scratch();
        let dump = folder.path().join("dump");
        std::fs::write(&dump, dumped_as_blocks(series)).expect("the dump is written");
        let place = storage::Place::new(series, layout).await;
        Self { place, delayed_name_removal, dump, _folder: folder }
    }

    /// Stoa's and Prometheus' answers.
    pub(super) async fn ask(&self, questions: &[&Asked]) -> Vec<(Remarked, Remarked)> {
        let theirs = self.prometheus(questions);
        let ours: Vec<Remarked> = futures::stream::iter(questions)
            .map(|asked| self.stoa(asked))
            .buffered(AT_ONCE)
            .collect()
            .await;
        ours.into_iter().zip(theirs.await.expect("Prometheus answers")).collect()
    }

    /// Prometheus' answers, begun at once.
    pub(super) fn prometheus(&self, questions: &[&Asked]) -> JoinHandle<Vec<Remarked>> {
        let dump = self.dump.clone();
        let features = &FEATURES[..FEATURES.len() - usize::from(!self.delayed_name_removal)];
        let copies: Vec<Asked> = questions.iter().map(|&asked| asked.clone()).collect();
        tokio::task::spawn_blocking(move || {
            let pairs: Vec<(&Question, i64)> =
                copies.iter().map(|asked| (&asked.question, asked.lookback)).collect();
            ask_with(Samples::Dump(&dump), &features.join(","), &pairs)
        })
    }

    async fn stoa(&self, asked: &Asked) -> Remarked {
        let Question { query, ask, .. } = &asked.question;
        let evaluation = match *ask {
            Ask::Range { start, end, step } => Evaluation::Range { start, end, step },
            Ask::Instant(time) => Evaluation::Instant { time },
            _ => panic!("not a query: {asked}"),
        };
        let lookback = if asked.lookback > 0 { asked.lookback } else { LOOKBACK };
        let lookback = Duration::from_millis(lookback as u64);
        let engine = &ENGINES[usize::from(self.delayed_name_removal)];
        let found = ask_engine(engine, &self.place, query, evaluation, lookback).await;
        let (answer, mut warnings, mut infos) = match found {
            Ok(Found { found, warnings, infos }) => (data_of(ask, found), warnings, infos),
            Err(error) => (Answer::Error(error), Vec::new(), Vec::new()),
        };
        warnings.sort_unstable();
        infos.sort_unstable();
        Remarked { answer, refused: false, warnings, infos }
    }
}

fn data_of(ask: &Ask, found: Value) -> Answer {
    let time = if let Ask::Instant(time) = *ask { time } else { 0 };
    let (kind, rows) = match found {
        Value::Text(text) => return Answer::Text(text),
        Value::Scalar(value) => {
            let no_labels = engine::model::Labels::default();
            ("scalar", vec![(no_labels, vec![(time, Sample::Float(value))])])
        }
        Value::Vector(series) => {
            let row = |(labels, value)| (labels, vec![(time, value)]);
            ("vector", series.into_iter().map(row).collect())
        }
        Value::Matrix(series) => ("matrix", series),
    };
    let series = rows.into_iter().map(|(labels, points)| {
        let labels = labels.iter().map(|l| (l.name.to_string(), l.value.to_string())).collect();
        let mut series = answer::Series::default();
        for (time, value) in points {
            match value {
                Sample::Float(value) => series.points.push((time, value)),
                Sample::Histogram(native) => series.histograms.push((time, *native)),
            }
        }
        (labels, series)
    });
    Answer::Data { kind: kind.to_owned(), series: series.collect() }
}
