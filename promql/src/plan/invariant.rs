//! Which parts of a query are the same at every step, and which scalars are known at planning.

use super::Times;
use crate::ast::{Binary, Call, Expr};
use crate::functions::binary::BinaryOp;
use crate::functions::math::{maximum, minimum};

/// Functions whose value depends on the step although their arguments do not
/// (`AtModifierUnsafeFunctions` in promql/functions.go).
const DEPENDS_ON_STEP: [&str; 11] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
];

/// Whether `expr` has one value for all steps (`preprocessExprHelper` in promql/engine.go).
pub(crate) fn is_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::Text(_) => true,
        Expr::Instant(selector) | Expr::Range(selector, _) => selector.at.is_some(),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Call(Call { function: "timestamp", args, .. }) => {
            matches!(args.as_slice(), [Expr::Instant(selector)] if selector.at.is_some())
        }
        Expr::Call(call) if DEPENDS_ON_STEP.contains(&call.function) => false,
        Expr::Call(_) | Expr::Aggregate(_) | Expr::Binary(_) | Expr::Negate(_) => {
            expr.children().into_iter().all(is_invariant)
        }
    }
}

/// The value of a scalar expression that needs no samples and no step.
pub(crate) fn constant(expr: &Expr, times: &Times) -> Option<f64> {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    // As Go's `Duration.Seconds` rounds.
    let length = |ms: i64| (ms / 1000) as f64 + ((ms % 1000) * 1_000_000) as f64 / 1e9;
    match expr {
        Expr::Number(value) => Some(*value),
        Expr::Negate(inner) => constant(inner, times).map(|value| -value),
        Expr::Call(Call { function, args, .. }) => match (*function, args.as_slice()) {
            ("pi", _) => Some(std::f64::consts::PI),
            ("start", _) => Some(seconds(times.start)),
            ("end", _) => Some(seconds(times.end)),
            ("range", _) => Some(length(times.end.saturating_sub(times.start))),
            ("step", _) if times.start == times.end => Some(0.0),
            ("step", _) => Some(length(times.step)),
            ("min_of", [a, b]) => Some(minimum(constant(a, times)?, constant(b, times)?)),
            ("max_of", [a, b]) => Some(maximum(constant(a, times)?, constant(b, times)?)),
            _ => None,
        },
        Expr::Binary(binary) => {
            let Binary { op, left, right, .. } = binary.as_ref();
            let op = BinaryOp::from_symbol(op.symbol())?;
            Some(op.scalar(constant(left, times)?, constant(right, times)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Features, Steps, parse};

    #[test]
    fn parts_under_at_are_the_same_at_every_step() {
        let parsed = |query: &str| parse(query, Features::default(), Steps::default()).unwrap();
        let invariant = |query: &str| is_invariant(&parsed(query));
        for query in [
            "m @ 10",
            "rate(m[5m] @ end())",
            "sum(m @ 1) + 2",
            "max_over_time(m[1h:1m] @ 5)",
            "timestamp(m @ 1)",
            "vector(1)",
        ] {
            assert!(invariant(query), "{query}");
        }
        for query in [
            "m",
            "m @ 10 + m",
            "time()",
            "hour(m @ 1)",
            "timestamp(abs(m @ 1))",
            "predict_linear(m[5m] @ 1, 5)",
            "topk(scalar(m), m @ 1)",
        ] {
            assert!(!invariant(query), "{query}");
        }
    }

    #[test]
    fn scalars_without_samples_are_numbers() {
        let times = Times {
            start: 0,
            end: 100_000,
            step: 10_000,
            lookback: 1,
            subquery_step: 60_000,
            max_resolution: 0,
        };
        let features = Features { experimental_functions: true, ..Features::default() };
        let parsed = |query: &str| parse(query, features, Steps::default()).unwrap();
        let value = |query: &str| constant(&parsed(query), &times);
        assert_eq!(value("max_of(end() - start(), step() + range())"), Some(110.0));
        assert_eq!(value("-(1 + 2) ^ 2 * 3"), Some(-27.0));
        assert_eq!(value("2 > bool 1"), Some(1.0));
        assert_eq!(value("1 + time()"), None);
        assert_eq!(value("vector(1)"), None);
    }
}
