//! Samples to windows, and windows to longer ones: pure functions on slices.

use crate::model::{WindowSlices, Windows};

/// The last ms of the window of length `resolution` that `ts` lies in (`currentWindow` in
/// `pkg/compact/downsample/downsample.go`).
pub fn window_end(ts: i64, resolution: i64) -> i64 {
    ts.div_euclid(resolution).saturating_mul(resolution).saturating_add(resolution - 1)
}

/// A window that is not complete.
#[derive(Debug, Clone, Copy)]
struct Open {
    end: i64,
    count: i64,
    sum: f64,
    min: f64,
    max: f64,
    counter: f64,
    first: f64,
    first_ts: i64,
    last: f64,
    last_ts: i64,
}

impl Open {
    fn close(self, ts: i64, out: &mut Windows) {
        out.ts.push(ts);
        out.count.push(self.count);
        out.sum.push(self.sum);
        out.min.push(self.min);
        out.max.push(self.max);
        out.counter.push(self.counter);
        out.first.push(self.first);
        out.first_ts.push(self.first_ts);
        out.last.push(self.last);
    }
}

/// How much a counter grew from `before` to `value`: all of it, if it was reset.
#[inline]
pub fn growth(before: f64, value: f64) -> f64 {
    if value < before { value } else { value - before }
}

/// Makes windows of the samples of one series after the other.
#[derive(Debug)]
pub struct Downsampler {
    resolution: i64,
    open: Option<Open>,
    /// How many samples the last window had: probably the next one has as many.
    likely: usize,
}

impl Downsampler {
    /// Windows of `resolution` ms, which is positive.
    pub fn new(resolution: i64) -> Self {
        Self { resolution: resolution.max(1), open: None, likely: 0 }
    }

    /// Adds samples of the series in hand, behind those before; `out` gets the windows that they end. NaN
    /// counts for nothing.
    pub fn push(&mut self, ts: &[i64], values: &[f64], out: &mut Windows) {
        let mut from = 0;
        while from < ts.len() {
            let end = window_end(ts[from], self.resolution);
            let length = until(&ts[from..], end, self.likely);
            self.likely = length;
            self.window(end, &ts[from..from + length], &values[from..from + length], out);
            from += length;
        }
    }

    /// Samples of one window.
    fn window(&mut self, end: i64, ts: &[i64], values: &[f64], out: &mut Windows) {
        let Some(first) = values.iter().position(|value| !value.is_nan()) else { return };
        let mut open = match self.open.take() {
            Some(open) if open.end == end => open,
            before => {
                if let Some(before) = before {
                    before.close(before.end, out);
                }
                let value = values[first];
                Open {
                    end,
                    count: 0,
                    sum: 0.0,
                    min: value,
                    max: value,
                    counter: 0.0,
                    first: value,
                    first_ts: ts[first],
                    last: value,
                    last_ts: ts[first],
                }
            }
        };
        let values = &values[first..];
        let ts = &ts[first..];
        if values.iter().any(|value| value.is_nan()) {
            for (&t, &value) in ts.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                add(&mut open, &[value]);
                open.last_ts = t;
            }
        } else {
            add(&mut open, values);
            open.last_ts = ts[ts.len() - 1];
        }
        self.open = Some(open);
    }

    /// The series ends.
    pub fn finish(&mut self, out: &mut Windows) {
        if let Some(open) = self.open.take() {
            open.close(open.end.min(open.last_ts), out);
        }
    }
}

/// How many of `ts`, which ascends, are at most `end`; `likely` is looked at first.
fn until(ts: &[i64], end: i64, likely: usize) -> usize {
    match ts.split_at_checked(likely) {
        Some(([.., last], behind)) if *last <= end && behind.first().is_none_or(|&t| t > end) => {
            likely
        }
        _ => ts.partition_point(|&t| t <= end),
    }
}

/// Adds values without NaN.
fn add(open: &mut Open, values: &[f64]) {
    let Open { mut sum, mut min, mut max, mut counter, last: mut before, .. } = *open;
    for &value in values {
        sum += value;
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
        counter += growth(before, value);
        before = value;
    }
    *open = Open { sum, min, max, counter, last: before, ..*open };
    open.count += values.len() as i64;
}

/// Makes windows of the shorter windows of one series after the other.
#[derive(Debug)]
pub struct Folder {
    resolution: i64,
    open: Option<Open>,
}

impl Folder {
    /// Windows of `resolution` ms, which is positive.
    pub fn new(resolution: i64) -> Self {
        Self { resolution: resolution.max(1), open: None }
    }

    /// Adds windows of the series in hand, behind those before; `out` gets the windows that they end.
    pub fn push(&mut self, windows: WindowSlices<'_>, out: &mut Windows) {
        for at in 0..windows.len() {
            let end = window_end(windows.ts[at], self.resolution);
            let next = Open {
                end,
                count: windows.count[at],
                sum: windows.sum[at],
                min: windows.min[at],
                max: windows.max[at],
                counter: windows.counter[at],
                first: windows.first[at],
                first_ts: windows.first_ts[at],
                last: windows.last[at],
                last_ts: windows.ts[at],
            };
            self.open = Some(match self.open.take() {
                Some(open) if open.end == end => Open {
                    count: open.count + next.count,
                    sum: open.sum + next.sum,
                    min: if next.min < open.min { next.min } else { open.min },
                    max: if next.max > open.max { next.max } else { open.max },
                    counter: open.counter + growth(open.last, next.first) + next.counter,
                    last: next.last,
                    last_ts: next.last_ts,
                    ..open
                },
                before => {
                    if let Some(before) = before {
                        before.close(before.end, out);
                    }
                    next
                }
            });
        }
    }

    /// The series ends.
    pub fn finish(&mut self, out: &mut Windows) {
        if let Some(open) = self.open.take() {
            open.close(open.end.min(open.last_ts), out);
        }
    }
}
