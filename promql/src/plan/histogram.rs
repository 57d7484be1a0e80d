//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::{ABSENT, Labels};
use engine::{Error, Result};
use hashbrown::HashMap;

use super::labels::text;
use super::names::{Unnamed, relabelled};
use super::{Node, PendingValues, Planner, SeriesSet, ValuesOf};
use crate::ast::{Call, Expr};
use crate::exec::Argument;
use crate::exec::grid::Grid;
use crate::exec::histogram_quantile::{
    BucketTable, HistogramFunction, HistogramNotes, NO_GROUP, Phi, histogram_quantile,
};
use crate::exec::ordered_aggregate::{CountedValues, Groups, count_values};
use crate::exec::share::ShareExec;
use crate::functions::float_text::{bucket_bound, open_metrics};

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

impl Planner<'_> {
    pub(super) fn histogram_call(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        // Arguments are planned in their order: of equal annotations that of the last one counts.
        if call.function == "histogram_fraction" {
            let [lower, upper, vector] = call.args.as_slice() else {
                return Err(Error::internal(format!("arguments of {}", call.function)));
            };
            let lower = self.argument(lower, grid, &mut sides)?;
            let upper = self.argument(upper, grid, &mut sides)?;
            let function = HistogramFunction::Fraction(lower, upper);
            let input = self.plan(vector, grid)?;
            return self.histograms(function, (input, call.places[2]), &[], None, sides);
        }
        if call.function == "histogram_quantile" {
            let argument = self.argument(&call.args[0], grid, &mut sides)?;
            let function = HistogramFunction::Quantiles(vec![Phi { argument, only: None }]);
            let input = self.plan(&call.args[1], grid)?;
            let vector = (input, call.places[1]);
            return self.histograms(function, vector, &call.places[..1], None, sides);
        }
        let label = text(call, 1)?;
        let input = self.plan(&call.args[0], grid)?;
        let (mut quantiles, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (quantile, &place) in call.args.iter().zip(&call.places).skip(2) {
            let argument = self.argument(quantile, grid, &mut sides)?;
            if let Argument::Constant(value) = argument {
                quantiles.push(Phi { argument, only: None });
                values.push(value);
            } else {
                for value in self.values_of(quantile, grid)? {
                    quantiles.push(Phi { argument, only: Some(value) });
                    values.push(value);
                }
            }
            places.resize(quantiles.len(), place);
        }
        let function = HistogramFunction::Quantiles(quantiles);
        let label = Some((&*label, values.as_slice()));
        self.histograms(function, (input, call.places[0]), &places, label, sides)
    }

    /// `label` is that of several quantiles, and what they are.
    fn histograms(
        &mut self,
        function: HistogramFunction,
        (input, place): (Node, usize),
        quantile_places: &[usize],
        label: Option<(&str, &[f64])>,
        sides: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Node> {
        let grid = input.grid;
        let quantiles = quantile_places
            .iter()
            .map(|&place| self.notes(&SeriesSet::from_labels(&[]), "", place))
            .collect();
        let (table, labels) = bucket_table(&input.series);
        let groups = SeriesSet::from_labels(&labels);
        let notes = HistogramNotes {
            fixes: self.fixes(&groups, grid, place),
            histograms: self.bucket_notes(&input.series, place),
            quantiles,
        };
        let series = match label {
            None => groups,
            Some((name, quantiles)) => quantile_series(&labels, name, quantiles)?,
        };
        let plan = histogram_quantile(input.plan, grid, function, Arc::new(table), notes, sides);
        let node = Node { plan, series, grid, ordered: false, unnamed: Unnamed::None };
        // Where one quantile is asked for twice, its series are the same. At one instant, and with names
        // that go at the end of the query, Prometheus looks for that at the end only.
        let at_once = label.is_some() && (self.spans || !self.features.delayed_name_removal);
        let node = if at_once { relabelled(node, |_, labels| labels) } else { node };
        Ok(self.without_name(node))
    }

    /// The values of a scalar that changes from step to step. They are known once it has been executed,
    /// as those of a `count_values`: the first attempt leaves it [pending](PendingValues).
    fn values_of(&mut self, scalar: &Expr, grid: Grid) -> Result<Vec<f64>> {
        let key = std::ptr::from_ref(scalar) as usize;
        if let Some(values) = self.scalar_values.get(&key) {
            return Ok(values.clone());
        }
        let node = self.plan(scalar, grid)?;
        let groups = Groups { group_of: vec![0], count: 1, notes: Arc::default() };
        let found = Arc::new(CountedValues::default());
        let plan = count_values(node.plan, grid, Arc::new(groups), Arc::clone(&found));
        let share = ShareExec::create(plan);
        self.pending = Some(PendingValues { key, share, found, of: ValuesOf::Scalar });
        Err(Error::internal("the quantiles are not known yet"))
    }
}

/// The series of several quantiles of each group.
fn quantile_series(groups: &[Labels], name: &str, quantiles: &[f64]) -> Result<SeriesSet> {
    let values: Vec<String> = quantiles.iter().map(|&value| open_metrics(value)).collect();
    let mut labels = Vec::with_capacity(groups.len() * values.len());
    for group in groups {
        for value in &values {
            labels.push(group.overlay(&Labels::new([(name, value.as_str())])?));
        }
    }
    Ok(SeriesSet::from_labels(&labels))
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
