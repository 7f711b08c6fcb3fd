//! Andon: from the wire to a verified shutdown, in one binary. This file only chooses what to run.

mod cli;
mod service;

use clap::Parser;
use std::process::ExitCode;

/// Small things of many series, made and dropped for months: what the C library's allocator does not give back.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // One TLS provider for the whole process, chosen before anybody shakes hands.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("andon: a TLS provider was already installed");
    }
    cli::Cli::parse().run()
}
