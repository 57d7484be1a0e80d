//! Numbers as Go prints them (`util/jsonutil/marshal.go`, `strconv.AppendFloat(_, _, -1, 64)`).
//!
//! The shortest digits that read back as the same float come from Ryū; where the point stands and
//! when there is an exponent is Go's affair.

/// Two decimal digits of every number below 100.
const PAIRS: &[u8; 200] = b"\
0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Whole numbers below this are exact floats, and their digits are those of the integer.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Appends a sample's value without quotes: `0.1`, `1e+22`, `1e-07`, `NaN`, `+Inf`, `-0`.
pub fn push_value(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if magnitude < EXACT_INTEGERS && value.trunc() == value {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        push_u64(out, magnitude as u64);
        return;
    }
    if !value.is_finite() {
        out.extend_from_slice(not_finite(value));
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    if (1e-5..1e15).contains(&magnitude) {
        // Here Ryū and Go agree: plain decimals, and no whole number comes this far.
        out.extend_from_slice(text);
        return;
    }
    let number = Decimal::parse(text);
    if !(1e-6..1e21).contains(&magnitude) {
        number.push_exponent(out);
    } else {
        number.push_plain(out);
    }
}

/// Appends a scalar's value without quotes: never an exponent (`promql.Scalar.MarshalJSON`).
pub fn push_scalar(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() && value != 0.0 && (value.abs() < 1e-6 || value.abs() >= 1e21) {
        let mut buffer = ryu::Buffer::new();
        Decimal::parse(buffer.format_finite(value).as_bytes()).push_plain(out);
    } else {
        push_value(out, value);
    }
}

/// Appends a time in ms as seconds: `1700000000`, or three decimals where it is not whole.
pub fn push_timestamp(out: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        out.push(b'-');
    }
    let ms = ms.unsigned_abs();
    push_u64(out, ms / 1000);
    let rest = (ms % 1000) as usize;
    if rest != 0 {
        let tens = &PAIRS[(rest % 100) * 2..(rest % 100) * 2 + 2];
        out.extend_from_slice(&[b'.', b'0' + (rest / 100) as u8, tens[0], tens[1]]);
    }
}

