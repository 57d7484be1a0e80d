//! Functions of a cell: arithmetic, trigonometry, dates. They do not look at validity, except `clamp`.

use std::f64::consts::{LN_2, LOG2_E, LOG10_E, PI};
use std::fmt;

use super::Scalar;
use super::civil::Civil;

/// The functions that map each value by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is the PromQL function of its name")]
pub enum MathFunction {
    Abs,
    Ceil,
    Floor,
    Exp,
    Ln,
    Log2,
    Log10,
    Sqrt,
    Sgn,
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    MinOf,
    MaxOf,
    Deg,
    Rad,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Cos,
    Cosh,
    Sin,
    Sinh,
    Tan,
    Tanh,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
    Month,
    Year,
}

/// Each function's name.
const NAMES: [(&str, MathFunction); 37] = [
    ("abs", MathFunction::Abs),
    ("ceil", MathFunction::Ceil),
    ("floor", MathFunction::Floor),
    ("exp", MathFunction::Exp),
    ("ln", MathFunction::Ln),
    ("log2", MathFunction::Log2),
    ("log10", MathFunction::Log10),
    ("sqrt", MathFunction::Sqrt),
    ("sgn", MathFunction::Sgn),
    ("round", MathFunction::Round),
    ("clamp", MathFunction::Clamp),
    ("clamp_min", MathFunction::ClampMin),
    ("clamp_max", MathFunction::ClampMax),
    ("min_of", MathFunction::MinOf),
    ("max_of", MathFunction::MaxOf),
    ("deg", MathFunction::Deg),
    ("rad", MathFunction::Rad),
    ("acos", MathFunction::Acos),
    ("acosh", MathFunction::Acosh),
    ("asin", MathFunction::Asin),
    ("asinh", MathFunction::Asinh),
    ("atan", MathFunction::Atan),
    ("atanh", MathFunction::Atanh),
    ("cos", MathFunction::Cos),
    ("cosh", MathFunction::Cosh),
    ("sin", MathFunction::Sin),
    ("sinh", MathFunction::Sinh),
    ("tan", MathFunction::Tan),
    ("tanh", MathFunction::Tanh),
    ("day_of_month", MathFunction::DayOfMonth),
    ("day_of_week", MathFunction::DayOfWeek),
    ("day_of_year", MathFunction::DayOfYear),
    ("days_in_month", MathFunction::DaysInMonth),
    ("hour", MathFunction::Hour),
    ("minute", MathFunction::Minute),
    ("month", MathFunction::Month),
    ("year", MathFunction::Year),
];

