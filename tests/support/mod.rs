//! What the tests share: peers built once, servers started and stopped.
