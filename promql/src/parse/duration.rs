//! Durations: how they are written, and what they come to (`promql/durations.go`).

use super::check::Fault;
use super::grammar::{POWER, Parsed, Parser, check_depth, precedence};
use super::lexer::{Kind as Token, Word};
use super::tree::{Duration, DurationKind, Number};

/// The longest duration in s: Go counts nanoseconds in 63 bits.
const LONGEST: f64 = 9_223_372_036.854_775;

/// The steps of a query, which `step()` and `range()` stand for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Steps {
    /// In ms; 0 for an instant query.
    pub(crate) step: i64,
    /// From the first to the last, in ms.
    pub(crate) range: i64,
}

impl Duration {
    /// Whether it is the number 0, as which no offset at all counts.
    pub(super) fn is_zero(&self) -> bool {
        matches!(self.kind, DurationKind::Number(number) if number.value == 0.0)
    }

    /// What it comes to, in ms; `negative` if that may be 0 or less.
    pub(super) fn ms(&self, steps: Steps, negative: bool) -> Result<i64, String> {
        let place = || format!("{}:{}", self.span.start, self.span.end);
        let seconds = match self.kind {
            // Of a literal, fractions of a millisecond are rounded in another manner.
            DurationKind::Number(number) => {
                return Ok((number.value * 1e9).round() as i64 / 1_000_000);
            }
            _ => self.seconds(steps)?,
        };
        if !seconds.is_finite() {
            return Err(format!("{}: duration is NaN or infinite", place()));
        }
        if seconds <= 0.0 && !negative {
            return Err(format!("{}: duration must be greater than 0", place()));
        }
        if seconds.abs() > LONGEST {
            return Err(format!("{}: duration is out of range", place()));
        }
        Ok((seconds * 1_000.0) as i64)
    }

    fn seconds(&self, steps: Steps) -> Result<f64, String> {
        let zero =
            |what: &str| Err(format!("{}:{}: {what} by zero", self.span.start, self.span.end));
        Ok(match &self.kind {
            DurationKind::Number(number) => number.value,
            DurationKind::Step => steps.step as f64 / 1_000.0,
            DurationKind::Range => steps.range as f64 / 1_000.0,
            DurationKind::Unary(true, inner) => -inner.seconds(steps)?,
            DurationKind::Unary(false, inner) => inner.seconds(steps)?,
            DurationKind::Binary(op, left, right) => {
                let (left, right) = (left.seconds(steps)?, right.seconds(steps)?);
                match *op {
                    "/" if right == 0.0 => return zero("division"),
                    "%" if right == 0.0 => return zero("modulo"),
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    "/" => left / right,
                    "%" => left % right,
                    "^" => left.powf(right),
                    // Go's Min and Max give NaN where one is.
                    _ if left.is_nan() || right.is_nan() => f64::NAN,
                    "min_of" => left.min(right),
                    _ => left.max(right),
                }
            }
        })
    }
}

