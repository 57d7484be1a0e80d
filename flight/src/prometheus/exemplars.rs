//! `thanos.Exemplars`: the exemplars of a query's series.

use std::collections::BTreeMap;

use proto::thanos::exemplars_server::Exemplars;
use proto::thanos::{
    Exemplar, ExemplarData, ExemplarsRequest, ExemplarsResponse, exemplars_response,
};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::{Messages, PrometheusServices, messages, plain_set, seconds};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    series_labels: BTreeMap<String, String>,
    #[serde(default)]
    exemplars: Vec<One>,
}

#[derive(Debug, Deserialize)]
struct One {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// A number as text.
    value: String,
    /// Seconds.
    timestamp: f64,
}

#[async_trait]
impl Exemplars for PrometheusServices {
    type ExemplarsStream = Messages<ExemplarsResponse>;

    async fn exemplars(
        &self,
        request: Request<ExemplarsRequest>,
    ) -> Result<Response<Self::ExemplarsStream>, Status> {
        let request = request.into_inner();
        let parameters = [
            ("query", request.query),
            ("start", seconds(request.start)),
            ("end", seconds(request.end)),
        ];
        let series: Vec<Series> = self.ask("api/v1/query_exemplars", &parameters).await?;
        let answers = series.into_iter().map(|series| {
            let exemplars = series.exemplars.into_iter().map(exemplar);
            let data = ExemplarData {
                series_labels: Some(self.with_external(series.series_labels)?),
                exemplars: exemplars.collect::<Result<_, Status>>()?,
            };
            Ok(ExemplarsResponse { result: Some(exemplars_response::Result::Data(data)) })
        });
        Ok(Response::new(messages(answers.collect::<Result<Vec<_>, Status>>()?)))
    }
}

fn exemplar(one: One) -> Result<Exemplar, Status> {
    let value = one.value.parse().map_err(|_| {
        Status::unavailable(format!("an exemplar of Prometheus has the value {:?}", one.value))
    })?;
    Ok(Exemplar {
        labels: Some(plain_set(one.labels)),
        value,
        ts: (one.timestamp * 1000.0).round() as i64,
    })
}
