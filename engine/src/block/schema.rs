//! The columns of a block's files: names, types, field ids. `engine/docs/format.md` says what they
//! mean.
//!
//! Types are those that Spark, DuckDB and Trino all have: no unsigned numbers, no nanoseconds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::columns::LabelColumns;

/// The file of the series, a row each.
pub const SERIES_FILE: &str = "series.parquet";
/// The file of the float samples, a row each.
pub const SAMPLES_FILE: &str = "samples.parquet";
/// The file of the native histogram samples, a row each.
pub const HISTOGRAMS_FILE: &str = "histograms.parquet";
/// How the name of the file with metadata begins and ends; between them is a hash of its content.
pub const METADATA_PREFIX: &str = "metadata-";
/// See [`METADATA_PREFIX`].
pub const METADATA_SUFFIX: &str = ".parquet";

/// Rows of a page of `samples.parquet`, equal across its columns; only the last page of a row group
/// may have fewer.
pub const PAGE_ROWS: usize = 16 * 1024;
/// The same for `histograms.parquet`, whose rows are a hundred times wider.
pub const HISTOGRAM_PAGE_ROWS: usize = 1024;
/// Most rows of a row group of `histograms.parquet`.
pub const HISTOGRAM_GROUP_ROWS: usize = 64 * HISTOGRAM_PAGE_ROWS;
/// Most rows of a row group of `samples.parquet`.
pub const ROW_GROUP_ROWS: usize = 1024 * 1024;
/// A metric with this many rows begins a row group of its own, and a row group with this many rows
/// ends at the next edge of a metric or a time bucket.
pub const CUT_ROWS: usize = 256 * 1024;

/// The columns (leaves) of `samples.parquet` by number.
pub mod samples {
    /// `metric`: string, the metric's name.
    pub const METRIC: usize = 0;
    /// `series_ref`: i32, the row of the series in `series.parquet`.
    pub const SERIES_REF: usize = 1;
    /// `series_id`: i64, the hash of the series' own labels.
    pub const SERIES_ID: usize = 2;
    /// `ts`: timestamp in ms, UTC.
    pub const TS: usize = 3;
    /// `value`: f64, bit-exact.
    pub const VALUE: usize = 4;
    /// `start_ts`: timestamp in ms, UTC; null where the sample has none.
    pub const START_TS: usize = 5;
}

/// The columns (leaves) of `samples.parquet` of a downsampled block by number; the first four are those of
/// [`samples`].
pub mod windows {
    /// `ts`: timestamp in ms, UTC: the end of the window.
    pub const TS: usize = super::samples::TS;
    /// `count`: i64.
    pub const COUNT: usize = 4;
    /// `sum`: f64.
    pub const SUM: usize = 5;
    /// `min`: f64.
    pub const MIN: usize = 6;
    /// `max`: f64.
    pub const MAX: usize = 7;
    /// `counter`: f64.
    pub const COUNTER: usize = 8;
    /// `first`: f64.
    pub const FIRST: usize = 9;
    /// `first_ts`: timestamp in ms, UTC.
    pub const FIRST_TS: usize = 10;
    /// `last`: f64.
    pub const LAST: usize = 11;
}

/// The columns (leaves) of `histograms.parquet` that are read by number.
pub mod histograms {
    /// `ts`: timestamp in ms, UTC.
    pub const TS: usize = 3;
    /// `start_ts`: timestamp in ms, UTC; null where the histogram has none.
    pub const START_TS: usize = 4;
    /// `sum`: f64, or the stale marker's bits.
    pub const SUM: usize = 9;
}

/// Keys of the key-value metadata in the footers.
pub mod keys {
    /// The format's version.
    pub const FORMAT: &str = "stoa.format";
    /// The block's id.
    pub const BLOCK: &str = "stoa.block";
    /// The external labels as a JSON object.
    pub const EXTERNAL_LABELS: &str = "stoa.external_labels";
    /// The label columns of `series.parquet`, a JSON array of `[column, label]`.
    pub const LABEL_COLUMNS: &str = "stoa.label_columns";
    /// How many label names have no column and stand in the map `labels` only.
    pub const MAP_ONLY_LABELS: &str = "stoa.map_only_labels";
    /// The CRC32C of each page in the order of the file, as little-endian u32 in base64.
    pub const PAGE_CRC32C: &str = "stoa.page_crc32c";
}

/// Milliseconds since 1970, UTC.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn field(name: &str, data_type: DataType, nullable: bool, id: i32) -> Field {
    Field::new(name, data_type, nullable)
        .with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_string(), id.to_string())]))
}

