//! Which blocks a role looks at: `--selector.relabel-config` or its file.

use std::path::PathBuf;

use anyhow::Context;
use engine::catalog::BlockSelector;

/// Relabelling rules over the external labels of blocks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SelectorArgs {
    /// Rules over the external labels of blocks and __block_id, as YAML: keep, drop and hashmod.
    #[arg(
        long = "selector.relabel-config",
        value_name = "YAML",
        conflicts_with = "selector_relabel_config_file"
    )]
    selector_relabel_config: Option<String>,
    /// Path of a file with such rules.
    #[arg(long = "selector.relabel-config-file", value_name = "PATH")]
    selector_relabel_config_file: Option<PathBuf>,
}

impl SelectorArgs {
    /// The rules given.
    pub(crate) fn selector(&self) -> anyhow::Result<BlockSelector> {
        let text = match (&self.selector_relabel_config, &self.selector_relabel_config_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).with_context(|| {
                format!("--selector.relabel-config-file: read {}", path.display())
            })?,
            (None, None) => return Ok(BlockSelector::default()),
        };
        BlockSelector::from_yaml(&text).context("--selector.relabel-config")
    }
}
