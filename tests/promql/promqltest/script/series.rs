//! A line of a series: its metric, and its values or the offsets of its start timestamps.

use engine::model::{Labels, METRIC_NAME, STALE_NAN_BITS};

use super::super::histogram::Native;
use super::number::{duration, number_or_seconds};
use super::{notation, quote};

/// A sample's value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::promql) enum Value {
    Float(f64),
    Histogram(Box<Native>),
}

/// Values one after the other; none is a gap.
pub(in crate::promql) type Values = Vec<Option<Value>>;

/// `name{a="b"} 1 2 3`.
pub(super) fn series(line: &str) -> Result<(Labels, Values), String> {
    let (labels, rest) = metric(line)?;
    let mut values = Vec::new();
    for item in items(rest) {
        extend(&mut values, item).map_err(|why| format!("{item:?}: {why}"))?;
    }
    Ok((labels, values))
}

/// Start timestamps relative to their samples in ms; none where there is none.
pub(super) type Offsets = Vec<Option<i64>>;

/// `name{a="b"}@st -1m 0-1mx4`; none if that is no line of start timestamps.
pub(super) fn start_offsets(line: &str) -> Option<Result<(Labels, Offsets), String>> {
    let (metric_text, rest) = line.split_once([' ', '\t'])?;
    let metric_text = metric_text.strip_suffix("@st")?;
    Some(metric(metric_text).and_then(|(labels, _)| {
        let mut offsets = Vec::new();
        for item in rest.split_whitespace() {
            let what = || format!("start timestamp {item:?}");
            offsets.extend(offsets_of(item).ok_or_else(what)?);
        }
        Ok((labels, offsets))
    }))
}

/// The metric at the beginning of `line`, and what follows.
fn metric(line: &str) -> Result<(Labels, &str), String> {
    let bad = || format!("a metric is expected: {line:?}");
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.';
    let length = line.find(|c| !word(c)).unwrap_or(line.len());
    let mut pairs: Vec<(String, String)> = Vec::new();
    if length > 0 {
        pairs.push((METRIC_NAME.to_owned(), line[..length].to_owned()));
    }
    let mut rest = &line[length..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (name, after) = label_part(rest).ok_or_else(bad)?;
            rest = after.trim_start();
            if let Some(after) = rest.strip_prefix('=') {
                let (value, after) = label_part(after.trim_start()).ok_or_else(bad)?;
                pairs.push((name, value));
                rest = after.trim_start();
            } else {
                pairs.push((METRIC_NAME.to_owned(), name));
            }
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start(),
                None if rest.starts_with('}') => {}
                None => return Err(bad()),
            }
        }
        rest = &rest[1..];
    } else if length == 0 {
        return Err(bad());
    }
    let labels = Labels::new(pairs).map_err(|error| format!("{line:?}: {error}"))?;
    Ok((labels, rest))
}

/// A string or a bare name, and what follows.
fn label_part(text: &str) -> Option<(String, &str)> {
    if let Some(said) = quote::literal(text) {
        return Some(said);
    }
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == ':';
    let length = text.find(|c| !word(c)).unwrap_or(text.len());
    (length > 0).then(|| (text[..length].to_owned(), &text[length..]))
}

/// The items of a sequence of values: words, in which a histogram is one piece.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let (mut end, mut inside) = (0, false);
        while let Some(c) = rest[end..].chars().next() {
            if c.is_whitespace() && !inside {
                break;
            }
            if rest[end..].starts_with("{{") || rest[end..].starts_with("}}") {
                inside = c == '{';
                end += 1;
            }
            end += c.len_utf8();
        }
        let item = &rest[..end];
        rest = &rest[end..];
        (!item.is_empty()).then_some(item)
    })
}

/// Appends what `item` stands for.
fn extend(values: &mut Values, item: &str) -> Result<(), String> {
    if item.starts_with("{{") {
        return notation::extend(values, item);
    }
    let bad = || "neither number nor gap".to_owned();
    if item == "stale" {
        values.push(Some(Value::Float(f64::from_bits(STALE_NAN_BITS))));
        return Ok(());
    }
    // `0x59` is a 0 and 59 more, not a hexadecimal number.
    let Some((shape, times)) = repeated(item) else {
        values.push(match item {
            "_" => None,
            _ => Some(Value::Float(number_or_seconds(item).ok_or_else(bad)?)),
        });
        return Ok(());
    };
    if shape == "_" {
        values.extend(std::iter::repeat_n(None, times));
        return Ok(());
    }
    let (first, step) = match number_or_seconds(shape) {
        Some(value) => (value, None),
        None => {
            let at = step_sign(shape).ok_or_else(bad)?;
            let first = number_or_seconds(&shape[..at]).ok_or_else(bad)?;
            (first, Some(number_or_seconds(&shape[at..]).ok_or_else(bad)?))
        }
    };
    let mut value = first;
    for _ in 0..=times {
        values.push(Some(Value::Float(value)));
        value += step.unwrap_or_default();
    }
    Ok(())
}

