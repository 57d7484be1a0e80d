//! Warnings and infos of an answer, in Prometheus' words and with their places (`util/annotations`).

use std::fmt;
use std::sync::Arc;

use engine::model::METRIC_NAME;

use super::{Node, Planner, SeriesSet};
use crate::exec::grid::{Cells, Grid};
use crate::exec::histogram_quantile::{Fixed, MonotonicityFixes};
use crate::exec::notes::Notes;
use crate::functions::Remark;
use crate::parse::{position, quoted};

/// How serious an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Warning,
    Info,
}

/// What names a metric in annotations: its name, and a label that some of them tell.
type Metric = (String, String);

/// What is known of an annotation before the plan has run.
#[derive(Debug, Clone)]
enum Expected {
    /// All of it.
    Certain(Severity, String),
    /// What operators will notice in samples of the metrics; `subject` is the aggregation or operator.
    Noticed { notes: Arc<Notes>, metrics: Vec<Metric>, subject: &'static str },
    /// Buckets that will be made monotonic.
    Fixed { fixes: Arc<MonotonicityFixes>, metrics: Vec<Metric> },
}

/// The annotations of a query, in the order of their evaluation.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    expected: Vec<(usize, Expected)>,
}

impl Annotations {
    /// Adds one that is known at planning.
    pub(super) fn add(&mut self, severity: Severity, text: impl Into<String>, place: usize) {
        self.expected.push((place, Expected::Certain(severity, text.into())));
    }

    /// Adds all of `others`.
    pub(super) fn extend(&mut self, others: &Self) {
        self.expected.extend_from_slice(&others.expected);
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.expected.clear();
    }

    /// Warnings and infos, after the plan has run. Of equal ones the last counts, but with fixes of
    /// buckets the first, to which the others are added.
    pub(super) fn texts(&self, query: &str) -> (Vec<String>, Vec<String>) {
        let mut texts: Vec<Text> = Vec::new();
        for (place, expected) in &self.expected {
            for (severity, text, fixed) in expected.texts() {
                let new = Text { severity, text, fixed, place: *place };
                match texts.iter_mut().find(|known| known.text == new.text) {
                    Some(known) => match (&mut known.fixed, &new.fixed) {
                        (Some(known), Some(new)) => *known = known.merged(new),
                        _ => *known = new,
                    },
                    None => texts.push(new),
                }
            }
        }
        let of = |severity| {
            let of = texts.iter().filter(|text| text.severity == severity);
            of.map(|text| format!("{text} ({})", position(query, text.place))).collect()
        };
        (of(Severity::Warning), of(Severity::Info))
    }
}

/// An annotation without its place in the query.
struct Text {
    severity: Severity,
    text: String,
    /// What is said behind, and does not make it another annotation.
    fixed: Option<Fixed>,
    place: usize,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let details = self.fixed.map(|fixed| fixed.text()).unwrap_or_default();
        write!(f, "PromQL {severity}: {}{details}", self.text)
    }
}

impl Expected {
    /// Severity, text and what is said behind of each annotation.
    fn texts(&self) -> Vec<(Severity, String, Option<Fixed>)> {
        let plain = |(severity, text)| (severity, text, None);
        match self {
            Self::Certain(severity, text) => vec![plain((*severity, text.clone()))],
            Self::Noticed { notes, metrics, subject } => {
                let warnings = notes.warnings().into_iter().map(|text| (Severity::Warning, text));
                let nameless = (String::new(), String::new());
                let found = notes.found().into_iter().filter_map(|(metric, remark)| {
                    of_remark(remark, metrics.get(metric as usize).unwrap_or(&nameless), subject)
                });
                warnings.chain(found).map(plain).collect()
            }
            Self::Fixed { fixes, metrics } => {
                let text = |(metric, fixed): (u32, Fixed)| {
                    let name = metrics.get(metric as usize).map_or("", |(name, _)| name);
                    let text = "input to histogram_quantile needed to be fixed for monotonicity \
                        (see https://prometheus.io/docs/prometheus/latest/querying/functions/\
                        #histogram_quantile)";
                    (Severity::Info, of_metric(text, name), Some(fixed))
                };
                fixes.found().into_iter().map(text).collect()
            }
        }
    }
}

