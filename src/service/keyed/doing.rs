//! What an evaluation of a detector over messages leads to: records, effects, samples, messages to other detectors.
//!
//! Every action of IoT Events has its local meaning here, once: a publication, a notification to the target that stands for the ARN,
//! a row, a sample, or a message to other detectors. What has none is recorded as undelivered, with the reason.

use super::alarms::{Alarms, Followed};
use crate::service::core::{Effect, Step};
use andon_detectors::iot_events::{Evaluation, Performed};
use andon_models::{
    EventId, Point, Quality, Timestamp, Tqv, Value,
    catalog::Catalog,
    event::{Event, EventBody, Explanation, Notification, Publication, SystemNotice, TableRow, Transition},
    iot_events::{ActionKind, InputMessage},
    notice::{Notice, NoticeAbout},
    snapshot::InstanceSnapshot,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value as Json;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How long the same complaint of a detector is not recorded again: its expressions may fail with every message.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(3_600);
/// Complaints remembered so that they are not repeated; a model has fewer expressions.
const MAX_COMPLAINTS: usize = 1_000;

/// Turns evaluations into records and effects.
pub(super) struct Doing<'a> {
    catalog: &'a Catalog,
    complaints: &'a mut Complaints,
    alarms: &'a mut Alarms,
    step: &'a mut Step,
    waiting: VecDeque<Waiting>,
    points: Vec<Point>,
}

/// What was said last, by detector and matter.
#[derive(Default)]
pub(super) struct Complaints(HashMap<(Arc<str>, String), Timestamp>);

/// A message on its way from one detector to others.
pub(super) struct Waiting {
    /// Who sends it.
    pub from: Arc<str>,
    pub message: InputMessage,
}

/// What a record is about.
struct Scope {
    time: Timestamp,
    detector: Arc<str>,
    key: Arc<str>,
    evaluation: u64,
}

impl<'a> Doing<'a> {
    pub fn new(catalog: &'a Catalog, complaints: &'a mut Complaints, alarms: &'a mut Alarms, step: &'a mut Step) -> Self {
        Self { catalog, complaints, alarms, step, waiting: VecDeque::new(), points: Vec::new() }
    }

