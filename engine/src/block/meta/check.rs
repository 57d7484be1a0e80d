//! What a `meta.json` must fulfil before its block is read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{BlockId, BlockMeta, FORMAT_VERSION, META_FILE};
use crate::block::schema::SERIES_FILE;
use crate::{Error, Result};

/// Parses and checks the `meta.json` of block `id`.
pub(super) fn parse(id: BlockId, text: &[u8]) -> Result<BlockMeta> {
    let named = |what: String| format!("{META_FILE}: {what}");
    // What a later version writes may be unreadable in all but this.
    if let Ok(version) = serde_json::from_slice::<Version>(text) {
        let unknown = |what: &str, version: u32| {
            Err(Error::unsupported(named(format!("{what} {version} is unknown"))))
        };
        if version.version != 1 {
            return unknown("version", version.version);
        }
        if version.stoa.format != FORMAT_VERSION {
            return unknown("block format", version.stoa.format);
        }
    }
    let meta = BlockMeta::from_json(text)?;
    serde_json::from_slice::<Unique>(text).map_err(|e| Error::corrupt(named(e.to_string())))?;
    check(id, &meta).map_err(|what| Error::corrupt(named(what)))?;
    Ok(meta)
}

/// The versions alone: they decide whether the rest can be understood.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
    stoa: StoaVersion,
}

#[derive(serde::Deserialize)]
struct StoaVersion {
    format: u32,
}

/// What [`BlockMeta::from_json`] does not look at.
fn check(id: BlockId, meta: &BlockMeta) -> Result<(), String> {
    if meta.ulid != id {
        return Err(format!("it is that of block {}", meta.ulid));
    }
    if meta.thanos.downsample.resolution < 0 {
        return Err(format!("resolution {} is negative", meta.thanos.downsample.resolution));
    }
    meta.external_labels().map_err(|e| format!("external labels: {e}"))?;
    for (at, file) in meta.stoa.files.iter().enumerate() {
        if !is_plain(&file.name) {
            return Err(format!("file name {:?} is not allowed", file.name));
        }
        if meta.stoa.files[..at].iter().any(|other| other.name == file.name) {
            return Err(format!("file {} occurs twice", file.name));
        }
    }
    if meta.file(SERIES_FILE).is_none() {
        return Err(format!("{SERIES_FILE} is not among its files"));
    }
    Ok(())
}

/// Whether `name` is that of an object right inside the block's folder: nothing that could lead
/// elsewhere, however a store or a file system reads it.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name != META_FILE
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Any JSON in which no object has a key twice: readers disagree about which of them counts.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut keys = std::collections::BTreeSet::new();
        while let Some((key, Unique)) = entries.next_entry::<String, Unique>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("key {key:?} occurs twice")));
            }
            keys.insert(key);
        }
        Ok(Unique)
    }
}
