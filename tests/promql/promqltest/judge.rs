//! Whether an answer is what is expected (`compareResult` and `checkAnnotations` in
//! `promql/promqltest/test.go`).

use std::collections::BTreeMap;

use engine::model::{CounterResetHint, Labels, is_stale};

use super::answer::{Answer, Found};
use super::histogram::Native;
use super::script::{Annotations, Evaluation, Row, Value, Values, Wanted, When};

/// How far two numbers may be apart, relative to their sum.
const EPSILON: f64 = 1e-6;

/// Judges an error; `None` is that there was none.
pub(super) fn error(evaluation: &Evaluation, error: Option<&str>) -> Result<(), String> {
    match (&evaluation.fails, error) {
        (None, None) => Ok(()),
        (None, Some(error)) => Err(format!("error: {error}")),
        (Some(wanted), Some(error)) if wanted.accepts(error) => Ok(()),
        (Some(wanted), Some(error)) => Err(format!("error {error:?}, not {wanted:?}")),
        (Some(_), None) => Err("no error".to_owned()),
    }
}

/// Judges warnings and infos.
pub(super) fn annotations(evaluation: &Evaluation, answer: &Answer) -> Result<(), String> {
    let all = answer.warnings.iter().map(|text| (text, "PromQL warning: "));
    for (text, prefix) in all.chain(answer.infos.iter().map(|text| (text, "PromQL info: "))) {
        if !text.starts_with(prefix) {
            return Err(format!("{text:?} is none of PromQL's annotations"));
        }
    }
    annotations_of("warning", &evaluation.warnings, &answer.warnings)?;
    annotations_of("info", &evaluation.infos, &answer.infos)
}

fn annotations_of(kind: &str, wanted: &Annotations, found: &[String]) -> Result<(), String> {
    if wanted.none && !found.is_empty() {
        return Err(format!("{kind}s that are not wanted: {found:?}"));
    }
    if wanted.some && found.is_empty() {
        return Err(format!("no {kind}"));
    }
    if let Some(missing) =
        wanted.wanted.iter().find(|wanted| !found.iter().any(|text| wanted.accepts(text)))
    {
        return Err(format!("no {kind} {missing:?} but {found:?}"));
    }
    let any = |text: &String| wanted.wanted.iter().any(|wanted| wanted.accepts(text));
    match found.iter().find(|text| !any(text)) {
        Some(text) if !wanted.wanted.is_empty() => Err(format!("{kind} {text:?} is not wanted")),
        _ => Ok(()),
    }
}

/// Judges the value.
pub(super) fn value(evaluation: &Evaluation, found: &Found) -> Result<(), String> {
    match (&evaluation.wanted, found) {
        (Wanted::Text(wanted), Found::Text(found)) if wanted == found => Ok(()),
        (Wanted::Scalar(wanted), Found::Scalar(found)) if near(*wanted, *found) => Ok(()),
        (Wanted::Series(rows), Found::Vector(found)) => vector(evaluation, rows, found),
        (Wanted::Series(rows), Found::Matrix(found)) if !evaluation.ordered => {
            matrix(evaluation, rows, found)
        }
        (wanted, found) => Err(format!("{} is wanted, not {}", of_wanted(wanted), of_found(found))),
    }
}

fn of_wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Series(rows) => format!("a vector of {} series", rows.len()),
        Wanted::Scalar(value) => format!("scalar {value}"),
        Wanted::Text(text) => format!("string {text:?}"),
    }
}

fn of_found(found: &Found) -> String {
    match found {
        Found::Scalar(value) => format!("scalar {value}"),
        Found::Text(text) => format!("string {text:?}"),
        Found::Vector(series) => format!("a vector of {} series", series.len()),
        Found::Matrix(series) => format!("a matrix of {} series", series.len()),
    }
}

/// The rows by their labels, with their places.
fn by_labels(rows: &[Row]) -> BTreeMap<&Labels, (usize, &Values)> {
    rows.iter().enumerate().map(|(at, row)| (&row.labels, (at, &row.values))).collect()
}

fn vector(evaluation: &Evaluation, rows: &[Row], found: &[(Labels, Value)]) -> Result<(), String> {
    let mut left = by_labels(rows);
    for (place, (labels, value)) in found.iter().enumerate() {
        let Some((wanted_place, wanted)) = left.remove(labels) else {
            return Err(format!("{labels} {} is not wanted", shown(value)));
        };
        if evaluation.ordered && wanted_place != place {
            return Err(format!("{labels} is at place {place}, not {wanted_place}"));
        }
        // A gap stands for nothing else than 0 here.
        let gap = Value::Float(0.0);
        let wanted = wanted.first().map_or(&gap, |wanted| wanted.as_ref().unwrap_or(&gap));
        same(wanted, value).map_err(|why| format!("{labels}: {why}"))?;
    }
    nothing_missing(&left)
}

