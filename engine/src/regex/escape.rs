//! What follows a backslash: characters and classes.

use regex_syntax::hir::ClassUnicode;

use super::class;
use super::failure::Refusal;
use crate::Result;

/// An escaped character.
pub(super) struct Escape {
    /// Its code point; surrogates are possible.
    pub(super) code: u32,
    /// How much of the pattern it takes.
    pub(super) bytes: usize,
}

/// The escaped character at the begin of `text`, which begins with a backslash.
pub(super) fn character(text: &str) -> Result<Escape> {
    let mut chars = text.char_indices().skip(1);
    let Some((_, c)) = chars.next() else {
        return Err(Refusal::TrailingBackslash.of(""));
    };
    let after = 1 + c.len_utf8();
    let plain = |code: u32| Ok(Escape { code, bytes: after });
    match c {
        '0'..='7' => {
            let digits = text.as_bytes()[1..]
                .iter()
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            // One digit that is not 0 would be a reference to a group.
            if c != '0' && digits == 1 {
                return Err(Refusal::Escape.of(&text[..after]));
            }
            // At most three octal digits: always a number.
            let code = u32::from_str_radix(&text[1..1 + digits], 8).unwrap_or(0);
            Ok(Escape { code, bytes: 1 + digits })
        }
        'x' => hexadecimal(text),
        'a' => plain(0x07),
        'f' => plain(0x0c),
        'n' => plain(0x0a),
        'r' => plain(0x0d),
        't' => plain(0x09),
        'v' => plain(0x0b),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => plain(c.into()),
        _ => Err(Refusal::Escape.of(&text[..after])),
    }
}

/// `\xFF` or `\x{10FFFF}`; an error shows the text up to where it went wrong.
fn hexadecimal(text: &str) -> Result<Escape> {
    let wrong = |bytes: usize| Err(Refusal::Escape.of(&text[..bytes]));
    let mut chars = text.char_indices().skip(2);
    let Some((_, first)) = chars.next() else { return wrong(2) };
    if first != '{' {
        let Some((at, second)) = chars.next() else { return wrong(2 + first.len_utf8()) };
        let bytes = at + second.len_utf8();
        return match (first.to_digit(16), second.to_digit(16)) {
            (Some(high), Some(low)) => Ok(Escape { code: high * 16 + low, bytes }),
            _ => wrong(bytes),
        };
    }
    let (mut code, mut digits) = (0u32, 0);
    for (at, c) in chars {
        let bytes = at + c.len_utf8();
        if c == '}' {
            return if digits == 0 { wrong(bytes) } else { Ok(Escape { code, bytes }) };
        }
        match c.to_digit(16) {
            Some(digit) if code * 16 + digit <= 0x10_ffff => code = code * 16 + digit,
            _ => return wrong(bytes),
        }
        digits += 1;
    }
    wrong(text.len())
}

/// The class at the begin of `text` (`\d`, `\pL`, `\p{^Greek}`) and how much it takes, if there is
/// one.
pub(super) fn class(text: &str, fold: bool) -> Result<Option<(ClassUnicode, usize)>> {
    let Some(after) = text.strip_prefix('\\') else { return Ok(None) };
    let mut negated = match after.as_bytes().first() {
        Some(b'p') => false,
        Some(b'P') => true,
        Some(&letter) => return Ok(class::perl(letter, fold).map(|class| (class, 2))),
        None => return Ok(None),
    };
    let (whole, mut name) = match after[1..].chars().next() {
        Some('{') => match text.find('}') {
            Some(end) => (&text[..=end], &text[3..end]),
            None => return Err(Refusal::CharRange.of(text)),
        },
        Some(c) => (&text[..2 + c.len_utf8()], &text[2..2 + c.len_utf8()]),
        None => (text, ""),
    };
    if let Some(rest) = name.strip_prefix('^') {
        negated = !negated;
        name = rest;
    }
    match class::unicode(name, fold, negated) {
        Some(class) => Ok(Some((class, whole.len()))),
        None => Err(Refusal::CharRange.of(whole)),
    }
}
