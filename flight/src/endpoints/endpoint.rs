//! One endpoint: what it says of itself, and whether it answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{Extent, Listing, Resolved, Select, SelectOptions, SeriesSource};
use engine::{Error, ErrorKind, Result};
use proto::thanos::info::info_client::InfoClient;
use proto::thanos::info::{InfoRequest, InfoResponse};
use tokio::sync::{mpsc, watch};
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint as Connector};

use super::WatchSettings;
use super::channel;
use super::spec::ClientSpec;
use crate::storeapi::client::{Facts, StoreApi, failure, label_set};

/// How many changes of a group's addresses may wait to be looked at.
const CHANGES: usize = 2 * super::dns::ADDRESSES_MAX;

/// What an endpoint may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Series and labels.
    Store,
    /// Recording and alerting rules.
    Rules,
    /// Scrape targets.
    Targets,
    /// Types and texts of metrics.
    Metadata,
    /// Exemplars.
    Exemplars,
    /// Statistics of the head.
    Status,
    /// Whole queries.
    Query,
}

/// What an endpoint is, as `/api/v1/stores` shows it.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its address.
    pub name: String,
    /// When it last answered.
    pub last_check: Option<DateTime<Utc>>,
    /// Why it does not answer now.
    pub last_error: Option<String>,
    /// Its external labels.
    pub label_sets: Vec<Labels>,
    /// `sidecar`, `store`, `query`, …; none if it has never answered.
    pub component: Option<String>,
    /// Where it has samples, in ms.
    pub range: TimeRange,
}

/// What is known of an endpoint.
#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    last_ok: Option<(DateTime<Utc>, Instant)>,
    last_error: Option<String>,
}

#[derive(Debug, Clone)]
struct Known {
    component: String,
    label_sets: Vec<Labels>,
    range: TimeRange,
    apis: BTreeSet<Api>,
}

/// The addresses of a group, and who hears of their changes.
#[derive(Debug)]
struct Group {
    addresses: Vec<String>,
    changes: mpsc::Sender<Change<String, Connector>>,
}

/// An endpoint.
#[derive(Debug)]
pub struct Endpoint {
    address: String,
    strict: bool,
    client: ClientSpec,
    channel: Channel,
    group: Option<Mutex<Group>>,
    store: StoreApi,
    settings: WatchSettings,
    created: Instant,
    state: RwLock<State>,
    /// Whether it has been asked once, and has answered or not.
    checked: watch::Sender<bool>,
}

impl Endpoint {
    /// An endpoint that nobody has asked yet. A `group` has no addresses yet either.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for what cannot be an address.
    pub fn new(
        address: &str,
        strict: bool,
        group: bool,
        client: &ClientSpec,
        settings: &WatchSettings,
    ) -> Result<Self> {
        let (channel, group) = if group {
            let (channel, changes) = Channel::balance_channel(CHANGES);
            (channel, Some(Mutex::new(Group { addresses: Vec::new(), changes })))
        } else {
            (channel::endpoint(address, client)?.connect_lazy(), None)
        };
        Ok(Self {
            address: address.to_owned(),
            strict,
            client: client.clone(),
            store: StoreApi::new(address, channel.clone(), settings.client.clone()),
            channel,
            group,
            settings: settings.clone(),
            created: Instant::now(),
            state: RwLock::default(),
            checked: watch::Sender::new(false),
        })
    }

    /// Whether it is configured as `strict`, `group` and `client` say.
    pub(super) fn is(&self, strict: bool, group: bool, client: &ClientSpec) -> bool {
        (self.strict, self.group.is_some(), &self.client) == (strict, group, client)
    }

    /// `host:port`, or the name of a group.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The connection.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Gives a group its addresses.
    pub(super) fn regroup(&self, addresses: &[String]) {
        let Some(group) = &self.group else { return };
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Vec::new();
        for gone in group.addresses.iter().filter(|known| !addresses.contains(known)) {
            changes.push(Change::Remove(gone.clone()));
        }
        for new in addresses.iter().filter(|new| !group.addresses.contains(new)) {
            match channel::endpoint(new, &self.client) {
                Ok(connector) => changes.push(Change::Insert(new.clone(), connector)),
                Err(error) => tracing::warn!(err = %error, "an address of a group"),
            }
        }
        for change in changes {
            if group.changes.try_send(change).is_err() {
                tracing::warn!(group = self.address, "changes of a group come too fast");
            }
        }
        group.addresses = addresses.to_vec();
    }