/// The text, and the metric's name if it has one.
fn of_metric(text: &str, name: &str) -> String {
    match name {
        "" => text.to_owned(),
        name => format!("{text} for metric name {}", quoted(name)),
    }
}

/// Suffixes of counters' names.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

fn is_counter(name: &str) -> bool {
    name.is_empty() || COUNTERS.iter().any(|suffix| name.ends_with(suffix))
}

/// The label with a metric's type.
const TYPE: &str = "__type__";

fn is_counter_type(name: &str, kind: &str) -> bool {
    name.is_empty() || matches!(kind, "counter" | "histogram")
}

/// What is said of a remark; nothing if it does not hold of the metric.
fn of_remark(remark: Remark, metric: &Metric, subject: &str) -> Option<(Severity, String)> {
    use Severity::{Info, Warning};
    let (name, extra) = metric;
    let named = quoted(name);
    let operation = |operation: &str| match remark {
        Remark::CollisionAdd | Remark::CollisionSub | Remark::CollisionAggregation => {
            (Warning, format!("conflicting counter resets during histogram {operation}"))
        }
        _ => (Info, format!("mismatched custom buckets were reconciled during {operation}")),
    };
    let types = |left: &str, right: &str| {
        let text = "incompatible sample types encountered for binary operator";
        (Info, format!("{text} {}: {left} {subject} {right}", quoted(subject)))
    };
    Some(match remark {
        Remark::MixedRange => {
            let text = "encountered a mix of histograms and floats for metric name";
            (Warning, format!("{text} {named}"))
        }
        Remark::MixedGroup => {
            (Warning, "encountered a mix of histograms and floats for aggregation".to_owned())
        }
        Remark::MixedClassicNative => {
            (Warning, of_metric("vector contains a mix of classic and native histograms", name))
        }
        Remark::MixedBuckets => {
            let text = "vector contains a mix of histograms with exponential and custom buckets \
                schemas for metric name";
            (Warning, format!("{text} {named}"))
        }
        Remark::NotCounter => {
            (Warning, format!("this native histogram metric is not a counter: {named}"))
        }
        Remark::NotGauge => {
            (Warning, format!("this native histogram metric is not a gauge: {named}"))
        }
        Remark::PossibleNonCounter if subject == TYPE => {
            if is_counter_type(name, extra) {
                return None;
            }
            let text = "metric might not be a counter, __type__ label is not set to \"counter\" \
                or \"histogram\", got";
            (Info, format!("{text} {}: {named}", quoted(extra)))
        }
        Remark::PossibleNonCounter => {
            if is_counter(name) {
                return None;
            }
            let text = "metric might not be a counter, name does not end in \
                _total/_sum/_count/_bucket:";
            (Info, format!("{text} {named}"))
        }
        Remark::IgnoredInRange => {
            let text = "ignored histograms in a range containing both floats and histograms for \
                metric name";
            (Info, format!("{text} {named}"))
        }
        Remark::IgnoredInAggregation => {
            (Info, format!("ignored histogram in {subject} aggregation"))
        }
        Remark::QuantileNan => {
            let text = "input to histogram_quantile has NaN observations, result is NaN";
            (Info, of_metric(text, name))
        }
        Remark::QuantileSkewed => {
            let text = "input to histogram_quantile has NaN observations, result is skewed higher";
            (Info, of_metric(text, name))
        }
        Remark::FractionNan => {
            let text = "input to histogram_fraction has NaN observations, which are excluded from \
                all fractions";
            (Info, of_metric(text, name))
        }
        Remark::CollisionAdd | Remark::ReconciledAdd => operation("addition"),
        Remark::CollisionSub | Remark::ReconciledSub => operation("subtraction"),
        Remark::CollisionAggregation | Remark::ReconciledAggregation => operation("aggregation"),
        Remark::FloatFloat => types("float", "float"),
        Remark::FloatHistogram => types("float", "histogram"),
        Remark::HistogramFloat => types("histogram", "float"),
        Remark::HistogramHistogram => types("histogram", "histogram"),
        Remark::IncompatibleBuckets => {
            let text = "incompatible bucket layout encountered for binary operator";
            (Warning, format!("{text} {subject}"))
        }
        Remark::StartOverlap => {
            let text = "sample has start time that overlaps with previous sample timestamp for \
                metric";
            (Warning, format!("{text} {named}"))
        }
        Remark::BadBucket => {
            let text = format!(
                "bucket label \"le\" is missing or has a malformed value of {}",
                quoted(extra)
            );
            (Warning, of_metric(&text, name))
        }
    })
}

