//! Letters of all scripts (Go's `unicode.IsLetter`).

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// The first and last of each run of letters, in order.
static LETTERS: LazyLock<Vec<(char, char)>> =
    LazyLock::new(|| match regex_syntax::parse(r"\p{L}").map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.iter().map(|run| (run.start(), run.end())).collect()
        }
        _ => Vec::new(),
    });

/// Whether `c` is a letter.
pub(super) fn is_letter(c: char) -> bool {
    let behind = LETTERS.partition_point(|&(first, _)| first <= c);
    behind.checked_sub(1).is_some_and(|at| c <= LETTERS[at].1)
}
