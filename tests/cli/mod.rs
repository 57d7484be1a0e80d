//! The binary: flags, roles, tools, demo.

mod bad_buckets;
mod command;
mod compacting;
mod demo;
mod flags;
mod help;
mod inspecting;
mod serving;
mod uploading;
mod verifying;
