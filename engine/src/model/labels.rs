//! Label sets.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

use crate::{Error, Result};

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// One name and its value. Names and values are shared: thousands of series hold the same text once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The label's name, not empty.
    pub name: Arc<str>,
    /// The label's value, not empty: a label with an empty value is an absent label.
    pub value: Arc<str>,
}

/// A label set: sorted by name, each name once, no empty value.
///
/// Ordering is Prometheus' (`labels.Compare`): names and values pairwise, bytewise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[Label]>);

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// A set from pairs in any order. Pairs with an empty value are left out; an empty name or a
    /// name given twice is an [`Invalid`](crate::ErrorKind::Invalid) error.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self> {
        let mut labels: Vec<Label> = pairs
            .into_iter()
            .map(|(name, value)| Label { name: name.into(), value: value.into() })
            .filter(|label| !label.value.is_empty())
            .collect();
        labels.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(first) = labels.first()
            && first.name.is_empty()
        {
            return Err(Error::invalid("empty label name"));
        }
        for pair in labels.windows(2) {
            if pair[0].name == pair[1].name {
                return Err(Error::invalid(format!("label {:?} occurs twice", pair[0].name)));
            }
        }
        Ok(Self(labels.into()))
    }

    /// A set from labels that are sorted by name, unique and not empty.
    pub fn from_sorted(labels: Vec<Label>) -> Self {
        debug_assert!(labels.windows(2).all(|pair| pair[0].name < pair[1].name));
        debug_assert!(labels.iter().all(|label| !label.value.is_empty()));
        Self(labels.into())
    }

    /// The value of `name`, or the empty string.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|label| label.name.as_ref().cmp(name)) {
            Ok(at) => &self.0[at].value,
            Err(_) => "",
        }
    }

    /// The metric's name, or the empty string.
    pub fn metric(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// The labels in order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels for which `keep` is true.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|label| keep(&label.name)).cloned().collect())
    }

    /// This set with `other` laid over it: on equal names `other` wins.
    #[must_use]
    pub fn overlay(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let mut merged: Vec<Label> =
            self.0.iter().filter(|label| other.get(&label.name).is_empty()).cloned().collect();
        merged.extend(other.0.iter().cloned());
        merged.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self(merged.into())
    }

    /// xxHash64 over `name 0xff value 0xff …`: Thanos' and Prometheus' hash of a label set.
    pub fn hash64(&self) -> u64 {
        let mut hash = Xxh64::new(0);
        for label in self.iter() {
            hash.update(label.name.as_bytes());
            hash.update(&[0xff]);
            hash.update(label.value.as_bytes());
            hash.update(&[0xff]);
        }
        hash.digest()
    }

    /// A 128-bit fingerprint (XXH3) over `name 0xff value 0xff …`. `0xff` is no byte of UTF-8, so
    /// different sets hash different text.
    pub fn fingerprint(&self) -> u128 {
        let mut hash = Xxh3::new();
        for label in self.iter() {
            hash.update(label.name.as_bytes());
            hash.update(&[0xff]);
            hash.update(label.value.as_bytes());
            hash.update(&[0xff]);
        }
        hash.digest128()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Labels {
    /// As Prometheus prints a label set: `{a="b", "c.d"="e"}`, the metric's name among them
    /// (`Labels.String` in model/labels): names that need it stand in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, label) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match is_plain_name(&label.name) {
                true => write!(f, "{}={:?}", label.name, label.value)?,
                false => write!(f, "{:?}={:?}", label.name, label.value)?,
            }
        }
        f.write_str("}")
    }
}

/// Whether a label's name needs no quotes: letters of ASCII, digits and underscores, no digit first.
fn is_plain_name(name: &str) -> bool {
    let inside = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_quotes_where_they_need_them() {
        let labels =
            Labels::new([("__name__", "räume.belegt"), ("stock.werk", "eins"), ("a1", "")]);
        let text = labels.unwrap().to_string();
        assert_eq!(text, r#"{__name__="räume.belegt", "stock.werk"="eins"}"#);
        assert!(is_plain_name("a1_B") && !is_plain_name("1a") && !is_plain_name("ä"));
    }

    #[test]
    fn hash_is_that_of_prometheus() {
        let labels = Labels::new([("__name__", "up"), ("job", "b"), ("instance", "a")]).unwrap();
        assert_eq!(labels.hash64(), 11_929_023_550_205_420_439);
    }

    #[test]
    fn empty_values_are_absent_and_names_are_unique() {
        let labels = Labels::new([("b", "1"), ("a", "")]).unwrap();
        assert_eq!((labels.len(), labels.get("a"), labels.get("b")), (1, "", "1"));
        assert!(Labels::new([("a", "1"), ("a", "2")]).is_err());
        assert!(Labels::new([("", "1")]).is_err());
    }

    #[test]
    fn overlay_wins() {
        let own = Labels::new([("a", "1"), ("b", "2")]).unwrap();
        let external = Labels::new([("b", "3"), ("c", "4")]).unwrap();
        assert_eq!(own.overlay(&external).to_string(), r#"{a="1", b="3", c="4"}"#);
    }
}
