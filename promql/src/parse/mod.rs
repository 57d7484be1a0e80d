//! Text to syntax tree: promql-parser's grammar behind guards.
//!
//! ```text
//! text ─ scan (limits, what is not supported yet, matchers' values set aside)
//!      ─ promql-parser (grammar, types)
//!      ─ convert (our tree, patterns compiled as Go's RE2)
//!      ─ check (what promql-parser lets pass and Prometheus does not)
//! ```
//!
//! No type of promql-parser leaves this module. It compiles patterns with other rules than
//! Prometheus, so [`scan`] takes the values of matchers out of the text before and [`convert`] puts
//! them back.

mod convert;
mod messages;
mod scan;
#[cfg(test)]
mod tests;

use engine::{Error, Result};

use crate::ast::Expr;

/// What a query may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Experimental functions and aggregations (`--enable-feature=promql-experimental-functions`).
    pub experimental_functions: bool,
}

/// Parses a query.
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words as far as known (without the
/// position); [`Unsupported`](engine::ErrorKind::Unsupported) for parts of the language that are
/// not there yet.
pub fn parse(query: &str, features: Features) -> Result<Expr> {
    let scanned = scan::scan(query)?;
    let parsed = promql_parser::parser::parse(&scanned.text)
        .map_err(|message| parse_error(&messages::in_prometheus_words(&message, &scanned)))?;
    convert::Converter::new(&scanned.matchers, features).convert(parsed)
}

fn parse_error(message: &str) -> Error {
    Error::invalid(format!("parse error: {message}"))
}
