//! Alarms: active, shelved and past ones, and what an operator does about them.

pub(crate) mod measures;
pub(crate) mod verbs;

use super::{
    commands::named,
    detectors::{find, inputs, model_of},
    request::{Body, Instant, Parameters, Place},
};
use crate::{
    app::{App, PropertyValue},
    error::ApiError,
    live::{COUNTED_SPAN, DetectorKey},
    security::{Principal, Role},
    view::Time,
};
use andon_models::{
    AssetId, Timestamp,
    alarm::{AlarmState, AlarmVerb, LONGEST_SHELVING},
    definition::AssetIndex,
    event::{AlarmChange, Event, EventBody},
    iot_events::MessageAlarm,
    operator::OperatorDeed,
    snapshot::DetectorSnapshot,
};
use andon_query::EventFilter;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Past alarms that are listed unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 200;
/// Most past alarms of one answer.
const MAX_LIMIT: usize = 2_000;
/// Most present alarms of one answer: a flood of a whole plant.
const MOST_PRESENT: usize = 10_000;
/// Changes an alarm goes through, usually: raised, acknowledged, cleared, and one to spare.
const CHANGES_PER_ALARM: usize = 4;
/// Values shown beside an alarm.
const MAX_INPUTS: usize = 6;
/// Longest note of an operator.
const MAX_NOTE: usize = 1_000;

/// An alarm.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlarmView {
    /// Its asset's id; empty for an alarm over messages.
    asset: String,
    /// Its asset's path, or the key of an alarm over messages.
    path: String,
    /// Its detector.
    detector: String,
    /// 1 (critical) to 4 (low).
    priority: u8,
    /// Its state by ISA-18.2.
    #[schema(value_type = super::openapi::AlarmStateDocument)]
    state: String,
    /// When it was raised.
    since: Option<Time>,
    /// What it says, values filled in.
    message: String,
    /// What the operator should do.
    response: String,
    /// What its guards read, with the newest values; empty for past alarms.
    value_inputs: Vec<PropertyValue>,
    /// How often it was raised in 24 h.
    count_24h: usize,
    /// Who acknowledged it; empty if nobody.
    acknowledged_by: String,
    /// When it was acknowledged.
    acknowledged_at: Option<Time>,
    /// When its shelving ends.
    shelved_until: Option<Time>,
    /// When it changed last; null if unknown.
    last_change: Option<Time>,
}

/// Which alarms.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// In alarm, or not yet acknowledged.
    #[default]
    Active,
    /// Hidden by an operator for a while.
    Shelved,
    /// Suppressed by design or by an engineer.
    Suppressed,
    /// Taken out of service.
    OutOfService,
    /// All that were raised, newest first, with how they ended.
    History,
}

/// Which alarms, and how many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlarmParameters {
    /// Which ones; `active` if left out.
    #[serde(default)]
    #[param(inline, required = false)]
    view: View,
    /// How many at most.
    limit: Option<usize>,
    /// For `history`: as it was at this instant, now if left out. What is present is of now.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
}

/// An acknowledgement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledgement {
    /// What the operator has to say about it.
    #[serde(default)]
    note: String,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A shelving.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shelving {
    /// For how long; at most seven days.
    minutes: u32,
    /// Why.
    note: String,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Who does it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Lists alarms: the most urgent first, past ones the newest first.
#[utoipa::path(get, path = "/api/alarms", tag = "alarms", params(AlarmParameters),
    responses((status = 200, body = [AlarmView]), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<AlarmParameters>,
) -> Result<Json<Vec<AlarmView>>, ApiError> {
    let most = if matches!(parameters.view, View::History) { MAX_LIMIT } else { MOST_PRESENT };
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT).min(most);
    let mut alarms = match parameters.view {
        View::Active => active(&app),
        View::Shelved => present(&app, |alarm| alarm == AlarmState::Shelved),
        View::Suppressed => present(&app, |alarm| alarm == AlarmState::Suppressed),
        View::OutOfService => present(&app, |alarm| alarm == AlarmState::OutOfService),
        View::History => past(&app, limit, parameters.as_of).await?,
    };
    alarms.truncate(limit);
    Ok(Json(alarms))
}

