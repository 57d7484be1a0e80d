//! Layout of pages, statistics and page index: what other engines leave rows out by.

use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::files::Contents;
use super::problems::Problems;
use super::rows::Keys;
use crate::block::schema::samples;

/// Whether row groups have at most `group_rows` rows, and pages `page_rows` rows in all columns.
pub(super) fn check_layout(
    contents: &Contents<'_>,
    page_rows: usize,
    group_rows: usize,
    problems: &mut Problems,
) {
    let metadata = contents.reader.metadata();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() > group_rows as i64 {
            let (name, rows) = (contents.name(), group.num_rows());
            problems.add(format!("{name}: row group {number} has {rows} rows"));
        }
        if !equal_pages(metadata, number, page_rows) {
            problems.add(format!(
                "{}: the pages of row group {number} do not have {page_rows} rows in all columns",
                contents.name()
            ));
        }
    }
}

fn equal_pages(metadata: &ParquetMetaData, group: usize, page_rows: usize) -> bool {
    let Some(columns) = metadata.offset_index().and_then(|index| index.get(group)) else {
        return false;
    };
    let pages = u64::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
    let pages = pages.div_ceil(page_rows as u64);
    columns.iter().all(|column| {
        let locations = column.page_locations();
        let first_rows = locations.iter().map(|page| page.first_row_index);
        locations.len() as u64 == pages
            && first_rows.eq((0..).step_by(page_rows).take(locations.len()))
    })
}

/// The smallest and the largest of some values.
#[derive(Debug, Clone, Copy)]
struct Span<T> {
    least: T,
    most: T,
}

impl<T: PartialOrd + Copy> Span<T> {
    fn of(values: impl IntoIterator<Item = T>) -> Option<Self> {
        values.into_iter().fold(None, |span, value| {
            let one = Self { least: value, most: value };
            Some(span.map_or(one, |span: Self| span.joined(one)))
        })
    }

    fn joined(self, other: Self) -> Self {
        Self {
            least: if other.least < self.least { other.least } else { self.least },
            most: if other.most > self.most { other.most } else { self.most },
        }
    }

    /// Whether a reader that trusts the bounds `min` and `max` would miss some of the values.
    fn exceeds(self, min: Option<T>, max: Option<T>) -> bool {
        min.is_some_and(|min| self.least < min) || max.is_some_and(|max| self.most > max)
    }
}

/// The bounds of one row group against its rows, page by page.
pub(super) struct Bounds<'a> {
    contents: &'a Contents<'a>,
    group: usize,
    start_ts: Option<usize>,
    page: usize,
    metrics: Option<(String, String)>,
    refs: Option<Span<i32>>,
    ts: Option<Span<i64>>,
    no_start: u64,
}

impl<'a> Bounds<'a> {
    /// The bounds of row group `group`; `start_ts` is the leaf of the start timestamps, if there is one.
    pub(super) fn new(contents: &'a Contents<'a>, group: usize, start_ts: Option<usize>) -> Self {
        let (metrics, refs, ts) = (None, None, None);
        Self { contents, group, start_ts, page: 0, metrics, refs, ts, no_start: 0 }
    }

    /// Takes the rows of the next page.
    pub(super) fn page(&mut self, keys: &Keys<'_>, problems: &mut Problems) {
        let metrics = Span::of(keys.metric_edges().map(|row| keys.metric(row)));
        let refs = Span::of(keys.refs.iter().copied());
        let ts = Span::of(keys.ts.iter().copied());
        for (leaf, name) in
            [(samples::METRIC, "metric"), (samples::SERIES_REF, "series_ref"), (samples::TS, "ts")]
        {
            let page = self.page;
            let index = self.column_index(leaf).filter(|index| index.num_pages() > page as u64);
            let outside = match index {
                Some(ColumnIndexMetaData::INT32(index)) => refs.is_some_and(|span| {
                    span.exceeds(index.min_value(page).copied(), index.max_value(page).copied())
                }),
                Some(ColumnIndexMetaData::INT64(index)) => ts.is_some_and(|span| {
                    span.exceeds(index.min_value(page).copied(), index.max_value(page).copied())
                }),
                Some(ColumnIndexMetaData::BYTE_ARRAY(index)) => metrics.is_some_and(|span| {
                    let span = Span { least: span.least.as_bytes(), most: span.most.as_bytes() };
                    span.exceeds(index.min_value(page), index.max_value(page))
                }),
                _ => false,
            };
            if outside {
                problems.add(format!(
                    "{}: rows of row group {}, page {page} lie outside the bounds of {name} in the \
                     page index",
                    self.contents.name(),
                    self.group
                ));
            }
        }
        self.page += 1;
        self.refs = joined(self.refs, refs);
        self.ts = joined(self.ts, ts);
        self.no_start += keys.no_start as u64;
        if let Some(span) = metrics {
            let (least, most) =
                self.metrics.get_or_insert_with(|| (span.least.to_owned(), span.most.to_owned()));
            if span.least < least.as_str() {
                *least = span.least.to_owned();
            }
            if span.most > most.as_str() {
                *most = span.most.to_owned();
            }
        }
    }

    fn column_index(&self, leaf: usize) -> Option<&'a ColumnIndexMetaData> {
        self.contents.reader.metadata().column_index()?.get(self.group)?.get(leaf)
    }

    /// After the last page: the row group's own statistics.
    pub(super) fn finish(self, problems: &mut Problems) {
        let group = self.contents.reader.metadata().row_group(self.group);
        let mut wrong = |what: &str| {
            problems.add(format!(
                "{}: rows of row group {} lie outside the statistics of {what}",
                self.contents.name(),
                self.group
            ));
        };
        if let (Some(span), Some(Statistics::Int32(of))) =
            (self.refs, group.column(samples::SERIES_REF).statistics())
            && span.exceeds(of.min_opt().copied(), of.max_opt().copied())
        {
            wrong("series_ref");
        }
        if let (Some(span), Some(Statistics::Int64(of))) =
            (self.ts, group.column(samples::TS).statistics())
            && span.exceeds(of.min_opt().copied(), of.max_opt().copied())
        {
            wrong("ts");
        }
        if let (Some((least, most)), Some(Statistics::ByteArray(of))) =
            (&self.metrics, group.column(samples::METRIC).statistics())
        {
            let span = Span { least: least.as_bytes(), most: most.as_bytes() };
            if span.exceeds(of.min_opt().map(|v| v.data()), of.max_opt().map(|v| v.data())) {
                wrong("metric");
            }
        }
        let starts = self.start_ts.and_then(|leaf| group.column(leaf).statistics());
        let nulls = starts.and_then(Statistics::null_count_opt);
        if nulls.is_some_and(|nulls| nulls != self.no_start) {
            wrong("start_ts, which count its nulls");
        }
    }
}

fn joined<T: PartialOrd + Copy>(a: Option<Span<T>>, b: Option<Span<T>>) -> Option<Span<T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.joined(b)),
        (a, b) => a.or(b),
    }
}
