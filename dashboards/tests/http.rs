//! The HTTP API and the live stream over the wire: a real service on an ephemeral loopback port with a real history.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "http/plant.rs"]
mod plant;
#[path = "http/service.rs"]
mod service;
#[path = "http/shape.rs"]
mod shape;

#[path = "http/answers.rs"]
mod answers;
#[path = "http/backfills.rs"]
mod backfills;
#[path = "http/backtests.rs"]
mod backtests;
#[path = "http/browse.rs"]
mod browse;
#[path = "http/definition.rs"]
mod definition;
#[path = "http/documented.rs"]
mod documented;
#[path = "http/guarded.rs"]
mod guarded;
#[path = "http/live.rs"]
mod live;
#[path = "http/operator.rs"]
mod operator;
#[path = "http/seen.rs"]
mod seen;
#[path = "http/write.rs"]
mod write;
