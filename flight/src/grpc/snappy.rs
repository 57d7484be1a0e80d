//! `grpc-encoding: snappy` in both directions. tonic knows only gzip, deflate and zstd, so a server's
//! requests are unpacked before it sees them, and answers to such requests are packed after it wrote
//! them; a client's requests are packed and their answers unpacked ([`SnappyClient`]).
//!
//! Thanos' snappy is the framing format (`pkg/extgrpc/snappy`), not the raw block format.

use std::io::{Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::MAX_REQUEST_BYTES;
use super::frames::{Frames, framed};

const ENCODING: &str = "grpc-encoding";
const ACCEPT: &str = "grpc-accept-encoding";
const SNAPPY: HeaderValue = HeaderValue::from_static("snappy");

/// Puts [`Snappy`] around a server's services.
#[derive(Debug, Clone, Copy)]
pub(super) struct SnappyLayer;

impl<S> Layer<S> for SnappyLayer {
    type Service = Snappy<S>;

    fn layer(&self, inner: S) -> Snappy<S> {
        Snappy { inner }
    }
}

/// Unpacks requests, packs answers.
#[derive(Debug, Clone)]
pub(super) struct Snappy<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Snappy<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let packed = request.headers().get(ENCODING) == Some(&SNAPPY);
        if packed {
            request.headers_mut().remove(ENCODING);
            let most = MAX_REQUEST_BYTES;
            request = request.map(|body| Body::new(Repacked::new(body, Direction::Unpack, most)));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            // An answer without messages has its status in its head.
            let has_body = !response.headers().contains_key("grpc-status");
            response.headers_mut().insert(ACCEPT, SNAPPY);
            if packed && has_body {
                response.headers_mut().insert(ENCODING, SNAPPY);
                let most = super::MAX_RESPONSE_BYTES;
                response =
                    response.map(|body| Body::new(Repacked::new(body, Direction::Pack, most)));
            }
            Ok(response)
        })
    }
}

/// A client's calls, packed; answers are taken as the server has them.
#[derive(Debug, Clone)]
pub(crate) struct SnappyClient<S> {
    inner: S,
    /// The longest message of an answer, unpacked.
    most: usize,
}

impl<S> SnappyClient<S> {
    /// Calls through `inner`, which take messages of at most `most` bytes.
    pub(crate) fn new(inner: S, most: usize) -> Self {
        Self { inner, most }
    }
}

impl<S> Service<Request<Body>> for SnappyClient<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(ENCODING, SNAPPY);
        request.headers_mut().insert(ACCEPT, SNAPPY);
        let pack = |body| Body::new(Repacked::new(body, Direction::Pack, MAX_REQUEST_BYTES));
        let answer = self.inner.call(request.map(pack));
        let most = self.most;
        Box::pin(async move {
            let mut response = answer.await?;
            if response.headers().get(ENCODING) == Some(&SNAPPY) {
                response.headers_mut().remove(ENCODING);
                response =
                    response.map(|body| Body::new(Repacked::new(body, Direction::Unpack, most)));
            }
            Ok(response)
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Pack,
    Unpack,
}

/// A body whose messages are packed or unpacked on the way.
#[derive(Debug)]
struct Repacked {
    body: Body,
    frames: Frames,
    direction: Direction,
    /// The longest message, packed or not.
    most: usize,
}

impl Repacked {
    fn new(body: Body, direction: Direction, most: usize) -> Self {
        Self { body, frames: Frames::new(most), direction, most }
    }

    /// The next message, changed.
    fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(message) = self.frames.next()? else { return Ok(None) };
        match (self.direction, message.compressed) {
            (Direction::Pack, false) => framed(true, &pack(&message.bytes)?),
            (Direction::Unpack, true) => framed(false, &unpack(&message.bytes, self.most)?),
            (Direction::Unpack, false) => framed(false, &message.bytes),
            (Direction::Pack, true) => Err(Status::internal("an answer is compressed already")),
        }
        .map(Some)
    }
}

impl http_body::Body for Repacked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(message) = self.message().transpose() {
                return Poll::Ready(Some(message.map(Frame::data)));
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?;
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => self.frames.push(&data),
                // Trailers, or the end.
                rest => {
                    if self.frames.is_inside() {
                        return Poll::Ready(Some(Err(Status::internal("a message ends early"))));
                    }
                    return Poll::Ready(rest.and_then(Result::err).map(Ok));
                }
            }
        }
    }
}

fn pack(message: &[u8]) -> Result<Vec<u8>, Status> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::with_capacity(message.len() / 2 + 64));
    let packed = encoder.write_all(message).and_then(|()| {
        encoder.into_inner().map_err(|error| std::io::Error::other(error.to_string()))
    });
    packed.map_err(|error| Status::internal(format!("snappy: {error}")))
}

fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Status> {
    let mut message = Vec::new();
    let most = most as u64;
    let unpacked = snap::read::FrameDecoder::new(packed).take(most + 1).read_to_end(&mut message);
    unpacked.map_err(|error| Status::internal(format!("snappy: {error}")))?;
    if message.len() as u64 > most {
        return Err(Status::resource_exhausted(format!(
            "received message after decompression larger than max (over {most})"
        )));
    }
    Ok(message)
}
