//! Answers of the engine, in the form in which they are judged.

use engine::model::Labels;
use promql::query::{QueryAnswer, QueryValue};

use super::script::Value;

/// The value of an answer.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Scalar(f64),
    Text(String),
    Vector(Vec<(Labels, Value)>),
    /// Points in order of time, in ms.
    Matrix(Vec<(Labels, Vec<(i64, Value)>)>),
}

/// What was found, and the engine's remarks.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) found: Found,
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
}

impl From<QueryAnswer> for Answer {
    fn from(answer: QueryAnswer) -> Self {
        let found = match answer.value {
            QueryValue::Scalar(_, value) => Found::Scalar(value),
            QueryValue::String(_, text) => Found::Text(text),
            QueryValue::Vector(_, series) => Found::Vector(
                series.into_iter().map(|(labels, value)| (labels, Value::Float(value))).collect(),
            ),
            QueryValue::Matrix(series) => Found::Matrix(
                series
                    .into_iter()
                    .map(|series| {
                        let values = series.values.into_iter().map(Value::Float);
                        (series.labels, series.timestamps.into_iter().zip(values).collect())
                    })
                    .collect(),
            ),
        };
        Self { found, warnings: answer.warnings, infos: answer.infos }
    }
}
