//! Text to syntax tree, as Prometheus' parser reads it.
//!
//! ```text
//! text ─ lexer (tokens) ─ grammar (tree with positions) ─ check (types) ─ lower (what it means)
//!                                                                      ├ print, pretty (text)
//!                                                                      └ json
//! ```
//!
//! The parser is our own: promql-parser, which was here before, knows no positions, refuses a tenth of
//! the language (duration expressions, `anchored`, `smoothed`, operators on native histograms), takes
//! what Prometheus refuses, and overflows the stack on deep input. A test holds ours beside it.

mod check;
mod duration;
mod features;
mod functions;
mod grammar;
mod json;
mod letters;
mod lexer;
mod lower;
mod number;
mod pretty;
mod print;
mod quote;
mod reference;
mod selector;
#[cfg(test)]
mod tests;
mod tree;

use engine::model::Matcher;
use engine::{Error, Result};

use crate::ast::Expr;

pub use features::{Features, Listed};

pub(crate) use check::position;
pub(crate) use duration::Steps;
pub(crate) use quote::quoted;

/// Longest query in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// The matchers of a series selector by itself, such as `up{job="node"}`.
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words and with its position.
pub fn selector(text: &str) -> Result<Vec<Matcher>> {
    check_length(text)?;
    let selector = grammar::Parser::new(text, Features::default()).only_selector();
    let selector = selector.map_err(|fault| Error::invalid(fault.text(text)))?;
    lower::matchers(selector)
}

fn check_length(text: &str) -> Result<()> {
    match text.len() {
        ..=MAX_LENGTH => Ok(()),
        length => Err(Error::invalid(format!(
            "query is {length} bytes long, at most {MAX_LENGTH} are allowed"
        ))),
    }
}

/// The tree of a query, its types checked.
fn checked(query: &str, features: Features) -> Result<tree::Node> {
    check_length(query)?;
    let parsed = grammar::Parser::new(query, features).query().and_then(|mut node| {
        check::check(&mut node)?;
        Ok(node)
    });
    parsed.map_err(|fault| Error::invalid(fault.text(query)))
}

/// A query as Prometheus prints it, on one line.
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words and with its position.
pub fn printed(query: &str, features: Features) -> Result<String> {
    Ok(printer(features).node(&checked(query, features)?))
}

/// A query in lines, what is long in it split and indented (`/api/v1/format_query`).
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words and with its position.
pub fn formatted(query: &str, features: Features) -> Result<String> {
    Ok(printer(features).pretty(&checked(query, features)?, 0))
}

/// The syntax tree of a query, an object a part (`/api/v1/parse_query`).
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words and with its position.
pub fn syntax_tree(query: &str, features: Features) -> Result<serde_json::Value> {
    Ok(json::node(&checked(query, features)?))
}

fn printer(features: Features) -> print::Printer {
    print::Printer { unquoted_utf8: features.unquoted_utf8_names }
}

/// Parses a query that is asked for at `steps`.
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid), in Prometheus' words and with its position.
pub(crate) fn parse(query: &str, features: Features, steps: Steps) -> Result<Expr> {
    let node = checked(query, features)?;
    lower::Lowering { steps, selectors: 0, around: lower::Around::default() }.expr(node)
}
