//! Times, durations and counts as Thanos' tools write them.

use chrono::DateTime;

/// RFC 3339 in UTC, whole seconds; beyond the calendar, ms since 1970.
pub(super) fn time(ms: i64) -> String {
    match DateTime::from_timestamp(ms.div_euclid(1_000), 0) {
        Some(time) if (-62_167_219_200_000..=253_402_300_799_999).contains(&ms) => {
            time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
        }
        _ => format!("{ms}ms"),
    }
}

/// Go's `time.Duration`: `2h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`.
pub(super) fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let total = ms.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1_000 {
        return format!("{sign}{total}ms");
    }
    let (hours, minutes) = (total / 3_600_000, total / 60_000 % 60);
    let mut seconds = (total / 1_000 % 60).to_string();
    if !total.is_multiple_of(1_000) {
        let fraction = format!("{:03}", total % 1_000);
        seconds = format!("{seconds}.{}", fraction.trim_end_matches('0'));
    }
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// With a comma between each three digits: `508,646`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes to three digits: `1.91 MiB`.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1_024 {
        return format!("{number} bytes");
    }
    let mut scaled = number as f64 / 1_024.0;
    let mut unit = 0;
    while scaled >= 1_024.0 && unit + 1 < UNITS.len() {
        scaled /= 1_024.0;
        unit += 1;
    }
    let places = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
    format!("{scaled:.places$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(1_790_899_200_999), "2026-10-02T00:00:00Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
        assert_eq!(time(i64::MIN), "-9223372036854775808ms");
        assert_eq!(time(i64::MAX), "9223372036854775807ms");
    }

    #[test]
    fn durations_are_those_of_go() {
        for (ms, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (7_200_000, "2h0m0s"),
            (90_061_001, "25h1m1.001s"),
            (-144_000_000, "-40h0m0s"),
            (i64::MIN, "-2562047788015h12m55.808s"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn counts_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (508_646, "508,646"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn bytes_have_three_digits() {
        for (number, text) in [
            (1_023, "1023 bytes"),
            (1_024, "1.00 KiB"),
            (2_000_000, "1.91 MiB"),
            (50 << 20, "50.0 MiB"),
            (500 << 30, "500 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
