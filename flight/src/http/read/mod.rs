//! `POST /read`: Prometheus' remote read (`storage/remote/read_handler.go`).
//!
//! ```text
//! body ── request ── select: series in order of their labels, encoded ─┬─ frames: chunks, streamed
//!         snappy,    a query at a time, behind the gate                └─ samples: one message, snappy
//!         protobuf
//! ```
//!
//! Series are those that PromQL sees: replicas made one, external labels on. The protocol has no place
//! for warnings, so what cannot be read is an error, unless `?partial_response=true` stands in the URL,
//! where Thanos' other parameters of the selection are taken too.
//!
//! | module | holds |
//! |---|---|
//! | `request` | a body to queries |
//! | `wire` | whether bytes are such a message, in the words of Prometheus' decoder |
//! | `select` | a query to series and chunks |
//! | `frames` | the streamed answer |
//! | `samples` | the answer in one message |
//! | `failure` | errors, as Prometheus tells them |

mod failure;
mod frames;
mod request;
mod samples;
mod select;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::source::SelectOptions;
use futures::stream;
use proto::prometheus::Query;
use proto::prometheus::read_request::ResponseType;

use super::form::Form;
use super::querier::Querier;
use super::query::select_options;
use failure::Failure;
use frames::Frames;

/// The content type of a streamed answer, without its parameter.
pub(super) const STREAMED: &str = "application/x-streamed-protobuf";

/// `POST /read`.
pub(super) async fn read(State(querier): State<Arc<Querier>>, request: Request) -> Response {
    let answer = answer(&querier, request).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(querier: &Arc<Querier>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::of_url(parts.uri.query())?;
    let mut options = select_options(querier, &form)?;
    options.partial_response &= !form.get("partial_response").is_empty();
    let asked = request::read(body).await?;
    match request::negotiate(&asked.accepted_response_types).map_err(Failure::bad_request)? {
        ResponseType::Samples => {
            let body = samples::answer(querier, asked.queries, options).await?;
            let headers = [(CONTENT_TYPE, "application/x-protobuf"), (CONTENT_ENCODING, "snappy")];
            Ok((headers, body).into_response())
        }
        ResponseType::StreamedXorChunks => {
            let mut stream = Stream {
                querier: Arc::clone(querier),
                queries: asked.queries.into_iter().enumerate().collect(),
                options,
                frames: Frames::default(),
            };
            // A failure before the first frame is one of the request; a later one breaks the answer off.
            let first = stream.next().await?;
            let started = first.map(|frame| (frame, stream));
            let frames = stream::try_unfold(started, |state| async {
                let Some((frame, mut stream)) = state else { return Ok(None) };
                let next = stream.next().await.inspect_err(Failure::log)?;
                Ok::<_, Failure>(Some((frame, next.map(|frame| (frame, stream)))))
            });
            let kind = format!("{STREAMED}; proto=prometheus.ChunkedReadResponse");
            Ok(([(CONTENT_TYPE, kind)], Body::from_stream(frames)).into_response())
        }
    }
}

/// A streamed answer, and how far it has come: series are selected a query at a time, when the client
/// has taken those of the query before.
struct Stream {
    querier: Arc<Querier>,
    queries: VecDeque<(usize, Query)>,
    options: SelectOptions,
    frames: Frames,
}

impl Stream {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(Some(frame));
            }
            let Some((index, query)) = self.queries.pop_front() else { return Ok(None) };
            let selected = select::select(&self.querier, query, &self.options).await?;
            self.frames = Frames::new(index, selected);
        }
    }
}
