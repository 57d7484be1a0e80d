//! `stoa query` beside Thanos' querier, both over Thanos' store.

use serde_json::Value;

use super::place::{DAY, SHORT_DAY, labels, three_days, three_short_days};
use super::questions::{Question, questions};
use crate::fanout::{ask, endpoints, querier, warnings};
use crate::storeapi::endpoint::{Endpoint, Kind};
use crate::storeapi::querier::ask as ask_thanos;
use crate::support::{DATA_START, Server};

/// A series: its labels, then a timestamp (ms) and a value a sample; all NaN are one.
type Series = (String, Vec<(i64, u64)>);

fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// None where the query is no answer: two series of one label set.
fn of_thanos(line: &str) -> Option<Vec<Series>> {
    let answer: Value = serde_json::from_str(line).expect("JSON");
    // Prometheus' engine has something to say of names.
    let told = answer["warnings"].as_array().into_iter().flatten();
    let told = told.filter(|text| !text.as_str().is_some_and(|t| t.starts_with("PromQL info")));
    assert_eq!(told.count(), 0, "{line}");
    if answer["error"] != "" {
        assert!(line.contains("same labelset"), "{line}");
        return None;
    }
    let sample = |text: &Value| {
        let (t, hex) = text.as_str().and_then(|text| text.split_once(' ')).expect("a sample");
        let value = f64::from_bits(u64::from_str_radix(hex, 16).expect("bits"));
        (t.parse().expect("a timestamp"), bits(value))
    };
    let series = answer["series"].as_array().expect("series").iter().map(|series| {
        let samples = series["samples"].as_array().into_iter().flatten().map(sample).collect();
        (series["labels"].as_str().expect("labels").to_owned(), samples)
    });
    let mut series: Vec<Series> = series.collect();
    series.sort();
    Some(series)
}

async fn of_stoa(server: &Server, question: &Question) -> Option<Vec<Series>> {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (start, end) = (seconds(question.start), seconds(question.end));
    let step = seconds(question.step);
    let resolution = seconds(question.max_resolution);
    let dedup = question.dedup.to_string();
    let mut parameters = vec![
        ("query", question.query.as_str()),
        ("dedup", &dedup),
        ("max_source_resolution", &resolution),
    ];
    let path = match question.step {
        0 => {
            parameters.push(("time", &end));
            "/api/v1/query"
        }
        _ => {
            parameters.extend([("start", start.as_str()), ("end", &end), ("step", &step)]);
            "/api/v1/query_range"
        }
    };
    let (status, json) = ask(server, path, &parameters).await;
    if status == 422 {
        assert!(json["error"].to_string().contains("same labelset"), "{question:?}: {json}");
        return None;
    }
    assert_eq!((status, warnings(&json).len()), (200, 0), "{question:?}: {json}");
    let sample = |pair: &Value| {
        let t = pair[0].as_f64().expect("a time");
        let value: f64 = pair[1].as_str().expect("text").parse().expect("a number");
        ((t * 1000.0).round() as i64, bits(value))
    };
    let series = json["data"]["result"].as_array().expect("series").iter().map(|series| {
        let samples = series["values"].as_array().into_iter().flatten().map(sample);
        let one = series.get("value").into_iter().map(sample);
        (labels(&series["metric"]), samples.chain(one).collect())
    });
    let mut series: Vec<Series> = series.collect();
    series.sort();
    Some(series)
}

/// An answer, if the query has one.
type Answer = Option<Vec<Series>>;

async fn by_thanos(store: &Endpoint, questions: &[Question]) -> Vec<Answer> {
    let lines: Vec<String> =
        questions.iter().map(|q| serde_json::to_string(q).expect("JSON")).collect();
    let flags = [format!("-endpoints={}", store.grpc)];
    let answers = ask_thanos(&flags, &lines).expect("Thanos' querier");
    answers.iter().map(|line| of_thanos(line)).collect()
}

async fn by_stoa(flags: &[String], questions: &[Question]) -> Vec<Answer> {
    let mut flags = flags.to_vec();
    flags.push("--deduplication.func=penalty".to_owned());
    let server = querier(&flags).await;
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        answers.push(of_stoa(&server, question).await);
    }
    answers
}

