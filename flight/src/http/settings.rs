//! What the flags of a querier say about its HTTP API.

use std::time::Duration;

use engine::source::SelectOptions;

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
    /// The version that `status/buildinfo` names.
    pub version: &'static str,
}

impl Settings {
    /// Thanos' defaults.
    pub fn new(version: &'static str) -> Self {
        Self {
            select: SelectOptions::default(),
            timeout: Duration::from_secs(120),
            max_concurrent: 20,
            lookback: Duration::from_secs(300),
            default_evaluation_interval: Duration::from_secs(60),
            default_step: Duration::from_secs(1),
            metadata_default_range: Duration::ZERO,
            cors: true,
            route_prefix: String::new(),
            version,
        }
    }
}
