//! The files of a configuration: read, unpacked, written, hashed. Blocking.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use engine::{Error, Result};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::Hash;

/// Most bytes of a configuration, unpacked.
pub(super) const MAX_CONFIG: usize = 64 << 20;
/// Most bytes of all rule files.
const MAX_RULES: u64 = 1 << 30;
/// Most files and folders below a rule folder.
const MAX_ENTRIES: usize = 100_000;

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::invalid(path.display().to_string()).with_source(error)
}

/// Opens a file; what is none (a device, a pipe, a folder) is an error: it may have no end.
fn open(path: &Path) -> Result<File> {
    // Looked at before it is opened: opening a pipe waits for its writer.
    if !std::fs::metadata(path).map_err(failed(path))?.is_file() {
        return Err(Error::invalid(format!("{}: not a regular file", path.display())));
    }
    File::open(path).map_err(failed(path))
}

/// The configuration at `path`, as it is kept.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    bounded(open(path)?, path)
}

/// What was read at `path`, unpacked if it is gzip.
pub(super) fn unpacked<'a>(kept: &'a [u8], path: &Path) -> Result<Cow<'a, [u8]>> {
    if !kept.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(kept));
    }
    bounded(MultiGzDecoder::new(kept), path).map(Cow::Owned)
}

fn bounded(input: impl Read, path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    input.take(MAX_CONFIG as u64 + 1).read_to_end(&mut text).map_err(failed(path))?;
    if text.len() > MAX_CONFIG {
        return Err(Error::invalid(format!("{}: more than {MAX_CONFIG} bytes", path.display())));
    }
    Ok(text)
}

/// Makes `path` hold `text`: written beside it and renamed, so that a reader sees the old or the new
/// text. A file that holds it already is left alone, and with it whoever watches its folder.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<()> {
    if read_as_it_is(path).is_some_and(|known| known == text) {
        return Ok(());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // It may not be there, and it is not what went wrong.
        let _ = std::fs::remove_file(&beside);
        failed(path)(error)
    })
}

fn read_as_it_is(path: &Path) -> Option<Vec<u8>> {
    read(path).ok()
}

/// SHA-256 over `0xff path 0xff content` of the configuration and of all files below the rule
/// folders, in the order of their names. The configuration is what was read of it: by now its file
/// may have another content, which nobody has been told of.
pub(super) fn hash(config: Option<(&Path, &[u8])>, rule_dirs: &[PathBuf]) -> Result<Hash> {
    let mut hash = Sha256::new();
    let mut left = MAX_RULES;
    if let Some((path, kept)) = config {
        name(&mut hash, path);
        hash.update(kept);
    }
    for dir in rule_dirs {
        let root = std::fs::canonicalize(dir).map_err(failed(dir))?;
        let mut files = Vec::new();
        list(&root, &mut files)?;
        files.sort();
        for file in files {
            add(&mut hash, &file, &mut left)?;
        }
    }
    Ok(hash.finalize().into())
}

/// The files below `root`. Links to files count as files; links to folders are not followed.
fn list(root: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut folders = vec![root.to_path_buf()];
    let mut entries = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            entries += 1;
            if entries > MAX_ENTRIES {
                let what = format!("{}: more than {MAX_ENTRIES} files", root.display());
                return Err(Error::invalid(what));
            }
            let path = entry.path();
            let is_link = entry.file_type().map_err(failed(&path))?.is_symlink();
            if !std::fs::metadata(&path).map_err(failed(&path))?.is_dir() {
                files.push(path);
            } else if !is_link {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn name(hash: &mut Sha256, path: &Path) {
    hash.update([0xff]);
    hash.update(path.as_os_str().as_bytes());
    hash.update([0xff]);
}

fn add(hash: &mut Sha256, path: &Path, left: &mut u64) -> Result<()> {
    let mut file = open(path)?;
    name(hash, path);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer).map_err(failed(path))?;
        if read == 0 {
            return Ok(());
        }
        *left = left.checked_sub(read as u64).ok_or_else(|| {
            Error::invalid(format!("{}: more than {MAX_RULES} bytes of rules", path.display()))
        })?;
        hash.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is swapped between reading and hashing would never reach the server.
    #[test]
    fn what_is_hashed_is_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prometheus.yaml");
        let hash_of = |kept: &[u8]| hash(Some((&path, kept)), &[]).unwrap();
        std::fs::write(&path, "one").unwrap();
        let one = read(&path).unwrap();
        let told = hash_of(&one);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(hash_of(&one), told);
        assert_ne!(hash_of(&read(&path).unwrap()), told);
    }
}
