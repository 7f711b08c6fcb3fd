//! Events as columns: one row per event, with the parts people ask for as columns of their own and the whole event as JSON.

use crate::historian::happened::Stored;
use andon_models::{
    Timestamp,
    event::{Event, EventBody},
};
use arrow::{
    array::{ArrayRef, Int16Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column};
use std::sync::{Arc, LazyLock};

use super::columns::time_type;

/// Text columns, between `nanos` and `body`. What does not apply to a kind is null.
pub const TEXTS: [(&str, &str); 20] = [
    ("id", "identity of the event; the same decision has the same one"),
    ("kind", "transition, alarm, command, notification, publication, row, message, deed, revision or system"),
    ("asset_id", "asset it is about"),
    ("asset", "path of the asset"),
    ("detector", "detector it came from"),
    ("from_state", "state before"),
    ("to_state", "state after"),
    ("trigger", "what set it off; for alarms and deeds the verb"),
    ("rule", "rule that fired, in the words of the plant file; of alarms the rule behind them"),
    ("priority", "critical, high, medium or low"),
    ("message", "message with its values"),
    ("response", "what the operator should do"),
    ("actor", "person or detector that did it"),
    ("note", "operator's note"),
    ("reason", "why a command or notification did not succeed"),
    ("command", "identity of the command"),
    ("control", "control written"),
    ("address", "point written"),
    ("value", "value to write"),
    ("read_back", "value read back"),
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![Field::new("time", time_type(), false), Field::new("nanos", DataType::Int16, false)];
    fields.extend(TEXTS.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)));
    fields.push(Field::new("since", time_type(), true));
    fields.push(Field::new("body", DataType::Utf8, false));
    fields.push(Field::new("seq", DataType::Int64, false));
    Arc::new(Schema::new(fields))
});

/// The schema of events, as in the files.
pub fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The order of events in a file: by time.
pub fn ordering() -> LexOrdering {
    let by = |name: &str, index: usize| PhysicalSortExpr::new_default(Arc::new(Column::new(name, index)));
    LexOrdering::new([by("time", 0), by("nanos", 1)]).expect("two expressions are an ordering")
}

/// Events as a record batch, in their order.
pub fn batch(events: &[Stored]) -> RecordBatch {
    let mut time = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut nanos = Int16Builder::new();
    let mut texts: Vec<StringBuilder> = TEXTS.iter().map(|_| StringBuilder::new()).collect();
    let mut since = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut body = StringBuilder::new();
    let mut seq = Int64Builder::new();
    for Stored { event, record } in events {
        time.append_value(event.time.as_micros());
        nanos.append_value(i16::try_from(event.time.as_nanos().rem_euclid(1_000)).unwrap_or(0));
        let parts = Parts::of(event);
        for (builder, (name, _)) in texts.iter_mut().zip(TEXTS) {
            builder.append_option(parts.text(name));
        }
        since.append_option(parts.since.map(Timestamp::as_micros));
        body.append_value(serde_json::to_string(event.as_ref()).expect("an event is plain data"));
        seq.append_value(i64::try_from(*record).unwrap_or(i64::MAX));
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(time.finish()), Arc::new(nanos.finish())];
    columns.extend(texts.iter_mut().map(|texts| Arc::new(texts.finish()) as ArrayRef));
    columns.extend([Arc::new(since.finish()) as ArrayRef, Arc::new(body.finish()), Arc::new(seq.finish())]);
    RecordBatch::try_new(schema(), columns).expect("the builders have the types of the schema and equal lengths")
}

/// The columns of one event.
#[derive(Default)]
struct Parts {
    texts: Vec<(&'static str, String)>,
    since: Option<Timestamp>,
}

impl Parts {
    fn of(event: &Event) -> Self {
        let mut parts = Self::default();
        parts.set("id", event.id);
        parts.set("kind", event.body.kind());
        if let Some(asset) = event.asset {
            parts.set("asset_id", asset);
        }
        parts.set("asset", &event.asset_path);
        parts.set("detector", &event.detector);
        parts.body(&event.body);
        parts
    }

    fn body(&mut self, body: &EventBody) {
        match body {
            EventBody::Transition(transition) => {
                self.set("from_state", &transition.from);
                self.set("to_state", &transition.to);
                self.set("trigger", &transition.explanation.trigger);
                self.set("rule", &transition.explanation.rule);
            }
            EventBody::Alarm(alarm) => {
                self.set("from_state", alarm.from);
                self.set("to_state", alarm.state);
                self.set("trigger", alarm.verb.name());
                self.set("priority", alarm.priority);
                self.set("message", &alarm.message);
                self.set("response", &alarm.response);
                self.set("actor", &alarm.by);
                self.set("note", &alarm.note);
                self.set("rule", &alarm.explanation.rule);
                self.since = alarm.since;
            }
            EventBody::Command(command) => {
                self.set("to_state", command.state);
                self.set("reason", &command.reason);
                self.set("command", command.command);
                self.set("control", &command.control);
                self.set("address", &command.address);
                self.set("value", &command.value);
                self.set(
                    "read_back",
                    if command.read_back == andon_models::Value::Null { String::new() } else { command.read_back.to_string() },
                );
                self.set("actor", &command.decided_by);
                self.since = Some(command.decided_at);
            }
            EventBody::Notification(notification) => {
                self.set("to_state", &notification.state);
                self.set("actor", &notification.target);
                self.set("message", &notification.message);
                self.set("reason", &notification.reason);
            }
            EventBody::Publication(publication) => {
                self.set("address", &publication.topic);
                self.set("value", &publication.payload);
            }
            EventBody::Row(row) => {
                self.set("trigger", &row.operation);
                self.set("address", &row.table);
                self.set("note", &row.key);
                self.set("value", &row.payload);
            }
            EventBody::Message(message) => {
                self.set("trigger", &message.input);
                self.set("value", &message.payload);
            }
            EventBody::Deed(deed) => {
                self.set("trigger", &deed.verb);
                self.set("actor", &deed.by);
                self.set("message", &deed.detail);
                self.since = deed.hour;
            }
            EventBody::Revision(revision) => {
                self.set("trigger", "revision");
                self.set("rule", &revision.spec);
                self.set("message", &revision.cause);
                self.set("value", revision.number);
                self.since = Some(revision.window.end);
            }
            EventBody::System(notice) => {
                self.set("actor", &notice.subject);
                self.set("priority", &notice.level);
                self.set("message", &notice.message);
            }
        }
    }

    /// Sets a column; empty texts are nothing.
    fn set(&mut self, name: &'static str, text: impl ToString) {
        let text = text.to_string();
        if !text.is_empty() {
            self.texts.push((name, text));
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }
}
