//! `series.parquet` in memory.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, DictionaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMillisecondType};
use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::file::{FileReader, guarded};
use crate::block::BlockMeta;
use crate::block::columns::{LabelColumns, NamedColumn};
use crate::block::schema::{HISTOGRAMS_FILE, SAMPLES_FILE, keys};
use crate::model::{ABSENT, LabelColumn, LabelTable, METRIC_NAME};
use crate::source::SeriesKind;
use crate::{Error, Result};

/// Series decoded at once.
const BATCH_ROWS: usize = 64 * 1024;

/// The columns that are read, besides those of labels.
const COLUMNS: [&str; 12] = [
    "series_id",
    "kind",
    "min_ts",
    "max_ts",
    "n_samples",
    "n_stale",
    "run_bucket",
    "row_start",
    "run_rows",
    "histogram_run_bucket",
    "histogram_row_start",
    "histogram_run_rows",
];

/// Consecutive rows of one series inside one time bucket of a sample file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The time bucket, counted from the block's first.
    pub bucket: u32,
    /// The first row in the file.
    pub start_row: u64,
    /// How many rows.
    pub rows: u32,
}

/// The series of a block in memory, in block order: what `series.parquet` holds.
#[derive(Debug, Default)]
pub struct SeriesIndex {
    /// The own labels of each series; external labels are not among them.
    pub table: Arc<LabelTable>,
    /// The hash of the own labels: equal for replicas of a series.
    pub series_id: Vec<i64>,
    /// The first timestamp of each series in ms; `i64::MAX` without samples.
    pub min_ts: Vec<i64>,
    /// The last timestamp of each series in ms; `i64::MIN` without samples.
    pub max_ts: Vec<i64>,
    /// How many samples each series has, histograms included.
    pub n_samples: Vec<u64>,
    /// How many of them are stale markers.
    pub n_stale: Vec<u64>,
    /// What kind of samples each series has.
    pub kind: Vec<SeriesKind>,
    runs: Runs,
    histogram_runs: Runs,
}

/// Runs of all series: those of `row` are `runs[offsets[row]..offsets[row + 1]]`.
#[derive(Debug)]
struct Runs {
    offsets: Vec<usize>,
    runs: Vec<Run>,
}

impl Default for Runs {
    fn default() -> Self {
        Self { offsets: vec![0], runs: Vec::new() }
    }
}

impl Runs {
    fn of(&self, row: usize) -> &[Run] {
        &self.runs[self.offsets[row]..self.offsets[row + 1]]
    }

    fn memory_size(&self) -> usize {
        self.offsets.len() * size_of::<usize>() + self.runs.len() * size_of::<Run>()
    }
}

impl SeriesIndex {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series_id.is_empty()
    }

    /// The runs of series `row` in `samples.parquet`, ascending by time.
    pub fn runs(&self, row: usize) -> &[Run] {
        self.runs.of(row)
    }

    /// The runs of series `row` in `histograms.parquet`, ascending by time.
    pub fn histogram_runs(&self, row: usize) -> &[Run] {
        self.histogram_runs.of(row)
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        let numbers = self.len() * (5 * size_of::<i64>() + size_of::<SeriesKind>());
        self.table.memory_size()
            + numbers
            + self.runs.memory_size()
            + self.histogram_runs.memory_size()
    }

    /// Decodes the whole file `bytes`, whose CRCs were checked, and checks that its parts agree with
    /// each other and with `meta`.
    pub(in crate::block) fn decode(
        file: &FileReader,
        bytes: Bytes,
        meta: &BlockMeta,
    ) -> Result<Self> {
        guarded(file.path(), || {
            let mut decoder = Decoder::new(file, meta)?;
            for batch in decoder.batches(file, bytes)? {
                let batch =
                    batch.map_err(|e| Error::corrupt("series cannot be decoded").with_source(e))?;
                decoder.add(&batch)?;
            }
            decoder.finish(meta)
        })
    }
}

