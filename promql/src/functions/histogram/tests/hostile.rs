//! Histograms that no client sends: nothing panics, nothing runs on, nothing grows.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        Just(f64::NAN),
        Just(INF),
        Just(-INF),
        Just(f64::MAX),
        Just(5e-324),
        -10.0..10.0f64,
        any::<f64>(),
    ]
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let offset = prop_oneof![-3..5i32, any::<i32>(), Just(i32::MIN), Just(i32::MAX)];
    let length = prop_oneof![0..5u32, any::<u32>(), Just(u32::MAX)];
    vec((offset, length).prop_map(|(offset, length)| Span { offset, length }), 0..5)
}

fn histogram() -> impl Strategy<Value = FloatHistogram> {
    let schema = prop_oneof![-4..=8i32, -10..60i32, any::<i32>(), Just(CUSTOM_BUCKETS)];
    let hint = prop_oneof![
        Just(CounterResetHint::Unknown),
        Just(CounterResetHint::CounterReset),
        Just(CounterResetHint::Gauge)
    ];
    let numbers = [number(), number(), number(), number()];
    let sides = (spans(), spans(), vec(number(), 0..12), vec(number(), 0..12));
    (hint, schema, numbers, sides, vec(number(), 0..6)).prop_map(
        |(counter_reset_hint, schema, numbers, sides, custom_values)| FloatHistogram {
            counter_reset_hint,
            schema,
            zero_threshold: numbers[0],
            zero_count: numbers[1],
            count: numbers[2],
            sum: numbers[3],
            positive_spans: sides.0,
            negative_spans: sides.1,
            positive_buckets: sides.2,
            negative_buckets: sides.3,
            custom_values: custom_values.into(),
        },
    )
}

fn size(histogram: &FloatHistogram) -> usize {
    histogram.positive_spans.len()
        + histogram.negative_spans.len()
        + histogram.positive_buckets.len()
        + histogram.negative_buckets.len()
        + histogram.custom_values.len()
}

proptest! {
    #[test]
    fn any_two(a in histogram(), b in histogram(), at in number(), schema in -60..60i32) {
        // A bucket may become a span of its own.
        let most = 2 * (size(&a) + size(&b)) + 2;
        let mut lost = None;
        let mut sums = [a.clone(), a.clone(), a.clone()];
        let _ = (sums[0].add(&b), sums[1].sub(&b));
        let _ = (sums[2].kahan_add(&b, &mut lost), sums[2].kahan_add(&a, &mut lost));
        let trimmed = [a.trim(at, true), a.trim(at, false)];
        let coarser = a.copy_to_schema(schema);
        for made in sums.iter().chain(&trimmed).chain(lost.as_deref()).chain(&coarser) {
            prop_assert!(size(made) <= most);
            let mut compact = made.clone();
            compact.compact();
            prop_assert!(size(&compact) <= 2 * most);
        }
        let _ = (a.detect_reset(&b), a.equals(&b), a.has_overflow(), a.stdvar());
        let _ = (a.quantile(at), a.fraction(at, 1.0), a.to_string());
        prop_assert!(a.buckets().count() <= size(&a) + 1);
        prop_assert_eq!(a.buckets().count(), a.buckets().rev().count());
    }
}