/// `shape` and `N` of `shapexN`.
pub(super) fn repeated(item: &str) -> Option<(&str, usize)> {
    let (shape, times) = item.rsplit_once('x')?;
    times.parse().ok().map(|times| (shape, times))
}

/// Where the second number of `a+b` or `a-b` begins: at a sign that is neither the first character
/// nor that of an exponent.
fn step_sign(shape: &str) -> Option<usize> {
    shape.char_indices().rev().find_map(|(at, c)| {
        let sign = (c == '+' || c == '-') && at > 0;
        (sign && !shape[..at].ends_with(['e', 'E', '+', '-'])).then_some(at)
    })
}

/// `_`, `_x3`, `-1m`, `-1mx3`, `0-1mx3`, `-1m+30sx3`.
fn offsets_of(item: &str) -> Option<Offsets> {
    if item == "_" {
        return Some(vec![None]);
    }
    if let Some(times) = item.strip_prefix("_x") {
        let times: usize = times.parse().ok().filter(|&times| times > 0)?;
        return Some(vec![None; times]);
    }
    let (shape, times) = repeated(item).unwrap_or((item, 0));
    let (first, step) = match signed_duration(shape) {
        Some(first) => (first, 0),
        None => {
            let at = step_sign(shape)?;
            (signed_duration(&shape[..at])?, signed_duration(&shape[at..])?)
        }
    };
    Some((0..=times as i64).map(|nth| Some(first + nth * step)).collect())
}

fn signed_duration(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(length) => duration(length).map(|ms| -ms),
        None => duration(text.strip_prefix('+').unwrap_or(text)),
    }
}

#[test]
fn values_are_read_in_all_their_forms() {
    let floats = |text: &str| -> Vec<Option<f64>> {
        let (_, values) = series(text).expect(text);
        let float = |value: Option<Value>| match value {
            Some(Value::Float(value)) => Some(value),
            Some(other) => panic!("{other:?}"),
            None => None,
        };
        values.into_iter().map(float).collect()
    };
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    assert_eq!(floats("m 1 -2.5 1e3"), some(&[1.0, -2.5, 1000.0]));
    assert_eq!(floats("m _ 1x2 _x2"), [None, Some(1.0), Some(1.0), Some(1.0), None, None]);
    assert_eq!(floats("{} 0x2 1+2x2"), some(&[0.0, 0.0, 0.0, 1.0, 3.0, 5.0]));
    assert_eq!(floats("m -1-1e-1x1 0+4x1"), some(&[-1.0, -1.1, 0.0, 4.0]));
    assert_eq!(floats("m Inf -Inf"), some(&[f64::INFINITY, f64::NEG_INFINITY]));
    for wrong in ["m a", "m 1x", "m {{", "{a} {b", "= 1", "m{a=} 1"] {
        assert!(series(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn metrics_are_read_in_all_their_forms() {
    let read = |text: &str| metric(text).expect(text).0.to_string();
    assert_eq!(read("a:b_c 1"), r#"{__name__="a:b_c"}"#);
    assert_eq!(read(r#"m{a="b", c='d',} 1"#), r#"{__name__="m", a="b", c="d"}"#);
    assert_eq!(read(r#"{"x.y", "a.b"="c", d=""} 1"#), r#"{__name__="x.y", "a.b"="c"}"#);
    assert_eq!(read("{} 1"), "{}");
}

#[test]
fn start_offsets_are_read_in_all_their_forms() {
    let read = |line: &str| start_offsets(line).expect(line).map(|(_, offsets)| offsets);
    let minute = 60_000;
    assert_eq!(
        read("m@st _ -1m 0-1mx1 -1m+30sx1 _x2"),
        Ok(vec![
            None,
            Some(-minute),
            Some(0),
            Some(-minute),
            Some(-minute),
            Some(-minute / 2),
            None,
            None
        ])
    );
    assert!(read("m@st 1q").is_err());
    assert_eq!(start_offsets("m 1"), None);
}
