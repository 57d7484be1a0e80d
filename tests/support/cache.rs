//! Things made once a machine: each has a folder of the cache, named by what it is made from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xxhash_rust::xxh3::Xxh3;

use super::places::cache;

/// The folder `<cache>/<kind>/<name>-<hash of inputs>`, filled by `make` unless it is complete.
///
/// One process makes it while others wait; a half-made folder of a killed process is made anew.
pub(super) fn made_once(
    kind: &str,
    name: &str,
    inputs: &[PathBuf],
    make: impl FnOnce(&Path),
) -> PathBuf {
    let kinds = cache().join(kind);
    fs::create_dir_all(&kinds).unwrap_or_else(|e| panic!("{}: {e}", kinds.display()));
    let folder = kinds.join(format!("{name}-{:016x}", hash(inputs)));
    let complete = folder.join(".complete");
    let lock_path = kinds.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).unwrap_or_else(|e| panic!("{}: {e}", lock_path.display()));
    lock.lock().unwrap_or_else(|e| panic!("{}: {e}", lock_path.display()));
    if !complete.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        }
        fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        make(&folder);
        File::create(&complete).unwrap_or_else(|e| panic!("{}: {e}", complete.display()));
    }
    folder
}

/// Runs a command to its end; its output is in the panic if it fails.
pub(super) fn run(command: &mut Command, missing: &str) {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| {
        panic!("{shown}: {e}: {missing}");
    });
    assert!(
        output.status.success(),
        "{shown}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A hash of the files' names and bytes; folders are walked.
fn hash(inputs: &[PathBuf]) -> u64 {
    let mut hasher = Xxh3::new();
    for input in inputs {
        add(&mut hasher, input, input);
    }
    hasher.digest()
}

fn add(hasher: &mut Xxh3, root: &Path, path: &Path) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            .map(|entry| entry.expect("a folder entry").path())
            .collect();
        entries.sort();
        for entry in entries {
            add(hasher, root, &entry);
        }
    } else {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let name = path.strip_prefix(root).unwrap_or(path);
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
}
