//! The runs of many files as one stream in roster order.
