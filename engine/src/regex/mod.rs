//! Go's RE2 syntax for label matchers.

use std::sync::Arc;

use crate::{Error, Result};

/// A compiled pattern that must match a whole label value.
#[derive(Debug, Clone)]
pub struct Regex(Arc<regex_automata::meta::Regex>);

impl Regex {
    /// Compiles `pattern` as Prometheus does: `^(?s:pattern)$`.
    pub fn anchored(pattern: &str) -> Result<Self> {
        regex_automata::meta::Regex::new(&format!("^(?s:{pattern})$"))
            .map(|regex| Self(Arc::new(regex)))
            .map_err(|e| Error::invalid(format!("pattern {pattern:?}: {e}")))
    }

    /// Whether the whole of `value` matches.
    pub fn is_match(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}
