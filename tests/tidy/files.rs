//! Files: their names, their length, their first line.

use std::path::Path;

use super::{files, none, rust_files, text};

/// The longest a Rust file may be, in lines.
const LONGEST: usize = 700;

/// Files that are longer, with their length: it may fall, never grow.
const LONGER: [(&str, usize); 0] = [];

/// Names that say nothing about what is inside.
const SAY_NOTHING: [&str; 9] =
    ["common", "helper", "helpers", "manager", "misc", "shared", "stuff", "util", "utils"];

#[test]
fn rust_files_begin_with_what_they_hold() {
    let found: Vec<String> = rust_files()
        .iter()
        .filter(|path| !text(path).starts_with("//! "))
        .map(|path| path.display().to_string())
        .collect();
    none("these files do not begin with a `//!` line", &found);
}

#[test]
fn rust_files_are_short() {
    let mut found = Vec::new();
    for path in rust_files() {
        let lines = text(&path).lines().count();
        let listed = LONGER.iter().find(|(name, _)| path == Path::new(name));
        match listed {
            None if lines > LONGEST => {
                found.push(format!("{}: {lines} lines, the cap is {LONGEST}", path.display()));
            }
            Some((name, was)) if lines > *was => {
                found.push(format!("{name}: {lines} lines, was {was}"));
            }
            Some((name, was)) if lines < *was => {
                found.push(format!("{name}: {lines} lines: lower its entry of {was}"));
            }
            _ => {}
        }
    }
    for (name, _) in LONGER {
        if !rust_files().iter().any(|path| path == Path::new(name)) {
            found.push(format!("{name}: is gone: remove its entry"));
        }
    }
    none("these files break the cap", &found);
}

#[test]
fn names_say_what_is_inside() {
    let mut found = Vec::new();
    for path in files() {
        for part in &path {
            let part = part.to_str().expect("names are UTF-8");
            let stem = part.split('.').next().unwrap_or(part);
            let last = stem.rsplit(['_', '-']).next().unwrap_or(stem);
            if SAY_NOTHING.contains(&last) {
                found.push(path.display().to_string());
            }
        }
    }
    none("these names say nothing about what is inside", &found);
}
