//! The columns that tell which series a row belongs to: they come straight from the runs.

use parquet::schema::types::ColumnDescPtr;

use super::series::Catalogue;
use crate::Result;
use crate::block::encode::{Chunk, EntryRun, Pruning, Zstd, run_chunk};
use crate::block::schema::{PAGE_ROWS, samples};

/// Rows of one series that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesRun {
    pub(super) series_ref: u32,
    pub(super) rows: u32,
}

/// Adds rows of a series; they go on with the run before if that is of the same.
pub(super) fn push_run(runs: &mut Vec<SeriesRun>, series_ref: u32, rows: usize) {
    // Rows of a row group, and waiting rows, are far below 2^32.
    let rows = rows as u32;
    match runs.last_mut() {
        Some(last) if last.series_ref == series_ref => last.rows += rows,
        _ => runs.push(SeriesRun { series_ref, rows }),
    }
}

/// The chunks of `metric`, `series_ref` and `series_id` of a row group with these runs.
pub(super) fn key_chunks(
    runs: &[SeriesRun],
    columns: &[ColumnDescPtr],
    catalogue: &Catalogue,
    zstd: &mut Zstd,
) -> Result<Vec<Chunk>> {
    let mut refs: Vec<u32> = runs.iter().map(|run| run.series_ref).collect();
    refs.sort_unstable();
    refs.dedup();
    let mut metrics: Vec<&str> = refs.iter().map(|&r| catalogue.metric(r)).collect();
    // Series are in order of their metric, so equal names are neighbours.
    metrics.dedup();
    let series_runs: Vec<EntryRun> = runs
        .iter()
        .map(|run| EntryRun {
            entry: refs.partition_point(|&r| r < run.series_ref) as u32,
            rows: run.rows,
        })
        .collect();
    let mut metric_runs: Vec<EntryRun> = Vec::new();
    for run in runs {
        let name = catalogue.metric(run.series_ref);
        let entry = metrics.partition_point(|&metric| metric < name) as u32;
        match metric_runs.last_mut() {
            Some(last) if last.entry == entry => last.rows += run.rows,
            _ => metric_runs.push(EntryRun { entry, rows: run.rows }),
        }
    }
    let ids: Vec<i64> = refs.iter().map(|&r| catalogue.series_id(r)).collect();
    let refs: Vec<i32> = refs.iter().map(|&r| r as i32).collect();
    let metric_runs = metric_runs.into_iter();
    let series_runs = || series_runs.iter().copied();
    let (bounds, no_bounds) = (Pruning::Bounds, Pruning::None);
    let column = |at: usize| &columns[at];
    Ok(vec![
        run_chunk(column(samples::METRIC), &metrics, metric_runs, PAGE_ROWS, bounds, zstd)?,
        run_chunk(column(samples::SERIES_REF), &refs, series_runs(), PAGE_ROWS, bounds, zstd)?,
        run_chunk(column(samples::SERIES_ID), &ids, series_runs(), PAGE_ROWS, no_bounds, zstd)?,
    ])
}
