//! What may not stand in a file.

use std::path::Path;

use super::{files, none, rust_files, text};

/// Text that may stand in no Rust file. Each is written in two halves, so that this file passes.
const NOWHERE: [&str; 7] = [
    concat!("#[ign", "ore"),
    concat!("thread::sl", "eep"),
    concat!("tod", "o!("),
    concat!("unimplem", "ented!("),
    concat!("db", "g!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

/// Text that may not stand in production code: it ends the process on an input.
const NOT_IN_PRODUCTION: [&str; 3] =
    [concat!(".unw", "rap()"), concat!(".exp", "ect(\"\")"), concat!("process::ab", "ort")];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

#[test]
fn rust_files_are_finished() {
    let mut found = Vec::new();
    for path in rust_files() {
        for (number, line) in (1..).zip(text(&path).lines()) {
            for forbidden in NOWHERE {
                if line.contains(forbidden) {
                    found.push(format!("{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    none("these lines have something that may stand nowhere", &found);
}

#[test]
fn production_code_returns_its_errors() {
    let mut found = Vec::new();
    for path in rust_files().iter().filter(|path| is_production(path)) {
        let text = text(path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            let comment = line.trim_start().starts_with("//");
            if !comment && NOT_IN_PRODUCTION.iter().any(|forbidden| line.contains(forbidden)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    none("these lines can end the process", &found);
}

#[test]
fn nothing_names_a_machine() {
    let mut found = Vec::new();
    for path in files() {
        let Ok(text) = std::fs::read_to_string(crate::support::repository().join(&path)) else {
            continue; // Not text.
        };
        for (number, line) in (1..).zip(text.lines()) {
            if MACHINE_PATHS.iter().any(|prefix| line.contains(prefix)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    none("these lines name a path of a machine", &found);
}

#[test]
fn locks_name_no_registry_but_the_public_one() {
    let mut found = Vec::new();
    for path in files() {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name == "package-lock.json" {
            for (number, line) in (1..).zip(text(&path).lines()) {
                if line.trim_start().starts_with("\"resolved\"") {
                    found.push(format!("{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    for (number, line) in (1..).zip(text("Cargo.lock".as_ref()).lines()) {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        if line.starts_with("source = ") && line != public {
            found.push(format!("Cargo.lock:{number}: {line}"));
        }
    }
    none("these lines name a registry (npm: omit-lockfile-registry-resolved)", &found);
}

/// Whether a file is part of the product: not a test, a bench or what they share.
fn is_production(path: &Path) -> bool {
    !path.starts_with("tests")
        && !path.starts_with("benches")
        && !path.iter().any(|part| part == "tests" || part == "tests.rs")
        && !path.file_stem().and_then(|s| s.to_str()).is_some_and(|s| s.ends_with("_tests"))
}
