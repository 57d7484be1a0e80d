//! The loop that keeps the set of endpoints: reads what is configured, looks names up, begins and
//! ends the watching.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::Result;
use futures::stream::{self, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dns::{self, Dns};
use super::spec::{self, ClientSpec, Spec};
use super::{Endpoint, Endpoints, WatchSettings, channel, files};

/// How many names are looked up at once.
const LOOKUPS: usize = 16;
/// The longest that a lookup may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where endpoints are said.
#[derive(Debug, Clone)]
pub struct Sources {
    /// By flags.
    pub flags: Vec<Spec>,
    /// The text of an sd-config, if it is given by itself.
    pub config: Option<String>,
    /// The path of an sd-config, read again and again.
    pub config_file: Option<PathBuf>,
    /// How often.
    pub config_interval: Duration,
    /// Paths and patterns of file_sd files.
    pub files: Vec<PathBuf>,
    /// How often they are read.
    pub files_interval: Duration,
    /// How often names are looked up.
    pub dns_interval: Duration,
    /// How endpoints are reached that say nothing of it.
    pub client: ClientSpec,
}

impl Sources {
    /// Whether no endpoint is said anywhere.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
            && self.config.is_none()
            && self.config_file.is_none()
            && self.files.is_empty()
    }

    /// The specs of the sd-config as it is now.
    fn configured(&self) -> Result<Vec<Spec>> {
        let text = match (&self.config, &self.config_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
                engine::Error::invalid(format!("read {}", path.display())).with_source(error)
            })?,
            (None, None) => return Ok(Vec::new()),
        };
        spec::parse(&text, &self.client)
    }
}

/// Something that is done again and again.
#[derive(Debug)]
struct Due {
    next: Instant,
    interval: Duration,
}

impl Due {
    fn now(interval: Duration) -> Self {
        Self { next: Instant::now(), interval: interval.max(Duration::from_millis(10)) }
    }

    /// Whether it is to be done now; then the next time is an interval later.
    fn is_now(&mut self) -> bool {
        let now = Instant::now();
        let due = self.next <= now;
        if due {
            self.next = now + self.interval;
        }
        due
    }
}

/// Keeps a set of endpoints.
#[derive(Debug)]
pub struct Discovery {
    endpoints: Endpoints,
    sources: Sources,
    watch: WatchSettings,
    dns: Dns,
    /// What the sd-config said when it last was right.
    configured: Vec<Spec>,
    /// What each file said when it last was right.
    filed: BTreeMap<PathBuf, Vec<String>>,
    /// The addresses behind each name, when that last was known.
    resolved: BTreeMap<String, Vec<String>>,
}

/// An endpoint as it should be.
struct Wanted {
    strict: bool,
    /// The addresses of a group.
    group: Option<Vec<String>>,
    client: ClientSpec,
}

