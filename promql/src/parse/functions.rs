//! The functions of the language: what they take and give (`promql/parser/functions.go`).

use crate::ast::ValueType;
use ValueType::{Instant, Range, Scalar, Text};

/// What a function takes and gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    /// The types of its arguments; further ones have the last type.
    pub(super) args: &'static [ValueType],
    /// How many arguments more than all but the last it takes: 0 is as many as there are types, a
    /// negative number is any.
    pub(super) more: i32,
    pub(super) returns: ValueType,
    pub(super) experimental: bool,
}

/// Functions of one signature.
struct Group {
    names: &'static [&'static str],
    args: &'static [ValueType],
    more: i32,
    returns: ValueType,
    experimental: bool,
}

const GROUPS: &[Group] = &[
    Group { names: &["pi", "time"], args: &[], more: 0, returns: Scalar, experimental: false },
    Group {
        names: &[
            "abs",
            "absent",
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atanh",
            "ceil",
            "cos",
            "cosh",
            "deg",
            "exp",
            "floor",
            "histogram_avg",
            "histogram_count",
            "histogram_stddev",
            "histogram_stdvar",
            "histogram_sum",
            "ln",
            "log10",
            "log2",
            "rad",
            "sgn",
            "sin",
            "sinh",
            "sort",
            "sort_desc",
            "sqrt",
            "tan",
            "tanh",
            "timestamp",
        ],
        args: &[Instant],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group { names: &["scalar"], args: &[Instant], more: 0, returns: Scalar, experimental: false },
    Group {
        names: &[
            "day_of_month",
            "day_of_week",
            "day_of_year",
            "days_in_month",
            "hour",
            "minute",
            "month",
            "year",
        ],
        args: &[Instant],
        more: 1,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["clamp_max", "clamp_min"],
        args: &[Instant, Scalar],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["round"],
        args: &[Instant, Scalar],
        more: 1,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["clamp"],
        args: &[Instant, Scalar, Scalar],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["label_join"],
        args: &[Instant, Text, Text, Text],
        more: -1,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["label_replace"],
        args: &[Instant, Text, Text, Text, Text],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &[
            "absent_over_time",
            "avg_over_time",
            "changes",
            "count_over_time",
            "delta",
            "deriv",
            "first_over_time",
            "idelta",
            "increase",
            "irate",
            "last_over_time",
            "max_over_time",
            "min_over_time",
            "present_over_time",
            "rate",
            "resets",
            "stddev_over_time",
            "stdvar_over_time",
            "sum_over_time",
        ],
        args: &[Range],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["predict_linear"],
        args: &[Range, Scalar],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group { names: &["vector"], args: &[Scalar], more: 0, returns: Instant, experimental: false },
    Group {
        names: &["histogram_quantile"],
        args: &[Scalar, Instant],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["quantile_over_time"],
        args: &[Scalar, Range],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["histogram_fraction"],
        args: &[Scalar, Scalar, Instant],
        more: 0,
        returns: Instant,
        experimental: false,
    },
    Group {
        names: &["end", "range", "start", "step"],
        args: &[],
        more: 0,
        returns: Scalar,
        experimental: true,
    },
    Group {
        names: &["start_timestamp"],
        args: &[Instant],
        more: 0,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["info"],
        args: &[Instant, Instant],
        more: 1,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["sort_by_label", "sort_by_label_desc"],
        args: &[Instant, Text],
        more: -1,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["histogram_quantiles"],
        args: &[Instant, Text, Scalar, Scalar],
        more: 9,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &[
            "mad_over_time",
            "ts_of_first_over_time",
            "ts_of_last_over_time",
            "ts_of_max_over_time",
            "ts_of_min_over_time",
        ],
        args: &[Range],
        more: 0,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["integral"],
        args: &[Range, Scalar],
        more: 1,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["double_exponential_smoothing"],
        args: &[Range, Scalar, Scalar],
        more: 0,
        returns: Instant,
        experimental: true,
    },
    Group {
        names: &["max_of", "min_of"],
        args: &[Scalar, Scalar],
        more: 0,
        returns: Scalar,
        experimental: true,
    },
];

/// Thanos' own functions (execution/parse/functions.go of thanos-io/promql-engine).
static X_FUNCTIONS: &Group = &Group {
    names: &["xdelta", "xincrease", "xrate"],
    args: &[Range],
    more: 0,
    returns: Instant,
    experimental: false,
};

/// All functions, with Thanos' own or without, and whether they are experimental.
pub(super) fn all(x_functions: bool) -> impl Iterator<Item = (&'static str, bool)> {
    groups(x_functions).flat_map(|group| group.names.iter().map(|&name| (name, group.experimental)))
}

fn groups(x_functions: bool) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().chain(x_functions.then_some(X_FUNCTIONS))
}

/// The function called `name`, which may be one of Thanos' own if `x_functions`.
pub(super) fn signature(name: &str, x_functions: bool) -> Option<Signature> {
    groups(x_functions).find_map(|group| {
        let name = group.names.iter().find(|known| **known == name)?;
        let Group { args, more, returns, experimental, .. } = *group;
        Some(Signature { name, args, more, returns, experimental })
    })
}