    pub fn next_message(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    pub fn into_points(self) -> Vec<Point> {
        self.points
    }

    /// Records what an evaluation came to, and asks for what it wants done.
    pub fn take(&mut self, evaluation: &Evaluation<'_>) {
        let snapshot = evaluation.snapshot();
        let scope = Scope {
            time: evaluation.time,
            detector: snapshot.detector.clone(),
            key: snapshot.key.clone().unwrap_or_default(),
            evaluation: snapshot.evaluations,
        };
        let from = evaluation.from.cloned().unwrap_or_default();
        if from != snapshot.state || evaluation.explanation().is_some() {
            let start = || Explanation { trigger: "start".into(), ..Explanation::default() };
            let mut explanation = evaluation.explanation().cloned().unwrap_or_else(start);
            explanation.actions = evaluation.actions().iter().map(described).collect();
            let followed = self.alarms.follow(evaluation, &snapshot, &explanation);
            let body = EventBody::Transition(Transition { from, to: snapshot.state.clone(), explanation: explanation.into() });
            self.record(&scope, "transition", body);
            followed.into_iter().for_each(|followed| self.show(&scope, followed));
        }
        for (position, action) in evaluation.actions().iter().enumerate() {
            self.perform(&scope, position, action);
        }
        for failure in evaluation.failures() {
            let action = failure.action.map_or("", |action| action.name());
            let reason = format!("{} {action} {}: `{}`: {}", failure.event, failure.field, failure.text, failure.reason);
            self.complain(&scope.detector, scope.time, &reason);
        }
        let key = InstanceSnapshot::document_key(&snapshot.detector, snapshot.key.as_deref());
        self.step.batch.keep.push((key, serde_json::to_vec(&snapshot).expect("a snapshot is plain data")));
    }

    /// Shows how an alarm stands beside those of assets, and records its change as theirs are.
    fn show(&mut self, scope: &Scope, Followed { change, snapshot }: Followed) {
        if let Some(change) = change {
            let (time, detector) = (scope.time, scope.detector.clone());
            let (asset, asset_path, body) = (Some(snapshot.asset), snapshot.asset_path.clone(), EventBody::Alarm(change));
            self.step.batch.events.push(Event { id: scope.id("alarm"), time, asset, asset_path, detector, body });
        }
        self.step.moved.push(snapshot);
    }

    /// Records that something does not work in a detector, the same not again for an hour.
    pub fn complain(&mut self, detector: &Arc<str>, now: Timestamp, reason: &str) {
        let told = &mut self.complaints.0;
        if told.len() >= MAX_COMPLAINTS {
            told.clear();
        }
        let last = told.entry((detector.clone(), reason.to_owned())).or_insert(Timestamp::MIN);
        if *last != Timestamp::MIN && now.since(*last) < COMPLAIN_AGAIN {
            return;
        }
        *last = now;
        tracing::warn!(%detector, "{reason}");
        let notice = SystemNotice { subject: detector.clone(), level: "warning".into(), message: reason.into() };
        self.step.batch.events.push(Event {
            id: EventId::from_name(&format!("{detector}/complaint/{now}/{reason}")),
            time: now,
            asset: None,
            asset_path: "".into(),
            detector: detector.clone(),
            body: EventBody::System(notice),
        });
    }

    fn record(&mut self, scope: &Scope, what: &str, body: EventBody) -> EventId {
        let Scope { time, detector, key, .. } = scope;
        let id = scope.id(what);
        let event = Event { id, time: *time, asset: None, asset_path: key.clone(), detector: detector.clone(), body };
        self.step.batch.events.push(event);
        id
    }

    fn perform(&mut self, scope: &Scope, position: usize, action: &Performed) {
        let text = |name: &str| field(action, name);
        let payload = action.payload.as_ref().map_or_else(Arc::default, |payload| payload.text.clone());
        let what = format!("{position}/{}", action.kind.name());
        match action.kind {
            ActionKind::SetVariable | ActionKind::SetTimer | ActionKind::ResetTimer | ActionKind::ClearTimer => {}
            ActionKind::IotTopicPublish => {
                let topic: Arc<str> = text("mqttTopic").into();
                let body = EventBody::Publication(Publication { topic: topic.clone(), payload: payload.clone() });
                self.record(scope, &what, body);
                self.step.effects.push(Effect::Publish { topic, payload });
            }
            ActionKind::Sns => self.notify(scope, &what, &text("targetArn"), payload),
            ActionKind::Lambda => self.notify(scope, &what, &text("functionArn"), payload),
            ActionKind::Sqs => {
                let encoded = || STANDARD.encode(payload.as_bytes()).into();
                let body = if text("useBase64") == "true" { encoded() } else { payload.clone() };
                self.notify(scope, &what, &text("queueUrl"), body);
            }
            ActionKind::Firehose => {
                let payload = format!("{payload}{}", text("separator")).into();
                self.notify(scope, &what, &text("deliveryStreamName"), payload);
            }
            ActionKind::DynamoDb | ActionKind::DynamoDbV2 => {
                self.record(scope, &what, EventBody::Row(row(action, payload)));
            }
            ActionKind::IotEvents => {
                let payload = Arc::new(action.payload.as_ref().map_or(Json::Null, |payload| payload.to_json()));
                let id = Some(scope.id(&what).to_string().into());
                let message = InputMessage { input: text("inputName").into(), payload, id, retained: false };
                self.waiting.push_back(Waiting { from: scope.detector.clone(), message });
            }
            ActionKind::IotSiteWise => match self.sample(scope, action) {
                Ok(point) => self.points.push(point),
                Err(reason) => {
                    let message = action.fields_json().to_string();
                    self.undelivered(scope, &what, "iotSiteWise", message.into(), &reason);
                }
            },
        }
    }

    /// Tells the target that stands for an ARN, a URL or a stream; a target of the very name needs no mapping.
    fn notify(&mut self, scope: &Scope, what: &str, named: &str, message: Arc<str>) {
        let plant = &self.catalog.plant;
        let mapped = plant.targets.iter().find(|(from, _)| **from == *named).map(|(_, to)| to.clone());
        let own = || plant.notify.iter().find(|target| *target.name == *named).map(|target| target.name.clone());
        let Some(target) = mapped.or_else(own) else {
            let reason = format!("nothing stands for {named}; add it to `targets:` of the plant file");
            return self.undelivered(scope, what, named, message, &reason);
        };
        let requested =
            Notification { target: target.clone(), message: message.clone(), state: "requested".into(), reason: "".into() };
        let event = self.record(scope, what, EventBody::Notification(requested));
        self.step.effects.push(Effect::Notify(Notice {
            time: scope.time,
            target,
            message,
            asset_path: scope.key.clone(),
            detector: scope.detector.clone(),
            event,
            about: NoticeAbout::default(),
        }));
    }

    fn undelivered(&mut self, scope: &Scope, what: &str, target: &str, message: Arc<str>, reason: &str) {
        let body = Notification { target: target.into(), message, state: "undelivered".into(), reason: reason.into() };
        self.record(scope, what, EventBody::Notification(body));
        self.complain(&scope.detector, scope.time, &format!("undelivered: {reason}"));
    }

    /// A sample of the property that an alias, or an asset and a property, name.
    fn sample(&self, scope: &Scope, action: &Performed) -> Result<Point, String> {
        let plant = &self.catalog.plant;
        let (alias, asset, property) = (field(action, "propertyAlias"), field(action, "assetId"), field(action, "propertyId"));
        let series = self.catalog.series().iter().find(|entry| {
            let (owner, own) = (&plant.assets[entry.asset.0], self.catalog.property(entry.id));
            let Some(own) = own else { return false };
            if !alias.is_empty() {
                let given = owner.aliases.iter().any(|(name, known)| *name == own.name && **known == *alias);
                return given || format!("{}/{}", owner.path, own.key) == alias.trim_start_matches('/');
            }
            let is_owner = owner.id.to_string() == asset || *owner.path == *asset;
            is_owner && (own.id.to_string() == property || *own.key == *property)
        });
        let named = if alias.is_empty() { format!("{asset}/{property}") } else { alias.clone() };
        let series = series.ok_or_else(|| format!("no property of the plant is called {named}"))?.id;
        let values = ["doubleValue", "integerValue", "booleanValue", "stringValue"];
        let value = values.iter().find_map(|kind| value_of(action, &format!("propertyValue.value.{kind}")));
        let value = value.ok_or("it has no value")?;
        let wanted = self.catalog.property(series).map(|property| property.value_type);
        let value = match wanted {
            Some(wanted) => value.clone().coerce(wanted).ok_or_else(|| format!("{value} is no {wanted}"))?,
            None => value,
        };
        let nanos = value_of(action, "propertyValue.timestamp.offsetInNanos").map_or(0, |nanos| whole(&nanos));
        let time = value_of(action, "propertyValue.timestamp.timeInSeconds").map_or(scope.time, |seconds| {
            Timestamp::from_nanos(whole(&seconds).saturating_mul(1_000_000_000).saturating_add(nanos))
        });
        let mut tqv = Tqv::good(time, value);
        tqv.quality = match field(action, "propertyValue.quality").to_uppercase().as_str() {
            "" | "GOOD" => Quality::Good,
            "UNCERTAIN" => Quality::Uncertain,
            "BAD" => Quality::Bad,
            other => return Err(format!("`{other}` is no quality; write GOOD, UNCERTAIN or BAD")),
        };
        Ok(Point { series, tqv })
    }
}

impl Scope {
    /// The id of what an evaluation did: the same when it is replayed, another one when an instance starts anew.
    fn id(&self, what: &str) -> EventId {
        let Self { time, detector, key, evaluation } = self;
        EventId::from_name(&format!("{detector}/{key}/{time}/{evaluation}/{what}"))
    }
}

/// What a `dynamoDB` action writes.
fn row(action: &Performed, payload: Arc<str>) -> TableRow {
    let text = |name: &str| field(action, name);
    let operation = text("operation").to_uppercase();
    let key = |name: &str, value: &str| (!text(name).is_empty()).then(|| format!("{}={}", text(name), text(value)));
    let keys = [key("hashKeyField", "hashKeyValue"), key("rangeKeyField", "rangeKeyValue")];
    TableRow {
        table: text("tableName").into(),
        operation: if operation.is_empty() { "INSERT" } else { operation.as_str() }.into(),
        key: keys.into_iter().flatten().collect::<Vec<_>>().join(" ").into(),
        payload,
    }
}

/// An action in words, for an explanation.
fn described(action: &Performed) -> Arc<str> {
    format!("{} {} {}", action.at.name(), action.kind.name(), action.fields_json()).into()
}

/// A field as text; empty if it is not there.
fn field(action: &Performed, name: &str) -> String {
    match action.fields.iter().find(|(field, _)| *field == name) {
        Some((_, Json::String(text))) => text.clone(),
        Some((_, value)) => value.to_string(),
        None => String::new(),
    }
}

fn value_of(action: &Performed, name: &str) -> Option<Value> {
    let (_, value) = action.fields.iter().find(|(field, _)| *field == name)?;
    serde_json::from_value(value.clone()).ok().filter(|value| *value != Value::Null)
}

fn whole(value: &Value) -> i64 {
    if let Value::Integer(number) = value { *number } else { 0 }
}
