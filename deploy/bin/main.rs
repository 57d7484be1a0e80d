//! The one binary `stoa`: a subcommand a role.

fn main() {}
