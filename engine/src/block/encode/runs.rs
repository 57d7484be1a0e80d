//! A column chunk from runs: each run is one entry of a dictionary, repeated.

use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, ChunkBuilder, PageBounds};
use super::hybrid;
use super::zstd::Zstd;
use crate::Result;

/// A value that can be an entry of a dictionary page.
pub(in crate::block) trait Entry {
    /// Appends its PLAIN encoding.
    fn plain(&self, out: &mut Vec<u8>);
    /// Its bytes in the column index.
    fn bound(&self) -> Vec<u8>;
    /// Chunk statistics of a column whose smallest and largest values these are.
    fn statistics(min: &Self, max: &Self) -> Statistics;
}

impl Entry for i32 {
    fn plain(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn bound(&self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }
    fn statistics(min: &Self, max: &Self) -> Statistics {
        Statistics::int32(Some(*min), Some(*max), None, Some(0), false)
    }
}

impl Entry for i64 {
    fn plain(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn bound(&self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }
    fn statistics(min: &Self, max: &Self) -> Statistics {
        Statistics::int64(Some(*min), Some(*max), None, Some(0), false)
    }
}

impl Entry for &str {
    fn plain(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        out.extend_from_slice(self.as_bytes());
    }
    fn bound(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn statistics(min: &Self, max: &Self) -> Statistics {
        Statistics::byte_array(Some((*min).into()), Some((*max).into()), None, Some(0), false)
    }
}

/// Consecutive rows with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::block) struct EntryRun {
    /// The index of the value in the dictionary.
    pub entry: u32,
    /// How many rows.
    pub rows: u32,
}

/// Whether readers may prune by a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::block) enum Pruning {
    /// Statistics and column index are written. The dictionary is sorted ascending.
    Bounds,
    /// Neither: bounds of hashes exclude nothing.
    None,
}

/// The chunk of `column` that consists of `runs` over `dictionary`, in pages of `page_rows` rows. It
/// is compressed if that makes it a tenth smaller.
pub(in crate::block) fn run_chunk<E: Entry>(
    column: &ColumnDescPtr,
    dictionary: &[E],
    runs: impl IntoIterator<Item = EntryRun>,
    page_rows: usize,
    pruning: Pruning,
    zstd: &mut Zstd,
) -> Result<Chunk> {
    let mut plain = Vec::new();
    for entry in dictionary {
        entry.plain(&mut plain);
    }
    let pages = pages(dictionary.len(), runs, page_rows);

    let mut frames = Vec::new();
    let dictionary_frame = zstd.compress(&plain)?.to_vec();
    for page in &pages {
        frames.push(zstd.compress(&page.body)?.to_vec());
    }
    let bodies = || std::iter::once(&plain).chain(pages.iter().map(|page| &page.body));
    let raw: usize = bodies().map(Vec::len).sum();
    let packed = dictionary_frame.len() + frames.iter().map(Vec::len).sum::<usize>();
    let compressed = packed * 10 < raw * 9;

    let mut chunk = ChunkBuilder::new(column.clone(), compressed);
    let written = if compressed { &dictionary_frame } else { &plain };
    chunk.dictionary(written, plain.len(), dictionary.len())?;
    for (page, frame) in pages.iter().zip(&frames) {
        let written = if compressed { frame } else { &page.body };
        chunk.data(written, page.body.len(), page.rows, Encoding::RLE_DICTIONARY)?;
    }
    match pruning {
        Pruning::None => chunk.finish(None, None),
        Pruning::Bounds => {
            let statistics = match (dictionary.first(), dictionary.last()) {
                (Some(min), Some(max)) => Some(E::statistics(min, max)),
                _ => None,
            };
            let bounds = pages.iter().map(|page| PageBounds {
                min: dictionary[page.min as usize].bound(),
                max: dictionary[page.max as usize].bound(),
                ..PageBounds::default()
            });
            chunk.finish(statistics, Some(bounds.collect()))
        }
    }
}

struct RunPage {
    body: Vec<u8>,
    rows: usize,
    min: u32,
    max: u32,
}

fn pages(
    entries: usize,
    runs: impl IntoIterator<Item = EntryRun>,
    page_rows: usize,
) -> Vec<RunPage> {
    let width = hybrid::width(entries);
    let empty = || RunPage { body: vec![width as u8], rows: 0, min: u32::MAX, max: 0 };
    let mut pages = Vec::new();
    let mut page = empty();
    for EntryRun { entry, rows } in runs {
        let mut rows = rows as usize;
        while rows > 0 {
            let taken = rows.min(page_rows - page.rows);
            hybrid::run(entry, taken, width, &mut page.body);
            page.min = page.min.min(entry);
            page.max = page.max.max(entry);
            page.rows += taken;
            rows -= taken;
            if page.rows == page_rows {
                pages.push(std::mem::replace(&mut page, empty()));
            }
        }
    }
    if page.rows > 0 {
        pages.push(page);
    }
    pages
}
