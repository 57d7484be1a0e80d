//! Strings as Go quotes and unquotes them (`strconv.Quote`, `util/strutil.Unquote`).

use std::fmt::Write as _;
use std::str::Chars;

/// What Go says of a literal that makes no sense.
const INVALID: &str = "invalid syntax";

/// As Go's `%q` of a string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| escaped(c, '"', &mut out));
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
        _ if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
        _ => out.push(c),
    }
}

/// The value of a literal that the lexer has let pass. Escapes of bytes may make what is no UTF-8; label
/// values are UTF-8 always, so that is an error.
pub(super) fn unquoted(literal: &str) -> Result<String, &'static str> {
    let quote = literal.chars().next().ok_or(INVALID)?;
    let body = literal.get(1..literal.len().saturating_sub(1)).ok_or(INVALID)?;
    if quote == '`' {
        return Ok(body.to_owned());
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
    String::from_utf8(bytes).map_err(|_| INVALID)
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
