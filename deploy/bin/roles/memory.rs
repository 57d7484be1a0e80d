//! How much memory there is.

use std::fs;

/// Where the limit of the cgroup stands, in version 2 and 1; in a container it is the container's.
const CGROUP_LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// What is taken where nothing says how much there is.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of memory of the machine, or of its cgroup if that may have fewer.
pub(crate) fn available() -> u64 {
    let limits = CGROUP_LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok());
    // `max` where there is no limit.
    let limits = limits.filter_map(|text| text.trim().parse().ok());
    limits.chain(machine()).min().unwrap_or(UNKNOWN)
}

/// `MemTotal:       24576000 kB`
fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
