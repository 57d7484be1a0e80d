//! Where things lie: the checkout, the shared data, the cache, the binary under test.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file or folder of the shared data: `$STOA_SHARED`, else `shared` beside the checkout.
pub(crate) fn shared(path: &str) -> PathBuf {
    let root = match std::env::var_os("STOA_SHARED") {
        Some(root) => PathBuf::from(root),
        None => repository().join("../shared"),
    };
    let found = root.join(path);
    assert!(
        found.exists(),
        "{} is missing: put the shared data beside the checkout or name its folder in STOA_SHARED",
        found.display()
    );
    found
}

/// The folder for what is built or fetched once a machine: `$STOA_CACHE`, else `~/.cache/stoa`.
pub(crate) fn cache() -> PathBuf {
    match std::env::var_os("STOA_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => {
            let home = std::env::var_os("HOME").expect("HOME or STOA_CACHE is set");
            PathBuf::from(home).join(".cache/stoa")
        }
    }
}

/// The binary under test.
pub(crate) fn stoa() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stoa"))
}

/// A folder that is removed when the value is dropped.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("stoa-test-").tempdir().expect("a temporary folder")
}
