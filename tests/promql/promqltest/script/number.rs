//! Numbers and durations as the scripts write them.

use engine::model::parse_duration;

/// The bits of Go's NaN.
const GO_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// A number as Go reads it (`strconv.ParseInt` with base 0, else `strconv.ParseFloat`).
pub(in super::super) fn number(text: &str) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let value = whole(digits).or_else(|| float(digits))?;
    Some(if negative { -value } else { value })
}

fn whole(digits: &str) -> Option<f64> {
    let lower = digits.to_ascii_lowercase();
    let octal = lower.len() > 1 && lower.starts_with('0');
    let (text, radix) = match lower.get(..2) {
        Some("0x") => (&lower[2..], 16),
        Some("0b") => (&lower[2..], 2),
        Some("0o") => (&lower[2..], 8),
        _ if octal => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let text = without_underscores(text).filter(|text| !text.starts_with(['+', '-']))?;
    i64::from_str_radix(&text, radix).ok().map(|value| value as f64)
}

fn float(digits: &str) -> Option<f64> {
    let value: f64 = without_underscores(digits)?.parse().ok()?;
    Some(if value.is_nan() { f64::from_bits(GO_NAN_BITS) } else { value })
}

/// Underscores may stand between digits.
fn without_underscores(text: &str) -> Option<String> {
    let misplaced = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!misplaced).then(|| text.replace('_', ""))
}

/// A duration in ms.
pub(in super::super) fn duration(text: &str) -> Option<i64> {
    parse_duration(text).ok().and_then(|ms| i64::try_from(ms).ok())
}

/// A number, or a duration in seconds: what may stand as a value.
pub(super) fn number_or_seconds(text: &str) -> Option<f64> {
    if let Some(value) = number(text) {
        return Some(value);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    duration(digits).map(|ms| sign * ms as f64 / 1000.0)
}

#[test]
fn numbers_are_read_as_go_reads_them() {
    let cases = [
        ("1.5", 1.5),
        ("-2", -2.0),
        ("0x1F", 31.0),
        ("-0x10", -16.0),
        ("010", 8.0),
        ("09", 9.0),
        ("1_000", 1000.0),
        ("1e3", 1000.0),
        ("+Inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        (".5", 0.5),
    ];
    for (text, value) in cases {
        assert_eq!(number(text), Some(value), "{text}");
    }
    assert!(number("NaN").is_some_and(f64::is_nan));
    assert_eq!(number("-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
    for text in ["", "-", "--1", "0+4", "0x-1", "1x2", "a", "1__0", "_1"] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!(number_or_seconds("-1m30s"), Some(-90.0));
}
