//! Command vocabulary: one write to a machine, from request to verified outcome.

mod fingerprint;
mod policy;
mod prepared;
mod reach;

pub use fingerprint::controls_fingerprint;
pub use policy::{DryRun, HandRole, WritePolicy};
pub use prepared::{CONFIRM_WITHIN, HandWrite, Prepared};

use crate::{AssetId, CommandId, SeriesId, TagId, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};

/// Final commands that a detector remembers over a restart for the rates of its controls: no rate may count more.
pub const REMEMBERED_COMMANDS: u32 = 64;

/// One write that was decided, with everything its checks and its delivery need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Derived from who decided and how often, so that a replayed decision is the same command.
    pub id: CommandId,
    /// The machine.
    pub asset: AssetId,
    /// The control's name in the asset model.
    pub control: Arc<str>,
    /// The point to write.
    pub tag: TagId,
    /// The control's series: a verified value is recorded there.
    pub series: SeriesId,
    /// The value to write.
    pub value: Value,
    /// Who decided: a detector's name or a person.
    pub decided_by: Arc<str>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// After this instant it must not be sent any more.
    pub deadline: Timestamp,
    /// How long the read-back may take to show the value.
    pub verify: Duration,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Decided and recorded, not yet sent.
    Requested,
    /// Handed to the device's connection.
    Sent,
    /// The read-back shows the value.
    Verified,
    /// The device refused it, or the read-back shows another value.
    Failed,
    /// Nobody knows whether the device took it. Never repeated blindly.
    Unknown,
    /// A policy or an interlock forbade it; nothing was sent.
    Refused,
    /// Its deadline passed before it could be sent.
    Expired,
    /// Everything was done but sending: a dry run.
    DryRun,
}

/// What became of a command, as the device's connection saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The command.
    pub command: CommandId,
    /// `Verified`, `Failed`, `Unknown`, `Refused` or `Expired`.
    pub state: CommandState,
    /// The value read back, `Null` if none.
    pub read_back: Value,
    /// Why, in words for the engineer; empty when verified.
    pub reason: Arc<str>,
    /// When the outcome was known.
    pub time: Timestamp,
}

impl CommandState {
    /// Whether nothing more can happen to the command.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Requested | Self::Sent)
    }

    /// The name as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sent => "sent",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::DryRun => "dry_run",
        }
    }
}

impl fmt::Display for CommandState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
