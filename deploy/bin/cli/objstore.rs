//! The bucket: `--objstore.config` or `--objstore.config-file`.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// Where the bucket is, as Thanos' YAML. The flags may stand behind a tool's name, as kingpin has it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ObjstoreArgs {
    /// The bucket as YAML.
    #[arg(
        long = "objstore.config",
        value_name = "YAML",
        conflicts_with = "objstore_config_file",
        global = true
    )]
    pub(crate) objstore_config: Option<String>,
    /// Path of a file with the bucket as YAML.
    #[arg(long = "objstore.config-file", value_name = "PATH", global = true)]
    pub(crate) objstore_config_file: Option<PathBuf>,
}

impl ObjstoreArgs {
    /// The YAML given, or `None` if there is none (or it is empty, as in Thanos).
    pub(crate) fn yaml(&self) -> anyhow::Result<Option<String>> {
        let text = match (&self.objstore_config, &self.objstore_config_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("--objstore.config-file: read {}", path.display()))?,
            (None, None) => return Ok(None),
        };
        Ok(if text.trim().is_empty() { None } else { Some(text) })
    }

    /// The YAML given; none is an error.
    pub(crate) fn required_yaml(&self) -> anyhow::Result<String> {
        match self.yaml()? {
            Some(text) => Ok(text),
            None => bail!("no bucket: give --objstore.config or --objstore.config-file"),
        }
    }
}
