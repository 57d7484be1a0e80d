//! What runs beside a Prometheus, beside a real one.

mod metadata;
mod place;
mod reading;
mod reloading;
mod shipping;
mod starting;

/// A time in ms that is `ms` ago: Prometheus takes no samples of the future.
fn ago(ms: i64) -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    now.as_millis() as i64 - ms
}
