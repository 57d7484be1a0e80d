//! What a Prometheus is: external labels, flags, version, earliest sample, readiness.

use std::collections::BTreeMap;

use engine::model::Labels;
use engine::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::Prometheus;

/// The metric with the time of the earliest sample in the TSDB.
const LOWEST: &str = "prometheus_tsdb_lowest_timestamp_seconds";

/// The flags of a Prometheus that matter to a sidecar, as the server prints them: durations in their
/// shortest form, so that equal durations are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct PrometheusFlags {
    /// The time that the head is cut into blocks by.
    #[serde(rename = "storage.tsdb.min-block-duration", default)]
    pub min_block_duration: String,
    /// The longest block that compaction makes.
    #[serde(rename = "storage.tsdb.max-block-duration", default)]
    pub max_block_duration: String,
    /// The file with the blocks that may be compacted; empty if all may.
    #[serde(rename = "storage.tsdb.delay-compact-file.path", default)]
    pub delay_compact_file: String,
}

#[derive(Debug, Deserialize)]
struct ConfigAnswer {
    yaml: String,
}

#[derive(Debug, Deserialize)]
struct BuildInfo {
    version: String,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    global: Global,
}

#[derive(Debug, Default, Deserialize)]
struct Global {
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
}

impl Prometheus {
    /// `global.external_labels` of its configuration; may be empty.
    pub async fn external_labels(&self) -> Result<Labels> {
        let answer: ConfigAnswer = self.api("api/v1/status/config", &[]).await?;
        external_labels(&answer.yaml)
            .map_err(|e| e.context(format!("{}: its configuration", self.name())))
    }

    /// Its flags; `None` if it is too old to tell them.
    pub async fn flags(&self) -> Result<Option<PrometheusFlags>> {
        match self.api("api/v1/status/flags", &[]).await {
            Ok(flags) => Ok(Some(flags)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its version; `0` if it is too old to tell it.
    pub async fn version(&self) -> Result<String> {
        match self.api::<BuildInfo>("api/v1/status/buildinfo", &[]).await {
            Ok(info) => Ok(info.version),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok("0".to_owned()),
            Err(error) => Err(error),
        }
    }

    /// The time in ms of its earliest sample; `i64::MAX` if it has none.
    pub async fn lowest_timestamp(&self) -> Result<i64> {
        let text = self.get("metrics", &[]).await?;
        lowest_timestamp(&text).ok_or_else(|| {
            let what = format!("{} /metrics has no {LOWEST}", self.name());
            Error::new(ErrorKind::Unavailable, what)
        })
    }
}

/// Reads the external labels out of a configuration that Prometheus printed. Of what may be
/// megabytes of scrape configurations only the section `global` is parsed.
pub(super) fn external_labels(yaml: &str) -> Result<Labels> {
    let config: Config = serde_saphyr::from_str(&global_section(yaml))
        .map_err(|e| Error::new(ErrorKind::Unavailable, "not understood").with_source(e))?;
    Labels::new(config.global.external_labels)
}

/// The lines of the top-level key `global`; what belongs to a key is indented.
fn global_section(yaml: &str) -> String {
    let mut section = String::new();
    let mut inside = false;
    for line in yaml.lines() {
        if !line.starts_with([' ', '\t', '#', '-']) && !line.is_empty() {
            inside = line.starts_with("global:");
        }
        if inside {
            section.push_str(line);
            section.push('\n');
        }
    }
    if section.is_empty() { "{}".to_owned() } else { section }
}

/// The value of [`LOWEST`] in the text format, in ms.
pub(super) fn lowest_timestamp(text: &[u8]) -> Option<i64> {
    let line = text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_prefix(LOWEST.as_bytes()))
        .find(|rest| matches!(rest.first(), Some(b' ' | b'\t' | b'{')))?;
    let line = std::str::from_utf8(line).ok()?;
    let value = line.rsplit_once('}').map_or(line, |(_, value)| value);
    let seconds: f64 = value.split_ascii_whitespace().next()?.parse().ok()?;
    // Saturates: a head without samples says i64::MAX ms.
    (!seconds.is_nan()).then_some((seconds * 1000.0).round() as i64)
}
