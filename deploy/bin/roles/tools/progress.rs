//! Progress on a terminal; elsewhere nothing is drawn.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

/// How often the bar follows the count.
const REDRAW: Duration = Duration::from_millis(100);

/// A bar on standard error, and the count that it follows.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    count: Arc<AtomicU64>,
    follower: AbortOnDropHandle<()>,
}

impl Progress {
    /// A bar for `total` samples.
    pub(super) fn samples(total: u64) -> Self {
        Self::new(
            total,
            "{msg} {wide_bar} {percent:>3}% of {human_len} samples, {rate}, {eta} left",
        )
    }

    /// A bar for `total` blocks.
    pub(super) fn blocks(total: u64) -> Self {
        Self::new(total, "{msg} {wide_bar} {human_pos} of {human_len} blocks, {elapsed}")
    }

    fn new(total: u64, template: &str) -> Self {
        // Nothing is drawn where standard error is not a terminal.
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
                // What cannot be written is not seen either.
                let _ = write!(text, "{}/s", HumanCount(state.per_sec() as u64));
            });
        let bar = ProgressBar::new(total).with_style(style);
        let count = Arc::new(AtomicU64::new(0));
        let follower = {
            let (bar, count) = (bar.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(REDRAW);
                loop {
                    ticks.tick().await;
                    bar.set_position(count.load(Ordering::Relaxed));
                }
            })
        };
        Self { bar, count, follower: AbortOnDropHandle::new(follower) }
    }

    /// The count that the bar follows.
    pub(super) fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.count)
    }

    /// Says what is being worked on.
    pub(super) fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Sets the count to what is done for certain.
    pub(super) fn done(&self, count: u64) {
        self.count.store(count, Ordering::Relaxed);
    }

    /// Counts one more.
    pub(super) fn done_one(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Prints above the bar.
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.follower.abort();
        self.bar.finish_and_clear();
    }
}
