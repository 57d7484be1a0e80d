//! Binary operators on cells: arithmetic, comparisons and trimming (`vectorElemBinop`, `scalarBinop`).

mod histograms;

use std::fmt;

pub use histograms::Cell;

/// The arithmetic and comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`: the remainder of C's `fmod`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    GreaterOrEqual,
    /// `<=`
    LessOrEqual,
    /// `</`: a histogram without the observations above a number
    TrimUpper,
    /// `>/`: a histogram without the observations below a number
    TrimLower,
}

/// Each operator's text.
const SYMBOLS: [(&str, BinaryOp); 15] = [
    ("+", BinaryOp::Add),
    ("-", BinaryOp::Sub),
    ("*", BinaryOp::Mul),
    ("/", BinaryOp::Div),
    ("%", BinaryOp::Mod),
    ("^", BinaryOp::Pow),
    ("atan2", BinaryOp::Atan2),
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    (">", BinaryOp::Greater),
    ("<", BinaryOp::Less),
    (">=", BinaryOp::GreaterOrEqual),
    ("<=", BinaryOp::LessOrEqual),
    ("</", BinaryOp::TrimUpper),
    (">/", BinaryOp::TrimLower),
];

/// What a comparison of vectors gives; arithmetic has only one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The left value where the comparison holds, nothing elsewhere.
    KeepLeft,
    /// The right value where it holds: a scalar compared with a vector on its right.
    KeepRight,
    /// 1 where it holds, 0 elsewhere: with `bool`, and between scalars.
    Bool,
}

/// An operand: one value a step, or the same at every step.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a> {
    /// A row.
    Row(&'a [f64]),
    /// A number.
    Constant(f64),
}

