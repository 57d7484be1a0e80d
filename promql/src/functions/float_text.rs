//! Floats as label values.

/// The shortest decimal that reads back as `value`, without an exponent: `count_values`' labels
/// (`strconv.FormatFloat(f, 'f', -1, 64)`).
pub fn plain(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let (digits, point) = digits(value);
    signed(value, &placed(&digits, point))
}

/// The shortest decimal digits that read back as `value`, and behind how many of them the point stands.
/// Ryū rounds ties to even, as Go does, and Rust's own formatter does not.
fn digits(value: f64) -> (String, i32) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = whole.len() as i32 + exponent.parse::<i32>().unwrap_or(0);
    let all = format!("{whole}{part}");
    let leading = all.len() - all.trim_start_matches('0').len();
    (all.trim_matches('0').to_owned(), point - leading as i32)
}

/// Digits with a point behind `point` of them, and zeros where there are none.
fn placed(digits: &str, point: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match usize::try_from(point) {
        Ok(at) if at >= digits.len() => format!("{digits}{}", zeros(point - digits.len() as i32)),
        Ok(at) if at > 0 => format!("{}.{}", &digits[..at], &digits[at..]),
        _ => format!("0.{}{digits}", zeros(-point)),
    }
}

fn signed(value: f64, text: &str) -> String {
    if value < 0.0 { format!("-{text}") } else { text.to_owned() }
}

/// As OpenMetrics writes quantiles: `1.0`, `0.25`, `+Inf` (`FormatOpenMetricsFloat`).
pub fn open_metrics(value: f64) -> String {
    let text = general(value);
    let whole = value.is_finite() && !text.contains(['.', 'e']);
    if whole { text + ".0" } else { text }
}

/// As Go's `%g` and `%v`: the shortest decimal that reads back, with an exponent of two digits or more
/// if it is below -4 or above 5. Parameters in Prometheus' error texts.
pub fn general(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return plain(value);
    }
    let (digits, point) = digits(value);
    if (-3..=6).contains(&point) {
        return signed(value, &placed(&digits, point));
    }
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let (exponent, sign) = (point - 1, if point < 1 { '-' } else { '+' });
    signed(value, &format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs()))
}

/// As Go's `%.2g`: two significant digits.
pub fn two_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return plain(value);
    }
    let scientific = format!("{value:.1e}");
    let rounded: f64 = scientific.parse().unwrap_or(value);
    with_exponent(&scientific.replace(".0e", "e"), 2).unwrap_or_else(|| plain(rounded))
}

/// Go's exponent form of Rust's, if the exponent is below -4 or at least `limit`.
fn with_exponent(scientific: &str, limit: i32) -> Option<String> {
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let sign = if exponent < 0 { '-' } else { '+' };
    let form = || format!("{digits}e{sign}{:02}", exponent.abs());
    (exponent < -4 || exponent >= limit).then(form)
}

/// A bucket's upper bound as Prometheus reads the label `le`; `None` if it is not a number.
pub fn bucket_bound(text: &str) -> Option<f64> {
    let bound: f64 = text.parse().ok()?;
    let overflow = bound.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!bound.is_nan() && !overflow).then_some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_exponent_ever() {
        let cases = [
            (2e21, "2000000000000000000000"),
            (0.000_000_1, "0.0000001"),
            (-0.0, "-0"),
            (6.0, "6"),
            (0.1, "0.1"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (-1.5, "-1.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(plain(value), expected);
        }
    }

    #[test]
    fn general_is_that_of_go() {
        let cases = [
            (100_000.0, "100000"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (-2.0, "-2"),
            (1e100, "1e+100"),
            (0.0, "0"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(general(value), expected);
        }
    }

    #[test]
    fn two_digits_are_rounded() {
        let cases = [
            (5.0, "5"),
            (12.0, "12"),
            (123_456.0, "1.2e+05"),
            (1_000_000.0, "1e+06"),
            (0.000_012_34, "1.2e-05"),
            (0.126, "0.13"),
            (99.6, "1e+02"),
            (1.5, "1.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(two_digits(value), expected);
        }
    }

    #[test]
    fn bounds_are_numbers() {
        for (text, bound) in [
            ("0.5", Some(0.5)),
            ("1e5", Some(1e5)),
            ("+Inf", Some(f64::INFINITY)),
            ("Inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("NaN", None),
            ("1e400", None),
            ("", None),
            (" 1", None),
            ("abc", None),
        ] {
            assert_eq!(bucket_bound(text), bound, "{text:?}");
        }
    }
}
