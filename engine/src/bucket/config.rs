//! Thanos' object storage YAML.

use crate::{Error, Result};

use super::Bucket;

pub(super) fn from_yaml(_yaml: &str) -> Result<Bucket> {
    Err(Error::unsupported("bucket configuration by YAML"))
}
