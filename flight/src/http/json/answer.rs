//! A whole answer: `{"status":"success","data":…,"warnings":[…],"infos":[…]}`, made in chunks, so
//! that a large matrix is never in memory a second time as text.

use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use engine::model::Labels;
use promql::functions::histogram::FloatHistogram;
use promql::query::{MatrixSeries, QueryValue, SampleValue};

use super::histogram::push_histogram;
use super::number::{push_scalar, push_short_timestamp, push_timestamp, push_value};
use super::text::{Escape, push_labels, push_string, push_text};

/// The most warnings or infos that an answer carries (`web/api/v1.respond`).
const ANNOTATIONS_MAX: usize = 10;

/// A chunk is ended by the first value that makes it this long.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// What an answer's `data` is.
#[derive(Debug)]
pub enum Payload {
    /// The value of a query: an object with `resultType`, `result` and what belongs to it.
    Query(QueryValue),
    /// A list of label sets.
    LabelSets(Vec<Labels>),
    /// A list of strings.
    Strings(Vec<String>),
    /// JSON that is already text.
    Raw(Vec<u8>),
}

/// An answer, and how far it is written.
#[derive(Debug)]
pub struct Answer {
    payload: Payload,
    /// What stands after the result: stats, analysis, warnings, infos, closing braces.
    tail: Vec<u8>,
    started: bool,
    /// The next item of the payload.
    item: usize,
    /// The next point inside the item; only series of a matrix are cut inside.
    point: usize,
    /// The memory of the payload, held until all is written.
    memory: Option<Arc<MemoryReservation>>,
}

impl Answer {
    /// An answer without warnings.
    pub fn new(payload: Payload) -> Self {
        Self::with_extras(payload, &[], &[], &[])
    }

    /// An answer with annotations, and with `extras` (name and JSON text) inside `data` after the
    /// result of a query.
    pub fn with_extras(
        payload: Payload,
        extras: &[(&str, String)],
        warnings: &[String],
        infos: &[String],
    ) -> Self {
        let mut tail = Vec::new();
        if let Payload::Query(_) = payload {
            for (name, json) in extras {
                tail.extend_from_slice(format!(",\"{name}\":{json}").as_bytes());
            }
            tail.push(b'}');
        }
        push_annotations(&mut tail, "warnings", "warning", warnings);
        push_annotations(&mut tail, "infos", "info", infos);
        tail.push(b'}');
        Self { payload, tail, started: false, item: 0, point: 0, memory: None }
    }

    /// The same, holding the memory that its payload takes.
    #[must_use]
    pub fn holding(self, memory: Option<Arc<MemoryReservation>>) -> Self {
        Self { memory, ..self }
    }

    /// Appends the next chunk, [`CHUNK_BYTES`] or a little more, to `out`. Returns whether there is
    /// more.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        let full = out.len() + CHUNK_BYTES;
        if !self.started {
            self.started = true;
            self.push_head(out);
        }
        let count = self.item_count();
        while self.item < count {
            if !self.push_item(out, full) {
                return true;
            }
            self.item += 1;
            self.point = 0;
            if self.item < count {
                out.push(b',');
            }
            if out.len() >= full {
                return true;
            }
        }
        if self.is_list() {
            out.push(b']');
        }
        out.append(&mut self.tail);
        drop(self.memory.take());
        false
    }

    fn is_list(&self) -> bool {
        !matches!(
            self.payload,
            Payload::Raw(_) | Payload::Query(QueryValue::Scalar(..) | QueryValue::String(..))
        )
    }

    fn item_count(&self) -> usize {
        match &self.payload {
            Payload::Query(QueryValue::Vector(_, series)) => series.len(),
            Payload::Query(QueryValue::Matrix(series)) => series.len(),
            Payload::Query(_) | Payload::Raw(_) => 1,
            Payload::LabelSets(sets) => sets.len(),
            Payload::Strings(strings) => strings.len(),
        }
    }

    fn push_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"status\":\"success\",\"data\":");
        if let Payload::Query(value) = &self.payload {
            let kind = match value {
                QueryValue::Scalar(..) => "scalar",
                QueryValue::String(..) => "string",
                QueryValue::Vector(..) => "vector",
                QueryValue::Matrix(_) => "matrix",
            };
            out.extend_from_slice(format!("{{\"resultType\":\"{kind}\",\"result\":").as_bytes());
        }
        if self.is_list() {
            out.push(b'[');
        }
    }

    /// Writes the item in hand, or a part of it that makes `out` as long as `full`. Returns whether
    /// the item is finished.
    fn push_item(&mut self, out: &mut Vec<u8>, full: usize) -> bool {
        match &mut self.payload {
            Payload::Query(QueryValue::Matrix(series)) => {
                let series = &mut series[self.item];
                self.point = push_series(out, series, self.point, full);
                let finished = self.point == points(series);
                if finished {
                    // Sent: an answer shrinks while it is read by a slow client.
                    *series = MatrixSeries::default();
                }
                return finished;
            }
            Payload::Query(QueryValue::Vector(time, series)) => {
                let (labels, value) = &series[self.item];
                out.extend_from_slice(b"{\"metric\":");
                push_labels(out, labels);
                match value {
                    SampleValue::Float(value) => {
                        out.extend_from_slice(b",\"value\":");
                        push_point(out, *time, *value);
                    }
                    SampleValue::Histogram(histogram) => {
                        out.extend_from_slice(b",\"histogram\":");
                        push_histogram_point(out, *time, histogram);
                    }
                }
                out.push(b'}');
            }
            Payload::Query(QueryValue::Scalar(time, value)) => {
                out.push(b'[');
                push_short_timestamp(out, *time);
                out.extend_from_slice(b",\"");
                push_scalar(out, *value);
                out.extend_from_slice(b"\"]");
            }
            Payload::Query(QueryValue::String(time, text)) => {
                out.push(b'[');
                push_short_timestamp(out, *time);
                out.push(b',');
                push_text(out, text);
                out.push(b']');
            }
            Payload::LabelSets(sets) => push_labels(out, &sets[self.item]),
            Payload::Strings(strings) => push_string(out, &strings[self.item], Escape::Html),
            Payload::Raw(json) => out.append(json),
        }
        true
    }
}

