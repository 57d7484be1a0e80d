//! Moments on the command line.

use chrono::DateTime;
use engine::model::Moment;

use super::duration;

/// Parses a moment and fixes it: ms since 1970.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    moment(text).map(Moment::ms)
}

/// Parses a moment: RFC 3339, or a duration relative to now as in `-1d` or `2h`.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Moment::At(time.timestamp_millis()));
    }
    let (sign, duration) = match text.strip_prefix('-') {
        Some(duration) => (-1, duration),
        None => (1, text),
    };
    let duration = duration::parse(duration).map_err(|_| {
        format!("not a time: {text:?} (as in 2026-10-02T00:00:00Z, or -1d for a day ago)")
    })?;
    // Durations end at 292 years.
    let ms = i64::try_from(duration.as_millis()).map_err(|e| format!("{text:?}: {e}"))?;
    Ok(Moment::FromNow(sign * ms))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn times_are_absolute_or_relative_to_now() {
        assert_eq!(parse("2026-10-02T00:00:00Z"), Ok(1_790_899_200_000));
        assert_eq!(parse("2026-10-02T02:00:00.5+02:00"), Ok(1_790_899_200_500));
        assert_eq!(parse("0000-01-01T00:00:00Z"), Ok(-62_167_219_200_000));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Ok(253_402_300_799_000));
        let now = Utc::now().timestamp_millis();
        for (text, ms) in [("-1d", -86_400_000), ("2h45m", 9_900_000), ("0s", 0)] {
            let off = parse(text).expect("a time") - now - ms;
            assert!((0..60_000).contains(&off), "{text}: {off} ms off");
        }
        for text in ["", "-", "yesterday", "2026-10-02", "--1d", "1.5h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
