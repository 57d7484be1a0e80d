//! What all histograms of a chunk share (`tsdb/chunkenc/histogram_meta.go`): schema, zero threshold,
//! spans, custom bounds; and the chunk's header.

use crate::model::{CounterResetHint, Span};
use crate::{Error, Result};

use super::bits::Bits;

/// The schema of custom bounds (`histogram.CustomBucketsSchema`).
const CUSTOM: i64 = -53;

/// A chunk's header: how many samples, and what it says of counter resets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) count: usize,
    pub(super) start_times: u8,
    gauge: bool,
}

impl Header {
    /// Reads the three bytes; with start timestamps the reset bits share the count's word.
    pub(super) fn parse(chunk: &[u8], start_times: bool) -> Result<(Self, &[u8])> {
        let Some((&[first, second, third], stream)) = chunk.split_first_chunk::<3>() else {
            return Err(Error::corrupt(format!(
                "histogram chunk of {} bytes has no header",
                chunk.len()
            )));
        };
        let word = u16::from_be_bytes([first, second]);
        let header = if start_times {
            Self {
                count: usize::from(word & 0x3fff),
                start_times: third,
                gauge: first & 0xc0 == 0xc0,
            }
        } else {
            Self { count: usize::from(word), start_times: 0, gauge: third & 0xc0 == 0xc0 }
        };
        if header.count > stream.len() * 8 {
            return Err(Error::corrupt(format!(
                "chunk claims {} histograms in {} bytes",
                header.count,
                chunk.len()
            )));
        }
        Ok((header, stream))
    }

    /// The hint of sample `n` (`counterResetHint`): that of a chunk's first sample is unknown even if
    /// the chunk claims to know, because the chunk before may be gone.
    pub(super) fn hint(self, n: usize) -> CounterResetHint {
        if self.gauge {
            CounterResetHint::Gauge
        } else if n > 0 {
            CounterResetHint::NotCounterReset
        } else {
            CounterResetHint::Unknown
        }
    }
}

/// The layout of a chunk's histograms.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) positive: Vec<Span>,
    pub(super) negative: Vec<Span>,
    pub(super) custom_values: Vec<f64>,
    /// Buckets of each side.
    pub(super) buckets: (usize, usize),
}

impl Layout {
    /// Reads a layout. `bucket_bits` is the least that a bucket of the first sample takes: no more
    /// buckets are believed than the stream has room for.
    pub(super) fn read(bits: &mut Bits<'_>, bucket_bits: usize) -> Result<Self> {
        let zero_threshold = read_zero_threshold(bits);
        let schema = bits.varbit_int();
        let positive = read_spans(bits)?;
        let negative = read_spans(bits)?;
        let custom_values = if schema == CUSTOM { read_bounds(bits)? } else { Vec::new() };
        let schema = match schema {
            CUSTOM | -9..=8 => schema as i32,
            9..=52 => {
                return Err(Error::unsupported(format!(
                    "histogram schema {schema} has a higher resolution than is supported (8)"
                )));
            }
            other => return Err(Error::corrupt(format!("unknown histogram schema {other}"))),
        };
        let count = |spans: &[Span]| spans.iter().map(|span| span.length as usize).sum::<usize>();
        let buckets = (count(&positive), count(&negative));
        if (buckets.0 + buckets.1).saturating_mul(bucket_bits) > bits.left() {
            return Err(Error::corrupt(format!(
                "histogram claims {} buckets in {} bits",
                buckets.0 + buckets.1,
                bits.left()
            )));
        }
        Ok(Self { schema, zero_threshold, positive, negative, custom_values, buckets })
    }
}

/// One byte for 0 and powers of two from 2^-243 to 2^10, else 255 and the bits.
fn read_zero_threshold(bits: &mut Bits<'_>) -> f64 {
    match bits.read(8) {
        0 => 0.0,
        255 => f64::from_bits(bits.read(64)),
        // 0.5 * 2^(byte - 243), as an exponent: all of them are normal numbers.
        byte => f64::from_bits((byte + 1023 - 244) << 52),
    }
}

fn read_spans(bits: &mut Bits<'_>) -> Result<Vec<Span>> {
    let count = bits.varbit_uint();
    // A span takes two bits at least.
    if count > (bits.left() / 2) as u64 {
        return Err(Error::corrupt(format!("histogram claims {count} spans")));
    }
    (0..count)
        .map(|_| {
            let length = bits.varbit_uint();
            let offset = bits.varbit_int();
            match (u32::try_from(length), i32::try_from(offset)) {
                (Ok(length), Ok(offset)) => Ok(Span { offset, length }),
                _ => Err(Error::corrupt(format!(
                    "histogram span of {length} buckets at offset {offset}"
                ))),
            }
        })
        .collect()
}

fn read_bounds(bits: &mut Bits<'_>) -> Result<Vec<f64>> {
    let count = bits.varbit_uint();
    if count > bits.left() as u64 {
        return Err(Error::corrupt(format!("histogram claims {count} custom bounds")));
    }
    Ok((0..count)
        .map(|_| match bits.varbit_uint() {
            0 => f64::from_bits(bits.read(64)),
            thousandths => (thousandths - 1) as f64 / 1000.0,
        })
        .collect())
}
