//! What the writer knows of each series, and `series.parquet`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListArray, MapBuilder, MapFieldNames, StringArray,
    StringBuilder, TimestampMillisecondArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::file::BlockFile;
use crate::block::columns::LabelColumns;
use crate::block::meta::FileMeta;
use crate::block::schema::{SERIES_FILE, keys, series_schema};
use crate::block::{Run, failed, order};
use crate::model::{ABSENT, LabelTable, Labels, METRIC_NAME};
use crate::source::SeriesKind;
use crate::{Error, Result};

/// Series of a row group.
const GROUP_ROWS: usize = 128 * 1024;
/// Series of a page.
const PAGE_ROWS: usize = 8 * 1024;

/// The series of a block, before any sample is seen.
#[derive(Debug)]
pub(in crate::block) struct Catalogue {
    /// Their own labels, in block order.
    pub table: Arc<LabelTable>,
    /// The labels that all of them have besides.
    pub external: Labels,
    /// The first series of each series' metric: the metric's number.
    metric_of: Vec<u32>,
}

impl Catalogue {
    /// Checks that the rows of `table` are in block order and distinct.
    pub(in crate::block) fn new(table: Arc<LabelTable>, external: Labels) -> Result<Self> {
        if i32::try_from(table.len()).is_err() {
            return Err(Error::invalid(format!("{} series in one block", table.len())));
        }
        let mut metric_of = Vec::with_capacity(table.len());
        let mut previous: Option<Labels> = None;
        for row in 0..table.len() {
            let labels = table.labels(row);
            let mut first = row as u32;
            if let Some(previous) = &previous {
                if order::compare(previous, &labels) != std::cmp::Ordering::Less {
                    return Err(Error::invalid(format!(
                        "series {row} {labels} does not follow {previous} in block order"
                    )));
                }
                if previous.metric() == labels.metric() {
                    first = metric_of[row - 1];
                }
            }
            metric_of.push(first);
            previous = Some(labels);
        }
        Ok(Self { table, external, metric_of })
    }

    pub(in crate::block) fn len(&self) -> usize {
        self.metric_of.len()
    }

    /// The number of the metric of a series: ascending in block order.
    pub(in crate::block) fn metric_of(&self, series_ref: u32) -> u32 {
        self.metric_of[series_ref as usize]
    }

    pub(in crate::block) fn metric(&self, series_ref: u32) -> &str {
        self.table.value(series_ref as usize, METRIC_NAME)
    }

    pub(in crate::block) fn series_id(&self, series_ref: u32) -> i64 {
        self.table.series_id(series_ref as usize)
    }
}

/// What a series' samples are so far.
#[derive(Debug, Clone, Copy)]
pub(in crate::block) struct Account {
    /// The first timestamp; `i64::MAX` without samples.
    pub min_ts: i64,
    /// The last timestamp; `i64::MIN` without samples.
    pub max_ts: i64,
    /// Float samples.
    pub floats: u64,
    /// Native histogram samples.
    pub histograms: u64,
    /// How many of both are stale markers.
    pub stale: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self { min_ts: i64::MAX, max_ts: i64::MIN, floats: 0, histograms: 0, stale: 0 }
    }
}

impl Account {
    /// Adds samples at the ascending times `ts`, of which `stale` are stale markers.
    pub(in crate::block) fn see(&mut self, ts: &[i64], stale: usize) {
        if let (Some(&first), Some(&last)) = (ts.first(), ts.last()) {
            self.min_ts = self.min_ts.min(first);
            self.max_ts = self.max_ts.max(last);
        }
        self.stale += stale as u64;
    }

    /// What kind of samples it has.
    pub(in crate::block) fn kind(&self) -> SeriesKind {
        match (self.floats > 0, self.histograms > 0) {
            (_, false) => SeriesKind::Float,
            (false, true) => SeriesKind::Histogram,
            (true, true) => SeriesKind::Mixed,
        }
    }
}

/// The runs of all series, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct RunLog(Vec<(u32, Run)>);

