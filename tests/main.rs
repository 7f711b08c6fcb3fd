//! End-to-end stories and the promises of the house, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod apply;
mod audit;
mod backfill;
mod backtest;
mod check;
mod commands;
mod controller;
mod corrections;
mod harness;
mod late;
mod messages;
mod overheat;
mod simulate;
mod tidy;
mod transfer;
mod webhook;
