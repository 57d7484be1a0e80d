//! A YAML document as sections of keys that are taken one by one, so that an unknown key, a
//! duplicate key or a wrong type is an error that names the key and never shows a value: values may
//! be secrets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::model;
use crate::{Error, Result};

/// More text than any configuration needs; the parser's own budgets bound the rest.
const MAX_YAML_BYTES: usize = 1 << 20;

/// A value whose `Debug` is not wanted: it may be a secret.
enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Other,
    Map(BTreeMap<String, Value>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or a scalar")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Text(value.to_string()), Value::Integer))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<Value>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(Value::Map(map))
    }
}

/// One mapping of the document. Keys are taken out; [`Section::finish`] refuses what is left.
pub(super) struct Section {
    /// Where it stands, as `config.http_config`; empty at the top.
    path: String,
    entries: BTreeMap<String, Value>,
}

/// Parses `yaml`, whose top must be a mapping.
pub(super) fn parse(yaml: &str) -> Result<Section> {
    if yaml.len() > MAX_YAML_BYTES {
        return Err(Error::invalid(format!("more than {MAX_YAML_BYTES} bytes of YAML")));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        budget: serde_saphyr::budget! { max_nodes: 10_000, max_depth: 32, max_events: 50_000 },
    };
    match serde_saphyr::from_str_with_options::<Value>(yaml, options).map_err(|e| describe(&e))? {
        Value::Map(entries) => Ok(Section { path: String::new(), entries }),
        Value::Null => Err(Error::invalid("the YAML is empty")),
        _ => Err(Error::invalid("the YAML is not a mapping of type, config and prefix")),
    }
}

/// What is wrong and where, without the text around it.
fn describe(error: &serde_saphyr::Error) -> Error {
    let what = match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key {key:?} occurs twice")
        }
        serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => "a key occurs twice".into(),
        serde_saphyr::Error::Budget { .. } => "the YAML is too large or too deep".into(),
        serde_saphyr::Error::MultipleDocuments { .. } => "more than one YAML document".into(),
        _ => "not valid YAML".to_owned(),
    };
    Error::invalid(match error.location() {
        Some(at) => format!("line {}, column {}: {what}", at.line(), at.column()),
        None => what,
    })
}

impl Section {
    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn expected(&self, key: &str, what: &str) -> Error {
        Error::invalid(format!("{}: expected {what}", self.key_path(key)))
    }

    /// The text of `key`; numbers and booleans are taken as they read, as Go's YAML does.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>> {
        match self.entries.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Integer(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(Value::Other | Value::Map(_)) => Err(self.expected(key, "a text")),
        }
    }

    /// The text of `key` if it is there and not empty.
    pub(super) fn filled(&mut self, key: &str) -> Result<Option<String>> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    /// The text of `key`, which must be there.
    pub(super) fn required(&mut self, key: &str) -> Result<String> {
        self.filled(key)?
            .ok_or_else(|| Error::invalid(format!("{} is missing", self.key_path(key))))
    }

    /// The flag `key`.
    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>> {
        match self.entries.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.expected(key, "true or false")),
        }
    }

    /// The whole number `key`, not negative.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<u64>> {
        match self.entries.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Integer(number)) => match u64::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.expected(key, "a whole number, not negative")),
            },
            Some(_) => Err(self.expected(key, "a whole number, not negative")),
        }
    }

    /// The duration `key`, as Prometheus writes it (`1m30s`).
    pub(super) fn duration(&mut self, key: &str) -> Result<Option<Duration>> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => match parse_duration(&text) {
                Some(duration) => Ok(Some(duration)),
                None => Err(self.expected(key, "a duration like 30s or 1m30s")),
            },
        }
    }

    /// The mapping `key`; an absent one is an empty one.
    pub(super) fn section(&mut self, key: &str) -> Result<Self> {
        let path = self.key_path(key);
        match self.entries.remove(key) {
            None | Some(Value::Null) => Ok(Self { path, entries: BTreeMap::new() }),
            Some(Value::Map(entries)) => Ok(Self { path, entries }),
            Some(_) => Err(self.expected(key, "a mapping")),
        }
    }

    /// The mapping `key` of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<HashMap<String, String>> {
        let mut section = self.section(key)?;
        let names: Vec<String> = section.entries.keys().cloned().collect();
        let mut texts = HashMap::new();
        for name in names {
            if let Some(text) = section.text(&name)? {
                texts.insert(name, text);
            }
        }
        Ok(texts)
    }

    /// Takes `keys`, which Thanos has and which mean nothing here.
    pub(super) fn without_effect(&mut self, keys: &[&str]) {
        for key in keys {
            if self.entries.remove(*key).is_some() {
                tracing::info!(key = self.key_path(key), "object storage key without effect");
            }
        }
    }

    /// An error for `key`, which Thanos has and which this version cannot honour.
    pub(super) fn unsupported(&self, key: &str, why: &str) -> Error {
        Error::unsupported(format!("{} is not supported: {why}", self.key_path(key)))
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<()> {
        match self.entries.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::invalid(format!("unknown key {}", self.key_path(key)))),
        }
    }
}

/// Prometheus' duration.
fn parse_duration(text: &str) -> Option<Duration> {
    model::parse_duration(text).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_own() {
        for (text, ms) in [
            ("0", Some(0)),
            ("90s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("1h5ms", Some(3_600_005)),
            ("1d", Some(86_400_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("30s1m", None),
            ("1s1s", None),
            ("-1s", None),
            ("1.5s", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse_duration(text), ms.map(Duration::from_millis), "{text:?}");
        }
    }
}
