//! The times that blocks are merged to: UTC days for raw samples, calendar months for downsampled ones.

use std::ops::Range;

use chrono::{DateTime, Datelike, Months, NaiveDate};

/// A UTC day.
pub const DAY_MS: i64 = 24 * 3_600_000;

/// The window of length `range_ms`, counted from 1970, that `time` lies in, half open.
pub fn aligned(time: i64, range_ms: i64) -> Range<i64> {
    let start = time.div_euclid(range_ms).saturating_mul(range_ms);
    start..start.saturating_add(range_ms)
}

/// The UTC month that `time` lies in, half open; beyond the calendar, a window of 30 days.
pub fn month(time: i64) -> Range<i64> {
    let calendar = || {
        let date = DateTime::from_timestamp_millis(time)?.date_naive();
        let first = NaiveDate::from_ymd_opt(date.year(), date.month(), 1)?;
        let next = first.checked_add_months(Months::new(1))?;
        let start = |date: NaiveDate| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
        Some(start(first)?..start(next)?)
    };
    calendar().unwrap_or_else(|| aligned(time, 30 * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (time, days, start) in [
            ("2024-02-10T10:00:00Z", 29, "2024-02-01T00:00:00Z"),
            ("2026-02-28T23:59:59.999Z", 28, "2026-02-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", 31, "2026-12-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", 31, "2027-01-01T00:00:00Z"),
            ("1969-11-15T00:00:00Z", 30, "1969-11-01T00:00:00Z"),
        ] {
            let month = month(at(time));
            assert_eq!(month.start, at(start), "{time}");
            assert_eq!(month.end - month.start, days * DAY_MS, "{time}");
        }
        assert!(month(i64::MAX).contains(&(i64::MAX - 1)));
    }

    #[test]
    fn days_begin_at_midnight_before_1970_too() {
        assert_eq!(aligned(DAY_MS - 1, DAY_MS), 0..DAY_MS);
        assert_eq!(aligned(-1, DAY_MS), -DAY_MS..0);
    }
}
