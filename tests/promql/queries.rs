//! The queries of the comparison: those of `queries.txt` and those of the shared benchmark.

use std::collections::BTreeMap;

use crate::support::shared;

use super::answer::{Ask, Question};
use super::compare::may_round;

const QUERIES: &str = include_str!("queries.txt");

/// How a line of the file is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Instant,
    Range,
}

/// The lines of the file: their group, their kind if it is only one, the query.
fn lines() -> Vec<(&'static str, Option<Kind>, &'static str)> {
    let mut group = "";
    let mut found = Vec::new();
    for line in QUERIES.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            group = heading;
        } else if let Some(query) = line.strip_prefix("instant: ") {
            found.push((group, Some(Kind::Instant), query));
        } else if let Some(query) = line.strip_prefix("range: ") {
            found.push((group, Some(Kind::Range), query));
        } else if !line.is_empty() && !line.starts_with('#') {
            found.push((group, None, line));
        }
    }
    found
}

/// Each line of the file at `time` and over the grid.
pub(super) fn of_the_file(time: i64, start: i64, end: i64, step: i64) -> Vec<Question> {
    let mut questions = Vec::new();
    for (about, only, query) in lines() {
        let mut ask = |kind, ask| {
            if only.is_none_or(|only| only == kind) {
                let (about, query) = (about.to_owned(), query.to_owned());
                questions.push(Question { about, query, ask });
            }
        };
        ask(Kind::Instant, Ask::Instant(time));
        ask(Kind::Range, Ask::Range { start, end, step });
    }
    questions
}

/// Each line of the shared benchmark that data from `start` to `end` can answer; a longer range than
/// the data is cut.
pub(super) fn of_the_benchmark(start: i64, end: i64) -> Vec<Question> {
    let file = shared("bench/queries.txt");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, kind, range, step, expression] = fields[..] else {
                panic!("not five fields: {line}");
            };
            let from = start.max(end - milliseconds(range));
            let (query, ask) = match kind {
                "instant" => (expression, Ask::Instant(end)),
                "range" => (expression, Ask::Range { start: from, end, step: milliseconds(step) }),
                _ => listing(expression, from, end),
            };
            Question { about: name.to_owned(), query: query.to_owned(), ask }
        })
        .collect()
}

fn listing(path: &str, start: i64, end: i64) -> (&str, Ask) {
    if let Some(selector) = path.strip_prefix("series?match[]=") {
        (selector, Ask::Series { start, end })
    } else if let Some(name) = path.strip_prefix("label/").and_then(|p| p.strip_suffix("/values")) {
        ("", Ask::Values { name: name.to_owned(), start, end })
    } else {
        assert_eq!(path, "labels", "a metadata call that the tests do not know");
        ("", Ask::Labels { start, end })
    }
}

/// A duration of one unit, in ms.
fn milliseconds(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => panic!("not a duration: {text}"),
    };
    number.parse::<i64>().unwrap_or_else(|e| panic!("{text}: {e}")) * factor
}

#[test]
fn three_lines_are_about_each_function_and_operator() {
    let mut lines_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (group, _, query) in lines() {
        *lines_of.entry(group).or_default() += usize::from(is_about(query, group));
    }
    let groups: Vec<&str> = lines_of.keys().copied().collect();
    for required in REQUIRED.split_whitespace() {
        assert!(groups.contains(&required), "no group is about {required}");
    }
    let found: Vec<_> = lines_of
        .iter()
        .filter(|(group, lines)| {
            **lines < 3 && REQUIRED.split_whitespace().any(|required| required == **group)
        })
        .collect();
    assert!(found.is_empty(), "fewer than three lines: {found:?}");
    assert!(lines().iter().any(|(_, _, query)| !may_round(query)), "some must be exact");
}

fn is_about(query: &str, group: &str) -> bool {
    match group {
        "[:]" => query.contains(':'),
        "by" | "without" | "bool" | "on" | "ignoring" | "and" | "or" | "unless" | "group_left"
        | "group_right" | "offset" | "atan2" => {
            query.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == group)
        }
        name if name.starts_with(|c: char| c.is_alphabetic()) => {
            query.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        }
        operator => query.contains(operator),
    }
}

/// Every function, operator and modifier that Stoa answers.
const REQUIRED: &str = "
    = != =~ !~ offset @ [ [:] rate increase delta irate idelta resets changes deriv
    predict_linear avg_over_time min_over_time max_over_time sum_over_time count_over_time
    stddev_over_time stdvar_over_time last_over_time first_over_time present_over_time
    absent_over_time quantile_over_time sum avg min max count group stddev stdvar topk bottomk
    quantile count_values by without + - * / % ^ atan2 == > < >= <= bool on ignoring group_left
    group_right and or unless histogram_quantile label_replace label_join sort sort_desc absent
    scalar vector abs ceil floor round clamp clamp_min clamp_max sgn sqrt exp ln log2 log10 sin
    cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad pi time timestamp minute
    hour day_of_week day_of_month day_of_year days_in_month month year
";
