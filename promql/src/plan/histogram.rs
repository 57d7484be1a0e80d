//! `histogram_quantile` and `histogram_fraction` of classic histograms.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::ABSENT;
use engine::{Error, Result};

use super::{Node, Planner, SeriesSet, without_name};
use crate::ast::{Call, Expr};
use crate::exec::grid::Grid;
use crate::exec::histogram_quantile::{
    BucketTable, HistogramFunction, MonotonicityFixes, NO_GROUP, histogram_quantile,
};
use crate::functions::float_text::bucket_bound;

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

impl Planner<'_> {
    pub(super) fn histogram_call(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let (function, vector) = match call.args.as_slice() {
            [phi, vector] => {
                self.check_quantile(phi);
                (HistogramFunction::Quantile(self.argument(phi, grid, &mut sides)?), vector)
            }
            [lower, upper, vector] => {
                let lower = self.argument(lower, grid, &mut sides)?;
                let upper = self.argument(upper, grid, &mut sides)?;
                (HistogramFunction::Fraction(lower, upper), vector)
            }
            _ => return Err(Error::internal(format!("arguments of {}", call.function))),
        };
        self.buckets(function, vector, sides, grid)
    }

    fn buckets(
        &mut self,
        function: HistogramFunction,
        vector: &Expr,
        sides: Vec<Arc<dyn ExecutionPlan>>,
        grid: Grid,
    ) -> Result<Node> {
        let input = self.plan(vector, grid)?;
        let table = self.bucket_table(&input.series);
        let (table, labels) = (Arc::new(table.0), table.1);
        let fixes = Arc::new(MonotonicityFixes::default());
        self.fixes.push(Arc::clone(&fixes));
        let plan = histogram_quantile(input.plan, grid, function, table, fixes, sides);
        Ok(without_name(Node { plan, series: labels, grid, ordered: false }, false))
    }

    /// Histograms are the series that are equal but for `le`.
    fn bucket_table(&mut self, series: &SeriesSet) -> (BucketTable, SeriesSet) {
        let (codes, values) = series.column(BOUND);
        let bounds: Vec<Option<f64>> = values.iter().map(|value| bucket_bound(value)).collect();
        let bound_of_code = |code: u32| match code {
            ABSENT => None,
            code => bounds[code as usize],
        };
        let names: Vec<_> =
            series.label_names().into_iter().filter(|name| **name != *BOUND).collect();
        let classes = series.classes(&names);
        let mut number = vec![NO_GROUP; classes.first.len()];
        let mut labels = Vec::new();
        let (mut group_of, mut bound_of) = (Vec::new(), Vec::new());
        for (at, &code) in codes.iter().enumerate() {
            let Some(bound) = bound_of_code(code) else {
                let value = if code == ABSENT { "" } else { &values[code as usize] };
                self.warn_of_bound(value);
                group_of.push(NO_GROUP);
                bound_of.push(f64::NAN);
                continue;
            };
            let group = &mut number[classes.class_of[at] as usize];
            if *group == NO_GROUP {
                *group = labels.len() as u32;
                labels.push(series.labels(at).filter(|name| name != BOUND));
            }
            group_of.push(*group);
            bound_of.push(bound);
        }
        let table = BucketTable { group_of, bound_of, groups: labels.len() as u32 };
        (table, SeriesSet::from_labels(&labels))
    }

    fn warn_of_bound(&mut self, value: &str) {
        let text = format!(
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of {value:?}"
        );
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}
