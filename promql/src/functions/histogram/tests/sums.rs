//! Sums, differences, and what sums lose.

use engine::model::CounterResetHint::{CounterReset, Gauge, NotCounterReset, Unknown};

use super::super::Incompatible;
use super::*;

/// What is added, and the spans and counts of the sum.
type Case<'a> = (Side<'a>, &'a [(i32, u32)], &'a [f64]);

fn sum(a: &FloatHistogram, b: &FloatHistogram) -> FloatHistogram {
    let mut sum = a.clone();
    sum.add(b).expect("buckets of one kind");
    sum
}

fn difference(a: &FloatHistogram, b: &FloatHistogram) -> FloatHistogram {
    let mut difference = a.clone();
    difference.sub(b).expect("buckets of one kind");
    difference
}

#[test]
fn spans_stay_and_grow() {
    let own = exponential(0, (0.0, 0.0), &[(0, &[1.0, 2.0]), (3, &[3.0])], &[]);
    let cases: [Case<'_>; 9] = [
        (&[(1, &[4.0])], &[(0, 2), (3, 1)], &[1.0, 6.0, 3.0]),
        (&[(2, &[4.0])], &[(0, 3), (2, 1)], &[1.0, 2.0, 4.0, 3.0]),
        (&[(3, &[4.0])], &[(0, 2), (1, 1), (1, 1)], &[1.0, 2.0, 4.0, 3.0]),
        (&[(4, &[4.0])], &[(0, 2), (2, 2)], &[1.0, 2.0, 4.0, 3.0]),
        (&[(2, &[4.0, 5.0, 6.0])], &[(0, 5), (0, 1)], &[1.0, 2.0, 4.0, 5.0, 6.0, 3.0]),
        (&[(3, &[4.0, 5.0])], &[(0, 2), (1, 2), (0, 1)], &[1.0, 2.0, 4.0, 5.0, 3.0]),
        (&[(-1, &[4.0])], &[(-1, 3), (3, 1)], &[4.0, 1.0, 2.0, 3.0]),
        (&[(-3, &[4.0])], &[(-3, 1), (2, 2), (3, 1)], &[4.0, 1.0, 2.0, 3.0]),
        (&[(6, &[4.0]), (1, &[5.0])], &[(0, 2), (3, 2), (1, 1)], &[1.0, 2.0, 3.0, 4.0, 5.0]),
    ];
    for (other, spans, buckets) in cases {
        let sum = sum(&own, &exponential(0, (0.0, 0.0), other, &[]));
        assert_eq!(
            (pairs(&sum.positive_spans).as_slice(), &sum.positive_buckets[..]),
            (spans, buckets)
        );
    }
}

#[test]
fn the_coarser_schema_is_taken() {
    let fine = exponential(1, (0.0, 0.0), &[(-3, &[1.0, 2.0, 3.0, 4.0, 5.0])], &[(1, &[7.0, 8.0])]);
    let coarse = exponential(0, (0.0, 0.0), &[(1, &[10.0])], &[(0, &[20.0])]);
    let expected =
        "{count:60, sum:60, [-2,-1):15, [-1,-0.5):20, (0.25,0.5]:3, (0.5,1]:7, (1,2]:15}";
    let (left, right) = (sum(&fine, &coarse), sum(&coarse, &fine));
    assert_eq!((left.to_string().as_str(), left.schema), (expected, 0));
    assert_eq!((right.to_string().as_str(), right.schema), (expected, 0));
    assert_eq!(pairs(&left.positive_spans), [(-1, 3)]);
    assert_eq!(pairs(&right.positive_spans), [(-1, 2), (0, 1)]);
    assert_eq!(
        difference(&coarse, &fine).to_string(),
        "{count:0, sum:0, [-2,-1):-15, [-1,-0.5):20, (0.25,0.5]:-3, (0.5,1]:-7, (1,2]:5}"
    );
    // Counts are added up first, then taken away.
    let nothing = exponential(0, (0.0, 0.0), &[], &[]);
    let zeros = exponential(1, (0.0, 0.0), &[(1, &[0.0, 0.0])], &[]);
    assert!(difference(&nothing, &zeros).positive_buckets[0].is_sign_negative());
}

#[test]
fn the_zero_bucket_becomes_wide_enough() {
    let narrow = exponential(0, (0.001, 1.0), &[(-2, &[2.0, 3.0, 4.0])], &[(0, &[5.0])]);
    let wide = exponential(0, (0.3, 10.0), &[(1, &[6.0])], &[]);
    let expected = "{count:31, sum:31, [-1,-0.5):5, [-0.5,0.5]:16, (0.5,1]:4, (1,2]:6}";
    assert_eq!(sum(&narrow, &wide).to_string(), expected);
    assert_eq!(sum(&wide, &narrow).to_string(), expected);
    assert_eq!(
        difference(&narrow, &wide).to_string(),
        "{count:-1, sum:-1, [-1,-0.5):5, [-0.5,0.5]:-4, (0.5,1]:4, (1,2]:-6}"
    );
    // What the other histogram has below its own zero threshold is left out.
    let below = exponential(0, (1.0, 0.0), &[], &[(-1, &[0.0]), (0, &[9.0])]);
    let wide = exponential(0, (0.75, 10.0), &[], &[]);
    assert_eq!(sum(&wide, &below).to_string(), "{count:19, sum:19, [-1,1]:10}");
}

