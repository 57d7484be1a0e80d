//! The endpoints of a querier: where they are, what they are, and whether they answer.
//!
//! ```text
//! specs     flags, sd-config, sd-files ── DNS ──▶ addresses      every few seconds, last good kept
//! watch     a task an endpoint: Info every 5 s ──▶ facts, health
//! children  those with StoreAPI, as sources of one FanoutSource; samples of Stoa nodes come as run batches
//! ```
//!
//! An endpoint that does not answer Info is not asked for samples. For as long as it is expected back
//! (the unhealthy timeout; strict ones for ever) what may be missing is said: the source of such an
//! endpoint fails at once with the last error, which becomes a warning or, without partial response,
//! the error. After that it is forgotten until it answers again. (Thanos leaves it out without a
//! word from the first failure on.)
//!
//! | module | holds |
//! |---|---|
//! | [`spec`] | what is configured: addresses, strict, groups, TLS; sd-config and sd-files |
//! | [`dns`] | `dns+`, `dnssrv+`, `dnssrvnoa+`, `dnsdualstack+` |
//! | [`channel`], [`connection`] | connections, their TLS and compression |
//! | `link` | the clients over a connection, which may be made anew |
//! | [`endpoint`], `known` | one endpoint: Info, health, status |
//! | `metrics` | how many answer |
//! | [`discovery`] | the loop that keeps the set |

pub mod channel;
pub mod connection;
pub mod discovery;
pub mod dns;
pub mod endpoint;
mod files;
mod known;
mod link;
mod metrics;
pub mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use engine::model::TimeRange;
use engine::source::{Child, Children};

use crate::storeapi::client::ClientSettings;
pub use endpoint::{Api, Endpoint, Status};
pub use metrics::{ConnectionLabel, Connections};

/// How endpoints are watched.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The pause between two Info calls.
    pub info_interval: Duration,
    /// The longest that an Info call may take (`--endpoint.info-timeout`).
    pub info_timeout: Duration,
    /// How long an endpoint that does not answer is expected back (`--store.unhealthy-timeout`).
    pub unhealthy_timeout: Duration,
    /// Whether Stoa nodes are asked for run batches.
    pub runs: bool,
    /// How its answers are received.
    pub client: ClientSettings,
}

/// The endpoints there are now. Clones share them.
#[derive(Debug, Clone)]
pub struct Endpoints {
    current: Arc<RwLock<BTreeMap<String, Arc<Endpoint>>>>,
    /// Sources that are no endpoints, before them in preference.
    first: Arc<dyn Children>,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::new(Arc::new(Vec::new()))
    }
}

impl Endpoints {
    /// No endpoint yet; `first` are sources that are asked before them (the bucket's).
    pub fn new(first: Arc<dyn Children>) -> Self {
        Self { current: Arc::default(), first }
    }

    /// All endpoints that are not forgotten, by address.
    pub fn all(&self) -> Vec<Arc<Endpoint>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.values().filter(|endpoint| !endpoint.is_forgotten()).cloned().collect()
    }

    /// The endpoints that serve `api`, as far as they are known: healthy ones, and those that are
    /// expected back.
    pub fn serving(&self, api: Api) -> Vec<Arc<Endpoint>> {
        let mut endpoints = self.all();
        endpoints.retain(|endpoint| endpoint.serves(api));
        endpoints
    }

    fn replace(&self, endpoints: BTreeMap<String, Arc<Endpoint>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    fn get(&self, address: &str) -> Option<Arc<Endpoint>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(address).cloned()
    }
}

impl Children for Endpoints {
    fn children(&self, range: TimeRange, max_resolution: i64) -> Vec<Child> {
        let child = |endpoint: Arc<Endpoint>| Child {
            name: endpoint.address().to_owned(),
            source: endpoint.source(),
            // Run batches come with replicas made one, if that is asked for; StoreAPI's do not.
            deduplicates: endpoint.is_node(),
            remote: true,
        };
        let endpoints = self.serving(Api::Store).into_iter().map(child);
        self.first.children(range, max_resolution).into_iter().chain(endpoints).collect()
    }

    fn missing(&self) -> Vec<String> {
        self.first.missing()
    }
}
