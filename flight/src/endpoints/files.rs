//! `--store.sd-files`: Prometheus' file_sd, as YAML or JSON; patterns in the last part of a path.

use std::path::{Path, PathBuf};

use engine::{Error, Result};
use serde::Deserialize;

use super::spec::from_yaml;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    targets: Vec<String>,
    /// Prometheus' format has them; an endpoint has none.
    #[serde(default, rename = "labels")]
    _labels: Option<std::collections::BTreeMap<String, String>>,
}

/// The targets in all files that `patterns` name; what cannot be read is told apart from what can.
pub(super) fn targets(patterns: &[PathBuf]) -> (Vec<(PathBuf, Result<Vec<String>>)>, Vec<Error>) {
    let mut files = Vec::new();
    let mut failed = Vec::new();
    for pattern in patterns {
        match matching(pattern) {
            Ok(found) => files.extend(found),
            Err(error) => failed.push(error),
        }
    }
    files.sort();
    files.dedup();
    let read = |path: PathBuf| {
        let targets = read(&path);
        (path, targets)
    };
    (files.into_iter().map(read).collect(), failed)
}

fn read(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::invalid(format!("read {}", path.display())).with_source(error))?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // JSON is YAML.
    let groups: Vec<Group> = from_yaml(&text).map_err(|error| error.context(path.display()))?;
    Ok(groups.into_iter().flat_map(|group| group.targets).collect())
}

/// The files that a path names; only its last part may have `*` and `?`.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.contains(['*', '?']) {
        return Ok(vec![pattern.to_path_buf()]);
    }
    let folder = match pattern.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error| Error::invalid(format!("list {}", folder.display())).with_source(error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(|file| fits(name.as_bytes(), file.as_bytes())) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Whether `name` is what a pattern means.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            fits(&pattern[1..], name) || (!name.is_empty() && fits(pattern, &name[1..]))
        }
        (Some(b'?'), Some(_)) => fits(&pattern[1..], &name[1..]),
        (Some(a), Some(b)) if a == b => fits(&pattern[1..], &name[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("a*.yml", "a1.yml", true),
            ("a*.yml", "b1.yml", false),
            ("*", "x", true),
            ("?.json", "x.json", true),
            ("?.json", "xx.json", false),
            ("a*b*c", "a-b-c", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
