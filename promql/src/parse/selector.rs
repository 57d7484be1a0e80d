//! What stands in braces, and lists of labels.

use engine::model::{METRIC_NAME, MatchOp, Matcher};

use super::check::Fault;
use super::grammar::{Parsed, Parser};
use super::lexer::Kind as Token;
use super::quote::quoted;

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// The matchers in braces.
    pub(super) fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        self.take();
        let mut matchers = Vec::new();
        while !self.takes(&Token::RightBrace)? {
            matchers.push(self.matcher()?);
            if self.takes(&Token::RightBrace)? {
                break;
            }
            self.expect(&Token::Comma, CONTEXT, "\",\" or \"}\"")?;
        }
        Ok(matchers)
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let start = self.at();
        let (name, is_quoted) = match self.peek()? {
            Token::Identifier => (self.take().to_owned(), false),
            Token::Text => (self.text()?, true),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        let op = match self.peek()? {
            Token::Assign => MatchOp::Equal,
            Token::Operator("!=") => MatchOp::NotEqual,
            Token::Matches => MatchOp::Regex,
            Token::NotMatches => MatchOp::NotRegex,
            // A string by itself is the name of the metric.
            _ if is_quoted => return matcher(start, METRIC_NAME, MatchOp::Equal, name),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.take();
        match self.peek()? {
            Token::Text => {
                let value = self.text()?;
                matcher(start, &name, op, value)
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
                Token::Text => self.text()?,
                Token::Identifier
                | Token::MetricIdentifier
                | Token::Aggregate(_)
                | Token::Word(_)
                | Token::Operator("and" | "or" | "unless" | "atan2") => self.take().to_owned(),
                _ => return Err(self.unexpected(CONTEXT, "label")),
            };
            if label.is_empty() {
                let label = quoted(&label);
                let message = format!("invalid label name for grouping: {label}");
                return Err(Fault::new(start, message));
            }
            labels.push(label);
            if self.takes(&Token::RightParen)? {
                break;
            }
            self.expect(&Token::Comma, CONTEXT, "\",\" or \")\"")?;
        }
        Ok(labels)
    }
}

fn matcher(start: usize, name: &str, op: MatchOp, value: String) -> Parsed<Matcher> {
    Matcher::new(name, op, value).map_err(|error| Fault::new(start, error.message()))
}
