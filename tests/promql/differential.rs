//! The comparison itself, a test a data set.

use std::path::Path;

use crate::support::{DATA_START, data_set_edges, data_set_s};

use super::answer::{Answer, Question};
use super::compare::{Verdict, compare};
use super::{prometheus, queries, stoa};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The share of questions that must have an answer with something in it.
const ANSWERED: f64 = 0.9;

#[tokio::test(flavor = "multi_thread")]
async fn one_block() {
    let start = DATA_START;
    let mut questions = queries::of_the_file(
        start + 97 * MINUTE + 11_500,
        start + 30 * MINUTE,
        start + 90 * MINUTE,
        MINUTE,
    );
    questions.extend(queries::of_the_benchmark(start, start + 2 * HOUR));
    agree(&data_set_s(), &questions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_blocks() {
    let start = DATA_START;
    let mut questions = queries::of_the_file(
        start + 2 * HOUR + MINUTE,
        start + 90 * MINUTE,
        start + 270 * MINUTE,
        150_000,
    );
    questions.extend(queries::of_the_benchmark(start, start + 6 * HOUR));
    agree(&data_set_edges(), &questions).await;
}

/// Asks both and fails with every difference.
async fn agree(blocks: &Path, questions: &[Question]) {
    let querier = stoa::Querier::over(blocks).await;
    let theirs = prometheus::ask(blocks, questions);
    let ours = querier.ask(questions).await;
    let (mut equal, mut rounded, mut differences) = (0, 0, Vec::new());
    for ((question, ours), theirs) in questions.iter().zip(&ours).zip(&theirs) {
        match compare(question, ours, theirs) {
            Verdict::Equal => equal += 1,
            Verdict::Rounded => rounded += 1,
            Verdict::Different(what) => differences.push(format!("{question}\n    {what}")),
        }
    }
    let answered = theirs.iter().filter(|answer| !answer.is_empty()).count();
    let errors = theirs.iter().filter(|answer| matches!(answer, Answer::Error(_))).count();
    println!(
        "{} questions, {answered} with something in the answer, {errors} errors: {equal} equal bit \
         for bit, {rounded} but for rounding, {} different",
        questions.len(),
        differences.len()
    );
    let least = ANSWERED * questions.len() as f64;
    assert!(answered as f64 >= least, "only {answered} of {} are answered", questions.len());
    assert!(
        differences.is_empty(),
        "{} of {} answers differ (Stoa's first, then Prometheus'):\n{}",
        differences.len(),
        questions.len(),
        differences.join("\n")
    );
}
