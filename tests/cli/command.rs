//! The binary as a person calls it, and folders to call it with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::ingest::dump::write_block;
use crate::support;

/// What a call of the binary left.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) errors: String,
}

/// Runs `stoa` with `args` to its end.
pub(super) fn stoa(args: &[&str]) -> Said {
    let output =
        Command::new(support::stoa()).args(args).stdin(Stdio::null()).output().expect("stoa runs");
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("the output is text"),
        errors: String::from_utf8(output.stderr).expect("the errors are text"),
    }
}

impl Said {
    /// The output of a call that did well.
    pub(super) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.errors);
        self.out
    }

    /// The output of a call that failed, whose errors have all `words`.
    pub(super) fn badly(self, words: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.out, self.errors);
        assert!(!self.errors.contains("panicked"), "{}", self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word:?} is not in:\n{}", self.errors);
        }
        self.out
    }
}

/// A folder with blocks of a Prometheus, and a bucket for them that does not exist yet.
#[derive(Debug)]
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { folder: support::scratch() }
    }

    /// The folder of the blocks.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of the bucket.
    pub(super) fn bucket(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    /// Adds a block as Prometheus' data folder has it, and returns its id.
    pub(super) fn add(&self, kind: &str) -> String {
        let dir = write_block(self.folder.path(), kind);
        let id = json(&dir.join("meta.json"))["ulid"].as_str().expect("an id").to_owned();
        fs::create_dir_all(self.data()).expect("a folder");
        fs::rename(dir, self.data().join(&id)).expect("the block moves");
        id
    }

    /// Changes a block's `meta.json`.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let path = self.data().join(id).join("meta.json");
        let mut meta = json(&path);
        change(&mut meta);
        fs::write(path, meta.to_string()).expect("meta.json is written");
    }

    /// Where the bucket is, as YAML.
    pub(super) fn objstore(&self) -> String {
        format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", self.bucket().display())
    }

    /// Calls a tool on the bucket.
    pub(super) fn tool(&self, args: &[&str]) -> Said {
        let config = self.objstore();
        let mut all = vec!["tools", "bucket"];
        all.extend(args);
        all.extend(["--objstore.config", &config]);
        stoa(&all)
    }

    /// Uploads the blocks.
    pub(super) fn upload(&self, args: &[&str]) -> Said {
        let data = self.data();
        let mut all = vec!["upload-blocks", "--path", data.to_str().expect("UTF-8")];
        all.extend(args);
        self.tool(&all)
    }

    /// The folder of each block of the bucket, in order of their names.
    pub(super) fn blocks(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.bucket().join("stoa/v1/blocks")) else {
            return Vec::new();
        };
        let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        dirs.sort();
        dirs
    }
}

/// The last part of a path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_str().expect("UTF-8").to_owned()
}

/// A count from a `meta.json`, less than a million, with its comma.
pub(super) fn thousands(count: &Value) -> String {
    let count = count.as_u64().expect("a count");
    assert!((1_000..1_000_000).contains(&count), "{count}");
    format!("{},{:03}", count / 1_000, count % 1_000)
}

/// Marks a block of a bucket for deletion.
pub(super) fn mark(block: &Path) {
    let mark = format!(
        "{{\"id\":\"{}\",\"version\":1,\"details\":\"\",\"deletion_time\":1790899200}}",
        name(block)
    );
    fs::write(block.join("deletion-mark.json"), mark).expect("the mark is written");
}

/// A file of JSON.
pub(super) fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
