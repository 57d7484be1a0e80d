//! The binary: flags, roles, tools, demo.

mod bad_buckets;
mod command;
mod inspecting;
mod uploading;
mod verifying;
