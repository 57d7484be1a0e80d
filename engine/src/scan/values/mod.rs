//! Values, read late: only for the rows that merge and dedup left, page by page; and the final run
//! batches, one row a series.
//!
//! # The counter rule
//!
//! Replicas scrape at different moments and their clocks differ, so the first samples of a new
//! leader may lie below the last value of the one before although nothing was reset. Where the query
//! treats the series as a counter, such samples are left out until one is not below, for one scrape
//! interval at most ([`crate::dedup::Pick::settle`]):
//!
//! ```text
//! leader 0    100 110 120
//! leader 1                 118  133 148     118 is left out
//! leader 1                  3   18  33      3 is left out, 18 is not: one interval has passed
//! ```

mod assemble;
mod mixed;
mod stream;
#[cfg(test)]
mod tests;
mod waves;

pub(crate) use assemble::{Settling, left_out};
pub use stream::ValuesExec;
