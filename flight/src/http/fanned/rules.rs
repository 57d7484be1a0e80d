//! `GET /rules` and `GET /alerts` (Thanos' `pkg/rules`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::model::Matcher;
use proto::thanos::rule::Result as Kind;
use proto::thanos::rules_client::RulesClient;
use proto::thanos::rules_request::Type;
use proto::thanos::rules_response::Result as Frame;
use proto::thanos::{
    Alert, AlertInstance, AlertState, RecordingRule, Rule, RuleGroup, RulesRequest, RulesResponse,
    ZLabelSet,
};
use serde_json::{Value, json};

use super::{
    Gathered, MESSAGE_BYTES_MAX, answer, gather, labels_json, pairs, strategy, strategy_json,
    strip, time_json,
};
use crate::endpoints::Api;
use crate::http::error::ApiError;
use crate::http::form::Form;
use crate::http::querier::Querier;
use crate::http::selector;

/// `GET /rules`.
pub(in crate::http) async fn rules(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let kind = match form.get("type").to_ascii_lowercase().as_str() {
        "" | "all" => Type::All,
        "alert" => Type::Alert,
        "record" => Type::Record,
        other => {
            return Err(ApiError::bad_data(format!("invalid rules parameter type='{other}'")));
        }
    };
    let Gathered { said, warnings } = ask(&querier, &form, kind).await?;
    let groups: Vec<Value> = said.iter().map(group_json).collect();
    Ok(answer(&json!({ "groups": groups }), &warnings))
}

/// `GET /alerts`.
pub(in crate::http) async fn alerts(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let Gathered { said, warnings } = ask(&querier, &form, Type::Alert).await?;
    let rules = said.iter().flat_map(|group| &group.rules);
    let of_rule = |rule: &Rule| match &rule.result {
        Some(Kind::Alert(alert)) => alert.alerts.iter().map(instance_json).collect(),
        _ => Vec::new(),
    };
    let alerts: Vec<Value> = rules.flat_map(of_rule).collect();
    Ok(answer(&json!({ "alerts": alerts }), &warnings))
}

async fn ask(querier: &Querier, form: &Form, kind: Type) -> Result<Gathered<RuleGroup>, ApiError> {
    let all = |name| -> Vec<String> { form.all(name).map(str::to_owned).collect() };
    let mut matchers: Vec<Matcher> = Vec::new();
    for text in form.all("match[]") {
        // All matchers of all selectors must accept a rule, as in Thanos.
        matchers.extend(selector::parse(text).map_err(ApiError::bad_data)?);
    }
    let partial = querier.settings.partial.rules;
    let wanted = Wanted {
        matchers,
        rules: all("rule_name[]"),
        groups: all("rule_group[]"),
        files: all("file[]"),
    };
    let request = RulesRequest {
        r#type: kind.into(),
        partial_response_strategy: strategy(partial),
        matcher_string: all("match[]"),
        rule_name: wanted.rules.clone(),
        rule_group: wanted.groups.clone(),
        file: wanted.files.clone(),
    };
    let call = |channel| {
        let mut client = RulesClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let request = request.clone();
        async move { client.rules(request).await }
    };
    let read = |message: RulesResponse| match message.result? {
        Frame::Group(group) => Some(Ok(group)),
        Frame::Warning(warning) => Some(Err(warning)),
    };
    let mut gathered = gather(querier, Api::Rules, partial, call, read).await?;
    wanted.filter(&mut gathered.said);
    gathered.said = deduplicated(gathered.said, &querier.settings.select.replica_labels);
    Ok(gathered)
}

/// Which rules are wanted: endpoints may not know these filters.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) matchers: Vec<Matcher>,
    pub(super) rules: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) files: Vec<String>,
}

impl Wanted {
    pub(super) fn filter(&self, groups: &mut Vec<RuleGroup>) {
        let among = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        let filters = !(self.matchers.is_empty()
            && self.rules.is_empty()
            && self.groups.is_empty()
            && self.files.is_empty());
        if !filters {
            return;
        }
        groups.retain(|g| among(&self.groups, &g.name) && among(&self.files, &g.file));
        for group in groups.iter_mut() {
            group.rules.retain(|rule| {
                let facts = facts(rule);
                // What is made at evaluation cannot be matched.
                let value = |name: &str| {
                    pairs(facts.labels)
                        .find(|&(own, value)| own == name && !value.contains("{{"))
                        .map_or("", |(_, value)| value)
                };
                among(&self.rules, facts.name)
                    && self.matchers.iter().all(|m| m.matches(value(m.name())))
            });
        }
        groups.retain(|group| !group.rules.is_empty());
    }
}

/// What makes a rule what it is.
struct Facts<'a> {
    is_recording: bool,
    name: &'a String,
    labels: &'a Option<ZLabelSet>,
    query: &'a str,
    duration: f64,
}

static NO_LABELS: Option<ZLabelSet> = None;
static NO_NAME: String = String::new();

