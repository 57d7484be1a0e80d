//! A connection to an endpoint, and how messages on it are compressed.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower::Service;

use super::spec::Compression;
use crate::grpc::snappy::SnappyClient;
use crate::storeapi::client::FRAME_BYTES_MAX;

/// What clients of an endpoint call through. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Connection(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Plain(Channel),
    Snappy(SnappyClient<Channel>),
}

impl Connection {
    /// Calls through `channel`.
    pub fn new(channel: Channel, compression: Compression) -> Self {
        Self(match compression {
            Compression::None => Kind::Plain(channel),
            Compression::Snappy => Kind::Snappy(SnappyClient::new(channel, FRAME_BYTES_MAX)),
        })
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.0 {
            Kind::Plain(channel) => channel.poll_ready(context),
            Kind::Snappy(client) => client.poll_ready(context),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &mut self.0 {
            Kind::Plain(channel) => channel.call(request).boxed(),
            Kind::Snappy(client) => client.call(request),
        }
    }
}
