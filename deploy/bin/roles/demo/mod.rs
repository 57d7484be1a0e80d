//! `stoa demo`: shippers and a querier in one process, for the first five minutes.
//!
//! ```text
//! Prometheus a ─ blocks ─▶ shipper ─┐
//!                                   ├─▶ bucket ─▶ querier ─▶ http://…  ◀─ questions of `ask`
//! Prometheus b ─ blocks ─▶ shipper ─┘
//! ```
//!
//! `deploy/demo/run.sh` starts the Prometheus servers and then this role, which is the sidecars'
//! part and a querier, put together as `stoa query` is. It is ready once a question was answered,
//! over HTTP, from blocks of every replica that were scraped in this run.

mod ask;
mod narrator;
mod replica;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use engine::bucket::Bucket;
use ingest::sidecar::ShipperMetrics;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::query::{Parts, QuerierArgs};
use super::serving::{Listeners, end_on_signals};
use super::threads::Threads;
use crate::cli::duration;
use crate::cli::objstore::ObjstoreArgs;
use crate::cli::server::ServerArgs;
use ask::Asker;
use narrator::Narrator;
use replica::Replica;

/// The pause between two looks at the data folders.
const PASS: Duration = Duration::from_secs(2);

/// How long the querier may take to see blocks that were shipped at the very end.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// The exit code of a process that was interrupted.
const INTERRUPTED: u8 = 130;

/// The flags of `stoa demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    objstore: ObjstoreArgs,
    #[command(flatten)]
    querier: QuerierArgs,
    /// URL of a Prometheus; once a replica.
    #[arg(long = "prometheus.url", value_name = "URL", required = true)]
    prometheus_urls: Vec<String>,
    /// Data folder of a Prometheus; once a replica, in the order of --prometheus.url.
    #[arg(long = "tsdb.path", value_name = "DIR", required = true)]
    tsdb_paths: Vec<PathBuf>,
    /// When this run began, in Unix seconds: the demo is ready with a block scraped since
    /// (default: now).
    #[arg(long = "since", value_name = "SECONDS")]
    since: Option<u64>,
    /// How long the first block may take.
    #[arg(long = "wait", default_value = "5m", value_parser = duration::parse)]
    wait: Duration,
    /// The time from readiness to the end; 0s is until it is told to end.
    #[arg(long = "duration", default_value = "0s", value_parser = duration::parse)]
    duration: Duration,
}

/// Runs the demo until it is told to end, or its time is over.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        args.prometheus_urls.len() == args.tsdb_paths.len(),
        "--prometheus.url and --tsdb.path: give one of each for every replica"
    );
    let replica_label = match args.querier.replica_labels.as_slice() {
        [label] => label.clone(),
        _ => bail!("--query.replica-label: give the one label that tells the replicas apart"),
    };
    let since = match args.since {
        Some(seconds) => UNIX_EPOCH + Duration::from_secs(seconds),
        None => SystemTime::now(),
    };
    let bucket = Bucket::from_yaml(&args.objstore.required_yaml()?).context("--objstore.config")?;
    let listeners = Listeners::bind(&args.server).await?;
    let url = format!("http://127.0.0.1:{}", listeners.http_port()?);
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;

    let mut registry = Registry::default();
    let metrics = ShipperMetrics::new(&mut registry);
    let mut replicas = Vec::with_capacity(args.tsdb_paths.len());
    for (prometheus, dir) in args.prometheus_urls.iter().zip(&args.tsdb_paths) {
        let (bucket, metrics) = (bucket.clone(), metrics.clone());
        let replica = Replica::open(prometheus, dir, &replica_label, bucket, metrics).await?;
        ensure!(
            replicas.iter().all(|other: &Replica| other.name != replica.name),
            "{prometheus}: another replica is called {} too",
            replica.name
        );
        replicas.push(replica);
    }
    let queries = Threads::start("query")?;
    let parts = Parts::new(
        &args.querier,
        args.querier.settings()?,
        Some(bucket),
        None,
        queries.handle(),
        registry,
    )?;
    let sync = tokio::spawn(parts.keep_in_sync(args.querier.sync_interval, end.clone()));
    let serving = {
        let (end, server) = (end.clone(), args.server.clone());
        tokio::spawn(async move {
            let served = listeners.serve(&server, parts.served, end.clone()).await;
            end.cancel();
            served
        })
    };
    let demo = Demo {
        replicas,
        asker: Asker::new(url, replica_label, millis(since)),
        narrator: Narrator::new(),
        since,
        wait: args.wait,
        duration: args.duration,
    };
    let outcome = demo.run(&end).await;
    end.cancel();
    serving.await.context("the servers")??;
    sync.await.context("the sync of blocks")?;
    outcome
}

struct Demo {
    replicas: Vec<Replica>,
    asker: Asker,
    narrator: Narrator,
    since: SystemTime,
    wait: Duration,
    /// Zero: until it is told to end.
    duration: Duration,
}

