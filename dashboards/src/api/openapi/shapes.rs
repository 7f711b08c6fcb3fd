//! Shapes of what the ground crates answer with. They know nothing of OpenAPI; a test holds these beside what is really sent.

use crate::view::{Datum, QualityView, Time};
use serde::Serialize;
use utoipa::ToSchema;

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventDocument {
    /// Its id; the same decision replayed has the same id.
    id: String,
    /// When it happened, in event time.
    time: Time,
    /// The asset's id; null for the system itself.
    asset: Option<String>,
    /// The asset's path; empty for the system itself.
    asset_path: String,
    /// The detector it came from; empty if none.
    detector: String,
    #[serde(flatten)]
    body: EventBodyDocument,
}

/// What happened.
#[derive(Serialize, ToSchema)]
#[schema(as = EventBody)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(dead_code, reason = "only its shape is used")]
enum EventBodyDocument {
    /// A detector moved; `from` is empty when it started.
    Transition { from: String, to: String, explanation: ExplanationDocument },
    /// An alarm changed. `by` is empty for the detector itself, `note` and `explanation` are empty when there is nothing to say.
    Alarm {
        from: AlarmStateDocument,
        state: AlarmStateDocument,
        verb: AlarmVerbDocument,
        priority: PriorityDocument,
        message: String,
        response: String,
        since: Option<Time>,
        by: String,
        note: String,
        #[schema(required = false)]
        explanation: ExplanationDocument,
    },
    /// A command changed. `address` is the point written, `read_back` what the device showed afterwards.
    Command {
        command: String,
        control: String,
        address: String,
        value: Datum,
        state: CommandStateDocument,
        read_back: Datum,
        reason: String,
        decided_by: String,
        decided_at: Time,
    },
    /// Somebody was told, or could not be told.
    Notification { target: String, message: String, state: String, reason: String },
    /// A message was published.
    Publication { topic: String, payload: String },
    /// A row of a table was changed by a detector.
    Row { table: String, operation: String, key: String, payload: String },
    /// A message for detectors came: `payload` is the text of JSON, `message` its id, if it came with one.
    Message { input: String, payload: String, message: Option<String>, retained: bool },
    /// A person did something. `hour` is the start of the hour that a note is about; null for everything else.
    Deed { by: String, verb: String, detail: String, hour: Option<Time> },
    /// Figures of a closed window changed. `number` counts the revisions of this window and asset, `cause` says why; `changes` is empty
    /// when only stops or losses by reason did.
    Revision { spec: String, window: WindowDocument, number: u64, cause: String, changes: Vec<RevisedFigureDocument> },
    /// The system noticed something; `level` is `info`, `warning` or `error`.
    System { subject: String, level: String, message: String },
}

/// A span of time: after `start`, up to and with `end`.
#[derive(Serialize, ToSchema)]
#[schema(as = Window)]
pub(super) struct WindowDocument {
    /// The last instant before it.
    start: Time,
    /// Its last instant.
    end: Time,
}

/// One figure before and after.
#[derive(Serialize, ToSchema)]
#[schema(as = RevisedFigure)]
struct RevisedFigureDocument {
    /// Key of the metric.
    property: String,
    /// Its value before; null if it had none.
    before: Datum,
    /// Its value now; null if it has none.
    after: Datum,
}

/// Why a detector moved.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationDocument {
    /// What set it off: `input fill_temp`, `timer after 30s`, `acknowledged`, `start`.
    trigger: String,
    /// The path of the state whose rule fired.
    state: String,
    /// The rule in the words of the plant file.
    rule: String,
    /// Every property the guard read.
    inputs: Vec<ExplainedInputDocument>,
    /// Every sub-expression with its result, in evaluation order.
    steps: Vec<ExplainedStepDocument>,
    /// The timer that ran, if one did.
    timer: Option<ExplainedTimerDocument>,
    /// What the move asked for, in the words of the plant file.
    actions: Vec<String>,
}

/// One input of a guard at the moment of the decision.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedInput)]
struct ExplainedInputDocument {
    /// Its name in the guard.
    name: String,
    /// Its value.
    value: Datum,
    /// Its unit; empty if none.
    unit: String,
    /// The time of the value; null if there was no value yet.
    time: Option<Time>,
    /// How far it could be trusted.
    quality: QualityView,
    /// Where it came from.
    source: String,
}

/// One sub-expression and its result.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedStep)]
struct ExplainedStepDocument {
    /// As written.
    expression: String,
    /// Null when it had none.
    result: Datum,
}

