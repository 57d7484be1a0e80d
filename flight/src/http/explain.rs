//! `/api/v1/query_explain`, `/api/v1/query_range_explain`, and the `analysis` of an answer: physical plans
//! in Thanos' shape (`queryTelemetry` in pkg/api/query/v1.go), a name and children.
//!
//! | field | what |
//! |---|---|
//! | `name` | the operator and its parameters |
//! | `executionTime` | the time of its own work, of all threads together, as Go writes durations |
//! | `peakSamples` | its state at most, in samples of 16 bytes |
//! | `totalSamples` | what the selectors in it looked at |
//! | `metrics` | all that DataFusion measured; not in Thanos |
//! | `children` | its inputs |

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promql::query::{PlanNode, QueryRequest, SAMPLE_BYTES};

use super::error::ApiError;
use super::form::Form;
use super::json::duration::push_duration;
use super::json::text::{Escape, push_string};
use super::json::{Answer, Payload};
use super::querier::Querier;
use super::query::{instant_request, range_request, respond, shard};

/// `GET` and `POST /query_explain`.
pub(super) async fn instant(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    explain(&querier, &form, instant_request(&querier, &form)?).await
}

/// `GET` and `POST /query_range_explain`.
pub(super) async fn range(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    explain(&querier, &form, range_request(&querier, &form)?).await
}

async fn explain(
    querier: &Arc<Querier>,
    form: &Form,
    request: QueryRequest,
) -> Result<Response, ApiError> {
    let plan = querier.explain(request, shard(form)?).await?;
    Ok(respond(Answer::new(Payload::Raw(json(&plan).into_bytes())), &[]))
}

/// The tree of a plan. What is not known, as everything measured before it runs, is left out.
pub(super) fn json(plan: &PlanNode) -> String {
    let mut out = Vec::new();
    push_node(&mut out, plan);
    String::from_utf8_lossy(&out).into_owned()
}

fn push_node(out: &mut Vec<u8>, node: &PlanNode) {
    out.extend_from_slice(b"{\"name\":");
    push_string(out, &node.name, Escape::Html);
    if let Some(elapsed) = node.elapsed {
        out.extend_from_slice(b",\"executionTime\":\"");
        push_duration(out, elapsed);
        out.push(b'"');
    }
    if let Some(bytes) = node.peak_bytes.filter(|&bytes| bytes >= SAMPLE_BYTES) {
        out.extend_from_slice(format!(",\"peakSamples\":{}", bytes / SAMPLE_BYTES).as_bytes());
    }
    if let Some(samples) = node.samples {
        out.extend_from_slice(format!(",\"totalSamples\":{samples}").as_bytes());
    }
    if !node.metrics.is_empty() {
        out.extend_from_slice(b",\"metrics\":{");
        for (at, metric) in node.metrics.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_string(out, &metric.name, Escape::Html);
            out.push(b':');
            push_string(out, &metric.value, Escape::Html);
        }
        out.push(b'}');
    }
    if !node.children.is_empty() {
        out.extend_from_slice(b",\"children\":[");
        for (at, child) in node.children.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_node(out, child);
        }
        out.push(b']');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use promql::query::Metric;

    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let leaf = PlanNode::of("Scan: \"a\"".to_owned());
        assert_eq!(json(&leaf), r#"{"name":"Scan: \"a\""}"#);
        let root = PlanNode {
            elapsed: Some(Duration::from_micros(1_500)),
            peak_bytes: Some(1_030),
            samples: Some(7),
            metrics: vec![
                Metric { name: "output_rows".to_owned(), value: "3".to_owned() },
                Metric { name: "elapsed_compute".to_owned(), value: "1.5ms".to_owned() },
            ],
            children: vec![leaf.clone(), leaf],
            ..PlanNode::of("Sum".to_owned())
        };
        let expected = concat!(
            r#"{"name":"Sum","executionTime":"1.5ms","peakSamples":64,"totalSamples":7,"#,
            r#""metrics":{"output_rows":"3","elapsed_compute":"1.5ms"},"#,
            r#""children":[{"name":"Scan: \"a\""},{"name":"Scan: \"a\""}]}"#
        );
        assert_eq!(json(&root), expected);
    }
}
