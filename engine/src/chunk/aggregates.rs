//! Chunks of downsampled samples: a chunk an aggregate (`pkg/compact/downsample/aggr.go`).
//!
//! ```text
//! five times, in order count, sum, min, max, counter:
//!   length: uvarint   bytes of the data; 0 if the aggregate is missing, and nothing follows
//!   encoding: u8      of the data
//!   data
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::Encoding;
use crate::model::Aggregate;
use crate::{Error, Result};

/// The chunks of the aggregates of one series and time range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregateChunks {
    parts: [Option<(Encoding, Bytes)>; 5],
}

impl AggregateChunks {
    /// Takes the bytes of an aggregate chunk apart, without framing.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) where they are no aggregate chunk.
    pub fn parse(chunk: &Bytes) -> Result<Self> {
        let mut parts = <[Option<(Encoding, Bytes)>; 5]>::default();
        let mut at = 0;
        for (aggregate, part) in Aggregate::ALL.into_iter().zip(&mut parts) {
            let wrong = |what: &str| Error::corrupt(format!("{aggregate:?} of a chunk: {what}"));
            // Thanos leaves out the lengths of what is missing at the end.
            if at == chunk.len() {
                break;
            }
            let length = uvarint(chunk, &mut at).ok_or_else(|| wrong("no length"))?;
            if length == 0 {
                continue;
            }
            let encoding = *chunk.get(at).ok_or_else(|| wrong("no encoding"))?;
            let encoding = Encoding::from_byte(encoding).map_err(|e| wrong(e.message()))?;
            if encoding == Encoding::Aggregates {
                return Err(wrong("an aggregate chunk in an aggregate chunk"));
            }
            let start = at + 1;
            let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
            let end = end.filter(|&end| end <= chunk.len());
            let end = end.ok_or_else(|| wrong("it is longer than the chunk"))?;
            *part = Some((encoding, chunk.slice(start..end)));
            at = end;
        }
        if at < chunk.len() {
            return Err(Error::corrupt(format!(
                "aggregate chunk: {} bytes are left over",
                chunk.len() - at
            )));
        }
        Ok(Self { parts })
    }

    /// The chunk of `aggregate`, if there is one.
    pub fn get(&self, aggregate: Aggregate) -> Option<(Encoding, &Bytes)> {
        self.parts[aggregate as usize].as_ref().map(|(encoding, data)| (*encoding, data))
    }

    /// Whether the aggregates are those of floats: those of native histograms are, but for their
    /// count, histograms.
    pub fn is_float(&self) -> bool {
        self.parts.iter().flatten().all(|(encoding, _)| encoding.is_float())
    }

    /// Sets the chunk of `aggregate`.
    pub fn set(&mut self, aggregate: Aggregate, encoding: Encoding, data: Bytes) {
        self.parts[aggregate as usize] = Some((encoding, data));
    }

    /// How many samples the headers claim: of the aggregate that claims most.
    pub fn samples(&self) -> usize {
        let parts = self.parts.iter().flatten();
        parts.filter_map(|(encoding, data)| encoding.claimed_samples(data)).max().unwrap_or(0)
    }

    /// The bytes of the aggregate chunk, without framing.
    pub fn encode(&self) -> Bytes {
        let data: usize = self.parts.iter().flatten().map(|(_, data)| data.len()).sum();
        let mut chunk = BytesMut::with_capacity(data + 5 * 11);
        for part in &self.parts {
            let mut length = part.as_ref().map_or(0, |(_, data)| data.len());
            while length >= 0x80 {
                chunk.put_u8(length as u8 | 0x80);
                length >>= 7;
            }
            chunk.put_u8(length as u8);
            if let Some((encoding, data)) = part
                && !data.is_empty()
            {
                chunk.put_u8(encoding.byte());
                chunk.extend_from_slice(data);
            }
        }
        chunk.freeze()
    }
}

/// The unsigned varint at `at`, which moves behind it.
fn uvarint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(given: &[(Aggregate, usize)]) -> AggregateChunks {
        let mut chunks = AggregateChunks::default();
        for &(aggregate, length) in given {
            chunks.set(aggregate, Encoding::Xor, vec![aggregate as u8; length].into());
        }
        chunks
    }

    #[test]
    fn parts_come_back() {
        use Aggregate::*;
        for given in [
            &[(Count, 20), (Sum, 300), (Min, 2), (Max, 5), (Counter, 70_000)][..],
            &[(Sum, 3)],
            &[(Counter, 127), (Count, 128)],
            &[],
        ] {
            let chunks = chunk(given);
            assert_eq!(AggregateChunks::parse(&chunks.encode()).unwrap(), chunks, "{given:?}");
        }
    }

    #[test]
    fn aggregates_of_histograms_are_told_from_those_of_floats() {
        let mut chunks = chunk(&[(Aggregate::Count, 4), (Aggregate::Counter, 9)]);
        assert!(chunks.is_float());
        chunks.set(Aggregate::Counter, Encoding::FloatHistogram, vec![0; 9].into());
        assert!(!chunks.is_float());
    }

    #[test]
    fn a_chunk_that_ends_early_lacks_its_last_parts() {
        let whole = chunk(&[(Aggregate::Count, 4)]).encode();
        let cut = whole.slice(..6);
        assert_eq!(AggregateChunks::parse(&cut).unwrap(), chunk(&[(Aggregate::Count, 4)]));
        for length in [1, 2, 5] {
            AggregateChunks::parse(&whole.slice(..length)).unwrap_err();
        }
        let nested = Bytes::from_static(&[1, 0xff, 0]);
        let error = AggregateChunks::parse(&nested).unwrap_err();
        assert_eq!(error.message(), "Count of a chunk: an aggregate chunk in an aggregate chunk");
    }

    proptest! {
        #[test]
        fn any_bytes_end_well(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(chunks) = AggregateChunks::parse(&bytes.into()) {
                prop_assert_eq!(AggregateChunks::parse(&chunks.encode()).unwrap(), chunks);
            }
        }
    }
}
