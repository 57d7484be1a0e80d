//! The columns of a block's files: names, types, field ids.

/// The file of the series, a row each.
pub const SERIES_FILE: &str = "series.parquet";
/// The file of the float samples, a row each.
pub const SAMPLES_FILE: &str = "samples.parquet";
/// The file of the native histogram samples, a row each.
pub const HISTOGRAMS_FILE: &str = "histograms.parquet";

/// Rows of a page, equal across the columns of `samples.parquet` and `histograms.parquet`, the last
/// page of a row group excepted.
pub const PAGE_ROWS: usize = 16 * 1024;

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
