//! A query's answer as frames.

use engine::model::{CounterResetHint, Labels};
use promql::functions::histogram::FloatHistogram;
use promql::query::{MatrixSeries, QueryAnswer, QueryValue, SampleValue};
use proto::prometheus_copy::histogram::{Count, ResetHint, ZeroCount};
use proto::prometheus_copy::{BucketSpan, Histogram, Sample, TimeSeries};
use proto::thanos::{
    QueryRangeResponse, QueryResponse, QueryStats, TimeSeriesBatch, query_range_response,
    query_response,
};

use crate::storeapi::server::roster::wire;

/// A message of an answer, before it is known of which method.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    Warnings(String),
    Series(TimeSeries),
    Batch(Vec<TimeSeries>),
    Stats,
}

impl From<Frame> for QueryResponse {
    fn from(frame: Frame) -> Self {
        use query_response::Result as R;
        let result = match frame {
            Frame::Warnings(text) => R::Warnings(text),
            Frame::Series(series) => R::Timeseries(series),
            Frame::Batch(series) => R::TimeseriesBatch(TimeSeriesBatch { series }),
            Frame::Stats => R::Stats(QueryStats::default()),
        };
        Self { result: Some(result) }
    }
}

impl From<Frame> for QueryRangeResponse {
    fn from(frame: Frame) -> Self {
        use query_range_response::Result as R;
        let result = match frame {
            Frame::Warnings(text) => R::Warnings(text),
            Frame::Series(series) => R::Timeseries(series),
            Frame::Batch(series) => R::TimeseriesBatch(TimeSeriesBatch { series }),
            Frame::Stats => R::Stats(QueryStats::default()),
        };
        Self { result: Some(result) }
    }
}

/// The frames of an answer, made as they are sent: warnings in one, then the series, at last the
/// statistics. A text has no frame, as in Thanos.
pub(super) fn frames(answer: QueryAnswer, batch: usize) -> impl Iterator<Item = Frame> + Send {
    let QueryAnswer { value, mut warnings, infos, memory, .. } = answer;
    warnings.extend(infos);
    let warnings = (!warnings.is_empty()).then(|| Frame::Warnings(warnings.join(", ")));
    let mut series = series(value);
    let series = std::iter::from_fn(move || {
        // What is left of the answer is in memory until the last frame is made.
        let _held = &memory;
        if batch <= 1 {
            return series.next().map(Frame::Series);
        }
        let some: Vec<TimeSeries> = series.by_ref().take(batch).collect();
        (!some.is_empty()).then_some(Frame::Batch(some))
    });
    warnings.into_iter().chain(series).chain([Frame::Stats])
}

fn series(value: QueryValue) -> Box<dyn Iterator<Item = TimeSeries> + Send> {
    let one = |labels: &Labels, timestamp, value| TimeSeries {
        labels: wire(labels),
        samples: vec![Sample { value, timestamp }],
        ..TimeSeries::default()
    };
    match value {
        QueryValue::Scalar(time, value) => {
            Box::new(std::iter::once(one(&Labels::empty(), time, value)))
        }
        QueryValue::String(..) => Box::new(std::iter::empty()),
        QueryValue::Vector(time, series) => {
            Box::new(series.into_iter().map(move |(labels, value)| match value {
                SampleValue::Float(value) => one(&labels, time, value),
                SampleValue::Histogram(value) => TimeSeries {
                    labels: wire(&labels),
                    histograms: vec![histogram(time, *value)],
                    ..TimeSeries::default()
                },
            }))
        }
        QueryValue::Matrix(series) => Box::new(series.into_iter().map(points)),
    }
}

fn points(series: MatrixSeries) -> TimeSeries {
    let points = series.timestamps.into_iter().zip(series.values);
    let samples = points.map(|(timestamp, value)| Sample { value, timestamp }).collect();
    let histograms = series.histograms.into_iter();
    let histograms = histograms.map(|(time, value)| histogram(time, value)).collect();
    TimeSeries { labels: wire(&series.labels), samples, histograms, ..TimeSeries::default() }
}

/// As `FloatHistogramToHistogramProto` makes it.
fn histogram(timestamp: i64, histogram: FloatHistogram) -> Histogram {
    let spans = |spans: Vec<engine::model::Span>| {
        spans.into_iter().map(|span| BucketSpan { offset: span.offset, length: span.length })
    };
    let hint = match histogram.counter_reset_hint {
        CounterResetHint::Unknown => ResetHint::Unknown,
        CounterResetHint::CounterReset => ResetHint::Yes,
        CounterResetHint::NotCounterReset => ResetHint::No,
        CounterResetHint::Gauge => ResetHint::Gauge,
    };
    Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: spans(histogram.negative_spans).collect(),
        negative_counts: histogram.negative_buckets,
        positive_spans: spans(histogram.positive_spans).collect(),
        positive_counts: histogram.positive_buckets,
        reset_hint: hint.into(),
        timestamp,
        custom_values: histogram.custom_values.to_vec(),
        count: Some(Count::CountFloat(histogram.count)),
        zero_count: Some(ZeroCount::ZeroCountFloat(histogram.zero_count)),
        ..Histogram::default()
    }
}
