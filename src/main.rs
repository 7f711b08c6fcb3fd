//! Andon: from the wire to a verified shutdown, in one binary. This file only chooses what to run.

mod cli;
mod service;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS provider for the whole process, chosen before anybody shakes hands.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("andon: a TLS provider was already installed");
    }
    cli::Cli::parse().run()
}