/// Which labels have columns, by the footer; they must be those of `meta`.
pub(in crate::block) fn label_columns(file: &FileReader, meta: &BlockMeta) -> Result<LabelColumns> {
    let footer = |key: &str| {
        file.key_value(key).ok_or_else(|| Error::corrupt(format!("no {key} in the footer")))
    };
    let unreadable = |key: &str| Error::corrupt(format!("{key} in the footer is unreadable"));
    let named: Vec<(String, String)> = serde_json::from_str(footer(keys::LABEL_COLUMNS)?)
        .map_err(|e| unreadable(keys::LABEL_COLUMNS).with_source(e))?;
    let map_only: usize =
        footer(keys::MAP_ONLY_LABELS)?.parse().map_err(|_| unreadable(keys::MAP_ONLY_LABELS))?;
    let column = |(column, label): &(String, String)| NamedColumn {
        column: column.clone(),
        label: Arc::from(label.as_str()),
    };
    let (external, own): (Vec<_>, Vec<_>) =
        named.iter().partition(|(column, _)| column.starts_with("e_"));
    let labels = LabelColumns {
        external: external.into_iter().map(column).collect(),
        own: own.into_iter().map(column).collect(),
        map_only,
    };
    if !labels.own.iter().map(|c| c.label.as_ref()).eq(&meta.stoa.label_columns) {
        return Err(Error::corrupt("the label columns are not those of meta.json"));
    }
    Ok(labels)
}

struct Decoder {
    columns: Vec<Interned>,
    map_only: bool,
    index: SeriesIndex,
}

/// A label column being built over all batches.
struct Interned {
    column: String,
    label: Arc<str>,
    values: Vec<Arc<str>>,
    known: HashMap<Arc<str>, u32>,
    codes: Vec<u32>,
}

impl Interned {
    fn new(column: &str, label: &str) -> Self {
        Self {
            column: column.to_string(),
            label: Arc::from(label),
            values: Vec::new(),
            known: HashMap::new(),
            codes: Vec::new(),
        }
    }

    fn code(&mut self, value: &str) -> u32 {
        if value.is_empty() {
            return ABSENT;
        }
        let next = self.values.len() as u32;
        let code = *self.known.entry_ref(value).or_insert(next);
        if code == next {
            self.values.push(Arc::from(value));
        }
        code
    }
}

impl Decoder {
    fn new(file: &FileReader, meta: &BlockMeta) -> Result<Self> {
        let labels = label_columns(file, meta)?;
        let mut columns = vec![Interned::new("metric", METRIC_NAME)];
        columns.extend(labels.own.iter().map(|named| Interned::new(&named.column, &named.label)));
        Ok(Self { columns, map_only: labels.map_only > 0, index: SeriesIndex::default() })
    }

