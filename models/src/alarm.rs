//! Alarm vocabulary of ISA-18.2 (ANSI/ISA-18.2-2016, figure 3). The life cycle itself runs in `andon-detectors`.

use serde::{Deserialize, Serialize};
use std::fmt;

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
        matches!(self, Self::Unacknowledged | Self::Acknowledged | Self::ReturnedUnacknowledged)
    }

    /// Whether somebody still has to acknowledge it.
    pub fn needs_acknowledgement(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::ReturnedUnacknowledged)
    }

    /// The name as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::ReturnedUnacknowledged => "returned_unacknowledged",
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
