//! One endpoint: what it says of itself, and whether it answers.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use engine::model::{Labels, TimeRange};
use engine::source::SeriesSource;
use engine::{Error, ErrorKind, Result};
use proto::thanos::info::InfoRequest;
use proto::thanos::info::info_client::InfoClient;
use tokio::sync::watch;

use super::WatchSettings;
use super::connection::Connection;
use super::known::{Down, Known, facts};
use super::link::Link;
use super::spec::ClientSpec;
use crate::storeapi::client::failure;

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

/// An endpoint.
#[derive(Debug)]
pub struct Endpoint {
    address: String,
    strict: bool,
    group: bool,
    client: ClientSpec,
    link: RwLock<Arc<Link>>,
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
        let link = Link::new(address, group, client, &settings.client)?;
        Ok(Self {
            address: address.to_owned(),
            strict,
            group,
            client: client.clone(),
            link: RwLock::new(Arc::new(link)),
            settings: settings.clone(),
            created: Instant::now(),
            state: RwLock::default(),
            checked: watch::Sender::new(false),
        })
    }

    /// Whether it is configured as `strict`, `group` and `client` say.
    pub(super) fn is(&self, strict: bool, group: bool, client: &ClientSpec) -> bool {
        (self.strict, self.group, &self.client) == (strict, group, client)
    }

    /// `host:port`, or the name of a group.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection.
    pub fn connection(&self) -> Connection {
        self.link().connection.clone()
    }

    /// Gives a group its addresses.
    pub(super) fn regroup(&self, addresses: &[String]) {
        self.link().regroup(addresses, &self.client);
    }

    /// Connects anew if TLS files changed. If they are wrong now, the connection stays as it is, and
    /// they are tried again with the next check.
    fn renew(&self) {
        let link = self.link();
        if link.is_current(&self.client) {
            return;
        }
        match link.renewed(&self.address, &self.client, &self.settings.client) {
            Ok(new) => {
                tracing::info!(address = self.address, "TLS files changed: connecting anew");
                *self.link.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
            }
            Err(error) => tracing::error!(err = %error, "TLS files changed; the connection stays"),
        }
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
        self.renew();
        let timeout = self.settings.info_timeout;
        let mut client = InfoClient::new(self.connection());
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
                self.link().store.learn(facts(&info));
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
        let link = self.link();
        match self.down() {
            None if self.is_node() => Arc::new(link.node.clone()),
            None => Arc::new(link.store.clone()),
            Some(error) => Arc::new(Down { error, extents: link.store.extents() }),
        }
    }

    /// Whether its samples come as run batches, not over StoreAPI.
    pub fn is_node(&self) -> bool {
        self.settings.runs && self.state().known.as_ref().is_some_and(|known| known.runs)
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

/// The default of the pause between two Info calls.
pub const INFO_INTERVAL: Duration = Duration::from_secs(5);
