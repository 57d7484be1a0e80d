//! Label patterns against Go's own regexp.
