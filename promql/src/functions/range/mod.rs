//! Functions of a range vector: one series' samples and windows in, one cell a step out.
//!
//! ```text
//! ts      0  15  30  45  60  75        windows of 60 ms that end at 60, 75
//! value   1   2   3   4   5   6        count_over_time → 4, 4     delta → 4, 4
//! ```

mod changes;
mod counts;
mod ends;
mod extended;
mod extremes;
mod from_before;
mod histogram_rate;
mod integral;
pub(super) mod mixed;
mod moments;
mod percentiles;
mod rate;
mod regression;
mod smoothing;

use std::fmt;

use engine::source::Columns;

use super::{Remark, Remarks, Samples, Scalar, Slots, Windows};

pub use extended::{Reach, Smooth, boundaries};
pub(crate) use from_before::LOOKBACK as BEFORE;
pub(crate) use integral::Strategy as IntegralStrategy;
pub(crate) use smoothing::check_factors;

/// A function of a range vector, ready to be applied to series after series.
pub trait RangeKernel: fmt::Debug + Send + Sync {
    /// Evaluates one series at all steps.
    ///
    /// The values of `samples` may be left out if the function [needs timestamps
    /// alone](RangeFunction::columns). `slots` have one slot a window at least, empty; those of all
    /// windows are written, those behind them are left alone. What the function notices is added to
    /// `remarks`.
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    );
}

/// A kernel on samples without stale markers, which ranges skip.
trait Kernel: fmt::Debug + Send + Sync {
    /// Numbers alone, as [`RangeKernel::row`].
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    );

    /// Samples that are not [plain](Samples::is_plain): histograms, or start timestamps. Most
    /// functions leave histograms out, and say so where a range has both.
    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        self.evaluate(samples.ts, samples.values, windows, slots.values, slots.valid);
        mixed::each_window(samples, windows, |_, floats, histograms| {
            if !floats.is_empty() && !histograms.is_empty() {
                remarks.add(Remark::IgnoredInRange);
            }
        });
    }
}

/// Leaves out stale markers before a [`Kernel`] sees the samples.
#[derive(Debug)]
struct SkipStale<K>(K);

impl<K: Kernel> RangeKernel for SkipStale<K> {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        let fresh = mixed::Fresh::new(samples);
        let samples = fresh.samples();
        let steps = windows.len();
        let mut slots = Slots {
            values: &mut slots.values[..steps],
            valid: &mut slots.valid[..steps],
            histograms: &mut *slots.histograms,
        };
        if samples.is_plain() {
            self.0.evaluate(samples.ts, samples.values, windows, slots.values, slots.valid);
        } else {
            self.0.evaluate_all(&samples, windows, &mut slots, remarks);
        }
    }
}

/// Fills one cell a window from the window's samples; windows of fewer than `least` have no value.
#[inline(always)]
fn each_window(
    ts: &[i64],
    windows: &Windows,
    least: usize,
    out: &mut [f64],
    valid: &mut [bool],
    mut cell: impl FnMut(usize, std::ops::Range<usize>) -> f64,
) {
    windows.visit(ts, |k, range| {
        let enough = range.len() >= least;
        out[k] = if enough { cell(k, range) } else { 0.0 };
        valid[k] = enough;
    });
}

/// The functions of a range vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeFunction {
    /// `rate`
    Rate,
    /// `increase`
    Increase,
    /// `delta`
    Delta,
    /// `irate`
    Irate,
    /// `idelta`
    Idelta,
    /// `resets`
    Resets,
    /// `changes`
    Changes,
    /// `deriv`
    Deriv,
    /// `predict_linear`; parameter: seconds after the step
    PredictLinear,
    /// `avg_over_time`
    Avg,
    /// `min_over_time`
    Min,
    /// `max_over_time`
    Max,
    /// `sum_over_time`
    Sum,
    /// `count_over_time`
    Count,
    /// `stddev_over_time`
    Stddev,
    /// `stdvar_over_time`
    Stdvar,
    /// `first_over_time`
    First,
    /// `last_over_time`
    Last,
    /// `present_over_time`; `absent_over_time` is where no series has it
    Present,
    /// `quantile_over_time`; parameter: the quantile
    Quantile,
    /// `mad_over_time` (experimental)
    Mad,
    /// `ts_of_min_over_time` (experimental)
    TsOfMin,
    /// `ts_of_max_over_time` (experimental)
    TsOfMax,
    /// `ts_of_first_over_time` (experimental)
    TsOfFirst,
    /// `ts_of_last_over_time` (experimental)
    TsOfLast,
    /// `double_exponential_smoothing` (experimental); parameters: smoothing and trend factor
    DoubleExponentialSmoothing,
    /// `integral` (experimental); parameter, which may be left out: the strategy
    Integral,
    /// `xrate` (Thanos')
    Xrate,
    /// `xincrease` (Thanos')
    Xincrease,
    /// `xdelta` (Thanos')
    Xdelta,
}

