//! The answer of a server that streams no chunks: all samples in one block of snappy. They become
//! chunks here, so that the rest need not know.

use engine::chunk::{Encoding, XorEncoder};
use engine::model::TimeRange;
use engine::source::{ChunkBuffer, EncodedChunk};
use engine::{Error, ErrorKind, Result};
use prost::Message as _;
use proto::prometheus::ReadResponse;
use proto::prometheus_copy::Sample;
use reqwest::Response;

use super::Taking;
use super::frames::broken;
use crate::sidecar::prometheus::read;

/// Most bytes of an answer, packed and unpacked.
const MAX_PACKED: usize = 256 << 20;
const MAX_UNPACKED: usize = 1 << 30;
/// Samples of a chunk, as in Thanos (`MaxSamplesPerChunk`).
const CHUNK: usize = 120;

/// Takes an answer of samples.
pub(super) async fn take(
    response: Response,
    taking: &mut Taking<'_>,
    buffer: &mut ChunkBuffer,
) -> Result<()> {
    let body = read(response, MAX_PACKED).await.map_err(|e| e.context("remote read"))?;
    let message = unpack(&body)?;
    let answer = ReadResponse::decode(message.as_slice()).map_err(broken)?;
    let [result] = answer.results.as_slice() else {
        return Err(broken(format!("{} results to one query", answer.results.len())));
    };
    for series in &result.timeseries {
        if !series.samples.is_empty() {
            let labels = taking.labels(&series.labels)?;
            let chunks = chunks(&series.samples).map_err(|e| e.context(&labels))?;
            buffer.push(labels, chunks)?;
        }
    }
    Ok(())
}

/// Unpacks a block; its claim of a length is held against the limit first.
fn unpack(body: &[u8]) -> Result<Vec<u8>> {
    let length = snap::raw::decompress_len(body).map_err(broken)?;
    if length > MAX_UNPACKED {
        let what = format!("remote read: an answer of {length} bytes, more than {MAX_UNPACKED}");
        return Err(Error::new(ErrorKind::ResourcesExhausted, what));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(broken)
}

fn chunks(samples: &[Sample]) -> Result<Vec<EncodedChunk>> {
    if !samples.is_sorted_by(|a, b| a.timestamp < b.timestamp) {
        return Err(broken("samples out of order"));
    }
    let mut encoder = XorEncoder::default();
    let chunk = |samples: &[Sample]| {
        let ts: Vec<i64> = samples.iter().map(|sample| sample.timestamp).collect();
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        encoder.encode(&ts, &values, usize::MAX);
        EncodedChunk {
            range: TimeRange::new(ts[0], ts[ts.len() - 1]),
            encoding: Encoding::Xor,
            bytes: encoder.bytes().to_vec().into(),
        }
    };
    Ok(samples.chunks(CHUNK).map(chunk).collect())
}

#[cfg(test)]
mod tests {
    use engine::chunk::Floats;

    use super::*;

    #[test]
    fn samples_become_chunks_bit_for_bit() {
        let values = [0.0, -0.0, f64::from_bits(0x7ff0_0000_0000_0002), 1.5];
        let sample = |at: usize| Sample { timestamp: at as i64 * 15_000, value: values[at % 4] };
        let samples: Vec<Sample> = (0..250).map(sample).collect();
        let chunks = chunks(&samples).unwrap();
        let lengths: Vec<usize> = chunks.iter().map(EncodedChunk::samples).collect();
        assert_eq!(lengths, [120, 120, 10]);
        assert_eq!(chunks[1].range, TimeRange::new(120 * 15_000, 239 * 15_000));
        let mut floats = Floats::default();
        for chunk in &chunks {
            floats.decode(chunk.encoding, &chunk.bytes).unwrap();
        }
        let pairs = floats.ts().iter().zip(floats.values()).map(|(&t, v)| (t, v.to_bits()));
        let wanted = samples.iter().map(|s| (s.timestamp, s.value.to_bits()));
        assert!(pairs.eq(wanted));
    }

    #[test]
    fn lies_are_errors() {
        // A claim of 2 GiB in five bytes.
        let error = unpack(&[0x80, 0x80, 0x80, 0x80, 0x08]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
        assert!(unpack(b"\x05none").is_err());
        let sample = |timestamp| Sample { timestamp, value: 1.0 };
        let error = chunks(&[sample(1), sample(1)]).unwrap_err();
        assert!(error.to_string().contains("samples out of order"), "{error}");
    }
}
