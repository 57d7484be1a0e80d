//! Values of float series.

use crate::promql::fuzz::random::Random;

/// A counter: it grows by whole numbers or fractions, rests, and now and then begins anew.
pub(super) fn counter(random: &mut Random, count: usize) -> Vec<f64> {
    let resets = random.pick(&[0, 1, 5]);
    let rests = random.pick(&[0, 20, 80]);
    let scale = random.pick(&[1.0, 1.0, 0.25, 0.1, 1e9]);
    let mut value = (random.between(0, 3) * random.between(0, 500)) as f64;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        if random.chance(resets) {
            value = random.between(0, 20) as f64 * scale;
        } else if !random.chance(rests) {
            value += random.between(0, 100) as f64 * scale;
        }
        values.push(value);
    }
    values
}

/// What is unusual in a gauge. Numbers below the least normal one are not, nor any whose rates are: Go's
/// logarithm on amd64 is wrong for them (`ln(5e-324)` gives -709.1 there, -744.4 on other processors).
const STRANGE: [f64; 11] = [
    f64::NAN,
    f64::NAN,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    -0.0,
    0.0,
    1e300,
    -1.7e308,
    1e-200,
    1e-9,
];

/// A gauge of one of some kinds: a walk, few whole numbers, fractions, a constant, also a strange one. What is
/// strange stays for some samples.
pub(super) fn gauge(random: &mut Random, count: usize) -> Vec<f64> {
    let kind = random.below(6);
    let always = random.pick(&STRANGE);
    let strange = random.pick(&[0, 0, 0, 2, 10]);
    let mut walk = random.between(-50, 50) as f64;
    let constant = random.between(-3, 3) as f64;
    let (mut stays, mut stranger) = (0, 0.0);
    let mut value = || {
        if stays == 0 && random.chance(strange) {
            (stays, stranger) = (random.between(1, 5), random.pick(&STRANGE));
        }
        if stays > 0 {
            stays -= 1;
            return stranger;
        }
        match kind {
            0 => {
                walk += random.between(-8, 8) as f64 / 4.0;
                walk
            }
            1 => random.between(-2, 3) as f64,
            2 => constant,
            3 => (random.unit() - 0.3) * 1000.0,
            4 => always,
            _ => random.between(1_700_000_000, 1_800_000_000) as f64,
        }
    };
    (0..count).map(|_| value()).collect()
}
