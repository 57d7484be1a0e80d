//! Binary operators where a side is a native histogram.

use std::sync::Arc;

use engine::model::CounterResetHint;

use super::{BinaryOp, Outcome};
use crate::functions::Remark;
use crate::functions::histogram::{FloatHistogram, Incompatible};

/// A number or a histogram.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A number.
    Float(f64),
    /// A histogram.
    Histogram(Arc<FloatHistogram>),
}

impl BinaryOp {
    /// The result for two cells, one of which is a histogram at least, and what is to be said of it; no
    /// cell where a comparison does not hold.
    ///
    /// # Errors
    /// What is said where the operator does not take the cells: then they have not met at all.
    pub fn cell(
        self,
        left: &Cell,
        right: &Cell,
        outcome: Outcome,
    ) -> Result<(Option<Cell>, Option<Remark>), Remark> {
        let result = match (left, right) {
            (Cell::Float(_), Cell::Float(_)) => return Err(Remark::FloatFloat),
            (Cell::Float(factor), Cell::Histogram(histogram)) => match self {
                Self::Mul => changed(histogram, |histogram| histogram.mul(*factor)),
                _ => return Err(Remark::FloatHistogram),
            },
            (Cell::Histogram(histogram), Cell::Float(number)) => match self {
                Self::Mul => changed(histogram, |histogram| histogram.mul(*number)),
                Self::Div => changed(histogram, |histogram| histogram.div(*number)),
                Self::TrimUpper => Arc::new(histogram.trim(*number, true)),
                Self::TrimLower => Arc::new(histogram.trim(*number, false)),
                _ => return Err(Remark::HistogramFloat),
            },
            (Cell::Histogram(left), Cell::Histogram(right)) => match self {
                Self::Add | Self::Sub => {
                    let (result, remark) = self.merged(left, right)?;
                    return Ok((Some(Cell::Histogram(result)), remark));
                }
                Self::Equal | Self::NotEqual => {
                    let holds = left.equals(right) == (self == Self::Equal);
                    let kept = match outcome {
                        Outcome::Bool => Some(Cell::Float(f64::from(u8::from(holds)))),
                        _ => holds.then(|| Cell::Histogram(Arc::clone(left))),
                    };
                    return Ok((kept, None));
                }
                _ => return Err(Remark::HistogramHistogram),
            },
        };
        Ok((Some(Cell::Histogram(result)), None))
    }

    /// The sum or difference of two histograms.
    fn merged(
        self,
        left: &FloatHistogram,
        right: &FloatHistogram,
    ) -> Result<(Arc<FloatHistogram>, Option<Remark>), Remark> {
        let adds = self == Self::Add;
        let mut result = left.copied();
        let merged = if adds { result.add(right) } else { result.sub(right) };
        let merged = merged.map_err(|Incompatible| Remark::IncompatibleBuckets)?;
        if merged.counter_reset_collision {
            return Err(if adds { Remark::CollisionAdd } else { Remark::CollisionSub });
        }
        let reconciled = if adds { Remark::ReconciledAdd } else { Remark::ReconciledSub };
        if !adds {
            result.counter_reset_hint = CounterResetHint::Gauge;
        }
        result.compact();
        Ok((Arc::new(result), merged.bounds_reconciled.then_some(reconciled)))
    }
}

fn changed(
    histogram: &FloatHistogram,
    change: impl FnOnce(&mut FloatHistogram),
) -> Arc<FloatHistogram> {
    let mut result = histogram.copied();
    change(&mut result);
    result.compact();
    Arc::new(result)
}
