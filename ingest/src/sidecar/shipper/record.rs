//! `thanos.shipper.json`: the blocks that need no upload any more. Prometheus reads it too, if
//! `--storage.tsdb.delay-compact-file.path` names it, and compacts only what is listed.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use engine::block::BlockId;
use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The record's usual name.
pub const RECORD_FILE: &str = "thanos.shipper.json";

/// The content of the file (Thanos' `shipper.Meta`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 1.
    pub version: u32,
    /// Ids of Prometheus' blocks, as their folders are named.
    #[serde(deserialize_with = "null_is_empty")]
    pub uploaded: Vec<BlockId>,
}

impl Default for Record {
    fn default() -> Self {
        Self { version: 1, uploaded: Vec::new() }
    }
}

impl Record {
    /// A record of `uploaded`.
    pub fn new(uploaded: &[BlockId]) -> Self {
        Self { version: 1, uploaded: uploaded.to_vec() }
    }

    /// Reads a record; a file that does not exist is an empty one.
    pub fn read(path: &Path) -> Result<Self> {
        let error =
            |e| Error::new(ErrorKind::Unavailable, path.display().to_string()).with_source(e);
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(error(e)),
        };
        let record: Self = serde_json::from_slice(&bytes)
            .map_err(|e| Error::corrupt(path.display().to_string()).with_source(e))?;
        if record.version != 1 {
            let message = format!("{}: version {}", path.display(), record.version);
            return Err(Error::unsupported(message));
        }
        Ok(record)
    }

    /// Replaces the file: a reader sees the old record or the new one, whenever this process ends.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::internal("writing a record").with_source(e))?;
        text.push(b'\n');
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let written = || -> std::io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)?;
            match path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        written().map_err(|e| {
            Error::new(ErrorKind::Unavailable, path.display().to_string()).with_source(e)
        })
    }
}

/// Go writes an empty list as `null`.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<BlockId>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(RECORD_FILE);
        assert_eq!(Record::read(&path).unwrap(), Record::default());
        let ids: Vec<BlockId> = ["01M3WYJ800J13JYX576MVGS37B", "01M3X5DZ80J13JYX576MVGS37B"]
            .map(|id| id.parse().unwrap())
            .to_vec();
        Record::new(&ids[..1]).write(&path).unwrap();
        Record::new(&ids).write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap().uploaded, ids);
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file is left");
    }

    #[test]
    fn what_thanos_writes_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(RECORD_FILE);
        std::fs::write(&path, "{\n\t\"version\": 1,\n\t\"uploaded\": null\n}\n").unwrap();
        assert_eq!(Record::read(&path).unwrap(), Record::default());
        std::fs::write(&path, "{\"version\": 2, \"uploaded\": []}").unwrap();
        assert_eq!(Record::read(&path).unwrap_err().kind(), ErrorKind::Unsupported);
        std::fs::write(&path, "{\"version\": 1, \"uplo").unwrap();
        assert_eq!(Record::read(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
