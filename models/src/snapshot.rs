//! Where things stand now: what a detector keeps over a restart and what a page shows of it, and how each source is doing.

use crate::{
    AssetId, Point, Timestamp, Value,
    alarm::{AlarmState, Priority},
    command::{Command, CommandState},
    event::Explanation,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything a detector instance knows. Stored with each of its moves; restored without repeating an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorSnapshot {
    /// The asset it watches.
    pub asset: AssetId,
    /// The asset's path.
    pub asset_path: Arc<str>,
    /// The detector model's name.
    pub detector: Arc<str>,
    /// Path of the active leaf. Names, never numbers: numbers move when the definition is edited.
    pub state: Arc<str>,
    /// When it entered that state, in event time.
    pub since: Timestamp,
    /// The last leaf of each group with `history: true`: group path and leaf path.
    pub history: Vec<(Arc<str>, Arc<str>)>,
    /// Variables by name.
    pub variables: Vec<(Arc<str>, Value)>,
    /// Running timers.
    pub timers: Vec<TimerSnapshot>,
    /// Its alarm.
    pub alarm: AlarmSnapshot,
    /// Commands that are not final yet, and the last final one.
    pub commands: Vec<CommandSnapshot>,
    /// How many commands it has ever decided: the next command's id is derived from it.
    pub commands_decided: u64,
    /// How many events it has ever recorded: the next event's id is derived from it.
    #[serde(default)]
    pub events_recorded: u64,
    /// The last move, for the page.
    pub last_transition: Option<LastTransition>,
    /// How many guards failed to evaluate, and the last reason.
    pub failures: u64,
    /// The last failure in words; empty if none.
    pub last_failure: Arc<str>,
    /// The latest event time it has seen.
    pub seen: Timestamp,
    /// How far its devices' clocks lag behind the engine's, in nanoseconds; 0 while they agree well enough.
    #[serde(default)]
    pub behind: i64,
    /// Names the definition it stood in: another one has another name.
    #[serde(default)]
    pub definition: Arc<str>,
    /// How its dry run stands, while it only pretends to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRunSnapshot>,
    /// The last good values of inputs that are not good now, where a rule counts on them (`on_bad: ignore`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub good: Vec<Point>,
    /// With `lateness`: the values its guards see. The newest stored ones may still wait for their turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Point>,
    /// With `lateness`: samples that wait to be put in order, by time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Point>,
}

/// What a detector has pretended to write, and until when it must.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DryRunSnapshot {
    /// When it began, by the caller's time.
    pub since: Timestamp,
    /// When somebody may release it; none while it always pretends.
    pub until: Option<Timestamp>,
    /// Commands it would have sent.
    pub commands: u64,
    /// Commands that a rule would have refused.
    pub refused: u64,
    /// When it would have sent the last one.
    pub last: Option<Timestamp>,
    /// Who released it; empty while it pretends.
    pub released_by: Arc<str>,
}

/// A running timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimerSnapshot {
    /// Path of the state it belongs to.
    pub state: Arc<str>,
    /// Position of its rule in that state.
    pub rule: usize,
    /// The rule as written: in an edited definition it may stand elsewhere.
    #[serde(default)]
    pub text: Arc<str>,
    /// `after 30s`, `for 1m`, `every 10s`.
    pub name: Arc<str>,
    /// When it started.
    pub started: Timestamp,
    /// When it is due; while `paused`, as if it went on now.
    pub due: Timestamp,
    /// Since when it stands still, because an input is Bad or stale.
    pub paused: Option<Timestamp>,
    /// Whether it has gone off already; it stays until its state is left or its guard breaks.
    #[serde(default)]
    pub fired: bool,
}

/// An alarm, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlarmSnapshot {
    /// Its state.
    pub state: AlarmState,
    /// Whether the condition is there; known also while the alarm is shelved.
    #[serde(default)]
    pub active: bool,
    /// How urgent.
    pub priority: Priority,
    /// When it was raised last.
    pub since: Option<Timestamp>,
    /// The message with its values.
    pub message: Arc<str>,
    /// What the operator should do.
    pub response: Arc<str>,
    /// Who acknowledged it; empty if nobody.
    pub acknowledged_by: Arc<str>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// When a shelving ends.
    pub shelved_until: Option<Timestamp>,
    /// When it was annunciated last, in event time: re-alarm and escalation count from here.
    #[serde(default)]
    pub annunciated: Option<Timestamp>,
    /// How often it was annunciated again since.
    #[serde(default)]
    pub repeated: u64,
    /// How many steps of its escalation were taken since.
    #[serde(default)]
    pub escalated: usize,
    /// Whether it stays after the condition went, until it is reset.
    #[serde(default)]
    pub latched: bool,
    /// Whether the plant stands so that it is suppressed by design.
    #[serde(default)]
    pub suppressed_by_design: bool,
    /// Whether an engineer suppresses it.
    #[serde(default)]
    pub suppressed_by_hand: bool,
    /// A raise or a clear that waits for its delay.
    #[serde(default)]
    pub pending: Option<PendingAlarm>,
    /// Targets that were told of this occurrence.
    #[serde(default)]
    pub told: Vec<Arc<str>>,
}

