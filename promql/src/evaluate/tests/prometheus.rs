//! Prometheus' own scripts (`../shared/promqltest`), as far as they are about floats.
//!
//! They assume that names are dropped late and that every feature is on. What differs is listed by
//! line, so that a change in either direction is seen: native histograms (also those that
//! `load_with_nhcb` makes), `histogram_quantiles`, `sort_by_label`, `limit_ratio`, late name dropping,
//! and strings that are no UTF-8.

use std::path::PathBuf;

use super::script::run;

/// The folder of the scripts: in `$STOA_SHARED`, else in `shared` beside a folder above.
fn scripts() -> PathBuf {
    if let Some(shared) = std::env::var_os("STOA_SHARED") {
        return PathBuf::from(shared).join("promqltest");
    }
    let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = start.ancestors().map(|dir| dir.join("shared/promqltest")).find(|dir| dir.is_dir());
    found.expect("the folder shared lies beside the checkout, or STOA_SHARED names it")
}

/// A script passes but for the evaluations at the given lines.
async fn passes_but_for(file: &str, known: &[usize]) {
    let text = std::fs::read_to_string(scripts().join(file)).expect(file);
    let outcomes = run(&text, true).await;
    let mut wrong = Vec::new();
    for outcome in &outcomes {
        if let Some(reason) = &outcome.wrong {
            wrong.push(outcome.line);
            if !known.contains(&outcome.line) {
                println!("{file}:{}: {}\n    {reason}", outcome.line, outcome.query);
            }
        }
    }
    println!("{file}: {} of {} right", outcomes.len() - wrong.len(), outcomes.len());
    assert_eq!(wrong, known, "{file}: the lines of evaluations that are wrong");
}

#[tokio::test]
async fn aggregators() {
    passes_but_for("aggregators.test", &[274, 281]).await;
}

#[tokio::test]
async fn at_modifier() {
    passes_but_for("at_modifier.test", &[]).await;
}

#[tokio::test]
async fn collision() {
    passes_but_for("collision.test", &[]).await;
}

#[tokio::test]
async fn functions() {
    passes_but_for(
        "functions.test",
        &[
            33, 38, 48, 53, 152, 156, 163, 167, 188, 193, 219, 226, 230, 268, 272, 356, 359, 362,
            843, 851, 887, 922, 925, 962, 1079, 1197, 1320,
        ],
    )
    .await;
}

#[tokio::test]
async fn histograms() {
    passes_but_for(
        "histograms.test",
        &[
            76, 88, 94, 101, 109, 117, 140, 159, 179, 196, 222, 240, 266, 283, 299, 320, 355, 385,
            399, 418, 428, 438, 453, 480, 490, 496, 506, 517, 527, 544, 555, 565, 575, 586, 594,
            602, 615, 623, 628, 638, 649, 663, 671, 685, 700, 704, 708, 712, 762, 765, 777, 785,
            804, 821, 826, 831, 869, 874, 879,
        ],
    )
    .await;
}

#[tokio::test]
async fn literals() {
    passes_but_for("literals.test", &[]).await;
}

#[tokio::test]
async fn name_label_dropping() {
    passes_but_for("name_label_dropping.test", &[]).await;
}

#[tokio::test]
async fn operators() {
    passes_but_for("operators.test", &[378, 625, 629]).await;
}

#[tokio::test]
async fn range_queries() {
    passes_but_for("range_queries.test", &[70]).await;
}

#[tokio::test]
async fn selectors() {
    passes_but_for("selectors.test", &[]).await;
}

#[tokio::test]
async fn staleness() {
    passes_but_for("staleness.test", &[]).await;
}

#[tokio::test]
async fn subquery() {
    passes_but_for("subquery.test", &[105, 111]).await;
}

#[tokio::test]
async fn trig_functions() {
    passes_but_for("trig_functions.test", &[]).await;
}
