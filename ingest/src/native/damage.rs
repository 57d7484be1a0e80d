//! Which native blocks turned out damaged.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::block::BlockId;
use engine::{Error, ErrorKind};

/// Native blocks that turned out damaged, and why. They stay out as long as the process lives.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<BTreeMap<BlockId, String>>);

impl Damage {
    /// Sets the block aside if `error` says that its bytes are damaged; the error names the block.
    pub(super) fn note(&self, block: BlockId, error: Error) -> Error {
        let error = error.context(format!("block {block}"));
        if error.kind() == ErrorKind::Corrupt {
            tracing::warn!(%block, %error, "native block set aside");
            let mut damaged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            damaged.entry(block).or_insert_with(|| error.to_string());
        }
        error
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<BlockId, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
