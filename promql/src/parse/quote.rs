//! Strings as Go quotes and unquotes them (`strconv.Quote`, `util/strutil.Unquote`).

use std::fmt::Write as _;
use std::str::Chars;

use crate::ast::Text;

/// What Go says of a literal that makes no sense.
const INVALID: &str = "invalid syntax";

/// As Go's `%q` of a string.
pub(crate) fn quoted(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escaped(c, '"', &mut out));
        // A string takes text.
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out.push('"');
    out
}

/// As Go's `%q` of a character; the end of the text is shown as one that is none.
pub(crate) fn quoted_char(c: Option<char>) -> String {
    let mut out = String::from('\'');
    escaped(c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'', &mut out);
    out.push('\'');
    out
}

fn escaped(c: char, quote: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ if c == quote => {
            out.push('\\');
            out.push(c);
        }
        // A string takes text.
        _ if c < ' ' || c == '\x7f' => drop(write!(out, "\\x{:02x}", u32::from(c))),
        _ if is_printed(c) => out.push(c),
        _ if c <= '\u{ffff}' => drop(write!(out, "\\u{:04x}", u32::from(c))),
        _ => drop(write!(out, "\\U{:08x}", u32::from(c))),
    }
}

/// As Go's `strconv.IsPrint`.
pub(super) fn is_printed(c: char) -> bool {
    // Rust's escapes differ for marks alone, and not for those behind a letter.
    c.is_ascii_graphic() || c == ' ' || {
        let mut text = String::from("a");
        text.push(c);
        text.escape_debug().count() == 2
    }
}

/// The value of a literal that the lexer has let pass.
pub(super) fn unquoted(literal: &str) -> Result<Text, &'static str> {
    let quote = literal.chars().next().ok_or(INVALID)?;
    let body = literal.get(1..literal.len().saturating_sub(1)).ok_or(INVALID)?;
    if quote == '`' {
        return Ok(Text::from(body));
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match rest.next().ok_or(INVALID)? {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            'x' => bytes.push(number(&mut rest, 2, 16, 0)? as u8),
            'u' => push_char(&mut bytes, number(&mut rest, 4, 16, 0)?)?,
            'U' => push_char(&mut bytes, number(&mut rest, 8, 16, 0)?)?,
            digit @ '0'..='7' => {
                let first = digit.to_digit(8).ok_or(INVALID)?;
                bytes.push(u8::try_from(number(&mut rest, 2, 8, first)?).map_err(|_| INVALID)?);
            }
            other => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Ok(Text::new(bytes))
}

/// More digits behind `first`.
fn number(rest: &mut Chars<'_>, digits: u32, base: u32, first: u32) -> Result<u32, &'static str> {
    (0..digits).try_fold(first, |value, _| {
        let digit = rest.next().and_then(|c| c.to_digit(base)).ok_or(INVALID)?;
        Ok(value.wrapping_mul(base).wrapping_add(digit))
    })
}

fn push_char(bytes: &mut Vec<u8>, code: u32) -> Result<(), &'static str> {
    let c = char::from_u32(code).ok_or(INVALID)?;
    bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
    Ok(())
}
