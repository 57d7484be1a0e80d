//! Buckets, spans, and histograms as they are stored.

use engine::model::{CountsView, HistogramView, Spans};

use super::super::bounds;
use super::*;

fn gaps() -> FloatHistogram {
    exponential(
        2,
        (0.0, 0.0),
        &[(-3, &[0.0, 1.0, 0.0, 0.0, 2.0]), (0, &[3.0]), (1, &[]), (1, &[0.0]), (0, &[4.0])],
        &[(5, &[0.0, 0.0])],
    )
}

#[test]
fn empty_buckets_are_left_out() {
    let mut compact = gaps();
    compact.compact();
    assert_eq!(pairs(&compact.positive_spans), [(-2, 1), (2, 2), (3, 1)]);
    assert_eq!(compact.positive_buckets, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(compact.to_string(), gaps().to_string());
    assert!(compact.negative_spans.is_empty() && compact.negative_buckets.is_empty());
}

#[test]
fn coarser_buckets() {
    let at = |schema| gaps().copy_to_schema(schema).expect("it is coarser");
    assert_eq!(pairs(&at(0).positive_spans), [(0, 3)]);
    assert_eq!(pairs(&at(0).negative_spans), [(2, 1)]);
    assert_eq!(at(0).to_string(), "{count:10, sum:10, (0.5,1]:1, (1,2]:5, (2,4]:4}");
    assert_eq!(at(-4).to_string(), "{count:10, sum:10, (1.52587890625e-05,1]:1, (1,65536]:9}");
    assert_eq!(at(2), gaps());
    assert!(gaps().copy_to_schema(3).is_err());
    assert!(gaps().copy_to_schema(CUSTOM_BUCKETS).is_err());
}

#[test]
fn equal_data_is_equal() {
    let one = exponential(0, (0.5, 1.0), &[(1, &[2.0, 3.0])], &[]);
    let with = |positive: Side<'_>| exponential(0, (0.5, 1.0), positive, &[]);
    assert!(one.equals(&hinted(CounterResetHint::Gauge, &one)));
    assert!(one.equals(&with(&[(0, &[]), (1, &[2.0, 3.0]), (7, &[])])), "empty spans say nothing");
    assert!(!one.equals(&with(&[(1, &[2.0]), (0, &[3.0])])), "but cuts between spans do");
    assert!(!one.equals(&with(&[(1, &[3.0, 2.0])])));
    assert!(!one.equals(&with(&[(2, &[2.0, 3.0])])));
    let nan = FloatHistogram { sum: f64::NAN, ..one.clone() };
    assert!(nan.equals(&nan.clone()), "by bits");
    assert!(!nan.equals(&one));
    assert!(!custom(&[1.0], &[]).equals(&custom(&[2.0], &[])));
}

#[test]
fn buckets_ascend_and_end_at_the_zero_bucket() {
    let histogram = exponential(0, (0.7, 2.0), &[(0, &[3.0])], &[(-1, &[4.0, 5.0])]);
    let text: Vec<String> = histogram.buckets().map(|bucket| bucket.to_string()).collect();
    assert_eq!(text, ["[-1,-0.7):5", "[-0.5,-0.7):4", "[-0.7,0.7]:2", "(0.7,1]:3"]);
    let mut reverse: Vec<String> = histogram.buckets().rev().map(|b| b.to_string()).collect();
    reverse.reverse();
    assert_eq!(reverse, text);
    let boundaries: Vec<u8> = histogram.filled_buckets().map(|b| b.boundaries()).collect();
    assert_eq!(boundaries, [1, 1, 3, 0]);
    assert_eq!(
        histogram.to_string(),
        "{count:14, sum:14, [-1,-0.5):5, [-0.5,-0.25):4, [-0.7,0.7]:2, (0.5,1]:3}"
    );
    assert_eq!(custom(&[], &[(0, &[1.0])]).to_string(), "{count:1, sum:1, [-Inf,+Inf]:1}");
}

#[test]
fn bounds_at_the_ends_of_numbers() {
    let cases = [
        (-4296, 2, 5e-324),
        (-4300, 2, 0.0),
        (4095, 2, 1.5116737128319336e308),
        (4096, 2, f64::MAX),
        (4097, 2, INF),
        (64, -4, f64::MAX),
        (65, -4, INF),
        (-67, -4, 2f64.powi(-1072)),
        (1, 8, 1.0027112750502025),
        (-1, -8, 2f64.powi(-256)),
        (i32::MAX, 8, INF),
        (i32::MIN, -9, 0.0),
    ];
    for (index, schema, expected) in cases {
        assert_eq!(bounds::exponential(index, schema), expected, "{index} of schema {schema}");
    }
}

#[test]
fn stored_histograms() {
    let view = HistogramView {
        counter_reset_hint: CounterResetHint::NotCounterReset,
        schema: 3,
        zero_threshold: 0.5,
        sum: 7.5,
        positive: Spans { offsets: &[-1, 2], lengths: &[1, 2] },
        negative: Spans::default(),
        custom_values: &[],
        counts: CountsView::Int { count: 9, zero_count: 1, positive: &[1, 2, 5], negative: &[] },
    };
    let histogram = FloatHistogram::from_view(&view);
    assert_eq!(pairs(&histogram.positive_spans), [(-1, 1), (2, 2)]);
    assert_eq!(histogram.positive_buckets, [1.0, 2.0, 5.0]);
    assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (9.0, 1.0, 7.5));
    let counts = histogram.parts().counts;
    assert_eq!(FloatHistogram::from_view(&HistogramView { counts, ..view }), histogram);
    assert!(histogram.bytes() > 2 * size_of::<Span>() + 3 * size_of::<f64>());
    let stale = FloatHistogram { sum: f64::from_bits(engine::model::STALE_NAN_BITS), ..histogram };
    assert!(stale.is_stale());
}

#[test]
fn scaling() {
    let histogram = exponential(0, (0.5, 1.0), &[(0, &[2.0])], &[(0, &[3.0])]);
    let mut scaled = histogram.clone();
    scaled.mul(-2.0);
    assert_eq!(scaled.to_string(), "{count:-12, sum:-12, [-1,-0.5):-6, [-0.5,0.5]:-2, (0.5,1]:-4}");
    assert_eq!(scaled.counter_reset_hint, CounterResetHint::Gauge);
    scaled.div(-4.0);
    assert_eq!(scaled.to_string(), "{count:3, sum:3, [-1,-0.5):1.5, [-0.5,0.5]:0.5, (0.5,1]:1}");
    assert!(!scaled.has_overflow());
    scaled.div(0.0);
    assert_eq!(scaled.to_string(), "{count:+Inf, sum:+Inf, [-0.5,0.5]:+Inf}");
    assert!(scaled.positive_spans.is_empty() && scaled.has_overflow());
}
