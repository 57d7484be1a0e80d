//! The parameters of a request: those of a form in the body before those of the URL, as Go's
//! `Request.ParseForm` has them.

use axum::extract::{FromRequest, Request};
use axum::http::Method;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::body::{self, Interrupted};
use super::error::{ApiError, ErrorType};

/// The longest body that is read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The longest PromQL text, of a query or of a selector.
const PROMQL_BYTES_MAX: usize = 64 << 10;

/// The parameters of a request, in order: body, then URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The first value of `name`, or the empty string.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The PromQL text in `query`.
    pub(super) fn promql(&self) -> Result<&str, ApiError> {
        let text = self.get("query");
        check_length(text).map_err(|message| ApiError::parameter("query", message))?;
        Ok(text)
    }

    /// The parameters in the URL alone.
    pub(super) fn of_url(query: Option<&str>) -> Result<Self, ApiError> {
        let mut form = Self::default();
        form.add(query.unwrap_or(""))?;
        Ok(form)
    }

    fn add(&mut self, text: &str) -> Result<(), ApiError> {
        let wrong =
            |message: String| ApiError::bad_data(format!("error parsing form values: {message}"));
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if pair.contains(';') {
                return Err(wrong("invalid semicolon separator in query".to_owned()));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.0.push((decode(name).map_err(wrong)?, decode(value).map_err(wrong)?));
        }
        Ok(())
    }
}

/// Refuses PromQL that is longer than anybody writes.
pub(super) fn check_length(promql: &str) -> Result<(), String> {
    if promql.len() <= PROMQL_BYTES_MAX {
        return Ok(());
    }
    Err(format!("{} bytes of PromQL, more than {PROMQL_BYTES_MAX}", promql.len()))
}

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let mut form = Self::default();
        let is_form = parts.method == Method::POST
            && parts
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split(';').next())
                .is_some_and(|kind| {
                    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
                });
        if is_form {
            let announced = parts
                .headers
                .get(CONTENT_LENGTH)
                .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
            if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
                return Err(too_large());
            }
            let (bytes, whole) = body::first(body, BODY_BYTES_MAX).await?;
            if !whole {
                return Err(too_large());
            }
            let text = std::str::from_utf8(&bytes).map_err(|error| {
                ApiError::bad_data(format!("error parsing form values: {error}"))
            })?;
            form.add(text)?;
        }
        form.add(parts.uri.query().unwrap_or(""))?;
        Ok(form)
    }
}

impl From<Interrupted> for ApiError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Late => Self::new(ErrorType::Timeout, interrupted.to_string()),
            Interrupted::Broken(error) => {
                Self::bad_data(format!("error parsing form values: {error}"))
            }
        }
    }
}

fn too_large() -> ApiError {
    let message = format!("the body of the request is larger than {BODY_BYTES_MAX} bytes");
    ApiError::new(ErrorType::TooLarge, message)
}

/// Undoes percent encoding (`url.QueryUnescape`).
fn decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => decoded.push(b' '),
            b'%' => {
                let end = (at + 3).min(bytes.len());
                let byte = bytes
                    .get(at + 1..at + 3)
                    .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                    .and_then(|digits| std::str::from_utf8(digits).ok())
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .ok_or_else(|| {
                        let escape = String::from_utf8_lossy(&bytes[at..end]);
                        format!("invalid URL escape {escape:?}")
                    })?;
                decoded.push(byte);
                at += 2;
            }
            byte => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|_| format!("{text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_as_go_does() {
        let mut form = Form::default();
        form.add("a=1&match%5B%5D=up%7Ba%3D%22b%22%7D&a=2&c+d=e%20f&&g").unwrap();
        assert_eq!(form.get("a"), "1");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.get("match[]"), "up{a=\"b\"}");
        assert_eq!(form.get("c d"), "e f");
        assert_eq!((form.get("g"), form.get("h")), ("", ""));
    }

    #[test]
    fn bad_pairs_are_named() {
        for (text, message) in [
            ("a=%zz", "invalid URL escape \"%zz\""),
            ("a=%f", "invalid URL escape \"%f\""),
            ("a=%+1", "invalid URL escape \"%+1\""),
            ("a=%é", "invalid URL escape"),
            ("a=1;b=2", "invalid semicolon separator in query"),
            ("a=%ff", "\"%ff\" is not UTF-8"),
        ] {
            let error = Form::default().add(text).unwrap_err();
            assert!(error.message.contains(message), "{}", error.message);
        }
    }
}
