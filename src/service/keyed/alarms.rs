//! Alarms over messages beside those of assets: what an instance of an alarm's detector does, in the terms of ISA-18.2.
//!
//! Where such an alarm stands is its instance's state, and what people do to it is a message; both are IoT Events' own. Here they
//! become what lists, pages, measures and operators' requests know alarms by, under a number made of the detector and the key.

use andon_detectors::iot_events::{Evaluation, EventEngine, Trigger};
use andon_models::{
    AssetId, Timestamp,
    alarm::{AlarmState, AlarmVerb},
    catalog::Catalog,
    event::{AlarmChange, Explanation},
    iot_events::{DetectorModel, InputMessage, MessageAlarm},
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    snapshot::{AlarmSnapshot, DetectorSnapshot, InstanceSnapshot, LastTransition},
};
use serde_json::Value as Json;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// All alarms over messages. Bounded as the instances are.
pub(super) struct Alarms {
    models: HashMap<Arc<str>, Arc<DetectorModel>>,
    standing: HashMap<AssetId, Standing>,
}

/// Where one stands.
struct Standing {
    key: Option<Arc<str>>,
    state: AlarmState,
    raised: Option<Timestamp>,
}

/// What an evaluation means for an alarm.
pub(super) struct Followed {
    /// Its change; none where an alarm begins.
    pub change: Option<AlarmChange>,
    /// How it stands now.
    pub snapshot: DetectorSnapshot,
}

impl Followed {
    fn begun(snapshot: DetectorSnapshot) -> Self {
        Self { change: None, snapshot }
    }
}

impl Alarms {
    pub fn new(catalog: &Catalog) -> Self {
        let alarms = catalog.plant.detectors.iter().filter(|model| model.alarm.is_some());
        Self { models: alarms.map(|model| (model.name.clone(), model.clone())).collect(), standing: HashMap::new() }
    }

    /// Takes up how an instance stood.
    pub fn restore(&mut self, snapshot: &InstanceSnapshot) {
        let Some(model) = self.models.get(&snapshot.detector) else { return };
        let state = model.alarm_state(&snapshot.state);
        // When it was raised, only its events say; it has stood so since then at the latest.
        let raised = (state != AlarmState::Normal).then_some(snapshot.since);
        let number = MessageAlarm::number(&snapshot.detector, snapshot.key.as_deref());
        self.standing.insert(number, Standing { key: snapshot.key.clone(), state, raised });
    }

    /// Those that are not normal, as pages show them.
    pub fn snapshots(&self, engines: &[EventEngine]) -> Vec<DetectorSnapshot> {
        let abnormal = engines.iter().filter(|engine| engine.model().alarm.is_some()).flat_map(|engine| {
            let stands = |snapshot: &InstanceSnapshot| engine.model().alarm_state(&snapshot.state) != AlarmState::Normal;
            engine.snapshots().filter(stands)
        });
        abnormal.filter_map(|snapshot| self.shown(&snapshot, None)).collect()
    }

    /// Follows what an evaluation did; none if its detector is no alarm, or a normal one begins.
    pub fn follow(&mut self, evaluation: &Evaluation<'_>, snapshot: &InstanceSnapshot, why: &Explanation) -> Option<Followed> {
        let model = self.models.get(&snapshot.detector)?;
        let alarm = model.alarm.as_ref()?;
        let state = model.alarm_state(&snapshot.state);
        let number = MessageAlarm::number(&snapshot.detector, snapshot.key.as_deref());
        let initial = model.alarm_state(&model.state(model.initial).name);
        let begins = Standing { key: snapshot.key.clone(), state: initial, raised: None };
        let standing = self.standing.entry(number).or_insert(begins);
        let before = std::mem::replace(&mut standing.state, state);
        if before == state && evaluation.from.is_none() {
            // It begins, perhaps out of service.
            return (state != AlarmState::Normal).then(|| self.shown(snapshot, Some(why)))?.map(Followed::begun);
        }
        let deed = match evaluation.trigger {
            Trigger::Message { input, .. } if *input == alarm.input => message_of(snapshot, &alarm.input),
            Trigger::Message { .. } | Trigger::Timer(_) => None,
        };
        let told = |name: &str| Arc::from(deed.and_then(|deed| deed.get(name)?.as_str()).unwrap_or_default());
        let verb = match deed {
            Some(_) => MessageAlarm::verb(&told("action"))?,
            None if matches!(evaluation.trigger, Trigger::Timer(_)) => AlarmVerb::Unshelve,
            None if state.stands() => AlarmVerb::Raise,
            None => AlarmVerb::Clear,
        };
        let verb = if verb == AlarmVerb::Reset && before == AlarmState::Shelved { AlarmVerb::Unshelve } else { verb };
        if verb == AlarmVerb::Raise {
            standing.raised = Some(evaluation.time);
        }
        let change = AlarmChange {
            from: before,
            state,
            verb,
            priority: alarm.priority,
            message: alarm.message.clone(),
            response: "".into(),
            since: standing.raised,
            by: told("by"),
            note: told("note"),
            // What a person did explains itself.
            explanation: if deed.is_some() { Arc::default() } else { Arc::new(why.clone()) },
        };
        Some(Followed { change: Some(change), snapshot: self.shown(snapshot, Some(why))? })
    }

