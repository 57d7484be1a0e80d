//! The two methods of Query.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, stream};
use proto::thanos::query_server::{Query, QueryServer};
use proto::thanos::{QueryRangeRequest, QueryRangeResponse, QueryRequest, QueryResponse};
use tonic::{Request, Response, Status};

use super::answer::{Frame, frames};
use super::request::{self, Asked};
use crate::grpc::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use crate::http::Querier;
use crate::http::error::{ApiError, ErrorType};

/// Thanos' Query over a querier.
#[derive(Debug)]
pub struct QueryService {
    querier: Arc<Querier>,
}

/// The frames of an answer.
type Frames<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl QueryService {
    /// A service that asks `querier`.
    pub fn new(querier: Arc<Querier>) -> Self {
        Self { querier }
    }

    /// The service, ready to be served.
    pub fn into_server(self) -> QueryServer<Self> {
        QueryServer::new(self)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    fn check_ready(&self) -> Result<(), Status> {
        if self.querier.readiness.is_starting() {
            return Err(Status::unavailable("the querier is not ready"));
        }
        Ok(())
    }

    async fn answer<T: From<Frame> + Send + 'static>(
        &self,
        asked: Asked,
        errors_warn: bool,
    ) -> Result<Response<Frames<T>>, Status> {
        let Asked { query, shard, batch } = asked;
        let frames: Frames<T> = match self.querier.evaluate(query, shard).await {
            Ok((answer, _)) => {
                Box::pin(stream::iter(frames(answer, batch).map(|frame| Ok(frame.into()))))
            }
            Err(error) if errors_warn && error.kind != ErrorType::BadData => {
                Box::pin(stream::iter([Ok(Frame::Warnings(error.message).into())]))
            }
            Err(error) => return Err(status(error)),
        };
        Ok(Response::new(frames))
    }
}

/// Thanos aborts whatever failed; only what the request itself got wrong is told apart.
fn status(error: ApiError) -> Status {
    match error.kind {
        ErrorType::BadData | ErrorType::TooLarge => Status::invalid_argument(error.message),
        _ => Status::aborted(error.message),
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    type QueryStream = Frames<QueryResponse>;
    type QueryRangeStream = Frames<QueryRangeResponse>;

    async fn query(
        &self,
        request: Request<QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        self.check_ready()?;
        let request = request.into_inner();
        let errors_warn = request.enable_partial_response;
        let now = chrono::Utc::now().timestamp_millis();
        let asked = request::instant(&self.querier.settings, request, now)?;
        self.answer(asked, errors_warn).await
    }

    async fn query_range(
        &self,
        request: Request<QueryRangeRequest>,
    ) -> Result<Response<Self::QueryRangeStream>, Status> {
        self.check_ready()?;
        let asked = request::range(&self.querier.settings, request.into_inner())?;
        self.answer(asked, false).await
    }
}