impl MathFunction {
    /// The function called `name` in PromQL.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
    }

    /// Its name in PromQL.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|&&(_, function)| function == self).map_or("", |&(name, _)| name)
    }

    /// Whether it takes a date apart; without an argument it takes `vector(time())`.
    pub fn date(self) -> bool {
        matches!(
            self,
            Self::DayOfMonth
                | Self::DayOfWeek
                | Self::DayOfYear
                | Self::DaysInMonth
                | Self::Hour
                | Self::Minute
                | Self::Month
                | Self::Year
        )
    }

    /// Replaces each of `values`, which belong to steps `first..`, by the function's value, and takes
    /// away the cells that have none (`clamp` where the maximum is below the minimum).
    ///
    /// `scalars`: `round` none or the unit to round to; `clamp` minimum and maximum; `clamp_min` and
    /// `clamp_max` the limit, `min_of` and `max_of` the other number; others none. A missing scalar counts as NaN.
    pub fn apply(self, scalars: &[Scalar], first: usize, values: &mut [f64], valid: &mut [bool]) {
        let scalar = |at: usize, step: usize| scalars.get(at).map_or(f64::NAN, |s| s.at(step));
        match self {
            Self::Abs => each(values, f64::abs),
            Self::Ceil => each(values, f64::ceil),
            Self::Floor => each(values, f64::floor),
            Self::Exp => each(values, f64::exp),
            Self::Ln => each(values, f64::ln),
            Self::Log2 => each(values, log2),
            Self::Log10 => each(values, log10),
            Self::Sqrt => each(values, f64::sqrt),
            Self::Sgn => each(values, |v| {
                if v < 0.0 {
                    -1.0
                } else if v > 0.0 {
                    1.0
                } else {
                    v
                }
            }),
            Self::Round => match scalars {
                [] => each(values, |v| (v + 0.5).floor()),
                [Scalar::Constant(unit)] => {
                    let inverse = 1.0 / unit;
                    each(values, |v| round(v, inverse));
                }
                _ => each_step(values, first, |v, step| round(v, 1.0 / scalar(0, step))),
            },
            Self::Clamp => {
                for (k, (value, valid)) in values.iter_mut().zip(valid).enumerate() {
                    let (least, most) = (scalar(0, first + k), scalar(1, first + k));
                    *valid &= !(most < least);
                    *value = maximum(least, minimum(most, *value));
                }
            }
            Self::ClampMin => each_step(values, first, |v, step| {
                maximum(scalar(0, step), minimum(f64::INFINITY, v))
            }),
            Self::ClampMax => each_step(values, first, |v, step| {
                maximum(f64::NEG_INFINITY, minimum(scalar(0, step), v))
            }),
            Self::MinOf => each_step(values, first, |v, step| minimum(v, scalar(0, step))),
            Self::MaxOf => each_step(values, first, |v, step| maximum(v, scalar(0, step))),
            Self::Deg => each(values, |v| v * (180.0 / PI)),
            Self::Rad => each(values, |v| v * (PI / 180.0)),
            Self::Acos => each(values, f64::acos),
            Self::Acosh => each(values, acosh),
            Self::Asin => each(values, f64::asin),
            Self::Asinh => each(values, asinh),
            Self::Atan => each(values, f64::atan),
            Self::Atanh => each(values, atanh),
            Self::Cos => each(values, f64::cos),
            Self::Cosh => each(values, f64::cosh),
            Self::Sin => each(values, f64::sin),
            Self::Sinh => each(values, f64::sinh),
            Self::Tan => each(values, f64::tan),
            Self::Tanh => each(values, f64::tanh),
            Self::DayOfMonth => each(values, |v| Civil::from_seconds(v).date().2 as f64),
            Self::DayOfWeek => each(values, |v| Civil::from_seconds(v).weekday() as f64),
            Self::DayOfYear => each(values, |v| Civil::from_seconds(v).day_of_year() as f64),
            Self::DaysInMonth => each(values, |v| Civil::from_seconds(v).days_in_month() as f64),
            Self::Hour => each(values, |v| Civil::from_seconds(v).hour() as f64),
            Self::Minute => each(values, |v| Civil::from_seconds(v).minute() as f64),
            Self::Month => each(values, |v| Civil::from_seconds(v).date().1 as f64),
            Self::Year => each(values, |v| Civil::from_seconds(v).date().0 as f64),
        }
    }
}

impl fmt::Display for MathFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[inline(always)]
fn each(values: &mut [f64], function: impl Fn(f64) -> f64) {
    values.iter_mut().for_each(|value| *value = function(*value));
}

#[inline(always)]
fn each_step(values: &mut [f64], first: usize, function: impl Fn(f64, usize) -> f64) {
    values.iter_mut().enumerate().for_each(|(k, value)| *value = function(*value, first + k));
}

/// To the nearest multiple of 1/`inverse`, ties up. Prometheus inverts the unit for accuracy.
#[inline(always)]
fn round(value: f64, inverse: f64) -> f64 {
    (value * inverse + 0.5).floor() / inverse
}