/// A list that is never null, of elements that are never null.
fn list(name: &str, element: DataType, nullable: bool, id: i32) -> Field {
    let element = field("element", element, false, id + 1);
    field(name, DataType::List(Arc::new(element)), nullable, id)
}

/// The schema of `samples.parquet`.
pub fn samples_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("metric", DataType::Utf8, false, 1),
        field("series_ref", DataType::Int32, false, 2),
        field("series_id", DataType::Int64, false, 3),
        field("ts", timestamp(), false, 4),
        field("value", DataType::Float64, false, 5),
        field("start_ts", timestamp(), true, 6),
    ]))
}

/// The schema of `samples.parquet` of a downsampled block.
pub fn windows_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("metric", DataType::Utf8, false, 1),
        field("series_ref", DataType::Int32, false, 2),
        field("series_id", DataType::Int64, false, 3),
        field("ts", timestamp(), false, 4),
        field("count", DataType::Int64, false, 7),
        field("sum", DataType::Float64, false, 8),
        field("min", DataType::Float64, false, 9),
        field("max", DataType::Float64, false, 10),
        field("counter", DataType::Float64, false, 11),
        field("first", DataType::Float64, false, 12),
        field("first_ts", timestamp(), false, 13),
        field("last", DataType::Float64, false, 14),
    ]))
}

/// The schema of `histograms.parquet`.
pub fn histograms_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("metric", DataType::Utf8, false, 1),
        field("series_ref", DataType::Int32, false, 2),
        field("series_id", DataType::Int64, false, 3),
        field("ts", timestamp(), false, 4),
        field("start_ts", timestamp(), true, 5),
        field("is_float", DataType::Boolean, false, 6),
        field("reset_hint", DataType::Int32, false, 7),
        field("schema", DataType::Int32, false, 8),
        field("zero_threshold", DataType::Float64, false, 9),
        field("sum", DataType::Float64, false, 10),
        field("count", DataType::Int64, true, 11),
        field("zero_count", DataType::Int64, true, 12),
        field("count_float", DataType::Float64, true, 13),
        field("zero_count_float", DataType::Float64, true, 14),
        list("positive_offsets", DataType::Int32, false, 15),
        list("positive_lengths", DataType::Int32, false, 17),
        list("positive_counts", DataType::Int64, true, 19),
        list("positive_counts_float", DataType::Float64, true, 21),
        list("negative_offsets", DataType::Int32, false, 23),
        list("negative_lengths", DataType::Int32, false, 25),
        list("negative_counts", DataType::Int64, true, 27),
        list("negative_counts_float", DataType::Float64, true, 29),
        list("custom_values", DataType::Float64, false, 31),
    ]))
}

/// The schema of `metadata-….parquet`.
pub fn metadata_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("metric", DataType::Utf8, false, 1),
        field("type", DataType::Utf8, false, 2),
        field("unit", DataType::Utf8, false, 3),
        field("help", DataType::Utf8, false, 4),
    ]))
}

/// The schema of `series.parquet`: fixed columns, external labels (`e_…`), own labels (`l_…`), the
/// complete map of own labels, and the rows of the samples.
pub(super) fn series_schema(labels: &LabelColumns) -> SchemaRef {
    let mut fields = vec![
        field("series_ref", DataType::Int32, false, 1),
        field("series_id", DataType::Int64, false, 2),
        field("metric", DataType::Utf8, false, 3),
        field("type", DataType::Utf8, true, 4),
        field("unit", DataType::Utf8, true, 5),
        field("kind", DataType::Utf8, false, 6),
        field("min_ts", timestamp(), true, 7),
        field("max_ts", timestamp(), true, 8),
        field("n_samples", DataType::Int64, false, 9),
        field("n_stale", DataType::Int64, false, 10),
    ];
    for column in &labels.external {
        fields.push(Field::new(&column.column, DataType::Utf8, false));
    }
    for column in &labels.own {
        fields.push(Field::new(&column.column, DataType::Utf8, true));
    }
    let entry = DataType::Struct(
        vec![field("key", DataType::Utf8, false, 12), field("value", DataType::Utf8, false, 13)]
            .into(),
    );
    let map = DataType::Map(Arc::new(Field::new("key_value", entry, false)), true);
    fields.push(field("labels", map, false, 11));
    fields.extend([
        list("run_bucket", DataType::Int32, false, 14),
        list("row_start", DataType::Int64, false, 16),
        list("run_rows", DataType::Int32, false, 18),
        list("histogram_run_bucket", DataType::Int32, false, 20),
        list("histogram_row_start", DataType::Int64, false, 22),
        list("histogram_run_rows", DataType::Int32, false, 24),
    ]);
    Arc::new(Schema::new(fields))
}
