//! How a Prometheus is told to read its configuration: over HTTP, or by a signal.

use std::time::Duration;

use engine::{Error, ErrorKind, Result};
use serde::Deserialize;
use tokio::process::Command;

use crate::sidecar::prometheus::Prometheus;

/// A server has read its configuration within this.
const RELOADED_WITHIN: Duration = Duration::from_secs(30);
/// The pause between two looks at whether it has.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// Linux keeps so many bytes of a process' name.
const COMM: usize = 15;

/// The way to a server.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// `POST /-/reload`, which answers when it is done (`--reloader.method=http`).
    Http(Prometheus),
    /// SIGHUP to the process of this name (`--reloader.process-name`); the server is asked whether it
    /// is done (`--reloader.method=signal`).
    Signal(Prometheus, String),
}

/// What `/api/v1/status/runtimeinfo` says of the configuration.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeInfo {
    reload_config_success: bool,
    last_config_time: String,
}

impl Trigger {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Signal(..) => "signal",
        }
    }

    pub(super) async fn reload(&self) -> Result<()> {
        let done = async {
            match self {
                Self::Http(prometheus) => prometheus.reload().await,
                Self::Signal(prometheus, process) => by_signal(prometheus, process).await,
            }
        };
        tokio::time::timeout(RELOADED_WITHIN, done).await.unwrap_or_else(|_| {
            let what = format!("no answer within {} s", RELOADED_WITHIN.as_secs());
            Err(Error::new(ErrorKind::Timeout, what))
        })
    }
}

async fn by_signal(prometheus: &Prometheus, process: &str) -> Result<()> {
    let info = || prometheus.api::<RuntimeInfo>("api/v1/status/runtimeinfo", &[]);
    let before = info().await?;
    let id = process_id(process)?;
    // A process of its own, because to signal from here would need unsafe code.
    let sent = Command::new("kill").args(["-HUP", &id.to_string()]).output().await;
    let sent = sent.map_err(|e| failed("run kill").with_source(e))?;
    if !sent.status.success() {
        let said = String::from_utf8_lossy(&sent.stderr);
        return Err(failed(&format!("kill -HUP {id}: {}", said.trim())));
    }
    loop {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let after = info().await?;
        if after.reload_config_success && after.last_config_time != before.last_config_time {
            return Ok(());
        }
        if !after.reload_config_success && before.reload_config_success {
            return Err(failed("the server refuses its configuration"));
        }
    }
}

/// The id of a process called `name`, the least if there are several.
fn process_id(name: &str) -> Result<u32> {
    let wanted = name.as_bytes().get(..COMM).unwrap_or(name.as_bytes());
    let processes = std::fs::read_dir("/proc").map_err(|e| failed("list /proc").with_source(e))?;
    let ids = processes.filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let comm = std::fs::read(format!("/proc/{id}/comm")).ok()?;
        (comm.strip_suffix(b"\n").unwrap_or(&comm) == wanted).then_some(id)
    });
    ids.min().ok_or_else(|| failed(&format!("no process is called {name:?}")))
}

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_found_by_the_name_that_linux_keeps() {
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        let own = comm.trim_end();
        assert!(process_id(own).unwrap() <= std::process::id());
        let error = process_id("no such process").unwrap_err();
        assert_eq!(error.to_string(), "no process is called \"no such process\"");
    }
}
