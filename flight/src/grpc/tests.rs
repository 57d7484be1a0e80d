//! Message compression around a service that echoes, and what it makes of wrong bytes.

use std::convert::Infallible;
use std::io::Write;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::MAX_REQUEST_BYTES;
use super::frames::framed;
use super::snappy::{SnappyClient, SnappyLayer};

fn packed(message: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(message).unwrap();
    encoder.into_inner().unwrap()
}

fn unpacked(mut bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    std::io::copy(&mut snap::read::FrameDecoder::new(&mut bytes), &mut message).unwrap();
    message
}

/// Sends a body in pieces; out come the answer's headers and body, or what the service saw fail.
async fn call(pieces: Vec<Bytes>, encoding: Option<&str>) -> Result<(HeaderMap, Bytes), Code> {
    let echo = service_fn(|request: Request<Body>| async move {
        assert!(!request.headers().contains_key("grpc-encoding"), "tonic does not know it");
        let answer = match request.into_body().collect().await {
            Ok(body) => Response::new(Body::new(Full::new(body.to_bytes()))),
            Err(status) => status.into_http(),
        };
        Ok::<_, Infallible>(answer)
    });
    let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(http_body::Frame::data(piece)));
    let mut request = Request::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
    if let Some(encoding) = encoding {
        request.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
    }
    let mut service = SnappyLayer.layer(echo);
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    if let Some(status) = response.headers().get("grpc-status") {
        assert!(!response.headers().contains_key("grpc-encoding"), "there is no message to pack");
        return Err(Code::from_bytes(status.as_bytes()));
    }
    let headers = response.headers().clone();
    Ok((headers, response.into_body().collect().await.unwrap().to_bytes()))
}

async fn refused(body: Vec<u8>) -> Code {
    call(vec![Bytes::from(body)], Some("snappy")).await.expect_err("the body is wrong")
}

#[tokio::test]
async fn packed_requests_get_packed_answers() {
    let messages = [b"first".to_vec(), Vec::new(), vec![7; 300_000]];
    let mut body = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        // A client may leave a message as it is.
        let bytes = if at == 0 { message.clone() } else { packed(message) };
        body.extend_from_slice(&framed(at != 0, &bytes).unwrap());
    }
    for piece in [1, 7, body.len()] {
        let pieces = body.chunks(piece).map(Bytes::copy_from_slice).collect();
        let (headers, answer) = call(pieces, Some("snappy")).await.unwrap();
        assert_eq!(headers["grpc-encoding"], "snappy");
        assert_eq!(headers["grpc-accept-encoding"], "snappy");
        let mut rest = &answer[..];
        for message in &messages {
            let (head, behind) = rest.split_at(5);
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            assert_eq!(head[0], 1);
            assert_eq!(unpacked(&behind[..length]), *message);
            rest = &behind[length..];
        }
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn plain_requests_are_left_alone() {
    let body = framed(false, b"message").unwrap();
    let (headers, answer) = call(vec![body.clone()], None).await.unwrap();
    assert!(!headers.contains_key("grpc-encoding"));
    assert_eq!(headers["grpc-accept-encoding"], "snappy", "a client may use it");
    assert_eq!(answer, body);
}

#[tokio::test]
async fn bombs_and_lies_are_refused() {
    // 65 MiB of zeros are 3 MiB packed.
    let bomb = packed(&vec![0; MAX_REQUEST_BYTES + 1]);
    assert_eq!(refused(framed(true, &bomb).unwrap().to_vec()).await, Code::ResourceExhausted);
    assert_eq!(refused(vec![1, 0xff, 0xff, 0xff, 0xff, 0]).await, Code::ResourceExhausted);
}

#[tokio::test]
async fn half_and_wrong_messages_are_refused() {
    let whole = framed(true, &packed(b"a message")).unwrap().to_vec();
    for length in 1..whole.len() {
        assert_eq!(refused(whole[..length].to_vec()).await, Code::Internal, "cut at {length}");
    }
    assert_eq!(refused(vec![2, 0, 0, 0, 0]).await, Code::Internal);
    assert_eq!(refused(framed(true, b"no snappy").unwrap().to_vec()).await, Code::Internal);
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(damaged).await, Code::Internal, "the checksum is looked at");
}

/// A client that packs, before a server that unpacks: neither side of them sees it.
#[tokio::test]
async fn a_client_packs_and_unpacks() {
    let echo = service_fn(|request: Request<Body>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Body::new(Full::new(body))))
    });
    let watched = service_fn(move |request: Request<Body>| async move {
        assert_eq!(request.headers()["grpc-encoding"], "snappy");
        let response = SnappyLayer.layer(echo).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["grpc-encoding"], "snappy");
        Ok::<_, Infallible>(response)
    });
    let message = vec![7; 300_000];
    let body = framed(false, &message).unwrap();
    let ask = async |most: usize| {
        let request = Request::new(Body::new(Full::new(body.clone())));
        let response = SnappyClient::new(watched, most).oneshot(request).await.unwrap();
        assert!(!response.headers().contains_key("grpc-encoding"), "tonic does not know it");
        response.into_body().collect().await.map(|body| body.to_bytes())
    };
    assert_eq!(ask(message.len()).await.unwrap(), body);
    let error = ask(message.len() - 1).await.expect_err("it is longer than is taken");
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
}
