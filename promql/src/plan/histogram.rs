//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::{ABSENT, Labels};
use engine::{Error, Result};
use hashbrown::HashMap;

use super::labels::text;
use super::names::{Unnamed, relabelled};
use super::{Node, Planner, SeriesSet};
use crate::ast::{Call, Expr};
use crate::exec::grid::Grid;
use crate::exec::histogram_quantile::{
    BucketTable, HistogramFunction, HistogramNotes, NO_GROUP, histogram_quantile,
};
use crate::functions::float_text::{bucket_bound, open_metrics};

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

impl Planner<'_> {
    pub(super) fn histogram_call(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if call.function == "histogram_fraction" {
            let [lower, upper, vector] = call.args.as_slice() else {
                return Err(Error::internal(format!("arguments of {}", call.function)));
            };
            let lower = self.argument(lower, grid, &mut sides)?;
            let upper = self.argument(upper, grid, &mut sides)?;
            let function = HistogramFunction::Fraction(lower, upper);
            return self.histograms(function, (vector, call.places[2]), &[], None, sides, grid);
        }
        // The vector is the last argument of one, the first of several quantiles.
        let (vector, first, last, label) = match call.function {
            "histogram_quantile" => (1, 0, 1, None),
            _ => (0, 2, call.args.len(), Some(text(call, 1)?)),
        };
        let mut quantiles = Vec::new();
        for quantile in &call.args[first..last] {
            quantiles.push(self.argument(quantile, grid, &mut sides)?);
        }
        let vector = (&call.args[vector], call.places[vector]);
        let places = &call.places[first..last];
        let label = label.map(|label| (label, &call.args[first..last]));
        self.histograms(HistogramFunction::Quantiles(quantiles), vector, places, label, sides, grid)
    }

    /// `label` is that of several quantiles, and what they are.
    fn histograms(
        &mut self,
        function: HistogramFunction,
        (vector, place): (&Expr, usize),
        quantile_places: &[usize],
        label: Option<(&str, &[Expr])>,
        sides: Vec<Arc<dyn ExecutionPlan>>,
        grid: Grid,
    ) -> Result<Node> {
        let quantiles = quantile_places
            .iter()
            .map(|&place| self.notes(&SeriesSet::from_labels(&[]), "", place))
            .collect();
        let input = self.plan(vector, grid)?;
        let (table, labels) = bucket_table(&input.series);
        let groups = SeriesSet::from_labels(&labels);
        let notes = HistogramNotes {
            fixes: self.fixes(&groups, grid, place),
            histograms: self.bucket_notes(&input.series, place),
            quantiles,
        };
        let series = match label {
            None => groups,
            Some((name, quantiles)) => self.quantile_series(&labels, name, quantiles)?,
        };
        let plan = histogram_quantile(input.plan, grid, function, Arc::new(table), notes, sides);
        let node = Node { plan, series, grid, ordered: false, unnamed: Unnamed::None };
        // Where one quantile is asked for twice, its series are the same. At one instant, and with names
        // that go at the end of the query, Prometheus looks for that at the end only.
        let at_once = label.is_some() && (self.spans || !self.features.delayed_name_removal);
        let node = if at_once { relabelled(node, |_, labels| labels) } else { node };
        Ok(self.without_name(node))
    }

    /// The series of several quantiles of each group.
    fn quantile_series(
        &mut self,
        groups: &[Labels],
        name: &str,
        quantiles: &[Expr],
    ) -> Result<SeriesSet> {
        let mut values = Vec::with_capacity(quantiles.len());
        for quantile in quantiles {
            let value = super::invariant::constant(quantile, &self.times);
            let value = value.ok_or_else(|| {
                Error::unsupported("not supported yet: histogram_quantiles() of changing quantiles")
            })?;
            values.push(open_metrics(value));
        }
        let mut labels = Vec::with_capacity(groups.len() * values.len());
        for group in groups {
            for value in &values {
                labels.push(group.overlay(&Labels::new([(name, value.as_str())])?));
            }
        }
        Ok(SeriesSet::from_labels(&labels))
    }
}

/// Classic histograms are the series that are equal but for `le`; a native one is a series as it is.
fn bucket_table(series: &SeriesSet) -> (BucketTable, Vec<Labels>) {
    let (codes, values) = series.column(BOUND);
    let bounds: Vec<Option<f64>> = values.iter().map(|value| bucket_bound(value)).collect();
    let bound_of_code = |code: u32| match code {
        ABSENT => None,
        code => bounds[code as usize],
    };
    let names: Vec<_> = series.label_names().into_iter().filter(|name| **name != *BOUND).collect();
    let classes = series.classes(&names);
    let mut number = vec![NO_GROUP; classes.first.len()];
    let mut labels: Vec<Labels> = Vec::new();
    let (mut group_of, mut bound_of, mut native_of) = (Vec::new(), Vec::new(), Vec::new());
    let mut with_bound: HashMap<Labels, u32> = HashMap::new();
    for (at, &code) in codes.iter().enumerate() {
        let group = &mut number[classes.class_of[at] as usize];
        if *group == NO_GROUP {
            *group = labels.len() as u32;
            labels.push(series.labels(at).filter(|name| name != BOUND));
        }
        let bound = bound_of_code(code);
        group_of.push(if bound.is_some() { *group } else { NO_GROUP });
        bound_of.push(bound.unwrap_or(f64::NAN));
        native_of.push(match code {
            ABSENT => *group,
            // A native histogram that has the label all the same.
            _ => *with_bound.entry(series.labels(at)).or_insert_with_key(|own| {
                labels.push(own.clone());
                labels.len() as u32 - 1
            }),
        });
    }
    let groups = labels.len() as u32;
    (BucketTable { group_of, bound_of, native_of, groups }, labels)
}
