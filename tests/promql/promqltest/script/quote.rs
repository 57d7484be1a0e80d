//! Go's string literals.

/// What a literal in double, single or back quotes at the beginning of `text` says, and what follows
/// it. Bytes that are no UTF-8 become the replacement character.
pub(super) fn literal(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| ['"', '\'', '`'].contains(c))?;
    let mut bytes = Vec::new();
    let mut rest = &text[1..];
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            _ if c == quote => {
                return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
            }
            '\\' if quote != '`' => rest = escape(rest, quote, &mut bytes)?,
            _ => push(&mut bytes, c),
        }
    }
}

/// A text that is one literal as a whole (`strconv.Unquote`).
pub(in super::super) fn unquoted(text: &str) -> Option<String> {
    literal(text).filter(|(_, rest)| rest.is_empty()).map(|(said, _)| said)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads what follows a backslash.
fn escape<'a>(text: &'a str, quote: char, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let rest = &text[c.len_utf8()..];
    let plain = match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        _ if c == quote => quote,
        'x' => return digits(rest, 2, 16, |n| bytes.push(n as u8)),
        '0'..='7' => return digits(text, 3, 8, |n| bytes.push(n as u8)),
        'u' | 'U' => {
            let length = if c == 'u' { 4 } else { 8 };
            let mut valid = true;
            let rest = digits(rest, length, 16, |n| match char::from_u32(n) {
                Some(c) => push(bytes, c),
                None => valid = false,
            });
            return rest.filter(|_| valid);
        }
        _ => return None,
    };
    push(bytes, plain);
    Some(rest)
}

fn digits(text: &str, length: usize, radix: u32, take: impl FnOnce(u32)) -> Option<&str> {
    let number = u32::from_str_radix(text.get(..length)?, radix).ok()?;
    take(number);
    Some(&text[length..])
}

#[test]
fn literals_are_read_as_go_reads_them() {
    assert_eq!(literal(r#""a\"\x41\u00e4\101" x"#), Some(("a\"AäA".to_owned(), " x")));
    assert_eq!(unquoted("`a\\n`").as_deref(), Some("a\\n"));
    assert_eq!(unquoted("''").as_deref(), Some(""));
    for text in ["\"a", "a", r#""\q""#, r#""a"b"#] {
        assert_eq!(unquoted(text), None, "{text}");
    }
}