impl BinaryOp {
    /// The operator written `symbol`.
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        SYMBOLS.iter().find(|(known, _)| *known == symbol).map(|&(_, op)| op)
    }

    /// How it is written.
    pub fn symbol(self) -> &'static str {
        SYMBOLS.iter().find(|&&(_, op)| op == self).map_or("", |&(symbol, _)| symbol)
    }

    /// Whether it compares.
    pub fn comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterOrEqual
                | Self::LessOrEqual
        )
    }

    /// Whether it cuts histograms, and has no result for two numbers.
    pub fn trims(self) -> bool {
        matches!(self, Self::TrimUpper | Self::TrimLower)
    }

    /// The result for two numbers, as between scalars: comparisons give 1 or 0.
    pub fn scalar(self, left: f64, right: f64) -> f64 {
        let (mut out, mut valid) = ([0.0], [true]);
        let operands = (Operand::Constant(left), Operand::Constant(right));
        self.apply(operands.0, operands.1, Outcome::Bool, &mut out, &mut valid);
        out[0]
    }

    /// Fills `out` with the results of all steps; where a filtering comparison does not hold, `valid`
    /// becomes false and `out` 0. Rows are as long as `out`; `valid` says where both sides have values.
    pub fn apply(
        self,
        left: Operand<'_>,
        right: Operand<'_>,
        outcome: Outcome,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        match self {
            Self::Add => map(left, right, out, |l, r| l + r),
            Self::Sub => map(left, right, out, |l, r| l - r),
            Self::Mul => map(left, right, out, |l, r| l * r),
            Self::Div => map(left, right, out, |l, r| l / r),
            Self::Mod => map(left, right, out, |l, r| l % r),
            Self::Pow => map(left, right, out, f64::powf),
            Self::Atan2 => map(left, right, out, f64::atan2),
            Self::Equal => compare(left, right, outcome, out, valid, |l, r| l == r),
            Self::NotEqual => compare(left, right, outcome, out, valid, |l, r| l != r),
            Self::Greater => compare(left, right, outcome, out, valid, |l, r| l > r),
            Self::Less => compare(left, right, outcome, out, valid, |l, r| l < r),
            Self::GreaterOrEqual => compare(left, right, outcome, out, valid, |l, r| l >= r),
            Self::LessOrEqual => compare(left, right, outcome, out, valid, |l, r| l <= r),
            Self::TrimUpper | Self::TrimLower => {
                out.fill(0.0);
                valid.fill(false);
            }
        }
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

#[inline(always)]
fn map(left: Operand<'_>, right: Operand<'_>, out: &mut [f64], function: impl Fn(f64, f64) -> f64) {
    match (left, right) {
        (Operand::Row(left), Operand::Row(right)) => {
            for (out, (&l, &r)) in out.iter_mut().zip(left.iter().zip(right)) {
                *out = function(l, r);
            }
        }
        (Operand::Row(left), Operand::Constant(r)) => {
            out.iter_mut().zip(left).for_each(|(out, &l)| *out = function(l, r));
        }
        (Operand::Constant(l), Operand::Row(right)) => {
            out.iter_mut().zip(right).for_each(|(out, &r)| *out = function(l, r));
        }
        (Operand::Constant(l), Operand::Constant(r)) => out.fill(function(l, r)),
    }
}

#[inline(always)]
fn compare(
    left: Operand<'_>,
    right: Operand<'_>,
    outcome: Outcome,
    out: &mut [f64],
    valid: &mut [bool],
    holds: impl Fn(f64, f64) -> bool,
) {
    // 1 and 0 first; a filter then reads them as its mask.
    map(left, right, out, |l, r| f64::from(u8::from(holds(l, r))));
    let kept = match outcome {
        Outcome::Bool => return,
        Outcome::KeepLeft => left,
        Outcome::KeepRight => right,
    };
    for (k, (out, valid)) in out.iter_mut().zip(valid).enumerate() {
        let value = match kept {
            Operand::Row(row) => row[k],
            Operand::Constant(value) => value,
        };
        let keep = *out != 0.0;
        *valid &= keep;
        *out = if keep { value } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    #[test]
    fn arithmetic_of_scalars() {
        let cases = [
            (2.0, "+", 3.0, 5.0),
            (2.0, "-", 3.0, -1.0),
            (2.0, "*", 3.0, 6.0),
            (1.0, "/", 0.0, INF),
            (-1.0, "/", 0.0, -INF),
            (0.0, "/", 0.0, NAN),
            (5.5, "%", 3.0, 2.5),
            (-5.5, "%", 3.0, -2.5),
            (5.0, "%", 0.0, NAN),
            (5.0, "%", INF, 5.0),
            (INF, "%", 3.0, NAN),
            (2.0, "^", 10.0, 1024.0),
            (2.0, "^", -1.0, 0.5),
            (-8.0, "^", 1.0 / 3.0, NAN),
            (1.0, "^", NAN, 1.0),
            (NAN, "^", 0.0, 1.0),
            (-1.0, "^", INF, 1.0),
            (1.0, "atan2", 0.0, std::f64::consts::FRAC_PI_2),
            (1.0, "==", 1.0, 1.0),
            (NAN, "==", NAN, 0.0),
            (NAN, "!=", NAN, 1.0),
            (2.0, ">", 1.0, 1.0),
            (2.0, "<", NAN, 0.0),
            (1.0, ">=", 1.0, 1.0),
            (-0.0, "<=", 0.0, 1.0),
        ];
        for (left, symbol, right, expected) in cases {
            let op = BinaryOp::from_symbol(symbol).unwrap();
            assert_eq!(op.symbol(), symbol);
            let result = op.scalar(left, right);
            let same = result == expected || (result.is_nan() && expected.is_nan());
            assert!(same, "{left} {symbol} {right} is {result}, not {expected}");
        }
    }

    #[test]
    fn comparisons_filter_or_answer() {
        let (left, right) = ([1.0, 5.0, NAN, 7.0], [2.0, 3.0, 1.0, 1.0]);
        let run = |left, right, outcome| {
            let (mut out, mut valid) = ([9.0; 4], [true, true, true, false]);
            BinaryOp::Greater.apply(left, right, outcome, &mut out, &mut valid);
            (out, valid)
        };
        let rows = (Operand::Row(&left), Operand::Row(&right));
        let kept = run(rows.0, rows.1, Outcome::KeepLeft);
        assert_eq!(kept, ([0.0, 5.0, 0.0, 7.0], [false, true, false, false]));
        let answers = run(rows.0, rows.1, Outcome::Bool);
        assert_eq!(answers, ([0.0, 1.0, 0.0, 1.0], [true, true, true, false]));
        // 2.5 > v keeps the vector's values.
        let swapped = run(Operand::Constant(2.5), rows.1, Outcome::KeepRight);
        assert_eq!(swapped, ([2.0, 0.0, 1.0, 1.0], [true, false, true, false]));
    }

    #[test]
    fn a_constant_is_a_row_of_itself() {
        let row = [1.0, 2.0, 3.0];
        for (_, op) in SYMBOLS {
            let run = |left, right| {
                let (mut out, mut valid) = ([0.0; 3], [true; 3]);
                op.apply(left, right, Outcome::KeepLeft, &mut out, &mut valid);
                (out, valid)
            };
            let two = [2.0; 3];
            let rows = run(Operand::Row(&row), Operand::Row(&two));
            assert_eq!(rows, run(Operand::Row(&row), Operand::Constant(2.0)));
            let rows = run(Operand::Row(&two), Operand::Row(&row));
            assert_eq!(rows, run(Operand::Constant(2.0), Operand::Row(&row)));
        }
    }
}
