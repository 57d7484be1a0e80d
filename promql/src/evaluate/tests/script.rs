//! A runner of the promqltest language, for floats. Histograms are left out of loaded data; an
//! evaluation that expects some does not parse and counts as failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::model::{Labels, STALE_NAN_BITS};
use engine::source::MemorySource;

use super::{Engine, Evaluation, QueryValue, request};
use crate::query::SampleValue;

/// What is known of one series: a value or none a step.
type Points = Vec<Option<f64>>;

/// The outcome of one evaluation of a script.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The line of the `eval`, from 1.
    pub(super) line: usize,
    /// The query.
    pub(super) query: String,
    /// Why it is wrong, if it is.
    pub(super) wrong: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Instant(i64),
    Range(i64, i64, i64),
}

/// What an `eval` expects.
#[derive(Debug, Default)]
struct Expected {
    fail: bool,
    message: Option<String>,
    ordered: bool,
    text: Option<String>,
    scalar: Option<f64>,
    /// The steps of an expected range vector.
    range_vector: Option<(i64, i64, i64)>,
    series: Vec<(Labels, Points)>,
    unreadable: Option<String>,
}

/// Runs a script and gives the outcome of each evaluation.
pub(super) async fn run(text: &str) -> Vec<Outcome> {
    let engine = Engine::default();
    let mut data: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
    let lines: Vec<&str> = text.lines().map(uncommented).collect();
    let mut outcomes = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let number = at + 1;
        let line = lines[at];
        let body_end = (at + 1..lines.len()).find(|&l| lines[l].is_empty()).unwrap_or(lines.len());
        let body = &lines[at + 1..body_end];
        at += 1;
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word.to_lowercase().as_str() {
            "" => {}
            "clear" => data.clear(),
            "load" | "load_with_nhcb" => {
                load(&mut data, duration(rest).expect("a step"), body);
                at = body_end;
            }
            eval if eval.starts_with("eval") => {
                let (command, query) = command(rest).unwrap_or_else(|| panic!("line {number}"));
                let expected = expected(body, eval == "eval_fail");
                let series = data.iter().map(|(l, s)| (l.clone(), s.clone())).collect();
                let source = Arc::new(MemorySource::new(series));
                let wrong = judge(&engine, source, query, command, &expected).await.err();
                outcomes.push(Outcome { line: number, query: query.to_owned(), wrong });
                at = body_end;
            }
            other => panic!("line {number}: command {other:?}"),
        }
    }
    outcomes
}

