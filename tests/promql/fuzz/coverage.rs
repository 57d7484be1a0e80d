//! What of the language the queries use.

use std::collections::BTreeMap;

use super::queries::Node;

/// Everything that queries must use, by kind.
const REQUIRED: [(&str, &str); 4] = [
    (
        "functions",
        "abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp \
         clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year \
         days_in_month deg delta deriv double_exponential_smoothing end exp first_over_time floor \
         histogram_avg histogram_count histogram_fraction histogram_quantile histogram_quantiles \
         histogram_stddev histogram_stdvar histogram_sum hour idelta increase info integral irate \
         label_join label_replace last_over_time ln log10 log2 mad_over_time max_of max_over_time min_of \
         min_over_time minute month pi predict_linear present_over_time quantile_over_time rad range rate \
         resets round scalar sgn sin sinh sort sort_by_label sort_by_label_desc sort_desc sqrt start \
         start_timestamp stddev_over_time stdvar_over_time step sum_over_time tan tanh time timestamp \
         ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time vector year",
    ),
    (
        "aggregations",
        "avg bottomk count count_values group limit_ratio limitk max min quantile stddev stdvar sum topk",
    ),
    ("operators", "+ - * / % ^ atan2 == != > < >= <= and or unless </ >/"),
    (
        "modifiers",
        "by without on ignoring group_left group_right bool fill fill_left fill_right offset @ anchored \
         smoothed",
    ),
];

/// Further uses, whose names have spaces.
const REQUIRED_SYNTAX: [&str; 18] = [
    "unary -",
    "()",
    "@ start()",
    "@ end()",
    "offset -",
    "duration expression",
    "[range]",
    "[range:step]",
    "smoothed (instant)",
    "group with labels",
    "scalar operator scalar",
    "name by =~",
    "quoted name",
    "UTF-8 name",
    "{=}",
    "{!=}",
    "{=~}",
    "{!~}",
];

/// How often each must be used in [`OF`] queries.
const LEAST: usize = 200;
const OF: usize = 100_000;

/// In how many queries each thing was used.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    /// Counts what a query uses.
    pub(super) fn add(&mut self, query: &Node) {
        let mut uses = query.all_uses();
        uses.sort_unstable();
        uses.dedup();
        for used in uses {
            *self.0.entry(used).or_default() += 1;
        }
    }

    fn of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        for (kind, names) in required() {
            println!("{kind}:");
            for row in names.chunks(4) {
                let cell = |name: &&str| format!("{name:>30} {:>6}", self.of(name));
                println!("{}", row.iter().map(cell).collect::<String>());
            }
        }
        let all = || required().into_iter().flat_map(|(_, names)| names);
        let least = all().min_by_key(|name| self.of(name)).expect("there are some");
        println!("least: {least}, in {} queries", self.of(least));
    }

    /// Fails unless each is used often enough for `queries` queries.
    pub(super) fn check(&self, queries: usize) {
        let least = LEAST * queries / OF;
        let all = required().into_iter().flat_map(|(_, names)| names);
        let rare: Vec<_> =
            all.map(|name| (name, self.of(name))).filter(|(_, count)| *count < least).collect();
        assert!(rare.is_empty(), "in fewer than {least} queries: {rare:?}");
    }
}

fn required() -> Vec<(&'static str, Vec<&'static str>)> {
    let lists = REQUIRED.iter().map(|(kind, names)| (*kind, names.split_whitespace().collect()));
    lists.chain([("syntax", REQUIRED_SYNTAX.to_vec())]).collect()
}
