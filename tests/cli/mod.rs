//! The binary: flags, roles, tools, demo.
