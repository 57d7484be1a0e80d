//! `$(VAR)` in a configuration becomes the variable's value; nothing else is touched.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use engine::{Error, Result};

use super::input::MAX_CONFIG;

/// `text` with each `$(NAME)` (letters, digits, `_`) replaced by what `variable` gives. A variable
/// that is not set is an error that names it; so is a result that is too long.
pub(super) fn expand(text: &[u8], variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<u8>> {
    let mut expanded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"$(") {
        expanded.extend_from_slice(&rest[..at]);
        let inside = &rest[at + 2..];
        match name(inside) {
            Some(name) => {
                let value = variable(name).ok_or_else(|| {
                    Error::invalid(format!(
                        "found reference to unset environment variable {name:?}"
                    ))
                })?;
                expanded.extend(value.into_vec());
                rest = &inside[name.len() + 1..];
            }
            None => {
                expanded.extend_from_slice(b"$(");
                rest = inside;
            }
        }
        if expanded.len() > MAX_CONFIG {
            return Err(Error::invalid(format!(
                "with its variables filled in it is longer than {MAX_CONFIG} bytes"
            )));
        }
    }
    expanded.extend_from_slice(rest);
    Ok(expanded)
}

/// The name in front of a closing parenthesis.
fn name(text: &[u8]) -> Option<&str> {
    let length = text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
    if length == 0 || text[length] != b')' {
        return None;
    }
    std::str::from_utf8(&text[..length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String> {
        let variable = |name: &str| match name {
            "POD_NAME" => Some("prometheus-0".into()),
            "A1" => Some("$(POD_NAME)".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        expand(text.as_bytes(), variable).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn only_names_in_parentheses_are_replaced() {
        for (text, becomes) in [
            ("", ""),
            ("replica: $(POD_NAME)\n", "replica: prometheus-0\n"),
            ("$(POD_NAME)$(POD_NAME)", "prometheus-0prometheus-0"),
            ("$(EMPTY)", ""),
            // A value is not looked at again.
            ("$(A1)", "$(POD_NAME)"),
            ("$POD_NAME ${POD_NAME} $$(POD_NAME)", "$POD_NAME ${POD_NAME} $prometheus-0"),
            ("$() $(POD NAME) $(POD-NAME) $(POD_NAME", "$() $(POD NAME) $(POD-NAME) $(POD_NAME"),
            ("$($(POD_NAME))", "$(prometheus-0)"),
            ("a$", "a$"),
        ] {
            assert_eq!(expanded(text).unwrap(), becomes, "{text}");
        }
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = expanded("x: $(NO_SUCH)").unwrap_err();
        assert_eq!(error.to_string(), "found reference to unset environment variable \"NO_SUCH\"");
    }

    #[test]
    fn the_result_is_bounded() {
        let long: OsString = "x".repeat(1 << 20).into();
        let error = expand("$(A)".repeat(100).as_bytes(), |_| Some(long.clone())).unwrap_err();
        assert!(error.to_string().contains("is longer than"), "{error}");
    }
}