fn assert_equal(who: &str, questions: &[Question], expected: &[Answer], got: &[Answer]) {
    let mut other = Vec::new();
    for (question, (expected, got)) in questions.iter().zip(expected.iter().zip(got)) {
        if got != expected {
            let what = match (expected, got) {
                (Some(expected), Some(got)) => difference(expected, got),
                _ => format!("answered: {}, by Thanos: {}", got.is_some(), expected.is_some()),
            };
            other.push((question, what));
        }
    }
    let first = &other[..other.len().min(5)];
    assert!(other.is_empty(), "{who}: {} of {} differ: {first:#?}", other.len(), questions.len());
}

/// Thanos' querier over Thanos' store is what all others are measured by.
#[tokio::test(flavor = "multi_thread")]
async fn stoa_makes_of_downsampled_samples_what_thanos_makes() {
    let blocks = three_days();
    let questions = questions(900, DAY);
    let thanos = blocks.serve(Kind::Thanos, &[]).await;
    let in_place = blocks.serve(Kind::InPlace, &[]).await;
    let expected = by_thanos(&thanos, &questions).await;
    let answered = expected.iter().flatten().filter(|series| !series.is_empty()).count();
    assert!(answered >= 500, "{answered} answers have samples");
    let got = by_thanos(&in_place, &questions).await;
    assert_equal("Thanos' querier over Stoa's store", &questions, &expected, &got);
    let over = |store: &Endpoint| endpoints([store.grpc.to_string().as_str()]);
    for (who, flags) in [
        ("Stoa's querier over Thanos' store", over(&thanos)),
        ("Stoa's querier over Stoa's store", over(&in_place)),
        ("Stoa's querier over the bucket", vec![format!("--objstore.config={}", blocks.bucket())]),
    ] {
        assert_equal(who, &questions, &expected, &by_stoa(&flags, &questions).await);
    }
}

/// Windows that Stoa makes of Stoa's raw blocks, through Thanos' querier and its own.
#[tokio::test(flavor = "multi_thread")]
async fn stoas_own_windows_answer_as_those_of_thanos() {
    let blocks = three_short_days().await;
    let questions = questions(600, SHORT_DAY);
    let thanos = blocks.serve(Kind::Thanos, &[]).await;
    let expected = by_thanos(&thanos, &questions).await;
    let answered = expected.iter().flatten().filter(|series| !series.is_empty()).count();
    assert!(answered >= 300, "{answered} answers have samples");
    let store = blocks.serve(Kind::Stoa, &[]).await;
    let got = by_thanos(&store, &questions).await;
    assert_equal("Thanos' querier over Stoa's store", &questions, &expected, &got);
    let over_store = endpoints([store.grpc.to_string().as_str()]);
    let got = by_stoa(&over_store, &questions).await;
    assert_equal("Stoa's querier over Stoa's store", &questions, &expected, &got);
    // Over Stoa's raw blocks penalty sees each replica as one sequence, not as chunks.
    let windows_alone = |question: &Question| {
        !question.dedup
            || (question.max_resolution > 0 && question.end < DATA_START + 2 * SHORT_DAY)
    };
    let asked: (Vec<Question>, Vec<Answer>) =
        questions.into_iter().zip(expected).filter(|(question, _)| windows_alone(question)).unzip();
    let (questions, expected) = asked;
    assert!(questions.len() > 300, "{} questions", questions.len());
    let over_bucket = [format!("--objstore.config={}", blocks.objstore())];
    let got = by_stoa(&over_bucket, &questions).await;
    assert_equal("Stoa's querier over the bucket", &questions, &expected, &got);
}

/// The first series that is not equal, and where.
fn difference(expected: &[Series], got: &[Series]) -> String {
    let names = |all: &[Series]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(expected) != names(got) {
        return format!("series {:?}, not {:?}", names(got), names(expected));
    }
    let pair = expected.iter().zip(got).find(|(expected, got)| expected != got);
    let Some(((name, expected), (_, got))) = pair else { return String::new() };
    let at = expected.iter().zip(got).position(|(a, b)| a != b).unwrap_or(0);
    let show = |samples: &[(i64, u64)]| {
        let sample = samples.get(at).map(|&(t, bits)| (t, f64::from_bits(bits)));
        format!("{} samples, number {at} is {sample:?}", samples.len())
    };
    format!("{name}: {}, not {}", show(got), show(expected))
}
