//! `GET /status/tsdb`: statistics of all heads, added up (Thanos' `pkg/status`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::model::{MatchOp, Matcher};
use proto::thanos::label_matcher::Type;
use proto::thanos::status_client::StatusClient;
use proto::thanos::tsdb_statistics_response::Result as Frame;
use proto::thanos::{
    HeadStatistics, LabelMatcher, Statistic, TsdbStatistics, TsdbStatisticsEntry,
    TsdbStatisticsRequest, TsdbStatisticsResponse,
};
use serde_json::{Value, json};

use super::{Gathered, MESSAGE_BYTES_MAX, answer, gather, strategy};
use crate::endpoints::Api;
use crate::http::error::ApiError;
use crate::http::form::Form;
use crate::http::querier::Querier;
use crate::http::selector;

/// `GET /status/tsdb`.
pub(in crate::http) async fn tsdb(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let limit: u16 = match form.get("limit") {
        "" => 10,
        text => text
            .parse()
            .ok()
            .filter(|&limit| limit > 0)
            .ok_or_else(|| ApiError::bad_data("limit must be a positive number"))?,
    };
    let mut matchers = Vec::new();
    for text in form.all("match[]") {
        let selected = selector::parse(text).map_err(ApiError::bad_data)?;
        matchers.extend(selected.iter().map(wire));
    }
    let partial = querier.settings.partial.status;
    let request = TsdbStatisticsRequest {
        limit: limit.into(),
        partial_response_strategy: strategy(partial),
        matchers,
        ..TsdbStatisticsRequest::default()
    };
    let call = |channel| {
        let mut client = StatusClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let request = request.clone();
        async move { client.tsdb_statistics(request).await }
    };
    let read = |message: TsdbStatisticsResponse| match message.result? {
        Frame::Statistics(statistics) => Some(Ok(statistics)),
        Frame::Warning(warning) => Some(Err(warning)),
    };
    let Gathered { said, warnings } = gather(&querier, Api::Status, partial, call, read).await?;
    Ok(answer(&entry_json(&added(said), limit.into()), &warnings))
}

fn wire(matcher: &Matcher) -> LabelMatcher {
    let kind = match matcher.op() {
        MatchOp::Equal => Type::Eq,
        MatchOp::NotEqual => Type::Neq,
        MatchOp::Regex => Type::Re,
        MatchOp::NotRegex => Type::Nre,
    };
    let (name, value) = (matcher.name().to_owned(), matcher.value().to_owned());
    LabelMatcher { r#type: kind.into(), name, value }
}

/// All tenants of all endpoints together. Replicas count as often as they are.
pub(super) fn added(said: Vec<TsdbStatistics>) -> TsdbStatisticsEntry {
    let mut sum = TsdbStatisticsEntry::default();
    let mut head: Option<HeadStatistics> = None;
    for entry in said.into_iter().flat_map(|statistics| statistics.statistics.into_values()) {
        if let Some(of_entry) = entry.head_statistics {
            let known = head.get_or_insert(HeadStatistics {
                min_time: i64::MAX,
                max_time: i64::MIN,
                ..HeadStatistics::default()
            });
            known.num_series = known.num_series.saturating_add(of_entry.num_series);
            known.num_label_pairs = known.num_label_pairs.saturating_add(of_entry.num_label_pairs);
            known.chunk_count = known.chunk_count.saturating_add(of_entry.chunk_count);
            known.min_time = known.min_time.min(of_entry.min_time);
            known.max_time = known.max_time.max(of_entry.max_time);
        }
        sum.series_count_by_metric_name.extend(entry.series_count_by_metric_name);
        sum.label_value_count_by_label_name.extend(entry.label_value_count_by_label_name);
        sum.memory_in_bytes_by_label_name.extend(entry.memory_in_bytes_by_label_name);
        sum.series_count_by_label_value_pair.extend(entry.series_count_by_label_value_pair);
    }
    sum.head_statistics = head;
    sum
}

fn entry_json(entry: &TsdbStatisticsEntry, limit: usize) -> Value {
    let head = entry.head_statistics.unwrap_or_default();
    let list = |statistics: &[Statistic]| -> Value {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for statistic in statistics {
            let sum = sums.entry(&statistic.name).or_default();
            *sum = sum.saturating_add(statistic.value);
        }
        let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
        sums.sort_by_key(|sum| Reverse(sum.1));
        sums.truncate(limit);
        sums.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    json!({
        "headStats": {
            "numSeries": head.num_series,
            "numLabelPairs": head.num_label_pairs,
            "chunkCount": head.chunk_count,
            "minTime": head.min_time,
            "maxTime": head.max_time,
        },
        "seriesCountByMetricName": list(&entry.series_count_by_metric_name),
        "labelValueCountByLabelName": list(&entry.label_value_count_by_label_name),
        "memoryInBytesByLabelName": list(&entry.memory_in_bytes_by_label_name),
        "seriesCountByLabelValuePair": list(&entry.series_count_by_label_value_pair),
    })
}
