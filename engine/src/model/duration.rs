//! Durations as Prometheus writes them.

/// The units, longest first, in ms.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration in ms: Go counts nanoseconds in 63 bits.
const LONGEST: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDuration {
    /// It is not written as one.
    Syntax,
    /// A unit that there is not, and where in the text it stands, in bytes.
    Unit {
        /// Its first byte.
        start: usize,
        /// The byte behind it.
        end: usize,
    },
    /// It is longer than 292 years.
    TooLong,
}

/// A duration in ms (`model.ParseDuration`): whole numbers with the units y, w, d, h, m, s, ms, each
/// at most once and in that order; or `0`.
pub fn parse_duration(text: &str) -> Result<u64, NoDuration> {
    if text == "0" {
        return Ok(0);
    }
    let (mut rest, mut units, mut total) = (text, UNITS.as_slice(), 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NoDuration::Syntax)?;
        let number: u64 = rest[..digits].parse().map_err(|_| NoDuration::Syntax)?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let of = |(unit, _): &(&str, u64)| *unit == &rest[..letters];
        let at = units.iter().position(of).ok_or_else(|| {
            let start = text.len() - rest.len();
            let known = letters == 0 || UNITS.iter().any(of);
            if known {
                NoDuration::Syntax
            } else {
                NoDuration::Unit { start, end: start + letters }
            }
        })?;
        total = number
            .checked_mul(units[at].1)
            .and_then(|ms| total.checked_add(ms))
            .filter(|&ms| ms <= LONGEST)
            .ok_or(NoDuration::TooLong)?;
        units = &units[at + 1..];
        rest = &rest[letters..];
    }
    if text.is_empty() { Err(NoDuration::Syntax) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_own() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1h5ms", 3_600_005),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
        for text in ["", "5", "s", "30s1m", "1s1s", "-1s"] {
            assert_eq!(parse_duration(text), Err(NoDuration::Syntax), "{text}");
        }
        for (text, start, end) in [("1.5s", 1, 2), ("1 s", 1, 3), ("5q", 1, 2), ("1h1µ", 3, 5)] {
            assert_eq!(parse_duration(text), Err(NoDuration::Unit { start, end }), "{text}");
        }
        for text in ["9999999y", "99999999999y"] {
            assert_eq!(parse_duration(text), Err(NoDuration::TooLong), "{text}");
        }
    }
}
