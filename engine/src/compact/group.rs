//! Which blocks belong together: those of one resolution under equal external labels, replica labels
//! left out.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh64::xxh64;

use crate::block::BlockMeta;

/// The label that a group has where all its labels are replica labels: a block must have one
/// (`pkg/block/fetcher.go`, `ReplicaLabelRemover`).
pub(crate) const DEDUPED: (&str, &str) = ("replica", "deduped");

/// Blocks that are compacted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Milliseconds a window; 0 is raw.
    pub resolution: i64,
    /// The external labels, replica labels left out.
    pub labels: BTreeMap<String, String>,
}

impl GroupKey {
    /// The group of a block.
    pub fn of(meta: &BlockMeta, replica_labels: &[String]) -> Self {
        let mut labels = meta.thanos.labels.clone();
        labels.retain(|name, _| !replica_labels.contains(name));
        if labels.is_empty() && !meta.thanos.labels.is_empty() {
            labels.insert(DEDUPED.0.to_owned(), DEDUPED.1.to_owned());
        }
        Self { resolution: meta.thanos.downsample.resolution, labels }
    }

    /// The group of the same labels at another resolution.
    #[must_use]
    pub fn at(&self, resolution: i64) -> Self {
        Self { resolution, labels: self.labels.clone() }
    }
}

impl fmt::Display for GroupKey {
    /// `<resolution>@<hash of the labels>`, as Thanos names groups (`compact.GroupKey`: the hash is that of
    /// Prometheus' `labels.Labels.Hash`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        for (name, value) in &self.labels {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0xff);
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0xff);
        }
        write!(f, "{}@{}", self.resolution, xxh64(&bytes, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thanos' own vectors (`TestGroupKey`).
    #[test]
    fn groups_are_named_as_thanos_names_them() {
        let named = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
            GroupKey { resolution: 0, labels }.to_string()
        };
        assert_eq!(named(&[]), "0@17241709254077376921");
        assert_eq!(named(&[("foo", "bar"), ("foo1", "bar2")]), "0@2124638872457683483");
        let odd = [("foo/some..thing/some.thing/../", r"a_b_c/bar-something-a\metric/a\x")];
        assert_eq!(named(&odd), "0@16590761456214576373");
    }
}
