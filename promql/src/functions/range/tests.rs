//! Values of Prometheus' own tests, and each kernel against a plain loop over each window.

use engine::model::{STALE_NAN_BITS, is_stale};
use proptest::prelude::*;

use super::*;
use crate::exec::grid::Grid;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const MINUTE: i64 = 60_000;

fn stale() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// The function's value over the last `range` ms before `at`.
fn value(name: &str, scalars: &[f64], samples: &[(i64, f64)], range: i64, at: i64) -> Option<f64> {
    let scalars: Vec<Scalar> = scalars.iter().map(|&scalar| scalar.into()).collect();
    row(name, &scalars, samples, &Windows::new(Grid::instant(at), range, 0))[0]
}

fn row(
    name: &str,
    scalars: &[Scalar],
    samples: &[(i64, f64)],
    windows: &Windows,
) -> Vec<Option<f64>> {
    let function = RangeFunction::from_name(name).unwrap();
    assert_eq!(function.name(), name);
    let kernel = function.kernel(scalars).unwrap();
    let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    // One slot more than windows, which must stay as it is.
    let mut out = vec![-7.0; windows.len() + 1];
    let mut valid = vec![true; windows.len() + 1];
    let mut slots = Slots { values: &mut out, valid: &mut valid, histograms: &mut [] };
    kernel.row(&Samples::floats(&ts, &values), windows, &mut slots, &mut Remarks::default());
    assert_eq!((out.pop(), valid.pop()), (Some(-7.0), Some(true)));
    out.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value)).collect()
}

/// Samples a step apart from 0 on.
fn series(step: i64, values: &[f64]) -> Vec<(i64, f64)> {
    values.iter().enumerate().map(|(at, &value)| (at as i64 * step, value)).collect()
}

#[track_caller]
fn check(name: &str, samples: &[f64], range_minutes: i64, at_minutes: i64, expected: Option<f64>) {
    let result =
        value(name, &[], &series(5 * MINUTE, samples), range_minutes * MINUTE, at_minutes * MINUTE);
    let same = match (result, expected) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs() || a.to_bits() == b.to_bits(),
        (a, b) => a.is_none() && b.is_none(),
    };
    let nans = result.is_some_and(f64::is_nan) && expected.is_some_and(f64::is_nan);
    assert!(same || nans, "{name} of {samples:?} is {result:?}, not {expected:?}");
}

