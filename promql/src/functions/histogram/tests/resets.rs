//! Counter resets.

use engine::model::CounterResetHint::{CounterReset, Gauge, NotCounterReset};

use super::*;

fn before() -> FloatHistogram {
    exponential(1, (0.001, 2.0), &[(0, &[1.0, 2.0, 0.0, 3.0])], &[(0, &[4.0])])
}

fn resets(change: impl Fn(&mut FloatHistogram)) -> bool {
    let mut later = before();
    change(&mut later);
    later.detect_reset(&before())
}

#[test]
fn a_hint_decides() {
    assert!(hinted(CounterReset, &before()).detect_reset(&before()));
    let less = exponential(0, (0.001, 0.0), &[], &[]);
    assert!(!hinted(NotCounterReset, &less).detect_reset(&before()));
    assert!(hinted(Gauge, &less).detect_reset(&before()));
}

#[test]
fn counts_do_not_fall() {
    assert!(!resets(|_| {}));
    assert!(!resets(|later| later.sum = -1.0), "the sum may fall");
    assert!(resets(|later| later.count -= 1.0));
    assert!(resets(|later| later.zero_count -= 1.0));
    assert!(resets(|later| later.positive_buckets[1] -= 1.0));
    assert!(resets(|later| later.negative_buckets[0] -= 1.0));
    assert!(resets(|later| later.negative_spans[0].offset = 1), "a bucket is gone");
    assert!(!resets(FloatHistogram::compact), "an empty bucket is gone");
}

#[test]
fn only_coarser_buckets_and_wider_zeros_go_on() {
    let coarser = before().copy_to_schema(0).expect("0 is coarser");
    assert!(!coarser.detect_reset(&before()));
    assert!(before().detect_reset(&coarser));
    let count = before().count;
    let wider = |zero: (f64, f64)| FloatHistogram {
        count,
        ..exponential(1, zero, &[(1, &[2.0, 0.0, 3.0])], &[(1, &[0.0])])
    };
    assert!(!wider((1.0, 7.0)).detect_reset(&before()));
    assert!(wider((1.0, 6.0)).detect_reset(&before()), "it had 7 up to there");
    assert!(wider((0.9, 7.0)).detect_reset(&before()), "inside a bucket");
    assert!(resets(|later| later.zero_threshold = 0.0));
}

#[test]
fn custom_bounds_are_compared_where_both_have_them() {
    let before = custom(&[1.0, 2.0, 5.0], &[(0, &[1.0, 2.0, 3.0, 4.0])]);
    let later = |counts: &[f64]| FloatHistogram {
        count: 100.0,
        ..custom(&[1.0, 5.0, 7.0], &[(0, counts)])
    };
    assert!(!later(&[1.0, 5.0, 0.0, 4.0]).detect_reset(&before));
    assert!(later(&[1.0, 4.0, 9.0, 9.0]).detect_reset(&before));
    assert!(later(&[1.0, 5.0, 1.0, 2.0]).detect_reset(&before));
    assert!(before.detect_reset(&exponential(0, (0.0, 0.0), &[], &[])));
    assert!(exponential(0, (0.0, 50.0), &[], &[]).detect_reset(&before));
}
