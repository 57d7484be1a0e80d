//! The processes, where they lie and listen, and what they are asked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use engine::model::Labels;
use serde_json::Value;
use tempfile::TempDir;

use super::blocks::blocks_of;
use super::target::Target;
use crate::support::{Server, free_address, http, prometheus, scratch, stoa};

/// The least number of kills that prove something.
pub(super) const KILLED: usize = 50;

/// What a change may take on a loaded machine.
pub(super) const WITHIN: Duration = Duration::from_secs(60);

/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// Blocks are so long instead of two hours; a head is cut when it has one and a half.
const BLOCK: &str = "5s";

/// What the sidecars serve begins so long before the end of what is in the bucket, in ms.
const OVERLAP: i64 = 1_000;

pub(super) const NAMES: [&str; 2] = ["a", "b"];

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Prometheus(usize),
    Sidecar(usize),
    Store,
    Query,
}

impl Role {
    pub(super) const ALL: [Self; 6] = [
        Self::Prometheus(0),
        Self::Prometheus(1),
        Self::Sidecar(0),
        Self::Sidecar(1),
        Self::Store,
        Self::Query,
    ];

    pub(super) fn at(self) -> usize {
        match self {
            Self::Prometheus(replica) => replica,
            Self::Sidecar(replica) => 2 + replica,
            Self::Store => 4,
            Self::Query => 5,
        }
    }
}

/// All processes and their folders.
#[derive(Debug)]
pub(super) struct Place {
    // Processes end before their folders do.
    processes: Vec<Option<Server>>,
    http: [SocketAddr; 6],
    pub(super) grpc: [SocketAddr; 6],
    /// What each sidecar serves begins here, in ms.
    seams: [i64; 2],
    killed: usize,
    /// How the querier makes replicas one.
    dedup: &'static str,
    folder: TempDir,
    target: Target,
    pub(super) began: i64,
    client: reqwest::Client,
}

/// Now, in ms.
pub(super) fn now() -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    now.as_millis() as i64
}

impl Place {
    /// Starts everything, and waits until the querier knows all, and the bucket has blocks of both.
    pub(super) async fn start() -> Self {
        let mut place = Self {
            processes: (0..6).map(|_| None).collect(),
            http: std::array::from_fn(|_| free_address()),
            grpc: std::array::from_fn(|_| free_address()),
            seams: [0; 2],
            killed: 0,
            dedup: "coverage",
            folder: scratch(),
            target: Target::start(),
            began: now(),
            client: reqwest::Client::new(),
        };
        std::fs::create_dir(place.bucket()).expect("a folder");
        for replica in 0..2 {
            let config = format!(
                "global: {{scrape_interval: 250ms, external_labels: {{cluster: live, replica: {}}}}}\n\
                 scrape_configs: [{{job_name: live, static_configs: [{{targets: ['{}']}}]}}]\n",
                NAMES[replica], place.target.address
            );
            std::fs::create_dir_all(place.data(replica)).expect("a folder");
            std::fs::write(place.own(replica).join("prometheus.yml"), config).expect("a file");
            place.spawn(Role::Prometheus(replica));
        }
        // A sidecar ships when it starts: by then there is something.
        for replica in 0..2 {
            let data = place.data(replica);
            place.until("two blocks", async |_| blocks_of(&data).len() >= 2).await;
            place.spawn(Role::Sidecar(replica));
        }
        place.spawn(Role::Store);
        place.until("the blocks in the store", async |p| p.loaded_until().await.is_some()).await;
        // From now on they serve what the bucket does not have, and a little more.
        for replica in 0..2 {
            place.restart(Role::Sidecar(replica)).await;
        }
        place.spawn(Role::Query);
        place.all_ready().await;
        place
    }