impl Parser<'_> {
    /// A duration in brackets.
    pub(super) fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<Duration> {
        let duration = self.duration(0, context, expected)?;
        match duration.kind {
            DurationKind::Number(number) if number.value <= 0.0 => {
                Err(Fault::new(duration.span.start, "duration must be greater than 0"))
            }
            _ => Ok(duration),
        }
    }

    /// The duration behind `offset`: a number or a call, with a sign before or without, is all of it
    /// (`offset -2^2` is `(… offset -2)^2`), and so are parentheses with a sign. Operators go on behind
    /// parentheses without one, and behind two signs.
    pub(super) fn offset_duration(&mut self) -> Parsed<Duration> {
        let (context, expected) = ("offset", "number, duration, step(), or range()");
        let start = self.at();
        let minus = match *self.peek()? {
            Token::Operator("-") => true,
            Token::Operator("+") => false,
            Token::LeftParen => return self.duration(0, context, expected),
            _ => return self.one_duration(context, expected),
        };
        self.take();
        if let Token::Operator("-" | "+") = *self.peek()? {
            let inner = self.deeper(|parser| parser.duration(POWER, context, expected))?;
            let left = self.signed(start, minus, inner)?;
            return self.duration_operators(start, left, 0, context, expected);
        }
        let inner = match self.peek()? {
            // What is wrong with a number is said of its sign.
            Token::Number | Token::Duration => self.literal(start)?,
            _ => self.one_duration(context, expected)?,
        };
        match inner.kind {
            DurationKind::Number(_) => self.signed(start, minus, inner),
            _ if !minus && inner.wrapped => Ok(inner),
            _ => self.made(start, inner.depth, DurationKind::Unary(minus, Box::new(inner))),
        }
    }

    /// A duration whose operators bind at least as tightly as `least`.
    #[recursive::recursive]
    fn duration(&mut self, least: u8, context: &str, expected: &str) -> Parsed<Duration> {
        let start = self.at();
        let minus = match *self.peek()? {
            Token::Operator("-") => Some(true),
            Token::Operator("+") => Some(false),
            _ => None,
        };
        let left = match minus {
            Some(minus) => {
                self.take();
                let inner = self.deeper(|parser| parser.duration(POWER, context, expected))?;
                self.signed(start, minus, inner)?
            }
            None => self.one_duration(context, expected)?,
        };
        self.duration_operators(start, left, least, context, expected)
    }

    /// What operators make of `left`.
    fn duration_operators(
        &mut self,
        start: usize,
        mut left: Duration,
        least: u8,
        context: &str,
        expected: &str,
    ) -> Parsed<Duration> {
        while let Token::Operator(op @ ("+" | "-" | "*" | "/" | "%" | "^")) = *self.peek()? {
            let binds = precedence(op);
            if binds < least {
                break;
            }
            let op_at = self.at();
            self.take();
            let least = if binds == POWER { POWER } else { binds + 1 };
            let right = self.deeper(|parser| parser.duration(least, context, expected))?;
            let zero = matches!(right.kind, DurationKind::Number(number) if number.value == 0.0);
            match op {
                "/" if zero => return Err(Fault::new(op_at, "division by zero")),
                "%" if zero => return Err(Fault::new(op_at, "modulo by zero")),
                _ => {}
            }
            // Parentheses are no part of it.
            let span = left.span.start..right.span.end;
            left = self.binary_duration(start, op, left, right)?;
            left.span = span;
        }
        Ok(left)
    }

    /// A number, a call, or a duration in parentheses.
    fn one_duration(&mut self, context: &str, expected: &str) -> Parsed<Duration> {
        let start = self.at();
        match *self.peek()? {
            Token::Number | Token::Duration => self.literal(start),
            Token::Word(word @ (Word::Step | Word::Range)) => {
                self.take();
                self.expect(&Token::LeftParen, context, expected)?;
                self.expect(&Token::RightParen, context, expected)?;
                let step = word == Word::Step;
                let kind = if step { DurationKind::Step } else { DurationKind::Range };
                self.made(start, 0, kind)
            }
            Token::Word(word @ (Word::MaxOf | Word::MinOf)) => {
                self.take();
                self.expect(&Token::LeftParen, context, expected)?;
                let left = self.deeper(|parser| parser.duration(0, context, expected))?;
                self.expect(&Token::Comma, context, expected)?;
                let right = self.deeper(|parser| parser.duration(0, context, expected))?;
                self.expect(&Token::RightParen, context, expected)?;
                let op = if word == Word::MaxOf { "max_of" } else { "min_of" };
                self.binary_duration(start, op, left, right)
            }
            Token::LeftParen => {
                self.take();
                let mut inner = self.deeper(|parser| parser.duration(0, context, expected))?;
                self.expect(&Token::RightParen, context, expected)?;
                // In parentheses a number is an expression: it is no literal any more.
                if let DurationKind::Number(_) = inner.kind {
                    let below = inner.depth;
                    inner = self.made(start, below, DurationKind::Unary(false, Box::new(inner)))?;
                }
                inner.wrapped = true;
                Ok(inner)
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }

    fn literal(&mut self, start: usize) -> Parsed<Duration> {
        let number = self.number()?;
        if number.value.abs() > LONGEST {
            return Err(Fault::new(start, "duration out of range"));
        }
        self.made(start, 0, DurationKind::Number(number))
    }

    /// A plus before anything but a number in parentheses says nothing.
    fn signed(&self, start: usize, minus: bool, inner: Duration) -> Parsed<Duration> {
        match inner.kind {
            DurationKind::Number(number) => {
                let value = if minus { -number.value } else { number.value };
                self.made(start, 0, DurationKind::Number(Number { value, ..number }))
            }
            _ if !minus => Ok(inner),
            _ => self.made(start, inner.depth, DurationKind::Unary(true, Box::new(inner))),
        }
    }

    fn binary_duration(
        &self,
        start: usize,
        op: &'static str,
        left: Duration,
        right: Duration,
    ) -> Parsed<Duration> {
        let below = left.depth.max(right.depth);
        self.made(start, below, DurationKind::Binary(op, Box::new(left), Box::new(right)))
    }

    fn made(&self, start: usize, below: usize, kind: DurationKind) -> Parsed<Duration> {
        check_depth(start, below + 1)?;
        Ok(Duration { span: start..self.end(), depth: below + 1, wrapped: false, kind })
    }
}
