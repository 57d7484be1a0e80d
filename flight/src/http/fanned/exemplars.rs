//! `GET` and `POST /query_exemplars` (Thanos' `pkg/exemplars`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::model::TimeRange;
use proto::thanos::exemplars_client::ExemplarsClient;
use proto::thanos::exemplars_response::Result as Frame;
use proto::thanos::{Exemplar, ExemplarData, ExemplarsRequest, ExemplarsResponse};
use serde_json::{Value, json};

use super::{Gathered, MESSAGE_BYTES_MAX, answer, gather, labels_json, pairs, strategy, strip};
use crate::endpoints::Api;
use crate::http::error::ApiError;
use crate::http::form::Form;
use crate::http::querier::Querier;
use crate::http::time::time_parameter;

/// `GET` and `POST /query_exemplars`. Without endpoints that have some no parameter is looked at:
/// Grafana probes with times in ms.
pub(in crate::http) async fn exemplars(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    if querier.endpoints.serving(Api::Exemplars).is_empty() {
        return Ok(answer(&json!([]), &[]));
    }
    let partial = querier.settings.partial.exemplars;
    let request = ExemplarsRequest {
        query: form.promql()?.to_owned(),
        start: time_parameter(&form, "start", TimeRange::ALL.min)?,
        end: time_parameter(&form, "end", TimeRange::ALL.max)?,
        partial_response_strategy: strategy(partial),
    };
    let call = |channel| {
        let mut client = ExemplarsClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let request = request.clone();
        async move { client.exemplars(request).await }
    };
    let read = |message: ExemplarsResponse| match message.result? {
        Frame::Data(data) => Some(Ok(data)),
        Frame::Warning(warning) => Some(Err(warning)),
    };
    let Gathered { said, warnings } = gather(&querier, Api::Exemplars, partial, call, read).await?;
    let series = deduplicated(said, &querier.settings.select.replica_labels);
    Ok(answer(&series.iter().map(data_json).collect(), &warnings))
}

/// Each series once, without replica labels; each of its exemplars once, by time.
pub(super) fn deduplicated(
    said: Vec<ExemplarData>,
    replica_labels: &[String],
) -> Vec<ExemplarData> {
    let mut series: BTreeMap<Vec<(String, String)>, ExemplarData> = BTreeMap::new();
    for mut data in said.into_iter().filter(|data| !data.exemplars.is_empty()) {
        strip(&mut data.series_labels, replica_labels);
        for exemplar in &mut data.exemplars {
            strip(&mut exemplar.labels, &[]);
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let key = pairs(&data.series_labels).map(owned).collect();
        match series.get_mut(&key) {
            Some(known) => known.exemplars.append(&mut data.exemplars),
            None => {
                series.insert(key, data);
            }
        }
    }
    let mut series: Vec<ExemplarData> = series.into_values().collect();
    for data in &mut series {
        data.exemplars.sort_by(|a, b| {
            let labels = || pairs(&a.labels).cmp(pairs(&b.labels));
            a.ts.cmp(&b.ts).then_with(|| a.value.total_cmp(&b.value)).then_with(labels)
        });
        let bits = |exemplar: &Exemplar| (exemplar.ts, exemplar.value.to_bits());
        data.exemplars.dedup_by(|a, b| bits(a) == bits(b) && a.labels == b.labels);
    }
    series
}

fn data_json(data: &ExemplarData) -> Value {
    let one = |exemplar: &Exemplar| {
        json!({
            "labels": labels_json(&exemplar.labels),
            "timestamp": seconds_json(exemplar.ts),
            "value": value_text(exemplar.value),
        })
    };
    json!({
        "seriesLabels": labels_json(&data.series_labels),
        "exemplars": data.exemplars.iter().map(one).collect::<Vec<Value>>(),
    })
}

/// Milliseconds as Prometheus writes seconds.
fn seconds_json(ms: i64) -> Value {
    match ms % 1000 {
        0 => (ms / 1000).into(),
        _ => (ms as f64 / 1000.0).into(),
    }
}

fn value_text(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