/// The metrics of series by name and `label`: that of each series, and all of them.
fn metrics(series: &SeriesSet, names: bool, label: &str) -> (Vec<u32>, Vec<Metric>) {
    let by = [if names { METRIC_NAME } else { "" }, label];
    let by: Vec<&str> = by.into_iter().filter(|name| !name.is_empty()).collect();
    let classes = series.classes(&by);
    let metric = |&first: &u32| {
        let labels = series.labels(first as usize);
        let value = |name: &str| labels.get(name).to_owned();
        (if names { value(METRIC_NAME) } else { String::new() }, value(label))
    };
    let metrics = classes.first.iter().map(metric).collect();
    (classes.class_of, metrics)
}

impl Planner<'_> {
    /// Notes of an operator on `series`.
    pub(super) fn notes(
        &mut self,
        series: &SeriesSet,
        subject: &'static str,
        place: usize,
    ) -> Arc<Notes> {
        let (metric_of, metrics) = metrics(series, true, "");
        let notes = Notes::new(metric_of);
        let noticed = Expected::Noticed { notes: Arc::clone(&notes), metrics, subject };
        self.annotations.expected.push((place, noticed));
        notes
    }

    /// Notes of an operator on a node: only where it may have histograms is there something to note.
    pub(super) fn notes_on(
        &mut self,
        input: &Node,
        subject: &'static str,
        place: usize,
    ) -> Arc<Notes> {
        match Cells::of(&input.plan) {
            Cells::Floats => Arc::default(),
            Cells::Mixed => self.notes(&input.series, subject, place),
        }
    }

    /// Notes of a function that expects counters, and whether any of `series` may be none.
    pub(super) fn counter_notes(&mut self, series: &SeriesSet, place: usize) -> (Arc<Notes>, bool) {
        let types = self.features.type_and_unit_labels;
        let (label, subject) = if types { (TYPE, TYPE) } else { ("", "") };
        let (metric_of, metrics) = metrics(series, true, label);
        let odd = metrics.iter().any(|(name, kind)| match types {
            true => !is_counter_type(name, kind),
            false => !is_counter(name),
        });
        let notes = Notes::new(metric_of);
        let noticed = Expected::Noticed { notes: Arc::clone(&notes), metrics, subject };
        self.annotations.expected.push((place, noticed));
        (notes, odd)
    }

    /// Notes of a function on the buckets `series`.
    pub(super) fn bucket_notes(&mut self, series: &SeriesSet, place: usize) -> Arc<Notes> {
        let (metric_of, metrics) = metrics(series, self.features.delayed_name_removal, "le");
        let notes = Notes::new(metric_of);
        let noticed = Expected::Noticed { notes: Arc::clone(&notes), metrics, subject: "" };
        self.annotations.expected.push((place, noticed));
        notes
    }

    /// Notes of buckets that are made monotonic; `groups` are the histograms.
    pub(super) fn fixes(
        &mut self,
        groups: &SeriesSet,
        grid: Grid,
        place: usize,
    ) -> Arc<MonotonicityFixes> {
        let (metric_of, metrics) = metrics(groups, self.features.delayed_name_removal, "");
        let fixes = Arc::new(MonotonicityFixes::new(metric_of, grid));
        self.annotations
            .expected
            .push((place, Expected::Fixed { fixes: Arc::clone(&fixes), metrics }));
        fixes
    }
}
