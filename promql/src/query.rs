//! What a query asks and what comes back: the seam between PromQL and the servers.

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::memory_pool::MemoryReservation;
use engine::model::Labels;
use engine::source::SelectOptions;

use crate::ast::Text;
use crate::functions::histogram::FloatHistogram;

/// What one sample takes in the memory of a query: a timestamp and a value.
pub const SAMPLE_BYTES: usize = 16;

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// At one time, in ms.
    Instant {
        /// The evaluation time in ms.
        time: i64,
    },
    /// At `start, start + step, …` up to `end`, all in ms; `step` is positive.
    Range {
        /// The first step in ms.
        start: i64,
        /// No step is later than this, in ms.
        end: i64,
        /// The distance of steps in ms.
        step: i64,
    },
}

/// A query.
#[derive(Debug, Clone)]
pub struct QueryRequest {
    /// The PromQL text.
    pub query: String,
    /// When it is evaluated.
    pub evaluation: Evaluation,
    /// How far an instant selector looks back.
    pub lookback: Duration,
    /// The step of subqueries that name none.
    pub default_subquery_step: Duration,
    /// The coarsest resolution that samples may have; zero is raw. Selectors below functions that
    /// need two samples take a finer one where their range asks for it.
    pub max_resolution: Duration,
    /// The time after which the query is given up.
    pub timeout: Duration,
    /// Most series in the answer; 0 means no limit.
    pub limit: usize,
    /// Dedup, partial responses and limits of the selectors.
    pub select: SelectOptions,
    /// Whether samples are counted.
    pub stats: bool,
    /// Whether the answer tells the plan and what its operators measured, with counted samples.
    pub analyze: bool,
}

/// The value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Box<FloatHistogram>),
}

/// One series of a matrix: at each time a number or a histogram.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatrixSeries {
    /// Its labels.
    pub labels: Labels,
    /// Timestamps of its numbers in ms.
    pub timestamps: Vec<i64>,
    /// The numbers.
    pub values: Vec<f64>,
    /// Its histograms and their timestamps in ms.
    pub histograms: Vec<(i64, FloatHistogram)>,
}

/// An answer's value.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// A number at a time in ms.
    Scalar(i64, f64),
    /// A string at a time in ms.
    String(i64, Text),
    /// Series with one value each, at the evaluation time in ms.
    Vector(i64, Vec<(Labels, SampleValue)>),
    /// Series with points.
    Matrix(Vec<MatrixSeries>),
}

/// Where the time of a query went (`queryTimings` in util/stats/query_stats.go).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Parsing, finding series, planning.
    pub preparation: Duration,
    /// Executing the plan.
    pub execution: Duration,
    /// Ordering the series of the answer.
    pub sorting: Duration,
}

/// How many samples a query looked at (`QuerySamples` in util/stats/query_stats.go). A native histogram
/// counts as so many as it takes the memory of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleStats {
    /// At each step.
    pub steps: Vec<StepSamples>,
    /// Series of all selectors together.
    pub series: usize,
    /// The most memory that the query held, in samples of 16 bytes.
    pub peak: usize,
}

/// How many samples one step of a query looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepSamples {
    /// The step in ms.
    pub time: i64,
    /// Samples that it looked at.
    pub total: u64,
    /// Those among them that no step before had looked at.
    pub read: u64,
}

impl SampleStats {
    /// Samples that all steps looked at, each for itself.
    pub fn total(&self) -> u64 {
        self.steps.iter().map(|step| step.total).sum()
    }

    /// Samples that any step looked at.
    pub fn read(&self) -> u64 {
        self.steps.iter().map(|step| step.read).sum()
    }
}

/// An operator of a physical plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanNode {
    /// Its name and parameters, on one line.
    pub name: String,
    /// The time of its own work, of all threads together; none if it measures none.
    pub elapsed: Option<Duration>,
    /// The most bytes of state that it held; none if it does not count them.
    pub peak_bytes: Option<usize>,
    /// The samples that the selectors in it looked at; none if they were not counted.
    pub samples: Option<u64>,
    /// All that it measured.
    pub metrics: Vec<Metric>,
    /// Its inputs.
    pub children: Vec<Self>,
}

impl PlanNode {
    /// An operator that has neither inputs nor anything measured.
    pub fn of(name: String) -> Self {
        let (metrics, children) = (Vec::new(), Vec::new());
        Self { name, elapsed: None, peak_bytes: None, samples: None, metrics, children }
    }
}

/// Something that an operator measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// DataFusion's name of it.
    pub name: String,
    /// Its value, with its unit.
    pub value: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct QueryAnswer {
    /// The value.
    pub value: QueryValue,
    /// Warnings, in Prometheus' words.
    pub warnings: Vec<String>,
    /// Infos, in Prometheus' words.
    pub infos: Vec<String>,
    /// Where time went.
    pub timings: Timings,
    /// How many samples were looked at, if the request asks for it and something was executed.
    pub samples: Option<SampleStats>,
    /// The physical plan with its metrics (`EXPLAIN ANALYZE`), if the request asks for it and
    /// something was executed.
    pub plan: Option<PlanNode>,
    /// The memory that the answer takes, until it is dropped.
    pub memory: Option<Arc<MemoryReservation>>,
}

impl QueryAnswer {
    /// An answer for which nothing was executed.
    pub fn of(value: QueryValue) -> Self {
        let (warnings, infos) = (Vec::new(), Vec::new());
        let timings = Timings::default();
        Self { value, warnings, infos, timings, samples: None, plan: None, memory: None }
    }
}