fn facts(rule: &Rule) -> Facts<'_> {
    match &rule.result {
        Some(Kind::Alert(Alert { name, labels, query, duration_seconds, .. })) => {
            let duration = *duration_seconds;
            Facts { is_recording: false, name, labels, query, duration }
        }
        Some(Kind::Recording(RecordingRule { name, labels, query, .. })) => {
            Facts { is_recording: true, name, labels, query, duration: 0.0 }
        }
        None => Facts {
            is_recording: true,
            name: &NO_NAME,
            labels: &NO_LABELS,
            query: "",
            duration: 0.0,
        },
    }
}

/// Whether rules are the same (`Rule.Compare`).
fn compare(a: &Rule, b: &Rule) -> Ordering {
    let (a, b) = (facts(a), facts(b));
    a.is_recording
        .cmp(&b.is_recording)
        .then_with(|| a.name.cmp(b.name))
        .then_with(|| pairs(a.labels).cmp(pairs(b.labels)))
        .then_with(|| a.query.cmp(b.query))
        .then_with(|| a.duration.total_cmp(&b.duration))
}

/// Of two that are the same: the more critical first, then the one evaluated later.
fn preference(a: &Rule, b: &Rule) -> Ordering {
    let of = |rule: &Rule| match &rule.result {
        Some(Kind::Alert(alert)) => (alert.state, alert.last_evaluation),
        Some(Kind::Recording(rule)) => (0, rule.last_evaluation),
        None => (0, None),
    };
    let at = |time: Option<prost_types::Timestamp>| time.map(|t| (t.seconds, t.nanos));
    let ((a_state, a_time), (b_state, b_time)) = (of(a), of(b));
    b_state.cmp(&a_state).then_with(|| at(b_time).cmp(&at(a_time)))
}

/// Groups of one file and name are one; of the same rules of different replicas one is left.
pub(super) fn deduplicated(groups: Vec<RuleGroup>, replica_labels: &[String]) -> Vec<RuleGroup> {
    let mut by_key: BTreeMap<(String, String), RuleGroup> = BTreeMap::new();
    for group in groups {
        let key = (group.file.clone(), group.name.clone());
        match by_key.get_mut(&key) {
            Some(known) => known.rules.extend(group.rules),
            None => {
                by_key.insert(key, group);
            }
        }
    }
    let mut groups: Vec<RuleGroup> = by_key.into_values().collect();
    for group in &mut groups {
        for rule in &mut group.rules {
            match &mut rule.result {
                Some(Kind::Alert(alert)) => strip(&mut alert.labels, replica_labels),
                Some(Kind::Recording(rule)) => strip(&mut rule.labels, replica_labels),
                None => {}
            }
        }
        group.rules.sort_by(|a, b| compare(a, b).then_with(|| preference(a, b)));
        group.rules.dedup_by(|later, kept| compare(later, kept).is_eq());
    }
    groups
}

pub(super) fn group_json(group: &RuleGroup) -> Value {
    json!({
        "name": group.name,
        "file": group.file,
        "rules": group.rules.iter().map(rule_json).collect::<Vec<Value>>(),
        "interval": group.interval,
        "evaluationTime": group.evaluation_duration_seconds,
        "lastEvaluation": time_json(group.last_evaluation.as_ref()),
        "limit": group.limit,
        "partialResponseStrategy": strategy_json(group.partial_response_strategy()),
    })
}

fn rule_json(rule: &Rule) -> Value {
    let mut value = match &rule.result {
        Some(Kind::Alert(alert)) => json!({
            "state": state_json(alert.state()),
            "name": alert.name,
            "query": alert.query,
            "duration": alert.duration_seconds,
            "labels": labels_json(&alert.labels),
            "annotations": labels_json(&alert.annotations),
            "alerts": alert.alerts.iter().map(instance_json).collect::<Vec<Value>>(),
            "health": alert.health,
            "lastError": alert.last_error,
            "evaluationTime": alert.evaluation_duration_seconds,
            "lastEvaluation": time_json(alert.last_evaluation.as_ref()),
            "keepFiringFor": alert.keep_firing_for_seconds,
            "type": "alerting",
        }),
        Some(Kind::Recording(rule)) => json!({
            "name": rule.name,
            "query": rule.query,
            "labels": labels_json(&rule.labels),
            "health": rule.health,
            "lastError": rule.last_error,
            "evaluationTime": rule.evaluation_duration_seconds,
            "lastEvaluation": time_json(rule.last_evaluation.as_ref()),
            "type": "recording",
        }),
        None => return Value::Null,
    };
    if let Value::Object(fields) = &mut value
        && fields.get("lastError").is_some_and(|error| error == "")
    {
        fields.shift_remove("lastError");
    }
    value
}

fn instance_json(alert: &AlertInstance) -> Value {
    let mut value = json!({
        "labels": labels_json(&alert.labels),
        "annotations": labels_json(&alert.annotations),
        "state": state_json(alert.state()),
        "activeAt": time_json(alert.active_at.as_ref()),
        "value": alert.value,
        "partialResponseStrategy": strategy_json(alert.partial_response_strategy()),
    });
    if let Value::Object(fields) = &mut value
        && alert.active_at.is_none()
    {
        fields.shift_remove("activeAt");
    }
    value
}

fn state_json(state: AlertState) -> Value {
    state.as_str_name().to_ascii_lowercase().into()
}