/// How many points a series has.
fn points(series: &MatrixSeries) -> usize {
    series.timestamps.len() + series.histograms.len()
}

/// Writes points of a series from `from` on until `out` is `full`, and returns the next one: numbers
/// first, then histograms.
fn push_series(out: &mut Vec<u8>, series: &MatrixSeries, from: usize, full: usize) -> usize {
    let (floats, count) = (series.timestamps.len(), points(series));
    if from == 0 {
        out.extend_from_slice(b"{\"metric\":");
        push_labels(out, &series.labels);
    }
    let mut at = from;
    while at < count && (at == from || out.len() < full) {
        let before: &[u8] = match at {
            0 if floats > 0 => b",\"values\":[",
            _ if at == floats && floats == 0 => b",\"histograms\":[",
            _ if at == floats => b"],\"histograms\":[",
            _ => b",",
        };
        out.extend_from_slice(before);
        match at.checked_sub(floats) {
            None => push_point(out, series.timestamps[at], series.values[at]),
            Some(at) => {
                let (time, histogram) = &series.histograms[at];
                push_histogram_point(out, *time, histogram);
            }
        }
        at += 1;
    }
    if at == count {
        out.extend_from_slice(if count > 0 { b"]}" } else { b"}" });
    }
    at
}

fn push_histogram_point(out: &mut Vec<u8>, time: i64, histogram: &FloatHistogram) {
    out.push(b'[');
    push_timestamp(out, time);
    out.push(b',');
    push_histogram(out, histogram);
    out.push(b']');
}

#[inline]
fn push_point(out: &mut Vec<u8>, time: i64, value: f64) {
    out.push(b'[');
    push_timestamp(out, time);
    out.extend_from_slice(b",\"");
    push_value(out, value);
    out.extend_from_slice(b"\"]");
}

