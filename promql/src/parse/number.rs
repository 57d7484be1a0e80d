//! Numbers and durations as they are written.

/// The units of durations, longest first, in ms (`model.ParseDuration`).
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A number that the lexer has let pass (Go's `ParseInt` with base 0, then `ParseFloat`).
pub(super) fn number(text: &str) -> Result<f64, String> {
    let syntax =
        || format!("error parsing number: strconv.ParseFloat: parsing {text:?}: invalid syntax");
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    let integer = match lower.as_bytes() {
        [b'0', b'x', ..] => i64::from_str_radix(&lower[2..], 16).ok(),
        [b'0', b'b', ..] => i64::from_str_radix(&lower[2..], 2).ok(),
        [b'0', b'o', ..] => i64::from_str_radix(&lower[2..], 8).ok(),
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
    let unknown = || format!("not a valid duration string: {text:?}");
    let (mut rest, mut units, mut ms) = (text, UNITS.as_slice(), 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(unknown)?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let unit = &rest[digits..digits + unit_end];
        // Each unit at most once, and no longer one behind a shorter one.
        let at = units.iter().position(|(name, _)| *name == unit).ok_or_else(unknown)?;
        let count: u64 = rest[..digits].parse().map_err(|_| unknown())?;
        let total = count.checked_mul(units[at].1).and_then(|more| ms.checked_add(more));
        // Go counts nanoseconds in 63 bits.
        ms =
            total.filter(|&ms| ms <= i64::MAX as u64 / 1_000_000).ok_or("duration out of range")?;
        units = &units[at + 1..];
        rest = &rest[digits + unit_end..];
    }
    Ok(ms as f64 / 1_000.0)
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
