//! What the endpoints know besides samples, asked of all at once: rules, alerts, targets, metadata,
//! exemplars, statistics; and the list of the endpoints themselves.
//!
//! An endpoint that fails or is late becomes a warning with its name, or the error of the request if
//! its flag (`--rule.partial-response` and its sisters) says so. What several replicas say is made
//! one by the configured replica labels, by Thanos' rules of what is equal.

mod exemplars;
mod metadata;
mod rules;
mod stores;
mod targets;
#[cfg(test)]
mod tests;
mod tsdb;

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use engine::{Error, ErrorKind};
use futures::future::join_all;
use proto::thanos::{Label, PartialResponseStrategy, ZLabelSet};
use serde_json::{Map, Value};
use tonic::{Status, Streaming};

pub(super) use exemplars::exemplars;
pub(super) use metadata::metadata;
pub(super) use rules::{alerts, rules};
pub(super) use stores::stores;
pub(super) use targets::targets;
pub(super) use tsdb::tsdb;

use super::error::ApiError;
use super::json::{Answer, Payload};
use super::querier::Querier;
use super::query::respond;
use crate::endpoints::connection::Connection;
use crate::endpoints::{Api, Endpoint};
use crate::storeapi::client::failure;

/// The longest message that is taken, and the most of one endpoint's answer.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// What was said, and by whom not.
#[derive(Debug)]
struct Gathered<T> {
    said: Vec<T>,
    warnings: Vec<String>,
}

/// A message of an answer: what it says, or a warning, or nothing.
type Said<T> = Option<Result<T, String>>;

/// Asks all endpoints that serve `api` at once. `call` begins a call; `read` takes a message apart.
async fn gather<M, T, F>(
    querier: &Querier,
    api: Api,
    partial: bool,
    call: impl Fn(Connection) -> F,
    read: impl Fn(M) -> Said<T>,
) -> Result<Gathered<T>, ApiError>
where
    M: prost::Message,
    F: Future<Output = Result<tonic::Response<Streaming<M>>, Status>>,
{
    let endpoints = querier.endpoints.serving(api);
    // The others' answers must still go out in time.
    let timeout = querier.settings.timeout.mul_f64(0.75);
    let (call, read) = (&call, &read);
    let asked = endpoints.iter().map(|endpoint| async move {
        if let Some(error) = endpoint.down() {
            return Err(error);
        }
        let address = endpoint.address();
        let answer = receive(address, call(endpoint.connection()), read);
        tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| Err(late(endpoint, timeout)))
    });
    let mut gathered = Gathered { said: Vec::new(), warnings: Vec::new() };
    for answer in join_all(asked).await {
        match answer {
            Ok((said, warnings)) => {
                gathered.said.extend(said);
                gathered.warnings.extend(warnings);
            }
            Err(error) if partial => gathered.warnings.push(error.to_string()),
            Err(error) => return Err(ApiError::from_engine("", &error)),
        }
    }
    if !partial && let Some(warning) = gathered.warnings.first() {
        let error = Error::new(ErrorKind::Unavailable, warning.clone());
        return Err(ApiError::from_engine("", &error));
    }
    gathered.warnings.sort_unstable();
    gathered.warnings.dedup();
    Ok(gathered)
}

fn late(endpoint: &Arc<Endpoint>, timeout: Duration) -> Error {
    let message = format!("{}: no answer within {timeout:?}", endpoint.address());
    Error::new(ErrorKind::Unavailable, message)
}

async fn receive<M: prost::Message, T>(
    address: &str,
    call: impl Future<Output = Result<tonic::Response<Streaming<M>>, Status>>,
    read: impl Fn(M) -> Said<T>,
) -> engine::Result<(Vec<T>, Vec<String>)> {
    let failed = |status: Status| failure(address, &status, false);
    let mut stream = call.await.map_err(failed)?.into_inner();
    let (mut said, mut warnings, mut bytes) = (Vec::new(), Vec::new(), 0usize);
    while let Some(message) = stream.message().await.map_err(failed)? {
        // Empty messages are not free either.
        bytes += message.encoded_len() + 64;
        if bytes > ANSWER_BYTES_MAX {
            let message = format!("{address}: an answer of more than {ANSWER_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        match read(message) {
            Some(Ok(one)) => said.push(one),
            Some(Err(warning)) => warnings.push(format!("{address}: {warning}")),
            None => {}
        }
    }
    Ok((said, warnings))
}

fn strategy(partial: bool) -> i32 {
    crate::storeapi::client::strategy(partial).into()
}

/// An answer of JSON.
fn answer(data: &Value, warnings: &[String]) -> Response {
    let payload = Payload::Raw(data.to_string().into_bytes());
    respond(Answer::with_extras(payload, &[], warnings, &[]), warnings)
}

/// Removes replica labels and sorts.
fn strip(set: &mut Option<ZLabelSet>, replica_labels: &[String]) {
    if let Some(set) = set {
        set.labels.retain(|label| !replica_labels.contains(&label.name));
        set.labels.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
    }
}

/// The labels of a set, to compare.
fn pairs(set: &Option<ZLabelSet>) -> impl Iterator<Item = (&str, &str)> {
    let labels: &[Label] = set.as_ref().map(|set| set.labels.as_slice()).unwrap_or_default();
    labels.iter().map(|label| (label.name.as_str(), label.value.as_str()))
}

fn labels_json(set: &Option<ZLabelSet>) -> Value {
    let pairs = pairs(set).map(|(name, value)| (name.to_owned(), Value::from(value)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

/// A time as Go writes it; none is its zero.
fn time_json(time: Option<&prost_types::Timestamp>) -> Value {
    let time = time.and_then(|time| {
        DateTime::<Utc>::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
    });
    time_text(time)
}

fn time_text(time: Option<DateTime<Utc>>) -> Value {
    match time {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        None => "0001-01-01T00:00:00Z".into(),
    }
}

fn strategy_json(strategy: PartialResponseStrategy) -> Value {
    strategy.as_str_name().into()
}