/// Each text once, at most ten, and how many more there are.
fn push_annotations(out: &mut Vec<u8>, field: &str, kind: &str, texts: &[String]) {
    let mut distinct: Vec<&String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    if distinct.is_empty() {
        return;
    }
    out.extend_from_slice(format!(",\"{field}\":[").as_bytes());
    for (at, text) in distinct.iter().take(ANNOTATIONS_MAX).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, text, Escape::Html);
    }
    if distinct.len() > ANNOTATIONS_MAX {
        let more = distinct.len() - ANNOTATIONS_MAX;
        out.extend_from_slice(format!(",\"{more} more {kind} annotations omitted\"").as_bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use promql::ast::Text;

    use super::*;

    fn whole(mut answer: Answer) -> String {
        let mut out = Vec::new();
        while answer.fill(&mut out) {}
        String::from_utf8(out).unwrap()
    }

    fn labels(name: &str) -> Labels {
        Labels::new([("__name__", name)]).unwrap()
    }

    #[test]
    fn each_kind_of_value_is_that_of_prometheus() {
        let series = |values: &[(i64, f64)]| MatrixSeries {
            labels: labels("up"),
            timestamps: values.iter().map(|p| p.0).collect(),
            values: values.iter().map(|p| p.1).collect(),
            ..MatrixSeries::default()
        };
        for (value, expected) in [
            (QueryValue::Vector(1_500, vec![]), r#""vector","result":[]"#),
            (
                QueryValue::Vector(
                    1_500,
                    vec![
                        (labels("a"), SampleValue::Float(1.0)),
                        (labels("b"), SampleValue::Float(f64::NAN)),
                    ],
                ),
                r#""vector","result":[{"metric":{"__name__":"a"},"value":[1.500,"1"]},{"metric":{"__name__":"b"},"value":[1.500,"NaN"]}]"#,
            ),
            (
                QueryValue::Scalar(1_500, 1e22),
                r#""scalar","result":[1.5,"10000000000000000000000"]"#,
            ),
            (QueryValue::String(2_000, "<".into()), r#""string","result":[2,"\u003c"]"#),
            (
                QueryValue::String(2_000, Text::new(*b"a\xffb\xef\xbf\xbd")),
                "\"string\",\"result\":[2,\"a\\ufffdb\u{fffd}\"]",
            ),
            (QueryValue::Matrix(vec![]), r#""matrix","result":[]"#),
            (
                QueryValue::Matrix(vec![series(&[(0, 0.5), (60_000, -0.0)]), series(&[(1, 1e-7)])]),
                r#""matrix","result":[{"metric":{"__name__":"up"},"values":[[0,"0.5"],[60,"-0"]]},{"metric":{"__name__":"up"},"values":[[0.001,"1e-07"]]}]"#,
            ),
        ] {
            assert_eq!(
                whole(Answer::new(Payload::Query(value))),
                format!(r#"{{"status":"success","data":{{"resultType":{expected}}}}}"#)
            );
        }
    }

    #[test]
    fn what_belongs_to_the_answer_comes_after_the_result() {
        let many: Vec<String> = (0..12).map(|i| format!("w{i}")).collect();
        let mut warnings = vec!["w0".to_owned()];
        warnings.extend(many);
        let value = Payload::Query(QueryValue::Vector(0, vec![]));
        let extras = [("stats", "{}".to_owned())];
        let text = whole(Answer::with_extras(value, &extras, &warnings, &["<i>".to_owned()]));
        assert_eq!(
            text,
            concat!(
                r#"{"status":"success","data":{"resultType":"vector","result":[],"stats":{}},"#,
                r#""warnings":["w0","w1","w2","w3","w4","w5","w6","w7","w8","w9","#,
                r#""2 more warning annotations omitted"],"infos":["\u003ci\u003e"]}"#
            )
        );
        let sets = Payload::LabelSets(vec![labels("a"), labels("b")]);
        assert_eq!(
            whole(Answer::new(sets)),
            r#"{"status":"success","data":[{"__name__":"a"},{"__name__":"b"}]}"#
        );
        let strings = Payload::Strings(vec!["a".into(), "&".into()]);
        assert_eq!(whole(Answer::new(strings)), r#"{"status":"success","data":["a","\u0026"]}"#);
        let raw = Payload::Raw(b"{}".to_vec());
        assert_eq!(whole(Answer::new(raw)), r#"{"status":"success","data":{}}"#);
    }

    #[test]
    fn chunks_join_to_the_same_text() {
        let series = |count: i64| MatrixSeries {
            labels: labels("m"),
            timestamps: (0..count).collect(),
            values: (0..count).map(|i| i as f64 / 7.0).collect(),
            ..MatrixSeries::default()
        };
        let value =
            || QueryValue::Matrix(vec![series(3), series(11_000), series(0), series(5_000)]);
        let mut answer = Answer::new(Payload::Query(value()));
        let (mut joined, mut chunks) = (Vec::new(), 0);
        loop {
            let mut chunk = Vec::new();
            let more = answer.fill(&mut chunk);
            assert!(chunk.len() < CHUNK_BYTES + 100);
            chunks += 1;
            joined.extend_from_slice(&chunk);
            if !more {
                break;
            }
        }
        assert!(chunks > 3, "{chunks}");
        let tree: serde_json::Value = serde_json::from_slice(&joined).unwrap();
        let result = &tree["data"]["result"];
        assert_eq!(result[1]["values"].as_array().unwrap().len(), 11_000);
        assert_eq!(result[1]["values"][10_999][0], 10.999);
        assert_eq!(result[2], serde_json::json!({"metric": {"__name__": "m"}}));
        assert_eq!(result[3]["values"][4_999][1], "714.1428571428571");
    }
}
