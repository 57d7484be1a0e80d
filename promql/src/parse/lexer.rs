//! Text to tokens (`promql/parser/lex.go`).
//!
//! Which tokens there are depends on where they stand: words in braces are label names, in brackets
//! there are durations only. Each token is read when it is asked for, so that an error in the text is
//! found after those before it.

use std::ops::Range;

use super::letters::is_letter;
use super::quote::{is_printed, quoted, quoted_char};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// What is wrong with the text here.
    Error(String),
    Identifier,
    /// A name with a colon in it.
    MetricIdentifier,
    Text,
    Number,
    Duration,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
    At,
    Operator(&'static str),
    Aggregate(&'static str),
    Word(Word),
}

/// A word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Bool,
    By,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Ignoring,
    Offset,
    Smoothed,
    Anchored,
    On,
    Without,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

/// Operators that are words.
const WORD_OPERATORS: [&str; 4] = ["and", "or", "unless", "atan2"];

/// All aggregations.
pub(super) const AGGREGATIONS: [&str; 14] = [
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
];

const WORDS: [(&str, Word); 19] = [
    ("bool", Word::Bool),
    ("by", Word::By),
    ("group_left", Word::GroupLeft),
    ("group_right", Word::GroupRight),
    ("fill", Word::Fill),
    ("fill_left", Word::FillLeft),
    ("fill_right", Word::FillRight),
    ("ignoring", Word::Ignoring),
    ("offset", Word::Offset),
    ("smoothed", Word::Smoothed),
    ("anchored", Word::Anchored),
    ("on", Word::On),
    ("without", Word::Without),
    ("start", Word::Start),
    ("end", Word::End),
    ("step", Word::Step),
    ("range", Word::Range),
    ("max_of", Word::MaxOf),
    ("min_of", Word::MinOf),
];

/// The words that modify an operation or a selector.
pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    WORDS.iter().filter(|(_, word)| word.is_keyword()).map(|&(text, _)| text)
}

impl Word {
    fn from_text(lower: &str) -> Option<Self> {
        WORDS.iter().find(|(text, _)| *text == lower).map(|&(_, word)| word)
    }

    /// Whether errors call it a keyword; the others are told by their text.
    fn is_keyword(self) -> bool {
        !matches!(
            self,
            Self::Start | Self::End | Self::Step | Self::Range | Self::MaxOf | Self::MinOf
        )
    }

    /// Whether it stands for a duration.
    fn is_duration(self) -> bool {
        matches!(self, Self::Step | Self::Range | Self::MaxOf | Self::MinOf)
    }
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Bytes of the query.
    pub(super) at: Range<usize>,
}

/// Where the lexer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Statements,
    /// Right behind a bracket, up to its first number.
    DurationExpression,
    /// An error ended the text.
    Ended,
}

/// Reads tokens from a query.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    /// Where the token in hand begins.
    start: usize,
    state: State,
    unquoted_utf8: bool,
    paren_depth: usize,
    in_braces: bool,
    in_brackets: bool,
    /// In brackets: whether there was a colon, or a duration.
    colon: bool,
    duration: bool,
}