    fn batches(
        &self,
        file: &FileReader,
        bytes: Bytes,
    ) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader> {
        let metadata = file.arrow_metadata()?;
        let schema = metadata.schema();
        let labels: HashSet<&str> =
            self.columns.iter().map(|label| label.column.as_str()).collect();
        let wanted = |name: &str| {
            let map = name == "labels" && self.map_only;
            map || COLUMNS.contains(&name) || labels.contains(name)
        };
        let roots = (0..schema.fields().len()).filter(|&at| wanted(schema.field(at).name()));
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| Error::corrupt("series cannot be decoded").with_source(e))
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let index = &mut self.index;
        let before = index.len();
        index.series_id.extend(column::<Int64Type>(batch, "series_id")?.values());
        let times = |name: &str, absent: i64| -> Result<Vec<i64>> {
            let times = column::<TimestampMillisecondType>(batch, name)?;
            Ok(times.iter().map(|time| time.unwrap_or(absent)).collect())
        };
        index.min_ts.extend(times("min_ts", i64::MAX)?);
        index.max_ts.extend(times("max_ts", i64::MIN)?);
        let counts = |name: &str| -> Result<Vec<u64>> {
            let counts = column::<Int64Type>(batch, name)?.values().iter();
            counts
                .map(|&count| u64::try_from(count))
                .collect::<Result<_, _>>()
                .map_err(|_| Error::corrupt(format!("column {name} is negative")))
        };
        index.n_samples.extend(counts("n_samples")?);
        index.n_stale.extend(counts("n_stale")?);
        for label in &mut self.columns {
            add_label(label, batch)?;
        }
        let kinds = dictionary(batch, "kind")?;
        for kind in kinds.downcast_dict::<StringArray>().into_iter().flatten() {
            index.kind.push(match kind {
                Some("float") => SeriesKind::Float,
                Some("histogram") => SeriesKind::Histogram,
                Some("mixed") => SeriesKind::Mixed,
                other => return Err(Error::corrupt(format!("kind {other:?}"))),
            });
        }
        add_runs(&mut index.runs, batch, ["run_bucket", "row_start", "run_rows"])?;
        add_runs(
            &mut index.histogram_runs,
            batch,
            ["histogram_run_bucket", "histogram_row_start", "histogram_run_rows"],
        )?;
        if self.map_only {
            self.add_map(batch, before)?;
        }
        Ok(())
    }

    /// Takes those labels from the map that have no column; the batch's first series is `first`.
    fn add_map(&mut self, batch: &RecordBatch, first: usize) -> Result<()> {
        let wrong = || Error::corrupt("column labels is not a map of strings");
        let map = batch.column_by_name("labels").and_then(|c| c.as_map_opt()).ok_or_else(wrong)?;
        let names = map.keys().as_string_opt::<i32>().ok_or_else(wrong)?;
        let values = map.values().as_string_opt::<i32>().ok_or_else(wrong)?;
        let mut at: HashMap<Arc<str>, usize> = HashMap::new();
        for (position, column) in self.columns.iter().enumerate() {
            at.insert(Arc::clone(&column.label), position);
        }
        let fixed =
            at.values().filter(|&&position| !self.columns[position].column.is_empty()).count();
        for row in 0..map.len() {
            let offsets = map.value_offsets();
            for entry in offsets[row] as usize..offsets[row + 1] as usize {
                let name = names.value(entry);
                let position = match at.get(name) {
                    Some(&position) => position,
                    None => {
                        self.columns.push(Interned::new("", name));
                        at.insert(Arc::from(name), self.columns.len() - 1);
                        self.columns.len() - 1
                    }
                };
                if position >= fixed {
                    let column = &mut self.columns[position];
                    column.codes.resize(first + row, ABSENT);
                    let code = column.code(values.value(entry));
                    column.codes.push(code);
                }
            }
        }
        for column in &mut self.columns[fixed..] {
            column.codes.resize(first + map.len(), ABSENT);
        }
        Ok(())
    }

    fn finish(self, meta: &BlockMeta) -> Result<SeriesIndex> {
        let mut index = self.index;
        let rows = index.len();
        if rows as u64 != meta.stats.num_series {
            return Err(Error::corrupt(format!(
                "{rows} series, {} in meta.json",
                meta.stats.num_series
            )));
        }
        let columns = self
            .columns
            .into_iter()
            .filter(|column| !column.values.is_empty())
            .map(|c| LabelColumn { name: c.label, values: c.values, codes: c.codes })
            .collect();
        index.table = Arc::new(LabelTable::new(rows, columns));
        for row in 0..rows {
            if index.table.series_id(row) != index.series_id[row] {
                return Err(Error::corrupt(format!(
                    "series {row}: the labels are not those that series_id was made of"
                )));
            }
        }
        check_runs(&index, meta)?;
        Ok(index)
    }
}

