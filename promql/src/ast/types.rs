//! The four types of expressions.

use std::fmt;

use super::{BinaryOp, Expr};

/// The type of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A number at each step.
    Scalar,
    /// A string.
    Text,
    /// Series with at most one value a step.
    Instant,
    /// Series with many samples a step.
    Range,
}

impl fmt::Display for ValueType {
    /// As Prometheus' error texts name it (`parser.DocumentedType`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::Instant => "instant vector",
            Self::Range => "range vector",
        })
    }
}

impl Expr {
    /// The type of its value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::Text(_) => ValueType::Text,
            Self::Instant(_) | Self::Aggregate(_) => ValueType::Instant,
            Self::Range(..) | Self::Subquery(_) => ValueType::Range,
            Self::Call(call) => call.returns,
            Self::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Instant,
            },
            Self::Negate(inner) => inner.value_type(),
        }
    }

    /// Whether it is a scalar.
    pub fn is_scalar(&self) -> bool {
        self.value_type() == ValueType::Scalar
    }
}

impl BinaryOp {
    /// Whether its result is no longer the metric it was: arithmetic drops the metric's name
    /// (`changesMetricSchema` in promql/engine.go).
    pub fn changes_metric(self) -> bool {
        use BinaryOp::{TrimLower, TrimUpper};
        !self.is_comparison() && !self.is_set() && !matches!(self, TrimLower | TrimUpper)
    }
}
