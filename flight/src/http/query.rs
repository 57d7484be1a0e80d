//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use engine::source::SelectOptions;
use futures::stream;
use promql::query::{Evaluation, QueryAnswer, QueryRequest, QueryValue};
use tokio_util::task::AbortOnDropHandle;

use super::error::{ApiError, ErrorType};
use super::explain::analysis;
use super::form::Form;
use super::json::{Answer, Payload};
use super::querier::{Querier, panic_message};
use super::selector;
use super::time::{duration_parameter, from_nanos, parse_duration, parse_time, time_parameter};

/// The most steps of a range query, less one.
const STEPS_MAX: i128 = 11_000;

pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// `GET` and `POST /query`.
pub(super) async fn instant(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let limit = limit(&form)?;
    let time = time_parameter(&form, "time", chrono::Utc::now().timestamp_millis())?;
    let request = request(&querier, &form, Evaluation::Instant { time }, limit)?;
    max_source_resolution(&form, 0)?;
    answer(&querier, &form, request).await
}

/// `GET` and `POST /query_range`.
pub(super) async fn range(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let limit = limit(&form)?;
    let bound = |name: &str| {
        parse_time(form.get(name)).map_err(|message| ApiError::parameter(name, message))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if end < start {
        let message = "end timestamp must not be before start time";
        return Err(ApiError::parameter("end", message));
    }
    let step_nanos = step(&querier, &form, start, end)?;
    let request = {
        let step = step_nanos / 1_000_000;
        request(&querier, &form, Evaluation::Range { start, end, step }, limit)?
    };
    max_source_resolution(&form, step_nanos / 5)?;
    answer(&querier, &form, request).await
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
    if step < 1_000_000 {
        let message = "zero or negative query resolution step widths are not accepted. \
                       Try a positive integer";
        return Err(ApiError::parameter("step", message));
    }
    if range_ms * 1_000_000 / i128::from(step) > STEPS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(step)
}

/// The most series of the answer; 0 means no limit.
pub(super) fn limit(form: &Form) -> Result<usize, ApiError> {
    match form.get("limit") {
        "" => Ok(0),
        text => match text.parse::<i64>() {
            Ok(number) => usize::try_from(number)
                .map_err(|_| ApiError::parameter("limit", "limit must be non-negative")),
            Err(_) => {
                let message = format!("strconv.Atoi: parsing {text:?}: invalid syntax");
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
    let lookback = match duration_parameter(form, "lookback_delta") {
        Ok(Some(nanos)) if nanos > 0 => from_nanos(nanos),
        Ok(_) => settings.lookback,
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
        timeout,
        limit,
        select: select_options(querier, form)?,
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

/// The coarsest resolution wanted, in ns: `auto` is `default`. There are only raw blocks, so it is
/// read for its errors.
fn max_source_resolution(form: &Form, default: i64) -> Result<i64, ApiError> {
    const NAME: &str = "max_source_resolution";
    if form.get(NAME) == "auto" {
        return Ok(default);
    }
    match duration_parameter(form, NAME)? {
        Some(nanos) if nanos < 0 => Err(ApiError::bad_data(format!(
            "negative '{NAME}' is not accepted. Try a positive integer"
        ))),
        nanos => Ok(nanos.unwrap_or(0)),
    }
}

/// Thanos' choice of an engine: both names mean the one that there is.
fn engine_parameter(form: &Form) -> Result<(), ApiError> {
    match form.get("engine") {
        "" | "prometheus" | "thanos" => Ok(()),
        other => Err(ApiError::bad_data(format!("'{other}' bad engine"))),
    }
}

async fn answer(
    querier: &Arc<Querier>,
    form: &Form,
    request: QueryRequest,
) -> Result<Response, ApiError> {
    let limit = request.limit;
    let (answer, timings) = run(querier, request).await?;
    let QueryAnswer { mut value, mut warnings, infos, plan, .. } = answer;
    if limit > 0 && truncate(&mut value, limit) && !warnings.iter().any(|w| w == TRUNCATED) {
        warnings.push(TRUNCATED.to_owned());
    }
    let mut extras = Vec::new();
    match form.get("stats") {
        "" => {}
        text => {
            extras.push(("stats", timings.json()));
            if !matches!(text, "true" | "all") {
                warnings.push(format!(
                    "value {text:?} for parameter \"stats\" is deprecated and will be rejected in \
                     the next major release, use \"true\" or \"all\""
                ));
            }
        }
    }
    if matches!(form.get("analyze"), "true" | "1") {
        extras.push(("analysis", analysis(&plan)));
    }
    let answer = Answer::with_extras(Payload::Query(value), &extras, &warnings, &infos);
    Ok(respond(answer, &warnings))
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

/// How long a query waited and ran.
#[derive(Debug, Clone, Copy)]
struct Timings {
    queued: Duration,
    ran: Duration,
}

impl Timings {
    /// Prometheus' `stats.timings`. Preparation, evaluation and sorting are one plan here.
    fn json(self) -> String {
        let (queued, ran) = (self.queued.as_secs_f64(), self.ran.as_secs_f64());
        let total = queued + ran;
        format!(
            "{{\"timings\":{{\"evalTotalTime\":{ran},\"resultSortTime\":0,\
             \"queryPreparationTime\":0,\"innerEvalTime\":{ran},\"execQueueTime\":{queued},\
             \"execTotalTime\":{total}}}}}"
        )
    }
}

/// Runs a query behind the gate, on the runtime for queries, within its time. A client that goes
/// away drops this future, and with it the query.
async fn run(
    querier: &Arc<Querier>,
    request: QueryRequest,
) -> Result<(QueryAnswer, Timings), ApiError> {
    let arrived = Instant::now();
    let deadline = tokio::time::Instant::now() + request.timeout;
    let place = tokio::time::timeout_at(deadline, querier.gate.enter())
        .await
        .map_err(|_| ApiError::new(ErrorType::Timeout, "query timed out in query queue"))?;
    let began = Instant::now();
    let shared = Arc::clone(querier);
    // The place is held by the task itself: it is free again only when the work has really ended.
    let task = AbortOnDropHandle::new(querier.runtime.spawn(async move {
        let _place = place;
        shared.engine.query(request, Arc::clone(&shared.source)).await
    }));
    let timed_out =
        || ApiError::new(ErrorType::Timeout, "query timed out in expression evaluation");
    match tokio::time::timeout_at(deadline, task).await {
        Ok(Ok(Ok(answer))) => {
            Ok((answer, Timings { queued: began - arrived, ran: began.elapsed() }))
        }
        Ok(Ok(Err(error))) => Err(ApiError::from_engine("query", &error)),
        Ok(Err(ended)) => Err(ended_early(ended)),
        Err(_) => Err(timed_out()),
    }
}

/// A task that panicked or was ended with its runtime.
pub(super) fn ended_early(ended: tokio::task::JoinError) -> ApiError {
    match ended.try_into_panic() {
        Ok(panic) => ApiError::new(ErrorType::Internal, panic_message(&*panic)),
        Err(_) => ApiError::new(ErrorType::Canceled, "the server is ending"),
    }
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
