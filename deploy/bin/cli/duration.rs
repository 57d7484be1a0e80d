//! Prometheus' durations on the command line.

use std::time::Duration;

/// Parses Prometheus' durations (`model.ParseDuration`): `90s`, `1h30m`, `14d`, `1w`, `0`; units
/// descend and none occurs twice.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let invalid = || format!("not a valid duration: {text:?} (as in 30s, 5m, 1h30m, 14d)");
    if text.is_empty() {
        return Err(invalid());
    }
    let mut rest = text;
    let mut next_unit = 0;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let at = UNITS[next_unit..]
            .iter()
            .position(|(unit, _)| *unit == &rest[..letters])
            .ok_or_else(invalid)?;
        let factor = UNITS[next_unit + at].1;
        next_unit += at + 1;
        rest = &rest[letters..];
        total_ms = number
            .checked_mul(factor)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|&ms| ms <= i64::MAX as u64 / 1_000_000)
            .ok_or_else(|| format!("duration out of range: {text:?}"))?;
    }
    Ok(Duration::from_millis(total_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("14d", 14 * 86_400_000),
            ("1w", 7 * 86_400_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "1", "s", "1.5h", "-1s", "1m1h", "1s1s", "1 s", "5q", "99999999999y", "µ"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
