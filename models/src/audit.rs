//! Who did what, in a chain: each record carries the SHA-256 of its own content, and that content names the hash of the record before
//! it. Who changes, removes, inserts or exchanges one changes every hash behind it.
//!
//! The chain is lines of text beside the history, not a field of its events. Events lie in tables that are merged, replaced and
//! forgotten with age, in no order that could be chained; lines are only ever added, and a person with `sha256sum` can check them.
//! Whoever can write the files can also make the whole chain anew: only a head that was noted elsewhere tells.

mod record;
mod state;
mod verify;

pub use self::{
    record::{Hash, Head, MAX_LINE, Record, content},
    state::{AuditState, BadRecord},
    verify::{Fault, Verifier, Wrong, owned},
};

use crate::{
    EventId, Timestamp,
    command::CommandState,
    event::{AlarmChange, CommandChange, Deed, Event, EventBody},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who acts when Andon does something by itself that belongs to the audit.
pub const ANDON: &str = "andon";
/// What notices about writes to machines are about.
const COMMANDS: &str = "commands";
/// The verb of a record that says that the line before it was cut off by a crash.
pub const TORN_LINE: &str = "torn_line";
/// The verb of a record that says that the head was not found, so that records before it may be missing.
pub const HEAD_MISSING: &str = "head_missing";

/// Characters of a detail that are kept: more than the longest change of a definition that an event tells.
const MAX_DETAIL: usize = 16_000;
/// Characters of every other text: names of people, assets and detectors are far shorter.
const MAX_NAME: usize = 1_000;

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub by: Arc<str>,
    /// What, as a verb: `acknowledge`, `arm`, `command_sent`.
    pub verb: Arc<str>,
    /// The asset's path; empty if it is about none.
    pub asset: Arc<str>,
    /// The detector; empty if it is about none.
    pub detector: Arc<str>,
    /// The details in words.
    pub detail: Arc<str>,
    /// The event that tells the same in the history; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
}

impl Entry {
    /// What is recorded of an event; none of what nobody did: only deeds, what people did about alarms, every step of a command to a
    /// machine, and that commands were forbidden without anybody belong to the audit.
    pub fn of(event: &Event) -> Option<Self> {
        let (by, verb, detail) = match &event.body {
            EventBody::Deed(deed) => (deed.by.clone(), deed.verb.clone(), of_deed(deed)),
            EventBody::Alarm(change) if !change.by.is_empty() => {
                (change.by.clone(), change.verb.name().into(), of_alarm(change))
            }
            EventBody::Command(change) => (change.decided_by.clone(), verb_of(change.state).into(), of_command(change)),
            // That writes were disarmed without anybody.
            EventBody::System(notice) if &*notice.subject == COMMANDS => {
                (ANDON.into(), "notice".into(), notice.message.clone())
            }
            _ => return None,
        };
        let by = if by.is_empty() { ANDON.into() } else { by };
        let (asset, detector) = (shortened(&event.asset_path, MAX_NAME), shortened(&event.detector, MAX_NAME));
        let entry = Self { time: event.time, by, verb, asset, detector, detail, event: Some(event.id) };
        Some(entry.bounded())
    }

    /// Something that is no event of the history.
    pub fn new(time: Timestamp, by: &str, verb: &str, detail: &str) -> Self {
        let (asset, detector) = ("".into(), "".into());
        Self { time, by: by.into(), verb: verb.into(), asset, detector, detail: detail.into(), event: None }.bounded()
    }

    fn bounded(self) -> Self {
        let [by, verb] = [&self.by, &self.verb].map(|text| shortened(text, MAX_NAME));
        Self { by, verb, detail: shortened(&self.detail, MAX_DETAIL), ..self }
    }
}

/// A text of so many characters at most, which says that it was cut.
fn shortened(text: &Arc<str>, most: usize) -> Arc<str> {
    match text.char_indices().nth(most) {
        None => text.clone(),
        Some((end, _)) => format!("{} … (cut; the event has all of it)", &text[..end]).into(),
    }
}

/// A note says which hour it is about.
fn of_deed(deed: &Deed) -> Arc<str> {
    deed.hour.map_or_else(|| deed.detail.clone(), |hour| format!("about the hour from {hour}: {}", deed.detail).into())
}

fn of_alarm(change: &AlarmChange) -> Arc<str> {
    let parts = [&change.message, &change.note].into_iter().filter(|part| !part.is_empty());
    parts.map(|part| &**part).collect::<Vec<_>>().join(" · ").into()
}

fn of_command(change: &CommandChange) -> Arc<str> {
    let CommandChange { control, address, value, reason, read_back, .. } = change;
    let mut told = format!("{control} = {value} at {address}, command {}", change.command);
    if *read_back != crate::Value::Null {
        told.push_str(&format!(", read back {read_back}"));
    }
    if !reason.is_empty() {
        told.push_str(&format!(": {reason}"));
    }
    told.into()
}

fn verb_of(state: CommandState) -> &'static str {
    match state {
        CommandState::Requested => "command_requested",
        CommandState::Sent => "command_sent",
        CommandState::Verified => "command_verified",
        CommandState::Failed => "command_failed",
        CommandState::Unknown => "command_unknown",
        CommandState::Refused => "command_refused",
        CommandState::Expired => "command_expired",
        CommandState::DryRun => "command_dry_run",
    }
}

#[cfg(test)]
mod tests;
