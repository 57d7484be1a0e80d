//! Answers of the engine, in the form in which they are judged.

use engine::model::Labels;
use promql::functions::histogram::FloatHistogram;
use promql::query::{MatrixSeries, QueryAnswer, QueryValue, SampleValue};

use super::histogram::{Native, by_index};
use super::script::Value;

/// The value of an answer.
#[derive(Debug, Clone)]
pub(in crate::promql) enum Found {
    Scalar(f64),
    Text(String),
    Vector(Vec<(Labels, Value)>),
    /// Points in order of time, in ms.
    Matrix(Vec<(Labels, Vec<(i64, Value)>)>),
}

/// What was found, and the engine's remarks.
#[derive(Debug, Clone)]
pub(in crate::promql) struct Answer {
    pub(in crate::promql) found: Found,
    pub(in crate::promql) warnings: Vec<String>,
    pub(in crate::promql) infos: Vec<String>,
}

impl From<QueryAnswer> for Answer {
    fn from(answer: QueryAnswer) -> Self {
        let found = match answer.value {
            QueryValue::Scalar(_, value) => Found::Scalar(value),
            QueryValue::String(_, text) => Found::Text(text.shown().into_owned()),
            QueryValue::Vector(_, series) => {
                let value = |value| match value {
                    SampleValue::Float(value) => Value::Float(value),
                    SampleValue::Histogram(histogram) => native(&histogram),
                };
                Found::Vector(
                    series.into_iter().map(|(labels, sample)| (labels, value(sample))).collect(),
                )
            }
            QueryValue::Matrix(series) => Found::Matrix(series.into_iter().map(points).collect()),
        };
        Self { found, warnings: answer.warnings, infos: answer.infos }
    }
}

fn points(series: MatrixSeries) -> (Labels, Vec<(i64, Value)>) {
    let values = series.values.into_iter().map(Value::Float);
    let mut points: Vec<(i64, Value)> = series.timestamps.into_iter().zip(values).collect();
    points.extend(series.histograms.iter().map(|(ts, histogram)| (*ts, native(histogram))));
    points.sort_by_key(|&(ts, _)| ts);
    (series.labels, points)
}

fn native(histogram: &FloatHistogram) -> Value {
    Value::Histogram(Box::new(Native {
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count: histogram.zero_count,
        count: histogram.count,
        sum: histogram.sum,
        positive: by_index(&histogram.positive_spans, &histogram.positive_buckets),
        negative: by_index(&histogram.negative_spans, &histogram.negative_buckets),
        custom_values: histogram.custom_values.to_vec(),
        hint: histogram.counter_reset_hint,
        hint_written: false,
    }))
}
