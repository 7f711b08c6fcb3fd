//! Decides: data in, decisions out, `now` as an argument.
//!
//! [`Engine::step`] takes what can happen ([`Input`]) and gives back what to do ([`Action`]); the caller stores and performs it.
//! The same inputs always give the same actions with the same ids, so a decision can be replayed, tested and explained.
//! Nothing here waits, reads a clock, a file or a socket, or logs.
//!
//! - `engine`: all detectors of a plant; routes samples to them and keeps their timers. `quiet`: samples that change nothing.
//! - `detector`: one detector: guards, timers, variables, actions. `program` is its model made ready to run.
//! - `hierarchy`: its tree of states as a statig machine.
//! - [`iot_events`]: detector models of IoT Events, whose instances belong to keys in messages.
//! - `arming`: the one switch for all writes; `hand`: writes by people, in two steps.
//! - `alarm`, `command`: the fixed life cycles, as statig machines too. `policy`: what may be written.
//! - `explanation`, `origin`, `message`: why it moved, and what it tells people.

mod action;
mod alarm;
mod arming;
mod command;
mod detector;
mod engine;
mod explanation;
mod hand;
mod hierarchy;
pub mod iot_events;
mod message;
mod origin;
mod policy;
mod program;
mod quiet;
#[cfg(test)]
mod scenarios;
mod simulation;
#[cfg(test)]
mod testing;

pub use action::{Action, Input};
pub use arming::Arming;
pub use detector::SILENCE;
pub use engine::{Engine, Restored};
pub use hand::HAND;
pub use policy::Unsent;
pub use simulation::AssetSimulation;
