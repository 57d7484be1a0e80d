//! What runs beside a Prometheus.
//!
//! | module | holds |
//! |---|---|
//! | [`prometheus`] | client of its HTTP API |
//! | [`peer`] | what is known of it: external labels, served times, version |
//! | [`remote_read`] | its samples as a `SeriesSource` |
//! | [`reloader`] | has it read its configuration again |
//! | [`shipper`] | uploads finished blocks, converted |

pub mod peer;
pub mod prometheus;
pub mod reloader;
pub mod remote_read;
pub mod shipper;

pub use peer::Peer;
pub use prometheus::{HttpConfig, Prometheus, PrometheusFlags};
pub use reloader::{Reloader, ReloaderMetrics, ReloaderSettings, Trigger};
pub use remote_read::RemoteRead;
pub use shipper::{Shipper, ShipperMetrics, ShipperSettings};
