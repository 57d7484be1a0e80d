//! Quantiles, fractions, variances.

use std::f64::consts::FRAC_1_SQRT_2;

use super::super::logarithm::{exp2, log2};
use super::*;
use crate::functions::{Remark, Remarks};

const ZERO: (f64, f64) = (0.25, 4.0);
const SIDE: Side<'_> = &[(-1, &[2.0, 4.0, 6.0])];

fn with_bounds() -> FloatHistogram {
    custom(&[1.0, 2.0, 5.0, 10.0], &[(0, &[1.0, 2.0, 3.0, 4.0, 5.0])])
}

fn below_zero() -> FloatHistogram {
    custom(&[-2.0, -1.0], &[(0, &[1.0, 2.0, 3.0])])
}

#[test]
fn quantiles_interpolate_inside_a_bucket() {
    let phis = [0.02, 0.1, 0.3, 0.49, 0.5, 0.9, 0.95];
    let cases = [
        (
            exponential(1, ZERO, SIDE, &[(0, &[1.0, 3.0])]),
            [
                -1.3503499461681898,
                -1.122462048309373,
                0.0,
                0.6830201283771978,
                0.7071067811865475,
                1.259921049894873,
                1.3348398541700341,
            ],
        ),
        (
            exponential(1, ZERO, SIDE, &[]),
            [
                0.02,
                0.1,
                0.5743491774985174,
                0.8293195458144417,
                0.8408964152537145,
                1.2893703084395791,
                1.3503499461681898,
            ],
        ),
        (
            exponential(1, ZERO, &[], SIDE),
            [
                -1.3883134504797912,
                -1.2893703084395791,
                -1.0717734625362931,
                -0.8526348917679567,
                -0.8408964152537145,
                -0.09999999999999998,
                -0.050000000000000044,
            ],
        ),
        (with_bounds(), [0.3, 1.25, 3.5, 6.6875, 6.875, 10.0, 10.0]),
        (below_zero(), [-2.0, -2.0, -1.6, -1.03, -1.0, -1.0, -1.0]),
    ];
    for (histogram, expected) in cases {
        for (phi, expected) in phis.into_iter().zip(expected) {
            assert_eq!(
                histogram.quantile(phi),
                (expected, Remarks::default()),
                "{histogram} {phi}"
            );
        }
    }
}

#[test]
fn quantiles_that_do_not_exist() {
    let histogram = with_bounds();
    assert_eq!(histogram.quantile(-0.1).0, -INF);
    assert_eq!(histogram.quantile(1.1).0, INF);
    assert!(histogram.quantile(f64::NAN).0.is_nan());
    assert!(exponential(0, (0.0, 0.0), &[], &[]).quantile(0.5).0.is_nan());
}

#[test]
fn nan_observations_are_above_all_buckets() {
    let histogram =
        FloatHistogram { sum: f64::NAN, count: 20.0, ..exponential(1, ZERO, SIDE, &[]) };
    assert_eq!(histogram.quantile(0.1), (0.125, Remark::QuantileSkewed.into()));
    assert_eq!(histogram.quantile(0.5), (1.0, Remark::QuantileSkewed.into()));
    let (value, remarks) = histogram.quantile(0.9);
    assert!(value.is_nan());
    assert_eq!(remarks, Remark::QuantileNan.into());
    assert_eq!(histogram.fraction(0.0, 1.0), (0.5, Remark::FractionNan.into()));
}

#[test]
fn fractions_are_the_other_way_round() {
    let cases = [
        (
            exponential(1, ZERO, SIDE, &[(0, &[1.0, 3.0])]),
            [0.3, 0.7, 0.4391987626219801, 0.5178206435002762, 0.18891032175013817, 0.0],
        ),
        (
            exponential(1, ZERO, SIDE, &[]),
            [0.0, 1.0, 0.5489984532774751, 0.7222758043753453, 0.0, 0.0],
        ),
        (
            exponential(1, ZERO, &[], SIDE),
            [1.0, 0.0, 0.3157586014584485, 0.0, 0.7222758043753454, 0.0],
        ),
        (
            with_bounds(),
            [0.0, 1.0, 0.060000000000000005, 0.08666666666666666, 0.0, 0.23999999999999996],
        ),
        (below_zero(), [0.5, 0.5, 0.0, 0.0, 0.06666666666666665, 0.0]),
    ];
    let ranges = [(-INF, 0.0), (0.0, INF), (-0.6, 0.9), (0.1, 1.2), (-1.2, -0.1), (3.0, 7.0)];
    for (histogram, expected) in cases {
        for ((lower, upper), expected) in ranges.into_iter().zip(expected) {
            let fraction = histogram.fraction(lower, upper);
            assert_eq!(fraction, (expected, Remarks::default()), "{histogram} {lower} {upper}");
        }
        assert_eq!(histogram.fraction(-INF, INF).0, 1.0);
        assert_eq!(histogram.fraction(1.0, 0.0).0, 0.0);
        assert!(histogram.fraction(f64::NAN, 0.0).0.is_nan());
    }
}

#[test]
fn observations_lie_in_the_middle_of_their_bucket() {
    let both = exponential(1, ZERO, SIDE, &[(0, &[1.0, 3.0])]);
    assert_eq!(both.stdvar(), 1.120576366846654);
    assert_eq!(both.stddev(), 1.120576366846654f64.sqrt());
    assert_eq!(exponential(1, ZERO, &[], SIDE).stdvar(), 3.2123053882649444);
    assert_eq!(with_bounds().stdvar(), INF);
    assert_eq!(FloatHistogram { sum: 50.0, ..both }.avg(), 2.5);
}

#[test]
fn logarithms_and_powers_are_those_of_go() {
    let logarithms = [
        (0.0, -INF),
        (INF, INF),
        (8.0, 3.0),
        (5e-324, -1074.0),
        (3.0, 1.5849625007211563),
        (0.7, -0.5145731728297583),
        (1e-310, -1029.7977094150824),
        (FRAC_1_SQRT_2, -0.4999999999999999),
        (1.7e308, 1023.9193879716706),
        (0.9999999999999999, -1.6017132519074588e-16),
        (123456.789, 16.913646648198387),
    ];
    for (value, expected) in logarithms {
        assert_eq!(log2(value), expected, "{value}");
    }
    let powers = [
        (0.0, 1.0),
        (0.7, 1.624504792712471),
        (-0.25, 0.8408964152537146),
        (10.3, 1260.691879265195),
        (-1073.5, 5e-324),
        (1023.999, 1.796447500688184e308),
        (-1060.25, 6.8067e-320),
        (0.1, 1.0717734625362931),
        (1024.0, INF),
        (-INF, 0.0),
    ];
    for (value, expected) in powers {
        assert_eq!(exp2(value), expected, "{value}");
    }
}
