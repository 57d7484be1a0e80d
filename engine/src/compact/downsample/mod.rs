//! Samples become windows of five minutes, and these become hours.
//!
//! # A worked table
//!
//! A counter, scraped each minute, in windows of five; it was reset after minute 6, and minute 3 is a stale
//! marker:
//!
//! ```text
//! minute     0   1   2   3   4 │  5   6   7   8   9
//! value     10  12  15   ·  20 │ 21  25   2   4   9
//!
//! ts                  4:59.999 │            9:00      the end of the window, of the series' last sample
//! count                      4 │               5
//! sum                       57 │              61
//! min max               10  20 │           2  25
//! counter                   10 │              13      from the first to the last: 4 + 2 + 2 + 5
//! first, first_ts       10, 0m │          21, 5m
//! last                      20 │               9
//! ```
//!
//! From these columns the running total that Thanos keeps can be made for any stretch of windows: 10 at the
//! first sample, 20 at the end of the first window, and then one more to the first sample of the second and
//! 13 in it: 34. Windows that follow each other become one in the same way, so an hour made of twelve
//! windows is what it would be if it were made of the samples, but for the order in which floats are added.

pub mod algo;
#[cfg(test)]
mod tests;

pub use self::algo::{Downsampler, Folder, growth, window_end};
