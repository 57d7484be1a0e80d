//! `/api/v1/query` and `/api/v1/query_range`.

use std::num::IntErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use engine::source::SelectOptions;
use futures::stream;
use promql::query::{Evaluation, QueryAnswer, QueryRequest, QueryValue};
use proto::thanos::ShardInfo;
use serde::Deserialize;

use super::downsampling;
use super::error::ApiError;
use super::explain;
use super::form::Form;
use super::json::stats::stats;
use super::json::{Answer, Payload};
use super::querier::Querier;
use super::selector;
use super::time::{duration_parameter, from_nanos, parse_duration, parse_time, time_parameter};
use crate::storeapi::server::request;

/// The most steps of a range query, less one.
const STEPS_MAX: i128 = 11_000;

pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// `GET` and `POST /query`.
pub(super) async fn instant(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let request = instant_request(&querier, &form)?;
    answer(&querier, &form, request).await
}

/// The request of an instant query.
pub(super) fn instant_request(querier: &Querier, form: &Form) -> Result<QueryRequest, ApiError> {
    let limit = limit(form)?;
    let time = time_parameter(form, "time", chrono::Utc::now().timestamp_millis())?;
    let auto = querier.settings.instant_max_resolution;
    request(querier, form, Evaluation::Instant { time }, limit, auto)
}

/// `GET` and `POST /query_range`.
pub(super) async fn range(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let request = range_request(&querier, &form)?;
    answer(&querier, &form, request).await
}