fn uncommented(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

fn load(data: &mut BTreeMap<Labels, Vec<(i64, f64)>>, step: i64, body: &[&str]) {
    let mut loaded: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
    for line in body {
        let Some((labels, points)) = series(line) else { continue };
        let samples = points
            .into_iter()
            .enumerate()
            .filter_map(|(i, value)| value.map(|value| (i as i64 * step, value)));
        loaded.insert(labels, samples.collect());
    }
    for (labels, samples) in loaded {
        let all = data.entry(labels).or_default();
        all.extend(samples);
        all.sort_by_key(|&(ts, _)| ts);
        all.dedup_by_key(|(ts, _)| *ts);
    }
}

fn command(text: &str) -> Option<(Command, &str)> {
    let mut words = text.split_whitespace();
    let kind = words.next()?;
    if kind == "instant" {
        let rest = text.trim_start().strip_prefix("instant")?.trim_start().strip_prefix("at")?;
        let rest = rest.trim_start();
        let (time, query) = rest.split_once(char::is_whitespace)?;
        return Some((Command::Instant(duration(time)?), query.trim()));
    }
    let mut times = Vec::new();
    let mut rest = text.trim_start().strip_prefix("range")?;
    for word in ["from", "to", "step"] {
        rest = rest.trim_start().strip_prefix(word)?.trim_start();
        let (time, after) = rest.split_once(char::is_whitespace)?;
        times.push(duration(time)?);
        rest = after;
    }
    Some((Command::Range(times[0], times[1], times[2]), rest.trim()))
}

fn expected(body: &[&str], fails: bool) -> Expected {
    let mut expected = Expected { fail: fails, ..Expected::default() };
    for line in body {
        let message = |rest: &str| rest.trim().strip_prefix("msg:").map(|m| m.trim().to_owned());
        if let Some(rest) = line.strip_prefix("expect ") {
            let (what, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match what {
                "fail" => {
                    expected.fail = true;
                    expected.message = message(rest);
                }
                "ordered" => expected.ordered = true,
                "string" => {
                    expected.text = promql_parser::util::unquote_string(rest.trim()).ok();
                }
                "range" => {
                    let words: Vec<&str> = rest.split_whitespace().collect();
                    let time = |at: usize| words.get(at).and_then(|word| duration(word));
                    expected.range_vector =
                        time(2).zip(time(4)).zip(time(6)).map(|((a, b), c)| (a, b, c));
                }
                _ => {}
            }
        } else if let Some(rest) = line.strip_prefix("expected_fail_message") {
            expected.message = Some(rest.trim().to_owned());
        } else if line.starts_with("expected_fail_regexp") {
        } else if let Some(value) = number(line) {
            expected.scalar = Some(value);
        } else {
            match series(line) {
                Some(series) => expected.series.push(series),
                None => expected.unreadable = Some((*line).to_owned()),
            }
        }
    }
    expected
}

async fn judge(
    engine: &Engine,
    source: Arc<MemorySource>,
    query: &str,
    command: Command,
    expected: &Expected,
) -> Result<(), String> {
    let evaluation = match (command, expected.range_vector) {
        (Command::Instant(time), None) => Evaluation::Instant { time },
        (_, Some((_, end, _))) => Evaluation::Instant { time: end },
        (Command::Range(start, end, step), None) => Evaluation::Range { start, end, step },
    };
    let answer = engine.query(request(query, evaluation), source.clone()).await;
    let value = match (answer, expected.fail) {
        (Ok(answer), false) => answer.value,
        (Ok(answer), true) => return Err(format!("no error but {:?}", answer.value)),
        (Err(error), false) => return Err(format!("error: {error}")),
        (Err(error), true) => {
            let found = error.message().trim_start_matches("parse error: ");
            let wanted = expected.message.as_deref();
            return match wanted {
                Some(wanted) if !wanted.contains(found) && !found.contains(wanted) => {
                    Err(format!("error {found:?}, not {wanted:?}"))
                }
                _ => Ok(()),
            };
        }
    };
    if let Some(line) = &expected.unreadable {
        return Err(format!("expects {line}"));
    }
    if let Some(text) = &expected.text {
        return match value {
            QueryValue::String(_, found) if found.as_str() == Some(text.as_str()) => Ok(()),
            other => Err(format!("{other:?}, not {text:?}")),
        };
    }
    if let Some(wanted) = expected.scalar {
        return match value {
            QueryValue::Scalar(_, found) if close(found, wanted) => Ok(()),
            QueryValue::Matrix(series)
                if series.iter().flat_map(|s| &s.values).all(|&v| close(v, wanted)) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}, not {wanted}")),
        };
    }
    let (start, step) = match (command, expected.range_vector) {
        (_, Some((start, _, step))) => (start, step),
        (Command::Range(start, _, step), None) => (start, step),
        (Command::Instant(time), None) => (time, 1),
    };
    compare(found(value, start, step)?, expected)?;
    if let (Command::Instant(time), None) = (command, expected.range_vector) {
        between_two_others(engine, source, query, time, expected).await?;
    }
    Ok(())
}

/// The same evaluation as the middle step of a range query.
async fn between_two_others(
    engine: &Engine,
    source: Arc<MemorySource>,
    query: &str,
    time: i64,
    expected: &Expected,
) -> Result<(), String> {
    if ["range()", "step()", "start()", "end()"].iter().any(|call| query.contains(call)) {
        return Ok(());
    }
    let (start, step) = (time - 60_000, 60_000);
    let evaluation = Evaluation::Range { start, end: time + 60_000, step };
    let answer = engine.query(request(query, evaluation), source).await;
    let value = answer.map_err(|error| format!("as a range: {error}"))?.value;
    let mut middle = Vec::new();
    for (labels, points) in found(value, start, step)? {
        if let Some(Some(value)) = points.get(1) {
            middle.push((labels, vec![Some(*value)]));
        }
    }
    let unordered = Expected { series: expected.series.clone(), ..Expected::default() };
    compare(middle, &unordered).map_err(|error| format!("as a range: {error}"))
}

/// An answer's points by step.
fn found(value: QueryValue, start: i64, step: i64) -> Result<Vec<(Labels, Points)>, String> {
    match value {
        QueryValue::Vector(_, series) => {
            let float = |(labels, value)| match value {
                SampleValue::Float(value) => Ok((labels, vec![Some(value)])),
                other => Err(format!("{other:?} is no number")),
            };
            series.into_iter().map(float).collect()
        }
        QueryValue::Matrix(series) => series
            .into_iter()
            .map(|series| {
                let mut points = Vec::new();
                for (ts, value) in series.timestamps.iter().zip(series.values) {
                    let slot = usize::try_from((ts - start) / step)
                        .map_err(|_| format!("a point at {ts}, before the start"))?;
                    points.resize(slot, None);
                    points.push(Some(value));
                }
                Ok((series.labels, points))
            })
            .collect(),
        other => Err(format!("{other:?} is neither vector nor matrix")),
    }
}

fn compare(found: Vec<(Labels, Points)>, expected: &Expected) -> Result<(), String> {
    let mut wanted: Vec<_> = expected.series.clone();
    // A series of which all points are `_` is not in the answer.
    wanted.retain(|(_, points)| points.iter().any(Option::is_some));
    let same = |a: &Points, b: &Points| {
        let length = a.len().max(b.len());
        (0..length).all(|i| match (a.get(i).copied().flatten(), b.get(i).copied().flatten()) {
            (Some(a), Some(b)) => close(a, b),
            (a, b) => a.is_none() && b.is_none(),
        })
    };
    let found_text = format!("found {found:?}, wanted {wanted:?}");
    if found.len() != wanted.len() {
        return Err(found_text);
    }
    for (position, (labels, points)) in found.iter().enumerate() {
        let at = wanted.iter().position(|(wanted, _)| wanted == labels);
        let at = at.ok_or_else(|| format!("{labels} is not wanted; {found_text}"))?;
        if !same(points, &wanted[at].1) {
            return Err(format!("{labels}: {points:?}, wanted {:?}", wanted[at].1));
        }
        if expected.ordered && at != position {
            return Err(format!("{labels} at place {position}, wanted at {at}"));
        }
    }
    Ok(())
}

fn close(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < 1e-6 * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < 1e-6
}

/// `5m`, `1h30m`, `0`, `300` (seconds), in ms.
fn duration(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(sign * (seconds * 1000.0) as i64);
    }
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let (mut rest, mut sum) = (text, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let (unit, ms) = units.iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        sum += count * ms;
        rest = &rest[digits + unit.len()..];
    }
    Some(sign * sum)
}

fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['-', '+']) || digits.contains('_') {
        return None;
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        return i64::from_str_radix(hexadecimal, 16).ok().map(|value| sign * value as f64);
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

/// `name{a="b"} 1 2 3`.
fn series(line: &str) -> Option<(Labels, Points)> {
    let (labels, rest) = metric(line)?;
    let mut points = Vec::new();
    for token in rest.split_whitespace() {
        values(token, &mut points)?;
    }
    Some((labels, points))
}

fn metric(line: &str) -> Option<(Labels, &str)> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.';
    let length = line.find(|c| !word(c)).unwrap_or(line.len());
    let mut pairs: Vec<(String, String)> = Vec::new();
    if length > 0 {
        pairs.push(("__name__".to_owned(), line[..length].to_owned()));
    }
    let mut rest = &line[length..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (name, after) = label_part(rest)?;
            rest = after.trim_start();
            if let Some(after) = rest.strip_prefix('=') {
                let (value, after) = label_part(after.trim_start())?;
                pairs.push((name, value));
                rest = after.trim_start();
            } else {
                pairs.push(("__name__".to_owned(), name));
            }
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        rest = &rest[1..];
    }
    Some((Labels::new(pairs).ok()?, rest))
}

/// A quoted string or a bare name, and what follows.
fn label_part(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    if quote == '"' || quote == '\'' || quote == '`' {
        let mut escaped = false;
        let (end, _) = text[1..].char_indices().find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let literal = &text[..end + 2];
        return Some((promql_parser::util::unquote_string(literal).ok()?, &text[end + 2..]));
    }
    let length = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')?;
    (length > 0).then(|| (text[..length].to_owned(), &text[length..]))
}

/// One token of values: `1`, `_`, `_x3`, `1x2`, `1+2x3`, `stale`.
fn values(token: &str, points: &mut Points) -> Option<()> {
    if token == "stale" {
        points.push(Some(f64::from_bits(STALE_NAN_BITS)));
        return Some(());
    }
    // `0x59` is a 0 and 59 more, not a hexadecimal number.
    let repeated = token
        .rsplit_once('x')
        .and_then(|(shape, times)| times.parse::<usize>().ok().map(|times| (shape, times)));
    let (shape, times) = match (repeated, number(token)) {
        (Some(repeated), _) => repeated,
        (None, Some(value)) => {
            points.push(Some(value));
            return Some(());
        }
        (None, None) if token == "_" => ("_", 1),
        (None, None) => return None,
    };
    if shape == "_" {
        points.extend(std::iter::repeat_n(None, times));
        return Some(());
    }
    if let Some(value) = number(shape) {
        points.extend(std::iter::repeat_n(Some(value), times + 1));
        return Some(());
    }
    // The last sign that is not the first character nor one of an exponent.
    let sign = shape.char_indices().rev().find(|&(i, c)| {
        (c == '+' || c == '-') && i > 0 && !shape[..i].ends_with(['e', 'E', '+', '-'])
    });
    let (at, _) = sign?;
    let (first, step) = (number(&shape[..at])?, number(&shape[at..])?);
    points.extend((0..=times).map(|i| Some(first + step * i as f64)));
    Some(())
}