/// functions.test: `http_requests_total` and others, a sample each five minutes.
#[test]
fn counters() {
    let ramp: Vec<f64> = (0..11).map(|i| f64::from(i * 10)).collect();
    let reset = [0.0, 10.0, 20.0, 30.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
    check("resets", &[1.0, 2.0, 3.0, 0.0, 1.0, 0.0, 0.0], 35, 30, Some(2.0));
    check("resets", &[1.0, NAN, 0.0], 15, 10, Some(0.0));
    check("resets", &[1.0], 5, 0, Some(0.0));
    check("changes", &[1.0, 1.0, 2.0, NAN, NAN, 2.0], 30, 25, Some(3.0));
    check("changes", &[], 30, 25, None);
    check("rate", &ramp, 50, 50, Some(100.0 / 3000.0));
    check("increase", &ramp, 50, 50, Some(100.0));
    check("increase", &reset, 50, 50, Some(80.0 / 45.0 * 50.0));
    check("delta", &reset, 50, 50, Some(50.0 / 45.0 * 50.0));
    check("rate", &[1.0], 50, 50, None);
    check("irate", &ramp, 50, 50, Some(10.0 / 300.0));
    check("irate", &[0.0, 30.0, 5.0], 50, 10, Some(5.0 / 300.0));
    check("irate", &[0.0, NAN, 5.0], 50, 10, Some(NAN));
    check("idelta", &[0.0, 50.0, 30.0], 50, 10, Some(-20.0));
    check("idelta", &[0.0], 50, 10, None);
}

#[test]
fn extrapolation_stops_at_zero_and_half_a_gap_beyond_the_samples() {
    // Samples at 10..40 s in a window of 60 s that ends at 60 s: 10 s to the start are less than 1.1
    // gaps, 20 s to the end are not.
    let samples = [(10_000, 100.0), (20_000, 110.0), (30_000, 120.0), (40_000, 130.0)];
    assert_eq!(value("increase", &[], &samples, 60_000, 60_000), Some(30.0 * (45.0 / 30.0)));
    // The same slope from 4 on reaches zero 4 s before the first sample.
    let low = samples.map(|(t, v)| (t, v - 96.0));
    assert_eq!(value("increase", &[], &low, 60_000, 60_000), Some(30.0 * (39.0 / 30.0)));
    // A gauge may be below zero.
    assert_eq!(value("delta", &[], &low, 60_000, 60_000), Some(30.0 * (45.0 / 30.0)));
    // At rest there is no zero point, and nothing to extrapolate.
    let flat = samples.map(|(t, _)| (t, 7.0));
    assert_eq!(value("rate", &[], &flat, 60_000, 60_000), Some(0.0));
}

#[test]
fn over_time() {
    let values = [0.0, 1.0, 2.0, 4.0, 3.0];
    for (name, expected) in [
        ("sum_over_time", 10.0),
        ("avg_over_time", 2.0),
        ("min_over_time", 0.0),
        ("max_over_time", 4.0),
        ("count_over_time", 5.0),
        ("stdvar_over_time", 2.0),
        ("stddev_over_time", 2f64.sqrt()),
        ("first_over_time", 0.0),
        ("last_over_time", 3.0),
        ("present_over_time", 1.0),
        ("mad_over_time", 1.0),
        ("ts_of_min_over_time", 0.0),
        ("ts_of_max_over_time", 900.0),
        ("ts_of_first_over_time", 0.0),
        ("ts_of_last_over_time", 1200.0),
    ] {
        check(name, &values, 25, 20, Some(expected));
        check(name, &[], 25, 20, None);
    }
    check("sum_over_time", &[1e100, 1.0, -1e100, 1.0], 55, 50, Some(2.0));
    check("sum_over_time", &[INF, 1.0], 55, 50, Some(INF));
    check("sum_over_time", &[INF, -INF], 55, 50, Some(NAN));
    check("avg_over_time", &[f64::MAX, f64::MAX], 55, 50, Some(f64::MAX));
    check("avg_over_time", &[INF, 5.0], 55, 50, Some(INF));
    check("avg_over_time", &[1.0, -INF, 1.0], 55, 50, Some(-INF));
    check("avg_over_time", &[INF, -INF], 55, 50, Some(NAN));
    check("avg_over_time", &[1e100, 1.0, -1e100, 2.0], 55, 50, Some(0.75));
    check("max_over_time", &[NAN, 2.0, NAN, 1.0], 55, 50, Some(2.0));
    check("min_over_time", &[NAN, NAN], 55, 50, Some(NAN));
    check("stdvar_over_time", &[1.0, INF], 55, 50, Some(NAN));
    check("mad_over_time", &[1.0, NAN], 55, 50, Some(NAN));
    check("ts_of_max_over_time", &[4.0, 4.0, 1.0], 55, 50, Some(300.0));
    check("ts_of_min_over_time", &[NAN, 1.0, 1.0], 55, 50, Some(600.0));
}

#[test]
fn quantiles_over_time() {
    let of = |phi: f64, values: &[f64]| {
        value("quantile_over_time", &[phi], &series(10_000, values), 120_000, 60_000).unwrap()
    };
    assert_eq!(of(0.5, &[0.0, 1.0, 2.0]), 1.0);
    assert_eq!(of(0.8, &[0.0, 1.0, 2.0]), 1.6);
    assert_eq!(of(0.2, &[0.0, 1.0]), 0.2);
    assert_eq!(of(-1.0, &[1.0]), -INF);
    assert_eq!(of(2.0, &[1.0]), INF);
    assert!(of(NAN, &[1.0]).is_nan());
}

#[test]
fn regressions() {
    let testcounter = [0.0, 10.0, 20.0, 30.0, 40.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0];
    check("deriv", &[0.0, 10.0, 20.0, 30.0], 50, 15, Some(10.0 / 300.0));
    check("deriv", &[5.0, 5.0, 5.0], 50, 10, Some(0.0));
    check("deriv", &[INF, INF], 50, 10, Some(NAN));
    check("deriv", &[1.0], 50, 10, None);
    check("deriv", &testcounter, 100, 50, Some(0.010_606_060_606_060_607));
    let predict = |seconds: f64, at: i64| {
        let samples = series(5 * MINUTE, &testcounter);
        value("predict_linear", &[seconds], &samples, 100 * MINUTE, at * MINUTE).unwrap()
    };
    assert!((predict(3600.0, 50) - 76.818_181_818_181_81).abs() < 1e-9);
    assert!((predict(0.0, 50) - 38.636_363_636_363_64).abs() < 1e-9);
    // The line goes on from the step, not from the window's end.
    let windows = Windows::new(Grid::instant(60 * MINUTE), 100 * MINUTE, 10 * MINUTE);
    let samples = series(5 * MINUTE, &testcounter);
    let shifted = row("predict_linear", &[0.0.into()], &samples, &windows)[0].unwrap();
    assert!((shifted - predict(600.0, 50)).abs() < 1e-9);
}

#[test]
fn smoothing() {
    // functions.test: http_requests{path="/foo"} of 10 s, sf 0.01, tf 0.1.
    let ramp: Vec<f64> = (0..=800).map(|i| f64::from(i * 10)).collect();
    let samples = series(10_000, &ramp);
    let smooth = |scalars: &[f64]| {
        value("double_exponential_smoothing", scalars, &samples, MINUTE, 8_000_000).unwrap()
    };
    assert_eq!(smooth(&[0.01, 0.1]), 8000.0);
    let refused =
        |[smoothing, trend]: [f64; 2]| check_factors(smoothing, trend).unwrap_err().to_string();
    let text = "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000";
    assert_eq!(refused([1.0, 0.5]), text);
    assert_eq!(refused([0.5, -1.0]), "invalid trend factor. Expected: 0 < tf < 1, got: -1.000000");
    let infinite = refused([0.5, f64::NEG_INFINITY]);
    assert_eq!(infinite, "invalid trend factor. Expected: 0 < tf < 1, got: -Inf");
    assert!(check_factors(f64::NAN, 0.5).is_ok());
    assert!(RangeFunction::Rate.kernel(&[1.0.into()]).is_err());
}

#[test]
fn stale_markers_are_not_there() {
    let samples = series(5 * MINUTE, &[1.0, stale(), 3.0]);
    for (name, expected) in [
        ("count_over_time", 2.0),
        ("sum_over_time", 4.0),
        ("idelta", 2.0),
        ("changes", 1.0),
        ("ts_of_last_over_time", 600.0),
    ] {
        assert_eq!(value(name, &[], &samples, 20 * MINUTE, 10 * MINUTE), Some(expected), "{name}");
    }
    assert_eq!(value("count_over_time", &[], &series(1, &[stale()]), 5, 3), None);
}

#[test]
fn timestamps_suffice_where_no_value_matters() {
    let windows = Windows::new(Grid { start: 60, step: 30, steps: 2 }, 60, 0);
    for (name, expected) in [
        ("count_over_time", [2.0, 1.0]),
        ("present_over_time", [1.0, 1.0]),
        ("ts_of_first_over_time", [0.01, 0.05]),
        ("ts_of_last_over_time", [0.05, 0.05]),
    ] {
        let function = RangeFunction::from_name(name).unwrap();
        assert_eq!(function.columns(), Columns::Timestamps);
        let (mut out, mut valid) = ([0.0; 2], [false; 2]);
        let mut slots = Slots { values: &mut out, valid: &mut valid, histograms: &mut [] };
        let samples = Samples::floats(&[10, 50], &[]);
        let kernel = function.kernel(&[]).unwrap();
        kernel.row(&samples, &windows, &mut slots, &mut Remarks::default());
        assert_eq!((out, valid), (expected, [true; 2]), "{name}");
    }
}

/// Each function as a loop over one window, as Prometheus has it.
fn naive(
    name: &str,
    window: &[(i64, f64)],
    (start, end, at): (i64, i64, i64),
    scalars: &[f64],
) -> Option<f64> {
    let values: Vec<f64> = window.iter().map(|sample| sample.1).collect();
    let (first, last) = (*window.first()?, *window.last()?);
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let kahan = |values: &[f64]| {
        let (mut sum, mut lost) = (0.0f64, 0.0);
        for &value in values {
            let total = sum + value;
            lost = if total.is_infinite() {
                0.0
            } else if sum.abs() >= value.abs() {
                lost + ((sum - total) + value)
            } else {
                lost + ((value - total) + sum)
            };
            sum = total;
        }
        (sum, lost)
    };
    let extreme = |replace: fn(f64, f64) -> bool| {
        let mut best = first;
        for &sample in window {
            if replace(sample.1, best.1) || best.1.is_nan() {
                best = sample;
            }
        }
        best
    };
    Some(match name {
        "rate" | "increase" | "delta" => {
            if window.len() < 2 {
                return None;
            }
            let counter = name != "delta";
            let mut change = last.1 - first.1;
            if counter {
                for pair in window.windows(2) {
                    if pair[1].1 < pair[0].1 {
                        change += pair[0].1;
                    }
                }
            }
            let (mut before, mut after) = (seconds(first.0 - start), seconds(end - last.0));
            let sampled = seconds(last.0 - first.0);
            let average = sampled / (window.len() - 1) as f64;
            if before >= average * 1.1 {
                before = average / 2.0;
            }
            if counter && change > 0.0 && first.1 >= 0.0 {
                before = before.min(sampled * (first.1 / change));
            }
            if after >= average * 1.1 {
                after = average / 2.0;
            }
            let mut factor = (sampled + before + after) / sampled;
            if name == "rate" {
                factor /= seconds(end - start);
            }
            change * factor
        }
        "irate" | "idelta" => {
            let before = *window.iter().rev().nth(1)?;
            if name == "idelta" {
                return Some(last.1 - before.1);
            }
            let change = if last.1 < before.1 { last.1 } else { last.1 - before.1 };
            change / seconds(last.0 - before.0)
        }
        "resets" => values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64,
        "changes" => values
            .windows(2)
            .filter(|pair| pair[1] != pair[0] && !(pair[1].is_nan() && pair[0].is_nan()))
            .count() as f64,
        "deriv" | "predict_linear" => {
            if window.len() < 2 {
                return None;
            }
            let origin = if name == "deriv" { first.0 } else { at };
            let xs: Vec<f64> = window.iter().map(|sample| seconds(sample.0 - origin)).collect();
            let total = |values: Vec<f64>| {
                let (sum, lost) = kahan(&values);
                sum + lost
            };
            let (slope, intercept) = if values[1..].iter().all(|&v| v == first.1) {
                if first.1.is_infinite() { (NAN, NAN) } else { (0.0, first.1) }
            } else {
                let n = xs.len() as f64;
                let (x, y) = (total(xs.clone()), total(values.clone()));
                let xy = total(xs.iter().zip(&values).map(|(x, y)| x * y).collect());
                let xx = total(xs.iter().map(|x| x * x).collect());
                let slope = (xy - x * y / n) / (xx - x * x / n);
                (slope, y / n - slope * x / n)
            };
            if name == "deriv" { slope } else { slope * scalars[0] + intercept }
        }
        "sum_over_time" => {
            let (sum, lost) = kahan(&values);
            sum + lost
        }
        "avg_over_time" => {
            let mut mean = crate::functions::kahan::Mean::default();
            values.iter().for_each(|&value| mean.add(value));
            mean.finish()
        }
        "min_over_time" => extreme(|new, held| new < held).1,
        "max_over_time" => extreme(|new, held| new > held).1,
        "ts_of_min_over_time" => seconds(extreme(|new, held| new <= held).0),
        "ts_of_max_over_time" => seconds(extreme(|new, held| new >= held).0),
        "ts_of_first_over_time" => seconds(first.0),
        "ts_of_last_over_time" => seconds(last.0),
        "count_over_time" => window.len() as f64,
        "present_over_time" => 1.0,
        "first_over_time" => first.1,
        "last_over_time" => last.1,
        "stddev_over_time" | "stdvar_over_time" => {
            let (mut means, mut squares) = (Vec::new(), Vec::new());
            let total = |values: &[f64]| {
                let (sum, lost) = kahan(values);
                sum + lost
            };
            for (at, value) in values.iter().enumerate() {
                let delta = value - total(&means);
                means.push(delta / (at + 1) as f64);
                squares.push(delta * (value - total(&means)));
            }
            let variance = total(&squares) / values.len() as f64;
            if name == "stddev_over_time" { variance.sqrt() } else { variance }
        }
        "quantile_over_time" => {
            let mut values = values;
            values.sort_by(crate::functions::quantile::order);
            crate::functions::quantile::interpolate(scalars[0], &values)
        }
        "integral" => {
            let number = |value: f64| if value.is_nan() { 0.0 } else { value };
            let area = |pair: &[(i64, f64)]| {
                let height = number(pair[0].1) / 2.0 + number(pair[1].1) / 2.0;
                height * seconds(pair[1].0 - pair[0].0)
            };
            window.windows(2).map(area).fold(0.0, |sum, area| sum + area)
        }
        "mad_over_time" => {
            let mut values = values;
            if values.iter().any(|value| value.is_nan()) {
                return Some(NAN);
            }
            let median = crate::functions::quantile::quantile(0.5, &mut values);
            values.iter_mut().for_each(|value| *value = (*value - median).abs());
            crate::functions::quantile::quantile(0.5, &mut values)
        }
        _ => {
            if window.len() < 2 {
                return None;
            }
            let (mut before, mut smoothed, mut trend) = (0.0, values[0], values[1] - values[0]);
            for at in 1..values.len() {
                let scaled = scalars[0] * values[at];
                if at > 1 {
                    trend = scalars[1] * (smoothed - before) + (1.0 - scalars[1]) * trend;
                }
                let carried = (1.0 - scalars[0]) * (smoothed + trend);
                (before, smoothed) = (smoothed, scaled + carried);
            }
            smoothed
        }
    })
}

/// Mostly a counter with resets or a gauge of whole numbers; now and then something awkward.
fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        10 => (0i32..50).prop_map(f64::from),
        4 => -1e3..1e3f64,
        1 => prop_oneof![Just(NAN), Just(stale()), Just(INF), Just(-INF), Just(-0.0), Just(1e308)],
    ];
    let gap = prop_oneof![8 => Just(15_000i64), 2 => 1i64..40_000, 1 => Just(400_000)];
    (any::<bool>(), proptest::collection::vec((gap, value), 0..80)).prop_map(|(counter, steps)| {
        let (mut t, mut sum) = (0, 0.0);
        steps
            .into_iter()
            .map(|(gap, value)| {
                t += gap;
                sum = if value == 0.0 { 0.0 } else { sum + value };
                (t, if counter && value.is_finite() { sum } else { value })
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_function_equals_a_loop_over_each_window(
        samples in samples(),
        start in -10_000i64..1_000_000, step in 1_000i64..200_000, steps in 1usize..30,
        range in prop_oneof![Just(60_000i64), Just(300_000), 1_000i64..900_000],
        offset in -50_000i64..50_000,
    ) {
        let windows = Windows::new(Grid { start, step, steps }, range, offset);
        // Those that look beyond their windows have tests of their own.
        for (name, function) in NAMES.into_iter().filter(|(_, function)| !function.from_before()) {
            let scalars = &[0.3, 0.6][..function.scalars().0];
            let given: Vec<Scalar> = scalars.iter().map(|&scalar| scalar.into()).collect();
            for (k, result) in row(name, &given, &samples, &windows).into_iter().enumerate() {
                let at = start + step * k as i64;
                let end = at - offset;
                let window: Vec<(i64, f64)> = samples
                    .iter()
                    .copied()
                    .filter(|&(t, value)| t > end - range && t <= end && !is_stale(value))
                    .collect();
                let expected = naive(name, &window, (end - range, end, at), scalars);
                let same = match (result, expected) {
                    (Some(a), Some(b)) if a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) => true,
                    // The loop sums without compensation.
                    (Some(a), Some(b)) => name == "integral" && (a - b).abs() <= 1e-9 * a.abs(),
                    (a, b) => a.is_none() && b.is_none(),
                };
                prop_assert!(same, "{name} of {window:?}: {result:?}, not {expected:?}");
            }
        }
    }
}
