//! Pages to histograms.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::compute::concat;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};

use super::fetch::{FetchedFile, FetchedHistograms};
use crate::block::histogram::{FIRST_COLUMN, from_columns, histogram_fields};
use crate::block::reader::guarded;
use crate::scan::plan::ScanPlan;
use crate::scan::wave::Stretch;
use crate::{Error, Result};

/// The histograms of a wave.
#[derive(Debug, Default)]
pub(in crate::scan) struct DecodedHistograms {
    files: Vec<DecodedFile>,
}

#[derive(Debug)]
struct DecodedFile {
    file: u32,
    /// Rows of the file, ascending and disjoint, and where in the array each range begins.
    rows: Vec<(Range<u64>, usize)>,
    histograms: StructArray,
}

impl DecodedHistograms {
    /// Decodes what was fetched.
    pub(in crate::scan) fn new(plan: &ScanPlan, fetched: FetchedHistograms) -> Result<Self> {
        let decode = |fetched: FetchedFile| {
            let file = fetched.file;
            decode(plan, fetched).map_err(|error| plan.blame(file, error))
        };
        let files = fetched.files.into_iter().map(decode).collect::<Result<_>>()?;
        Ok(Self { files })
    }

    /// Bytes held.
    pub(in crate::scan) fn memory(&self) -> usize {
        self.files.iter().map(|file| file.histograms.get_array_memory_size()).sum()
    }

    /// The histograms of a stretch of the wave.
    pub(in crate::scan) fn rows(&self, stretch: Stretch) -> Result<StructArray> {
        let not_there = || Error::internal("histograms that no wave has");
        let at = self.files.binary_search_by_key(&stretch.file, |file| file.file);
        let file = &self.files[at.map_err(|_| not_there())?];
        let after = file.rows.partition_point(|(rows, _)| rows.start <= stretch.start);
        let (rows, before) = after
            .checked_sub(1)
            .and_then(|at| file.rows.get(at))
            .filter(|(rows, _)| stretch.start + u64::from(stretch.rows) <= rows.end)
            .ok_or_else(not_there)?;
        let from = before + (stretch.start - rows.start) as usize;
        Ok(file.histograms.slice(from, stretch.rows as usize))
    }
}

fn decode(plan: &ScanPlan, fetched: FetchedFile) -> Result<DecodedFile> {
    let FetchedFile { file, rows, groups, pages } = fetched;
    let open = &plan.files[file as usize].open;
    let (Some(metadata), Some(reader)) = (&open.histograms, &open.block.histograms) else {
        return Err(Error::internal("histograms of a file that has none"));
    };
    let lengths: Vec<u64> =
        metadata.metadata().row_groups().iter().map(|group| group.num_rows() as u64).collect();
    // The decoder counts rows over the row groups that are read.
    let mut ranges = Vec::with_capacity(rows.len());
    let mut seen = 0;
    for &group in &groups {
        let start: u64 = lengths[..group].iter().sum();
        let end = start + lengths[group];
        for range in &rows {
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                ranges.push(seen + (from - start) as usize..seen + (to - start) as usize);
            }
        }
        seen += lengths[group] as usize;
    }
    let count: usize = ranges.iter().map(Range::len).sum();
    let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), seen);
    let columns = FIRST_COLUMN..FIRST_COLUMN + histogram_fields().len();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns);
    let histograms = guarded(reader.path(), || {
        let wrong = |e| Error::corrupt("histograms cannot be decoded").with_source(e);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, metadata.clone())
            .with_row_groups(groups)
            .with_projection(mask)
            .with_row_selection(selection)
            .with_row_selection_policy(RowSelectionPolicy::Selectors)
            .with_batch_size(count.max(1))
            .build()
            .map_err(wrong)?;
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for batch in batches {
            let batch = batch.map_err(|e| Error::corrupt("histograms").with_source(e))?;
            arrays.push(std::sync::Arc::new(from_columns(batch.columns().to_vec())?));
        }
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        let all = concat(&arrays).map_err(|e| Error::corrupt("histograms").with_source(e))?;
        match all.as_any().downcast_ref::<StructArray>() {
            Some(all) if all.len() == count => Ok(all.clone()),
            _ => Err(Error::corrupt(format!("{} histograms instead of {count}", all.len()))),
        }
    })?;
    let mut before = 0;
    let rows = rows.into_iter().map(|range| {
        let at = before;
        before += (range.end - range.start) as usize;
        (range, at)
    });
    Ok(DecodedFile { file, rows: rows.collect(), histograms })
}
