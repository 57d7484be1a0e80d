//! What a query may use of the language, and what there is of it.

use std::collections::BTreeMap;

use super::{functions, lexer};
use crate::ast::BinaryOp;

/// What a query may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Experimental functions and aggregations (`--enable-feature=promql-experimental-functions`).
    pub experimental_functions: bool,
    /// `fill`, `fill_left` and `fill_right` (`--enable-feature=promql-binop-fill-modifiers`).
    pub fill_modifiers: bool,
    /// Letters of any script and dots in names without quotes (`promql-unquoted-utf8-names`).
    pub unquoted_utf8_names: bool,
    /// Names are removed at the end of the query, not by each function
    /// (`promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Types come from the label `__type__`, not from names (`type-and-unit-labels`).
    pub type_and_unit_labels: bool,
    /// Start timestamps say when counters began anew (`use-start-timestamps`).
    pub use_start_timestamps: bool,
    /// Statistics of samples are told of each step where all are asked for (`promql-per-step-stats`).
    pub per_step_stats: bool,
    /// Thanos' `xrate`, `xincrease` and `xdelta` (`--query.enable-x-functions`).
    pub x_functions: bool,
}

/// Parts of the language by name, and whether they are on.
pub type Listed = BTreeMap<&'static str, bool>;

/// What is neither an operator nor a function and needs no flag; keywords are read from the lexer.
const ALWAYS: [&str; 5] =
    ["at_modifier", "duration_expr", "negative_offset", "per_query_lookback_delta", "subqueries"];

impl Features {
    /// All of the language under the categories and names of Prometheus' `/api/v1/features`
    /// (`RegisterFeatures` in promql/parser/features.go, `NewEngine` in promql/engine.go).
    pub fn listed(self) -> [(&'static str, Listed); 3] {
        let mut language: Listed = ALWAYS.iter().map(|&name| (name, true)).collect();
        for word in lexer::keywords() {
            language.insert(word, self.fill_modifiers || !word.starts_with("fill"));
        }
        language.extend([
            ("delayed_name_removal", self.delayed_name_removal),
            ("per_step_stats", self.per_step_stats),
            ("type_and_unit_labels", self.type_and_unit_labels),
            ("unquoted_utf8_names", self.unquoted_utf8_names),
        ]);
        let mut operators: Listed = ["=~", "!~", "@"].map(|symbol| (symbol, true)).into();
        operators.extend(BinaryOp::symbols().map(|symbol| (symbol, true)));
        for name in lexer::AGGREGATIONS {
            let experimental = matches!(name, "limitk" | "limit_ratio");
            operators.insert(name, self.experimental_functions || !experimental);
        }
        let functions = functions::all(self.x_functions)
            .map(|(name, experimental)| (name, self.experimental_functions || !experimental))
            .collect();
        [("promql", language), ("promql_functions", functions), ("promql_operators", operators)]
    }
}