/// Each function's name.
const NAMES: [(&str, RangeFunction); 30] = [
    ("rate", RangeFunction::Rate),
    ("increase", RangeFunction::Increase),
    ("delta", RangeFunction::Delta),
    ("irate", RangeFunction::Irate),
    ("idelta", RangeFunction::Idelta),
    ("resets", RangeFunction::Resets),
    ("changes", RangeFunction::Changes),
    ("deriv", RangeFunction::Deriv),
    ("predict_linear", RangeFunction::PredictLinear),
    ("avg_over_time", RangeFunction::Avg),
    ("min_over_time", RangeFunction::Min),
    ("max_over_time", RangeFunction::Max),
    ("sum_over_time", RangeFunction::Sum),
    ("count_over_time", RangeFunction::Count),
    ("stddev_over_time", RangeFunction::Stddev),
    ("stdvar_over_time", RangeFunction::Stdvar),
    ("first_over_time", RangeFunction::First),
    ("last_over_time", RangeFunction::Last),
    ("present_over_time", RangeFunction::Present),
    ("quantile_over_time", RangeFunction::Quantile),
    ("mad_over_time", RangeFunction::Mad),
    ("ts_of_min_over_time", RangeFunction::TsOfMin),
    ("ts_of_max_over_time", RangeFunction::TsOfMax),
    ("ts_of_first_over_time", RangeFunction::TsOfFirst),
    ("ts_of_last_over_time", RangeFunction::TsOfLast),
    ("double_exponential_smoothing", RangeFunction::DoubleExponentialSmoothing),
    ("integral", RangeFunction::Integral),
    ("xrate", RangeFunction::Xrate),
    ("xincrease", RangeFunction::Xincrease),
    ("xdelta", RangeFunction::Xdelta),
];