    fn bucket(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    fn own(&self, replica: usize) -> PathBuf {
        self.folder.path().join(NAMES[replica])
    }

    pub(super) fn data(&self, replica: usize) -> PathBuf {
        self.own(replica).join("data")
    }

    pub(super) fn objstore(&self) -> String {
        format!("{{type: FILESYSTEM, config: {{directory: {}}}}}", self.bucket().display())
    }

    fn command(&self, role: Role) -> Command {
        let http = self.http[role.at()];
        if let Role::Prometheus(replica) = role {
            let (min, max) = (
                format!("--storage.tsdb.min-block-duration={BLOCK}"),
                format!("--storage.tsdb.max-block-duration={BLOCK}"),
            );
            let mut flags = vec![min.as_str(), &max];
            if replica == 1 {
                flags.push("--enable-feature=xor2-encoding");
            }
            return prometheus::command(http, &self.own(replica), "prometheus.yml", &flags);
        }
        let mut command = Command::new(stoa());
        match role {
            Role::Sidecar(replica) => {
                let peer = self.http[Role::Prometheus(replica).at()];
                let seam = chrono::DateTime::from_timestamp_millis(self.seams[replica]);
                command
                    .args(["sidecar", "--prometheus.get_config_interval=200ms"])
                    .arg(format!("--prometheus.url=http://{peer}"))
                    .arg(format!("--tsdb.path={}", self.data(replica).display()))
                    .arg(format!("--min-time={}", seam.expect("a time").to_rfc3339()))
                    .arg(format!("--objstore.config={}", self.objstore()));
            }
            Role::Store => {
                command
                    .args(["store", "--sync-block-duration=500ms"])
                    .arg(format!("--objstore.config={}", self.objstore()));
            }
            Role::Query => {
                command.args(["query", "--query.replica-label=replica"]);
                command.arg(format!("--deduplication.func={}", self.dedup));
                for role in [Role::Sidecar(0), Role::Sidecar(1), Role::Store] {
                    command.arg(format!("--endpoint={}", self.grpc[role.at()]));
                }
            }
            Role::Prometheus(_) => {}
        }
        command.arg(format!("--http-address={http}"));
        command.arg(format!("--grpc-address={}", self.grpc[role.at()]));
        command
    }

    fn spawn(&mut self, role: Role) {
        let server = Server::spawn(&mut self.command(role), self.http[role.at()]);
        self.processes[role.at()] = Some(server);
    }

    /// Kills a process where it stands, and starts it again.
    pub(super) async fn kill_and_restart(&mut self, role: Role) {
        self.restart(role).await;
        self.killed += 1;
    }

    pub(super) async fn restart(&mut self, role: Role) {
        // SIGKILL.
        self.processes[role.at()] = None;
        if let Role::Sidecar(replica) = role
            && let Some(until) = self.loaded_until().await
        {
            self.seams[replica] = until[replica] - OVERLAP;
        }
        self.spawn(role);
    }

    /// A querier that makes replicas one in another manner.
    pub(super) async fn merge_by(&mut self, dedup: &'static str) {
        self.dedup = dedup;
        self.restart(Role::Query).await;
        self.all_ready().await;
    }

    /// How often a process was killed.
    pub(super) fn killed(&self) -> usize {
        self.killed
    }

    /// Lets all of them live for a while; none may end by itself.
    pub(super) async fn live_for(&mut self, time: Duration) {
        let ended = async {
            loop {
                let mut all = self.processes.iter_mut().flatten();
                let ended = all.find_map(|server| (!server.runs()).then(|| server.output()));
                if let Some(output) = ended {
                    break output;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        if let Ok(output) = tokio::time::timeout(time, ended).await {
            panic!("a process ended by itself:\n{output}");
        }
    }

    /// Waits until `done`.
    pub(super) async fn until(&self, what: &str, done: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + WITHIN;
        while !done(self).await {
            if Instant::now() > deadline {
                let outputs = self.processes.iter().flatten().map(Server::output);
                panic!("{what}:\n{}", outputs.collect::<Vec<_>>().join("\n"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a process says that it is ready.
    async fn ready(&self, role: Role) -> bool {
        let url = format!("http://{}/-/ready", self.http[role.at()]);
        matches!(http::try_get(&url).await, Ok(answer) if answer.status == 200)
    }

    /// Waits until all are ready and the querier has heard of all of them.
    pub(super) async fn all_ready(&self) {
        for role in Role::ALL {
            self.until(&format!("{role:?}"), async |place| place.ready(role).await).await;
        }
        self.until("the endpoints", async |place| place.knows_all().await).await;
    }

    /// Whether the querier knows all endpoints and each has answered it when it was asked last.
    pub(super) async fn knows_all(&self) -> bool {
        let Some(stores) = self.api(Role::Query, "/api/v1/stores", &[]).await else { return false };
        let stores = stores["data"].as_object().into_iter().flatten();
        let healthy = stores
            .flat_map(|(_, stores)| stores.as_array().into_iter().flatten())
            .filter(|store| store["lastError"].is_null());
        healthy.count() == 3
    }

    /// JSON of a process, if it answers.
    pub(super) async fn api(
        &self,
        role: Role,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Option<Value> {
        let url = format!("http://{}{path}", self.http[role.at()]);
        let answer = self.client.get(url).query(parameters).send().await.ok()?;
        answer.json().await.ok()
    }

    pub(super) fn external(&self, replica: usize) -> Labels {
        Labels::new([("cluster", "live"), ("replica", NAMES[replica])]).expect("labels")
    }
}
