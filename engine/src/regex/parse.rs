//! Go's regular expression syntax (`regexp/syntax`, flags `Perl | DotNL`) to the intermediate form
//! of `regex-syntax`.
//!
//! Not Rust's own syntax: `{` and `a{,2}` are literal, `\Q…\E`, `\123` and duplicate group names are
//! accepted; `x*+`, `a**`, `(?x)`, `a{1001}` and `[a--b]` as a difference are not. Perl's classes and
//! word boundaries are ASCII. The parser has its own stack, so that no nesting overflows the
//! thread's.

use regex_syntax::hir::{ClassUnicode, Hir, Look};

use super::class;
use super::escape::{self, Escape};
use super::failure::Refusal;
use super::tree::{Node, Times};
use crate::Result;

/// A counted repetition has at most this many rounds, nested ones their product (Go's limit).
const MAX_REPEATS: u64 = 1000;
/// The highest tree (Go's limit is 1,000 where it counts at all; compilation recurses).
const MAX_HEIGHT: u32 = 1000;
/// The longest pattern in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// The most instructions of Go's program (Go's limit is ten times that).
const MAX_SIZE: u64 = 300_000;
/// The most ranges in all classes together: each `\pL` has 659.
const MAX_RANGES: usize = 1 << 20;

/// A parsed pattern.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// The names of the groups; group 0 is the whole.
    pub(super) groups: Vec<Option<Box<str>>>,
}

