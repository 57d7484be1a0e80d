//! `stoa compact`: merges, downsamples and retires the blocks of a bucket.

mod flags;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use engine::bucket::{Bucket, BucketMetrics};
use engine::catalog::{Catalog, CatalogMetrics, CatalogSettings};
use engine::compact::work::{CompactMetrics, Compactor, Turn};
use flight::http::component::{self, Component};
use flight::http::{Readiness, process, server};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

pub(crate) use self::flags::{CompactArgs, RetentionArgs};
use super::serving::{bind_http, end_on_signals};
use super::threads::Threads;

/// Runs the compactor: until all is done, or with `--wait` until it is told to end.
pub(crate) async fn run(args: CompactArgs) -> anyhow::Result<ExitCode> {
    let settings = args.settings()?;
    let bucket = Bucket::from_yaml(&args.objstore.required_yaml()?).context("--objstore.config")?;
    let http = bind_http(&args.http).await?;
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let threads = Threads::start("compact")?;
    let mut registry = Registry::default();
    process::register(&mut registry);
    let bucket = bucket.with_metrics(BucketMetrics::new(&mut registry));
    let view = Catalog::new(bucket.clone(), CatalogSettings::default())
        .with_metrics(CatalogMetrics::new(&mut registry));
    let view = Arc::new(view);
    let compactor = Compactor::new(bucket, settings, CompactMetrics::new(&mut registry));
    let readiness = Readiness::default();
    let app = component::router(Component {
        version: env!("CARGO_PKG_VERSION"),
        readiness: readiness.clone(),
        registry: Arc::new(registry),
        blocks: Some(Arc::clone(&view)),
    });
    let served = tokio::spawn(server::serve(http, app, end.clone(), args.http.grace_period));
    let work = Work {
        compactor,
        view,
        readiness: readiness.clone(),
        wait: args.wait,
        wait_interval: args.wait_interval,
        cleanup_interval: args.cleanup_interval,
    };
    let stop = end.clone();
    let worked = threads.handle().spawn(async move {
        tokio::select! {
            biased;
            // What is cut off is done again, or goes on from where it was.
            () = stop.cancelled() => Ok(()),
            worked = work.run() => worked,
        }
    });
    let worked = worked.await.context("the compactor's work")?;
    readiness.stopping();
    end.cancel();
    served.await.context("serve HTTP")?;
    worked?;
    Ok(ExitCode::SUCCESS)
}

/// The compactor's work.
struct Work {
    compactor: Compactor,
    /// What `/api/v1/blocks` lists.
    view: Arc<Catalog>,
    readiness: Readiness,
    wait: bool,
    wait_interval: Duration,
    cleanup_interval: Duration,
}

impl Work {
    async fn run(&self) -> anyhow::Result<()> {
        loop {
            match self.turn().await {
                Ok(turn) => {
                    self.readiness.ready();
                    tracing::info!(
                        compacted = turn.compacted,
                        downsampled = turn.downsampled,
                        marked = turn.marked,
                        removed = turn.removed,
                        failed = turn.failed,
                        "turn done"
                    );
                    if turn.more {
                        continue;
                    }
                    if !self.wait {
                        anyhow::ensure!(turn.failed == 0, "{} pieces of work failed", turn.failed);
                        return Ok(());
                    }
                }
                Err(error) if !self.wait => return Err(error.into()),
                Err(error) => tracing::error!(err = %error, "turn of the compactor"),
            }
            self.pause().await;
        }
    }

    async fn turn(&self) -> engine::Result<Turn> {
        let turn = self.compactor.turn(&now).await?;
        self.view.sync().await?;
        Ok(turn)
    }

    /// Waits for the next turn; what is marked or unfinished is removed meanwhile.
    async fn pause(&self) {
        let cleanup = match self.cleanup_interval.is_zero() {
            true => self.wait_interval,
            false => self.cleanup_interval.min(self.wait_interval),
        };
        let mut left = self.wait_interval;
        while !left.is_zero() {
            let step = cleanup.min(left).max(Duration::from_millis(1));
            tokio::time::sleep(step).await;
            left = left.saturating_sub(step);
            if !left.is_zero()
                && let Err(error) = self.compactor.clean(now(), &mut Turn::default()).await
            {
                tracing::error!(err = %error, "cleanup");
            }
        }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
