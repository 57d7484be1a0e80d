//! What the kernels make of samples, and of windows, beside what Thanos' downsample package does: chunk by chunk,
//! each aggregate to the bit.

use std::ops::Range;

use engine::compact::downsample::{Downsampler, Folder, growth, window_end};
use engine::model::Windows;
use serde_json::Value;

use super::place::{DAY, HOUR, MINUTE, replica};
use crate::storeapi::conformance::random;
use crate::storeapi::endpoint::{Blocks, Written};
use crate::support::DATA_START;

/// The samples of an aggregate of a chunk: timestamps, and bits of values.
fn samples(chunk: &Value, aggregate: &str) -> Vec<(i64, u64)> {
    let samples = chunk[aggregate].as_array().expect("an aggregate").iter().map(|text| {
        let (t, hex) = text.as_str().and_then(|text| text.split_once(' ')).expect("a sample");
        (t.parse().expect("a timestamp"), u64::from_str_radix(hex, 16).expect("bits"))
    });
    samples.collect()
}

/// The counter's chunk of `rows`: the first sample as scraped, a running total a window, the last sample as
/// scraped at the timestamp before.
fn counter(windows: &Windows, rows: Range<usize>, ts: &[i64]) -> Vec<(i64, u64)> {
    let mut total = windows.first[rows.start];
    let mut samples = vec![(windows.first_ts[rows.start], total)];
    for (row, &t) in rows.clone().zip(ts) {
        if row > rows.start {
            total += growth(windows.last[row - 1], windows.first[row]);
        }
        total += windows.counter[row];
        samples.push((t, total));
    }
    samples.push((ts[ts.len() - 1], windows.last[rows.end - 1]));
    samples.into_iter().map(|(t, value)| (t, value.to_bits())).collect()
}

/// Holds `windows` against Thanos' chunks, whose last window ends with its last sample; returns how many there
/// are.
fn compare(name: &str, windows: &Windows, resolution: i64, counts: bool, chunks: &Value) -> usize {
    let mut at = 0;
    for chunk in chunks.as_array().expect("chunks") {
        let ts: Vec<i64> = samples(chunk, "count").into_iter().map(|(t, _)| t).collect();
        let rows = at..at + ts.len();
        at = rows.end;
        let ends =
            |ts: &[i64]| -> Vec<i64> { ts.iter().map(|&t| window_end(t, resolution)).collect() };
        assert_eq!(ends(&windows.ts[rows.clone()]), ends(&ts), "{name}");
        let whole = ts.len() - 1;
        assert_eq!(windows.ts[rows.clone()][..whole], ts[..whole], "{name}");
        let count: Vec<f64> =
            windows.count[rows.clone()].iter().map(|&count| count as f64).collect();
        for (aggregate, values) in [
            ("count", count.as_slice()),
            ("sum", &windows.sum[rows.clone()]),
            ("min", &windows.min[rows.clone()]),
            ("max", &windows.max[rows.clone()]),
        ] {
            let values = values.iter().map(|value| value.to_bits());
            let got: Vec<(i64, u64)> = ts.iter().copied().zip(values).collect();
            assert_eq!(got, samples(chunk, aggregate), "{name}: {aggregate}, {resolution} ms");
        }
        if counts {
            assert_eq!(
                counter(windows, rows, &ts),
                samples(chunk, "counter"),
                "{name}, {resolution} ms"
            );
        }
    }
    assert_eq!(at, windows.len(), "{name}");
    at
}

/// Five minutes of the samples, and hours of these.
fn downsampled((_, samples): &Written) -> [(i64, Windows); 2] {
    let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let (mut fine, mut coarse) = (Windows::default(), Windows::default());
    let mut downsampler = Downsampler::new(5 * MINUTE);
    downsampler.push(&ts, &values, &mut fine);
    downsampler.finish(&mut fine);
    let mut folder = Folder::new(HOUR);
    folder.push(fine.slices(), &mut coarse);
    folder.finish(&mut coarse);
    [(5 * MINUTE, fine), (HOUR, coarse)]
}

/// Three days of a replica, series by series: counters that are reset, gauges, holes, stale markers.
fn three_days(number: u64) -> Vec<Written> {
    let mut series = replica(number, 0);
    for day in 1..3 {
        for (one, (labels, samples)) in series.iter_mut().zip(replica(number, day)) {
            assert_eq!(one.0, labels);
            one.1.extend(samples);
        }
    }
    series
}

#[test]
fn windows_are_those_of_thanos() {
    let blocks = Blocks::new();
    let mut compared = 0;
    for number in 0..2 {
        let series = three_days(number);
        let raw = blocks.add_native(&[("replica", if number == 0 { "a" } else { "b" })], &series);
        let fine = blocks.downsample(&raw, 5 * MINUTE);
        let coarse = blocks.downsample(&fine, HOUR);
        let [fine, coarse] = [fine, coarse].map(|id| blocks.windows(&id));
        for one in &series {
            let name = one.0.to_string();
            // What is below zero is no counter: Thanos takes a total that falls for one that was reset.
            let counts = one.1.iter().all(|(_, value)| value.is_nan() || *value >= 0.0);
            for ((resolution, windows), theirs) in downsampled(one).iter().zip([&fine, &coarse]) {
                let counts = counts || *resolution < HOUR;
                compared += compare(&name, windows, *resolution, counts, &theirs[&name]);
                let samples = one.1.iter().filter(|(_, value)| !value.is_nan()).count();
                assert_eq!(windows.count.iter().sum::<i64>(), samples as i64);
                let last = one.1.iter().rfind(|(_, value)| !value.is_nan()).map(|&(t, _)| t);
                assert_eq!(windows.ts.last().copied(), last);
            }
        }
    }
    assert!(compared > 9_000, "{compared} windows");
}

/// How much a counter grew over `ranges` of whole windows, by its samples and by its windows.
#[test]
fn counters_grow_over_aligned_ranges_as_their_samples_do() {
    let series = three_days(0);
    for one in series.iter().filter(|(labels, _)| labels.metric().ends_with("_total")) {
        for (resolution, windows) in downsampled(one) {
            for n in 0..1_000 {
                let edge = |salt: u64| {
                    let edges = (3 * DAY / resolution) as f64;
                    DATA_START + (random(n * 31 + salt) * edges) as i64 * resolution
                };
                let (from, to) = (edge(1).min(edge(2)), edge(1).max(edge(2)));
                let inside = |t: i64| (from..to).contains(&t);
                let samples = one.1.iter().filter(|(t, value)| inside(*t) && !value.is_nan());
                let values: Vec<f64> = samples.map(|&(_, value)| value).collect();
                let of_samples: f64 = values.windows(2).map(|pair| growth(pair[0], pair[1])).sum();
                let rows: Vec<usize> =
                    (0..windows.len()).filter(|&row| inside(windows.ts[row])).collect();
                let between = rows
                    .windows(2)
                    .map(|pair| growth(windows.last[pair[0]], windows.first[pair[1]]));
                let of_windows: f64 =
                    rows.iter().map(|&row| windows.counter[row]).chain(between).sum();
                assert_eq!(of_windows, of_samples, "{}: {from} to {to}", one.0);
            }
        }
    }
}