impl Demo {
    async fn run(mut self, end: &CancellationToken) -> anyhow::Result<ExitCode> {
        self.narrator
            .say("Shipping each finished block of the replicas as Parquet into the bucket.");
        let began = Instant::now();
        let mut ready: Option<Instant> = None;
        loop {
            self.pass().await;
            match ready {
                None if self.answer(false).await? => {
                    ready = Some(Instant::now());
                    self.say_ready();
                }
                None => {
                    ensure!(
                        began.elapsed() < self.wait,
                        "no answer from blocks of this run within {} s: {}",
                        self.wait.as_secs(),
                        self.missing()
                    );
                    self.narrator.progress(&self.missing());
                }
                Some(since_ready) => self.narrator.progress(&self.state(since_ready.elapsed())),
            }
            let left = match ready {
                Some(since_ready) if !self.duration.is_zero() => {
                    self.duration.saturating_sub(since_ready.elapsed())
                }
                _ => Duration::MAX,
            };
            if left.is_zero() {
                self.last_answer(end).await?;
                self.narrator.say("The time is over.");
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                biased;
                () = end.cancelled() => {
                    self.narrator.say("Ending.");
                    // Before its time, a demo with a duration has not shown what it is to show.
                    let whole = ready.is_some() && self.duration.is_zero();
                    return Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) });
                }
                () = tokio::time::sleep(PASS.min(left)) => {}
            }
        }
    }

    /// Ships what is new.
    async fn pass(&mut self) {
        let since_ms = millis(self.since);
        for replica in &mut self.replicas {
            for line in replica.pass(since_ms).await {
                self.narrator.say(&line);
            }
        }
    }

    /// Asks at the end of the newest blocks, and prints the answer if it proves what it must. Without
    /// a proof it is an error if one is `due`.
    async fn answer(&mut self, due: bool) -> anyhow::Result<bool> {
        let newest = self.replicas.iter().map(Replica::newest).min().flatten();
        let Some(end) = newest else { return Ok(false) };
        let names: Vec<&str> = self.replicas.iter().map(|replica| replica.name.as_str()).collect();
        match self.asker.ask(&names, end - 1).await {
            Ok(text) => {
                self.narrator.say(&text);
                Ok(true)
            }
            // The querier may not have seen the block yet.
            Err(_) if !due => Ok(false),
            Err(error) => Err(error.context("the last answer")),
        }
    }

    /// Asks for the last time. Blocks that were shipped just now are given a while to be seen by the
    /// querier: it looks at the bucket now and then.
    async fn last_answer(&mut self, end: &CancellationToken) -> anyhow::Result<()> {
        let asked = Instant::now();
        while asked.elapsed() < SEEN_WITHIN && !end.is_cancelled() {
            if self.answer(false).await? {
                return Ok(());
            }
            tokio::time::sleep(PASS).await;
        }
        self.answer(true).await.map(drop)
    }

    fn say_ready(&self) {
        let url = self.asker.url();
        let query = "sum%20by%20(mode)%20(rate(node_cpu_seconds_total%5B5m%5D))";
        self.narrator.say(&format!(
            "Ready: {url} answers PromQL, deduplicated. A sample arrives with its block, one to three \
             minutes after it was scraped.\n\
             Try, here or in a browser:\n  \
             {url}/?g0.expr={query}\n  \
             curl -s '{url}/api/v1/query?query=up'               # replicas made one\n  \
             curl -s '{url}/api/v1/query?query=up&dedup=false'   # each replica\n  \
             curl -s '{url}/api/v1/query?query={query}'\n  \
             curl -s '{url}/metrics'"
        ));
        let ends = match self.duration.as_secs() {
            0 => "Ctrl-c ends the demo.".to_owned(),
            seconds => format!("The demo ends in {seconds} s, or at ctrl-c."),
        };
        self.narrator.say(&ends);
    }

    /// What the demo waits for.
    fn missing(&self) -> String {
        let waiting: Vec<&str> = self
            .replicas
            .iter()
            .filter(|replica| replica.newest().is_none())
            .map(|replica| replica.name.as_str())
            .collect();
        let age = self.since.elapsed().unwrap_or_default().as_secs();
        if waiting.is_empty() {
            return format!(
                "{age} s since the start: waiting for the querier to see the first blocks"
            );
        }
        let failures = self.replicas.iter().map(Replica::failure);
        let why = match failures.filter(|failure| !failure.is_empty()).last() {
            Some(failure) => failure,
            None => "Prometheus cuts it after 100 to 160 s",
        };
        format!(
            "{age} s since the start: waiting for the first block of replica {} ({why})",
            waiting.join(" and ")
        )
    }

    /// How a demo that is ready gets on.
    fn state(&self, since_ready: Duration) -> String {
        let blocks: usize = self.replicas.iter().map(|replica| replica.blocks).sum();
        let newest = self.replicas.iter().filter_map(Replica::newest).max().unwrap_or_default();
        let age = (millis(SystemTime::now()) - newest) / 1000;
        let ends = match self.duration.checked_sub(since_ready) {
            Some(left) if !left.is_zero() => format!("ends in {} s", left.as_secs()),
            _ => "ctrl-c ends".to_owned(),
        };
        format!("{blocks} blocks shipped, the newest sample is {age} s old; {ends}")
    }
}

fn millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
