//! Histogram chunks with whole counts (`tsdb/chunkenc/histogram.go`, `histogram_st.go`).

use crate::Result;
use crate::model::{CounterResetHint, Histogram, HistogramCounts, is_stale};

use super::Histograms;
use super::bits::Bits;
use super::layout::{Header, Layout};
use super::start_times::StartTimes;
use super::xor::{Window, read_value};

/// One side's buckets as the stream holds them: differences to the bucket before, and how fast each
/// difference moves from sample to sample.
#[derive(Debug)]
struct Buckets {
    deltas: Vec<i64>,
    speeds: Vec<i64>,
}

impl Buckets {
    fn first(bits: &mut Bits<'_>, count: usize) -> Self {
        let deltas = (0..count).map(|_| bits.varbit_int()).collect();
        Self { deltas, speeds: vec![0; count] }
    }

    fn next(&mut self, bits: &mut Bits<'_>) {
        for (delta, speed) in self.deltas.iter_mut().zip(&mut self.speeds) {
            *speed = speed.wrapping_add(bits.varbit_int());
            *delta = delta.wrapping_add(*speed);
        }
    }

    fn absolute(&self) -> Vec<i64> {
        let mut sum = 0i64;
        self.deltas
            .iter()
            .map(|&delta| {
                sum = sum.wrapping_add(delta);
                sum
            })
            .collect()
    }
}

/// A number that is stored as delta of delta.
#[derive(Debug, Default, Clone, Copy)]
struct Moving {
    value: i64,
    speed: i64,
}

impl Moving {
    fn next(&mut self, dod: i64) {
        self.speed = self.speed.wrapping_add(dod);
        self.value = self.value.wrapping_add(self.speed);
    }
}

/// Appends the chunk's samples to `out`. On an error `out` may hold some of them.
pub(super) fn decode(chunk: &[u8], with_starts: bool, out: &mut Histograms) -> Result<()> {
    let (header, stream) = Header::parse(chunk, with_starts)?;
    if header.count == 0 {
        return Ok(());
    }
    let mut bits = Bits::new(stream);
    let mut starts = StartTimes::new(header.start_times);
    let layout = Layout::read(&mut bits, 1)?;
    let mut t = Moving { value: bits.varbit_int(), speed: 0 };
    let mut count = Moving { value: bits.varbit_uint() as i64, speed: 0 };
    let mut zero_count = Moving { value: bits.varbit_uint() as i64, speed: 0 };
    let mut sum = bits.read(64);
    let mut window = Window::WHOLE;
    let mut positive = Buckets::first(&mut bits, layout.buckets.0);
    let mut negative = Buckets::first(&mut bits, layout.buckets.1);
    let mut start = starts.first(&mut bits, t.value)?;
    for n in 0..header.count {
        if n > 0 {
            let before = t.value;
            t.next(bits.varbit_int());
            count.next(bits.varbit_int());
            zero_count.next(bits.varbit_int());
            read_value(&mut bits, &mut sum, &mut window)?;
            if !is_stale(f64::from_bits(sum)) {
                positive.next(&mut bits);
                negative.next(&mut bits);
            }
            start = starts.next(&mut bits, n, before);
        }
        // Each sample copies the layout: stop at the first that is not there.
        bits.finish()?;
        let sum = f64::from_bits(sum);
        out.ts.push(t.value);
        out.starts.push(start);
        out.samples.push(if is_stale(sum) {
            stale(HistogramCounts::Int {
                count: 0,
                zero_count: 0,
                positive: Vec::new(),
                negative: Vec::new(),
            })
        } else {
            Histogram {
                counter_reset_hint: header.hint(n),
                schema: layout.schema,
                zero_threshold: layout.zero_threshold,
                sum,
                positive_spans: layout.positive.clone(),
                negative_spans: layout.negative.clone(),
                custom_values: layout.custom_values.clone(),
                counts: HistogramCounts::Int {
                    count: count.value as u64,
                    zero_count: zero_count.value as u64,
                    positive: positive.absolute(),
                    negative: negative.absolute(),
                },
            }
        });
    }
    Ok(())
}

/// A stale marker has nothing but its sum, whatever the chunk's layout (`AtHistogram`).
pub(super) fn stale(counts: HistogramCounts) -> Histogram {
    Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum: f64::from_bits(crate::model::STALE_NAN_BITS),
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        custom_values: Vec::new(),
        counts,
    }
}