/// Appends a time in ms as seconds with the fewest decimals, as scalars and strings carry it.
pub fn push_short_timestamp(out: &mut Vec<u8>, ms: i64) {
    let from = out.len();
    push_timestamp(out, ms);
    if out[from..].contains(&b'.') {
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Appends a whole number.
pub fn push_u64(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while number >= 100 {
        let pair = (number % 100) as usize * 2;
        number /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if number >= 10 {
        let pair = number as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

fn not_finite(value: f64) -> &'static [u8] {
    if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    }
}

/// A decimal number: `0.d₁d₂d₃… × 10^exponent`, `d₁` and the last digit not zero.
struct Decimal {
    negative: bool,
    digits: [u8; 17],
    count: usize,
    exponent: i32,
}

impl Decimal {
    /// Reads what Ryū writes: an optional sign, digits with a point, an optional exponent.
    fn parse(text: &[u8]) -> Self {
        let mut number = Self { negative: false, digits: [b'0'; 17], count: 0, exponent: 0 };
        let mut point_seen = false;
        let mut explicit = 0_i32;
        let mut explicit_sign = None;
        for &byte in text {
            match byte {
                b'-' if explicit_sign.is_some() => explicit_sign = Some(-1),
                b'-' => number.negative = true,
                b'.' => point_seen = true,
                b'e' => explicit_sign = Some(1),
                digit if explicit_sign.is_some() => {
                    explicit = explicit * 10 + i32::from(digit - b'0')
                }
                b'0' if number.count == 0 => number.exponent -= i32::from(point_seen),
                digit => {
                    if number.count < number.digits.len() {
                        number.digits[number.count] = digit;
                        number.count += 1;
                    }
                    number.exponent += i32::from(!point_seen);
                }
            }
        }
        while number.count > 1 && number.digits[number.count - 1] == b'0' {
            number.count -= 1;
        }
        number.exponent += explicit * explicit_sign.unwrap_or(1);
        number
    }

    fn push_exponent(&self, out: &mut Vec<u8>) {
        self.push_sign(out);
        out.push(self.digits[0]);
        if self.count > 1 {
            out.push(b'.');
            out.extend_from_slice(&self.digits[1..self.count]);
        }
        let exponent = self.exponent - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let exponent = exponent.unsigned_abs();
        if exponent < 10 {
            out.push(b'0');
        }
        push_u64(out, u64::from(exponent));
    }

    fn push_plain(&self, out: &mut Vec<u8>) {
        self.push_sign(out);
        let digits = &self.digits[..self.count];
        match usize::try_from(self.exponent) {
            Ok(whole) if whole >= digits.len() => {
                out.extend_from_slice(digits);
                out.resize(out.len() + whole - digits.len(), b'0');
            }
            Ok(whole) if whole > 0 => {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
            _ => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + self.exponent.unsigned_abs() as usize, b'0');
                out.extend_from_slice(digits);
            }
        }
    }

    fn push_sign(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Printed by Go 1.26: `strconv.FormatFloat(x, 'f' or 'e', -1, 64)` by `MarshalFloat`'s rule.
    const VALUES: &[(f64, &str)] = &[
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.0, "-1"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (99.0, "99"),
        (100.0, "100"),
        (123_456.789, "123456.789"),
        (1e5, "100000"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (9_007_199_254_740_992.0, "9007199254740992"),
        (9_007_199_254_740_994.0, "9007199254740994"),
        (1e15, "1000000000000000"),
        (1.5e15, "1500000000000000"),
        (1_234_567_890_123_456.7, "1234567890123456.8"),
        (1e16, "10000000000000000"),
        (1.234e17, "123400000000000000"),
        (1e20, "100000000000000000000"),
        (999_999_999_999_999_900_000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (-1e22, "-1e+22"),
        (1.5e300, "1.5e+300"),
        (f64::MAX, "1.7976931348623157e+308"),
        (1e-5, "0.00001"),
        (1.5e-5, "0.000015"),
        (1e-6, "0.000001"),
        (1.234e-6, "0.000001234"),
        (9.99e-7, "9.99e-07"),
        (1e-7, "1e-07"),
        (-1.5e-10, "-1.5e-10"),
        (5e-324, "5e-324"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (0.3, "0.3"),
        (1.0 / 3.0, "0.3333333333333333"),
        (2.0 / 3.0 * 1e-3, "0.0006666666666666666"),
    ];

    #[test]
    fn values_are_those_of_go() {
        for &(value, expected) in VALUES {
            assert_eq!(text(|out| push_value(out, value)), expected);
        }
    }

    #[test]
    fn every_value_reads_back_as_itself() {
        // A fixed linear congruential generator walks over all exponents.
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..200_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            if !value.is_finite() {
                continue;
            }
            for push in [push_value, push_scalar] {
                let text = text(|out| push(out, value));
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            }
            let short = value.abs() % 1e6;
            let text = text(|out| push_value(out, short));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), short.to_bits(), "{text}");
        }
    }

    #[test]
    fn scalars_have_no_exponent() {
        for (value, expected) in [
            (1e22, "10000000000000000000000"),
            (-1.5e21, "-1500000000000000000000"),
            (1e-7, "0.0000001"),
            (-1.25e-9, "-0.00000000125"),
            (0.0, "0"),
            (42.5, "42.5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(|out| push_scalar(out, value)), expected);
        }
    }

    #[test]
    fn times_are_those_of_prometheus() {
        for (ms, long, short) in [
            (0, "0", "0"),
            (1_704_068_280_500, "1704068280.500", "1704068280.5"),
            (1_704_068_280_000, "1704068280", "1704068280"),
            (1_001, "1.001", "1.001"),
            (1_010, "1.010", "1.01"),
            (-1_100, "-1.100", "-1.1"),
            (-1, "-0.001", "-0.001"),
            (i64::MIN, "-9223372036854775.808", "-9223372036854775.808"),
        ] {
            assert_eq!(text(|out| push_timestamp(out, ms)), long);
            assert_eq!(text(|out| push_short_timestamp(out, ms)), short);
        }
    }
}
