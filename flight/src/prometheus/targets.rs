//! `thanos.Targets`: what a Prometheus scrapes, and what it has dropped.

use std::collections::BTreeMap;

use proto::thanos::targets_request::State;
use proto::thanos::targets_server::Targets;
use proto::thanos::{
    ActiveTarget, DroppedTarget, TargetDiscovery, TargetHealth, TargetsRequest, TargetsResponse,
    targets_response,
};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::{Messages, PrometheusServices, messages, timestamp};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    active_targets: Vec<Active>,
    #[serde(default)]
    dropped_targets: Vec<Dropped>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Active {
    discovered_labels: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    scrape_pool: String,
    #[serde(default)]
    scrape_url: String,
    #[serde(default)]
    global_url: String,
    #[serde(default)]
    last_error: String,
    last_scrape: Option<String>,
    #[serde(default)]
    last_scrape_duration: f64,
    #[serde(default)]
    health: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    discovered_labels: BTreeMap<String, String>,
}

#[async_trait]
impl Targets for PrometheusServices {
    type TargetsStream = Messages<TargetsResponse>;

    async fn targets(
        &self,
        request: Request<TargetsRequest>,
    ) -> Result<Response<Self::TargetsStream>, Status> {
        let parameters: &[(&str, String)] = match request.get_ref().state() {
            State::Any => &[],
            State::Active => &[("state", "active".to_owned())],
            State::Dropped => &[("state", "dropped".to_owned())],
        };
        let data: Data = self.ask("api/v1/targets", parameters).await?;
        let active = data.active_targets.into_iter().map(|target| self.active(target));
        let dropped = data.dropped_targets.into_iter().map(|target| {
            let discovered_labels = Some(self.with_external(target.discovered_labels)?);
            Ok(DroppedTarget { discovered_labels })
        });
        let targets = TargetDiscovery {
            active_targets: active.collect::<Result<_, Status>>()?,
            dropped_targets: dropped.collect::<Result<_, Status>>()?,
        };
        let result = Some(targets_response::Result::Targets(targets));
        Ok(Response::new(messages(vec![TargetsResponse { result }])))
    }
}

impl PrometheusServices {
    fn active(&self, target: Active) -> Result<ActiveTarget, Status> {
        let health = match target.health.as_str() {
            "up" => TargetHealth::Up,
            "down" => TargetHealth::Down,
            _ => TargetHealth::UnknownHealth,
        };
        Ok(ActiveTarget {
            discovered_labels: Some(self.with_external(target.discovered_labels)?),
            labels: Some(self.with_external(target.labels)?),
            scrape_pool: target.scrape_pool,
            scrape_url: target.scrape_url,
            global_url: target.global_url,
            last_error: target.last_error,
            last_scrape: timestamp(target.last_scrape),
            last_scrape_duration: target.last_scrape_duration,
            health: health.into(),
        })
    }
}
