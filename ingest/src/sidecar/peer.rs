//! What is known of the Prometheus beside the sidecar: kept by the heartbeat, read by everybody else.

use std::sync::{PoisonError, RwLock};

use engine::Result;
use engine::model::{Labels, TimeRange};

use super::prometheus::Prometheus;

/// The state of a Prometheus as it was last seen.
#[derive(Debug, Default)]
pub struct Peer(RwLock<State>);

#[derive(Debug, Default, Clone)]
struct State {
    labels: Labels,
    min_time: i64,
    version: String,
}

impl Peer {
    /// Asks `prometheus` for its external labels and its earliest sample. Earlier than
    /// `earliest_served` nothing is served, whatever it has.
    pub async fn refresh(&self, prometheus: &Prometheus, earliest_served: i64) -> Result<()> {
        let lowest = prometheus.lowest_timestamp().await?;
        let labels = prometheus.external_labels().await?;
        self.set(labels, lowest.max(earliest_served));
        Ok(())
    }

    /// What [`refresh`](Self::refresh) found.
    pub fn set(&self, labels: Labels, min_time: i64) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        (state.labels, state.min_time) = (labels, min_time);
    }

    /// The version that it says it has.
    pub fn set_version(&self, version: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).version = version;
    }

    fn state(&self) -> State {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The external labels; empty before the first refresh.
    pub fn labels(&self) -> Labels {
        self.state().labels
    }

    /// The times that are served.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.state().min_time, i64::MAX)
    }

    /// The version; empty before it is known.
    pub fn version(&self) -> String {
        self.state().version
    }
}
