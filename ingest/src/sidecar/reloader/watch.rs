//! Events of the file system, as a hint that it is time for a look.

use std::path::Path;
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::{ReloaderMetrics, ReloaderSettings};

/// Watches the folders of a configuration.
#[derive(Debug)]
pub(super) struct Watch {
    changed: Arc<Notify>,
    /// Watches as long as it lives.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches what can be watched; what cannot is logged, and is looked at each interval all the
    /// same.
    pub(super) fn start(settings: &ReloaderSettings, metrics: &ReloaderMetrics) -> Self {
        let changed = Arc::new(Notify::new());
        let heard = {
            let (changed, metrics) = (Arc::clone(&changed), metrics.clone());
            move |event: notify::Result<notify::Event>| match event {
                Ok(event) if is_change(&event.kind) => {
                    metrics.watch_events.inc();
                    changed.notify_one();
                }
                Ok(_) => {}
                Err(error) => {
                    metrics.watch_errors.inc();
                    tracing::error!(err = %error, "reloader: watching");
                }
            }
        };
        let watcher = notify::recommended_watcher(heard);
        let watcher = watcher.inspect_err(|error| {
            metrics.watch_errors.inc();
            tracing::error!(err = %error, "reloader: nothing is watched");
        });
        let mut watcher = watcher.ok();
        // The folder of a file, not the file: it is replaced, not written.
        let config = settings.config_file.as_deref().map(folder_of);
        for folder in config.into_iter().chain(settings.rule_dirs.iter().map(AsRef::as_ref)) {
            let Some(watcher) = &mut watcher else { break };
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    metrics.watches.inc();
                }
                Err(error) => {
                    metrics.watch_errors.inc();
                    tracing::error!(folder = %folder.display(), err = %error, "reloader: not watched");
                }
            }
        }
        Self { changed, _watcher: watcher }
    }

    /// Something has changed since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Reading makes events too, and the reloader itself reads.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
