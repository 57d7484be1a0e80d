//! The deterministic id of a block: the same sources and settings always have the same id, so a
//! retry writes the same bytes to the same place.

use ulid::Ulid;
use xxhash_rust::xxh3::Xxh3;

use super::meta::{FORMAT_VERSION, WRITER_VERSION};
use super::{BlockId, BlockSettings};

/// The id of the block that a writer with `settings` (their `ulid` is not looked at) makes of
/// `sources`.
///
/// Its time is the latest of the sources' (of `max_time`, if there is none), its entropy a hash of
/// the sources, the settings, the format's and the writer's version.
pub fn id(sources: &[BlockId], settings: &BlockSettings) -> BlockId {
    let mut sources: Vec<BlockId> = sources.to_vec();
    sources.sort_unstable();
    let time = match sources.iter().map(|source| source.0.timestamp_ms()).max() {
        Some(time) => time,
        None => u64::try_from(settings.max_time).unwrap_or(0),
    };
    let mut hash = Xxh3::new();
    hash.update(&FORMAT_VERSION.to_le_bytes());
    text(&mut hash, WRITER_VERSION);
    hash.update(&(sources.len() as u64).to_le_bytes());
    for source in &sources {
        hash.update(&source.0.to_bytes());
    }
    let compaction = &settings.compaction;
    hash.update(&compaction.level.to_le_bytes());
    for number in [settings.resolution_ms, settings.min_time, settings.max_time, settings.bucket_ms]
    {
        hash.update(&number.to_le_bytes());
    }
    text(&mut hash, &settings.source);
    for label in settings.external_labels.iter() {
        text(&mut hash, &label.name);
        text(&mut hash, &label.value);
    }
    BlockId(Ulid::from_parts(time, hash.digest128()))
}

fn text(hash: &mut Xxh3, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}
