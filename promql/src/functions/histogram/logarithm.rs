//! Logarithms and powers of two as Go has them (`math.Log2`, `math.Exp2` on amd64): those of the C
//! library often differ in the last digit. Both are FreeBSD's polynomials (`e_log.c`, `e_exp.c`).

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E};

use super::bounds::scaled;

/// The digits of ln 2 that a product with a small whole number keeps exactly, and the rest.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// The logarithm to base two; exact at powers of two.
pub(super) fn log2(value: f64) -> f64 {
    if !(value > 0.0 && value < f64::INFINITY) {
        return value.ln();
    }
    // The value is mantissa * 2^exponent, with the mantissa in [0.5, 1).
    let shift = if value < f64::MIN_POSITIVE { 52 } else { 0 };
    let bits = scaled(value, shift).to_bits();
    let exponent = ((bits >> 52) as i64 - 1022 - shift) as f64;
    let mantissa = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
    if mantissa == 0.5 { exponent - 1.0 } else { ln(mantissa) * LOG2_E + exponent }
}

/// The natural logarithm of a number in [0.5, 1).
fn ln(mantissa: f64) -> f64 {
    let (exponent, f) = match mantissa <= FRAC_1_SQRT_2 {
        true => (-1.0, mantissa * 2.0 - 1.0),
        false => (0.0, mantissa - 1.0),
    };
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2
        * (0.666_666_666_666_673_5
            + s4 * (0.285_714_287_436_623_9
                + s4 * (0.181_835_721_616_180_5 + s4 * 0.147_981_986_051_165_86)));
    let even = s4
        * (0.399_999_999_994_094_2
            + s4 * (0.222_221_984_321_497_84 + s4 * 0.153_138_376_992_093_73));
    let half = 0.5 * f * f;
    let [high, low] = LN_2;
    exponent * high - ((half - (s * (half + (odd + even)) + exponent * low)) - f)
}

/// Two to the power of `value`.
pub(super) fn exp2(value: f64) -> f64 {
    if value > 1_023.999_999_999_999_9 {
        return f64::INFINITY;
    }
    if value < -1074.0 {
        return 0.0;
    }
    let whole = if value > 0.0 { (value + 0.5).trunc() } else { (value - 0.5).trunc() };
    let part = value - whole;
    let [high, low] = LN_2.map(|digits| part * digits);
    // e^(high + low), which is near one.
    let (low, r) = (-low, high + low);
    let t = r * r;
    let c = r - t
        * (0.166_666_666_666_666_66
            + t * (-2.777_777_777_701_559_3e-3
                + t * (6.613_756_321_437_934e-5
                    + t * (-1.653_390_220_546_525_2e-6 + t * 4.138_136_797_057_238_5e-8))));
    scaled(1.0 - ((low - (r * c) / (2.0 - c)) - high), whole as i64)
}