impl Discovery {
    /// Reads what is configured for the first time.
    ///
    /// # Errors
    /// [`Invalid`](engine::ErrorKind::Invalid) for a configuration that is wrong: it is only forgiven
    /// later, when an older one is there.
    pub fn new(
        endpoints: Endpoints,
        sources: Sources,
        watch: WatchSettings,
        dns: Dns,
    ) -> Result<Self> {
        let configured = sources.configured().map_err(|e| e.context("--endpoint.sd-config"))?;
        for spec in sources.flags.iter().chain(&configured) {
            if dns::split(&spec.address).is_none() {
                channel::endpoint(&spec.address, &spec.client)?;
            }
        }
        let (filed, resolved) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { endpoints, sources, watch, dns, configured, filed, resolved })
    }

    /// Keeps the set until `end`. `ready` is called when each endpoint has been asked once.
    pub async fn run(mut self, end: CancellationToken, ready: impl FnOnce()) {
        let mut config = Due::now(self.sources.config_interval);
        let mut files = Due::now(self.sources.files_interval);
        let mut names = Due::now(self.sources.dns_interval);
        let mut ready = Some(ready);
        loop {
            if config.is_now() {
                self.read_config();
            }
            if files.is_now() {
                self.read_files();
            }
            let all = names.is_now();
            let work = async {
                self.look_up(all).await;
                self.apply();
                if let Some(ready) = ready.take() {
                    for endpoint in self.endpoints.all() {
                        endpoint.first_checked().await;
                    }
                    ready();
                }
            };
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = work => {}
            }
            let next = config.next.min(files.next).min(names.next);
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    fn read_config(&mut self) {
        match self.sources.configured() {
            Ok(specs) => self.configured = specs,
            Err(error) => tracing::error!(err = %error, "--endpoint.sd-config: kept as it was"),
        }
    }

    fn read_files(&mut self) {
        let (read, failed) = files::targets(&self.sources.files);
        for error in failed {
            tracing::error!(err = %error, "--store.sd-files");
        }
        let mut filed = BTreeMap::new();
        for (path, targets) in read {
            match targets {
                Ok(targets) => {
                    filed.insert(path, targets);
                }
                Err(error) => {
                    tracing::error!(err = %error, "--store.sd-files: kept as it was");
                    if let Some(known) = self.filed.remove(&path) {
                        filed.insert(path, known);
                    }
                }
            }
        }
        self.filed = filed;
    }

    /// All specs, whoever says them.
    fn specs(&self) -> Vec<Spec> {
        let filed = self.filed.values().flatten().filter_map(|address| {
            match Spec::new(address, false, false, self.sources.client.clone()) {
                Ok(spec) => Some(spec),
                Err(error) => {
                    tracing::warn!(err = %error, "--store.sd-files");
                    None
                }
            }
        });
        self.sources.flags.iter().chain(&self.configured).cloned().chain(filed).collect()
    }

    /// Looks names up: all of them, or only those that are new. What is not known now stays.
    async fn look_up(&mut self, all: bool) {
        let names: BTreeSet<String> = self
            .specs()
            .into_iter()
            .map(|spec| spec.address)
            .filter(|address| dns::split(address).is_some())
            .collect();
        self.resolved.retain(|name, _| names.contains(name));
        let due = names.into_iter().filter(|name| all || !self.resolved.contains_key(name));
        let dns = &self.dns;
        let answers: Vec<_> = stream::iter(due)
            .map(|address| async move {
                let Some((lookup, name)) = dns::split(&address) else {
                    return (address, Ok(Vec::new()));
                };
                let asked = tokio::time::timeout(LOOKUP_TIMEOUT, dns.resolve(lookup, name)).await;
                let found = asked.unwrap_or_else(|_| {
                    Err(engine::Error::new(
                        engine::ErrorKind::Unavailable,
                        format!("{name}: no answer of DNS within {LOOKUP_TIMEOUT:?}"),
                    ))
                });
                (address, found)
            })
            .buffer_unordered(LOOKUPS)
            .collect()
            .await;
        for (name, found) in answers {
            match found {
                Ok(addresses) => {
                    if addresses.is_empty() {
                        tracing::warn!(name, "nothing stands behind a name");
                    }
                    self.resolved.insert(name, addresses);
                }
                Err(error) => {
                    tracing::error!(name, err = %error, "look up a name: its addresses stay");
                }
            }
        }
    }

    /// Makes the set what it should be.
    fn apply(&self) {
        let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
        for spec in self.specs() {
            let Spec { address, strict, group, client } = spec;
            let behind = match dns::split(&address) {
                Some(_) => self.resolved.get(&address).cloned().unwrap_or_default(),
                None => vec![address.clone()],
            };
            if group {
                wanted.insert(address, Wanted { strict, group: Some(behind), client });
                continue;
            }
            for address in behind {
                let one = Wanted { strict, group: None, client: client.clone() };
                // Said twice, once strictly, it is strict.
                let known = wanted.entry(address).or_insert(one);
                known.strict |= strict;
            }
        }
        let mut next = BTreeMap::new();
        for (address, Wanted { strict, group, client }) in wanted {
            let known = self.endpoints.get(&address);
            let endpoint = match known.filter(|e| e.is(strict, group.is_some(), &client)) {
                Some(known) => known,
                None => {
                    match Endpoint::new(&address, strict, group.is_some(), &client, &self.watch) {
                        Ok(new) => {
                            let new = Arc::new(new);
                            new.watch();
                            new
                        }
                        Err(error) => {
                            tracing::warn!(err = %error, "an endpoint that cannot be reached");
                            continue;
                        }
                    }
                }
            };
            endpoint.regroup(&group.unwrap_or_default());
            next.insert(address, endpoint);
        }
        self.endpoints.replace(next);
    }
}
