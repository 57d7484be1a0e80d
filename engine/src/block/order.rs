//! The order of series in a block, fixed by the format's version: metric, then labels by priority.
//!
//! All blocks agree in it, so that merging blocks never sorts.

use std::cmp::Ordering;

use crate::model::{LabelTable, Labels};

/// The rows of `table` in block order.
pub fn sort(table: &LabelTable) -> Vec<u32> {
    let labels: Vec<Labels> = (0..table.len()).map(|row| table.labels(row)).collect();
    let mut rows: Vec<u32> = (0..labels.len() as u32).collect();
    rows.sort_by(|&a, &b| compare(&labels[a as usize], &labels[b as usize]));
    rows
}

/// Compares two series by block order.
pub fn compare(a: &Labels, b: &Labels) -> Ordering {
    a.metric().cmp(b.metric()).then_with(|| a.cmp(b))
}
