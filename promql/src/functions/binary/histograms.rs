//! Binary operators where a side is a native histogram.

use std::sync::Arc;

use engine::model::CounterResetHint;

use super::{BinaryOp, Outcome};
use crate::functions::histogram::{FloatHistogram, Incompatible};
use crate::functions::{Remark, Remarks};

/// A number or a histogram.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A number.
    Float(f64),
    /// A histogram.
    Histogram(Arc<FloatHistogram>),
}

impl BinaryOp {
    /// The result for two cells, one of which is a histogram at least; none where a comparison does not
    /// hold, or the operator does not take them.
    pub fn cell(
        self,
        left: &Cell,
        right: &Cell,
        outcome: Outcome,
        remarks: &mut Remarks,
    ) -> Option<Cell> {
        let result = match (left, right) {
            (Cell::Float(_), Cell::Float(_)) => None,
            (Cell::Float(factor), Cell::Histogram(histogram)) => match self {
                Self::Mul => changed(histogram, |histogram| histogram.mul(*factor)),
                _ => refused(Remark::FloatHistogram, remarks),
            },
            (Cell::Histogram(histogram), Cell::Float(number)) => match self {
                Self::Mul => changed(histogram, |histogram| histogram.mul(*number)),
                Self::Div => changed(histogram, |histogram| histogram.div(*number)),
                Self::TrimUpper => Some(Arc::new(histogram.trim(*number, true))),
                Self::TrimLower => Some(Arc::new(histogram.trim(*number, false))),
                _ => refused(Remark::HistogramFloat, remarks),
            },
            (Cell::Histogram(left), Cell::Histogram(right)) => match self {
                Self::Add => self.merged(left, right, remarks),
                Self::Sub => self.merged(left, right, remarks),
                Self::Equal | Self::NotEqual => {
                    let holds = left.equals(right) == (self == Self::Equal);
                    if outcome == Outcome::Bool {
                        return Some(Cell::Float(f64::from(u8::from(holds))));
                    }
                    holds.then(|| Arc::clone(left))
                }
                _ => refused(Remark::HistogramHistogram, remarks),
            },
        };
        result.map(Cell::Histogram)
    }

    /// The sum or difference of two histograms.
    fn merged(
        self,
        left: &FloatHistogram,
        right: &FloatHistogram,
        remarks: &mut Remarks,
    ) -> Option<Arc<FloatHistogram>> {
        let adds = self == Self::Add;
        let mut result = left.clone();
        let merged = if adds { result.add(right) } else { result.sub(right) };
        let merged = match merged {
            Ok(merged) => merged,
            Err(Incompatible) => return refused(Remark::IncompatibleBuckets, remarks),
        };
        if merged.counter_reset_collision {
            let collision = if adds { Remark::CollisionAdd } else { Remark::CollisionSub };
            return refused(collision, remarks);
        }
        if merged.bounds_reconciled {
            remarks.add(if adds { Remark::ReconciledAdd } else { Remark::ReconciledSub });
        }
        if !adds {
            result.counter_reset_hint = CounterResetHint::Gauge;
        }
        result.compact();
        Some(Arc::new(result))
    }
}

fn changed(
    histogram: &FloatHistogram,
    change: impl FnOnce(&mut FloatHistogram),
) -> Option<Arc<FloatHistogram>> {
    let mut result = histogram.clone();
    change(&mut result);
    result.compact();
    Some(Arc::new(result))
}

fn refused(remark: Remark, remarks: &mut Remarks) -> Option<Arc<FloatHistogram>> {
    remarks.add(remark);
    None
}