fn matrix(
    evaluation: &Evaluation,
    rows: &[Row],
    found: &[(Labels, Vec<(i64, Value)>)],
) -> Result<(), String> {
    sorted(found)?;
    let (start, end, step) = match (evaluation.when, evaluation.range_vector) {
        (_, Some(steps)) => (steps.start, steps.end, steps.step),
        (When::Range { start, end, step }, None) => (start, end, step),
        (When::Instant(_), None) => return Err("a matrix is not wanted".to_owned()),
    };
    let mut left = by_labels(rows);
    for (labels, points) in found {
        let Some((_, wanted)) = left.remove(labels) else {
            return Err(format!("{labels} is not wanted, it has {}", all_shown(points)));
        };
        if start + (wanted.len() as i64 - 1).max(0) * step > end {
            return Err(format!("{labels}: more points are wanted than there are steps"));
        }
        let times = (0..).map(|at| start + at * step);
        let wanted: Vec<(i64, &Value)> = times
            .zip(wanted)
            .filter_map(|(ts, value)| value.as_ref().map(|value| (ts, value)))
            .collect();
        let times = |mut times: Vec<i64>| {
            times.sort_unstable();
            times
        };
        let wanted_times = times(wanted.iter().map(|&(ts, _)| ts).collect());
        let found_times = times(points.iter().map(|&(ts, _)| ts).collect());
        if wanted_times != found_times {
            return Err(format!(
                "{labels}: points at {wanted_times:?} are wanted; it has {}",
                all_shown(points)
            ));
        }
        for ((_, wanted), (ts, found)) in wanted.iter().zip(points) {
            same(wanted, found).map_err(|why| format!("{labels} at {ts}: {why}"))?;
        }
    }
    nothing_missing(&left)
}

/// Series of a matrix are in the order of their labels.
pub(super) fn sorted(matrix: &[(Labels, Vec<(i64, Value)>)]) -> Result<(), String> {
    match matrix.windows(2).find(|pair| pair[0].0 > pair[1].0) {
        Some(pair) => Err(format!("{} comes before {}", pair[0].0, pair[1].0)),
        None => Ok(()),
    }
}

fn nothing_missing(left: &BTreeMap<&Labels, (usize, &Values)>) -> Result<(), String> {
    match left.first_key_value() {
        Some((labels, _)) => Err(format!("{labels} is missing, of {}", left.len())),
        None => Ok(()),
    }
}

fn same(wanted: &Value, found: &Value) -> Result<(), String> {
    let equal = match (wanted, found) {
        (Value::Float(wanted), Value::Float(found)) => near(*wanted, *found),
        (Value::Histogram(wanted), Value::Histogram(found)) => alike(wanted, found),
        _ => false,
    };
    match equal {
        true => Ok(()),
        false => Err(format!("{}, not {}", shown(found), shown(wanted))),
    }
}

/// `almost.Equal`.
fn near(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Whether two histograms are the same, empty buckets aside.
fn alike(wanted: &Native, found: &Native) -> bool {
    let buckets = |a: &BTreeMap<i32, f64>, b: &BTreeMap<i32, f64>| {
        let populated = |buckets: &BTreeMap<i32, f64>| -> Vec<(i32, f64)> {
            let all = buckets.iter().map(|(&at, &count)| (at, count));
            all.filter(|&(_, count)| count != 0.0).collect()
        };
        let (a, b) = (populated(a), populated(b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && near(a.1, b.1))
    };
    wanted.schema == found.schema
        && near(wanted.count, found.count)
        && near(wanted.sum, found.sum)
        && wanted.zero_threshold == found.zero_threshold
        && near(wanted.zero_count, found.zero_count)
        && wanted.custom_values == found.custom_values
        && buckets(&wanted.positive, &found.positive)
        && buckets(&wanted.negative, &found.negative)
        && (!wanted.hint_written || wanted.hint == found.hint)
}

fn all_shown(points: &[(i64, Value)]) -> String {
    let point = |(ts, value): &(i64, Value)| format!("{}@{ts}", shown(value));
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}

/// A value as scripts write it.
fn shown(value: &Value) -> String {
    let native = match value {
        Value::Float(value) if is_stale(*value) => return "stale".to_owned(),
        Value::Float(value) => return format!("{value}"),
        Value::Histogram(native) => native,
    };
    let mut parts = Vec::new();
    let mut number = |name: &str, value: f64| {
        if value != 0.0 {
            parts.push(format!("{name}:{value}"));
        }
    };
    number("schema", f64::from(native.schema));
    number("count", native.count);
    number("sum", native.sum);
    number("z_bucket", native.zero_count);
    number("z_bucket_w", native.zero_threshold);
    if native.hint != CounterResetHint::Unknown {
        parts.push(format!("hint:{:?}", native.hint));
    }
    if !native.custom_values.is_empty() {
        parts.push(format!("custom_values:{:?}", native.custom_values));
    }
    for (name, buckets) in [("buckets", &native.positive), ("n_buckets", &native.negative)] {
        if !buckets.is_empty() {
            parts.push(format!("{name}:{buckets:?}"));
        }
    }
    format!("{{{{{}}}}}", parts.join(" "))
}
