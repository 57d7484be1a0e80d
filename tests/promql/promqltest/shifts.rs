//! Instant queries with `@ <evaluation time>` on every selector: at whatever time they are asked,
//! their answer is the same. Prometheus' own parser sets the modifiers and prints the queries, because
//! positions in annotations are those of its print (`tests/peers/prometheus at`).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::script::{Script, When};
use crate::support::go_answer;

/// The shifted queries of scripts.
#[derive(Debug)]
pub(super) struct Shifts(HashMap<(String, i64), Shifted>);

/// What Prometheus' parser says of a query.
#[derive(Debug, Clone, Deserialize)]
struct Shifted {
    /// The query with its modifiers; none if its answer depends on the evaluation time all the same.
    query: Option<String>,
    /// Why it is no query.
    error: Option<String>,
}

impl Shifts {
    /// Those of all instant queries of `scripts`.
    pub(super) fn of(scripts: &[Script]) -> Self {
        let mut asked: Vec<(String, i64)> = Vec::new();
        for evaluation in scripts.iter().flat_map(Script::evaluations) {
            if let When::Instant(time) = evaluation.when {
                asked.push((evaluation.query.clone(), time));
            }
        }
        asked.sort_unstable();
        asked.dedup();
        let line =
            |(query, time): &(String, i64)| format!("{}\n", json!({"query": query, "time": time}));
        let text = go_answer("prometheus", &["at"], asked.iter().map(line).collect());
        let answers: Vec<Shifted> =
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert_eq!(answers.len(), asked.len(), "one answer a query");
        Self(asked.into_iter().zip(answers).collect())
    }

    /// The instant query `query` at `time` in ms, and at other times with the same answer.
    ///
    /// # Errors
    /// If Prometheus' parser refuses it: then the script is none.
    pub(super) fn all(&self, query: &str, time: i64) -> Result<Vec<(String, i64)>, String> {
        let mut all = vec![(query.to_owned(), time)];
        let shifted = self.0.get(&(query.to_owned(), time)).ok_or("no shifted query")?;
        if let Some(error) = &shifted.error {
            return Err(format!("Prometheus refuses it: {error}"));
        }
        if let Some(shifted) = &shifted.query {
            let times = match time {
                0 => vec![-1000, 0, 1000],
                _ => vec![-10 * time, 0, time / 5, time, 10 * time],
            };
            all.extend(times.into_iter().map(|time| (shifted.clone(), time)));
        }
        Ok(all)
    }
}
