//! Which blocks exist, and which are set aside.