    /// The message that an operator's request means; none if it is not about an alarm over messages.
    pub fn message(&self, request: &OperatorRequest) -> Option<Result<InputMessage, OperatorRefusal>> {
        let (asset, detector, verb, span, note) = asked(&request.deed)?;
        let model = self.models.get(detector)?;
        let (standing, alarm) = (self.standing.get(&asset)?, model.alarm.as_ref()?);
        let refuse = |reason: String| Some(Err(OperatorRefusal::NotNow(reason.into())));
        let Some(action) = MessageAlarm::action(verb) else {
            let ways = "acknowledge, shelve, unshelve, reset, out-of-service and return-to-service";
            return refuse(format!("an alarm over messages knows no such thing, as in IoT Events; there is {ways}"));
        };
        if let Some(reason) = why_not(verb, standing.state, note) {
            return refuse(reason.into());
        }
        let key = model.key.as_ref().zip(standing.key.as_deref());
        let Some(payload) = MessageAlarm::deed(key, action, span, &request.by, note) else {
            return refuse(format!("its key lies in a list; send it to the input {} instead", alarm.input));
        };
        Some(Ok(InputMessage { input: alarm.input.clone(), payload: Arc::new(payload), id: None, retained: false }))
    }

    /// An instance as the list of alarms shows it.
    fn shown(&self, snapshot: &InstanceSnapshot, why: Option<&Explanation>) -> Option<DetectorSnapshot> {
        let model = self.models.get(&snapshot.detector)?;
        let alarm = model.alarm.as_ref()?;
        let number = MessageAlarm::number(&snapshot.detector, snapshot.key.as_deref());
        let state = model.alarm_state(&snapshot.state);
        let acknowledged = (&*snapshot.state == "ACKNOWLEDGED").then(|| message_of(snapshot, &alarm.input)).flatten();
        let by = acknowledged.and_then(|deed| deed.get("by")?.as_str()).unwrap_or_default();
        let snoozed = snapshot.timers.iter().filter_map(|timer| timer.due).min();
        let key = snapshot.key.clone().unwrap_or_else(|| MessageAlarm::NO_KEY.into());
        Some(DetectorSnapshot {
            asset: number,
            asset_path: key,
            detector: snapshot.detector.clone(),
            state: snapshot.state.clone(),
            since: snapshot.since,
            history: Vec::new(),
            variables: snapshot.variables.clone(),
            timers: Vec::new(),
            alarm: AlarmSnapshot {
                state,
                active: state.stands(),
                priority: alarm.priority,
                since: self.standing.get(&number).and_then(|standing| standing.raised),
                message: alarm.message.clone(),
                acknowledged_by: by.into(),
                acknowledged_at: acknowledged.map(|_| snapshot.since),
                shelved_until: snoozed.filter(|_| state == AlarmState::Shelved),
                ..AlarmSnapshot::default()
            },
            commands: Vec::new(),
            commands_decided: 0,
            events_recorded: 0,
            last_transition: why.map(|why| LastTransition {
                from: "".into(),
                to: snapshot.state.clone(),
                time: snapshot.since,
                explanation: Arc::new(why.clone()),
            }),
            failures: 0,
            last_failure: "".into(),
            seen: snapshot.since,
            behind: 0,
            definition: "".into(),
            dry_run: None,
            good: Vec::new(),
            inputs: Vec::new(),
            waiting: Vec::new(),
        })
    }
}

/// The last message of an input.
fn message_of<'s>(snapshot: &'s InstanceSnapshot, input: &str) -> Option<&'s Json> {
    snapshot.inputs.iter().find(|(name, _)| **name == *input).map(|(_, message)| message)
}

/// Of which alarm, of which detector, what is asked, for how long, and the note.
type Asked<'d> = (AssetId, &'d Arc<str>, AlarmVerb, Option<Duration>, &'d str);

/// What is asked of which alarm.
fn asked(deed: &OperatorDeed) -> Option<Asked<'_>> {
    Some(match deed {
        OperatorDeed::Acknowledge { asset, detector, note } => (*asset, detector, AlarmVerb::Acknowledge, None, note),
        OperatorDeed::Shelve { asset, detector, span, note } => (*asset, detector, AlarmVerb::Shelve, Some(*span), note),
        OperatorDeed::Unshelve { asset, detector } => (*asset, detector, AlarmVerb::Unshelve, None, ""),
        OperatorDeed::Suppress { asset, detector, note } => (*asset, detector, AlarmVerb::Suppress, None, note),
        OperatorDeed::Unsuppress { asset, detector, note } => (*asset, detector, AlarmVerb::Unsuppress, None, note),
        OperatorDeed::RemoveFromService { asset, detector, note } => {
            (*asset, detector, AlarmVerb::RemoveFromService, None, note)
        }
        OperatorDeed::ReturnToService { asset, detector, note } => (*asset, detector, AlarmVerb::ReturnToService, None, note),
        OperatorDeed::Reset { asset, detector, note } => (*asset, detector, AlarmVerb::Reset, None, note),
        OperatorDeed::Comment { asset, detector, note } => (*asset, detector, AlarmVerb::Comment, None, note),
        _ => return None,
    })
}

/// Why a deed does nothing in a state, by AWS's table of moves; what hides an alarm needs a note, as with alarms of assets.
fn why_not(verb: AlarmVerb, state: AlarmState, note: &str) -> Option<&'static str> {
    let hides = matches!(verb, AlarmVerb::Shelve | AlarmVerb::RemoveFromService);
    let out = state == AlarmState::OutOfService;
    match verb {
        _ if hides && note.trim().is_empty() => Some("what hides an alarm needs a note that says why"),
        AlarmVerb::ReturnToService if !out => Some("it is in service"),
        AlarmVerb::ReturnToService => None,
        _ if out => Some("it is out of service"),
        AlarmVerb::Acknowledge if !state.needs_acknowledgement() => Some("there is nothing to acknowledge"),
        AlarmVerb::Unshelve if state != AlarmState::Shelved => Some("it is not shelved"),
        AlarmVerb::Reset if state == AlarmState::Normal => Some("it is normal"),
        _ => None,
    }
}
