//! Alarm vocabulary of ISA-18.2 (ANSI/ISA-18.2-2016, figure 3). The life cycle itself runs in `andon-detectors`.

mod iot_events;
pub mod measures;
mod settings;

pub use settings::{AlarmSettings, EscalationStep, LifeCycle, MAX_ESCALATION_STEPS, SHORTEST_RE_ALARM};

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Longest shelving. A longer one is a decision to take the alarm out of service.
pub const LONGEST_SHELVING: Duration = Duration::from_secs(7 * 24 * 3600);

/// How urgent an alarm is; 1 is the most urgent. Colour, shape and number on every screen follow from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// 1: act at once.
    Critical,
    /// 2: act promptly.
    High,
    /// 3: act when you can.
    #[default]
    Medium,
    /// 4: know about it.
    Low,
}

/// The state of an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// The process is normal (state A).
    #[default]
    Normal,
    /// In alarm, nobody has acknowledged it (state B).
    Unacknowledged,
    /// In alarm, acknowledged (state C).
    Acknowledged,
    /// Back to normal before anybody acknowledged it (state D).
    ReturnedUnacknowledged,
    /// Back to normal, but it stays until it is acknowledged and reset (state E).
    LatchedUnacknowledged,
    /// Back to normal and acknowledged, and it stays until it is reset (state F).
    LatchedAcknowledged,
    /// Hidden by an operator for a stated time (state G).
    Shelved,
    /// Hidden by design (state H).
    Suppressed,
    /// Taken out of service (state I).
    OutOfService,
}

/// What changes an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmVerb {
    /// The condition came.
    Raise,
    /// The condition went.
    Clear,
    /// An operator has seen it.
    Acknowledge,
    /// An operator hides it for a stated time.
    Shelve,
    /// The shelving ended or was ended.
    Unshelve,
    /// It is hidden because the plant stands so that it says nothing, or because an engineer says so.
    Suppress,
    /// The suppression ended.
    Unsuppress,
    /// An engineer takes it out of service, until it is returned.
    RemoveFromService,
    /// An engineer puts it back into service.
    ReturnToService,
    /// An operator lets go of a latched alarm.
    Reset,
    /// It is annunciated again because nobody has acknowledged it, or because it still stands.
    ReAlarm,
    /// The next step of escalation: others are told, or it becomes more urgent.
    Escalate,
    /// An operator says something about it.
    Comment,
}

impl Priority {
    /// 1 (critical) to 4 (low).
    pub fn number(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::High => 2,
            Self::Medium => 3,
            Self::Low => 4,
        }
    }
}

impl AlarmState {
    /// Whether the alarm stands in the list of active alarms.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Normal) && !self.is_hidden()
    }

    /// Whether it is kept from the operator: shelved, suppressed or out of service.
    pub fn is_hidden(self) -> bool {
        matches!(self, Self::Shelved | Self::Suppressed | Self::OutOfService)
    }

    /// Whether the process is abnormal and the operator sees it (states B and C).
    pub fn stands(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Acknowledged)
    }

    /// Whether somebody still has to acknowledge it.
    pub fn needs_acknowledgement(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::ReturnedUnacknowledged | Self::LatchedUnacknowledged)
    }

    /// All states, in the order of the standard.
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::Unacknowledged,
        Self::Acknowledged,
        Self::ReturnedUnacknowledged,
        Self::LatchedUnacknowledged,
        Self::LatchedAcknowledged,
        Self::Shelved,
        Self::Suppressed,
        Self::OutOfService,
    ];

    /// The name as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::ReturnedUnacknowledged => "returned_unacknowledged",
            Self::LatchedUnacknowledged => "latched_unacknowledged",
            Self::LatchedAcknowledged => "latched_acknowledged",
            Self::Shelved => "shelved",
            Self::Suppressed => "suppressed",
            Self::OutOfService => "out_of_service",
        }
    }
}

impl AlarmVerb {
    /// The name as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raise => "raise",
            Self::Clear => "clear",
            Self::Acknowledge => "acknowledge",
            Self::Shelve => "shelve",
            Self::Unshelve => "unshelve",
            Self::Suppress => "suppress",
            Self::Unsuppress => "unsuppress",
            Self::RemoveFromService => "remove_from_service",
            Self::ReturnToService => "return_to_service",
            Self::Reset => "reset",
            Self::ReAlarm => "re_alarm",
            Self::Escalate => "escalate",
            Self::Comment => "comment",
        }
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}
