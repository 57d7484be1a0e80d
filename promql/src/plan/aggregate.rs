//! Aggregations.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::Labels;
use engine::source::Grouping;
use engine::{Error, ErrorKind, Result};

use super::names::Unnamed;
use super::{Counted, Node, PendingValues, Planner, SeriesSet, ValuesOf};
use crate::ast::{Aggregate, AggregateOp, Expr, Text};
use crate::exec::aggregate::{AggregateGroups, aggregate};
use crate::exec::grid::Grid;
use crate::exec::limit::{limit_ratio, limitk};
use crate::exec::notes::Notes;
use crate::exec::ordered_aggregate::{CountedValues, Groups, count_values, quantile, topk};
use crate::exec::share::ShareExec;
use crate::functions::aggregate::AggregateFunction;
use crate::parse::quoted;

fn groups(grouping: Grouping, notes: Arc<Notes>) -> (Arc<Groups>, Vec<Labels>) {
    let count = grouping.labels.len() as u32;
    (Arc::new(Groups { group_of: grouping.group_of, count, notes }), grouping.labels)
}

impl Planner<'_> {
    /// Plans an aggregation of any kind.
    pub(super) fn aggregate(&mut self, node: &Aggregate, grid: Grid) -> Result<Node> {
        if let Some(function) = AggregateFunction::from_name(node.op.name()) {
            return self.aggregate_by_state(function, node, grid);
        }
        let param = node.param.as_ref();
        let param = param.ok_or_else(|| Error::internal("an aggregation without parameter"))?;
        match (node.op, param) {
            (AggregateOp::Quantile, _) => self.quantile(node, param, grid),
            (AggregateOp::CountValues, Expr::Text(label)) => self.count_values(node, label, grid),
            (AggregateOp::Limitk, _) => self.limitk(node, param, grid),
            (AggregateOp::LimitRatio, _) => self.limit_ratio(node, param, grid),
            _ => self.topk(node, param, grid),
        }
    }

    /// Those that keep a fixed state a group and step.
    fn aggregate_by_state(
        &mut self,
        function: AggregateFunction,
        node: &Aggregate,
        grid: Grid,
    ) -> Result<Node> {
        let input = self.plan(&node.expr, grid)?;
        let Grouping { group_of, labels } = input.series.group(&node.grouping);
        let unnamed = input.unnamed.grouped(&group_of, labels.len());
        let notes = self.notes_on(&input, node.op.name(), node.expr_place);
        let groups = AggregateGroups { group_of: group_of.into(), count: labels.len(), notes };
        let plan = aggregate(input.plan, grid, function, groups);
        Ok(Node { plan, series: SeriesSet::from_labels(&labels), grid, ordered: false, unnamed })
    }

    fn topk(&mut self, node: &Aggregate, k: &Expr, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let k = self.argument(k, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let notes = self.notes_on(&input, node.op.name(), node.place);
        let (groups, _) = groups(input.series.group(&node.grouping), notes);
        let bottom = node.op == AggregateOp::Bottomk;
        let plan = topk(input.plan, grid, bottom, k, groups, sides);
        Ok(Node { plan, ordered: true, ..input })
    }

    fn limitk(&mut self, node: &Aggregate, k: &Expr, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let k = self.argument(k, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let (groups, _) = groups(input.series.group(&node.grouping), Arc::default());
        let plan = limitk(input.plan, input.ordered, grid, k, groups, sides);
        Ok(Node { plan, ordered: false, ..input })
    }

    fn limit_ratio(&mut self, node: &Aggregate, ratio: &Expr, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let ratio = self.argument(ratio, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let offset = |at| sampling_offset(&input.series.labels(at));
        let offsets: Arc<[f64]> = (0..input.series.len()).map(offset).collect();
        let notes = self.notes(&input.series, "", node.param_place);
        let plan = limit_ratio(input.plan, grid, ratio, offsets, notes, sides);
        Ok(Node { plan, ordered: false, ..input })
    }

    fn quantile(&mut self, node: &Aggregate, phi: &Expr, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let phi = self.argument(phi, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let notes = self.notes(&input.series, node.op.name(), node.expr_place);
        let grouping = input.series.group(&node.grouping);
        let unnamed = input.unnamed.grouped(&grouping.group_of, grouping.labels.len());
        let (groups, labels) = groups(grouping, notes);
        let odd = self.notes(&SeriesSet::from_labels(&[]), "", node.param_place);
        let plan = quantile(input.plan, grid, phi, groups, odd, sides);
        Ok(Node { plan, series: SeriesSet::from_labels(&labels), grid, ordered: false, unnamed })
    }

    /// The series of `count_values` are made of values, so it is executed before anything above it
    /// can be planned: the first attempt leaves it [pending](PendingValues), a later one finds it done.
    fn count_values(&mut self, node: &Aggregate, label: &Text, grid: Grid) -> Result<Node> {
        let Some(label) = label.as_str().filter(|label| !label.is_empty()) else {
            let text = format!("invalid label name {}", quoted(label));
            return Err(Error::new(ErrorKind::Execution, text));
        };
        let key = std::ptr::from_ref(node) as usize;
        if let Some(Counted { share, series, annotations }) = self.counted.get(&key) {
            let (plan, series): (Arc<dyn ExecutionPlan>, _) =
                (Arc::clone(share) as _, series.clone());
            self.annotations.extend(annotations);
            return Ok(Node { plan, series, grid, ordered: false, unnamed: Unnamed::None });
        }
        let mut grouping = node.grouping.clone();
        let listed = grouping.labels.iter().position(|known| known == label);
        match (grouping.without, listed) {
            // The label with the value is one of those that are removed.
            (true, Some(_)) => {
                let node = self.aggregate_by_state(AggregateFunction::Count, node, grid)?;
                return Ok(Node { unnamed: Unnamed::None, ..node });
            }
            (true, None) => grouping.labels.push(label.to_owned()),
            (false, Some(at)) => {
                grouping.labels.remove(at);
            }
            (false, None) => {}
        }
        let around = std::mem::take(&mut self.annotations);
        let before = self.counting.planned();
        let input = self.plan(&node.expr, grid);
        let annotations = std::mem::replace(&mut self.annotations, around);
        let input = input?;
        let (groups, labels) = groups(input.series.group(&grouping), Arc::default());
        let found = Arc::new(CountedValues::default());
        let plan = count_values(input.plan, grid, groups, Arc::clone(&found));
        let share = ShareExec::create(plan);
        let label = label.to_owned();
        let selectors = self.counting.since(before);
        let of = ValuesOf::Count { groups: labels, label, annotations, selectors };
        self.pending = Some(PendingValues { key, share, found, of });
        Err(Error::internal("count_values is not executed yet"))
    }
}

/// Where a series stands between 0 and 1 (`HashRatioSampler`): a hash of its labels as Prometheus keeps
/// them, each name and value behind its length.
fn sampling_offset(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for label in labels.iter() {
        for text in [&label.name, &label.value] {
            let length = text.len();
            match u8::try_from(length) {
                Ok(short) if short < u8::MAX => bytes.push(short),
                _ => {
                    bytes.push(u8::MAX);
                    bytes.extend_from_slice(&length.to_le_bytes()[..3]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxhash_rust::xxh64::xxh64(&bytes, 0) as f64 / u64::MAX as f64
}
