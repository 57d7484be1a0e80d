//! The one binary `stoa`: a subcommand a role.

mod cli;
mod roles;

use std::process::ExitCode;

/// Queries allocate and free large buffers on many threads; glibc's allocator keeps most of them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => error.exit(),
    };
    cli::logging::init(&invocation.logging);
    for flag in &invocation.without_effect {
        tracing::warn!(flag = %format_args!("--{}", flag.name), reason = flag.reason, "flag without effect");
    }
    match roles::run(invocation.role, invocation.flags) {
        Ok(code) => code,
        Err(error) => {
            // The whole chain on one line, as Thanos prints it.
            tracing::error!(err = %format_args!("{error:#}"), "exiting");
            ExitCode::FAILURE
        }
    }
}
