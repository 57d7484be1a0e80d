//! `--enable-feature`: what queries may use of the language beyond what needs no flag.

use promql::parse::Features;

/// Prometheus' names of what is always there.
const PERMANENT: [&str; 4] = [
    "promql-at-modifier",
    "promql-duration-expr",
    "promql-extended-range-selectors",
    "promql-negative-offset",
];

/// Features of the language.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FeatureArgs {
    /// Experimental parts of PromQL, by Prometheus' names: promql-experimental-functions,
    /// promql-binop-fill-modifiers, promql-delayed-name-removal, promql-per-step-stats,
    /// promql-unquoted-utf8-names, type-and-unit-labels, use-start-timestamps. Repeatable, or separated by
    /// commas.
    #[arg(long = "enable-feature", value_name = "NAME", value_delimiter = ',')]
    enabled: Vec<String>,
    /// Thanos' functions xrate, xincrease and xdelta.
    #[arg(long = "query.enable-x-functions")]
    x_functions: bool,
}

impl FeatureArgs {
    /// What is on. Names that change nothing are logged, as Prometheus does (`setFeatureListOptions` in
    /// cmd/prometheus/main.go).
    pub(crate) fn features(&self) -> Features {
        let mut features = Features { x_functions: self.x_functions, ..Features::default() };
        for name in self.enabled.iter().filter(|name| !name.is_empty()) {
            match name.as_str() {
                "promql-experimental-functions" => features.experimental_functions = true,
                "promql-binop-fill-modifiers" => features.fill_modifiers = true,
                "promql-delayed-name-removal" => features.delayed_name_removal = true,
                "promql-per-step-stats" => features.per_step_stats = true,
                "promql-unquoted-utf8-names" => features.unquoted_utf8_names = true,
                "type-and-unit-labels" => features.type_and_unit_labels = true,
                "use-start-timestamps" => features.use_start_timestamps = true,
                name if PERMANENT.contains(&name) => tracing::warn!(
                    option = name,
                    "This option for --enable-feature is now permanently enabled and therefore a no-op."
                ),
                name => tracing::warn!(option = name, "Unknown option for --enable-feature"),
            }
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        features: FeatureArgs,
    }

    fn features(flags: &[&str]) -> Features {
        let line = Line::try_parse_from(["x"].iter().chain(flags)).expect("known flags");
        line.features.features()
    }

    #[test]
    fn nothing_experimental_is_on_unless_it_is_named() {
        assert_eq!(features(&[]), Features::default());
        let named = features(&[
            "--enable-feature=promql-experimental-functions,promql-duration-expr",
            "--enable-feature=use-start-timestamps",
            "--enable-feature=nothing",
        ]);
        let expected = Features {
            experimental_functions: true,
            use_start_timestamps: true,
            ..Features::default()
        };
        assert_eq!(named, expected);
        let all = features(&[
            "--enable-feature=promql-experimental-functions,promql-binop-fill-modifiers",
            "--enable-feature=promql-delayed-name-removal,promql-unquoted-utf8-names",
            "--enable-feature=type-and-unit-labels,use-start-timestamps,promql-per-step-stats",
            "--query.enable-x-functions",
        ]);
        let expected = Features {
            experimental_functions: true,
            fill_modifiers: true,
            unquoted_utf8_names: true,
            delayed_name_removal: true,
            type_and_unit_labels: true,
            use_start_timestamps: true,
            per_step_stats: true,
            x_functions: true,
        };
        assert_eq!(all, expected);
    }
}