/// The timer behind a move.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedTimer)]
struct ExplainedTimerDocument {
    /// `after 30s` or `for 1m`.
    name: String,
    /// When it started.
    started: Time,
    /// When it was due.
    due: Time,
}

/// Everything a detector knows now.
#[derive(Serialize, ToSchema)]
#[schema(as = DetectorSnapshot)]
pub(crate) struct SnapshotDocument {
    /// Its asset's id.
    asset: String,
    /// Its asset's path.
    asset_path: String,
    /// Its name.
    detector: String,
    /// The path of its active state.
    state: String,
    /// Since when it is there.
    since: Time,
    /// The last leaf of each group that remembers it: `[group, leaf]`.
    history: Vec<Vec<String>>,
    /// Its variables: `[name, value]`.
    variables: Vec<(String, Datum)>,
    /// Its running timers.
    timers: Vec<TimerDocument>,
    /// Its alarm.
    alarm: AlarmDocument,
    /// Its commands that are not final, and the last final one.
    commands: Vec<StandingCommandDocument>,
    /// Its last move.
    last_transition: Option<LastTransitionDocument>,
    /// How many guards failed to evaluate.
    failures: u64,
    /// The last such failure.
    last_failure: String,
    /// The latest event time it has seen.
    seen: Time,
}

/// A timer of a detector.
#[derive(Serialize, ToSchema)]
#[schema(as = Timer)]
struct TimerDocument {
    /// Path of the state it belongs to.
    state: String,
    /// Position of its rule in that state.
    rule: usize,
    /// `after 30s`, `for 1m`, `every 10s`.
    name: String,
    /// When it started.
    started: Time,
    /// When it is due; while `paused`, as if it went on now.
    due: Time,
    /// Since when it stands still, because an input is bad or stale.
    paused: Option<Time>,
    /// Whether it has gone off already.
    fired: bool,
}

/// An alarm, as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = StandingAlarm)]
struct AlarmDocument {
    /// Its state.
    state: AlarmStateDocument,
    /// Whether the condition is there.
    active: bool,
    /// How urgent.
    priority: PriorityDocument,
    /// When it was raised last.
    since: Option<Time>,
    /// The message with its values.
    message: String,
    /// What the operator should do.
    response: String,
    /// Who acknowledged it; empty if nobody.
    acknowledged_by: String,
    /// When it was acknowledged.
    acknowledged_at: Option<Time>,
    /// When a shelving ends.
    shelved_until: Option<Time>,
}

/// A command and where it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = StandingCommand)]
struct StandingCommandDocument {
    /// What was decided.
    command: CommandDocument,
    /// Where it stands.
    state: CommandStateDocument,
    /// Why, if it failed; empty otherwise.
    reason: String,
}

/// What shall be written.
#[derive(Serialize, ToSchema)]
#[schema(as = Command)]
struct CommandDocument {
    /// Its id.
    id: String,
    /// The control's name.
    control: String,
    /// The value to write.
    value: Datum,
    /// Who decided.
    decided_by: String,
    /// When.
    decided_at: Time,
}

/// The last move of a detector.
#[derive(Serialize, ToSchema)]
#[schema(as = LastTransition)]
struct LastTransitionDocument {
    /// The path of the state before.
    from: String,
    /// The path of the state after.
    to: String,
    /// When.
    time: Time,
    /// Why.
    explanation: ExplanationDocument,
}

/// Everything an instance of a detector over messages knows now.
#[derive(Serialize, ToSchema)]
#[schema(as = InstanceSnapshot)]
pub(crate) struct InstanceDocument {
    /// Its detector's name.
    detector: String,
    /// Its key; null for a detector without one.
    key: Option<String>,
    /// Its active state.
    state: String,
    /// Since when it is there.
    since: Time,
    /// Its variables: `[name, value]`.
    variables: Vec<(String, Datum)>,
    /// Its timers that were ever set.
    timers: Vec<NamedTimerDocument>,
    /// The last message of each input: `[name, message]`.
    inputs: Vec<(String, serde_json::Value)>,
    /// How many evaluations it has had.
    evaluations: u64,
}

/// A timer of an instance.
#[derive(Serialize, ToSchema)]
#[schema(as = NamedTimer)]
struct NamedTimerDocument {
    /// Its name.
    name: String,
    /// When it goes off; null while it does not run.
    due: Option<Time>,
    /// What it was set to last, in seconds.
    seconds: u64,
    /// It went off, and nothing asked for it yet.
    expired: bool,
}