impl RangeFunction {
    /// The function called `name` in PromQL.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
    }

    /// Its name in PromQL.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|&&(_, function)| function == self).map_or("", |&(name, _)| name)
    }

    /// Whether it is one of Prometheus' experimental functions.
    pub fn experimental(self) -> bool {
        matches!(
            self,
            Self::Mad
                | Self::TsOfMin
                | Self::TsOfMax
                | Self::TsOfFirst
                | Self::TsOfLast
                | Self::DoubleExponentialSmoothing
                | Self::Integral
        )
    }

    /// Whether it treats the series as a counter.
    pub fn counter(self) -> bool {
        matches!(
            self,
            Self::Rate
                | Self::Increase
                | Self::Irate
                | Self::Resets
                | Self::Xrate
                | Self::Xincrease
        )
    }

    /// Whether histograms may be among its results.
    pub fn gives_histograms(self) -> bool {
        matches!(
            self,
            Self::Rate
                | Self::Increase
                | Self::Delta
                | Self::Irate
                | Self::Idelta
                | Self::Sum
                | Self::Avg
                | Self::First
                | Self::Last
        )
    }

    /// Whether it looks at start timestamps.
    pub fn uses_start_timestamps(self) -> bool {
        self.counter() && !self.from_before()
    }

    /// Whether it begins with the sample before the range.
    pub fn from_before(self) -> bool {
        matches!(self, Self::Xrate | Self::Xincrease | Self::Xdelta)
    }

    /// Whether the result keeps the metric's name.
    pub fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    /// What of the samples it needs.
    pub fn columns(self) -> Columns {
        match self {
            Self::Count | Self::Present | Self::TsOfFirst | Self::TsOfLast => Columns::Timestamps,
            _ => Columns::Samples,
        }
    }

    /// How many scalar parameters it takes, and how many it may do without.
    pub fn scalars(self) -> (usize, usize) {
        match self {
            Self::PredictLinear | Self::Quantile => (1, 0),
            Self::DoubleExponentialSmoothing => (2, 0),
            Self::Integral => (1, 1),
            _ => (0, 0),
        }
    }

    /// The function with its scalar parameters in order of the call.
    ///
    /// Errors: parameters that Prometheus refuses to calculate with, in its words, and a wrong
    /// number of them (which the parser prevents).
    pub fn kernel(self, scalars: &[Scalar]) -> engine::Result<Box<dyn RangeKernel>> {
        let (most, optional) = self.scalars();
        if !(most - optional..=most).contains(&scalars.len()) {
            let given = scalars.len();
            let text = format!("{self} takes {most} scalars, not {given}");
            return Err(engine::Error::internal(text));
        }
        Ok(match (self, scalars) {
            (Self::PredictLinear, [seconds]) => {
                skip(regression::PredictLinear { seconds: seconds.clone() })
            }
            (Self::Quantile, [quantile]) => {
                skip(percentiles::Quantile { quantile: quantile.clone() })
            }
            (Self::DoubleExponentialSmoothing, [smoothing, trend]) => {
                skip(smoothing::Smoothing::new(smoothing.clone(), trend.clone()))
            }
            (Self::Integral, strategy) => {
                skip(integral::Integral { strategy: strategy.first().cloned() })
            }
            _ => self.plain(),
        })
    }

    /// The function on samples that reach further than the range; only those that know of them.
    pub fn reaching(self, reach: Reach) -> engine::Result<Box<dyn RangeKernel>> {
        extended::kernel(self, reach)
            .ok_or_else(|| engine::Error::internal(format!("{self} of an extended range")))
    }

    /// The functions without parameters.
    fn plain(self) -> Box<dyn RangeKernel> {
        match self {
            Self::Rate => skip(rate::Extrapolated::<true, true>),
            Self::Increase => skip(rate::Extrapolated::<true, false>),
            Self::Delta => skip(rate::Extrapolated::<false, false>),
            Self::Irate => skip(rate::LastTwo::<true>),
            Self::Idelta => skip(rate::LastTwo::<false>),
            Self::Resets => skip(changes::Resets),
            Self::Changes => skip(changes::Changes),
            Self::Deriv => skip(regression::Deriv),
            Self::Avg => skip(moments::Avg),
            Self::Min => skip(extremes::Extreme::<false>),
            Self::Max => skip(extremes::Extreme::<true>),
            Self::Sum => skip(moments::Sum),
            Self::Count => skip(counts::Count),
            Self::Stddev => skip(moments::Variance::<true>),
            Self::Stdvar => skip(moments::Variance::<false>),
            Self::First => skip(ends::First),
            Self::Last => skip(ends::Last),
            Self::Mad => skip(percentiles::Mad),
            Self::TsOfMin => skip(extremes::TsOfExtreme::<false>),
            Self::TsOfMax => skip(extremes::TsOfExtreme::<true>),
            Self::TsOfFirst => skip(ends::TsOfFirst),
            Self::TsOfLast => skip(ends::TsOfLast),
            Self::Xrate => skip(from_before::FromBefore::<true, false>),
            Self::Xincrease => skip(from_before::FromBefore::<true, true>),
            Self::Xdelta => skip(from_before::FromBefore::<false, false>),
            // Functions with parameters do not come here.
            Self::Present
            | Self::PredictLinear
            | Self::Quantile
            | Self::DoubleExponentialSmoothing
            | Self::Integral => skip(counts::Present),
        }
    }
}

fn skip<K: Kernel + 'static>(kernel: K) -> Box<dyn RangeKernel> {
    Box::new(SkipStale(kernel))
}

impl fmt::Display for RangeFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
