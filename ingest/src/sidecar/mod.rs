//! What runs beside a Prometheus.
//!
//! | module | holds |
//! |---|---|
//! | [`shipper`] | uploads finished blocks, converted |

pub mod shipper;

pub use shipper::{Shipper, ShipperMetrics, ShipperSettings};
