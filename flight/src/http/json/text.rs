//! Strings and label sets.
//!
//! Prometheus mixes three escapings: label sets are written raw but for what JSON demands; other
//! strings also escape what HTML or JavaScript would trip over; strings that PromQL returns go
//! through Go's own encoder, which has short forms for two more control characters.

use engine::model::Labels;
use promql::ast::Text;

/// What is escaped in a string, beside quotes, backslashes and control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing more: names and values of labels (`jsoniter.Stream.WriteString`).
    Plain,
    /// `<`, `>`, `&`, U+2028 and U+2029: all other strings of the API.
    Html,
    /// The same, with `\b` and `\f`: strings that PromQL returns (`encoding/json`).
    Go,
}

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str, escape: Escape) {
    out.push(b'"');
    push_inside(out, text, escape);
    out.push(b'"');
}

/// Appends a string that PromQL returns: bytes that are no UTF-8 become replacement characters.
pub fn push_text(out: &mut Vec<u8>, text: &Text) {
    out.push(b'"');
    for chunk in text.as_ref().utf8_chunks() {
        push_inside(out, chunk.valid(), Escape::Go);
        chunk.invalid().iter().for_each(|_| out.extend_from_slice(b"\\ufffd"));
    }
    out.push(b'"');
}

fn push_inside(out: &mut Vec<u8>, text: &str, escape: Escape) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let plain = match byte {
            0..=0x1f | b'"' | b'\\' => false,
            b'<' | b'>' | b'&' => escape == Escape::Plain,
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            0xe2 => escape == Escape::Plain || !is_line_separator(&bytes[at..]),
            _ => true,
        };
        if plain {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + push_escaped(out, &bytes[at..], escape);
    }
    out.extend_from_slice(&bytes[copied..]);
}

fn is_line_separator(bytes: &[u8]) -> bool {
    matches!(bytes, [0xe2, 0x80, 0xa8 | 0xa9, ..])
}

/// Appends the escape of the character at the start of `bytes`, and returns its length there.
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8], escape: Escape) -> usize {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match bytes[0] {
        byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 if escape == Escape::Go => out.extend_from_slice(b"\\b"),
        0x0c if escape == Escape::Go => out.extend_from_slice(b"\\f"),
        0xe2 => {
            out.extend_from_slice(if bytes[2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
            return 3;
        }
        byte => {
            let hex = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex[0], hex[1]]);
        }
    }
    1
}

/// Appends a label set: `{"__name__":"up","job":"node"}`.
pub fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (at, label) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, &label.name, Escape::Plain);
        out.push(b':');
        push_string(out, &label.value, Escape::Plain);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, escape: Escape) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text, escape);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_escaping_is_that_of_its_encoder() {
        let text = "a\"\\\n\r\t\u{8}\u{c}\u{1}<é>&\u{2028}x\u{2029}\u{7f}";
        assert_eq!(
            escaped(text, Escape::Plain),
            "\"a\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001<é>&\u{2028}x\u{2029}\u{7f}\""
        );
        assert_eq!(
            escaped(text, Escape::Html),
            "\"a\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001\\u003cé\\u003e\\u0026\\u2028x\\u2029\u{7f}\""
        );
        assert_eq!(
            escaped(text, Escape::Go),
            "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u003cé\\u003e\\u0026\\u2028x\\u2029\u{7f}\""
        );
        assert_eq!(escaped("", Escape::Html), "\"\"");
    }

    #[test]
    fn every_string_reads_back_as_itself() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        for escape in [Escape::Plain, Escape::Html, Escape::Go] {
            let read: String = serde_json::from_str(&escaped(&all, escape)).unwrap();
            assert_eq!(read, all);
        }
    }

    #[test]
    fn label_sets_are_objects() {
        let labels = Labels::new([("job", "a<b"), ("__name__", "up"), ("é.x", "\"")]).unwrap();
        let mut out = Vec::new();
        push_labels(&mut out, &labels);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"__name__":"up","job":"a<b","é.x":"\""}"#);
    }
}
