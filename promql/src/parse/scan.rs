//! A pass over the text before the grammar sees it.

use engine::model::MatchOp;
use engine::{Error, Result};
use promql_parser::util::unquote_string;

use super::parse_error;

/// Longest query in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// Deepest tree. promql-parser drops, and everything after walks, its tree by recursion; a chain
/// `a + b + …` is as deep as it is long.
const MAX_DEPTH: usize = 1_000;

/// A value in braces: of a matcher, or a quoted metric name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MatcherText {
    /// The operator; `=` for a quoted metric name.
    pub(super) op: MatchOp,
    pub(super) value: String,
}

/// A query whose values in braces are replaced by their index in `matchers`, with `=` before them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) text: String,
    pub(super) matchers: Vec<MatcherText>,
}

pub(super) fn scan(query: &str) -> Result<Scanned> {
    if query.len() > MAX_LENGTH {
        return Err(Error::invalid(format!(
            "query is {} bytes long, at most {MAX_LENGTH} are allowed",
            query.len()
        )));
    }
    let mut scanner = Scanner {
        rest: query,
        out: Scanned { text: String::with_capacity(query.len()), matchers: Vec::new() },
        levels: vec![0],
        depth: 0,
        braces: 0,
        op: None,
        last_word: "",
    };
    scanner.run()?;
    Ok(scanner.out)
}

