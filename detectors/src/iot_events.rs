//! Detector models of IoT Events: messages and time in, evaluations out.
//!
//! The tree of states is that of [`crate::hierarchy`], and a move is explained in the words of [`andon_models::event::Explanation`], as for the
//! detectors of assets in [`crate::detector`]. What differs, differs because the models were written for it:
//!
//! - An instance belongs to a key found in the messages, not to an asset, and comes to life with its first message; so there is no
//!   table of series, and what it remembers is the last message of each input.
//! - Timers have names, are set and cleared by actions and outlive states; those of assets belong to rules and end with their state.
//! - At each message *all* events of the active state act, then the first transition that holds; an asset's detector looks for one
//!   rule from the leaf outward. Groups take part in that one pass: the leaf's events and then its groups', after them the
//!   transitions in the same order. So rules that were folded into a group act as they did in each state.
//! - Its time is the caller's: messages carry no quality, and nothing is re-ordered. A clock that would go back stands still.
//!
//! Order of an evaluation (AWS IoT Events developer guide, and where that is silent the decisions on expressions): onInput events in
//! order; transitions in order, the first true one wins; its actions; onExit; onEnter. The message that creates an instance runs
//! onEnter of the initial state before. BATCH evaluates the conditions of onInput, onEnter and onExit before the first action of the
//! same group acts; SERIAL acts at once. A timer that is due makes an evaluation of its own, at its deadline.

mod actions;
mod engine;
mod evaluation;
mod instance;
mod line;
mod payload;
mod program;
mod scene;
mod simulation;
mod snapshot;

#[cfg(test)]
mod tests;

pub use engine::{EventEngine, Message, Refusal};
pub use evaluation::{Condition, Evaluation, Failure, Life, Moment, Performed, Trigger};
pub use payload::Content;
pub(crate) use simulation::read;
pub use simulation::{MAX_LINE_BYTES, Remark, Simulation};
