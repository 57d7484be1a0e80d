//! Windows against their definition.

use proptest::prelude::*;

use super::*;
use crate::chunk::CounterTotal;
use crate::model::{STALE_NAN_BITS, Windows};

const MINUTE: i64 = 60_000;

fn downsampled(resolution: i64, pieces: &[&[(i64, f64)]]) -> Windows {
    let (mut downsampler, mut out) = (Downsampler::new(resolution), Windows::default());
    for piece in pieces {
        let (ts, values): (Vec<i64>, Vec<f64>) = piece.iter().copied().unzip();
        downsampler.push(&ts, &values, &mut out);
    }
    downsampler.finish(&mut out);
    out
}

fn folded(resolution: i64, windows: &Windows) -> Windows {
    let (mut folder, mut out) = (Folder::new(resolution), Windows::default());
    for at in 0..windows.len() {
        folder.push(windows.slices().part(at..at + 1), &mut out);
    }
    folder.finish(&mut out);
    out
}

/// The table in the module's documentation.
#[test]
fn worked_table() {
    let values =
        [10.0, 12.0, 15.0, f64::from_bits(STALE_NAN_BITS), 20.0, 21.0, 25.0, 2.0, 4.0, 9.0];
    let samples: Vec<(i64, f64)> = (0..10).map(|m| m * MINUTE).zip(values).collect();
    let expected = Windows {
        ts: vec![5 * MINUTE - 1, 9 * MINUTE],
        count: vec![4, 5],
        sum: vec![57.0, 61.0],
        min: vec![10.0, 2.0],
        max: vec![20.0, 25.0],
        counter: vec![10.0, 13.0],
        first: vec![10.0, 21.0],
        first_ts: vec![0, 5 * MINUTE],
        last: vec![20.0, 9.0],
    };
    assert_eq!(downsampled(5 * MINUTE, &[&samples]), expected);
    assert_eq!(downsampled(5 * MINUTE, &[&samples[..3], &samples[3..7], &samples[7..]]), expected);
    let hour = folded(60 * MINUTE, &expected);
    assert_eq!((hour.count[0], hour.counter[0], hour.ts[0]), (9, 24.0, 9 * MINUTE));
}

#[test]
fn times_before_1970_have_windows_too() {
    assert_eq!(window_end(-1, 100), -1);
    assert_eq!(window_end(-100, 100), -1);
    assert_eq!(window_end(-101, 100), -101);
    assert_eq!(window_end(i64::MAX, 300_000), i64::MAX);
    let only = downsampled(100, &[&[(-250, 1.0), (-201, f64::NAN), (-150, 3.0)]]);
    assert_eq!(only.ts, [-201, -150]);
    assert!(downsampled(100, &[&[(5, f64::NAN)], &[]]).is_empty());
}

fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        12 => (0..50i32).prop_map(f64::from),
        1 => Just(f64::from_bits(STALE_NAN_BITS)),
        1 => Just(f64::NAN),
    ];
    prop::collection::btree_map(-2_000i64..20_000, value, 0..200)
        .prop_map(|samples| samples.into_iter().collect())
}

/// The running total of a counter by its windows: what Thanos' counter chunk would have.
fn totals(windows: &Windows) -> Vec<(i64, f64)> {
    let mut totals = Vec::new();
    let mut total = 0.0;
    for at in 0..windows.len() {
        total += match at {
            0 => windows.first[0],
            _ => growth(windows.last[at - 1], windows.first[at]),
        };
        total += windows.counter[at];
        totals.push((windows.ts[at], total));
    }
    totals
}

proptest! {
    #[test]
    fn windows_are_what_they_say(samples in samples(), cut in 0..200usize, resolution in 1..700i64) {
        let cut = cut.min(samples.len());
        let got = downsampled(resolution, &[&samples[..cut], &samples[cut..]]);
        let live: Vec<(i64, f64)> = samples.iter().copied().filter(|(_, v)| !v.is_nan()).collect();
        prop_assert_eq!(got.count.iter().sum::<i64>(), live.len() as i64);
        prop_assert!(got.ts.is_sorted_by(|a, b| a < b));
        let mut at = 0;
        for window in live.chunk_by(|a, b| window_end(a.0, resolution) == window_end(b.0, resolution)) {
            let values: Vec<f64> = window.iter().map(|&(_, v)| v).collect();
            prop_assert_eq!(got.count[at], window.len() as i64);
            prop_assert_eq!(got.sum[at], values.iter().sum::<f64>());
            prop_assert_eq!(got.min[at], values.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(got.max[at], values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            prop_assert_eq!((got.first_ts[at], got.first[at]), window[0]);
            prop_assert_eq!(got.last[at], values[values.len() - 1]);
            let last = live[live.len() - 1].0;
            prop_assert_eq!(got.ts[at], window_end(window[0].0, resolution).min(last));
            at += 1;
        }
        prop_assert_eq!(at, got.len());
    }

    /// What a counter grew over any windows is what it grew over their samples.
    #[test]
    fn growth_over_windows_is_that_of_the_samples(samples in samples(), resolution in 1..700i64) {
        let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
        let (mut raw_ts, mut raw) = (Vec::new(), Vec::new());
        CounterTotal::default().add(&ts, &values, &mut raw_ts, &mut raw);
        let windows = downsampled(resolution, &[&samples]);
        for (windows, resolution) in [(windows.clone(), resolution), (folded(resolution * 3, &windows), resolution * 3)] {
            let mut expected = Vec::new();
            for (&t, &total) in raw_ts.iter().zip(&raw) {
                let end = window_end(t, resolution);
                match expected.last_mut() {
                    Some((last, value)) if *last == end => *value = total,
                    _ => expected.push((end, total)),
                }
            }
            let got: Vec<(i64, f64)> = totals(&windows).into_iter().map(|(t, v)| (window_end(t, resolution), v)).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn folding_is_downsampling(samples in samples(), resolution in 1..300i64, times in 2..13i64) {
        let short = downsampled(resolution, &[&samples]);
        let long = downsampled(resolution * times, &[&samples]);
        let folded = folded(resolution * times, &short);
        // Whole numbers, so the order of addition does not matter. The last window of the series ends with
        // its last short window.
        prop_assert_eq!(Windows { ts: Vec::new(), ..folded.clone() }, Windows { ts: Vec::new(), ..long.clone() });
        let ends = |windows: &Windows| -> Vec<i64> {
            windows.ts.iter().map(|&t| window_end(t, resolution * times)).collect()
        };
        prop_assert_eq!(ends(&folded), ends(&long));
    }
}
