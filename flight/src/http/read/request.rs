//! A body to queries: a message in a block of snappy (`DecodeReadRequest` in `storage/remote/codec.go`).

use axum::body::Body;
use prost::Message as _;
use proto::prometheus::ReadRequest;
use proto::prometheus::read_request::ResponseType;

use super::failure::Failure;
use super::wire;
use crate::http::body;

/// The longest body, and the longest message in it (`decodeReadLimit`).
const BYTES_MAX: usize = 32 << 20;

/// Reads the queries in a body. As in Prometheus, what is behind [`BYTES_MAX`] is not seen.
pub(super) async fn read(body: Body) -> Result<ReadRequest, Failure> {
    let (packed, _) = body::first(body, BYTES_MAX)
        .await
        .map_err(|interrupted| Failure::bad_request(interrupted.to_string()))?;
    decode(&packed).map_err(Failure::bad_request)
}

fn decode(packed: &[u8]) -> Result<ReadRequest, String> {
    let message = unpack(packed)?;
    wire::check(&message, &wire::READ_REQUEST)?;
    ReadRequest::decode(message.as_slice()).map_err(|error| error.to_string())
}

/// Unpacks a block, whose claim of a length is held against the limit first.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    const CORRUPT: &str = "snappy: corrupt input";
    if packed.is_empty() {
        return Err(CORRUPT.to_owned());
    }
    let length = snap::raw::decompress_len(packed).map_err(|_| CORRUPT.to_owned())?;
    if length > BYTES_MAX {
        return Err(format!("snappy: decoded length {length} exceeds limit {BYTES_MAX}"));
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| CORRUPT.to_owned())
}

/// The first of the `accepted` types that there is; samples if none is named
/// (`NegotiateResponseType`).
pub(super) fn negotiate(accepted: &[i32]) -> Result<ResponseType, String> {
    if accepted.is_empty() {
        return Ok(ResponseType::Samples);
    }
    let known = |&number: &i32| ResponseType::try_from(number).ok();
    accepted.iter().find_map(known).ok_or_else(|| {
        let numbers: Vec<String> = accepted.iter().map(i32::to_string).collect();
        format!(
            "server does not support any of the requested response types: [{}]; supported: \
             map[SAMPLES:{{}} STREAMED_XOR_CHUNKS:{{}}]",
            numbers.join(" ")
        )
    })
}

#[cfg(test)]
mod tests {
    use proto::prometheus::Query;

    use super::*;

    fn packed(message: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(message).unwrap()
    }

    #[test]
    fn claims_and_garbage_are_told_as_prometheus_tells_them() {
        for (body, text) in [
            (vec![], "snappy: corrupt input"),
            (b"no snappy".to_vec(), "snappy: corrupt input"),
            (vec![0xff; 12], "snappy: corrupt input"),
            // 2.5 GB in five bytes.
            (
                vec![0x80, 0xf2, 0x8b, 0xa8, 0x09],
                "snappy: decoded length 2500000000 exceeds limit 33554432",
            ),
            (packed(&[0x0a]), "unexpected EOF"),
        ] {
            assert_eq!(decode(&body).unwrap_err(), text, "{body:?}");
        }
    }

    #[test]
    fn what_is_a_request_is_read() {
        let query = Query { start_timestamp_ms: 1, end_timestamp_ms: 2, ..Query::default() };
        let request = ReadRequest { queries: vec![query], accepted_response_types: vec![1, 0] };
        assert_eq!(decode(&packed(&request.encode_to_vec())).unwrap(), request);
        assert_eq!(decode(&packed(&[])).unwrap(), ReadRequest::default());
    }

    #[test]
    fn the_first_type_that_is_known_is_taken() {
        assert_eq!(negotiate(&[]), Ok(ResponseType::Samples));
        assert_eq!(negotiate(&[9, 1, 0]), Ok(ResponseType::StreamedXorChunks));
        assert_eq!(negotiate(&[0, 1]), Ok(ResponseType::Samples));
        assert!(negotiate(&[5, 7]).unwrap_err().contains("types: [5 7]; supported"));
    }
}
