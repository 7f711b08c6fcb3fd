//! Events: everything that happened and must be remembered, with its explanation. Stored as they are, shown as they are.

use crate::{
    AssetId, CommandId, EventId, Quality, Timestamp, Value,
    alarm::{AlarmState, AlarmVerb, Priority},
    command::CommandState,
    window::Window,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from what happened: the same decision replayed has the same id.
    pub id: EventId,
    /// When it happened, in event time.
    pub time: Timestamp,
    /// The asset it is about; none for the system itself.
    pub asset: Option<AssetId>,
    /// The asset's path (`Line 2/Filler 2`); empty for the system itself.
    pub asset_path: Arc<str>,
    /// The detector it came from; empty if none.
    pub detector: Arc<str>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// A detector moved from one state to another.
    Transition(Transition),
    /// An alarm changed.
    Alarm(AlarmChange),
    /// A command changed.
    Command(CommandChange),
    /// A notification was delivered or given up.
    Notification(Notification),
    /// A message was published.
    Publication(Publication),
    /// A detector changed a row of a table: what `dynamoDB` actions write.
    Row(TableRow),
    /// A message for detectors came.
    Message(ReceivedMessage),
    /// A person did something.
    Deed(Deed),
    /// Figures of a closed window changed.
    Revision(Revision),
    /// The system noticed something: a source lost or back, a gap, a quarantined file.
    System(SystemNotice),
}

/// A detector's move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// State path before, outermost first, joined by `/`; empty at the first entry.
    pub from: Arc<str>,
    /// State path after.
    pub to: Arc<str>,
    /// Why it moved; what its detector keeps shares it.
    pub explanation: Arc<Explanation>,
}

/// Why a detector moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What set it off: `input fill_temp`, `timer after 30s`, `acknowledged`, `start`.
    pub trigger: Arc<str>,
    /// The state whose rule fired (path).
    pub state: Arc<str>,
    /// The rule in the words of the plant file: `when fill_temp > temp_limit and running`.
    pub rule: Arc<str>,
    /// Every property the guard read.
    pub inputs: Vec<ExplainedInput>,
    /// Every sub-expression of the guard with its result, in evaluation order.
    pub steps: Vec<ExplainedStep>,
    /// The timer that ran, if one did.
    pub timer: Option<ExplainedTimer>,
    /// The actions the move asked for, in order, in the words of the plant file.
    pub actions: Vec<Arc<str>>,
}

/// One input of a guard at the moment of the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedInput {
    /// Its name in the guard.
    pub name: Arc<str>,
    /// Its value.
    pub value: Value,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// The time of the value; none if there was no value yet.
    pub time: Option<Timestamp>,
    /// Its quality.
    pub quality: Quality,
    /// Where it comes from: `opcua:filler2`, `transform`, `attribute`, `variable`.
    pub source: Arc<str>,
}

/// One sub-expression and its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedStep {
    /// The sub-expression as written.
    pub expression: Arc<str>,
    /// Its result; `Null` when it had none.
    pub result: Value,
}

/// The timer behind a move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedTimer {
    /// `after 30s` or `for 1m`.
    pub name: Arc<str>,
    /// When it started.
    pub started: Timestamp,
    /// When it was due.
    pub due: Timestamp,
}

/// A change of an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmChange {
    /// State before.
    pub from: AlarmState,
    /// State after.
    pub state: AlarmState,
    /// What changed it.
    pub verb: AlarmVerb,
    /// How urgent it is.
    pub priority: Priority,
    /// The message with its values filled in.
    pub message: Arc<str>,
    /// What the operator should do; empty if the model says nothing.
    pub response: Arc<str>,
    /// When the alarm was raised; none when it never was.
    pub since: Option<Timestamp>,
    /// Who did it; empty for the detector itself.
    pub by: Arc<str>,
    /// The operator's note; empty if none.
    pub note: Arc<str>,
    /// Why: the rule, its inputs and every step of its evaluation; empty where a person did it.
    #[serde(default, skip_serializing_if = "Explanation::is_empty")]
    pub explanation: Arc<Explanation>,
}

