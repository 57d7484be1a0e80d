//! `</` and `>/`.

use super::*;

/// What is left below and above each number.
fn check(histogram: &FloatHistogram, cases: &[(f64, &str, &str)]) {
    for &(at, below, above) in cases {
        assert_eq!(histogram.trim(at, true).to_string(), below, "{histogram} </ {at}");
        assert_eq!(histogram.trim(at, false).to_string(), above, "{histogram} >/ {at}");
    }
}

#[test]
fn exponential_buckets_are_cut_by_logarithms() {
    check(
        &exponential(0, (0.25, 4.0), &[(1, &[2.0]), (1, &[4.0])], &[(1, &[1.0])]),
        &[
            (
                -1.5,
                "{count:0.4150374992788437, sum:-0.7188660357972885, \
                 [-2,-1):0.4150374992788437}",
                "{count:10.584962500721156, sum:24.73941430000108, \
                 [-2,-1):0.5849625007211563, [-0.25,0.25]:4, (1,2]:2, (4,8]:4}",
            ),
            (
                -0.125,
                "{count:2, sum:-1.6017135623730951, [-2,-1):1, [-0.25,0.25]:1}",
                "{count:9, sum:25.643344122715714, [-0.25,0.25]:3, (1,2]:2, (4,8]:4}",
            ),
            (
                3.0,
                "{count:7, sum:1.4142135623730951, [-2,-1):1, [-0.25,0.25]:4, (1,2]:2}",
                "{count:4, sum:22.627416997969522, (4,8]:4}",
            ),
            (
                6.0,
                "{count:9.339850002884624, sum:12.877090725807246, [-2,-1):1, \
                 [-0.25,0.25]:4, (1,2]:2, (4,8]:2.3398500028846243}",
                "{count:1.6601499971153757, sum:11.501856572756623, \
                 (4,8]:1.6601499971153757}",
            ),
        ],
    );
}

#[test]
fn the_sum_stays_if_nothing_is_cut() {
    let histogram = exponential(0, (0.25, 4.0), &[(1, &[2.0, 0.0])], &[]);
    assert_eq!(histogram.trim(INF, true), histogram);
    assert_eq!(histogram.trim(-0.25, false), histogram);
}

#[test]
fn the_zero_bucket_ends_at_zero_if_a_side_is_empty() {
    check(
        &exponential(1, (0.25, 4.0), &[(-1, &[2.0])], &[]),
        &[(
            0.1,
            "{count:1.6, sum:0.08000000000000002, [-0.25,0.25]:1.6}",
            "{count:4.4, sum:1.609207115002721, [-0.25,0.25]:2.4, (0.5,0.7071067811865475]:2}",
        )],
    );
    check(
        &exponential(1, (0.25, 4.0), &[], &[(-1, &[2.0])]),
        &[(
            -0.1,
            "{count:4.4, sum:-1.609207115002721, [-0.7071067811865475,-0.5):2, \
             [-0.25,0.25]:2.4}",
            "{count:1.6, sum:-0.08000000000000002, [-0.25,0.25]:1.6}",
        )],
    );
}

#[test]
fn custom_buckets_are_cut_evenly() {
    check(
        &custom(&[1.0, 2.0, 5.0], &[(0, &[1.0, 2.0, 3.0, 4.0])]),
        &[
            (-1.0, "{count:0, sum:0}", "{count:9, sum:33.5, (1,2]:2, (2,5]:3, (5,+Inf]:4}"),
            (
                0.5,
                "{count:0.5, sum:0.125, [-Inf,1]:0.5}",
                "{count:9.5, sum:33.875, [-Inf,1]:0.5, (1,2]:2, (2,5]:3, (5,+Inf]:4}",
            ),
            (
                1.5,
                "{count:2, sum:1.75, [-Inf,1]:1, (1,2]:1}",
                "{count:8, sum:32.25, (1,2]:1, (2,5]:3, (5,+Inf]:4}",
            ),
            (
                7.0,
                "{count:6, sum:14, [-Inf,1]:1, (1,2]:2, (2,5]:3}",
                "{count:4, sum:28, (5,+Inf]:4}",
            ),
        ],
    );
    check(
        &custom(&[-2.0, -1.0], &[(0, &[1.0, 2.0, 3.0])]),
        &[
            (-3.0, "{count:1, sum:-3, [-Inf,-2]:1}", "{count:5, sum:-6, (-2,-1]:2, (-1,+Inf]:3}"),
            (3.0, "{count:3, sum:-5, [-Inf,-2]:1, (-2,-1]:2}", "{count:3, sum:9, (-1,+Inf]:3}"),
        ],
    );
}
