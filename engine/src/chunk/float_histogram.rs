//! Histogram chunks with float counts (`tsdb/chunkenc/float_histogram.go`, `float_histogram_st.go`):
//! every number but the timestamp is an XOR stream of its own.

use crate::Result;
use crate::model::{Histogram, HistogramCounts, is_stale};

use super::Histograms;
use super::bits::Bits;
use super::histogram::stale;
use super::layout::{Header, Layout};
use super::start_times::StartTimes;
use super::xor::{Window, read_value};

/// One XOR stream.
#[derive(Debug, Clone, Copy)]
struct Xor {
    bits: u64,
    window: Window,
}

impl Xor {
    fn first(bits: &mut Bits<'_>) -> Self {
        Self { bits: bits.read(64), window: Window::WHOLE }
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> Result<()> {
        read_value(bits, &mut self.bits, &mut self.window)
    }

    fn value(self) -> f64 {
        f64::from_bits(self.bits)
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
    let layout = Layout::read(&mut bits, 64)?;
    let mut t = bits.varbit_int();
    let mut delta = 0i64;
    let mut count = Xor::first(&mut bits);
    let mut zero_count = Xor::first(&mut bits);
    let mut sum = Xor::first(&mut bits);
    let mut positive: Vec<Xor> = (0..layout.buckets.0).map(|_| Xor::first(&mut bits)).collect();
    let mut negative: Vec<Xor> = (0..layout.buckets.1).map(|_| Xor::first(&mut bits)).collect();
    let mut start = starts.first(&mut bits, t)?;
    for n in 0..header.count {
        if n > 0 {
            let before = t;
            delta = delta.wrapping_add(bits.varbit_int());
            t = t.wrapping_add(delta);
            count.next(&mut bits)?;
            zero_count.next(&mut bits)?;
            sum.next(&mut bits)?;
            if !is_stale(sum.value()) {
                for bucket in positive.iter_mut().chain(&mut negative) {
                    bucket.next(&mut bits)?;
                }
            }
            start = starts.next(&mut bits, n, before);
        }
        // Each sample copies the layout: stop at the first that is not there.
        bits.finish()?;
        out.ts.push(t);
        out.starts.push(start);
        out.samples.push(if is_stale(sum.value()) {
            stale(HistogramCounts::Float {
                count: 0.0,
                zero_count: 0.0,
                positive: Vec::new(),
                negative: Vec::new(),
            })
        } else {
            Histogram {
                counter_reset_hint: header.hint(n),
                schema: layout.schema,
                zero_threshold: layout.zero_threshold,
                sum: sum.value(),
                positive_spans: layout.positive.clone(),
                negative_spans: layout.negative.clone(),
                custom_values: layout.custom_values.clone(),
                counts: HistogramCounts::Float {
                    count: count.value(),
                    zero_count: zero_count.value(),
                    positive: positive.iter().map(|bucket| bucket.value()).collect(),
                    negative: negative.iter().map(|bucket| bucket.value()).collect(),
                },
            }
        });
    }
    Ok(())
}