/// The request of a range query.
pub(super) fn range_request(querier: &Querier, form: &Form) -> Result<QueryRequest, ApiError> {
    let limit = limit(form)?;
    let bound = |name: &str| {
        parse_time(form.get(name)).map_err(|message| ApiError::parameter(name, message))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if end < start {
        let message = "end timestamp must not be before start time";
        return Err(ApiError::parameter("end", message));
    }
    let step_nanos = step(querier, form, start, end)?;
    let evaluation = Evaluation::Range { start, end, step: step_nanos / 1_000_000 };
    // At least five samples a step.
    let auto = from_nanos(step_nanos / 5);
    request(querier, form, evaluation, limit, auto)
}

/// The step in ns, at least a millisecond; without one it is `max(range / 250, default)`, in whole
/// seconds, as Thanos' page has it.
fn step(querier: &Querier, form: &Form, start: i64, end: i64) -> Result<i64, ApiError> {
    let range_ms = i128::from(end) - i128::from(start);
    let step = match form.get("step") {
        "" => {
            let seconds = i64::try_from(range_ms / 1000 / 250).unwrap_or(i64::MAX / 1_000_000_000);
            let default = querier.settings.default_step.as_secs() as i64;
            seconds.max(default).max(1).saturating_mul(1_000_000_000)
        }
        text => parse_duration(text).map_err(|message| ApiError::parameter("step", message))?,
    };
    let refused = || {
        let message = "zero or negative query resolution step widths are not accepted. \
                       Try a positive integer";
        ApiError::parameter("step", message)
    };
    if step <= 0 {
        return Err(refused());
    }
    check_steps(range_ms, step)?;
    // Prometheus divides by zero here.
    if step < 1_000_000 { Err(refused()) } else { Ok(step) }
}

/// Refuses a range of so many ms with more steps of so many ns than anybody can look at.
pub(crate) fn check_steps(range_ms: i128, step: i64) -> Result<(), ApiError> {
    if range_ms * 1_000_000 / i128::from(step) > STEPS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(())
}

/// The most series of the answer; 0 means no limit.
pub(super) fn limit(form: &Form) -> Result<usize, ApiError> {
    match form.get("limit") {
        "" => Ok(0),
        text => match text.parse::<i64>() {
            Ok(number) => usize::try_from(number)
                .map_err(|_| ApiError::parameter("limit", "limit must be non-negative")),
            Err(error) => {
                let what = match error.kind() {
                    IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                let message = format!("strconv.Atoi: parsing {text:?}: {what}");
                Err(ApiError::parameter("limit", message))
            }
        },
    }
}

fn request(
    querier: &Querier,
    form: &Form,
    evaluation: Evaluation,
    limit: usize,
    auto_resolution: Duration,
) -> Result<QueryRequest, ApiError> {
    let settings = &querier.settings;
    let timeout = match form.get("timeout") {
        "" => settings.timeout,
        text => {
            let nanos =
                parse_duration(text).map_err(|message| ApiError::parameter("timeout", message))?;
            from_nanos(nanos).min(settings.timeout)
        }
    };
    let resolution = form.get(downsampling::NAME);
    let max_resolution = downsampling::max_resolution(resolution, settings, auto_resolution)?;
    let lookback = match duration_parameter(form, "lookback_delta") {
        Ok(Some(nanos)) if nanos > 0 => from_nanos(nanos),
        Ok(_) => settings.lookback_at(max_resolution),
        Err(_) => {
            let text = form.get("lookback_delta");
            let message = parse_duration(text).err().unwrap_or_default();
            return Err(ApiError::bad_data(format!(
                "error parsing lookback delta duration: {message}"
            )));
        }
    };
    engine_parameter(form)?;
    Ok(QueryRequest {
        query: form.promql()?.to_owned(),
        evaluation,
        lookback,
        default_subquery_step: settings.default_evaluation_interval,
        max_resolution,
        timeout,
        limit,
        select: select_options(querier, form)?,
        stats: !form.get("stats").is_empty(),
        analyze: matches!(form.get("analyze"), "true" | "1"),
    })
}

/// Thanos' parameters of what is selected.
pub(super) fn select_options(querier: &Querier, form: &Form) -> Result<SelectOptions, ApiError> {
    let mut options = querier.settings.select.clone();
    options.dedup = boolean(form, "dedup", options.dedup)?;
    options.partial_response = boolean(form, "partial_response", options.partial_response)?;
    let labels: Vec<String> = form.all("replicaLabels[]").map(str::to_owned).collect();
    if !labels.is_empty() {
        options.replica_labels = labels;
    }
    for text in form.all("storeMatch[]") {
        options.source_matchers.push(selector::parse(text).map_err(ApiError::bad_data)?);
    }
    Ok(options)
}

/// A boolean as Go's `ParseBool` takes it.
fn boolean(form: &Form, name: &str, default: bool) -> Result<bool, ApiError> {
    match form.get(name) {
        "" => Ok(default),
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        text => {
            let message = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
            Err(ApiError::thanos_parameter(name, message))
        }
    }
}

/// Thanos' choice of an engine: both names mean the one that there is.
fn engine_parameter(form: &Form) -> Result<(), ApiError> {
    match form.get("engine") {
        "" | "prometheus" | "thanos" => Ok(()),
        other => Err(ApiError::bad_data(format!("'{other}' bad engine"))),
    }
}

/// A shard in JSON, as Thanos' query frontend sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShardParameter {
    shard_index: i64,
    total_shards: i64,
    by: bool,
    labels: Option<Vec<String>>,
}

/// The shard that a query is about.
pub(super) fn shard(form: &Form) -> Result<Option<ShardInfo>, ApiError> {
    const NAME: &str = "shard_info";
    let text = form.get(NAME);
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |what: &dyn std::fmt::Display| {
        ApiError::bad_data(format!("could not parse parameter {NAME}: {what}"))
    };
    let ShardParameter { shard_index, total_shards, by, labels } =
        serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let shard = ShardInfo { shard_index, total_shards, by, labels: labels.unwrap_or_default() };
    request::shard(Some(&shard)).map_err(|status| wrong(&status.message()))?;
    Ok(Some(shard))
}

async fn answer(
    querier: &Arc<Querier>,
    form: &Form,
    request: QueryRequest,
) -> Result<Response, ApiError> {
    let QueryRequest { limit, analyze, .. } = request;
    let (answer, queued) = querier.evaluate(request, shard(form)?).await?;
    let QueryAnswer { mut value, mut warnings, infos, timings, samples, plan, memory } = answer;
    if limit > 0 && truncate(&mut value, limit) && !warnings.iter().any(|w| w == TRUNCATED) {
        warnings.push(TRUNCATED.to_owned());
    }
    let mut extras = Vec::new();
    match form.get("stats") {
        "" => {}
        text => {
            let per_step = text == "all" && querier.engine.features().per_step_stats;
            let samples = samples.unwrap_or_default();
            extras.push(("stats", stats(queued, timings, &samples, per_step)));
            if !matches!(text, "true" | "all") {
                warnings.push(format!(
                    "value {text:?} for parameter \"stats\" is deprecated and will be rejected in \
                     the next major release, use \"true\" or \"all\""
                ));
            }
        }
    }
    if analyze {
        extras.push(("analysis", plan.as_ref().map_or_else(|| "{}".to_owned(), explain::json)));
    }
    let answer = Answer::with_extras(Payload::Query(value), &extras, &warnings, &infos);
    Ok(respond(answer.holding(memory), &warnings))
}

fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    let before = match value {
        QueryValue::Vector(_, series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
        QueryValue::Matrix(series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
        QueryValue::Scalar(..) | QueryValue::String(..) => 0,
    };
    before > limit
}

/// An answer as a response: at once if it is one chunk, else chunk by chunk as the client reads.
pub(super) fn respond(mut answer: Answer, warnings: &[String]) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // What is missing now may be there later; PromQL's own warnings will be the same.
    if warnings.iter().any(|warning| !warning.starts_with("PromQL")) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let mut first = Vec::with_capacity(4096);
    if !answer.fill(&mut first) {
        return (headers, first).into_response();
    }
    let rest = stream::unfold((Some(first), Some(answer)), |(ready, answer)| async move {
        if let Some(chunk) = ready {
            return Some((Ok::<_, std::convert::Infallible>(Bytes::from(chunk)), (None, answer)));
        }
        let mut answer = answer?;
        let mut chunk = Vec::with_capacity(super::json::answer::CHUNK_BYTES + 256);
        let more = answer.fill(&mut chunk);
        Some((Ok(Bytes::from(chunk)), (None, more.then_some(answer))))
    });
    (headers, Body::from_stream(rest)).into_response()
}
