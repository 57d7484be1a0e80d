//! Generated queries over generated series, answered by Stoa and by Prometheus' engine.
//!
//! ```text
//! seed ─ data ─▶ series ─┬─ blocks in a bucket ─ catalog, BucketSource, Engine ─┐
//!                        └─ dump ─ Prometheus 3.16's engine ────────────────────┤
//!      ─ queries ───────────────────────────────────────────────────────────────┴─▶ judged
//! ```
//!
//! Every data set is asked some hundred questions, instant and range, with odd times, steps and
//! lookbacks. Data sets lie in turn in one block, and cut in time over two replicas that are made one.
//! Every fourth is asked without delayed name removal, all else of the language is always on.
//! `make fuzz QUERIES=100000 SEED=1` is the long run of what every test run does in short.

mod asking;
mod coverage;
mod data;
mod judging;
mod queries;
pub(super) mod random;
mod shrinking;

use std::time::Instant;

use super::answer::{Ask, Question};
use super::compare::Verdict;
use super::promqltest::storage::Layout;
use asking::{Asked, Place};
use coverage::Coverage;
use queries::{Node, Queries};
use random::Random;

/// How many questions a run asks that is not told, and its seed.
const DEFAULT: (usize, u64) = (1500, 1);
/// How many questions are asked about a data set.
const PER_DATA_SET: usize = 250;
/// The share of questions that must have an answer with something in it.
const ANSWERED: f64 = 0.6;
/// How many differences are made small before they are shown.
const SHRUNK: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_prometheus() {
    let number = |name: &str| {
        let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
        Some(text.parse::<u64>().unwrap_or_else(|why| panic!("{name}={text}: {why}")))
    };
    let count = number("STOA_FUZZ_QUERIES").map_or(DEFAULT.0, |count| count as usize);
    let seed = number("STOA_FUZZ_SEED").unwrap_or(DEFAULT.1);
    let mut tally = Tally::default();
    let began = Instant::now();
    for nth in 0..count.div_ceil(PER_DATA_SET) {
        let asked = PER_DATA_SET.min(count - nth * PER_DATA_SET);
        data_set(seed.wrapping_mul(1_000_003).wrapping_add(nth as u64), nth, asked, &mut tally)
            .await;
    }
    tally.coverage.print();
    let Tally { equal, rounded, as_good, refused, answered, ref differences, .. } = tally;
    let valid = equal + rounded + as_good + differences.len();
    println!(
        "seed {seed}: {valid} queries ({refused} more are refused by both), {answered} with something \
         in the answer: {equal} equal bit for bit, {rounded} but for rounding, {as_good} as good, {} different; {} s",
        differences.len(),
        began.elapsed().as_secs()
    );
    assert!(
        differences.is_empty(),
        "{} of {valid} answers differ (Stoa's first, then Prometheus'):\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(answered as f64 >= ANSWERED * valid as f64, "only {answered} of {valid} are answered");
    tally.coverage.check(valid);
}

/// What came of all questions.
#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    rounded: usize,
    /// Answers that are [as good](judging::is_as_good) as Prometheus'.
    as_good: usize,
    /// Questions that Prometheus' parser does not accept, and Stoa's neither.
    refused: usize,
    answered: usize,
    differences: Vec<String>,
    coverage: Coverage,
}

async fn data_set(seed: u64, nth: usize, count: usize, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let series = data::generate(&mut random.fork());
    let layout = if nth.is_multiple_of(2) { Layout::One } else { Layout::Split };
    let place = Place::new(&series, layout, !nth.is_multiple_of(4) || nth == 0).await;
    let questions: Vec<(Node, Asked)> = (0..count).map(|_| question(&mut random)).collect();
    let asked: Vec<&Asked> = questions.iter().map(|(_, asked)| asked).collect();
    let answers = place.ask(&asked).await;
    for ((node, asked), (ours, theirs)) in questions.iter().zip(&answers) {
        let verdict = judging::judge(&asked.question, ours, theirs);
        if theirs.refused && matches!(verdict, Verdict::Equal) {
            tally.refused += 1;
            continue;
        }
        tally.coverage.add(node);
        tally.answered += usize::from(!theirs.answer.is_empty());
        match verdict {
            Verdict::Equal => tally.equal += 1,
            Verdict::Rounded => tally.rounded += 1,
            Verdict::Different(_) if judging::is_as_good(&place, node, asked, ours).await => {
                tally.as_good += 1;
            }
            Verdict::Different(what) => {
                let mut shown = format!("{asked} (data set {seed}, {layout:?})\n    {what}");
                if tally.differences.len() < SHRUNK {
                    let (small, what) = shrinking::shrink(&place, node, asked, what).await;
                    shown += &format!("\n  small: {small}\n    {what}");
                }
                println!("{shown}");
                tally.differences.push(shown);
            }
        }
    }
}

/// A query and when it is asked.
fn question(random: &mut Random) -> (Node, Asked) {
    let start = data::START;
    let time = match random.below(20) {
        0 => start - 60_000 + random.between(0, data::LENGTH + 600_000),
        1..=5 => start + random.between(0, 240) * 15_000,
        _ => start + random.between(300_000, data::LENGTH),
    };
    let instant = random.chance(50);
    let ask = match instant {
        true => Ask::Instant(time),
        false => {
            let step =
                random.pick(&[60_000, 60_000, 30_000, 15_000, 120_000, 47_000, 7_300, 1, 300_000]);
            let steps = random.between(0, 24);
            let begin = (time - steps * step).max(start - 60_000);
            Ask::Range {
                start: begin,
                end: begin + steps * step + random.between(0, step - 1),
                step,
            }
        }
    };
    let lookback = random.pick(&[0, 0, 0, 0, 0, 60_000, 17_000, 600_000, 1_000]);
    let node = Queries::new(random).query(instant);
    let question = Question { about: "fuzz".to_owned(), query: node.to_string(), ask };
    (node, Asked { question, lookback })
}
