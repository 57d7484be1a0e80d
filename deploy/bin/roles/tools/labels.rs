//! Labels on the command line: `name="value"` as Thanos has them, or `name=value`.

/// Parses one label.
pub(super) fn parse(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("not a label: {text:?} (as in replica=a or replica=\"a\")"));
    };
    if name.is_empty() {
        return Err(format!("the label {text:?} has no name"));
    }
    let value = match value.as_bytes().first() {
        // The escapes that JSON has are those that anybody uses of Go's.
        Some(b'"') => serde_json::from_str(value)
            .map_err(|_| format!("the value of the label {text:?} is not a quoted string"))?,
        Some(b'`') => match value[1..].strip_suffix('`') {
            Some(inside) if !inside.contains('`') => inside.to_owned(),
            _ => return Err(format!("the value of the label {text:?} is not a quoted string")),
        },
        _ => value.to_owned(),
    };
    if value.is_empty() {
        return Err(format!("the label {text:?} has no value"));
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_plain_or_quoted() {
        for (text, name, value) in [
            ("replica=a", "replica", "a"),
            ("replica=\"a\"", "replica", "a"),
            ("replica=`a`", "replica", "a"),
            ("x=\"a\\\"b\\\\c\\n=\"", "x", "a\"b\\c\n="),
            ("équipe=a=b c", "équipe", "a=b c"),
        ] {
            assert_eq!(parse(text), Ok((name.to_owned(), value.to_owned())), "{text}");
        }
        for text in ["", "replica", "=a", "a=", "a=\"\"", "a=\"b", "a=\"b\"c", "a=`b", "a=`b`c`"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
