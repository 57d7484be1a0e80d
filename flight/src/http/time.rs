//! Times and durations of requests, as Prometheus reads them (`web/api/v1/api.go`).

use std::time::Duration;

use engine::model;

use super::error::ApiError;
use super::form::Form;

/// The earliest and latest time that Prometheus speaks of, in its own spelling, and in ms.
const BOUNDS: [(&str, i64); 2] = [
    ("-292273086-05-16T16:47:06Z", (i64::MIN / 1000 + 62_135_596_801) * 1000),
    ("292277025-08-18T07:12:54.999999999Z", (i64::MAX / 1000 - 62_135_596_801) * 1000 + 999),
];

/// `parseTime`: Unix seconds with decimals, or RFC 3339. In ms.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let invalid = || format!("cannot parse {text:?} to a valid timestamp");
    if let Some(seconds) = parse_float(text) {
        // Rounded to ms and then cut to whole ns, in the same steps as Prometheus.
        let whole = seconds.trunc();
        let fraction = ((seconds - whole) * 1000.0).round() / 1000.0;
        if !whole.is_finite() || whole.abs() > i64::MAX as f64 / 1000.0 - 1.0 {
            return Err(invalid());
        }
        let nanos = (fraction * 1e9) as i64;
        return Ok(whole as i64 * 1000 + nanos.div_euclid(1_000_000));
    }
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    BOUNDS.iter().find(|(name, _)| *name == text).map(|(_, ms)| *ms).ok_or_else(invalid)
}

/// `parseDuration`: seconds with decimals, or Prometheus' durations. In ns; may be negative.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let nanos = seconds * 1e9;
        if nanos.is_nan() || nanos >= i64::MAX as f64 || nanos < i64::MIN as f64 {
            return Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"));
        }
        return Ok(nanos as i64);
    }
    parse_units(text).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

/// The time in parameter `name`, or `default` if there is none.
pub(super) fn time_parameter(form: &Form, name: &str, default: i64) -> Result<i64, ApiError> {
    match form.get(name) {
        "" => Ok(default),
        text => parse_time(text).map_err(|message| {
            ApiError::parameter(name, format!("invalid time value for '{name}': {message}"))
        }),
    }
}

/// The positive duration in Thanos' parameter `name`, or `None` if there is none.
pub(super) fn duration_parameter(form: &Form, name: &str) -> Result<Option<i64>, ApiError> {
    match form.get(name) {
        "" => Ok(None),
        text => parse_duration(text)
            .map(Some)
            .map_err(|message| ApiError::thanos_parameter(name, message)),
    }
}

/// A duration in ns as Rust has it; a negative one is none at all.
pub(super) fn from_nanos(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// A float as Go's `ParseFloat` takes it (but for hexadecimal digits and underscores).
fn parse_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Prometheus' duration, in ns.
fn parse_units(text: &str) -> Option<i64> {
    i64::try_from(model::parse_duration(text).ok()?).ok()?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_prometheus_reads_them() {
        for (text, ms) in [
            ("0", 0),
            ("1704068280", 1_704_068_280_000),
            ("1704068280.5", 1_704_068_280_500),
            ("1704068280.0004", 1_704_068_280_000),
            ("1.5e9", 1_500_000_000_000),
            ("-1.5", -1_500),
            ("1704068280123", 1_704_068_280_123_000),
            ("2024-01-01T00:18:00Z", 1_704_068_280_000),
            ("2024-01-01T01:18:00.25+01:00", 1_704_068_280_250),
            ("-292273086-05-16T16:47:06Z", -9_223_309_901_257_974_000),
            ("292277025-08-18T07:12:54.999999999Z", 9_223_309_901_257_974_999),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
        for text in ["", "abc", "NaN", "Inf", "1e300", "2024-13-01T00:00:00Z", "1 "] {
            let expected = format!("cannot parse {text:?} to a valid timestamp");
            assert_eq!(parse_time(text), Err(expected));
        }
    }

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        for (text, ms) in [
            ("15", 15_000),
            ("0.5", 500),
            ("-1", -1_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("250ms", 250),
        ] {
            assert_eq!(parse_duration(text), Ok(ms * 1_000_000), "{text}");
        }
        for text in ["", "abc", "1m1h", "NaN", "-5m", "9999999y"] {
            assert!(parse_duration(text).unwrap_err().contains("valid duration"), "{text}");
        }
        let overflow = parse_duration("1e300").unwrap_err();
        assert!(overflow.ends_with("It overflows int64"), "{overflow}");
    }
}
