//! A shard of a source: the series that a query with `shard_info` is about. Thanos' query frontend splits
//! a query in as many as there are shards and joins their answers.
//!
//! Which shard a series is in depends on its labels after replicas are made one: so all its replicas are
//! in the same.

use std::sync::Arc;

use async_trait::async_trait;
use engine::Result;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{Extent, Listing, Resolved, Select, SelectOptions, SeriesSource, keep};
use proto::thanos::ShardInfo;

use crate::storeapi::server::shard::Shard;

/// Some of the series of a source.
#[derive(Debug)]
pub(crate) struct Sharded {
    source: Arc<dyn SeriesSource>,
    info: ShardInfo,
}

impl Sharded {
    /// The shard `info` of `source`; all of it if there is only one shard.
    pub(crate) fn of(
        source: Arc<dyn SeriesSource>,
        info: Option<ShardInfo>,
    ) -> Arc<dyn SeriesSource> {
        match info.filter(|info| info.total_shards > 1) {
            None => source,
            Some(info) => Arc::new(Self { source, info }),
        }
    }
}

#[async_trait]
impl SeriesSource for Sharded {
    fn extents(&self) -> Vec<Extent> {
        self.source.extents()
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let resolved = self.source.resolve(select, options).await?;
        let mut shard = Shard::new(Some(self.info.clone()));
        let mut is_in = |at: &u32| {
            let labels = resolved.roster.labels(*at as usize);
            shard.as_mut().is_none_or(|shard| shard.has(&labels))
        };
        let kept: Vec<u32> = (0..resolved.roster.len() as u32).filter(|at| is_in(at)).collect();
        Ok(keep(resolved, &kept))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        self.source.series(matchers, range, options, limit).await
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.source.label_names(matchers, range, options, limit).await
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.source.label_values(name, matchers, range, options, limit).await
    }
}
