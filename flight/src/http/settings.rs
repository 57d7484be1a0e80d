//! What the flags of a querier say about its HTTP API.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use engine::source::SelectOptions;

use super::active::ActiveQueries;

/// Settings of the HTTP API; the flag of each field is Thanos'.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Dedup, replica labels, partial response and limits of a request that says nothing of them.
    pub select: SelectOptions,
    /// The most time that a query gets (`--query.timeout`).
    pub timeout: Duration,
    /// How many queries run at once (`--query.max-concurrent`).
    pub max_concurrent: usize,
    /// How far an instant selector looks back (`--query.lookback-delta`).
    pub lookback: Duration,
    /// Whether it looks back further where samples may be downsampled
    /// (`--query.dynamic-lookback-delta`).
    pub dynamic_lookback: bool,
    /// Whether a request that says nothing of resolutions may be answered with downsampled samples
    /// (`--query.auto-downsampling`): range queries with those that have five a step.
    pub auto_downsampling: bool,
    /// The coarsest resolution of an instant query then (`--query.instant.default.max_source_resolution`).
    pub instant_max_resolution: Duration,
    /// The step of subqueries that name none (`--query.default-evaluation-interval`).
    pub default_evaluation_interval: Duration,
    /// The least step of a range query that names none (`--query.default-step`).
    pub default_step: Duration,
    /// The range of metadata requests without times; 0 means all time
    /// (`--query.metadata.default-time-range`).
    pub metadata_default_range: Duration,
    /// Whether other origins may read answers (`--web.disable-cors` switches it off).
    pub cors: bool,
    /// Where API and page lie: empty, or a path with a slash in front and none at its end
    /// (`--web.route-prefix`).
    pub route_prefix: String,
    /// Whether an endpoint that fails is a warning where others than samples are asked for.
    pub partial: PartialResponses,
    /// Where the queries that run are noted (`--query.active-query-path`).
    pub active_queries: Option<Arc<ActiveQueries>>,
    /// Queries that take longer are logged; 0 is none (`--query.log-queries-longer-than`).
    pub log_queries_longer_than: Duration,
    /// The flags of the process with their values, without secrets.
    pub flags: Vec<(String, String)>,
    /// When the process began.
    pub started: DateTime<Utc>,
    /// The version that `status/buildinfo` names.
    pub version: &'static str,
}

/// Whether an endpoint that fails is a warning (`--rule.partial-response` and its sisters).
#[derive(Debug, Clone, Copy)]
pub struct PartialResponses {
    /// Of rules and alerts.
    pub rules: bool,
    /// Of targets.
    pub targets: bool,
    /// Of metadata.
    pub metadata: bool,
    /// Of exemplars.
    pub exemplars: bool,
    /// Of statistics.
    pub status: bool,
}

impl Default for PartialResponses {
    fn default() -> Self {
        Self { rules: true, targets: true, metadata: true, exemplars: true, status: true }
    }
}

impl Settings {
    /// Thanos' defaults.
    pub fn new(version: &'static str) -> Self {
        Self {
            select: SelectOptions::default(),
            timeout: Duration::from_secs(120),
            max_concurrent: 20,
            lookback: Duration::from_secs(300),
            dynamic_lookback: true,
            auto_downsampling: false,
            instant_max_resolution: Duration::ZERO,
            default_evaluation_interval: Duration::from_secs(60),
            default_step: Duration::from_secs(1),
            metadata_default_range: Duration::ZERO,
            cors: true,
            route_prefix: String::new(),
            partial: PartialResponses::default(),
            active_queries: None,
            log_queries_longer_than: Duration::ZERO,
            flags: Vec::new(),
            started: Utc::now(),
            version,
        }
    }
}
