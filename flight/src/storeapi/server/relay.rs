//! Chunks that are sent on as they are kept.

use bytes::Bytes;
use engine::chunk::{AggregateChunks, Encoding, Floats, XorEncoder};
use engine::model::{Aggregate, Aggregates};
use engine::source::EncodedChunk;
use engine::{Error, Result};
use proto::thanos::{AggrChunk, Chunk, chunk};
use xxhash_rust::xxh64::xxh64;

/// Chunks of one series on the wire, and the first error of those that had to be left out. Of
/// downsampled ones come the `wanted` aggregates; encodings that native Thanos cannot read are decoded
/// and written as ones that it can.
pub(super) fn wire(kept: &[EncodedChunk], wanted: Aggregates) -> (Vec<AggrChunk>, Option<Error>) {
    let mut sent: Vec<AggrChunk> = Vec::with_capacity(kept.len());
    let mut failed = None;
    for chunk in kept {
        match one(chunk, wanted) {
            // A copy that another source has too is sent once.
            Ok(chunk) if sent.last() != Some(&chunk) => sent.push(chunk),
            Ok(_) => {}
            Err(error) => {
                let (min, max) = (chunk.range.min, chunk.range.max);
                let error = || error.context(format!("chunk from {min} to {max}"));
                failed = failed.or_else(|| Some(error()));
            }
        }
    }
    (sent, failed)
}

fn one(kept: &EncodedChunk, wanted: Aggregates) -> Result<AggrChunk> {
    let mut sent =
        AggrChunk { min_time: kept.range.min, max_time: kept.range.max, ..AggrChunk::default() };
    if kept.encoding != Encoding::Aggregates {
        sent.raw = Some(readable(kept.encoding, &kept.bytes)?);
        return Ok(sent);
    }
    let parts = AggregateChunks::parse(&kept.bytes)?;
    for aggregate in wanted.iter() {
        let part = parts.get(aggregate);
        *place(&mut sent, aggregate) =
            part.map(|(encoding, data)| readable(encoding, data)).transpose()?;
    }
    Ok(sent)
}

fn place(chunk: &mut AggrChunk, aggregate: Aggregate) -> &mut Option<Chunk> {
    match aggregate {
        Aggregate::Count => &mut chunk.count,
        Aggregate::Sum => &mut chunk.sum,
        Aggregate::Min => &mut chunk.min,
        Aggregate::Max => &mut chunk.max,
        Aggregate::Counter => &mut chunk.counter,
    }
}

/// A chunk that Thanos can read.
fn readable(encoding: Encoding, data: &Bytes) -> Result<Chunk> {
    let (encoding, data) = match encoding {
        Encoding::Xor => (chunk::Encoding::Xor, data.clone()),
        Encoding::Histogram => (chunk::Encoding::Histogram, data.clone()),
        Encoding::FloatHistogram => (chunk::Encoding::FloatHistogram, data.clone()),
        Encoding::Xor2 => (chunk::Encoding::Xor, rewritten(data)?),
        Encoding::HistogramSt | Encoding::FloatHistogramSt | Encoding::Aggregates => {
            return Err(Error::unsupported(format!("{encoding:?} chunks over StoreAPI")));
        }
    };
    let hash = xxh64(&data, 0);
    Ok(Chunk { r#type: encoding.into(), data, hash })
}

/// The samples of an XOR2 chunk as an XOR chunk.
fn rewritten(data: &Bytes) -> Result<Bytes> {
    let mut floats = Floats::default();
    floats.decode(Encoding::Xor2, data)?;
    let mut encoder = XorEncoder::default();
    encoder.encode(floats.ts(), floats.values(), usize::MAX);
    Ok(Bytes::copy_from_slice(encoder.bytes()))
}

#[cfg(test)]
mod tests {
    use engine::model::TimeRange;

    use super::*;

    fn xor(values: &[f64]) -> Bytes {
        let ts: Vec<i64> = (1..=values.len() as i64).collect();
        let mut encoder = XorEncoder::default();
        encoder.encode(&ts, values, usize::MAX);
        Bytes::copy_from_slice(encoder.bytes())
    }

    fn kept(encoding: Encoding, bytes: Bytes) -> EncodedChunk {
        EncodedChunk { range: TimeRange::new(1, 3), encoding, bytes }
    }

    #[test]
    fn the_wanted_aggregates_are_sent() {
        let mut parts = AggregateChunks::default();
        parts.set(Aggregate::Count, Encoding::Xor, xor(&[1.0]));
        parts.set(Aggregate::Max, Encoding::Xor, xor(&[7.0]));
        let chunk = kept(Encoding::Aggregates, parts.encode());
        let (sent, _) = wire(std::slice::from_ref(&chunk), Aggregates::AVERAGE);
        assert_eq!(sent[0].count.as_ref().unwrap().data, xor(&[1.0]));
        assert_eq!(sent[0].count.as_ref().unwrap().hash, xxh64(&xor(&[1.0]), 0));
        assert_eq!((&sent[0].sum, &sent[0].max, &sent[0].raw), (&None, &None, &None));
        let (sent, _) = wire(&[chunk], Aggregates::of(Aggregate::Max));
        assert_eq!((sent[0].max.is_some(), sent[0].count.is_some()), (true, false));
    }

    #[test]
    fn xor2_becomes_xor_and_copies_are_sent_once() {
        let written = include_bytes!("../../../../engine/testdata/chunks/xor2-1.bin");
        let xor2 = kept(Encoding::Xor2, Bytes::from_static(written));
        let (sent, _) = wire(&[xor2.clone(), xor2.clone()], Aggregates::NONE);
        let [AggrChunk { raw: Some(raw), .. }] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(raw.r#type(), chunk::Encoding::Xor);
        let (mut expected, mut got) = (Floats::default(), Floats::default());
        expected.decode(Encoding::Xor2, &xor2.bytes).unwrap();
        got.decode(Encoding::Xor, &raw.data).unwrap();
        assert_eq!(got.ts(), expected.ts());
        let bits =
            |floats: &Floats| floats.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&got), bits(&expected));
    }

    #[test]
    fn what_is_no_chunk_is_left_out() {
        let good = kept(Encoding::Xor, xor(&[1.0, 2.0]));
        for encoding in [Encoding::Aggregates, Encoding::Xor2, Encoding::HistogramSt] {
            let bad = kept(encoding, Bytes::from_static(&[9]));
            let (sent, failed) = wire(&[bad, good.clone()], Aggregates::ALL);
            assert_eq!(sent.len(), 1, "{encoding:?}");
            assert!(failed.unwrap().to_string().contains("chunk from 1 to 3"));
        }
    }
}