impl<'a> Lexer<'a> {
    /// Reads `input`; with `unquoted_utf8`, letters of any script and dots are part of names.
    pub(super) fn new(input: &'a str, unquoted_utf8: bool) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            state: State::Statements,
            unquoted_utf8,
            paren_depth: 0,
            in_braces: false,
            in_brackets: false,
            colon: false,
            duration: false,
        }
    }

    /// The next token; [`Kind::End`] at the end, again and again.
    pub(super) fn next(&mut self) -> Token {
        loop {
            self.skip_space();
            if self.peek() == Some('#') && self.state != State::DurationExpression {
                let rest = &self.input[self.pos..];
                self.pos += rest.find(['\r', '\n']).unwrap_or(rest.len());
                continue;
            }
            break;
        }
        self.start = self.pos;
        let kind = match self.state {
            State::Ended => Kind::End,
            State::DurationExpression => self.in_duration(),
            State::Statements if self.in_braces => self.inside_braces(),
            State::Statements => self.statement(),
        };
        // An error reaches to the end of the query.
        let end = match &kind {
            Kind::Error(_) => {
                self.state = State::Ended;
                self.input.len()
            }
            _ => self.pos,
        };
        Token { kind, at: self.start..end }
    }

    /// The text of a token.
    pub(super) fn text(&self, token: &Token) -> &'a str {
        &self.input[token.at.clone()]
    }

    fn peek(&self) -> Option<char> {
        self.input[self.pos..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.pos += next.len_utf8();
        Some(next)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|next| valid.contains(next));
        if accepted {
            self.bump();
        }
        accepted
    }

    fn is(&self, valid: &str) -> bool {
        self.peek().is_some_and(|next| valid.contains(next))
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|next| matches!(next, ' ' | '\t' | '\n' | '\r')) {
            self.bump();
        }
    }

    fn is_name_start(&self, c: char) -> bool {
        is_alpha(c) || (self.unquoted_utf8 && !c.is_ascii() && is_letter(c))
    }

    fn is_name(&self, c: char) -> bool {
        self.is_name_start(c) || c.is_ascii_digit() || (self.unquoted_utf8 && c == '.')
    }

    fn statement(&mut self) -> Kind {
        let start = self.pos;
        let Some(first) = self.bump() else {
            return match (self.paren_depth, self.in_brackets) {
                (0, false) => Kind::End,
                (0, true) => error("unclosed left bracket"),
                _ => error("unclosed left parenthesis"),
            };
        };
        match first {
            ',' => Kind::Comma,
            '*' => Kind::Operator("*"),
            '/' => Kind::Operator("/"),
            '%' => Kind::Operator("%"),
            '+' => Kind::Operator("+"),
            '-' => Kind::Operator("-"),
            '^' => Kind::Operator("^"),
            '=' if self.accept("=") => Kind::Operator("=="),
            '=' if self.is("~") => error("unexpected character after '=': '~'"),
            '=' => Kind::Assign,
            '!' => match self.bump() {
                Some('=') => Kind::Operator("!="),
                other => error(&format!("unexpected character after '!': {}", quoted_char(other))),
            },
            '<' if self.accept("=") => Kind::Operator("<="),
            '<' if self.accept("/") => Kind::Operator("</"),
            '<' => Kind::Operator("<"),
            '>' if self.accept("=") => Kind::Operator(">="),
            '>' if self.accept("/") => Kind::Operator(">/"),
            '>' => Kind::Operator(">"),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.pos = start;
                self.number_or_duration()
            }
            _ if first.is_ascii_digit() => {
                self.pos = start;
                self.number_or_duration()
            }
            '"' | '\'' => self.string(first),
            '`' => self.raw_string(),
            ':' if self.in_brackets => {
                if self.colon {
                    return error("unexpected colon ':'");
                }
                self.colon = true;
                Kind::Colon
            }
            _ if self.in_brackets && self.is_name_start(first) => {
                self.duration_word(start).unwrap_or_else(|| {
                    let found = quoted_char(Some(first));
                    error(&format!("unexpected character: {found}, expected ':'"))
                })
            }
            _ if first == ':' || self.is_name_start(first) => self.word(start),
            '(' => {
                self.paren_depth += 1;
                Kind::LeftParen
            }
            ')' => self.right_paren(),
            '{' => {
                self.in_braces = true;
                Kind::LeftBrace
            }
            '[' if self.in_brackets => error("unexpected left bracket '['"),
            '[' => {
                (self.in_brackets, self.colon, self.duration) = (true, false, false);
                self.state = State::DurationExpression;
                Kind::LeftBracket
            }
            ']' if self.in_brackets => {
                self.in_brackets = false;
                Kind::RightBracket
            }
            ']' => error("unexpected right bracket ']'"),
            '@' => Kind::At,
            _ => error(&format!("unexpected character: {}", quoted_char(Some(first)))),
        }
    }

    /// An error that is said to stand behind the text in hand.
    fn error_behind(&mut self, message: &str) -> Kind {
        self.start = self.pos;
        error(message)
    }

    fn right_paren(&mut self) -> Kind {
        match self.paren_depth.checked_sub(1) {
            Some(depth) => {
                self.paren_depth = depth;
                Kind::RightParen
            }
            None => self.error_behind("unexpected right parenthesis ')'"),
        }
    }

    /// In brackets, before their first number.
    fn in_duration(&mut self) -> Kind {
        let start = self.pos;
        let Some(first) = self.bump() else {
            return error("unexpected end of input in duration expression");
        };
        match first {
            ']' => {
                (self.in_brackets, self.colon) = (false, false);
                self.state = State::Statements;
                Kind::RightBracket
            }
            ':' if !self.duration => {
                self.error_behind("unexpected colon before duration in duration expression")
            }
            ':' if self.colon => {
                self.error_behind("unexpected repeated colon in duration expression")
            }
            ':' => {
                self.colon = true;
                Kind::Colon
            }
            '(' => {
                self.paren_depth += 1;
                Kind::LeftParen
            }
            ')' => self.right_paren(),
            '+' => Kind::Operator("+"),
            '-' => Kind::Operator("-"),
            '*' => Kind::Operator("*"),
            '/' => Kind::Operator("/"),
            '%' => Kind::Operator("%"),
            '^' => Kind::Operator("^"),
            ',' => Kind::Comma,
            _ if first.is_ascii_digit()
                || (first == '.' && self.peek().is_some_and(|next| next.is_ascii_digit())) =>
            {
                self.pos = start;
                self.duration = true;
                self.state = State::Statements;
                self.number_or_duration()
            }
            _ => {
                if matches!(first.to_ascii_lowercase(), 's' | 'r' | 'm')
                    && let Some(kind) = self.duration_word(start)
                {
                    self.duration = true;
                    return kind;
                }
                let found = quoted_char(Some(first));
                error(&format!("unexpected character in duration expression: {found}"))
            }
        }
    }

    /// A word that stands for a duration, of which the first letter is read.
    fn duration_word(&mut self, start: usize) -> Option<Kind> {
        while self.peek().is_some_and(is_alpha) {
            self.bump();
        }
        let word = Word::from_text(&self.input[start..self.pos].to_ascii_lowercase())?;
        word.is_duration().then_some(Kind::Word(word))
    }

    fn inside_braces(&mut self) -> Kind {
        let Some(first) = self.bump() else {
            return error("unexpected end of input inside braces");
        };
        match first {
            ',' => Kind::Comma,
            '"' | '\'' => self.string(first),
            '`' => self.raw_string(),
            '=' if self.accept("~") => Kind::Matches,
            '=' => Kind::Assign,
            '!' => match self.bump() {
                Some('~') => Kind::NotMatches,
                Some('=') => Kind::Operator("!="),
                other => {
                    let found = quoted_char(other);
                    error(&format!("unexpected character after '!' inside braces: {found}"))
                }
            },
            '{' => error("unexpected left brace '{'"),
            '}' => {
                self.in_braces = false;
                Kind::RightBrace
            }
            _ if self.is_name_start(first) => {
                while self.peek().is_some_and(|next| self.is_name(next)) {
                    self.bump();
                }
                Kind::Identifier
            }
            _ => {
                let found = quoted_char(Some(first));
                error(&format!("unexpected character inside braces: {found}"))
            }
        }
    }

    /// A word of the language, or a name.
    fn word(&mut self, start: usize) -> Kind {
        while self.peek().is_some_and(|next| self.is_name(next) || next == ':') {
            self.bump();
        }
        let word = &self.input[start..self.pos];
        let lower = word.to_ascii_lowercase();
        let known = |words: &[&'static str]| words.iter().copied().find(|known| *known == lower);
        if let Some(op) = known(&WORD_OPERATORS) {
            return Kind::Operator(op);
        }
        if let Some(op) = known(&AGGREGATIONS) {
            return Kind::Aggregate(op);
        }
        match Word::from_text(&lower) {
            // Names, unless there is something in parentheses behind.
            Some(Word::Fill | Word::FillLeft | Word::FillRight) if !self.before_paren() => {
                Kind::Identifier
            }
            Some(word) => Kind::Word(word),
            None if matches!(lower.as_str(), "inf" | "nan") => Kind::Number,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        }
    }

    /// What the next token is, which is not read by that.
    pub(super) fn ahead(&self) -> Kind {
        self.clone().next().kind
    }

    /// Whether a parenthesis opens behind the word in hand.
    fn before_paren(&self) -> bool {
        let space = [' ', '\t', '\n', '\r'];
        self.input[self.pos..].trim_start_matches(space).starts_with('(')
    }

    fn number_or_duration(&mut self) -> Kind {
        let start = self.pos;
        if self.scan_number() {
            return Kind::Number;
        }
        if self.scan_rest_of_duration() {
            return Kind::Duration;
        }
        let text = quoted(&self.input[start..self.pos]);
        error(&format!("bad number or duration syntax: {text}"))
    }

    /// Behind the digits of a duration: its unit, and more digits and units.
    fn scan_rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept(DIGITS) {
            while self.accept(DIGITS) {}
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        let ended = !self.peek().is_some_and(is_alphanumeric);
        if !ended {
            // The character that cannot be here is part of what errors show.
            self.bump();
        }
        ended
    }

    /// Digits, with a dot, an exponent, underscores; or hexadecimal ones. False leaves the rest where
    /// the number is none.
    fn scan_number(&mut self) -> bool {
        let start = self.pos;
        let mut digits = DIGITS;
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = HEX_DIGITS;
        }
        self.accept(".");
        self.accept(digits);
        let (mut dot, mut exponent) = (false, false);
        while self.is(digits) || self.is("._eE") {
            if self.is(".") && dot {
                self.bump();
                return false;
            }
            if self.is("eE") && !self.is(digits) && exponent {
                self.bump();
                return false;
            }
            if self.accept(".") {
                dot = true;
                if self.accept("_.") || digits == HEX_DIGITS {
                    return false;
                }
            } else if self.accept_exponent(digits) {
                exponent = true;
                self.accept("+-");
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.accept("_") {
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else {
                while self.accept(digits) {}
            }
        }
        self.pos > start && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Of hexadecimal digits `e` is one.
    fn accept_exponent(&mut self, digits: &str) -> bool {
        digits == DIGITS && self.accept("eE")
    }

    fn string(&mut self, quote: char) -> Kind {
        loop {
            match self.bump() {
                None | Some('\n') => return error("unterminated quoted string"),
                Some(char::REPLACEMENT_CHARACTER) => return error(NO_UTF8),
                Some('\\') => {
                    if let Err(message) = self.escape(quote) {
                        return Kind::Error(message);
                    }
                }
                Some(next) if next == quote => return Kind::Text,
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Kind {
        loop {
            match self.bump() {
                None => return error("unterminated raw string"),
                Some(char::REPLACEMENT_CHARACTER) => return error(NO_UTF8),
                Some('`') => return Kind::Text,
                Some(_) => {}
            }
        }
    }

    /// An escape sequence, behind the backslash.
    fn escape(&mut self, quote: char) -> Result<(), String> {
        let unended = || "escape sequence not terminated".to_owned();
        let first = self.bump().ok_or_else(unended)?;
        let (mut left, base, most, mut digit) = match first {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            _ if first == quote => return Ok(()),
            '0'..='7' => (3, 8, 255, Some(first)),
            'x' => (2, 16, 255, self.bump()),
            'u' => (4, 16, u32::from(char::MAX), self.bump()),
            'U' => (8, 16, u32::from(char::MAX), self.bump()),
            other => {
                return Err(format!("unknown escape sequence {}", code_point(other)));
            }
        };
        let mut value = 0u32;
        while left > 0 {
            let found = digit.ok_or_else(unended)?;
            let Some(number) = found.to_digit(16).filter(|&number| number < base) else {
                return Err(format!("illegal character {} in escape sequence", code_point(found)));
            };
            value = value.wrapping_mul(base).wrapping_add(number);
            left -= 1;
            if left > 0 {
                digit = self.bump();
            }
        }
        if value > most || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }
}

impl Token {
    /// How errors call it (`Item.desc`); `text` is its text.
    pub(super) fn described(&self, text: &str) -> String {
        let shown = || match text.len() {
            0..=10 => quoted(text),
            _ => format!("{}...", quoted(text.chars().take(10).collect::<String>())),
        };
        match &self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Error(message) => message.clone(),
            Kind::Identifier => format!("identifier {}", quoted(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quoted(text)),
            Kind::Text => format!("string {}", shown()),
            Kind::Number => format!("number {}", shown()),
            Kind::Duration => format!("duration {}", shown()),
            Kind::Operator(_) | Kind::At | Kind::Matches | Kind::NotMatches => {
                format!("<op:{text}>")
            }
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::Word(word) if word.is_keyword() => format!("<{text}>"),
            _ => shown(),
        }
    }
}

const DIGITS: &str = "0123456789";
const HEX_DIGITS: &str = "0123456789abcdefABCDEF";

/// Go's decoder gives this character for what is no UTF-8, and it is told from that by nothing.
const NO_UTF8: &str = "invalid UTF-8 rune";

fn error(message: &str) -> Kind {
    Kind::Error(message.to_owned())
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

/// As Go's `%#U`.
fn code_point(c: char) -> String {
    let shown = if is_printed(c) { format!(" '{c}'") } else { String::new() };
    format!("U+{:04X}{shown}", u32::from(c))
}
