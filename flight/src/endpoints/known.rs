//! What an endpoint says of itself, and the source of one that says nothing now.

use std::collections::BTreeSet;

use async_trait::async_trait;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{Extent, Listing, Resolved, Select, SelectOptions, SeriesSource};
use engine::{Error, Result};
use proto::thanos::info::InfoResponse;

use super::endpoint::Api;
use crate::runs;
use crate::storeapi::client::{Facts, label_set};

/// What an endpoint says of itself.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) component: String,
    pub(super) label_sets: Vec<Labels>,
    pub(super) range: TimeRange,
    pub(super) apis: BTreeSet<Api>,
    /// Whether it speaks our version of run batches.
    pub(super) runs: bool,
}

/// What Thanos calls components; anything else is one kind.
const COMPONENTS: [&str; 6] = ["query", "rule", "sidecar", "store", "receive", "debug"];

impl Known {
    pub(super) fn new(info: &InfoResponse) -> Self {
        let component = match info.component_type.as_str() {
            known if COMPONENTS.contains(&known) => known,
            _ => "unknown-store-api",
        };
        let apis = [
            (Api::Store, info.store.is_some()),
            (Api::Rules, info.rules.is_some()),
            (Api::Targets, info.targets.is_some()),
            (Api::Metadata, info.metric_metadata.is_some()),
            (Api::Exemplars, info.exemplars.is_some()),
            (Api::Status, info.status.is_some()),
            (Api::Query, info.query.is_some()),
        ];
        let store = info.store.as_ref();
        Self {
            component: component.to_owned(),
            label_sets: info.label_sets.iter().filter_map(label_set).collect(),
            range: store.map_or(TimeRange::ALL, |s| TimeRange::new(s.min_time, s.max_time)),
            apis: apis.into_iter().filter_map(|(api, served)| served.then_some(api)).collect(),
            runs: info.runs.is_some_and(|runs| runs.version == runs::VERSION),
        }
    }
}

/// Where an endpoint has samples: by TSDB if it says so, else by label set. A set that is no label
/// set excludes nothing.
pub(super) fn facts(info: &InfoResponse) -> Facts {
    let Some(store) = &info.store else {
        return Facts { extents: Vec::new(), without_replica_labels: false };
    };
    let extent = |labels: Option<Labels>, min, max| Extent {
        labels: labels.unwrap_or_default(),
        range: TimeRange::new(min, max),
    };
    let (min, max) = (store.min_time, store.max_time);
    let mut extents: Vec<Extent> = store
        .tsdb_infos
        .iter()
        .map(|tsdb| extent(tsdb.labels.as_ref().and_then(label_set), tsdb.min_time, tsdb.max_time))
        .collect();
    if extents.is_empty() {
        extents = info.label_sets.iter().map(|set| extent(label_set(set), min, max)).collect();
    }
    if extents.is_empty() {
        extents.push(extent(None, min, max));
    }
    Facts { extents, without_replica_labels: store.supports_without_replica_labels }
}

/// An endpoint that is expected back.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) error: Error,
    pub(super) extents: Vec<Extent>,
}

#[async_trait]
impl SeriesSource for Down {
    fn extents(&self) -> Vec<Extent> {
        self.extents.clone()
    }

    async fn resolve(&self, _: &Select, _: &SelectOptions) -> Result<Resolved> {
        Err(self.error.clone())
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        Err(self.error.clone())
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Err(self.error.clone())
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Err(self.error.clone())
    }
}