/// The lesser of two as Go's `math.Min`: -Inf wins over NaN, NaN over the rest, -0 is below 0.
#[inline(always)]
pub(crate) fn minimum(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a < b || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

/// The greater of two as Go's `math.Max`: +Inf wins over NaN, NaN over the rest, 0 is above -0.
#[inline(always)]
pub(crate) fn maximum(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b || (a == b && a.is_sign_positive()) {
        a
    } else {
        b
    }
}

/// As Go's `math.Log10`: a product, not a logarithm of its own, so 1e15 gives 14.999999999999998.
#[inline(always)]
fn log10(value: f64) -> f64 {
    value.ln() * LOG10_E
}

/// As Go's `math.Log2`: exact at powers of two, else from the mantissa's logarithm.
pub(crate) fn log2(value: f64) -> f64 {
    if !(value > 0.0 && value < f64::INFINITY) {
        return value.ln();
    }
    // The value is mantissa * 2^exponent, with the mantissa in [0.5, 1).
    let scaled = if value < f64::MIN_POSITIVE { value * 2f64.powi(52) } else { value };
    let shift = if value < f64::MIN_POSITIVE { 52 } else { 0 };
    let exponent = ((scaled.to_bits() >> 52) as i64) - 1022;
    let mantissa = f64::from_bits((scaled.to_bits() & !(0x7ff << 52)) | (1022 << 52));
    let exponent = (exponent - shift) as f64;
    if mantissa == 0.5 { exponent - 1.0 } else { mantissa.ln() * LOG2_E + exponent }
}

/// The standard library's loses digits near 1.
fn acosh(value: f64) -> f64 {
    if value < 1.0 {
        return f64::NAN;
    }
    if value >= LARGE {
        return value.ln() + LN_2;
    }
    let above = value - 1.0;
    (above + (2.0 * above + above * above).sqrt()).ln_1p()
}

/// Odd, and exact near zero.
fn asinh(value: f64) -> f64 {
    let size = value.abs();
    let result = if size > LARGE {
        size.ln() + LN_2
    } else {
        (size + size * size / (1.0 + (1.0 + size * size).sqrt())).ln_1p()
    };
    result.copysign(value)
}

/// Odd, and exact near zero.
fn atanh(value: f64) -> f64 {
    let size = value.abs();
    (0.5 * (2.0 * size / (1.0 - size)).ln_1p()).copysign(value)
}

/// From here on 1 vanishes beside the square.
const LARGE: f64 = (1u64 << 28) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(name: &str, scalars: &[f64], values: &[f64]) -> Vec<Option<f64>> {
        let function = MathFunction::from_name(name).unwrap();
        assert_eq!(function.name(), name);
        let scalars: Vec<Scalar> = scalars.iter().map(|&s| s.into()).collect();
        let (mut values, mut valid) = (values.to_vec(), vec![true; values.len()]);
        function.apply(&scalars, 0, &mut values, &mut valid);
        values.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value)).collect()
    }

    /// Equal to 1e-14, NaN to NaN, and zero's sign too.
    #[track_caller]
    fn check(name: &str, scalars: &[f64], cases: &[(f64, f64)]) {
        let inputs: Vec<f64> = cases.iter().map(|case| case.0).collect();
        for (result, (input, expected)) in apply(name, scalars, &inputs).iter().zip(cases) {
            let result = result.unwrap();
            let close = (result - expected).abs() <= 1e-14 * expected.abs();
            let same = result == *expected || (result.is_nan() && expected.is_nan()) || close;
            let sign = result.is_sign_negative() == expected.is_sign_negative();
            assert!(
                same && (sign || expected.is_nan()),
                "{name}({input}) is {result}, not {expected}"
            );
        }
    }

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    #[test]
    fn arithmetic() {
        check("abs", &[], &[(-1.5, 1.5), (-0.0, 0.0), (-INF, INF), (NAN, NAN)]);
        check("ceil", &[], &[(1.2, 2.0), (-1.2, -1.0), (-0.2, -0.0), (INF, INF), (NAN, NAN)]);
        check("floor", &[], &[(1.2, 1.0), (-1.2, -2.0), (-INF, -INF), (NAN, NAN)]);
        check("exp", &[], &[(0.0, 1.0), (-INF, 0.0), (INF, INF), (NAN, NAN), (1.0, 1f64.exp())]);
        check("ln", &[], &[(1.0, 0.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)]);
        check("log2", &[], &[(8.0, 3.0), (5e-324, -1074.0), (0.0, -INF), (-1.0, NAN)]);
        check(
            "log2",
            &[],
            &[(3.0, 1.584962500721156), (INF, INF), (NAN, NAN), (0.3, -1.736965594166206)],
        );
        check("log10", &[], &[(100.0, 2.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)]);
        assert_eq!(apply("log10", &[], &[1e3, 1e15]), [Some(3.0), Some(14.999999999999998)]);
        check("sqrt", &[], &[(4.0, 2.0), (-1.0, NAN), (-0.0, -0.0), (INF, INF)]);
        check("sgn", &[], &[(-5.0, -1.0), (5.0, 1.0), (-0.0, -0.0), (0.0, 0.0), (NAN, NAN)]);
        check("deg", &[], &[(PI, 180.0), (-PI / 2.0, -90.0), (NAN, NAN)]);
        check("rad", &[], &[(180.0, PI), (-90.0, -PI / 2.0), (INF, INF)]);
    }

    #[test]
    fn rounding_ties_go_up() {
        check("round", &[], &[(0.5, 1.0), (-0.5, 0.0), (1.4, 1.0), (-1.5, -1.0), (NAN, NAN)]);
        check("round", &[0.1], &[(0.25, 0.3), (2.04, 2.0), (INF, INF)]);
        check("round", &[5.0], &[(12.5, 15.0), (-12.5, -10.0), (7.4, 5.0)]);
        check("round", &[0.0], &[(1.0, NAN)]);
        check("round", &[NAN], &[(1.0, NAN)]);
    }

    #[test]
    fn clamps_follow_go() {
        check("clamp", &[-25.0, 75.0], &[(-50.0, -25.0), (0.0, 0.0), (100.0, 75.0), (NAN, NAN)]);
        check("clamp_min", &[-25.0], &[(-50.0, -25.0), (100.0, 100.0), (NAN, NAN), (INF, INF)]);
        check("clamp_max", &[75.0], &[(-50.0, -50.0), (100.0, 75.0), (NAN, NAN), (-INF, -INF)]);
        check("clamp_max", &[-INF], &[(NAN, -INF), (1.0, -INF)]);
        check("clamp_min", &[NAN], &[(1.0, NAN), (INF, INF)]);
        check("clamp", &[0.0, NAN], &[(1.0, NAN), (-INF, 0.0)]);
        check("clamp_min", &[0.0], &[(-0.0, 0.0)]);
        check("clamp_min", &[-0.0], &[(0.0, 0.0)]);
        assert_eq!(apply("clamp", &[5.0, -5.0], &[1.0]), [None]);
    }

    #[test]
    fn scalars_change_from_step_to_step() {
        let limits = Scalar::Steps(vec![9.0, 1.0, 2.0, 3.0].into());
        let (mut values, mut valid) = ([5.0; 3], [true; 3]);
        MathFunction::ClampMax.apply(std::slice::from_ref(&limits), 1, &mut values, &mut valid);
        assert_eq!(values, [1.0, 2.0, 3.0]);
        let (mut values, mut valid) = ([0.0; 3], [true; 3]);
        MathFunction::Clamp.apply(&[2.0.into(), limits], 1, &mut values, &mut valid);
        assert_eq!(valid, [false, true, true]);
    }

    #[test]
    fn trigonometry() {
        for (name, inverse, inputs) in [
            ("sin", "asin", [-1.5, -0.1, 0.0, 0.7, 1.5]),
            ("tan", "atan", [-1.5, -0.1, 0.0, 0.7, 1.5]),
            ("cos", "acos", [0.1, 0.2, 1.0, 2.0, 3.0]),
            ("sinh", "asinh", [-20.0, -1e-9, 0.0, 1.3, 9.0]),
            ("tanh", "atanh", [-0.5, -1e-9, 0.0, 0.1, 0.4]),
            ("cosh", "acosh", [0.5, 1.0, 2.0, 3.0, 600.0]),
        ] {
            for (back, input) in apply(name, &[], &inputs)
                .iter()
                .map(|value| apply(inverse, &[], &[value.unwrap()])[0].unwrap())
                .zip(inputs)
            {
                assert!((back - input).abs() <= 1e-13 * input.abs(), "{name}({input}): {back}");
            }
        }
        check("acosh", &[], &[(1.0, 0.0), (0.5, NAN), (INF, INF), (NAN, NAN)]);
        check("acosh", &[], &[(1.0000000001, 1.4142136208675862e-5)]);
        check("atanh", &[], &[(1.0, INF), (-1.0, -INF), (2.0, NAN), (NAN, NAN), (-0.0, -0.0)]);
        check("asinh", &[], &[(INF, INF), (-INF, -INF), (NAN, NAN), (-0.0, -0.0)]);
        check("asin", &[], &[(2.0, NAN)]);
        check("acos", &[], &[(2.0, NAN)]);
        check("sin", &[], &[(INF, NAN)]);
        check("cos", &[], &[(INF, NAN)]);
        check("tan", &[], &[(INF, NAN)]);
    }

    #[test]
    fn dates_are_utc() {
        // 2016-02-29 23:59:59, a Monday.
        let at = 1_456_790_399.0;
        for (name, expected) in [
            ("day_of_month", 29.0),
            ("day_of_week", 1.0),
            ("day_of_year", 60.0),
            ("days_in_month", 29.0),
            ("hour", 23.0),
            ("minute", 59.0),
            ("month", 2.0),
            ("year", 2016.0),
        ] {
            assert!(MathFunction::from_name(name).unwrap().date());
            assert_eq!(apply(name, &[], &[at]), [Some(expected)], "{name}");
        }
    }
}