struct Scanner<'a> {
    rest: &'a str,
    out: Scanned,
    /// For each open parenthesis or bracket: operators seen in it since the last comma.
    levels: Vec<usize>,
    /// The sum of `levels` and their number: no node is deeper in the tree.
    depth: usize,
    braces: usize,
    /// The matcher operator just seen, in braces.
    op: Option<MatchOp>,
    /// The last word, if nothing but space came after it.
    last_word: &'a str,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<()> {
        while let Some(first) = self.rest.chars().next() {
            match first {
                '"' | '\'' | '`' => self.string(first)?,
                '#' => {
                    let line = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.skip(line);
                }
                '{' => {
                    self.braces += 1;
                    self.copy(1);
                }
                '}' => {
                    self.braces = self.braces.saturating_sub(1);
                    self.copy(1);
                }
                _ if self.braces > 0 => self.in_braces(first)?,
                '(' | '[' => self.open(first)?,
                ')' | ']' => {
                    if self.levels.len() > 1 {
                        let operators = self.levels.pop().unwrap_or(0);
                        self.depth -= operators + 1;
                    }
                    self.copy(1);
                }
                ',' => {
                    if let Some(operators) = self.levels.last_mut() {
                        self.depth -= *operators;
                        *operators = 0;
                    }
                    self.copy(1);
                }
                _ if first.is_alphabetic() || first == '_' => self.word()?,
                _ if first.is_ascii_digit() || first == '.' => self.number(),
                _ => self.symbol(first)?,
            }
        }
        Ok(())
    }

    fn copy(&mut self, bytes: usize) {
        self.out.text.push_str(&self.rest[..bytes]);
        self.rest = &self.rest[bytes..];
        self.last_word = "";
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::invalid(format!(
                "expression is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(())
    }

    fn operator(&mut self) -> Result<()> {
        if let Some(operators) = self.levels.last_mut() {
            *operators += 1;
        }
        self.deeper()
    }

    fn open(&mut self, first: char) -> Result<()> {
        if first == '[' {
            let inside = self.rest[1..].split(']').next().unwrap_or("");
            // `[5m]`, `[300]`, `[1.5]`, `[5m:]`, `[5m:30s]` and nothing else is a plain duration.
            let plain =
                |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '.' || c.is_whitespace();
            let named = inside.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.len() > 2);
            // What opens another bracket is nothing, which the parser says.
            if !inside.starts_with('[') && (!inside.chars().all(plain) || named) {
                return Err(unsupported("duration expressions"));
            }
        } else if self.last_word.eq_ignore_ascii_case("offset") {
            return Err(unsupported("duration expressions"));
        }
        self.levels.push(0);
        self.deeper()?;
        self.copy(1);
        Ok(())
    }

    fn word(&mut self) -> Result<()> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.';
        let length = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        let known = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        if known(&["and", "or", "unless", "atan2"]) {
            self.operator()?;
        }
        let before = self.out.text.trim_end();
        let after_selector = before.ends_with(['}', ']', ')']) || !self.last_word.is_empty();
        if known(&["anchored", "smoothed"]) && after_selector && !before.ends_with(['(', ',']) {
            return Err(unsupported(&format!("the {} modifier", word.to_lowercase())));
        }
        if self.last_word.eq_ignore_ascii_case("offset")
            && known(&["step", "range", "min_of", "max_of"])
        {
            return Err(unsupported("duration expressions"));
        }
        self.out.text.push_str(word);
        self.rest = &self.rest[length..];
        self.last_word = word;
        Ok(())
    }

    /// A number or duration with its exponent, so that the sign in `1e-3` is no operator.
    fn number(&mut self) {
        let bytes = self.rest.as_bytes();
        let hexadecimal = bytes.len() > 1 && bytes[0] == b'0' && bytes[1] | 0x20 == b'x';
        let mut length = 0;
        while length < bytes.len() {
            let byte = bytes[length];
            let sign = (byte == b'+' || byte == b'-')
                && !hexadecimal
                && length > 0
                && bytes[length - 1] | 0x20 == b'e';
            if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || sign) {
                break;
            }
            length += 1;
        }
        self.copy(length);
    }

    fn symbol(&mut self, first: char) -> Result<()> {
        if first.is_whitespace() {
            let word = self.last_word;
            self.copy(first.len_utf8());
            self.last_word = word;
            return Ok(());
        }
        if self.rest.starts_with("</") || self.rest.starts_with(">/") {
            return Err(unsupported("operators on native histograms (</, >/)"));
        }
        if "+-*/%^=!<>".contains(first) {
            self.operator()?;
        }
        let double = ["==", "!=", "<=", ">=", "=~", "!~"];
        let length = if double.iter().any(|op| self.rest.starts_with(op)) { 2 } else { 1 };
        self.copy(if length == 2 { 2 } else { first.len_utf8() });
        Ok(())
    }

    fn in_braces(&mut self, first: char) -> Result<()> {
        let ops = [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ];
        match ops.iter().find(|(text, _)| self.rest.starts_with(text)) {
            Some((text, op)) => {
                self.op = Some(*op);
                self.out.text.push('=');
                self.skip(text.len());
            }
            None => {
                if !first.is_whitespace() {
                    self.op = None;
                }
                self.copy(first.len_utf8());
            }
        }
        Ok(())
    }

    /// A string; in braces, and if it is not the name of a label, its value is set aside.
    fn string(&mut self, quote: char) -> Result<()> {
        let mut escaped = false;
        let end = self.rest[1..].char_indices().find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped && quote != '`';
            ends
        });
        let Some((end, _)) = end else {
            let kind = if quote == '`' { "raw" } else { "quoted" };
            return Err(parse_error(&format!("unterminated {kind} string")));
        };
        let length = end + 2;
        let literal = &self.rest[..length];
        let is_name = self.rest[length..].trim_start().starts_with(['=', '!']);
        if self.braces == 0 || (is_name && self.op.is_none()) {
            self.copy(length);
            return Ok(());
        }
        let value = unquote_string(literal).map_err(|error| {
            parse_error(&format!("error unquoting string {literal:?}: {error}"))
        })?;
        let index = self.out.matchers.len();
        let op = self.op.take().unwrap_or(MatchOp::Equal);
        self.out.matchers.push(MatcherText { op, value });
        self.out.text.push_str(&format!("\"{index}\""));
        self.skip(length);
        Ok(())
    }
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(format!("not supported yet: {what}"))
}
