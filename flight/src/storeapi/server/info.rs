//! Info: what an endpoint is, and what it has.

use std::sync::Arc;

use engine::model::{Bounds, TimeRange};
use engine::source::{Extent, SeriesSource};
use proto::thanos::ZLabelSet;
use proto::thanos::info::info_server::{Info, InfoServer};
use proto::thanos::info::{
    ExemplarsInfo, InfoRequest, InfoResponse, MetricMetadataInfo, QueryApiInfo, RulesInfo,
    RunsInfo, StatusInfo, StoreInfo, TargetsInfo, TsdbInfo,
};
use tonic::{Request, Response, Status};

use super::roster::wire;
use crate::http::Readiness;
use crate::runs;

/// What an endpoint says of itself. StoreAPI and run batches are always served.
#[derive(Debug, Clone)]
pub struct InfoSettings {
    /// Thanos' name of the component: `query`, `sidecar`, `store`, `rule`, `receive`.
    pub component: &'static str,
    /// The times that are served, whatever the source has.
    pub served: Bounds,
    /// Whether Rules is served.
    pub rules: bool,
    /// Whether Targets is served.
    pub targets: bool,
    /// Whether Metadata is served.
    pub metadata: bool,
    /// Whether Exemplars is served.
    pub exemplars: bool,
    /// Whether Query is served.
    pub query: bool,
    /// Whether Status is served.
    pub status: bool,
}

impl InfoSettings {
    /// A component that serves StoreAPI alone.
    pub fn store(component: &'static str) -> Self {
        Self {
            component,
            served: TimeRange::ALL.into(),
            rules: false,
            targets: false,
            metadata: false,
            exemplars: false,
            query: false,
            status: false,
        }
    }
}

/// Thanos' Info over a source.
#[derive(Debug)]
pub struct InfoService {
    source: Arc<dyn SeriesSource>,
    settings: InfoSettings,
    readiness: Readiness,
}

impl InfoService {
    /// A service that tells what `source` has now.
    pub fn new(
        source: Arc<dyn SeriesSource>,
        settings: InfoSettings,
        readiness: Readiness,
    ) -> Self {
        Self { source, settings, readiness }
    }

    /// The service, ready to be served.
    pub fn into_server(self) -> InfoServer<Self> {
        InfoServer::new(self)
    }

    fn response(&self) -> InfoResponse {
        let served = self.settings.served.range();
        let mut extents = self.source.extents();
        extents.retain(|extent| extent.range.overlaps(&served));
        // Without data the range is empty, as in Thanos: nobody asks then.
        let whole = extents.iter().map(|extent| extent.range).reduce(|a, b| a.union(&b));
        let wire_range = |range: TimeRange| {
            // Thanos' ranges of blocks end after their last millisecond.
            (range.min.max(served.min), range.max.saturating_add(1).min(served.max))
        };
        let (min_time, max_time) = whole.map_or((i64::MAX, i64::MIN), wire_range);
        let label_set = |extent: &Extent| ZLabelSet { labels: wire(&extent.labels) };
        let tsdb = |extent: &Extent| {
            let (min_time, max_time) = wire_range(extent.range);
            TsdbInfo { labels: Some(label_set(extent)), min_time, max_time }
        };
        let mut labels: Vec<&Extent> = extents.iter().collect();
        labels.sort_by(|a, b| a.labels.cmp(&b.labels));
        labels.dedup_by(|a, b| a.labels == b.labels);
        let store = StoreInfo {
            min_time,
            max_time,
            supports_sharding: true,
            supports_without_replica_labels: true,
            tsdb_infos: extents.iter().map(tsdb).collect(),
            supports_projections: false,
        };
        let settings = &self.settings;
        InfoResponse {
            label_sets: labels.into_iter().map(label_set).collect(),
            component_type: settings.component.to_owned(),
            store: Some(store),
            rules: settings.rules.then_some(RulesInfo {}),
            metric_metadata: settings.metadata.then_some(MetricMetadataInfo {}),
            targets: settings.targets.then_some(TargetsInfo {}),
            exemplars: settings.exemplars.then_some(ExemplarsInfo { min_time, max_time }),
            query: settings.query.then_some(QueryApiInfo {}),
            status: settings.status.then_some(StatusInfo {}),
            runs: Some(RunsInfo { version: runs::VERSION }),
        }
    }
}

#[tonic::async_trait]
impl Info for InfoService {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        if !self.readiness.is_ready() {
            return Err(Status::unavailable("not ready"));
        }
        Ok(Response::new(self.response()))
    }
}