/// Parses `pattern`; an error has Go's words.
pub(super) fn parse(pattern: &str) -> Result<Parsed> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(Refusal::Large.of(&format!("{} bytes", pattern.len())));
    }
    let mut parser = Parser {
        pattern,
        at: 0,
        flags: Flags { fold: false, multi_line: false, dot_newline: true, swap_greedy: false },
        open: vec![Group::default()],
        groups: vec![None],
        ranges: 0,
    };
    parser.run()?;
    Ok(Parsed { hir: parser.close_all()?.hir, groups: parser.groups })
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`: `^` and `$` match at lines
    multi_line: bool,
    /// `s`: `.` matches a newline
    dot_newline: bool,
    /// `U`: `x*` prefers few, `x*?` many
    swap_greedy: bool,
}

/// What stands between a parenthesis and here.
#[derive(Default)]
struct Group {
    /// The flags that hold again after it.
    flags: Flags,
    /// Its number if it captures.
    capture: Option<u32>,
    /// The finished branches of the alternation.
    branches: Vec<Node>,
    /// The parts of the branch in hand.
    parts: Vec<Node>,
    /// Plain text at the end of the branch in hand.
    text: String,
}

impl Group {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Node::literal(&self.text));
            self.text.clear();
        }
    }

    fn end_branch(&mut self) {
        self.flush();
        self.branches.push(Node::concat(std::mem::take(&mut self.parts)));
    }

    /// Takes what a repetition would repeat.
    fn take_last(&mut self) -> Option<Node> {
        match self.text.pop() {
            Some(last) => {
                self.flush();
                Some(Node::literal(last.encode_utf8(&mut [0; 4])))
            }
            None => self.parts.pop(),
        }
    }
}

struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    flags: Flags,
    /// The open groups; the first is the pattern itself.
    open: Vec<Group>,
    groups: Vec<Option<Box<str>>>,
    ranges: usize,
}

impl<'p> Parser<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    /// The pattern from `start` to here.
    fn since(&self, start: usize) -> &'p str {
        &self.pattern[start..self.at]
    }

    /// Takes `text` if it is next.
    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn group(&mut self) -> &mut Group {
        self.open.last_mut().expect("the pattern itself is never closed")
    }

    fn run(&mut self) -> Result<()> {
        // Where the last part's repetition operator began, if it ended in one.
        let mut last_repeat = None;
        while let Some(next) = self.rest().chars().next() {
            let start = self.at;
            let mut repeat = None;
            match next {
                '(' if self.rest().starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.at += 1;
                    self.open_capture(None);
                }
                '|' => {
                    self.at += 1;
                    self.group().end_branch();
                }
                ')' => self.close()?,
                '^' => {
                    self.at += 1;
                    let line = self.flags.multi_line;
                    self.push(Node::look(if line { Look::StartLF } else { Look::Start }));
                }
                '$' => {
                    self.at += 1;
                    let line = self.flags.multi_line;
                    self.push(Node::look(if line { Look::EndLF } else { Look::End }));
                }
                '.' => {
                    self.at += 1;
                    let ranges: &[(u32, u32)] = if self.flags.dot_newline {
                        &[(0, 0x10_ffff)]
                    } else {
                        &[(0, 9), (11, 0x10_ffff)]
                    };
                    self.push(Node::class(class::of_ranges(ranges.iter().copied())));
                }
                '[' => self.bracket()?,
                '*' | '+' | '?' => {
                    self.at += 1;
                    let (min, max) = match next {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    let times = Times { min, max, greedy: true, counted: false };
                    self.repeat(start, last_repeat, times)?;
                    repeat = Some(start);
                }
                '{' => match self.counts() {
                    None => {
                        self.at += 1;
                        self.text('{');
                    }
                    Some((min, max)) => {
                        let limit = MAX_REPEATS as u32;
                        if min > limit || max.is_some_and(|max| max > limit || min > max) {
                            return Err(Refusal::RepeatSize.of(self.since(start)));
                        }
                        let times = Times { min, max, greedy: true, counted: true };
                        self.repeat(start, last_repeat, times)?;
                        repeat = Some(start);
                    }
                },
                '\\' => self.backslash()?,
                _ => {
                    self.at += next.len_utf8();
                    self.text(next);
                }
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    fn push(&mut self, node: Node) {
        let group = self.group();
        group.flush();
        group.parts.push(node);
    }

    /// A plain character, which inside `(?i)` may be a class.
    fn text(&mut self, c: char) {
        if self.flags.fold {
            let mut class = class::of_ranges([(c.into(), c.into())]);
            class.case_fold_simple();
            if class.ranges().len() > 1 || class.ranges().iter().any(|range| range.len() > 1) {
                self.push(Node::class(class));
                return;
            }
        }
        self.group().text.push(c);
    }

    /// A class, counted against the limit of all.
    fn push_class(&mut self, class: ClassUnicode) -> Result<()> {
        self.ranges += class.ranges().len();
        if self.ranges > MAX_RANGES {
            return Err(Refusal::Large.of(self.pattern));
        }
        self.push(Node::class(class));
        Ok(())
    }

    fn check_size(&self, node: &Node) -> Result<()> {
        if node.size() > MAX_SIZE {
            return Err(Refusal::Large.of(self.pattern));
        }
        if node.height() > MAX_HEIGHT {
            return Err(Refusal::NestingDepth.of(self.pattern));
        }
        Ok(())
    }

    /// Repeats the last part; the operator began at `start` and ends here.
    fn repeat(&mut self, start: usize, before: Option<usize>, mut times: Times) -> Result<()> {
        times.greedy = self.take("?") == self.flags.swap_greedy;
        if let Some(before) = before {
            return Err(Refusal::RepeatOp.of(self.since(before)));
        }
        let operator = self.since(start);
        let Some(part) = self.group().take_last() else {
            return Err(Refusal::MissingRepeatArgument.of(operator));
        };
        let node = part.repeat(times);
        self.check_size(&node)?;
        if times.counted
            && (times.min >= 2 || times.max.is_some_and(|max| max >= 2))
            && node.repeats() > MAX_REPEATS
        {
            return Err(Refusal::RepeatSize.of(operator));
        }
        self.group().parts.push(node);
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; anything else is no repetition, and nothing is read.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        /// A number without leading zeros; a huge one is as good as `u32::MAX`.
        fn number(text: &str) -> Option<(u32, &str)> {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || digits > 1 && text.starts_with('0') {
                return None;
            }
            Some((text[..digits].parse().unwrap_or(u32::MAX), &text[digits..]))
        }
        let (min, rest) = number(self.rest().strip_prefix('{')?)?;
        let (max, rest) = match rest.strip_prefix(',') {
            None => (Some(min), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => {
                let (max, rest) = number(rest)?;
                (Some(max), rest)
            }
        };
        let rest = rest.strip_prefix('}')?;
        self.at = self.pattern.len() - rest.len();
        Some((min, max))
    }

    fn open_capture(&mut self, name: Option<&str>) {
        let index = self.groups.len() as u32;
        self.groups.push(name.map(Box::from));
        self.open_group(Some(index));
    }

    fn open_group(&mut self, capture: Option<u32>) {
        let flags = self.flags;
        self.group().flush();
        self.open.push(Group { flags, capture, ..Group::default() });
    }

    /// What begins with `(?`: a named group, flags, or a group with flags.
    fn perl_group(&mut self) -> Result<()> {
        let rest = self.rest();
        let prefix = match rest {
            _ if rest.len() > 4 && rest.starts_with("(?P<") => 4,
            _ if rest.len() > 3 && rest.starts_with("(?<") => 3,
            _ => return self.flags(),
        };
        let Some(end) = rest.find('>') else {
            return Err(Refusal::NamedCapture.of(rest));
        };
        let name = &rest[prefix..end];
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err(Refusal::NamedCapture.of(&rest[..=end]));
        }
        self.at += end + 1;
        self.open_capture(Some(name));
        Ok(())
    }

    /// `(?flags)` or `(?flags:`.
    fn flags(&mut self) -> Result<()> {
        let start = self.at;
        self.at += 2;
        let (mut flags, mut on, mut seen) = (self.flags, true, false);
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.swap_greedy = on,
                '-' if on => {
                    on = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if on || seen => {
                    if c == ':' {
                        self.open_group(None);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            seen = true;
        }
        Err(Refusal::PerlOp.of(self.since(start)))
    }

    fn close(&mut self) -> Result<()> {
        if self.open.len() == 1 {
            return Err(Refusal::UnexpectedParen.of(self.pattern));
        }
        self.at += 1;
        let Some(mut group) = self.open.pop() else { return Ok(()) };
        group.end_branch();
        let mut node = Node::alternate(group.branches);
        if let Some(index) = group.capture {
            node = node.capture(index);
        }
        self.check_size(&node)?;
        self.flags = group.flags;
        self.push(node);
        Ok(())
    }

    fn close_all(&mut self) -> Result<Node> {
        let mut group = self.open.pop().expect("the pattern itself is never closed");
        if !self.open.is_empty() {
            return Err(Refusal::MissingParen.of(self.pattern));
        }
        group.end_branch();
        let node = Node::alternate(group.branches);
        self.check_size(&node)?;
        Ok(node)
    }

    fn backslash(&mut self) -> Result<()> {
        let rest = self.rest();
        let look = match rest.as_bytes().get(1) {
            Some(b'A') => Some(Look::Start),
            Some(b'z') => Some(Look::End),
            Some(b'b') => Some(Look::WordAscii),
            Some(b'B') => Some(Look::WordAsciiNegate),
            // Any byte: there are only characters here.
            Some(b'C') => return Err(Refusal::Escape.of(&rest[..2])),
            Some(b'Q') => {
                let quoted = &rest[2..];
                let (quoted, end) = match quoted.find("\\E") {
                    Some(end) => (&quoted[..end], end + 2),
                    None => (quoted, quoted.len()),
                };
                self.at += 2 + end;
                for c in quoted.chars() {
                    self.text(c);
                }
                return Ok(());
            }
            _ => None,
        };
        if let Some(look) = look {
            self.at += 2;
            self.push(Node::look(look));
            return Ok(());
        }
        match self.escaped_class()? {
            Some(class) => self.push_class(class),
            None => match self.escape()? {
                Some(c) => {
                    self.text(c);
                    Ok(())
                }
                // A surrogate: it is in no text.
                None => self.push_class(ClassUnicode::empty()),
            },
        }
    }

    /// `\pN`, `\p{Name}`, `\d` and their like, if one is next.
    fn escaped_class(&mut self) -> Result<Option<ClassUnicode>> {
        match escape::class(self.rest(), self.flags.fold)? {
            Some((class, bytes)) => {
                self.at += bytes;
                Ok(Some(class))
            }
            None => Ok(None),
        }
    }

    /// An escaped character; none for a surrogate.
    fn escape(&mut self) -> Result<Option<char>> {
        let Escape { code, bytes } = escape::character(self.rest())?;
        self.at += bytes;
        Ok(char::from_u32(code))
    }

    /// `[…]`
    fn bracket(&mut self) -> Result<()> {
        let start = self.at;
        self.at += 1;
        let negated = self.take("^");
        let mut class = ClassUnicode::empty();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            if self.rest().len() > 2
                && let Some(inside) = self.rest().strip_prefix("[:")
                && let Some(end) = inside.find(":]")
            {
                let named = &self.rest()[..end + 4];
                let Some(found) = class::posix(&inside[..end], self.flags.fold) else {
                    return Err(Refusal::CharRange.of(named));
                };
                class.union(&found);
                self.at += named.len();
                continue;
            }
            if let Some(found) = self.escaped_class()? {
                self.ranges += found.ranges().len();
                if self.ranges > MAX_RANGES {
                    return Err(Refusal::Large.of(self.pattern));
                }
                class.union(&found);
                continue;
            }
            let low_at = self.at;
            let low = self.class_character(start)?;
            let mut high = low;
            let bytes = self.rest().as_bytes();
            if bytes.len() >= 2 && bytes[0] == b'-' && bytes[1] != b']' {
                self.at += 1;
                high = self.class_character(start)?;
                if high < low {
                    return Err(Refusal::CharRange.of(self.since(low_at)));
                }
            }
            ranges.push((low, high));
        }
        self.at += 1;
        let mut plain = class::of_ranges(ranges);
        if self.flags.fold {
            plain.case_fold_simple();
        }
        class.union(&plain);
        if negated {
            class.negate();
        }
        self.push_class(class)
    }

    /// One character of the class that began at `start`, as a code point.
    fn class_character(&mut self, start: usize) -> Result<u32> {
        match self.rest().chars().next() {
            None => Err(Refusal::MissingBracket.of(&self.pattern[start..])),
            Some('\\') => {
                let Escape { code, bytes } = escape::character(self.rest())?;
                self.at += bytes;
                Ok(code)
            }
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c.into())
            }
        }
    }
}
