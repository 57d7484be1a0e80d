//! The arithmetic of PromQL: pure, synchronous functions on slices.
//!
//! Nothing here knows of batches, plans or label text (but [`labels`]). Operators of `exec` hand in
//! one series' samples or one tile's cells and get cells back. A cell is a value and a flag: `out[k]`
//! and `valid[k]` belong to step `k`; where `valid[k]` is false the value is 0.0 and means nothing.
//!
//! | module | what | called |
//! |---|---|---|
//! | [`range`] | functions of a range vector (`rate`, `*_over_time`, …) | once a series |
//! | [`instant`] | the newest sample within the lookback | once a series |
//! | [`math`] | functions of a cell (`abs`, `clamp`, `hour`, …) | once a tile row |
//! | [`aggregate`] | `sum`, `avg`, …: state for one group and tile, updated by rows | once a tile row |
//! | [`binary`] | `+`, `==`, … of two rows, or a row and a scalar | once a tile row |
//! | [`order`] | `topk`, `bottomk`, `quantile`, `count_values` | once a tile row |
//! | [`buckets`] | `histogram_quantile`, `histogram_fraction` of classic buckets | once a cell |
//! | [`histogram`] | native histograms as values | once a cell |
//! | [`labels`] | `label_replace`, `label_join` | once a series, at planning |
//!
//! The order of floating-point operations is that of Prometheus 3.16 (`promql/functions.go`,
//! `promql/engine.go`, `util/kahansum`), so results are equal to the bit, except where a C library's
//! transcendental function differs from Go's in the last place.

pub mod aggregate;
pub mod binary;
pub mod buckets;
pub mod float_text;
pub mod histogram;
pub mod instant;
pub mod labels;
pub mod math;
pub mod order;
pub mod quantile;
pub mod range;

mod civil;
mod consumption;
mod histogram_total;
mod histogram_value;
mod kahan;
mod natural_order;
mod remarks;
mod samples;
mod scalar;
mod start_timestamps;
mod windows;

pub use consumption::Consumption;
pub use histogram_total::HistogramTotal;
pub use histogram_value::HistogramValue;
pub(crate) use range::BEFORE;
pub use range::{RangeFunction, RangeKernel, Reach};
pub use remarks::{Remark, Remarks};
pub use samples::{Samples, Slots};
pub use scalar::Scalar;
pub use windows::Windows;

pub(crate) use natural_order::{precedes, sort_by};

/// What Prometheus refuses while it evaluates, in its words.
pub(crate) fn refused(message: impl Into<String>) -> engine::Error {
    engine::Error::new(engine::ErrorKind::Execution, message)
}
