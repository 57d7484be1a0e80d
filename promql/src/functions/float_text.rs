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
    // Rust's Display is the shortest round trip and never has an exponent.
    value.to_string()
}

/// As Go's `%g` and `%v`: the shortest decimal that reads back, with an exponent of two digits or more
/// if it is below -4 or above 5. Parameters in Prometheus' error texts.
pub fn general(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return plain(value);
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if exponent < -4 || exponent >= 6 => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => plain(value),
    }
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
