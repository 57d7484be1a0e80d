//! Pages to histograms.

use std::ops::Range;

use arrow::array::{Array, StructArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};

use super::fetch::{FetchedFile, FetchedHistograms};
use crate::block::histogram::{from_columns, histogram_columns};
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
    /// Rows of the file, ascending and disjoint, and the place of each range's first.
    rows: Vec<(Range<u64>, usize)>,
    /// The histograms, and the place of each array's first.
    histograms: Vec<(usize, StructArray)>,
}

/// How many histograms are decoded into one array: larger ones are copied again and again while they grow.
const ARRAY_ROWS: usize = 4096;

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
        let arrays = self.files.iter().flat_map(|file| &file.histograms);
        arrays.map(|(_, array)| array.get_array_memory_size()).sum()
    }

    /// Where the histograms of a stretch of the wave lie: rows of arrays.
    pub(in crate::scan) fn rows(
        &self,
        stretch: Stretch,
    ) -> Result<impl Iterator<Item = (&StructArray, Range<usize>)>> {
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
        let to = from + stretch.rows as usize;
        let first = file.histograms.partition_point(|(start, all)| start + all.len() <= from);
        let arrays = file.histograms[first..].iter().take_while(move |(start, _)| *start < to);
        Ok(arrays.map(move |(start, all)| {
            (all, from.saturating_sub(*start)..(to - start).min(all.len()))
        }))
    }
}

fn decode(plan: &ScanPlan, fetched: FetchedFile) -> Result<DecodedFile> {
    let FetchedFile { file, rows, groups, columns, pages } = fetched;
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
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
    let histograms = guarded(reader.path(), || {
        let wrong = |e| Error::corrupt("histograms cannot be decoded").with_source(e);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, metadata.clone())
            .with_row_groups(groups)
            .with_projection(mask)
            .with_row_selection(selection)
            .with_row_selection_policy(RowSelectionPolicy::Selectors)
            .with_batch_size(ARRAY_ROWS)
            .build()
            .map_err(wrong)?;
        let (mut arrays, mut seen) = (Vec::new(), 0);
        for batch in batches {
            let batch = batch.map_err(|e| Error::corrupt("histograms").with_source(e))?;
            let mut read = batch.columns().iter().cloned();
            let all = histogram_columns()
                .map(|column| columns.contains(&column).then(|| read.next()).flatten());
            arrays.push((seen, from_columns(all.collect())?));
            seen += batch.num_rows();
        }
        match seen == count {
            true => Ok(arrays),
            false => Err(Error::corrupt(format!("{seen} histograms instead of {count}"))),
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
