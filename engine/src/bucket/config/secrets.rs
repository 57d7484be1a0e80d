//! The secrets of a configuration, so that no error shows one.

use crate::Error;

/// Texts that must not appear in any output. Has no `Debug`.
#[derive(Clone, Default)]
pub(in crate::bucket) struct Secrets(Vec<String>);

impl Secrets {
    /// Remembers a secret, as it is and as it looks inside a URL and inside JSON.
    pub(super) fn add(&mut self, secret: Option<&str>) {
        let Some(secret) = secret.filter(|text| !text.is_empty()) else { return };
        let mut encoded = String::new();
        for byte in secret.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        let quoted = format!("{secret:?}");
        let inside = quoted[1..quoted.len() - 1].to_owned();
        for form in [secret.to_owned(), encoded, inside] {
            if !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        // The longest first: one secret may be part of another.
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// `text` without any secret.
    pub(in crate::bucket) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "<redacted>");
            }
        }
        text
    }

    /// An error about `key` with the cause's text, redacted.
    pub(super) fn invalid(&self, key: &str, cause: &dyn std::fmt::Display) -> Error {
        Error::invalid(format!("{key}: {}", self.redact(&cause.to_string())))
    }
}