/// A condition that came or went, and has not been so for long enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingAlarm {
    /// Whether the condition came; otherwise it went.
    pub raises: bool,
    /// Since when, in event time.
    pub since: Timestamp,
    /// When it counts.
    pub due: Timestamp,
    /// The message with its values, as of then.
    pub message: Arc<str>,
    /// Why.
    pub explanation: Arc<Explanation>,
}

/// A command, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandSnapshot {
    /// What was decided.
    pub command: Command,
    /// Where it stands.
    pub state: CommandState,
    /// Why, if it failed; empty otherwise.
    pub reason: Arc<str>,
}

/// The last move of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastTransition {
    /// State path before.
    pub from: Arc<str>,
    /// State path after.
    pub to: Arc<str>,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub explanation: Arc<Explanation>,
}

/// How a source is doing. Health is the age of the last value, not of the last socket event; both are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The source's name.
    pub source: Arc<str>,
    /// `opcua`, `modbus` or `mqtt`.
    pub protocol: Arc<str>,
    /// Where it is, without secrets.
    pub endpoint: Arc<str>,
    /// How its connection is.
    pub state: ConnectionState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When the last value came.
    pub last_value: Option<Timestamp>,
    /// Tags bound to it.
    pub tags: u32,
    /// Values received since start.
    pub received: u64,
    /// Values dropped since start because a bounded queue was full.
    pub dropped: u64,
    /// Connections made since start.
    pub connects: u64,
    /// Lag in milliseconds: from the source time of the value that got on disk last to that moment. Negative when the device's clock is
    /// ahead. None before the first value since the connection was made: what a device has had for days says nothing about today.
    pub lag_ms: Option<i64>,
    /// The largest lag, in milliseconds, in the minute up to the last value that got on disk.
    pub lag_max_ms: Option<i64>,
    /// Values and messages received that are not on disk yet.
    pub backlog: u64,
    /// Our clock minus the device's, in milliseconds; none where the device does not tell its own.
    pub clock_offset_ms: Option<i64>,
    /// The last error and what to do about it; empty if none.
    pub last_error: Arc<str>,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Trying for the first time.
    #[default]
    Connecting,
    /// Values come.
    Connected,
    /// Lost; trying again with back-off.
    Lost,
    /// Refused for a reason that a person must mend (password, certificate); trying again slowly.
    Misconfigured,
}

impl DetectorSnapshot {
    /// The key under which it is kept: `detector/<asset id>/<detector>`.
    pub fn key(asset: AssetId, detector: &str) -> String {
        format!("detector/{asset}/{detector}")
    }
}

/// Everything an instance of a keyed detector model (IoT Events) knows. Stored with each of its evaluations; restored without
/// repeating an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSnapshot {
    /// The detector model's name.
    pub detector: Arc<str>,
    /// Its key; none for a model without one.
    pub key: Option<Arc<str>>,
    /// The active state, by name.
    pub state: Arc<str>,
    /// When it entered that state.
    pub since: Timestamp,
    /// Variables that are set.
    pub variables: Vec<(Arc<str>, Value)>,
    /// Timers that were ever set.
    pub timers: Vec<NamedTimerSnapshot>,
    /// The last message of each input.
    pub inputs: Vec<(Arc<str>, serde_json::Value)>,
    /// How many evaluations it has had: ids of what it does are derived from it.
    pub evaluations: u64,
}

/// A named timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedTimerSnapshot {
    /// Its name.
    pub name: Arc<str>,
    /// When it goes off; none while it does not run.
    pub due: Option<Timestamp>,
    /// What it was set to last, in seconds: resetting it takes the same.
    pub seconds: u64,
    /// It went off, and nothing asked for it yet.
    pub expired: bool,
}

impl InstanceSnapshot {
    /// First part of the keys of kept instances.
    pub const PREFIX: &str = "instance/";

    /// The key under which it is kept: `instance/<detector>/<key>`.
    pub fn document_key(detector: &str, key: Option<&str>) -> String {
        format!("{}{detector}/{}", Self::PREFIX, key.unwrap_or_default())
    }
}
