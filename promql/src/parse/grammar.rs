//! Tokens to syntax tree, by recursive descent (`promql/parser/generated_parser.y`).
//!
//! The first thing that is wrong ends the parsing. Where a text could be read in two ways, it is read
//! as Prometheus' generated parser does.

use super::check::Fault;
use super::functions::signature;
use super::lexer::{Kind as Token, Lexer, Token as Found, Word};
use super::quote::{quoted, unquoted};
use super::tree::{Aggregate, Binary, Call, Kind, Modifier, Node, Number, Selector, Subquery};
use super::{Features, number};
use crate::ast::{At, Text};

/// Deepest tree: it is walked by recursion, and a chain `a + b + …` is as deep as it is long.
const MAX_DEPTH: usize = 1_000;

pub(super) type Parsed<T> = Result<T, Fault>;

/// How tightly operators bind; a unary minus binds as `*` does.
const UNARY: u8 = 5;
pub(super) const POWER: u8 = 6;

/// How tightly a binary operator binds.
pub(super) fn precedence(op: &str) -> u8 {
    match op {
        "or" => 1,
        "and" | "unless" => 2,
        "==" | "!=" | "<" | "<=" | ">" | ">=" | "</" | ">/" => 3,
        "+" | "-" => 4,
        "*" | "/" | "%" | "atan2" => UNARY,
        _ => POWER,
    }
}

