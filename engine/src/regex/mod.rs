//! Go's RE2 syntax for label matchers, compiled for Rust.
//!
//! Patterns mean what Prometheus means by them: Go's grammar and refusals ([`parse`]), matched
//! against the whole value, `.` matching newlines (`^(?s:…)$`). Matching takes time linear in the
//! value, and memory bounded by the limits of the parser and the automaton, whatever the pattern.

mod class;
mod escape;
mod expand;
mod failure;
mod parse;
mod shape;
mod tree;

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::captures::Captures;
use regex_syntax::hir::{Hir, Look};

use crate::Result;

use failure::Refusal;
use shape::Shape;

/// The most memory of a compiled automaton, in bytes.
const MAX_AUTOMATON_BYTES: usize = 16 << 20;

/// A compiled pattern that must match a whole label value. Cheap to clone.
#[derive(Clone)]
pub struct Regex(Arc<Inner>);

struct Inner {
    pattern: String,
    matcher: Matcher,
    groups: Vec<Option<Box<str>>>,
    /// The automaton that finds groups, compiled when first asked for.
    capturing: OnceLock<meta::Regex>,
}

enum Matcher {
    Shape(Shape),
    Automaton(meta::Regex),
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.0.pattern).finish()
    }
}

impl Regex {
    /// Compiles `pattern` as Prometheus does: `^(?s:pattern)$`. A pattern that Go refuses is an
    /// [`Invalid`](crate::ErrorKind::Invalid) error in Go's words.
    pub fn anchored(pattern: &str) -> Result<Self> {
        let parsed = parse::parse(pattern)?;
        let matcher = match Shape::of(&parsed.hir) {
            Some(shape) => Matcher::Shape(shape),
            None => {
                let config = config()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(MAX_AUTOMATON_BYTES));
                let automaton = meta::Builder::new()
                    .configure(config)
                    .build_from_hir(&whole(parsed.hir))
                    .map_err(|_| Refusal::Large.of(pattern))?;
                Matcher::Automaton(automaton)
            }
        };
        Ok(Self(Arc::new(Inner {
            pattern: pattern.to_owned(),
            matcher,
            groups: parsed.groups,
            capturing: OnceLock::new(),
        })))
    }

    /// Whether the whole of `value` matches.
    pub fn is_match(&self, value: &str) -> bool {
        match &self.0.matcher {
            Matcher::Shape(shape) => shape.is_match(value),
            Matcher::Automaton(automaton) => automaton.is_match(value),
        }
    }

    /// Expands `template` with the groups of `value`'s match, as Go's `Regexp.Expand` does (`$1`,
    /// `${1}`, `$name`, `$$`); none if `value` does not match.
    pub fn expand(&self, value: &str, template: &str) -> Option<String> {
        let automaton = self.0.capturing.get_or_init(|| {
            // Bounded without a limit here: the matching automaton is, and so is what the groups add
            // to it (`parse` limits the instructions).
            let parsed = parse::parse(&self.0.pattern).expect("the pattern was parsed before");
            meta::Builder::new()
                .configure(config().nfa_size_limit(None))
                .build_from_hir(&whole(parsed.hir))
                .expect("an automaton without a size limit is built")
        });
        let mut captures: Captures = automaton.create_captures();
        automaton.captures(value, &mut captures);
        if !captures.is_match() {
            return None;
        }
        let mut expanded = String::new();
        let group = |number| captures.get_group(number).map(|span| &value[span.range()]);
        expand::expand(template, &self.0.groups, group, &mut expanded);
        Some(expanded)
    }
}

/// `^…$` around `hir`.
fn whole(hir: Hir) -> Hir {
    Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)])
}

/// The limits that both automata share: they bound what a search may hold.
fn config() -> meta::Config {
    meta::Config::new()
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(2 << 20)
        .dfa_size_limit(Some(64 << 10))
}

#[cfg(test)]
mod tests;
