//! What a request says, over what the flags say.

use std::time::Duration;

use engine::source::SelectOptions;
use promql::query::{self, Evaluation};
use proto::thanos::{EngineType, QueryRangeRequest, QueryRequest, ShardInfo, StoreMatchers};
use tonic::Status;

use crate::http::Settings;
use crate::http::query::check_steps;
use crate::storeapi::server::request::{invalid, matchers, shard};

/// A query, and how its answer is wanted.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) query: query::QueryRequest,
    /// The shard that it is about.
    pub(super) shard: Option<ShardInfo>,
    /// The most series in a frame; 0 and 1 are frames of one series each.
    pub(super) batch: usize,
}

/// What both requests have.
struct Common {
    query: String,
    evaluation: Evaluation,
    timeout: i64,
    max_resolution: i64,
    lookback: i64,
    engine: i32,
    replica_labels: Vec<String>,
    store_matchers: Vec<StoreMatchers>,
    dedup: bool,
    partial_response: bool,
    shard: Option<ShardInfo>,
    batch: i64,
}

/// An instant query; without a time it is `now` (ms).
pub(super) fn instant(
    settings: &Settings,
    request: QueryRequest,
    now: i64,
) -> Result<Asked, Status> {
    let time = match request.time_seconds {
        0 => now,
        seconds => millis("time_seconds", seconds)?,
    };
    let common = Common {
        query: request.query,
        evaluation: Evaluation::Instant { time },
        timeout: request.timeout_seconds,
        max_resolution: request.max_resolution_seconds,
        lookback: request.lookback_delta_seconds,
        engine: request.engine,
        replica_labels: request.replica_labels,
        store_matchers: request.store_matchers,
        dedup: request.enable_dedup,
        partial_response: request.enable_partial_response,
        shard: request.shard_info,
        batch: request.response_batch_size,
    };
    common.asked(settings)
}

/// A range query.
pub(super) fn range(settings: &Settings, request: QueryRangeRequest) -> Result<Asked, Status> {
    let start = millis("start_time_seconds", request.start_time_seconds)?;
    let end = millis("end_time_seconds", request.end_time_seconds)?;
    if end < start {
        return Err(invalid("end_time_seconds must not be before start_time_seconds"));
    }
    if request.interval_seconds <= 0 {
        return Err(invalid(format!(
            "interval_seconds must be positive: {}",
            request.interval_seconds
        )));
    }
    let step = millis("interval_seconds", request.interval_seconds)?;
    check_steps(i128::from(end) - i128::from(start), step.saturating_mul(1_000_000))
        .map_err(|error| invalid(error.message))?;
    let common = Common {
        query: request.query,
        evaluation: Evaluation::Range { start, end, step },
        timeout: request.timeout_seconds,
        max_resolution: request.max_resolution_seconds,
        lookback: request.lookback_delta_seconds,
        engine: request.engine,
        replica_labels: request.replica_labels,
        store_matchers: request.store_matchers,
        dedup: request.enable_dedup,
        partial_response: request.enable_partial_response,
        shard: request.shard_info,
        batch: request.response_batch_size,
    };
    common.asked(settings)
}

impl Common {
    fn asked(self, settings: &Settings) -> Result<Asked, Status> {
        if EngineType::try_from(self.engine).is_err() {
            return Err(invalid("invalid engine parameter"));
        }
        shard(self.shard.as_ref())?;
        let max_resolution =
            Duration::from_secs(not_negative("max_resolution_seconds", self.max_resolution)?);
        let timeout = match not_negative("timeout_seconds", self.timeout)? {
            0 => settings.timeout,
            seconds => Duration::from_secs(seconds).min(settings.timeout),
        };
        let lookback = match self.lookback {
            ..=0 => settings.lookback_at(max_resolution),
            seconds => Duration::from_millis(millis("lookback_delta_seconds", seconds)? as u64),
        };
        let batch = not_negative("response_batch_size", self.batch)?;
        let mut select = SelectOptions {
            dedup: self.dedup,
            partial_response: self.partial_response,
            ..settings.select.clone()
        };
        if !self.replica_labels.is_empty() {
            select.replica_labels = self.replica_labels;
        }
        for selector in &self.store_matchers {
            select.source_matchers.push(matchers(&selector.label_matchers)?);
        }
        let query = query::QueryRequest {
            query: self.query,
            evaluation: self.evaluation,
            lookback,
            default_subquery_step: settings.default_evaluation_interval,
            max_resolution,
            timeout,
            limit: 0,
            select,
            stats: false,
            analyze: false,
        };
        let shard = self.shard;
        Ok(Asked { query, shard, batch: usize::try_from(batch).unwrap_or(usize::MAX) })
    }
}

fn not_negative(name: &str, given: i64) -> Result<u64, Status> {
    u64::try_from(given).map_err(|_| invalid(format!("{name} must not be negative: {given}")))
}

/// Seconds as ms.
fn millis(name: &str, seconds: i64) -> Result<i64, Status> {
    seconds.checked_mul(1000).ok_or_else(|| invalid(format!("{name} is too far away: {seconds}")))
}
