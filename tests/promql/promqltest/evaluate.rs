//! Runs a script: its loads become blocks, its evaluations are asked in all ways.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use promql::parse::Features;
use promql::query::{Evaluation as Asked, QueryRequest};
use promql::{Engine, EngineSettings};

use super::answer::{Answer, Found};
use super::judge;
use super::script::{Command, Evaluation, Script, When};
use super::shifts::Shifts;
use super::storage::{Layout, Loaded, Place};

const MINUTE_MS: i64 = 60_000;

/// Everything of the language is on, as in Prometheus' own runs of the scripts.
pub(in crate::promql) const ALL_FEATURES: Features = Features {
    experimental_functions: true,
    fill_modifiers: true,
    unquoted_utf8_names: true,
    delayed_name_removal: true,
    type_and_unit_labels: false,
    use_start_timestamps: true,
    x_functions: false,
    per_step_stats: false,
};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineSettings { features: ALL_FEATURES, ..EngineSettings::default() })
});

/// How far instant selectors look back in the scripts.
const LOOKBACK: Duration = Duration::from_secs(300);

/// What came of an evaluation: nothing wrong, or what.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) wrong: Option<String>,
}

/// The outcomes of all evaluations of a script, over blocks of one layout.
pub(super) async fn run(script: &Script, shifts: &Shifts, layout: Layout) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut loaded = Loaded::default();
    let mut place: Option<Place> = None;
    for command in &script.commands {
        match command {
            Command::Clear => {
                loaded = Loaded::default();
                place = None;
            }
            Command::Load(load) => {
                let added = loaded.add(load);
                added.unwrap_or_else(|why| panic!("{}: {why}:\n{}", script.name, load.text));
                place = None;
            }
            Command::Evaluate(evaluation) => {
                if place.is_none() {
                    place = Some(Place::new(&loaded.kept(), layout).await);
                }
                let Some(place) = &place else { continue };
                let wrong = evaluate(place, evaluation, shifts).await.err();
                let (line, query) = (evaluation.line, evaluation.query.clone());
                outcomes.push(Outcome { line, query, wrong });
            }
        }
    }
    outcomes
}

/// Asks the query in all ways; the first wrong answer is the error.
async fn evaluate(place: &Place, evaluation: &Evaluation, shifts: &Shifts) -> Result<(), String> {
    match evaluation.when {
        When::Range { start, end, step } => {
            let asked = Asked::Range { start, end, step };
            let answer = ask(place, &evaluation.query, asked).await;
            judge::error(evaluation, answer.as_ref().err().map(String::as_str))?;
            answer.map_or(Ok(()), |answer| {
                judge::annotations(evaluation, &answer)?;
                judge::value(evaluation, &answer.found)
            })
        }
        When::Instant(time) => {
            for (query, time) in shifts.all(&evaluation.query, time)? {
                instant(place, evaluation, &query, time)
                    .await
                    .map_err(|why| format!("{query} at {time}: {why}"))?;
            }
            Ok(())
        }
    }
}

/// Asks `query` at `time`, and as the middle step of a range.
async fn instant(
    place: &Place,
    evaluation: &Evaluation,
    query: &str,
    time: i64,
) -> Result<(), String> {
    let answer = ask(place, query, Asked::Instant { time }).await;
    judge::error(evaluation, answer.as_ref().err().map(String::as_str))?;
    let Ok(answer) = answer else { return Ok(()) };
    judge::annotations(evaluation, &answer)?;
    judge::value(evaluation, &answer.found)?;
    let of_the_range = ["start()", "end()", "range()", "step()"];
    if !evaluation.also_as_range() || of_the_range.iter().any(|call| query.contains(call)) {
        return Ok(());
    }
    let (start, end) = (time - MINUTE_MS, time + MINUTE_MS);
    let asked = Asked::Range { start, end, step: MINUTE_MS };
    let as_range =
        ask(place, query, asked).await.map_err(|error| format!("as a range: {error}"))?;
    // The series of a range are always in the order of their labels.
    if evaluation.ordered {
        return Ok(());
    }
    let middle = middle(as_range.found, time, matches!(answer.found, Found::Scalar(_)));
    let judged = middle.and_then(|middle| judge::value(evaluation, &middle));
    judged.map_err(|why| format!("as a range: {why}"))
}

/// The points at `time` of a matrix.
fn middle(found: Found, time: i64, scalar: bool) -> Result<Found, String> {
    let Found::Matrix(series) = found else { return Err("no matrix".to_owned()) };
    judge::sorted(&series)?;
    let at = |(labels, points): (_, Vec<(i64, _)>)| {
        let point = points.into_iter().find(|&(ts, _)| ts == time);
        point.map(|(_, value)| (labels, value))
    };
    let vector: Vec<_> = series.into_iter().filter_map(at).collect();
    if !scalar {
        return Ok(Found::Vector(vector));
    }
    match vector.as_slice() {
        [(_, super::script::Value::Float(value)), ..] => Ok(Found::Scalar(*value)),
        _ => Err("a scalar without a value".to_owned()),
    }
}

async fn ask(place: &Place, query: &str, evaluation: Asked) -> Result<Answer, String> {
    ask_engine(&ENGINE, place, query, evaluation, LOOKBACK).await
}

/// The answer of `engine` over a bucket, or its error.
pub(in crate::promql) async fn ask_engine(
    engine: &Engine,
    place: &Place,
    query: &str,
    evaluation: Asked,
    lookback: Duration,
) -> Result<Answer, String> {
    let request = QueryRequest {
        query: query.to_owned(),
        evaluation,
        lookback,
        default_subquery_step: Duration::from_secs(60),
        max_resolution: Duration::ZERO,
        timeout: Duration::from_secs(100),
        limit: 0,
        stats: false,
        analyze: false,
        select: place.options.clone(),
    };
    let answer = engine.query(request, Arc::clone(&place.source)).await;
    answer.map(Answer::from).map_err(|error| error.message().to_owned())
}
