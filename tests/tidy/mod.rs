//! The rules of the house, as tests.
//!
//! Each test lists everything that breaks its rule, not only the first.

mod crates;
mod files;
mod formatting;
mod source;

use std::path::{Path, PathBuf};

use crate::support::repository;

/// The folders that hold what is written here.
const ROOMS: [&str; 7] = ["benches", "deploy", "engine", "flight", "ingest", "promql", "tests"];

/// Folders that hold what was built, downloaded or recorded.
const NOT_WRITTEN: [&str; 4] = ["target", "node_modules", "testdata", "snapshots"];

/// The files of the house, as paths from the root of the checkout, sorted.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in entries(repository()) {
        // In a second worktree of a clone, `.git` is a file that says where the clone is.
        if entry.is_file() && !entry.ends_with(".git") {
            found.push(entry);
        }
    }
    for room in ROOMS {
        walk(&repository().join(room), &mut found);
    }
    let mut relative: Vec<PathBuf> = found
        .iter()
        .map(|path| path.strip_prefix(repository()).expect("found below the root").to_path_buf())
        .collect();
    relative.sort();
    relative
}

/// The Rust files among them that people write.
fn rust_files() -> Vec<PathBuf> {
    let mut files = files();
    let generated = |path: &PathBuf| path.iter().any(|part| part == "generated");
    files.retain(|path| path.extension().is_some_and(|e| e == "rs") && !generated(path));
    assert!(files.len() > 20, "the rules look at {} Rust files only", files.len());
    files
}

/// The text of a file of the house.
fn text(path: &Path) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Fails with all that was found, one a line.
fn none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if entry.is_file() {
            found.push(entry);
        } else if !NOT_WRITTEN.contains(&name) && !name.starts_with('.') {
            walk(&entry, found);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a folder entry").path())
        .collect()
}
