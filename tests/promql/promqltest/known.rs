//! The evaluations that are known to fail: `known.txt`, `<script>:<line> <why>` a line. The list only
//! shrinks.

use std::collections::BTreeMap;

const KNOWN: &str = include_str!("known.txt");

/// The lines of the list: script, line, why.
fn known() -> impl Iterator<Item = (&'static str, usize, &'static str)> {
    KNOWN.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let parts = line.split_once(' ').and_then(|(place, why)| {
            let (script, number) = place.split_once(':')?;
            Some((script, number.parse().ok()?, why.trim()))
        });
        parts.filter(|(.., why)| !why.is_empty()).unwrap_or_else(|| panic!("known.txt: {line:?}"))
    })
}

/// The scripts and lines of the list.
pub(super) fn lines() -> Vec<(&'static str, usize)> {
    known().map(|(script, line, _)| (script, line)).collect()
}

/// Fails if `wrong`, the lines of evaluations of `script` that fail, are not those of the list.
pub(super) fn compare(script: &str, wrong: &BTreeMap<usize, String>) {
    let mut listed: Vec<usize> =
        known().filter(|(of, ..)| *of == script).map(|(_, line, _)| line).collect();
    let mut said = String::new();
    for (line, why) in wrong.iter().filter(|(line, _)| !listed.contains(line)) {
        said += &format!("{script}:{line} fails: {why}\n");
    }
    listed.retain(|line| !wrong.contains_key(line));
    for line in listed {
        said += &format!("{script}:{line} passes: take it off known.txt\n");
    }
    assert!(said.is_empty(), "{said}");
}

/// Fails if the list has scripts that are not among `scripts`.
pub(super) fn only_of(scripts: &[&str]) {
    let others: Vec<&str> =
        known().map(|(script, ..)| script).filter(|script| !scripts.contains(script)).collect();
    assert!(others.is_empty(), "known.txt has scripts that are not there: {others:?}");
}
