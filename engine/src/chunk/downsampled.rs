//! Aggregate chunks decoded to the values that stand for their samples
//! (`pkg/query/iter.go`, `chunkSeries.Iterator`).
//!
//! ```text
//! window     (0, 300 s]   (300, 600]   (600, 630]     the timestamps: ends of windows, and of the chunk
//! count      20           19           2
//! sum        40           19           3
//! average    2            1            1.5
//! counter    10 | 30      41           43 | 12        a first and a last sample more, as scraped
//! ```

use super::{AggregateChunks, Encoding, Floats, not_descending};
use crate::model::{Aggregate, AggregateValue};
use crate::{Error, Result};

/// Decodes aggregate chunks; buffers keep their capacity.
#[derive(Debug, Default)]
pub struct Downsampled {
    counts: Floats,
}

impl Downsampled {
    /// Appends what stands for the samples of `chunks` to `out`.
    ///
    /// A counter comes as it is kept: running totals, resets inside of the chunk undone, the first
    /// sample as it was scraped before them and the last one after them. These two may repeat the
    /// timestamp beside them; [`CounterTotal`](super::CounterTotal) reads them.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) where an aggregate is missing, is not decoded, or does
    /// not fit the other; nothing is appended then.
    pub fn decode(
        &mut self,
        value: AggregateValue,
        chunks: &AggregateChunks,
        out: &mut Floats,
    ) -> Result<()> {
        match value {
            AggregateValue::Average => self.average(chunks, out),
            AggregateValue::Of(Aggregate::Counter) => {
                let (encoding, data) = part(chunks, Aggregate::Counter)?;
                out.decode_checked(encoding, data, not_descending).map_err(of(Aggregate::Counter))
            }
            AggregateValue::Of(aggregate) => decode(aggregate, chunks, out),
        }
    }

    /// The sum by the count, of the same windows (`AverageChunkIterator`).
    fn average(&mut self, chunks: &AggregateChunks, out: &mut Floats) -> Result<()> {
        let before = out.len();
        self.counts.clear();
        decode(Aggregate::Count, chunks, &mut self.counts)?;
        decode(Aggregate::Sum, chunks, out)?;
        if out.ts()[before..] != *self.counts.ts() {
            out.truncate(before);
            return Err(Error::corrupt("the sums and counts of a chunk have other timestamps"));
        }
        let end = out.len();
        for (value, count) in out.values[before..end].iter_mut().zip(self.counts.values()) {
            *value /= count;
        }
        Ok(())
    }
}

fn decode(aggregate: Aggregate, chunks: &AggregateChunks, out: &mut Floats) -> Result<()> {
    let (encoding, data) = part(chunks, aggregate)?;
    out.decode(encoding, data).map_err(of(aggregate))
}

fn part(chunks: &AggregateChunks, aggregate: Aggregate) -> Result<(Encoding, &[u8])> {
    match chunks.get(aggregate) {
        Some((encoding, data)) => Ok((encoding, data)),
        None => Err(Error::corrupt(format!("{aggregate:?} of a chunk is missing"))),
    }
}

fn of(aggregate: Aggregate) -> impl Fn(Error) -> Error {
    move |error| error.context(format!("{aggregate:?} of a chunk"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ErrorKind;
    use crate::chunk::XorEncoder;

    fn chunks(parts: &[(Aggregate, &[(i64, f64)])]) -> AggregateChunks {
        let mut chunks = AggregateChunks::default();
        for (aggregate, samples) in parts {
            let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
            let mut encoder = XorEncoder::default();
            encoder.encode(&ts, &values, usize::MAX);
            let data = Bytes::copy_from_slice(encoder.bytes());
            chunks.set(*aggregate, Encoding::Xor, data);
        }
        chunks
    }

    fn decoded(value: AggregateValue, chunks: &AggregateChunks) -> Result<Vec<(i64, f64)>> {
        let mut out = Floats::default();
        Downsampled::default().decode(value, chunks, &mut out)?;
        Ok(out.ts().iter().copied().zip(out.values().iter().copied()).collect())
    }

    /// The table of the module's documentation.
    #[test]
    fn each_value_is_read_from_its_aggregates() {
        use Aggregate::{Count, Counter, Max, Min, Sum};
        let counter: &[_] = &[(15, 10.0), (300, 30.0), (600, 41.0), (630, 43.0), (630, 12.0)];
        let chunks = chunks(&[
            (Count, &[(300, 20.0), (600, 19.0), (630, 2.0)]),
            (Sum, &[(300, 40.0), (600, 19.0), (630, 3.0)]),
            (Min, &[(300, -1.0), (600, 0.0), (630, 1.0)]),
            (Max, &[(300, 7.0), (600, 8.0), (630, 2.0)]),
            (Counter, counter),
        ]);
        let average = decoded(AggregateValue::Average, &chunks).unwrap();
        assert_eq!(average, [(300, 2.0), (600, 1.0), (630, 1.5)]);
        for (aggregate, third) in [(Count, 2.0), (Sum, 3.0), (Min, 1.0), (Max, 2.0)] {
            let got = decoded(AggregateValue::Of(aggregate), &chunks).unwrap();
            assert_eq!((got.len(), got[2]), (3, (630, third)), "{aggregate:?}");
        }
        assert_eq!(decoded(AggregateValue::Of(Counter), &chunks).unwrap(), counter);
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_appends_nothing() {
        use Aggregate::{Count, Counter, Max, Min, Sum};
        let chunks = chunks(&[
            (Count, &[(300, 20.0), (600, 19.0)]),
            (Sum, &[(300, 40.0), (601, 19.0)]),
            (Max, &[(300, 40.0), (300, 19.0)]),
            (Counter, &[(300, 40.0), (299, 19.0)]),
        ]);
        for (value, what) in [
            (AggregateValue::Average, "sums and counts"),
            (AggregateValue::Of(Min), "Min of a chunk is missing"),
            (AggregateValue::Of(Max), "Max of a chunk: samples out of order: 300 after 300"),
            (AggregateValue::Of(Counter), "Counter of a chunk: samples out of order"),
        ] {
            let mut out = Floats::default();
            Downsampled::default().decode(AggregateValue::Of(Sum), &chunks, &mut out).unwrap();
            let error = Downsampled::default().decode(value, &chunks, &mut out).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.message().contains(what), "{error}");
            assert_eq!(out.len(), 2, "{value:?}");
        }
    }
}
