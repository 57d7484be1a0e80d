//! Aggregations against plain loops and against Prometheus' values.

use proptest::prelude::*;

use super::*;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The aggregate over one step of `values`, in one accumulator.
fn whole(name: &str, values: &[f64]) -> Option<f64> {
    split(name, &[values])
}

/// The same, each part in an accumulator of its own, its state passed on as columns, then merged.
fn split(name: &str, parts: &[&[f64]]) -> Option<f64> {
    let function = AggregateFunction::from_name(name).unwrap();
    let mut total = Accumulator::new(function, 1);
    for part in parts {
        let mut own = Accumulator::new(function, 1);
        part.iter().for_each(|&value| own.add(&[value], &[true]));
        total.merge(&Accumulator::from_state(function, 1, own.state()).unwrap());
    }
    let (mut out, mut valid) = ([0.0], [false]);
    total.finish(&mut out, &mut valid);
    valid[0].then_some(out[0])
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn values_of_aggregators_test() {
    let cases: &[(&str, &[f64], f64)] = &[
        ("sum", &[1.0, 2.0, 3.0], 6.0),
        ("sum", &[1e100, 1.0, -1e100], 1.0),
        ("sum", &[1.0, 1e100, 1.0, -1e100], 2.0),
        ("sum", &[5.0, 1e100, 1.0, -1e100], 6.0),
        ("sum", &[INF, 5.0], INF),
        ("sum", &[INF, -INF], NAN),
        ("avg", &[1e100, 1.0, -1e100], 1.0 / 3.0),
        ("avg", &[1.797_693_134_862_315_7e308, 1.797_693_134_862_315_7e308], f64::MAX),
        ("avg", &[-f64::MAX, -f64::MAX], -f64::MAX),
        ("avg", &[INF, 1.0], INF),
        ("avg", &[1.0, INF], INF),
        ("avg", &[-INF, 1.0, 2.0], -INF),
        ("avg", &[INF, -INF], NAN),
        ("avg", &[NAN, 1.0], NAN),
        ("avg", &[5.0], 5.0),
        ("min", &[3.0, 1.0, NAN], 1.0),
        ("min", &[NAN, NAN], NAN),
        ("min", &[NAN, INF], INF),
        ("max", &[NAN, -INF], -INF),
        ("max", &[1.0, 3.0, NAN, 2.0], 3.0),
        ("count", &[NAN, 1.0], 2.0),
        ("group", &[NAN, 5.0], 1.0),
        ("stdvar", &[1.0, 2.0, 3.0, 4.0], 1.25),
        ("stddev", &[1.0, 2.0, 3.0, 4.0], 1.25f64.sqrt()),
        ("stdvar", &[5.0], 0.0),
        ("stdvar", &[INF], NAN),
        ("stddev", &[NAN, 1.0], NAN),
        ("stddev", &[1.0, INF], NAN),
    ];
    for &(name, values, expected) in cases {
        let result = whole(name, values).unwrap();
        assert!(same(result, expected), "{name}({values:?}) is {result}, not {expected}");
    }
    assert_eq!(whole("sum", &[]), None);
    assert_eq!(whole("group", &[]), None);
}

#[test]
fn steps_do_not_touch_each_other() {
    let mut sum = Accumulator::new(AggregateFunction::Avg, 4);
    sum.add(&[1.0, 9.0, 3.0, f64::MAX], &[true, false, true, true]);
    sum.add(&[9.0, 5.0, 4.0, f64::MAX], &[false, true, true, true]);
    sum.add(&[9.0, 9.0, 9.0, 9.0], &[false; 4]);
    let (mut out, mut valid) = ([7.0; 4], [false; 4]);
    sum.finish(&mut out, &mut valid);
    assert_eq!((out, valid), ([1.0, 5.0, 3.5, f64::MAX], [true; 4]));
}

/// One step as Prometheus' `aggregation` does it, branch by branch.
fn naive(name: &str, values: &[f64]) -> f64 {
    let (mut value, mut mean, mut lost) = (values[0], values[0], 0.0);
    let mut incremental = false;
    let mut count = 1.0;
    let add = |inc: f64, sum: f64, lost: f64| {
        let total: f64 = sum + inc;
        if total.is_infinite() {
            (total, 0.0)
        } else if sum.abs() >= inc.abs() {
            (total, lost + ((sum - total) + inc))
        } else {
            (total, lost + ((inc - total) + sum))
        }
    };
    if matches!(name, "stddev" | "stdvar") {
        value = if value.is_finite() { 0.0 } else { NAN };
    }
    for &next in &values[1..] {
        count += 1.0;
        match name {
            "sum" => (value, lost) = add(next, value, lost),
            "avg" => {
                if !incremental {
                    let (sum, error) = add(next, value, lost);
                    if !sum.is_infinite() {
                        (value, lost) = (sum, error);
                        continue;
                    }
                    incremental = true;
                    mean = value / (count - 1.0);
                    lost /= count - 1.0;
                }
                let q = (count - 1.0) / count;
                (mean, lost) = add(next / count, q * mean, q * lost);
            }
            "max" if value < next || value.is_nan() => value = next,
            "min" if value > next || value.is_nan() => value = next,
            "stddev" | "stdvar" => {
                let delta = next - mean;
                mean += delta / count;
                value += delta * (next - mean);
            }
            _ => {}
        }
    }
    match name {
        "sum" => value + lost,
        "avg" if incremental => mean + lost,
        "avg" => value / count + lost / count,
        "stdvar" => value / count,
        "stddev" => (value / count).sqrt(),
        "count" => count,
        "group" => 1.0,
        _ => value,
    }
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e6..1e6f64,
        1 => prop_oneof![Just(NAN), Just(INF), Just(-INF), Just(-0.0), Just(0.0)],
        1 => prop_oneof![Just(1e308), Just(-1e308), Just(f64::MAX), Just(1e-300), Just(1e100)],
    ]
}

proptest! {
    #[test]
    fn equal_to_prometheus_to_the_bit(values in proptest::collection::vec(any_value(), 1..20)) {
        for (name, _) in NAMES {
            let (result, expected) = (whole(name, &values).unwrap(), naive(name, &values));
            prop_assert!(same(result, expected), "{}: {} is not {}", name, result, expected);
        }
    }

    #[test]
    fn parts_merge_to_the_whole(
        values in proptest::collection::vec(-1e6..1e6f64, 1..20), cut in 0usize..20,
    ) {
        let (left, right) = values.split_at(cut.min(values.len()));
        for (name, _) in NAMES {
            let (whole, parts) = (whole(name, &values).unwrap(), split(name, &[left, right]).unwrap());
            let close = (whole - parts).abs() <= 1e-9 * whole.abs().max(1e-3);
            prop_assert!(close, "{}: {} is not {}", name, parts, whole);
        }
    }
}
