//! What stands in braces, and lists of labels.

use engine::model::{METRIC_NAME, MatchOp, Matcher};

use crate::ast::Text;

use super::check::Fault;
use super::grammar::{Parsed, Parser};
use super::lexer::{Kind as Token, Word};
use super::quote::quoted;
use super::tree::Condition;

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// The conditions in braces.
    pub(super) fn conditions(&mut self) -> Parsed<Vec<Condition>> {
        self.take();
        let mut conditions = Vec::new();
        while !self.takes(&Token::RightBrace)? {
            conditions.push(self.condition()?);
            if self.takes(&Token::RightBrace)? {
                break;
            }
            self.expect(&Token::Comma, CONTEXT, "\",\" or \"}\"")?;
        }
        Ok(conditions)
    }

    fn condition(&mut self) -> Parsed<Condition> {
        let start = self.at();
        let (name, is_quoted) = match self.peek()? {
            Token::Identifier => (Text::from(self.take()), false),
            Token::Text => (self.text()?, true),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        let op = match self.peek()? {
            Token::Assign => MatchOp::Equal,
            Token::Operator("!=") => MatchOp::NotEqual,
            Token::Matches => MatchOp::Regex,
            Token::NotMatches => MatchOp::NotRegex,
            // A string by itself is the name of the metric.
            _ if is_quoted => {
                return condition(start, Text::from(METRIC_NAME), MatchOp::Equal, name);
            }
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.take();
        match self.peek()? {
            Token::Text => {
                let value = self.text()?;
                condition(start, name, op, value)
            }
            _ => Err(self.unexpected(CONTEXT, "string")),
        }
    }

    /// Labels in parentheses, behind `by` and its like.
    pub(super) fn labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(&Token::LeftParen, CONTEXT, "\"(\"")?;
        let mut labels = Vec::new();
        while !self.takes(&Token::RightParen)? {
            let start = self.at();
            let label = match self.peek()? {
                Token::Text => {
                    let label = self.text()?;
                    match label.as_str() {
                        Some(name) if !name.is_empty() => name.to_owned(),
                        _ => return Err(no_label(start, &label)),
                    }
                }
                // A colon asks for quotes where everything else does without.
                Token::MetricIdentifier if self.features().unquoted_utf8_names => {
                    return Err(no_label(start, self.take()));
                }
                Token::Identifier
                | Token::MetricIdentifier
                | Token::Aggregate(_)
                | Token::Word(
                    Word::Bool
                    | Word::By
                    | Word::GroupLeft
                    | Word::GroupRight
                    | Word::Fill
                    | Word::FillLeft
                    | Word::FillRight
                    | Word::Ignoring
                    | Word::Offset
                    | Word::Smoothed
                    | Word::Anchored
                    | Word::On
                    | Word::Start
                    | Word::End
                    | Word::Step
                    | Word::Range
                    | Word::MaxOf
                    | Word::MinOf,
                )
                | Token::Operator("and" | "or" | "unless" | "atan2") => self.take().to_owned(),
                _ => return Err(self.unexpected(CONTEXT, "label")),
            };
            labels.push(label);
            if self.takes(&Token::RightParen)? {
                break;
            }
            self.expect(&Token::Comma, CONTEXT, "\",\" or \")\"")?;
        }
        Ok(labels)
    }
}

fn no_label(start: usize, label: impl AsRef<[u8]>) -> Fault {
    Fault::new(start, format!("invalid label name for grouping: {}", quoted(label)))
}

/// No label has a value or a name that is no UTF-8.
const NO_VALUE: &str = r"[^\x00-\x{10FFFF}]";

fn condition(start: usize, name: Text, op: MatchOp, value: Text) -> Parsed<Condition> {
    let fault = |message: &str| Fault::new(start, message);
    let matcher = match (value.as_str(), op) {
        (Some(value), _) => Matcher::new(name.shown(), op, value),
        (None, MatchOp::Equal) => Matcher::new(name.shown(), MatchOp::Regex, NO_VALUE),
        (None, MatchOp::NotEqual) => Matcher::new(name.shown(), MatchOp::NotRegex, NO_VALUE),
        (None, MatchOp::Regex | MatchOp::NotRegex) => match literals(value.as_ref()) {
            Some(pattern) => Matcher::new(name.shown(), op, pattern),
            None => {
                let valid = value.as_ref().utf8_chunks().next();
                let valid = valid.map_or(0, |chunk| chunk.valid().len());
                let rest = Text::new(&value.as_ref()[valid..]);
                let message = format!("error parsing regexp: invalid UTF-8: `{}`", rest.shown());
                return Err(fault(&message));
            }
        },
    };
    let matcher = matcher.map_err(|error| fault(error.message()))?;
    Ok(Condition { name, op, value, matcher })
}

/// A pattern that is nothing but literals, one of which is no UTF-8: Prometheus does not parse such a one
/// (`optimizeAlternatingLiterals` in model/labels/regexp.go). What is no UTF-8 matches nothing.
fn literals(pattern: &[u8]) -> Option<String> {
    if pattern.iter().any(|byte| br"\.+*?()[]{}^$".contains(byte)) {
        return None;
    }
    let literal = |bytes| std::str::from_utf8(bytes).unwrap_or(NO_VALUE);
    let all: Vec<&str> = pattern.split(|&byte| byte == b'|').map(literal).collect();
    Some(all.join("|"))
}