/// Whether every run lies in its file, runs follow each other in time, and they hold as many rows as
/// the series has samples.
fn check_runs(index: &SeriesIndex, meta: &BlockMeta) -> Result<()> {
    let rows_of = |name: &str| meta.file(name).map_or(0, |file| file.rows);
    let limits = [rows_of(SAMPLES_FILE), rows_of(HISTOGRAMS_FILE)];
    for row in 0..index.len() {
        let mut samples = 0;
        for (runs, limit) in [index.runs(row), index.histogram_runs(row)].into_iter().zip(limits) {
            for run in runs {
                samples += u64::from(run.rows);
                if run.start_row.checked_add(run.rows.into()).is_none_or(|end| end > limit) {
                    return Err(Error::corrupt(format!(
                        "series {row}: {run:?} ends after row {limit}"
                    )));
                }
            }
            let ascending = |pair: &[Run]| {
                pair[0].bucket < pair[1].bucket
                    && pair[0].start_row + u64::from(pair[0].rows) <= pair[1].start_row
            };
            if runs.iter().any(|run| run.rows == 0) || !runs.windows(2).all(ascending) {
                return Err(Error::corrupt(format!("series {row}: its runs are out of order")));
            }
        }
        if samples != index.n_samples[row] {
            return Err(Error::corrupt(format!(
                "series {row}: runs of {samples} rows, {} samples",
                index.n_samples[row]
            )));
        }
    }
    Ok(())
}

fn column<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<T>())
        .ok_or_else(|| Error::corrupt(format!("column {name} lacks or has another type")))
}

fn dictionary<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a DictionaryArray<Int32Type>> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_dictionary_opt::<Int32Type>())
        .ok_or_else(|| Error::corrupt(format!("column {name} lacks or is no string")))
}

/// Appends the batch's codes of one label; work on text is done once a distinct value.
fn add_label(label: &mut Interned, batch: &RecordBatch) -> Result<()> {
    let array = dictionary(batch, &label.column)?;
    let values = array
        .values()
        .as_string_opt::<i32>()
        .ok_or_else(|| Error::corrupt(format!("column {} is no string", label.column)))?;
    let mut codes: Vec<Option<u32>> = vec![None; values.len()];
    for key in array.keys() {
        let code = match key {
            None => ABSENT,
            Some(key) => {
                let key = key as usize;
                match codes[key] {
                    Some(code) => code,
                    None => *codes[key].insert(label.code(values.value(key))),
                }
            }
        };
        label.codes.push(code);
    }
    Ok(())
}

fn add_runs(runs: &mut Runs, batch: &RecordBatch, names: [&str; 3]) -> Result<()> {
    let wrong = || Error::corrupt(format!("columns {names:?} are not lists of the same lengths"));
    let list = |name: &str| -> Result<&ListArray> {
        batch.column_by_name(name).and_then(|column| column.as_list_opt()).ok_or_else(wrong)
    };
    let [buckets, starts, rows] = [list(names[0])?, list(names[1])?, list(names[2])?];
    let lengths = |list: &ListArray| list.offsets().lengths().collect::<Vec<_>>();
    let own = lengths(buckets);
    if own != lengths(starts) || own != lengths(rows) {
        return Err(wrong());
    }
    let mut end = runs.runs.len();
    runs.offsets.extend(own.iter().map(|length| {
        end += length;
        end
    }));
    let ints = |list: &ListArray| -> Result<Vec<u32>> {
        let (from, to) = span(list);
        let values = list.values().as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
        let values = values.values()[from..to].iter().map(|&value| u32::try_from(value));
        values.collect::<Result<_, _>>().map_err(|_| wrong())
    };
    let (from, to) = span(starts);
    let starts = starts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
    let starts = starts.values()[from..to].iter().map(|&start| u64::try_from(start));
    for ((bucket, rows), start) in ints(buckets)?.into_iter().zip(ints(rows)?).zip(starts) {
        let start_row = start.map_err(|_| wrong())?;
        runs.runs.push(Run { bucket, start_row, rows });
    }
    Ok(())
}

/// The range of a list array's values that its rows use.
fn span(list: &ListArray) -> (usize, usize) {
    let offsets = list.value_offsets();
    let at = |offset: Option<&i32>| offset.map_or(0, |&offset| offset as usize);
    (at(offsets.first()), at(offsets.last()))
}
