//! Replica deduplication: which samples of which replica make one series.
//!
//! Decisions need timestamps alone (and where stale markers lie), so values are read afterwards and
//! only for what is picked. The unit of work is a stretch of samples, copied as a slice.
//!
//! # A worked table
//!
//! Scrapes each 15 s, seconds since the start. Replica 0 is down from 30 s to 95 s.
//!
//! ```text
//! replica 0    0    15    30                   95     110
//! replica 1      4    19    34    49   64   79   94     109
//!
//! coverage     0    15    30      49   64   79 95     110       30 → 95 is a hole that replica 1
//!                                   fills, half an interval away from its edges
//! penalty      0    15    30           64   79   94     109     not before 30 + 2 · 15
//! chain        0 4 15 19 30 34 49 64 79 94 95 109 110
//! ```
//!
//! `coverage` returns to replica 0 as soon as it has samples again. So what it takes depends on the
//! timestamps around, not on where the query began, and the other replicas' samples matter only
//! where the first has a hole: nothing else of them is read ([`follow`]). If replica 0 had lost its
//! target at 45 s, its stale marker `45 s` would be left out, because the series goes on at 49 s; had
//! replica 1 ended too, the marker would be the last sample of the answer.
//!
//! Where a query treats the series as a counter, values decide one more thing, after the fact
//! (`ValuesExec`): samples of the new leader that lie below the last value are left
//! out for at most one interval after a change, because clocks and scrapes of replicas are skewed.

mod algo;
mod follow;
mod replica;
mod stream;
#[cfg(test)]
mod tests;

pub use algo::{Pick, Replica, SETTLED, Total, lanes, pick, pick_totals};
pub use stream::DedupExec;
