//! Native histograms as Prometheus stores them (`model/histogram`).

/// What a histogram says of counter resets before it (`histogram.CounterResetHint`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterResetHint {
    /// Nothing is known: compare with the sample before.
    Unknown,
    /// A reset happened before this sample.
    CounterReset,
    /// No reset happened before this sample.
    NotCounterReset,
    /// Not a counter.
    Gauge,
}

/// A stretch of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Gap to the end of the span before; index of the first bucket for the first span.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// Counts of a histogram: whole numbers as scraped, or floats. Buckets are absolute, in span order.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of Prometheus' histogram.Histogram")]
pub enum HistogramCounts {
    /// An integer histogram.
    Int { count: u64, zero_count: u64, positive: Vec<i64>, negative: Vec<i64> },
    /// A float histogram.
    Float { count: f64, zero_count: f64, positive: Vec<f64>, negative: Vec<f64> },
}

/// One native histogram sample without its timestamp.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What is known of resets.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8 exponential, -53 custom bounds.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Sum of observations; the stale marker's bits make the histogram a stale marker.
    pub sum: f64,
    /// Buckets above zero (all buckets for custom bounds).
    pub positive_spans: Vec<Span>,
    /// Buckets below zero.
    pub negative_spans: Vec<Span>,
    /// Upper bounds, for schema -53 only.
    pub custom_values: Vec<f64>,
    /// The counts.
    pub counts: HistogramCounts,
}

impl Histogram {
    /// The histogram by reference.
    pub fn parts(&self) -> HistogramParts<'_> {
        HistogramParts {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans: &self.positive_spans,
            negative_spans: &self.negative_spans,
            custom_values: &self.custom_values,
            counts: match self.counts {
                HistogramCounts::Int { count, zero_count, ref positive, ref negative } => {
                    CountsView::Int { count, zero_count, positive, negative }
                }
                HistogramCounts::Float { count, zero_count, ref positive, ref negative } => {
                    CountsView::Float { count, zero_count, positive, negative }
                }
            },
        }
    }
}

/// A [`Histogram`] whose lists lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistogramParts<'a> {
    /// What is known of resets.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8 exponential, -53 custom bounds.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Sum of observations, or the stale marker's bits.
    pub sum: f64,
    /// Buckets above zero.
    pub positive_spans: &'a [Span],
    /// Buckets below zero.
    pub negative_spans: &'a [Span],
    /// Upper bounds, for schema -53 only.
    pub custom_values: &'a [f64],
    /// The counts.
    pub counts: CountsView<'a>,
}

/// Spans as two columns of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spans<'a> {
    /// For each span what [`Span::offset`] is.
    pub offsets: &'a [i32],
    /// For each span how many buckets it has.
    pub lengths: &'a [i32],
}

/// The counts of a histogram that lie elsewhere; else as [`HistogramCounts`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of HistogramCounts")]
pub enum CountsView<'a> {
    /// Of an integer histogram.
    Int { count: u64, zero_count: u64, positive: &'a [i64], negative: &'a [i64] },
    /// Of a float histogram.
    Float { count: f64, zero_count: f64, positive: &'a [f64], negative: &'a [f64] },
}

/// A [`Histogram`] whose lists lie elsewhere: in columns. Spans have as many buckets as there are
/// counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistogramView<'a> {
    /// What is known of resets.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8 exponential, -53 custom bounds.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Sum of observations, or the stale marker's bits.
    pub sum: f64,
    /// Buckets above zero.
    pub positive: Spans<'a>,
    /// Buckets below zero.
    pub negative: Spans<'a>,
    /// Upper bounds, for schema -53 only.
    pub custom_values: &'a [f64],
    /// The counts.
    pub counts: CountsView<'a>,
}

impl HistogramView<'_> {
    /// A copy of its own.
    pub fn to_histogram(&self) -> Histogram {
        let spans = |spans: Spans<'_>| {
            let pairs = spans.offsets.iter().zip(spans.lengths);
            pairs.map(|(&offset, &length)| Span { offset, length: length as u32 }).collect()
        };
        Histogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans: spans(self.positive),
            negative_spans: spans(self.negative),
            custom_values: self.custom_values.to_vec(),
            counts: match self.counts {
                CountsView::Int { count, zero_count, positive, negative } => HistogramCounts::Int {
                    count,
                    zero_count,
                    positive: positive.to_vec(),
                    negative: negative.to_vec(),
                },
                CountsView::Float { count, zero_count, positive, negative } => {
                    HistogramCounts::Float {
                        count,
                        zero_count,
                        positive: positive.to_vec(),
                        negative: negative.to_vec(),
                    }
                }
            },
        }
    }
}
