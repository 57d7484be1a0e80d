//! Histograms as they are stored, and back.

use std::sync::Arc;

use engine::model::{CountsView, HistogramParts, HistogramView, Span, Spans};

use super::FloatHistogram;

impl FloatHistogram {
    /// A stored histogram; whole counts become floats (`ToFloat`).
    pub fn from_view(view: &HistogramView<'_>) -> Self {
        let spans = |spans: Spans<'_>| -> Vec<Span> {
            let pairs = spans.offsets.iter().zip(spans.lengths);
            pairs.map(|(&offset, &length)| Span { offset, length: length as u32 }).collect()
        };
        let floats =
            |counts: &[i64]| -> Vec<f64> { counts.iter().map(|&count| count as f64).collect() };
        let (count, zero_count, positive_buckets, negative_buckets) = match view.counts {
            CountsView::Int { count, zero_count, positive, negative } => {
                (count as f64, zero_count as f64, floats(positive), floats(negative))
            }
            CountsView::Float { count, zero_count, positive, negative } => {
                (count, zero_count, positive.to_vec(), negative.to_vec())
            }
        };
        Self {
            counter_reset_hint: view.counter_reset_hint,
            schema: view.schema,
            zero_threshold: view.zero_threshold,
            zero_count,
            count,
            sum: view.sum,
            positive_spans: spans(view.positive),
            negative_spans: spans(view.negative),
            positive_buckets,
            negative_buckets,
            custom_values: match view.custom_values {
                [] => Arc::default(),
                bounds => bounds.into(),
            },
        }
    }

    /// The histogram as it is stored.
    pub fn parts(&self) -> HistogramParts<'_> {
        HistogramParts {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans: &self.positive_spans,
            negative_spans: &self.negative_spans,
            custom_values: &self.custom_values,
            counts: CountsView::Float {
                count: self.count,
                zero_count: self.zero_count,
                positive: &self.positive_buckets,
                negative: &self.negative_buckets,
            },
        }
    }
}
