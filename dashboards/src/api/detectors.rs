//! Detectors: all of them in short, and one with its state machine, its moves and its commands.

use super::request::Place;
use crate::{
    app::{App, PropertyValue},
    error::ApiError,
    live::DetectorKey,
    strip::{StateSpan, states},
    view::Time,
};
use andon_models::{
    SeriesId,
    definition::AssetIndex,
    detector::{Action, DetectorModel, Rule, State as ModelState, StateIndex},
    event::Event,
    snapshot::DetectorSnapshot,
    window::Window,
};
use andon_query::EventFilter;
use axum::{Json, extract::State};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

/// Moves that are listed: what a person scrolls through.
const MAX_EVENTS: usize = 50;
/// What the strip of states covers.
const STRIP_SPAN: Duration = Duration::from_secs(3_600);
/// Moves in the strip; a detector that moves more often is one grey block anyway.
const MAX_STRIP: usize = 500;

/// A detector in short.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetectorSummary {
    /// Its asset's id.
    asset: String,
    /// Its asset's path.
    path: String,
    /// Its name.
    detector: String,
    /// The path of its active state.
    state: String,
    /// Since when; null before it started.
    since: Option<Time>,
    /// 1 (critical) to 4 (low).
    priority: u8,
    /// The state of its alarm by ISA-18.2.
    #[schema(value_type = super::openapi::AlarmStateDocument)]
    alarm_state: String,
    /// What its alarm says; the pattern while it is normal.
    message: String,
}

/// A detector with everything its page shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetectorView {
    /// Its asset's id.
    asset: String,
    /// Its asset's path.
    path: String,
    /// Its name.
    detector: String,
    /// 1 (critical) to 4 (low).
    priority: u8,
    /// The message of its alarm, names in braces.
    message: String,
    /// What the operator should do.
    response: String,
    /// Its state machine.
    model: MachineModel,
    /// How it stands; null before it started.
    #[schema(value_type = Option<super::openapi::SnapshotDocument>)]
    snapshot: Option<Arc<DetectorSnapshot>>,
    /// Its last moves, newest first.
    #[schema(value_type = Vec<super::openapi::EventDocument>)]
    transitions: Vec<Event>,
    /// What became of its commands, newest first.
    #[schema(value_type = Vec<super::openapi::EventDocument>)]
    commands: Vec<Event>,
    /// What became of its alarm, newest first.
    #[schema(value_type = Vec<super::openapi::EventDocument>)]
    alarms: Vec<Event>,
    /// Where it was in the last hour.
    strip: Vec<StateSpan>,
    /// What its guards read.
    inputs: Vec<PropertyValue>,
}

/// A state machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct MachineModel {
    /// The path of the leaf where it starts.
    initial: String,
    /// All states, parents before children.
    states: Vec<StateModel>,
}

/// A state or a group of states.
#[derive(Serialize, ToSchema)]
pub(crate) struct StateModel {
    /// Names from the outermost state, joined by `/`.
    path: String,
    /// Its name.
    name: String,
    /// The path of the group it lies in.
    parent: Option<String>,
    /// For a group: the path of the child that is entered with it.
    initial: Option<String>,
    /// For a group: whether entering it re-enters the last leaf.
    history: bool,
    /// Actions when it is entered, as written.
    enter: Vec<String>,
    /// Actions when it is left, as written.
    exit: Vec<String>,
    /// The ways on, tried in order.
    rules: Vec<RuleModel>,
}

/// A way on.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleModel {
    /// As written.
    text: String,
    /// The path of the state it leads to, possibly a group; null when it only acts.
    to: Option<String>,
    /// What sets it off.
    kind: RuleKind,
    /// Its actions, as written.
    actions: Vec<String>,
}

/// What sets a rule off.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleKind {
    /// Its guard holds.
    When,
    /// Its time has come.
    After,
    /// Again and again.
    Every,
}

/// Lists all detectors.
#[utoipa::path(get, path = "/api/detectors", tag = "detectors", responses((status = 200, body = [DetectorSummary])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<DetectorSummary>> {
    Json((0..app.plant().assets.len()).flat_map(|index| summaries_of(&app, AssetIndex(index))).collect())
}

