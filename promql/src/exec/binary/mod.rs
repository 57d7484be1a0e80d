//! Binary operations between vectors, and the tables that planning makes for them.

mod matching;

pub use matching::{Cardinality, Matching, NO_KEY};
