//! One zstd context for all pages of a file: the Parquet crate makes a new one for each page.

use crate::Result;
use crate::block::failed;

/// A compressor whose frames depend on their input alone.
pub(in crate::block) struct Zstd {
    compressor: ::zstd::bulk::Compressor<'static>,
    frame: Vec<u8>,
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zstd").finish_non_exhaustive()
    }
}

impl Zstd {
    /// A compressor of `level`.
    pub(in crate::block) fn new(level: i32) -> Result<Self> {
        let compressor = ::zstd::bulk::Compressor::new(level).map_err(failed)?;
        Ok(Self { compressor, frame: Vec::new() })
    }

    /// The frame of `body`.
    pub(in crate::block) fn compress(&mut self, body: &[u8]) -> Result<&[u8]> {
        self.frame.clear();
        self.frame.reserve(::zstd::zstd_safe::compress_bound(body.len()));
        self.compressor.compress_to_buffer(body, &mut self.frame).map_err(failed)?;
        Ok(&self.frame)
    }
}
