//! The HTTP API of the querier, asked of the real binary over blocks in a folder.

mod answers;
mod bucket_changes;
mod limits;
mod peers;
mod place;
mod raw;
mod refusals;
mod remote_read;
mod server;
