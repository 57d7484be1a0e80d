//! Prometheus' durations on the command line.

use std::time::Duration;

use engine::model::{NoDuration, parse_duration};

/// Parses Prometheus' durations (`model.ParseDuration`): `90s`, `1h30m`, `14d`, `1w`, `0`; units
/// descend and none occurs twice.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(Duration::from_millis).map_err(|error| match error {
        NoDuration::Syntax | NoDuration::Unit { .. } => {
            format!("not a valid duration: {text:?} (as in 30s, 5m, 1h30m, 14d)")
        }
        NoDuration::TooLong => format!("duration out of range: {text:?}"),
    })
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
