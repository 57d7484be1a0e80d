//! `{{schema:0 sum:1 count:2 buckets:[1 2]}}`: native histograms, and series of them.

use std::collections::BTreeMap;

use engine::model::CounterResetHint;

use super::super::histogram::Native;
use super::number::number_or_seconds;
use super::series::{Value, Values, repeated};

/// Appends what `{{…}}`, `{{…}}xN`, `{{…}}+{{…}}xN` or `{{…}}-{{…}}xN` stands for.
pub(super) fn extend(values: &mut Values, item: &str) -> Result<(), String> {
    let (first, rest) = histogram(item)?;
    let value = |native: Native| Some(Value::Histogram(Box::new(native)));
    if rest.is_empty() {
        values.push(value(first));
        return Ok(());
    }
    let times = |rest: &str| {
        let times = repeated(rest).filter(|(before, _)| before.is_empty());
        times.map(|(_, times)| times).ok_or_else(|| format!("unexpected {rest:?}"))
    };
    if rest.starts_with('x') {
        let times = times(rest)?;
        values.extend(std::iter::repeat_n(value(first), times + 1));
        return Ok(());
    }
    let sign = match rest.chars().next() {
        Some('+') => 1.0,
        Some('-') => -1.0,
        _ => return Err(format!("unexpected {rest:?}")),
    };
    let (step, rest) = histogram(&rest[1..])?;
    let times = times(rest)?;
    // That of the last one read counts for all.
    let mut native = Native { hint_written: step.hint_written, ..first };
    for _ in 0..times {
        let next = native.plus(&step, sign)?;
        values.push(value(std::mem::replace(&mut native, next)));
    }
    values.push(value(native));
    Ok(())
}

/// The histogram at the beginning of `text`, and what follows.
fn histogram(text: &str) -> Result<(Native, &str), String> {
    let inside = text.strip_prefix("{{").ok_or_else(|| format!("unexpected {text:?}"))?;
    let (inside, rest) =
        inside.split_once("}}").ok_or_else(|| "a histogram without end".to_owned())?;
    let mut fields = BTreeMap::new();
    let mut left = inside.trim();
    while !left.is_empty() {
        let (key, after) =
            left.split_once(':').ok_or_else(|| format!("unexpected {left:?} in a histogram"))?;
        let end = match after.starts_with('[') {
            true => after.find(']').map(|at| at + 1),
            false => Some(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        let end = end.ok_or_else(|| format!("a list without end in {left:?}"))?;
        if fields.insert(key.to_lowercase(), &after[..end]).is_some() {
            return Err(format!("duplicate key {key:?} in histogram"));
        }
        left = after[end..].trim_start();
    }
    Ok((built(&mut fields)?, rest))
}

fn built(fields: &mut BTreeMap<String, &str>) -> Result<Native, String> {
    let mut native = Native::default();
    let offset = fields.remove("offset").map_or(Ok(0), whole)?;
    let negative_offset = fields.remove("n_offset").map_or(Ok(0), whole)?;
    for (key, text) in fields {
        match key.as_str() {
            "schema" => native.schema = whole(text)?,
            "sum" => native.sum = float(text)?,
            "count" => native.count = float(text)?,
            "z_bucket" => native.zero_count = float(text)?,
            "z_bucket_w" => native.zero_threshold = float(text)?,
            "custom_values" => native.custom_values = list(text)?,
            "buckets" => native.positive = (offset..).zip(list(text)?).collect(),
            "n_buckets" => native.negative = (negative_offset..).zip(list(text)?).collect(),
            "counter_reset_hint" => {
                native.hint_written = true;
                native.hint = match text.to_lowercase().as_str() {
                    "unknown" => CounterResetHint::Unknown,
                    "reset" => CounterResetHint::CounterReset,
                    "not_reset" => CounterResetHint::NotCounterReset,
                    "gauge" => CounterResetHint::Gauge,
                    _ => return Err(format!("counter reset hint {text:?}")),
                };
            }
            _ => return Err(format!("bad histogram descriptor found: {key:?}")),
        }
    }
    Ok(native)
}

fn whole(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn float(text: &str) -> Result<f64, String> {
    number_or_seconds(text).ok_or_else(|| format!("{text:?} is no number"))
}

fn list(text: &str) -> Result<Vec<f64>, String> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inside = inside.ok_or_else(|| format!("{text:?} is no list"))?;
    inside.split_whitespace().map(float).collect()
}

#[test]
fn histograms_are_read_in_all_their_forms() {
    let read = |item: &str| -> Result<Vec<Native>, String> {
        let mut values = Vec::new();
        extend(&mut values, item)?;
        let native = |value: Option<Value>| match value {
            Some(Value::Histogram(native)) => *native,
            other => panic!("{other:?}"),
        };
        Ok(values.into_iter().map(native).collect())
    };
    let all = read(
        "{{schema:1 sum:-2.5 count:9 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 0] offset:-1 \
         n_buckets:[3] n_offset:2 counter_reset_hint:gauge}}",
    )
    .expect("a histogram");
    let wanted = Native {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 1.0,
        count: 9.0,
        sum: -2.5,
        positive: [(-1, 1.0), (0, 2.0), (1, 0.0)].into(),
        negative: [(2, 3.0)].into(),
        custom_values: Vec::new(),
        hint: CounterResetHint::Gauge,
        hint_written: true,
    };
    assert_eq!(all, [wanted]);
    assert_eq!(read("{{}}x2").map(|all| all.len()), Ok(3));
    let custom = read("{{schema:-53 custom_values:[5 +Inf] buckets:[1]}}").expect("a histogram");
    assert_eq!(custom[0].custom_values, [5.0, f64::INFINITY]);
    let counts = |item: &str| -> Vec<f64> {
        read(item).expect(item).iter().map(|native| native.count).collect()
    };
    assert_eq!(counts("{{count:1}}+{{count:2}}x2"), [1.0, 3.0, 5.0]);
    assert_eq!(counts("{{count:1}}-{{count:2}}x1"), [1.0, -1.0]);
    for wrong in ["{{", "{{a:1}}", "{{sum:}}", "{{sum:1 sum:2}}", "{{}}y", "{{}}+1x2"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
