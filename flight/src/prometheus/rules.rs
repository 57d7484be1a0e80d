//! `thanos.Rules`: the rules that a Prometheus evaluates.

use std::collections::BTreeMap;

use proto::thanos::rules_request::Type;
use proto::thanos::rules_server::Rules;
use proto::thanos::{
    Alert, AlertInstance, AlertState, PartialResponseStrategy, RecordingRule, Rule, RuleGroup,
    RulesRequest, RulesResponse, rule, rules_response,
};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::{Messages, PrometheusServices, messages, plain_set, timestamp};

#[derive(Debug, Deserialize)]
struct Data {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    file: String,
    rules: Vec<One>,
    interval: f64,
    #[serde(default)]
    limit: i64,
    #[serde(default)]
    evaluation_time: f64,
    last_evaluation: Option<String>,
}

/// A rule: the fields of both kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    query: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    evaluation_time: f64,
    last_evaluation: Option<String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    keep_firing_for: f64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    alerts: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    state: String,
    active_at: Option<String>,
    value: String,
}

#[async_trait]
impl Rules for PrometheusServices {
    type RulesStream = Messages<RulesResponse>;

    async fn rules(
        &self,
        request: Request<RulesRequest>,
    ) -> Result<Response<Self::RulesStream>, Status> {
        let parameters: &[(&str, String)] = match request.get_ref().r#type() {
            Type::All => &[],
            Type::Alert => &[("type", "alert".to_owned())],
            Type::Record => &[("type", "record".to_owned())],
        };
        let data: Data = self.ask("api/v1/rules", parameters).await?;
        let groups = data.groups.into_iter().map(|group| {
            let group = self.group(group)?;
            Ok(RulesResponse { result: Some(rules_response::Result::Group(group)) })
        });
        Ok(Response::new(messages(groups.collect::<Result<Vec<_>, Status>>()?)))
    }
}

impl PrometheusServices {
    fn group(&self, group: Group) -> Result<RuleGroup, Status> {
        let rules = group.rules.into_iter().map(|rule| self.rule(rule));
        Ok(RuleGroup {
            rules: rules.collect::<Result<_, _>>()?,
            name: group.name,
            file: group.file,
            interval: group.interval,
            evaluation_duration_seconds: group.evaluation_time,
            last_evaluation: timestamp(group.last_evaluation),
            // Prometheus knows no partial answers.
            partial_response_strategy: PartialResponseStrategy::Abort.into(),
            limit: group.limit,
        })
    }

    fn rule(&self, rule: One) -> Result<Rule, Status> {
        let labels = Some(self.with_external(rule.labels)?);
        let last_evaluation = timestamp(rule.last_evaluation);
        let result = match rule.kind.as_str() {
            "recording" => rule::Result::Recording(RecordingRule {
                name: rule.name,
                query: rule.query,
                labels,
                health: rule.health,
                last_error: rule.last_error,
                evaluation_duration_seconds: rule.evaluation_time,
                last_evaluation,
            }),
            "alerting" => rule::Result::Alert(Alert {
                state: state(&rule.state).into(),
                name: rule.name,
                query: rule.query,
                duration_seconds: rule.duration,
                labels,
                annotations: Some(plain_set(rule.annotations)),
                alerts: rule.alerts.into_iter().map(instance).collect(),
                health: rule.health,
                last_error: rule.last_error,
                evaluation_duration_seconds: rule.evaluation_time,
                last_evaluation,
                keep_firing_for_seconds: rule.keep_firing_for,
            }),
            other => {
                let what = format!("rule {:?} of Prometheus has the type {other:?}", rule.name);
                return Err(Status::unavailable(what));
            }
        };
        Ok(Rule { result: Some(result) })
    }
}

fn instance(alert: Instance) -> AlertInstance {
    AlertInstance {
        labels: Some(plain_set(alert.labels)),
        annotations: Some(plain_set(alert.annotations)),
        state: state(&alert.state).into(),
        active_at: timestamp(alert.active_at),
        value: alert.value,
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
    }
}

fn state(name: &str) -> AlertState {
    match name {
        "inactive" => AlertState::Inactive,
        "pending" => AlertState::Pending,
        "firing" => AlertState::Firing,
        _ => AlertState::Unknown,
    }
}