/// Shows one detector.
#[utoipa::path(get, path = "/api/detectors/{asset}/{detector}", tag = "detectors",
    params(("asset" = String, Path, description = "The id or the path of its asset"), ("detector" = String, Path, description = "Its name")),
    responses((status = 200, body = DetectorView), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Place((asset, name)): Place<(String, String)>,
) -> Result<Json<DetectorView>, ApiError> {
    let index = app.find(&asset)?;
    let model = find(&app, index, &name)?;
    let asset = app.asset(index);
    let snapshot = app.state.live.detector(asset.id, &name);
    let now = app.now();
    let window = Window { start: now - STRIP_SPAN, end: now };
    let moves = events(&app, index, &name, "transition", MAX_STRIP).await?;
    let present = snapshot.as_ref().map(|snapshot| (&snapshot.state, snapshot.since));
    let strip = states(&moves, present, window);
    Ok(Json(DetectorView {
        asset: asset.id.to_string(),
        path: asset.path.to_string(),
        detector: name.clone(),
        priority: model.priority.number(),
        message: model.message.to_string(),
        response: model.response.to_string(),
        model: MachineModel::of(&model),
        transitions: moves.into_iter().take(MAX_EVENTS).collect(),
        commands: events(&app, index, &name, "command", MAX_EVENTS).await?,
        alarms: events(&app, index, &name, "alarm", MAX_EVENTS).await?,
        strip,
        inputs: inputs(&app, index, &model),
        snapshot,
    }))
}

/// The detectors of an asset in short.
pub(crate) fn summaries_of(app: &App, index: AssetIndex) -> Vec<DetectorSummary> {
    app.model(index).detectors.iter().map(|model| summary(app, index, model)).collect()
}

fn summary(app: &App, index: AssetIndex, model: &DetectorModel) -> DetectorSummary {
    let asset = app.asset(index);
    let snapshot = app.state.live.detector(asset.id, &model.name);
    let alarm = snapshot.as_ref().map(|snapshot| snapshot.alarm.clone()).unwrap_or_default();
    let message = if alarm.message.is_empty() { &model.message } else { &alarm.message };
    DetectorSummary {
        asset: asset.id.to_string(),
        path: asset.path.to_string(),
        detector: model.name.to_string(),
        state: snapshot.as_ref().map_or(&model.state(model.initial).path, |snapshot| &snapshot.state).to_string(),
        since: snapshot.as_ref().map(|snapshot| Time(snapshot.since)),
        priority: model.priority.number(),
        alarm_state: alarm.state.name().to_owned(),
        message: message.to_string(),
    }
}

/// The definition of a detector.
pub(crate) fn find(app: &App, index: AssetIndex, name: &str) -> Result<Arc<DetectorModel>, ApiError> {
    let found = app.model(index).detectors.iter().find(|detector| &*detector.name == name).cloned();
    found.ok_or_else(|| {
        let message = format!("{} has no detector {name}", app.asset(index).path);
        ApiError::not_found(message, "GET /api/detectors lists them all")
    })
}

/// The definition of a detector instance and where it lives; none when an edit took it away.
pub(crate) fn model_of(app: &App, (asset, name): &DetectorKey) -> Option<(AssetIndex, Arc<DetectorModel>)> {
    let index = app.index_of(*asset)?;
    Some((index, find(app, index, name).ok()?))
}

/// What the guards of a detector read, each series once, in the order of the guards.
pub(crate) fn inputs(app: &App, index: AssetIndex, model: &DetectorModel) -> Vec<PropertyValue> {
    let mut seen: Vec<SeriesId> = Vec::new();
    for reference in crate::machine::guard_references(model) {
        for series in app.state.catalog.resolve(index, reference) {
            if !seen.contains(&series) {
                seen.push(series);
            }
        }
    }
    seen.into_iter().filter_map(|series| super::assets::of_series(app, series)).collect()
}

async fn events(app: &App, index: AssetIndex, detector: &str, kind: &str, limit: usize) -> Result<Vec<Event>, ApiError> {
    let filter = EventFilter {
        kinds: vec![kind.into()],
        asset: Some(app.asset(index).id),
        detector: Some(detector.into()),
        limit,
        ..EventFilter::default()
    };
    Ok(app.state.historian.events(filter).await?)
}

impl MachineModel {
    fn of(model: &DetectorModel) -> Self {
        let path = |index: StateIndex| model.state(index).path.to_string();
        let texts = |actions: &[Action]| actions.iter().map(|action| action.text.to_string()).collect();
        let rule = |rule: &Rule| RuleModel {
            text: rule.text.to_string(),
            to: rule.to_written.or(rule.to).map(path),
            kind: match (rule.every, rule.after) {
                (Some(_), _) => RuleKind::Every,
                (None, Some(_)) => RuleKind::After,
                (None, None) => RuleKind::When,
            },
            actions: texts(&rule.actions),
        };
        let state = |state: &ModelState| StateModel {
            path: state.path.to_string(),
            name: state.name.to_string(),
            parent: state.parent.map(path),
            initial: state.initial.map(path),
            history: state.history,
            enter: texts(&state.enter),
            exit: texts(&state.exit),
            rules: state.rules.iter().map(rule).collect(),
        };
        Self { initial: path(model.initial), states: model.states.iter().map(state).collect() }
    }
}
