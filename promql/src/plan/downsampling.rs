//! What a selector reads where samples are downsampled (`pkg/query/querier.go` of Thanos).

use engine::model::{Aggregate, Aggregates};

use crate::functions::RangeFunction;

/// Functions that need two samples in a range (`promqlFuncRequiresTwoSamples`).
const TWO_SAMPLES: [&str; 8] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
    "double_exponential_smoothing",
];

/// The coarsest resolution in ms at which `function` has two samples in a range of `range` ms
/// (`maxResolutionFromSelectHints`).
pub(super) fn within(max_resolution: i64, function: &str, range: i64) -> i64 {
    match TWO_SAMPLES.contains(&function) {
        true => max_resolution.min(range / 2),
        false => max_resolution,
    }
}

/// What stands for the samples below `function`, a function or an aggregation (`aggrsFromFunc`).
///
/// For raw samples it only matters whether they are those of a counter; then selectors that differ in
/// nothing else are one.
pub(super) fn aggregates(max_resolution: i64, function: &str) -> Aggregates {
    let is = |name: &str| {
        function.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let counter = RangeFunction::from_name(function).is_some_and(RangeFunction::counter);
    match function {
        _ if counter => Aggregates::COUNTER,
        _ if max_resolution == 0 => Aggregates::AVERAGE,
        _ if is("min") => Aggregates::of(Aggregate::Min),
        _ if is("max") => Aggregates::of(Aggregate::Max),
        _ if is("count") => Aggregates::of(Aggregate::Count),
        // `sum` adds samples of several series, not those of a window.
        _ if function.starts_with("sum_") => Aggregates::of(Aggregate::Sum),
        _ => Aggregates::AVERAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thanos' `TestMaxResolutionFromSelectHints`.
    #[test]
    fn two_samples_fit_into_the_range() {
        let (range, resolution) = (120_000, 300_000);
        for function in TWO_SAMPLES {
            assert_eq!(within(resolution, function, range), 60_000, "{function}");
        }
        for function in ["max_over_time", "resets", ""] {
            assert_eq!(within(resolution, function, range), resolution, "{function}");
        }
        assert_eq!(within(0, "rate", range), 0);
    }

    #[test]
    fn functions_choose_their_aggregates() {
        use Aggregate::{Count, Max, Min, Sum};
        for (function, expected) in [
            ("min", Aggregates::of(Min)),
            ("min_over_time", Aggregates::of(Min)),
            ("max", Aggregates::of(Max)),
            ("max_over_time", Aggregates::of(Max)),
            ("count", Aggregates::of(Count)),
            ("count_over_time", Aggregates::of(Count)),
            ("count_values", Aggregates::of(Count)),
            ("sum_over_time", Aggregates::of(Sum)),
            ("sum", Aggregates::AVERAGE),
            ("minute", Aggregates::AVERAGE),
            ("rate", Aggregates::COUNTER),
            ("irate", Aggregates::COUNTER),
            ("increase", Aggregates::COUNTER),
            ("resets", Aggregates::COUNTER),
            ("delta", Aggregates::AVERAGE),
            ("avg_over_time", Aggregates::AVERAGE),
            ("quantile_over_time", Aggregates::AVERAGE),
            ("", Aggregates::AVERAGE),
        ] {
            assert_eq!(aggregates(300_000, function), expected, "{function}");
            let raw = expected == Aggregates::COUNTER;
            assert_eq!(aggregates(0, function) == Aggregates::COUNTER, raw, "{function}");
        }
    }
}