impl RunLog {
    /// Adds `rows` rows of a series from `start_row` on; they go on with the run before if it is of
    /// the same series and time bucket.
    pub(super) fn push(
        &mut self,
        series_ref: u32,
        bucket: u32,
        start_row: u64,
        rows: usize,
    ) -> Result<()> {
        let too_long = || Error::invalid(format!("series {series_ref} has 2^31 rows in a bucket"));
        let rows = i32::try_from(rows).map_err(|_| too_long())? as u32;
        match self.0.last_mut() {
            Some((last, run)) if *last == series_ref && run.bucket == bucket => {
                let longer = run.rows + rows;
                i32::try_from(longer).map_err(|_| too_long())?;
                run.rows = longer;
            }
            _ => self.0.push((series_ref, Run { bucket, start_row, rows })),
        }
        Ok(())
    }

    /// Sorted by series; the order of a series' runs stays.
    fn sort(mut self) -> Vec<(u32, Run)> {
        self.0.sort_by_key(|&(series_ref, _)| series_ref);
        self.0
    }
}

/// Writes `series.parquet`.
pub(super) fn write(
    dir: &Path,
    catalogue: &Catalogue,
    accounts: &[Account],
    runs: RunLog,
    histogram_runs: RunLog,
    mut key_values: Vec<(&str, String)>,
) -> Result<(FileMeta, Vec<String>)> {
    let columns = LabelColumns::choose(&catalogue.table, &catalogue.external);
    let schema = series_schema(&columns);
    let named: Vec<[&str; 2]> = columns
        .external
        .iter()
        .chain(&columns.own)
        .map(|named| [named.column.as_str(), named.label.as_ref()])
        .collect();
    key_values.push((keys::LABEL_COLUMNS, serde_json::to_string(&named).map_err(failed)?));
    key_values.push((keys::MAP_ONLY_LABELS, columns.map_only.to_string()));

    let mut file = BlockFile::create(dir, SERIES_FILE, Arc::clone(&schema), properties()?)?;
    let rows = SeriesRows { catalogue, accounts, columns: &columns, schema: &schema };
    let (runs, histogram_runs) = (runs.sort(), histogram_runs.sort());
    let mut first = 0;
    while first < catalogue.len() {
        let end = catalogue.len().min(first + GROUP_ROWS);
        let mut group = file.arrow_group()?;
        while first < end {
            let last = end.min(first + PAGE_ROWS);
            let page = first as u32..last as u32;
            group.write(&rows.arrays(page, &runs, &histogram_runs)?)?;
            first = last;
        }
        file.finish_arrow_group(group)?;
    }
    let names = columns.own.iter().map(|named| named.label.to_string()).collect();
    Ok((file.finish(key_values)?, names))
}

fn properties() -> Result<parquet::file::properties::WriterPropertiesBuilder> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_data_page_size_limit(64 << 20)
        .set_dictionary_page_size_limit(8 << 20);
    let delta = ["series_ref", "min_ts", "max_ts", "n_samples", "n_stale"].map(ColumnPath::from);
    for column in delta {
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for list in ["row_start", "histogram_row_start"] {
        let column = ColumnPath::new(vec![list.into(), "list".into(), "element".into()]);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    let id = ColumnPath::from("series_id");
    Ok(properties
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_statistics_enabled(id, EnabledStatistics::None))
}

struct SeriesRows<'a> {
    catalogue: &'a Catalogue,
    accounts: &'a [Account],
    columns: &'a LabelColumns,
    schema: &'a SchemaRef,
}