/// Acknowledges an alarm.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/acknowledge", tag = "alarms", request_body = Acknowledgement,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 404, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(Acknowledgement { note, name }): Body<Acknowledgement>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let (asset, detector) = alarm_at(&app, &place)?;
    let deed = OperatorDeed::Acknowledge { asset, detector, note: checked(&note)? };
    app.request_as(named(&principal, &name)?, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hides an alarm for a while.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/shelve", tag = "alarms", request_body = Shelving,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn shelve(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(Shelving { minutes, note, name }): Body<Shelving>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let (asset, detector) = alarm_at(&app, &place)?;
    let span = Duration::from_secs(u64::from(minutes) * 60);
    if span.is_zero() || span > LONGEST_SHELVING {
        let most = LONGEST_SHELVING.as_secs() / 60;
        let message = format!("{minutes} minutes cannot be shelved");
        return Err(ApiError::bad_request(message, format!("shelve for 1 to {most} minutes, or take it out of service")));
    }
    if note.trim().is_empty() {
        return Err(ApiError::bad_request("a shelved alarm needs a reason", "say in `note` why it is hidden"));
    }
    let deed = OperatorDeed::Shelve { asset, detector, span, note: checked(&note)? };
    app.request_as(named(&principal, &name)?, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the shelving of an alarm.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/unshelve", tag = "alarms", request_body = Signed,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 404, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn unshelve(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(Signed { name }): Body<Signed>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let (asset, detector) = alarm_at(&app, &place)?;
    app.request_as(named(&principal, &name)?, OperatorDeed::Unshelve { asset, detector }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn alarm_at(app: &App, (asset, detector): &(String, String)) -> Result<DetectorKey, ApiError> {
    let index = match app.find(asset) {
        Ok(index) => index,
        Err(unknown) => return over_messages(app, asset, detector).ok_or(unknown),
    };
    Ok((app.asset(index).id, find(app, index, detector)?.name.clone()))
}

/// The alarm of a key, if the detector is one over messages. The loop knows whether the key has one.
fn over_messages(app: &App, key: &str, detector: &str) -> Option<DetectorKey> {
    let model = app.plant().detectors.iter().find(|model| *model.name == *detector && model.alarm.is_some())?;
    let key = model.key.as_ref().map(|_| key);
    Some((MessageAlarm::number(detector, key), model.name.clone()))
}

pub(super) fn checked(note: &str) -> Result<Arc<str>, ApiError> {
    let note = note.trim();
    if note.chars().count() > MAX_NOTE {
        return Err(ApiError::bad_request("the note is too long", format!("{MAX_NOTE} characters are the most")));
    }
    Ok(note.into())
}

/// All active alarms: by priority, those nobody has seen first, then the newest.
pub(crate) fn active(app: &App) -> Vec<AlarmView> {
    present(app, AlarmState::is_active)
}

/// The active and shelved alarms of an asset.
pub(crate) fn active_of(app: &App, index: AssetIndex) -> Vec<AlarmView> {
    let id = app.asset(index).id.to_string();
    let mut alarms = present(app, |alarm| alarm.is_active() || alarm == AlarmState::Shelved);
    alarms.retain(|alarm| alarm.asset == id);
    alarms
}

fn present(app: &App, which: impl Fn(AlarmState) -> bool) -> Vec<AlarmView> {
    let counts = app.state.live.raised_since(app.now() - COUNTED_SPAN).1;
    let detectors = app.state.live.detectors();
    let mut chosen: Vec<_> = detectors.iter().filter(|detector| which(detector.alarm.state)).collect();
    chosen.sort_by_key(|detector| {
        let alarm = &detector.alarm;
        (alarm.priority, !alarm.state.needs_acknowledgement(), std::cmp::Reverse(alarm.since))
    });
    chosen.into_iter().filter_map(|detector| view(app, detector, &counts)).collect()
}

fn view(app: &App, detector: &DetectorSnapshot, counts: &HashMap<DetectorKey, usize>) -> Option<AlarmView> {
    let key = (detector.asset, detector.detector.clone());
    let of_asset = model_of(app, &key);
    if of_asset.is_none() && over_messages(app, &detector.asset_path, &detector.detector).is_none() {
        return None;
    }
    let alarm = &detector.alarm;
    let asset = of_asset.as_ref().map_or_else(String::new, |_| detector.asset.to_string());
    let mut value_inputs = of_asset.map_or_else(Vec::new, |(index, model)| inputs(app, index, &model));
    value_inputs.truncate(MAX_INPUTS);
    Some(AlarmView {
        asset,
        path: detector.asset_path.to_string(),
        detector: detector.detector.to_string(),
        priority: alarm.priority.number(),
        state: alarm.state.name().to_owned(),
        since: alarm.since.map(Time),
        message: alarm.message.to_string(),
        response: alarm.response.to_string(),
        value_inputs,
        count_24h: counts.get(&key).copied().unwrap_or_default(),
        acknowledged_by: alarm.acknowledged_by.to_string(),
        acknowledged_at: alarm.acknowledged_at.map(Time),
        shelved_until: alarm.shelved_until.map(Time),
        last_change: alarm.acknowledged_at.max(alarm.since).map(Time),
    })
}

/// Alarms that were raised, newest first, each with its newest state.
async fn past(app: &App, limit: usize, as_of: Option<Instant>) -> Result<Vec<AlarmView>, ApiError> {
    let to = as_of.map(|as_of| as_of.0);
    let filter = EventFilter { kinds: vec!["alarm".into()], to, limit: limit * CHANGES_PER_ALARM, ..EventFilter::default() };
    let counts = app.state.live.raised_since(app.now() - COUNTED_SPAN).1;
    let occurrences = occurrences(&app.state.historian.events(filter).await?);
    Ok(occurrences.into_iter().map(|occurrence| occurrence.view(&counts)).collect())
}

/// One time an alarm was raised, with how it ended so far.
#[derive(Debug)]
struct Occurrence {
    key: DetectorKey,
    path: Arc<str>,
    newest: AlarmChange,
    last_change: Timestamp,
    acknowledged: Option<(Arc<str>, Timestamp)>,
}

/// Groups changes (newest first) by the time their alarm was raised.
fn occurrences(changes: &[Event]) -> Vec<Occurrence> {
    let mut places: HashMap<(AssetId, Arc<str>, Option<Timestamp>), usize> = HashMap::new();
    let mut found: Vec<Occurrence> = Vec::new();
    for event in changes {
        let (Some(asset), EventBody::Alarm(change)) = (event.asset, &event.body) else { continue };
        let raised = if change.verb == AlarmVerb::Raise { change.since.or(Some(event.time)) } else { change.since };
        let key = (asset, event.detector.clone());
        let place = *places.entry((key.0, key.1.clone(), raised)).or_insert_with(|| {
            let newest = AlarmChange { since: raised, ..change.clone() };
            let path = event.asset_path.clone();
            found.push(Occurrence { key, path, newest, last_change: event.time, acknowledged: None });
            found.len() - 1
        });
        if change.verb == AlarmVerb::Acknowledge {
            found[place].acknowledged.get_or_insert((change.by.clone(), event.time));
        }
    }
    found
}

impl Occurrence {
    fn view(self, counts: &HashMap<DetectorKey, usize>) -> AlarmView {
        let (acknowledged_by, acknowledged_at) = self.acknowledged.unzip();
        // What has the number of an alarm over messages has no asset.
        let over_messages = MessageAlarm::is_number(self.key.0, &self.key.1, &self.path);
        AlarmView {
            asset: if over_messages { String::new() } else { self.key.0.to_string() },
            path: self.path.to_string(),
            detector: self.key.1.to_string(),
            priority: self.newest.priority.number(),
            state: self.newest.state.name().to_owned(),
            since: self.newest.since.map(Time),
            message: self.newest.message.to_string(),
            response: self.newest.response.to_string(),
            value_inputs: Vec::new(),
            count_24h: counts.get(&self.key).copied().unwrap_or_default(),
            acknowledged_by: acknowledged_by.unwrap_or_default().to_string(),
            acknowledged_at: acknowledged_at.map(Time),
            shelved_until: None,
            last_change: Some(Time(self.last_change)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{EventId, alarm::Priority};

    fn change(seconds: i64, verb: AlarmVerb, state: AlarmState, since: i64, by: &str) -> Event {
        Event {
            id: EventId::from_name(&seconds.to_string()),
            time: Timestamp::from_seconds(seconds),
            asset: Some(AssetId::from_name("Filler 1")),
            asset_path: "Filler 1".into(),
            detector: "hot".into(),
            body: EventBody::Alarm(AlarmChange {
                from: AlarmState::Normal,
                state,
                verb,
                priority: Priority::High,
                message: "hot".into(),
                response: "".into(),
                since: Some(Timestamp::from_seconds(since)),
                by: by.into(),
                note: "".into(),
                explanation: Default::default(),
            }),
        }
    }

    #[test]
    fn changes_are_grouped_by_the_time_the_alarm_was_raised() {
        let changes = [
            change(90, AlarmVerb::Raise, AlarmState::Unacknowledged, 90, ""),
            change(50, AlarmVerb::Clear, AlarmState::Normal, 10, ""),
            change(30, AlarmVerb::Acknowledge, AlarmState::Acknowledged, 10, "Eva"),
            change(10, AlarmVerb::Raise, AlarmState::Unacknowledged, 10, ""),
        ];
        let found: Vec<AlarmView> = occurrences(&changes).into_iter().map(|one| one.view(&HashMap::new())).collect();
        let told: Vec<_> = found.iter().map(|alarm| (alarm.state.as_str(), alarm.acknowledged_by.as_str())).collect();
        assert_eq!(told, [("unacknowledged", ""), ("normal", "Eva")]);
        assert_eq!(found[1].acknowledged_at, Some(Time(Timestamp::from_seconds(30))));
        assert_eq!(found[1].last_change, Some(Time(Timestamp::from_seconds(50))));
    }
}