/// How the chain of who did what stands.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditState)]
pub(crate) struct AuditStateDocument {
    /// Records that were written.
    #[schema(example = 1_284)]
    records: u64,
    /// The hash of the last one, 64 hexadecimal digits; empty before the first.
    #[schema(example = "9f2c61d0a4b7e8135d0c9e6f7a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4")]
    head: String,
    /// When the first record was written; null until it was read back.
    first: Option<Time>,
    /// When the last record was written; null before one was written or read back.
    last: Option<Time>,
    /// Records that were read back since the start and are as they were written.
    #[schema(example = 1_284)]
    verified_records: u64,
    /// When that was last done; null until the first time is through.
    verified: Option<Time>,
    /// Lines that a crash cut off. Each is kept, and the record behind it owns up to it.
    #[schema(example = 0)]
    torn_lines: u64,
    /// The first record that is not as it was written; null if all are.
    first_bad: Option<BadRecordDocument>,
    /// Why nothing can be recorded now; empty while everything is. What people ask for is refused meanwhile.
    trouble: String,
}

/// The first record that is not as it was written.
#[derive(Serialize, ToSchema)]
#[schema(as = BadRecord)]
struct BadRecordDocument {
    /// The number of the record that is expected there.
    #[schema(example = 57)]
    record: u64,
    /// The file, in the folder `audit` of the data folder.
    #[schema(example = "2026-11.jsonl")]
    file: String,
    /// The line in it, from 1 on; 0 if it is about no line.
    #[schema(example = 57)]
    line: u64,
    /// When it, or the last one before it, was written; null if neither can be read.
    time: Option<Time>,
    /// What is wrong.
    wrong: String,
    /// What to do about it.
    advice: String,
}

/// How a source is doing.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceStatus)]
pub(crate) struct SourceDocument {
    /// Its name.
    source: String,
    /// opcua, modbus or mqtt.
    protocol: String,
    /// Where it is, without secrets.
    endpoint: String,
    /// How its connection is.
    state: ConnectionStateDocument,
    /// Since when.
    since: Time,
    /// When the last value came.
    last_value: Option<Time>,
    /// Tags bound to it.
    tags: u32,
    /// Values received since the start.
    received: u64,
    /// Values dropped since the start because a bounded queue was full.
    dropped: u64,
    /// Connections made since the start.
    connects: u64,
    /// Lag in milliseconds: from the source time of the value that got on disk last to that moment. Negative when the device's clock is
    /// ahead; null before the first value of a connection.
    #[schema(example = 120)]
    lag_ms: Option<i64>,
    /// The largest lag, in milliseconds, in the minute up to the last value that got on disk.
    #[schema(example = 480)]
    lag_max_ms: Option<i64>,
    /// Values and messages received that are not on disk yet.
    #[schema(example = 0)]
    backlog: u64,
    /// Our clock minus the device's, in milliseconds; null where the device does not tell its own.
    #[schema(example = -35)]
    clock_offset_ms: Option<i64>,
    /// The last error and what to do about it; empty if none.
    last_error: String,
}

/// The words of a closed set.
macro_rules! words {
    ($(#[$doc:meta])* $document:ident as $name:ident: $($word:ident),+) => {
        $(#[$doc])*
        #[derive(Serialize, ToSchema)]
        #[schema(as = $name)]
        #[serde(rename_all = "snake_case")]
        #[allow(dead_code, reason = "only its shape is used")]
        pub(crate) enum $document { $($word),+ }
    };
}

words!(
    /// The state of an alarm by ISA-18.2.
    AlarmStateDocument as AlarmState: Normal, Unacknowledged, Acknowledged, ReturnedUnacknowledged, LatchedUnacknowledged,
    LatchedAcknowledged, Shelved, Suppressed, OutOfService
);
words!(
    /// What changes an alarm.
    AlarmVerbDocument as AlarmVerb: Raise, Clear, Acknowledge, Shelve, Unshelve, Suppress, Unsuppress, RemoveFromService,
    ReturnToService, Reset, ReAlarm, Escalate, Comment
);
words!(
    /// How urgent an alarm is.
    PriorityDocument as Priority: Critical, High, Medium, Low
);
words!(
    /// Where a command stands.
    CommandStateDocument as CommandState: Requested, Sent, Verified, Failed, Unknown, Refused, Expired, DryRun
);
words!(
    /// How a connection is.
    ConnectionStateDocument as ConnectionState: Connecting, Connected, Lost, Misconfigured
);