/// Reads one query.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    features: Features,
    /// The token that is looked at.
    next: Found,
    /// Where the last token that was taken ended.
    end: usize,
    /// How many calls of itself the parser is in.
    nesting: usize,
    /// How many aggregations are open: errors in them say so.
    aggregations: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(query: &'a str, features: Features) -> Self {
        let mut lexer = Lexer::new(query, features.unquoted_utf8_names);
        let next = lexer.next();
        Self { lexer, features, next, end: 0, nesting: 0, aggregations: 0 }
    }

    /// The whole query.
    pub(super) fn query(mut self) -> Parsed<Node> {
        if self.peek()? == &Token::End {
            return Err(Fault::new(0, "no expression found in input"));
        }
        let expr = self.expr(0)?;
        match self.peek()? {
            Token::End => Ok(expr),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// The kind of the next token; what is wrong with the text is an error as soon as it is looked at.
    pub(super) fn peek(&self) -> Parsed<&Token> {
        match &self.next.kind {
            Token::Error(message) => Err(Fault::new(self.next.at.start, message.clone())),
            kind => Ok(kind),
        }
    }

    /// What the query may use.
    pub(super) fn features(&self) -> Features {
        self.features
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> usize {
        self.next.at.start
    }

    /// Where the last token ended.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Takes the next token, and returns its text.
    pub(super) fn take(&mut self) -> &'a str {
        let text = self.lexer.text(&self.next);
        self.end = self.next.at.end;
        self.next = self.lexer.next();
        text
    }

    /// Takes the next token if it is `wanted`.
    pub(super) fn takes(&mut self, wanted: &Token) -> Parsed<bool> {
        let found = self.peek()? == wanted;
        if found {
            self.take();
        }
        Ok(found)
    }

    /// Takes the next token, which must be `wanted`.
    pub(super) fn expect(&mut self, wanted: &Token, context: &str, expected: &str) -> Parsed<()> {
        match self.takes(wanted)? {
            true => Ok(()),
            false => Err(self.unexpected(context, expected)),
        }
    }

    /// Whether the token behind the next one opens a parenthesis.
    fn before_paren(&self) -> bool {
        self.lexer.ahead() == Token::LeftParen
    }

    /// An error about the next token.
    pub(super) fn unexpected(&self, context: &str, expected: &str) -> Fault {
        if let Token::Error(message) = &self.next.kind {
            return Fault::new(self.next.at.start, message.clone());
        }
        let mut message = "unexpected ".to_owned();
        message.push_str(&self.next.described(self.lexer.text(&self.next)));
        let context = match context {
            "" if self.aggregations > 0 => "aggregation",
            other => other,
        };
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        Fault::new(self.next.at.start, message)
    }

    /// Reads something inside of something.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.nesting += 1;
        check_depth(self.at(), self.nesting)?;
        let done = read(self);
        self.nesting -= 1;
        done
    }

    /// A selector by itself.
    pub(super) fn only_selector(mut self) -> Parsed<Selector> {
        let start = self.at();
        let node = match self.peek()? {
            Token::LeftBrace => self.braces(start)?,
            _ if self.is_name()? => self.named(start)?,
            _ => return Err(self.unexpected("", "")),
        };
        match (self.peek()?, node.kind) {
            (Token::End, Kind::Selector(selector)) => Ok(selector),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A node, unless the tree gets too deep by it.
    fn node(&self, start: usize, below: usize, kind: Kind) -> Parsed<Node> {
        let depth = below + 1;
        check_depth(start, depth)?;
        Ok(Node { span: start..self.end, depth, kind })
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Parsed<Node> {
        self.deeper(|parser| parser.operations(least))
    }

    #[recursive::recursive]
    fn operations(&mut self, least: u8) -> Parsed<Node> {
        let mut left = self.unary()?;
        while let Token::Operator(op) = *self.peek()? {
            let binds = precedence(op);
            if binds < least {
                break;
            }
            let op_at = self.at();
            self.take();
            let modifier = self.modifier()?;
            // Only `^` is read from the right.
            let right = self.expr(if binds == POWER { POWER } else { binds + 1 })?;
            let start = left.span.start;
            let filled = modifier.fill.iter().any(Option::is_some);
            if filled && !self.features.fill_modifiers {
                let message = "binop fill modifiers are experimental and not enabled";
                return Err(Fault::new(start, message));
            }
            let below = left.depth.max(right.depth);
            let binary = Binary { op, op_at, left, right, modifier };
            left = self.node(start, below, Kind::Binary(Box::new(binary)))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Node> {
        let start = self.at();
        let minus = match *self.peek()? {
            Token::Operator("-") => true,
            Token::Operator("+") => false,
            _ => return self.postfix(),
        };
        self.take();
        let mut inner = self.expr(POWER)?;
        if let Kind::Number(number) = &mut inner.kind {
            if minus {
                number.value = -number.value;
            }
            inner.span.start = start;
            return Ok(inner);
        }
        let below = inner.depth;
        self.node(start, below, Kind::Unary(minus, Box::new(inner)))
    }

    /// A primary expression and what stands behind it.
    fn postfix(&mut self) -> Parsed<Node> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.peek()? {
                Token::LeftBracket => self.brackets(expr)?,
                Token::At => self.at_modifier(expr)?,
                Token::Word(Word::Offset) => self.offset(expr)?,
                Token::Word(Word::Anchored) => self.edges(expr, true)?,
                Token::Word(Word::Smoothed) => self.edges(expr, false)?,
                _ => return Ok(expr),
            };
            expr.span.end = self.end;
        }
    }

    fn primary(&mut self) -> Parsed<Node> {
        let start = self.at();
        match *self.peek()? {
            Token::Number | Token::Duration => {
                let number = self.number()?;
                self.node(start, 0, Kind::Number(number))
            }
            Token::Text => {
                let value = self.text()?;
                self.node(start, 0, Kind::Text(value))
            }
            Token::LeftParen => {
                self.take();
                let inner = self.expr(0)?;
                self.expect(&Token::RightParen, "", "")?;
                let below = inner.depth;
                self.node(start, below, Kind::Paren(Box::new(inner)))
            }
            Token::LeftBrace => self.braces(start),
            Token::Aggregate(op) if self.before_aggregation() => {
                self.take();
                self.aggregations += 1;
                let aggregate = self.aggregate(start, op);
                self.aggregations -= 1;
                aggregate
            }
            Token::Identifier
            | Token::Word(
                Word::Start | Word::End | Word::Step | Word::Range | Word::MaxOf | Word::MinOf,
            ) if self.before_paren() => self.call(start),
            _ if self.is_name()? => self.named(start),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// Whether the next token can be the name of a metric.
    fn is_name(&self) -> Parsed<bool> {
        Ok(match self.peek()? {
            Token::Identifier | Token::MetricIdentifier | Token::Aggregate(_) => true,
            Token::Operator(op) => matches!(*op, "and" | "or" | "unless"),
            Token::Word(word) => !matches!(
                word,
                Word::Bool | Word::On | Word::Ignoring | Word::GroupLeft | Word::GroupRight
            ),
            _ => false,
        })
    }

    /// Whether the next token can be the first of an expression.
    fn begins_expr(&self) -> Parsed<bool> {
        let begins = matches!(
            self.peek()?,
            Token::Number
                | Token::Duration
                | Token::Text
                | Token::LeftParen
                | Token::LeftBrace
                | Token::Operator("+" | "-")
        );
        Ok(begins || self.is_name()?)
    }

    /// A selector without a name before its braces.
    fn braces(&mut self, start: usize) -> Parsed<Node> {
        let conditions = self.conditions()?;
        let selector = Selector { conditions, ..Selector::default() };
        self.node(start, 0, Kind::Selector(selector))
    }

    /// Whether the aggregation that is looked at is one, and not the name of a metric.
    fn before_aggregation(&self) -> bool {
        let ahead = self.lexer.ahead();
        matches!(ahead, Token::LeftParen | Token::Word(Word::By | Word::Without))
    }

    /// A selector that begins with the name of its metric.
    fn named(&mut self, start: usize) -> Parsed<Node> {
        let name = Some(self.take().to_owned());
        let conditions = match self.peek()? {
            Token::LeftBrace => self.conditions()?,
            _ => Vec::new(),
        };
        let selector = Selector { name, conditions, ..Selector::default() };
        self.node(start, 0, Kind::Selector(selector))
    }

    /// A number, or a duration in seconds.
    pub(super) fn number(&mut self) -> Parsed<Number> {
        let (start, is_duration) = (self.at(), self.peek()? == &Token::Duration);
        let text = self.take();
        let value = if is_duration { number::duration(text) } else { number::number(text) };
        let value = value.map_err(|message| Fault::new(start, message))?;
        Ok(Number { value, is_duration })
    }

    /// The value of a string.
    pub(super) fn text(&mut self) -> Parsed<Text> {
        let start = self.at();
        let literal = self.take();
        unquoted(literal).map_err(|error| {
            Fault::new(start, format!("error unquoting string {}: {error}", quoted(literal)))
        })
    }

    fn aggregate(&mut self, start: usize, op: &'static str) -> Parsed<Node> {
        let mut grouping = self.grouping()?;
        let args = self.args()?;
        let mut end = self.end;
        if grouping.is_none() {
            grouping = self.grouping()?;
            end = if grouping.is_some() { self.end } else { end };
        }
        let fault = |message: String| Err(Fault::new(start, message));
        if args.is_empty() {
            return fault("no arguments for aggregate expression provided".to_owned());
        }
        let experimental = matches!(op, "limitk" | "limit_ratio");
        if experimental && !self.features.experimental_functions {
            return fault(format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            ));
        }
        let with_param =
            experimental || matches!(op, "topk" | "bottomk" | "count_values" | "quantile");
        let (wanted, given) = (1 + usize::from(with_param), args.len());
        let mut args = args.into_iter();
        let param = if with_param { args.next() } else { None };
        let (Some(expr), None) = (args.next(), args.next()) else {
            return fault(format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
            ));
        };
        let below = param.as_ref().map_or(0, |param| param.depth).max(expr.depth);
        let aggregate = Aggregate { op, grouping, param, expr };
        let mut node = self.node(start, below, Kind::Aggregate(Box::new(aggregate)))?;
        node.span.end = end;
        Ok(node)
    }

    /// `by (…)` or `without (…)`, if it is there.
    fn grouping(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let without = match *self.peek()? {
            Token::Word(Word::By) => false,
            Token::Word(Word::Without) => true,
            _ => return Ok(None),
        };
        self.take();
        Ok(Some((without, self.labels()?)))
    }

    /// Arguments in parentheses.
    fn args(&mut self) -> Parsed<Vec<Node>> {
        self.expect(&Token::LeftParen, "", "")?;
        let mut args = Vec::new();
        if self.takes(&Token::RightParen)? {
            return Ok(args);
        }
        loop {
            args.push(self.expr(0)?);
            let comma = self.at();
            if self.takes(&Token::RightParen)? {
                return Ok(args);
            }
            self.expect(&Token::Comma, "", "")?;
            if !self.begins_expr()? {
                let message = "trailing commas not allowed in function call args";
                return Err(Fault::new(comma, message));
            }
        }
    }

    fn call(&mut self, start: usize) -> Parsed<Node> {
        let name = self.take();
        let args = self.args()?;
        let fault = |message: String| Err(Fault::new(start, message));
        let Some(function) = signature(name, self.features.x_functions) else {
            return fault(format!("unknown function with name {}", quoted(name)));
        };
        if function.experimental && !self.features.experimental_functions {
            return fault(format!("function {} is not enabled", quoted(name)));
        }
        let below = args.iter().map(|arg| arg.depth).max().unwrap_or(0);
        self.node(start, below, Kind::Call(Call { function, args }))
    }

    /// What stands behind a binary operator.
    fn modifier(&mut self) -> Parsed<Modifier> {
        let mut modifier =
            Modifier { bool: self.takes(&Token::Word(Word::Bool))?, ..Modifier::default() };
        let on = match *self.peek()? {
            Token::Word(Word::On) => Some(true),
            Token::Word(Word::Ignoring) => Some(false),
            _ => None,
        };
        if let Some(on) = on {
            self.take();
            modifier.matching = Some((on, self.labels()?));
            let left = match *self.peek()? {
                Token::Word(Word::GroupLeft) => Some(true),
                Token::Word(Word::GroupRight) => Some(false),
                _ => None,
            };
            if let Some(left) = left {
                self.take();
                let none = self.peek()? != &Token::LeftParen && self.begins_expr()?;
                let labels = if none { Vec::new() } else { self.labels()? };
                modifier.grouping = Some((left, labels));
            }
        }
        let fill = |word: &Token| match word {
            Token::Word(Word::Fill) => Some([true, true]),
            Token::Word(Word::FillLeft) => Some([true, false]),
            Token::Word(Word::FillRight) => Some([false, true]),
            _ => None,
        };
        while let Some(sides) = fill(self.peek()?) {
            // A side that is filled twice is not: the second word is a name.
            if modifier.fill.iter().zip(sides).any(|(known, side)| known.is_some() && side) {
                break;
            }
            self.take();
            let value = self.fill_value()?;
            for (known, side) in modifier.fill.iter_mut().zip(sides) {
                *known = known.or(side.then_some(value));
            }
        }
        Ok(modifier)
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(&Token::LeftParen, "", "")?;
        let value = self.signed_number("", "")?;
        self.expect(&Token::RightParen, "", "")?;
        Ok(value)
    }

    /// A number that may have a sign.
    fn signed_number(&mut self, context: &str, expected: &str) -> Parsed<f64> {
        let sign = match *self.peek()? {
            Token::Operator("-") => -1.0,
            Token::Operator("+") => 1.0,
            _ => 0.0,
        };
        if sign != 0.0 {
            self.take();
        }
        match self.peek()? {
            Token::Number | Token::Duration => {
                let Number { value, .. } = self.number()?;
                Ok(if sign < 0.0 { -value } else { value })
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }

    /// A range or a subquery behind `expr`.
    fn brackets(&mut self, expr: Node) -> Parsed<Node> {
        let (start, bracket, below) = (expr.span.start, self.at(), expr.depth);
        self.take();
        let what = "number, duration, step(), or range()";
        let range = self.positive_duration("subquery or range selector", what)?;
        if self.takes(&Token::RightBracket)? {
            let fault = |message| Err(Fault::new(bracket, message));
            let Kind::Selector(selector) = expr.kind else {
                return fault("ranges only allowed for vector selectors");
            };
            if selector.modifiers.offset.is_some() {
                return fault("no offset modifiers allowed before range");
            }
            if selector.modifiers.at.is_some() {
                return fault("no @ modifiers allowed before range");
            }
            return self.node(start, below.max(range.depth), Kind::Range(selector, range));
        }
        self.expect(&Token::Colon, "subquery or range", "\":\" or \"]\"")?;
        let step = match self.peek()? {
            Token::RightBracket => None,
            _ => {
                let what = "number, duration, step(), range(), or \"]\"";
                Some(self.positive_duration("subquery selector", what)?)
            }
        };
        self.expect(&Token::RightBracket, "subquery selector", "\"]\"")?;
        let below = below.max(range.depth).max(step.as_ref().map_or(0, |step| step.depth));
        let subquery = Subquery { expr, range, step, modifiers: Default::default() };
        self.node(start, below, Kind::Subquery(Box::new(subquery)))
    }

    fn at_modifier(&mut self, mut expr: Node) -> Parsed<Node> {
        self.take();
        let start = expr.span.start;
        let preprocessor = match *self.peek()? {
            Token::Word(Word::Start) => Some(At::Start),
            Token::Word(Word::End) => Some(At::End),
            _ => None,
        };
        let at = match preprocessor {
            Some(at) => {
                self.take();
                self.expect(&Token::LeftParen, "@", "timestamp")?;
                self.expect(&Token::RightParen, "@", "timestamp")?;
                at
            }
            None => {
                let seconds = self.signed_number("@", "timestamp")?;
                if seconds.is_nan() || seconds.abs() >= i64::MAX as f64 {
                    let message = format!(
                        "timestamp out of bounds for @ modifier: {}",
                        number::plain(seconds)
                    );
                    return Err(Fault::new(start, message));
                }
                At::Time((seconds * 1000.0).round() as i64)
            }
        };
        let modifiers = match &mut expr.kind {
            Kind::Selector(selector) | Kind::Range(selector, _) => &mut selector.modifiers,
            Kind::Subquery(subquery) => &mut subquery.modifiers,
            _ => {
                let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return Err(Fault::new(start, message));
            }
        };
        if modifiers.at.replace(at).is_some() {
            return Err(Fault::new(start, "@ <timestamp> may not be set multiple times"));
        }
        Ok(expr)
    }

    fn offset(&mut self, mut expr: Node) -> Parsed<Node> {
        self.take();
        let start = expr.span.start;
        let offset = self.offset_duration()?;
        let modifiers = match &mut expr.kind {
            Kind::Selector(selector) | Kind::Range(selector, _) => &mut selector.modifiers,
            Kind::Subquery(subquery) => &mut subquery.modifiers,
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return Err(Fault::new(start, message));
            }
        };
        if modifiers.offset.as_ref().is_some_and(|offset| !offset.is_zero()) {
            return Err(Fault::new(start, "offset may not be set multiple times"));
        }
        expr.depth = expr.depth.max(offset.depth + 1);
        modifiers.offset = Some(offset);
        Ok(expr)
    }

    /// `anchored` (true) or `smoothed`.
    fn edges(&mut self, mut expr: Node, anchored: bool) -> Parsed<Node> {
        self.take();
        let word = if anchored { "anchored" } else { "smoothed" };
        let fault = |message: String| Err(Fault::new(expr.span.start, message));
        let selector = match &mut expr.kind {
            Kind::Selector(selector) | Kind::Range(selector, _) => selector,
            Kind::Subquery(_) => {
                return fault(format!("{word} modifier is not supported for subqueries"));
            }
            _ => return fault(format!("{word} modifier not implemented")),
        };
        if anchored {
            selector.anchored = true;
        } else {
            selector.smoothed = true;
        }
        if selector.anchored && selector.smoothed {
            return fault("anchored and smoothed modifiers cannot be used together".to_owned());
        }
        Ok(expr)
    }
}

/// An error at `start` if a tree may not be so deep.
pub(super) fn check_depth(start: usize, depth: usize) -> Parsed<()> {
    match depth {
        ..=MAX_DEPTH => Ok(()),
        _ => {
            let message = format!("expression is nested deeper than {MAX_DEPTH} levels");
            Err(Fault::new(start, message))
        }
    }
}
