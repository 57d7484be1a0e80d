//! A bucket in a folder, filled by the binary under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::places::{scratch, stoa};

/// A FILESYSTEM bucket that is removed when the value is dropped.
#[derive(Debug)]
pub(crate) struct UploadedBucket {
    folder: tempfile::TempDir,
}

impl UploadedBucket {
    /// The Prometheus blocks below `blocks`, uploaded with the external labels `cluster="bench"` and
    /// `replica="a"`.
    pub(crate) fn of(blocks: &Path) -> Self {
        Self::of_replicas(blocks, &["a"])
    }

    /// The same for each of `replicas`, the samples alike.
    pub(crate) fn of_replicas(blocks: &Path, replicas: &[&str]) -> Self {
        let bucket = Self { folder: scratch() };
        for replica in replicas {
            let uploaded = Command::new(stoa())
                .args(["tools", "bucket", "upload-blocks", "--path"])
                .arg(blocks)
                .args(["--label", "cluster=bench", "--label", &format!("replica={replica}")])
                .arg(format!("--objstore.config={}", bucket.objstore()))
                .stdin(Stdio::null())
                .output()
                .expect("stoa runs");
            let errors = String::from_utf8_lossy(&uploaded.stderr);
            assert!(uploaded.status.success(), "upload-blocks: {errors}");
        }
        bucket
    }

    /// The configuration of the bucket, as YAML.
    pub(crate) fn objstore(&self) -> String {
        format!("type: FILESYSTEM\nconfig: {{directory: {}}}", self.folder.path().display())
    }

    /// The folders of its blocks, in order of their names.
    pub(crate) fn blocks(&self) -> Vec<PathBuf> {
        let blocks = self.folder.path().join("stoa/v1/blocks");
        let mut found: Vec<PathBuf> = std::fs::read_dir(&blocks)
            .unwrap_or_else(|e| panic!("{}: {e}", blocks.display()))
            .map(|entry| entry.expect("a folder entry").path())
            .collect();
        found.sort();
        found
    }
}
