//! `thanos.Status`: the cardinality of a Prometheus' head.

use engine::model::{MatchOp, Matcher};
use proto::thanos::label_matcher::Type;
use proto::thanos::status_server::Status as StatusService;
use proto::thanos::{
    HeadStatistics, Statistic, TsdbStatistics, TsdbStatisticsEntry, TsdbStatisticsRequest,
    TsdbStatisticsResponse, tsdb_statistics_response,
};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::{Messages, PrometheusServices, messages, refusal};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    head_stats: Head,
    #[serde(default)]
    series_count_by_metric_name: Option<Vec<One>>,
    #[serde(default)]
    label_value_count_by_label_name: Option<Vec<One>>,
    #[serde(default)]
    memory_in_bytes_by_label_name: Option<Vec<One>>,
    #[serde(default)]
    series_count_by_label_value_pair: Option<Vec<One>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    num_series: u64,
    num_label_pairs: i64,
    chunk_count: i64,
    min_time: i64,
    max_time: i64,
}

#[derive(Debug, Deserialize)]
struct One {
    name: String,
    value: u64,
}

#[async_trait]
impl StatusService for PrometheusServices {
    type TSDBStatisticsStream = Messages<TsdbStatisticsResponse>;

    async fn tsdb_statistics(
        &self,
        request: Request<TsdbStatisticsRequest>,
    ) -> Result<Response<Self::TSDBStatisticsStream>, Status> {
        let request = request.into_inner();
        let mut statistics = TsdbStatistics::default();
        // A Prometheus is of no tenant.
        if request.tenant.is_empty() && self.matches(&request)? {
            let parameters: &[(&str, String)] = match request.limit {
                limit if limit > 0 => &[("limit", limit.to_string())],
                _ => &[],
            };
            let data: Data = self.ask("api/v1/status/tsdb", parameters).await?;
            statistics.statistics.insert(String::new(), entry(data));
        }
        let result = Some(tsdb_statistics_response::Result::Statistics(statistics));
        Ok(Response::new(messages(vec![TsdbStatisticsResponse { result }])))
    }
}

impl PrometheusServices {
    /// Whether all matchers of the request accept the external labels.
    fn matches(&self, request: &TsdbStatisticsRequest) -> Result<bool, Status> {
        let external = self.upstream.external_labels();
        for matcher in &request.matchers {
            let op = match matcher.r#type() {
                Type::Eq => MatchOp::Equal,
                Type::Neq => MatchOp::NotEqual,
                Type::Re => MatchOp::Regex,
                Type::Nre => MatchOp::NotRegex,
            };
            let matcher = Matcher::new(&matcher.name, op, &matcher.value);
            let matcher = matcher.map_err(|e| refusal(&e))?;
            if !matcher.matches(external.get(matcher.name())) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn entry(data: Data) -> TsdbStatisticsEntry {
    let list = |list: Option<Vec<One>>| -> Vec<Statistic> {
        let statistic = |one: One| Statistic { name: one.name, value: one.value };
        list.unwrap_or_default().into_iter().map(statistic).collect()
    };
    TsdbStatisticsEntry {
        head_statistics: Some(HeadStatistics {
            num_series: data.head_stats.num_series,
            num_label_pairs: data.head_stats.num_label_pairs,
            chunk_count: data.head_stats.chunk_count,
            min_time: data.head_stats.min_time,
            max_time: data.head_stats.max_time,
        }),
        series_count_by_metric_name: list(data.series_count_by_metric_name),
        label_value_count_by_label_name: list(data.label_value_count_by_label_name),
        memory_in_bytes_by_label_name: list(data.memory_in_bytes_by_label_name),
        series_count_by_label_value_pair: list(data.series_count_by_label_value_pair),
    }
}