/// A change of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandChange {
    /// The command.
    pub command: CommandId,
    /// The control's name.
    pub control: Arc<str>,
    /// The point written, as `address @source`.
    pub address: Arc<str>,
    /// The value to write.
    pub value: Value,
    /// Where it stands.
    pub state: CommandState,
    /// The value read back; `Null` if none.
    pub read_back: Value,
    /// Why, when it was not verified; empty otherwise.
    pub reason: Arc<str>,
    /// Who decided.
    pub decided_by: Arc<str>,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// A notification and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The target's name in the plant file.
    pub target: Arc<str>,
    /// The text.
    pub message: Arc<str>,
    /// `requested`, `sent`, `retrying` or `failed` (older ones: `delivered`).
    pub state: Arc<str>,
    /// Why it failed or is tried again; of a sent one, with how many others it went in one message. Empty otherwise.
    pub reason: Arc<str>,
}

/// A published message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// The topic.
    pub topic: Arc<str>,
    /// The payload as text.
    pub payload: Arc<str>,
}

/// A change of a row, kept as an event: the newest of a table and key is the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// The table.
    pub table: Arc<str>,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub operation: Arc<str>,
    /// Hash and range key, as `name=value`; empty if the payload is the whole row.
    pub key: Arc<str>,
    /// What was written.
    pub payload: Arc<str>,
}

/// A change of the figures of a closed window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The kind of window: `5m`, `shift`.
    pub spec: Arc<str>,
    /// The window.
    pub window: Window,
    /// Counts the revisions of this window and asset, from 1 on.
    pub number: u64,
    /// Why: late data, a stop that was explained.
    pub cause: Arc<str>,
    /// What changed.
    pub changes: Vec<RevisedFigure>,
}

/// One figure before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisedFigure {
    /// Key of the metric.
    pub property: Arc<str>,
    /// Its value before; `Null` if it had none.
    pub before: Value,
    /// Its value now; `Null` if it has none.
    pub after: Value,
}

/// A message for detectors over messages, as it was taken: a back-test plays it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceivedMessage {
    /// The input's name.
    pub input: Arc<str>,
    /// What it says, as the text of JSON: numbers stay as they were written.
    pub payload: Arc<str>,
    /// Its id; none if it came without one.
    pub message: Option<Arc<str>>,
    /// Whether a broker had kept it.
    #[serde(default)]
    pub retained: bool,
}

/// An operator's deed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// Who.
    pub by: Arc<str>,
    /// What, as a verb: `acknowledge`, `shelve`, `arm`, `write`.
    pub verb: Arc<str>,
    /// The details in words.
    pub detail: Arc<str>,
    /// For a note about an hour of a line, the start of that hour; none for everything else.
    #[serde(default)]
    pub hour: Option<Timestamp>,
}

/// Something the system noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemNotice {
    /// What it is about: a source's name, `log`, `history`.
    pub subject: Arc<str>,
    /// `info`, `warning` or `error`.
    pub level: Arc<str>,
    /// What happened and, when something is wrong, what to do.
    pub message: Arc<str>,
}

impl Explanation {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.trigger.is_empty() && self.rule.is_empty() && self.inputs.is_empty() && self.timer.is_none()
    }
}

impl EventBody {
    /// The kind as stored: `transition`, `alarm`, `command`, `notification`, `publication`, `row`, `message`, `deed`, `revision`, `system`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transition(_) => "transition",
            Self::Alarm(_) => "alarm",
            Self::Command(_) => "command",
            Self::Notification(_) => "notification",
            Self::Publication(_) => "publication",
            Self::Row(_) => "row",
            Self::Message(_) => "message",
            Self::Deed(_) => "deed",
            Self::Revision(_) => "revision",
            Self::System(_) => "system",
        }
    }
}