#[test]
fn common_bounds_are_left() {
    let bounds = [1.0, 2.0, 5.0, 10.0];
    let own = custom(&bounds, &[(0, &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    let other = custom(&[1.0, 5.0, 20.0], &[(0, &[10.0, 20.0, 30.0, 40.0])]);
    let mut sum = own.clone();
    assert!(sum.add(&other).expect("both are custom").bounds_reconciled);
    assert_eq!(sum.to_string(), "{count:115, sum:115, [-Inf,1]:11, (1,5]:25, (5,+Inf]:79}");
    assert_eq!(
        difference(&own, &other).to_string(),
        "{count:-85, sum:-85, [-Inf,1]:-9, (1,5]:-15, (5,+Inf]:-61}"
    );
    let mut sum = own.clone();
    assert!(!sum.sub(&own).expect("both are custom").bounds_reconciled);
    assert_eq!((sum.to_string().as_str(), sum.positive_buckets.len()), ("{count:0, sum:0}", 5));
    sum = own.clone();
    sum.add(&custom(&[3.0], &[(0, &[1.0, 1.0])])).expect("both are custom");
    assert_eq!(sum.to_string(), "{count:17, sum:17, [-Inf,+Inf]:17}");
}

#[test]
fn exponential_and_custom_buckets_do_not_go_together() {
    let exponential = exponential(0, (0.0, 1.0), &[], &[]);
    let custom = custom(&[1.0], &[(0, &[1.0])]);
    for (own, other) in [(&exponential, &custom), (&custom, &exponential)] {
        let (mut sum, mut lost) = (own.clone(), None);
        assert_eq!(sum.add(other), Err(Incompatible));
        assert_eq!(sum.sub(other), Err(Incompatible));
        assert_eq!(sum.kahan_add(other, &mut lost), Err(Incompatible));
        assert_eq!((&sum, lost), (own, None));
    }
    assert_eq!(
        Incompatible.to_string(),
        "cannot apply this operation on histograms with a mix of exponential and custom bucket \
         schemas"
    );
}

#[test]
fn hints_meet() {
    let one = exponential(0, (0.0, 1.0), &[], &[]);
    let cases = [
        (Unknown, Unknown, Unknown),
        (Unknown, NotCounterReset, Unknown),
        (CounterReset, Unknown, Unknown),
        (CounterReset, CounterReset, CounterReset),
        (Gauge, CounterReset, Gauge),
        (NotCounterReset, Gauge, Gauge),
        (CounterReset, NotCounterReset, Unknown),
        (NotCounterReset, CounterReset, Unknown),
    ];
    for (own, other, expected) in cases {
        let mut sum = hinted(own, &one);
        let merged = sum.add(&hinted(other, &one)).expect("both are exponential");
        assert_eq!(sum.counter_reset_hint, expected);
        let both = [own, other];
        let collision = both.contains(&CounterReset) && both.contains(&NotCounterReset);
        assert_eq!(merged.counter_reset_collision, collision);
    }
}

#[test]
fn lost_observations_come_back() {
    let mut sum = exponential(0, (0.5, 1e16), &[(0, &[1e16, 1.0])], &[]);
    let one = exponential(0, (0.5, 1.0), &[(0, &[1.0]), (1, &[1.0])], &[]);
    let mut lost = None;
    for _ in 0..3 {
        sum.kahan_add(&one, &mut lost).expect("both are exponential");
    }
    assert_eq!(
        sum.to_string(),
        "{count:2.0000000000000012e+16, sum:2.0000000000000012e+16, [-0.5,0.5]:1e+16, \
         (0.5,1]:1e+16, (1,2]:1, (2,4]:3}"
    );
    let text = |lost: &Option<Arc<FloatHistogram>>| lost.as_deref().map(FloatHistogram::to_string);
    assert_eq!(text(&lost).as_deref(), Some("{count:-3, sum:-3, [-0.5,0.5]:3, (0.5,1]:3}"));
    // All buckets and what they have lost go into a wider zero bucket.
    let wide = exponential(-1, (1.5, 1.0), &[(1, &[1.0])], &[]);
    sum.kahan_add(&wide, &mut lost).expect("both are exponential");
    assert_eq!(text(&lost).as_deref(), Some("{count:-5, sum:-5, [-4,4]:4}"));
    sum.add(&lost.expect("there is one")).expect("the buckets are the same");
    assert_eq!(
        sum.to_string(),
        "{count:2.0000000000000012e+16, sum:2.0000000000000012e+16, [-4,4]:2.0000000000000012e+16}"
    );
}

#[test]
fn lost_observations_move_with_custom_bounds() {
    let mut sum = custom(&[1.0, 2.0], &[(0, &[1e16, 1.0, 1.0])]);
    let mut lost = None;
    for other in [custom(&[1.0, 2.0], &[(0, &[1.0])]), custom(&[2.0, 3.0], &[(0, &[1.0, 1.0])])] {
        sum.kahan_add(&other, &mut lost).expect("both are custom");
    }
    let lost = lost.expect("there is one");
    assert_eq!(lost.to_string(), "{count:1, sum:1, [-Inf,2]:3}");
    sum.add(&lost).expect("the buckets are the same");
    assert_eq!(
        sum.to_string(),
        "{count:1.0000000000000004e+16, sum:1.0000000000000004e+16, \
         [-Inf,2]:1.0000000000000004e+16, (2,+Inf]:2}"
    );
}
