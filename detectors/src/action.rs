//! What can happen to detectors, and what they may ask for. A test is a list of the first and an expected list of the second.

use andon_models::{
    CommandId, EventId, Point,
    command::{Command, CommandOutcome},
    event::Event,
    notice::NoticeAbout,
    operator::{OperatorRefusal, OperatorRequest},
    snapshot::DetectorSnapshot,
};
use std::sync::Arc;

/// Everything that can happen to detectors.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// New values, in any order.
    Samples(&'a [Point]),
    /// Nothing but time passed: timers run also when no samples come.
    Time,
    /// A person asks for something.
    Operator(&'a OperatorRequest),
    /// A command came to its end at the device.
    Outcome(&'a CommandOutcome),
    /// A command was handed to the device's connection.
    Sent(CommandId),
}

/// Everything detectors may ask for. Whoever performs it stores all `Record` and `Keep` of one step durably first,
/// then does the rest in order.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "actions are rare beside samples, and live for one step")]
pub enum Action {
    /// Store an event.
    Record(Event),
    /// Store the new state of a detector, in the same log record as its events.
    Keep(DetectorSnapshot),
    /// Write to a machine. Always comes after its `Record` and the detector's `Keep`.
    Write(Command),
    /// Tell a person.
    Notify {
        /// The target's name in the plant file.
        target: Arc<str>,
        /// The text, values filled in.
        message: Arc<str>,
        /// Path of the asset it is about.
        asset_path: Arc<str>,
        /// The detector that asks for it.
        detector: Arc<str>,
        /// The recorded `notification` event with state `requested`.
        event: EventId,
        /// What it is about.
        about: NoticeAbout,
    },
    /// Publish a message.
    Publish {
        /// The topic.
        topic: Arc<str>,
        /// The payload, values filled in.
        payload: Arc<str>,
    },
    /// Store a value as an ordinary sample, and hand it back like any other sample.
    Put(Point),
    /// Tell the person who asked that it was not done, and why.
    Refuse(OperatorRefusal),
}
