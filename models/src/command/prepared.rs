//! A write by hand in two steps: what is prepared and shown, and what is confirmed.

use super::HandRole;
use crate::{AssetId, CommandId, Timestamp, Value, event::ExplainedInput};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a prepared write may be confirmed: afterwards the plant is no longer the one that was shown.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(30);

/// What somebody wants to write.
#[derive(Clone, Debug, PartialEq)]
pub struct HandWrite {
    /// Who.
    pub by: Arc<str>,
    /// What they may.
    pub role: HandRole,
    /// The machine.
    pub asset: AssetId,
    /// The control.
    pub control: Arc<str>,
    /// The value.
    pub value: Value,
    /// What the device shows now, or why it could not be read.
    pub current: Result<Value, Arc<str>>,
}

/// A write that was checked and waits to be confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// Names it in the confirmation. Good for one.
    pub token: Arc<str>,
    /// The command it becomes.
    pub command: CommandId,
    /// The machine's path.
    pub asset: Arc<str>,
    /// The control.
    pub control: Arc<str>,
    /// What the device shows now; `Null` if it could not be read.
    pub current: Value,
    /// Why the present value is not known; empty otherwise.
    pub current_unknown: Arc<str>,
    /// What is going to be written.
    pub value: Value,
    /// The unit of both; empty if none.
    pub unit: Arc<str>,
    /// What it does to the machine, in the words of the plant file; empty if they say nothing.
    pub effect: Arc<str>,
    /// The interlock as written; empty if there is none.
    pub interlock: Arc<str>,
    /// What the interlock reads, as it stands. It holds, or nothing would be prepared.
    pub inputs: Vec<ExplainedInput>,
    /// Whether it is only pretended.
    pub dry_run: bool,
    /// Who prepared it.
    pub by: Arc<str>,
    /// Whether somebody else must confirm it.
    pub second_person: bool,
    /// Until when it may be confirmed.
    pub until: Timestamp,
}
