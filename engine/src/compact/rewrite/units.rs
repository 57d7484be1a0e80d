//! Which series are rewritten together: whole metrics, and not too few samples.

use std::ops::Range;

use crate::model::{LabelTable, METRIC_NAME};

/// A unit ends with the metric that brings it here.
const UNIT_SAMPLES: u64 = 4 * 1024 * 1024;

/// Series that are rewritten together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// The series.
    pub(super) series: Range<u32>,
    /// For each of them, the first series of its metric, counted from the unit's first.
    pub(super) metrics: Vec<u32>,
}

/// Cuts the series of `table`, which is in block order, into units; `samples` says about how many samples
/// each series has.
pub(super) fn cut(table: &LabelTable, samples: impl Fn(usize) -> u64) -> Vec<Unit> {
    let mut units = Vec::new();
    let empty = |start: u32| Unit { series: start..start, metrics: Vec::new() };
    let (mut unit, mut weight) = (empty(0), 0);
    let mut metric = None;
    for row in 0..table.len() {
        let name = table.value(row, METRIC_NAME);
        if metric != Some(name) {
            if weight >= UNIT_SAMPLES {
                units.push(std::mem::replace(&mut unit, empty(row as u32)));
                weight = 0;
            }
            metric = Some(name);
            unit.metrics.push(row as u32 - unit.series.start);
        } else if let Some(&first) = unit.metrics.last() {
            unit.metrics.push(first);
        }
        unit.series.end = row as u32 + 1;
        weight += samples(row);
    }
    if !unit.metrics.is_empty() {
        units.push(unit);
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    #[test]
    fn units_are_whole_metrics() {
        let series =
            |metric: &str, pod: &str| Labels::new([("__name__", metric), ("pod", pod)]).unwrap();
        let all = [
            series("a", "1"),
            series("a", "2"),
            series("b", "1"),
            series("c", "1"),
            series("c", "2"),
        ];
        let table = LabelTable::from_labels(&all);
        let unit = |series, metrics: &[u32]| Unit { series, metrics: metrics.to_vec() };
        assert_eq!(cut(&table, |_| 1), [unit(0..5, &[0, 0, 2, 3, 3])]);
        let large = |row: usize| if row == 1 || row == 3 { UNIT_SAMPLES } else { 0 };
        let expected = [unit(0..2, &[0, 0]), unit(2..5, &[0, 1, 1])];
        assert_eq!(cut(&table, large), expected);
        assert!(cut(&LabelTable::from_labels(&[]), |_| 1).is_empty());
    }
}
