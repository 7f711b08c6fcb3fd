//! All detectors of a plant.

use andon_models::{
    AssetId, CommandId, EventId, Point, SeriesId, Timestamp, Tqv,
    catalog::Catalog,
    command::{Command, CommandOutcome},
    event::Event,
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

/// All detector instances of one catalog.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    armed: bool,
}

impl Engine {
    /// Prepares one instance per detector and asset; none has entered a state yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, armed: true }
    }

    /// Puts instances back to where they stood, without repeating an action. A state that no longer exists is left for [`Self::start`].
    pub fn restore(&mut self, snapshots: Vec<DetectorSnapshot>, latest: &dyn Fn(SeriesId) -> Option<Tqv>) {
        let _ = (snapshots, latest, &self.catalog);
    }

    /// Enters the initial state of every instance that has none.
    pub fn start(&mut self, now: Timestamp) -> Vec<Action> {
        let _ = now;
        Vec::new()
    }

    /// Takes one input and says what to do.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Action> {
        let _ = (now, input);
        Vec::new()
    }

    /// When [`Input::Time`] should be given next; none while no timer runs.
    pub fn next_due(&self) -> Option<Timestamp> {
        None
    }

    /// Where one instance stands.
    pub fn snapshot(&self, asset: AssetId, detector: &str) -> Option<DetectorSnapshot> {
        let _ = (asset, detector);
        None
    }

    /// Where all instances stand.
    pub fn snapshots(&self) -> Vec<DetectorSnapshot> {
        Vec::new()
    }

    /// Commands that were requested or sent and have no outcome yet: to be read back after a restart.
    pub fn unfinished_commands(&self) -> Vec<Command> {
        Vec::new()
    }

    /// Whether writes to machines are allowed at all.
    pub fn armed(&self) -> bool {
        self.armed
    }

    /// Allows or forbids all writes to machines, without a record; a person uses `OperatorDeed::Arm`.
    pub fn set_armed(&mut self, armed: bool) {
        self.armed = armed;
    }
}
