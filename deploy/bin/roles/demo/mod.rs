//! `stoa demo`: watches a whole set-up come up, proves that it works, and tells what to try.
//!
//! ```text
//! Prometheus a ── sidecar ─┬─ blocks ─▶ bucket ─▶ store ─┐
//!                          └─ last minutes ──────────────┼─▶ querier  ◀─ questions of `ask`
//! Prometheus b ── sidecar ─┬─ last minutes ──────────────┘     │
//!                          └─ blocks ─▶ bucket                 └─ `stores`, shown
//! ```
//!
//! `deploy/demo/run.sh` starts all of these as processes of their own, and this role beside them. It is
//! an onlooker: it speaks HTTP with store and querier as anybody would. The demo is ready once a
//! question was answered from blocks of every replica that were scraped in this run.

mod answer;
mod ask;
mod blocks;
mod narrator;
mod stores;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use tokio_util::sync::CancellationToken;

use super::serving::end_on_signals;
use crate::cli::duration;
use ask::Asker;
use blocks::Blocks;
use narrator::Narrator;

/// The pause between two looks at the store.
const PASS: Duration = Duration::from_secs(2);

/// The exit code of a process that was interrupted.
const INTERRUPTED: u8 = 130;

/// The flags of `stoa demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// URL of the querier that is asked.
    #[arg(long = "query.url", value_name = "URL", default_value = "http://127.0.0.1:10902")]
    query_url: String,
    /// URL of the store whose blocks are watched.
    #[arg(long = "store.url", value_name = "URL")]
    store_url: String,
    /// The label that tells the replicas apart.
    #[arg(long = "query.replica-label", value_name = "LABEL", default_value = "replica")]
    replica_label: String,
    /// Value of that label; once a replica.
    #[arg(long = "replica", value_name = "NAME", required = true)]
    replicas: Vec<String>,
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
    for (at, name) in args.replicas.iter().enumerate() {
        ensure!(!args.replicas[..at].contains(name), "--replica: {name} is given twice");
    }
    let since = match args.since {
        Some(seconds) => UNIX_EPOCH + Duration::from_secs(seconds),
        None => SystemTime::now(),
    };
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let since_ms = millis(since);
    let demo = Demo {
        blocks: Blocks::new(args.store_url, &args.replica_label, &args.replicas, since_ms),
        asker: Asker::new(args.query_url, args.replica_label, args.replicas, since_ms),
        narrator: Narrator::new(),
        since,
        wait: args.wait,
        duration: args.duration,
        missing: String::new(),
    };
    demo.run(&end).await
}

struct Demo {
    blocks: Blocks,
    asker: Asker,
    narrator: Narrator,
    since: SystemTime,
    wait: Duration,
    /// Zero: until it is told to end.
    duration: Duration,
    /// What a demo that is not ready lacks.
    missing: String,
}

impl Demo {
    async fn run(mut self, end: &CancellationToken) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let mut listed = false;
        let mut ready: Option<Instant> = None;
        loop {
            match ready {
                None => match self.progress(&mut listed).await {
                    Ok(()) => {
                        ready = Some(Instant::now());
                        self.say_ready();
                    }
                    Err(missing) => {
                        self.missing = format!("{missing:#}");
                        ensure!(
                            began.elapsed() < self.wait,
                            "no answer from blocks of this run within {} s: {}",
                            self.wait.as_secs(),
                            self.missing
                        );
                        let age = self.since.elapsed().unwrap_or_default().as_secs();
                        self.narrator
                            .progress(&format!("{age} s since the start: {}", self.missing));
                    }
                },
                Some(since_ready) => {
                    // One look that fails is no end: the last answer decides.
                    if let Err(error) = self.watch().await {
                        self.narrator.say(&format!("  {error:#}"));
                    }
                    self.narrator.progress(&self.state(since_ready.elapsed()));
                }
            }
            let left = match ready {
                Some(since_ready) if !self.duration.is_zero() => {
                    self.duration.saturating_sub(since_ready.elapsed())
                }
                _ => Duration::MAX,
            };
            if left.is_zero() {
                self.answer().await.map_err(|error| error.context("the last answer"))?;
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

    /// One step towards readiness; an error says what is waited for.
    async fn progress(&mut self, listed: &mut bool) -> anyhow::Result<()> {
        if !*listed {
            let text = self.asker.stores().await?;
            self.narrator.say(&text);
            self.narrator.say("Each finished block of a replica, as the store has it:");
            *listed = true;
        }
        self.watch().await?;
        self.answer().await
    }

    /// Tells of new blocks.
    async fn watch(&mut self) -> anyhow::Result<()> {
        for line in self.blocks.look().await? {
            self.narrator.say(&line);
        }
        Ok(())
    }

    /// Asks at the end of the newest blocks, and prints the answer if it proves what it must.
    async fn answer(&mut self) -> anyhow::Result<()> {
        let end = self.blocks.all_have_until()?;
        let text = self.asker.ask(end - 1).await?;
        self.narrator.say(&text);
        Ok(())
    }

    fn say_ready(&self) {
        let url = self.asker.url();
        let query = "sum%20by%20(mode)%20(rate(node_cpu_seconds_total%5B5m%5D))";
        self.narrator.say(&format!(
            "Ready: {url} answers PromQL, deduplicated: the last minutes from the sidecars, what is \
             older from the bucket.\n\
             Try, here or in a browser:\n  \
             {url}/?g0.expr={query}\n  \
             curl -s '{url}/api/v1/query?query=up'               # replicas made one\n  \
             curl -s '{url}/api/v1/query?query=up&dedup=false'   # each replica\n  \
             curl -s '{url}/api/v1/query?query={query}'\n  \
             curl -s '{url}/api/v1/stores'\n  \
             curl -s '{url}/metrics'"
        ));
        let ends = match self.duration.as_secs() {
            0 => "Ctrl-c ends the demo.".to_owned(),
            seconds => format!("The demo ends in {seconds} s, or at ctrl-c."),
        };
        self.narrator.say(&ends);
    }

    /// How a demo that is ready gets on.
    fn state(&self, since_ready: Duration) -> String {
        let ends = match self.duration.checked_sub(since_ready) {
            Some(left) if !left.is_zero() => format!("ends in {} s", left.as_secs()),
            _ => "ctrl-c ends".to_owned(),
        };
        format!("{}; {ends}", self.blocks.state(millis(SystemTime::now())))
    }
}

fn millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
