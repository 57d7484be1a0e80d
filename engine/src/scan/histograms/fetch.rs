//! Which pages hold the rows, and fetching them.

use std::io;
use std::ops::Range;

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use futures::future::try_join_all;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::HistogramRows;
use crate::block::histogram::histogram_columns;
use crate::scan::plan::ScanPlan;
use crate::{Error, Result};

/// Rows whose pages are there.
#[derive(Debug, Default)]
pub(in crate::scan) struct FetchedHistograms {
    pub(super) files: Vec<FetchedFile>,
}

impl FetchedHistograms {
    /// Bytes of pages.
    pub(in crate::scan) fn bytes(&self) -> usize {
        let parts = self.files.iter().flat_map(|file| &file.pages.parts);
        parts.map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The rows of one file.
#[derive(Debug)]
pub(super) struct FetchedFile {
    pub(super) file: u32,
    /// Ascending, disjoint.
    pub(super) rows: Vec<Range<u64>>,
    /// The row groups that they lie in, ascending.
    pub(super) groups: Vec<usize>,
    /// The columns of histograms that have values there, ascending; the others are not read.
    pub(super) columns: Vec<usize>,
    pub(super) pages: Pages,
}

/// A file of which only some pages are there.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    length: u64,
    /// Where each begins, ascending.
    parts: Vec<(u64, Bytes)>,
}

impl Pages {
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let after = self.parts.partition_point(|&(at, _)| at <= start);
        let part = after.checked_sub(1).and_then(|at| self.parts.get(at));
        let found = part.and_then(|(at, bytes)| {
            let from = usize::try_from(start - at).ok().filter(|&from| from < bytes.len())?;
            Some(bytes.slice(from..))
        });
        found.ok_or_else(|| ParquetError::General(format!("the page at byte {start} is not there")))
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pages {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes.slice(..length))
    }
}

/// Fetches the pages of `rows` and checks their CRCs.
pub(in crate::scan) async fn fetch_histograms(
    plan: &ScanPlan,
    rows: HistogramRows,
) -> Result<FetchedHistograms> {
    let files = rows.sorted().map(|(file, rows)| async move {
        let fetched = fetch_file(plan, file, rows).await;
        fetched.map_err(|error| plan.blame(file, error))
    });
    Ok(FetchedHistograms { files: try_join_all(files).await? })
}

async fn fetch_file(plan: &ScanPlan, file: u32, rows: Vec<Range<u64>>) -> Result<FetchedFile> {
    let no_file = || Error::internal("histograms of a file that has none");
    let reader = plan.files[file as usize].reader().ok_or_else(no_file)?;
    let metadata = reader.metadata();
    let (groups, columns) = groups_and_columns(metadata, &rows);
    let ranges = pages(metadata, &rows, &columns)
        .ok_or_else(|| Error::corrupt(format!("{}: no page has a row of a run", reader.path())))?;
    plan.limits.spend_bytes(ranges.iter().map(|range| (range.end - range.start) as usize).sum())?;
    let parts = plan.bucket.get_ranges(reader.path(), &ranges).await?;
    for (range, bytes) in ranges.iter().zip(&parts) {
        reader.check(range.clone(), bytes)?;
    }
    let length = ranges.last().map_or(0, |range| range.end);
    let parts = ranges.iter().map(|range| range.start).zip(parts).collect();
    Ok(FetchedFile { file, rows, groups, columns, pages: Pages { length, parts } })
}

/// The row groups that `rows` lie in, and the columns of histograms that have any value in these: most
/// histograms have no negative buckets, no custom bounds, and counts of one kind.
fn groups_and_columns(metadata: &ParquetMetaData, rows: &[Range<u64>]) -> (Vec<usize>, Vec<usize>) {
    let (mut groups, mut start) = (Vec::new(), 0);
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let end = start + group.num_rows() as u64;
        let after = rows.partition_point(|range| range.end <= start);
        if rows.get(after).is_some_and(|range| range.start < end) {
            groups.push(at);
        }
        start = end;
    }
    let has_values = |column: &usize| {
        groups.iter().any(|&group| {
            metadata.row_group(group).columns().get(*column).is_none_or(|chunk| {
                let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
                nulls.is_none_or(|nulls| i64::try_from(nulls) != Ok(chunk.num_values()))
            })
        })
    };
    let columns = histogram_columns().filter(has_values).collect();
    (groups, columns)
}

/// The bytes of the pages (and dictionaries) of `columns` that hold `rows`, ascending; none if the file has not
/// all of them.
fn pages(
    metadata: &ParquetMetaData,
    rows: &[Range<u64>],
    columns: &[usize],
) -> Option<Vec<Range<u64>>> {
    let index = metadata.offset_index()?;
    let mut ranges = Vec::new();
    let (mut start, mut next) = (0u64, 0);
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let end = start + u64::try_from(group.num_rows()).ok()?;
        while rows.get(next).is_some_and(|range| range.end <= start) {
            next += 1;
        }
        let inside = &rows[next..];
        let inside = &inside[..inside.partition_point(|range| range.start < end)];
        for &column in columns.iter().filter(|_| !inside.is_empty()) {
            let locations = index.get(at)?.get(column)?.page_locations();
            if group.column(column).dictionary_page_offset().is_some() {
                let dictionary =
                    u64::try_from(group.column(column).dictionary_page_offset()?).ok()?;
                ranges.push(dictionary..u64::try_from(locations.first()?.offset).ok()?);
            }
            let mut wanted = inside.iter().peekable();
            for (page, location) in locations.iter().enumerate() {
                let first = start + u64::try_from(location.first_row_index).ok()?;
                let last = match locations.get(page + 1) {
                    Some(next) => start + u64::try_from(next.first_row_index).ok()?,
                    None => end,
                };
                while wanted.next_if(|range| range.end <= first).is_some() {}
                if wanted.peek().is_some_and(|range| range.start < last) {
                    let offset = u64::try_from(location.offset).ok()?;
                    let size = u64::try_from(location.compressed_page_size).ok()?;
                    ranges.push(offset..offset.checked_add(size)?);
                }
            }
        }
        start = end;
    }
    rows.last().is_none_or(|range| range.end <= start).then_some(ranges)
}