    /// Asks for Info again and again, until the endpoint is dropped.
    pub(super) fn watch(self: &Arc<Self>) {
        let pause = self.settings.info_interval;
        let weak: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(endpoint) = weak.upgrade() {
                endpoint.check().await;
                drop(endpoint);
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// Waits until it has been asked once.
    pub(super) async fn first_checked(&self) {
        let mut checked = self.checked.subscribe();
        let _ = checked.wait_for(|checked| *checked).await;
    }

    /// Asks for Info.
    async fn check(&self) {
        let timeout = self.settings.info_timeout;
        let mut client = InfoClient::new(self.channel.clone());
        let answer = match tokio::time::timeout(timeout, client.info(InfoRequest {})).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(failure(&self.address, &status, false).message().to_owned()),
            Err(_) => Err(format!("{}: no Info within {timeout:?}", self.address)),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(info) => {
                let known = Known::new(&info);
                if state.known.is_none() || state.last_error.is_some() {
                    let component = &known.component;
                    tracing::info!(address = self.address, component, "endpoint answers");
                }
                self.store.learn(facts(&info));
                state.known = Some(known);
                state.last_ok = Some((Utc::now(), Instant::now()));
                state.last_error = None;
            }
            Err(error) => {
                if state.last_error.is_none() {
                    tracing::warn!(address = self.address, err = error, "endpoint does not answer");
                }
                state.last_error = Some(error);
            }
        }
        drop(state);
        self.checked.send_replace(true);
    }

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has not answered for so long that nobody expects it back.
    pub fn is_forgotten(&self) -> bool {
        let state = self.state();
        let since = state.last_ok.map_or(self.created, |(_, at)| at);
        !self.strict
            && state.last_error.is_some()
            && since.elapsed() >= self.settings.unhealthy_timeout
    }

    /// Whether it serves `api`, as far as is known: one that has never answered may serve samples.
    pub fn serves(&self, api: Api) -> bool {
        match &self.state().known {
            Some(known) => known.apis.contains(&api),
            None => api == Api::Store && (self.strict || *self.checked.borrow()),
        }
    }

    /// Why it is not asked now; none if it is.
    pub fn down(&self) -> Option<Error> {
        let state = self.state();
        let error = state.last_error.as_ref().filter(|_| !self.strict)?;
        Some(Error::new(ErrorKind::Unavailable, error.clone()))
    }

    /// Its external labels; none if they are not known.
    pub fn label_sets(&self) -> Vec<Labels> {
        self.state().known.as_ref().map(|known| known.label_sets.clone()).unwrap_or_default()
    }

    /// Its samples. One that does not answer now is a source that fails at once.
    pub fn source(&self) -> Arc<dyn SeriesSource> {
        match self.down() {
            None => Arc::new(self.store.clone()),
            Some(error) => Arc::new(Down { error, extents: self.store.extents() }),
        }
    }

    /// What it is.
    pub fn status(&self) -> Status {
        let state = self.state();
        let known = state.known.as_ref();
        Status {
            name: self.address.clone(),
            last_check: state.last_ok.map(|(at, _)| at),
            last_error: state.last_error.clone(),
            label_sets: known.map(|known| known.label_sets.clone()).unwrap_or_default(),
            component: known.map(|known| known.component.clone()),
            range: known.map_or(TimeRange::ALL, |known| known.range),
        }
    }
}

/// What Thanos calls components; anything else is one kind.
const COMPONENTS: [&str; 6] = ["query", "rule", "sidecar", "store", "receive", "debug"];

impl Known {
    fn new(info: &InfoResponse) -> Self {
        let component = match info.component_type.as_str() {
            known if COMPONENTS.contains(&known) => known,
            _ => "unknown-store-api",
        };
        let apis = [
            (Api::Store, info.store.is_some()),
            (Api::Rules, info.rules.is_some()),
            (Api::Targets, info.targets.is_some()),
            (Api::Metadata, info.metric_metadata.is_some()),
            (Api::Exemplars, info.exemplars.is_some()),
            (Api::Status, info.status.is_some()),
            (Api::Query, info.query.is_some()),
        ];
        let store = info.store.as_ref();
        Self {
            component: component.to_owned(),
            label_sets: info.label_sets.iter().filter_map(label_set).collect(),
            range: store.map_or(TimeRange::ALL, |s| TimeRange::new(s.min_time, s.max_time)),
            apis: apis.into_iter().filter_map(|(api, served)| served.then_some(api)).collect(),
        }
    }
}

/// Where an endpoint has samples: by TSDB if it says so, else by label set. A set that is no label
/// set excludes nothing.
fn facts(info: &InfoResponse) -> Facts {
    let Some(store) = &info.store else {
        return Facts { extents: Vec::new(), without_replica_labels: false };
    };
    let extent = |labels: Option<Labels>, min, max| Extent {
        labels: labels.unwrap_or_default(),
        range: TimeRange::new(min, max),
    };
    let (min, max) = (store.min_time, store.max_time);
    let mut extents: Vec<Extent> = store
        .tsdb_infos
        .iter()
        .map(|tsdb| extent(tsdb.labels.as_ref().and_then(label_set), tsdb.min_time, tsdb.max_time))
        .collect();
    if extents.is_empty() {
        extents = info.label_sets.iter().map(|set| extent(label_set(set), min, max)).collect();
    }
    if extents.is_empty() {
        extents.push(extent(None, min, max));
    }
    Facts { extents, without_replica_labels: store.supports_without_replica_labels }
}

/// An endpoint that is expected back.
#[derive(Debug)]
struct Down {
    error: Error,
    extents: Vec<Extent>,
}

#[async_trait]
impl SeriesSource for Down {
    fn extents(&self) -> Vec<Extent> {
        self.extents.clone()
    }

    async fn resolve(&self, _: &Select, _: &SelectOptions) -> Result<Resolved> {
        Err(self.error.clone())
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        Err(self.error.clone())
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Err(self.error.clone())
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Err(self.error.clone())
    }
}

/// The default of the pause between two Info calls.
pub const INFO_INTERVAL: Duration = Duration::from_secs(5);
