//! Aggregations that keep a fixed state a step: `sum`, `avg`, `min`, `max`, `count`, `group`, `stddev`,
//! `stdvar`.
//!
//! An [`Accumulator`] belongs to one group and a run of steps. Rows are added one after the other, all
//! steps at once, without a branch a cell; accumulators of partitions are merged.
//!
//! ```text
//! row of series 3   1 _ 3        sum   → 1 5 7
//! row of series 8   _ 5 4        count → 1 1 2
//! ```

mod moments;

use std::fmt;

/// The aggregations of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `count`
    Count,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
}

/// Each function's name.
const NAMES: [(&str, AggregateFunction); 8] = [
    ("sum", AggregateFunction::Sum),
    ("avg", AggregateFunction::Avg),
    ("min", AggregateFunction::Min),
    ("max", AggregateFunction::Max),
    ("count", AggregateFunction::Count),
    ("group", AggregateFunction::Group),
    ("stddev", AggregateFunction::Stddev),
    ("stdvar", AggregateFunction::Stdvar),
];

impl AggregateFunction {
    /// The function called `name` in PromQL.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
    }

    /// Its name in PromQL.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|&&(_, function)| function == self).map_or("", |&(name, _)| name)
    }

    /// Whether it adds native histograms up.
    pub fn takes_histograms(self) -> bool {
        matches!(self, Self::Sum | Self::Avg)
    }

    /// Whether it does not look at values, so that histograms are samples as all others.
    pub fn counts_samples(self) -> bool {
        matches!(self, Self::Count | Self::Group)
    }

    /// How many state columns its [`Accumulator`] has.
    pub fn columns(self) -> usize {
        match self {
            Self::Count | Self::Group => 1,
            Self::Min | Self::Max => 2,
            Self::Sum | Self::Stddev | Self::Stdvar => 3,
            Self::Avg => 4,
        }
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of one group over some steps: columns of one number a step.
///
/// Column 0 is always the number of series seen at the step; the others depend on the function.
#[derive(Debug, Clone)]
pub struct Accumulator {
    function: AggregateFunction,
    steps: usize,
    state: Vec<f64>,
}

impl Accumulator {
    /// The state before any row.
    pub fn new(function: AggregateFunction, steps: usize) -> Self {
        Self { function, steps, state: vec![0.0; function.columns() * steps] }
    }

    /// A state as [`state`](Self::state) gave it; `None` if its length does not fit.
    pub fn from_state(function: AggregateFunction, steps: usize, state: &[f64]) -> Option<Self> {
        (state.len() == function.columns() * steps).then(|| Self {
            function,
            steps,
            state: state.to_vec(),
        })
    }

    /// The state, column after column.
    pub fn state(&self) -> &[f64] {
        &self.state
    }

    /// Whether any series has been seen at `step`.
    pub fn has_seen(&self, step: usize) -> bool {
        self.state[step] > 0.0
    }

    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.state.capacity() * size_of::<f64>()
    }

    fn columns<const N: usize>(&mut self) -> [&mut [f64]; N] {
        let mut rest = self.state.as_mut_slice();
        std::array::from_fn(|_| {
            let (column, after) = std::mem::take(&mut rest).split_at_mut(self.steps);
            rest = after;
            column
        })
    }

    /// Adds a series' row.
    pub fn add(&mut self, values: &[f64], valid: &[bool]) {
        let (values, valid) = (&values[..self.steps], &valid[..self.steps]);
        match self.function {
            AggregateFunction::Count | AggregateFunction::Group => {
                let [count] = self.columns();
                for (count, &valid) in count.iter_mut().zip(valid) {
                    *count += f64::from(u8::from(valid));
                }
            }
            AggregateFunction::Sum => moments::add_sum(self.columns(), values, valid),
            AggregateFunction::Avg => moments::add_mean(self.columns(), values, valid),
            AggregateFunction::Min => add_extreme::<false>(self.columns(), values, valid),
            AggregateFunction::Max => add_extreme::<true>(self.columns(), values, valid),
            AggregateFunction::Stddev | AggregateFunction::Stdvar => {
                moments::add_squares(self.columns(), values, valid);
            }
        }
    }

    /// Adds what another accumulator of the same function and steps has seen.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.function == other.function && self.steps == other.steps);
        let steps = self.steps;
        let column = |at: usize| &other.state[at * steps..(at + 1) * steps];
        match self.function {
            AggregateFunction::Count | AggregateFunction::Group => {
                for (own, other) in self.state.iter_mut().zip(&other.state) {
                    *own += other;
                }
            }
            AggregateFunction::Sum => {
                moments::merge_sum(self.columns(), [column(0), column(1), column(2)]);
            }
            AggregateFunction::Avg => {
                let others = [column(0), column(1), column(2), column(3)];
                moments::merge_mean(self.columns(), others);
            }
            AggregateFunction::Min | AggregateFunction::Max => {
                let valid: Vec<bool> = column(0).iter().map(|&count| count > 0.0).collect();
                self.add(&other.state[self.steps..], &valid);
            }
            AggregateFunction::Stddev | AggregateFunction::Stdvar => {
                moments::merge_squares(self.columns(), [column(0), column(1), column(2)]);
            }
        }
    }

    /// The result: a cell is valid where any series was seen.
    pub fn finish(&self, out: &mut [f64], valid: &mut [bool]) {
        let column = |at: usize| &self.state[at * self.steps..(at + 1) * self.steps];
        let count = column(0);
        for k in 0..self.steps {
            let seen = count[k] > 0.0;
            valid[k] = seen;
            out[k] = match self.function {
                _ if !seen => 0.0,
                AggregateFunction::Count => count[k],
                AggregateFunction::Group => 1.0,
                AggregateFunction::Sum => column(1)[k] + column(2)[k],
                AggregateFunction::Avg => {
                    moments::mean(count[k], column(1)[k], column(2)[k], column(3)[k])
                }
                AggregateFunction::Min | AggregateFunction::Max => column(1)[k],
                AggregateFunction::Stdvar => column(2)[k] / count[k],
                AggregateFunction::Stddev => (column(2)[k] / count[k]).sqrt(),
            };
        }
    }
}

/// Columns: count, extreme. NaN stays only while nothing else was seen.
fn add_extreme<const MAX: bool>(state: [&mut [f64]; 2], values: &[f64], valid: &[bool]) {
    let [count, extreme] = state;
    for ((count, extreme), (&value, &valid)) in
        count.iter_mut().zip(extreme.iter_mut()).zip(values.iter().zip(valid))
    {
        let better = if MAX { *extreme < value } else { *extreme > value };
        let replace = valid && (better || extreme.is_nan() || *count == 0.0);
        *extreme = if replace { value } else { *extreme };
        *count += f64::from(u8::from(valid));
    }
}

#[cfg(test)]
mod tests;
