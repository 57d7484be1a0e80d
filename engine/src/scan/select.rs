//! Which series of a block a selector matches.

use std::sync::Arc;

use super::cache::OpenBlock;
use crate::model::{Matcher, TimeRange};

/// The matching series of one block.
#[derive(Debug)]
pub(crate) struct Selection {
    /// The block.
    pub(crate) open: Arc<OpenBlock>,
    /// Rows of its label table, ascending.
    pub(crate) rows: Vec<u32>,
}

/// The series of `open` that all `matchers` accept and that may have samples in `range`.
pub(crate) fn select(
    open: Arc<OpenBlock>,
    matchers: &[Matcher],
    range: TimeRange,
) -> Option<Selection> {
    let block = &open.block;
    let own = Matcher::undecided(matchers, &block.external_labels)?;
    let mut rows = block.series.table.select(&own);
    let whole = block.meta.range();
    if range.min > whole.min || range.max < whole.max {
        rows.retain(|&row| {
            let series = &block.series;
            let (min, max) = (series.min_ts[row as usize], series.max_ts[row as usize]);
            min <= range.max && range.min <= max
        });
    }
    (!rows.is_empty()).then_some(Selection { open, rows })
}
