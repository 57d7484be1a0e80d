//! Numbers and durations as they are written.

use engine::model::{NoDuration, parse_duration};

/// A number that the lexer has let pass (Go's `ParseInt` with base 0, then `ParseFloat`).
pub(super) fn number(text: &str) -> Result<f64, String> {
    let syntax =
        || format!("error parsing number: strconv.ParseFloat: parsing {text:?}: invalid syntax");
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    let integer = match lower.as_bytes() {
        [b'0', b'x', ..] => i64::from_str_radix(&lower[2..], 16).ok(),
        [b'0', _, ..] if lower.bytes().all(|b| b.is_ascii_digit()) => {
            i64::from_str_radix(&lower[1..], 8).ok()
        }
        _ => lower.parse::<i64>().ok(),
    };
    if let Some(integer) = integer {
        return Ok(integer as f64);
    }
    let value: f64 = match lower.as_str() {
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => lower.parse().map_err(|_| syntax())?,
    };
    if value.is_infinite() && lower != "inf" {
        return Err(format!(
            "error parsing number: strconv.ParseFloat: parsing {text:?}: value out of range"
        ));
    }
    Ok(value)
}

/// A duration in seconds.
pub(super) fn duration(text: &str) -> Result<f64, String> {
    parse_duration(text).map(|ms| ms as f64 / 1_000.0).map_err(|error| match error {
        NoDuration::Syntax => format!("not a valid duration string: {text:?}"),
        NoDuration::Unit { start, end } => {
            format!("unknown unit {:?} in duration {text:?}", &text[start..end])
        }
        NoDuration::TooLong => "duration out of range".to_owned(),
    })
}

/// As Go's `%f`.
pub(super) fn plain(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => format!("{value:.6}"),
    }
}

/// A duration in ms as Prometheus prints it (`model.Duration.String`): years and weeks only where they
/// come out even.
pub(super) fn milliseconds(ms: i64) -> String {
    const UNITS: [(&str, u64, bool); 7] = [
        ("y", 365 * 86_400_000, true),
        ("w", 7 * 86_400_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1_000, false),
        ("ms", 1, false),
    ];
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = if ms < 0 { "-" } else { "" }.to_owned();
    let mut rest = ms.unsigned_abs();
    for (unit, length, even) in UNITS {
        if rest >= length && (!even || rest.is_multiple_of(length)) {
            out.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    out
}