impl SeriesRows<'_> {
    /// The columns of the series `rows`, as the schema has them.
    fn arrays(
        &self,
        rows: std::ops::Range<u32>,
        runs: &[(u32, Run)],
        histogram_runs: &[(u32, Run)],
    ) -> Result<Vec<ArrayRef>> {
        let length = rows.len();
        let accounts = &self.accounts[rows.start as usize..rows.end as usize];
        let times = |time: fn(&Account) -> i64| -> ArrayRef {
            let times = accounts
                .iter()
                .map(|account| (account.floats + account.histograms > 0).then_some(time(account)));
            Arc::new(TimestampMillisecondArray::from_iter(times).with_timezone("UTC"))
        };
        let counts = |count: fn(&Account) -> u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(accounts.iter().map(|a| count(a) as i64)))
        };
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(rows.clone().map(|row| row as i32))),
            Arc::new(Int64Array::from_iter_values(
                rows.clone().map(|row| self.catalogue.series_id(row)),
            )),
            Arc::new(StringArray::from_iter_values(
                rows.clone().map(|row| self.catalogue.metric(row)),
            )),
            new_null_array(&DataType::Utf8, length),
            new_null_array(&DataType::Utf8, length),
            Arc::new(StringArray::from_iter_values(accounts.iter().map(kind))),
            times(|account| account.min_ts),
            times(|account| account.max_ts),
            counts(|account| account.floats + account.histograms),
            counts(|account| account.stale),
        ];
        for named in &self.columns.external {
            let value = self.catalogue.external.get(&named.label);
            arrays
                .push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, length))));
        }
        for named in &self.columns.own {
            arrays.push(self.label(&named.label, rows.clone())?);
        }
        arrays.push(self.map(rows.clone())?);
        for runs in [runs, histogram_runs] {
            let from = runs.partition_point(|&(row, _)| row < rows.start);
            let to = runs.partition_point(|&(row, _)| row < rows.end);
            arrays.extend(self.runs(rows.clone(), &runs[from..to], arrays.len())?);
        }
        Ok(arrays)
    }

    fn label(&self, name: &str, rows: std::ops::Range<u32>) -> Result<ArrayRef> {
        let column = self
            .catalogue
            .table
            .column(name)
            .ok_or_else(|| Error::internal(format!("label {name:?} has no column")))?;
        let codes = &column.codes[rows.start as usize..rows.end as usize];
        let strings = codes
            .iter()
            .map(|&code| (code != ABSENT).then(|| column.values[code as usize].as_ref()));
        Ok(Arc::new(strings.collect::<StringArray>()))
    }

    fn map(&self, rows: std::ops::Range<u32>) -> Result<ArrayRef> {
        let index = self.schema.index_of("labels").map_err(failed)?;
        let DataType::Map(entries, _) = self.schema.field(index).data_type() else {
            return Err(Error::internal("labels is not a map"));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(Error::internal("entries of labels are no struct"));
        };
        let names =
            MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
        let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
            .with_keys_field(Arc::clone(&fields[0]))
            .with_values_field(Arc::clone(&fields[1]));
        let columns = self.catalogue.table.columns();
        for row in rows {
            for column in columns {
                let code = column.codes[row as usize];
                if code != ABSENT {
                    map.keys().append_value(&column.name);
                    map.values().append_value(&column.values[code as usize]);
                }
            }
            map.append(true).map_err(failed)?;
        }
        let map = map.finish();
        let (_, offsets, entries_array, nulls, _) = map.into_parts();
        let map = arrow::array::MapArray::try_new(
            Arc::clone(entries),
            offsets,
            entries_array,
            nulls,
            true,
        );
        Ok(Arc::new(map.map_err(failed)?))
    }

    /// The three list columns of runs, from the schema's field `field` on.
    fn runs(
        &self,
        rows: std::ops::Range<u32>,
        runs: &[(u32, Run)],
        field: usize,
    ) -> Result<Vec<ArrayRef>> {
        let mut lengths = vec![0usize; rows.len()];
        for &(row, _) in runs {
            lengths[(row - rows.start) as usize] += 1;
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let children: [ArrayRef; 3] = [
            Arc::new(Int32Array::from_iter_values(runs.iter().map(|(_, run)| run.bucket as i32))),
            Arc::new(Int64Array::from_iter_values(
                runs.iter().map(|(_, run)| run.start_row as i64),
            )),
            Arc::new(Int32Array::from_iter_values(runs.iter().map(|(_, run)| run.rows as i32))),
        ];
        let list = |(at, child): (usize, ArrayRef)| -> Result<ArrayRef> {
            let DataType::List(element) = self.schema.field(field + at).data_type() else {
                return Err(Error::internal("runs are not a list"));
            };
            let list = ListArray::try_new(Arc::clone(element), offsets.clone(), child, None);
            Ok(Arc::new(list.map_err(failed)?))
        };
        children.into_iter().enumerate().map(list).collect()
    }
}

/// The text of the column `kind`.
fn kind(account: &Account) -> &'static str {
    match account.kind() {
        SeriesKind::Float => "float",
        SeriesKind::Histogram => "histogram",
        SeriesKind::Mixed => "mixed",
    }
}
