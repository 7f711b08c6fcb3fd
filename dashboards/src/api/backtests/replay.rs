//! What one instance of a detector went through, step by step, so that a page can show how it stood at any instant.

use super::{AskBacktest, ReplayOrder, ask, window};
use crate::{
    api::{
        detectors::find,
        request::{Instant, Parameters, Place},
    },
    app::App,
    error::ApiError,
    view::{Datum, QualityView, Time},
};
use andon_models::{Timestamp, Tqv, Value, window::Window};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Longest span that is played for one instance: a page shows hours, perhaps days.
const MAX_SPAN: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Which time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplayParameters {
    /// From this instant on.
    #[param(value_type = String)]
    from: Option<Instant>,
    /// Up to this instant; now if it is left out.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
}

/// An instance of a detector over a span of time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// Its asset's path.
    #[schema(value_type = String)]
    pub asset: Arc<str>,
    /// Its detector.
    #[schema(value_type = String)]
    pub detector: Arc<str>,
    /// From when on.
    pub(crate) from: Time,
    /// Up to when the steps hold.
    pub(crate) to: Time,
    /// Values that went through.
    pub samples: u64,
    /// The steps at which something of it changed, in order of time. At any instant it stood as the last step before says.
    pub steps: Vec<ReplayStep>,
    /// Whether later steps are left out.
    pub truncated: bool,
}

/// How an instance stood after a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayStep {
    pub(crate) time: Time,
    /// Path of its active state.
    #[schema(value_type = String)]
    pub state: Arc<str>,
    /// What set its move off; empty when it did not move.
    #[schema(value_type = String)]
    pub trigger: Arc<str>,
    /// Whether it moved.
    pub moved: bool,
    /// The state of its alarm.
    pub alarm: String,
    /// Its variables.
    pub variables: Vec<ReplayVariable>,
    /// Its timers.
    pub timers: Vec<ReplayTimer>,
    /// What it reads, as known then.
    pub inputs: Vec<ReplayInput>,
}

/// A variable.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayVariable {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    pub(crate) value: Datum,
}

/// A timer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayTimer {
    /// As written: `after 1m`.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    /// Path of the state it belongs to.
    #[schema(value_type = String)]
    pub state: Arc<str>,
    pub(crate) started: Time,
    pub(crate) due: Time,
    /// Since when it stands still; null while it runs.
    pub(crate) paused: Option<Time>,
    /// Whether it has gone off.
    pub fired: bool,
}

/// A value that it reads.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayInput {
    /// Key of the property, with the asset's path before it if it is another's.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    pub(crate) value: Datum,
    pub(crate) quality: QualityView,
    pub(crate) time: Time,
}

impl ReplayView {
    /// An instance without any step yet.
    pub fn new(asset: Arc<str>, detector: Arc<str>, window: Window) -> Self {
        let (from, to) = (Time(window.start), Time(window.end));
        Self { asset, detector, from, to, samples: 0, steps: Vec::new(), truncated: false }
    }

    /// From when on it is.
    pub fn start(&self) -> Timestamp {
        self.from.0
    }

    /// Says that there are more steps, and up to when these hold.
    pub fn truncate(&mut self, to: Timestamp) {
        (self.truncated, self.to) = (true, Time(to));
    }
}

impl ReplayStep {
    /// A step at an instant, in which nothing moved.
    pub fn new(time: Timestamp, state: Arc<str>, alarm: &str) -> Self {
        let (variables, timers, inputs) = Default::default();
        Self { time: Time(time), state, trigger: "".into(), moved: false, alarm: alarm.to_owned(), variables, timers, inputs }
    }

    /// When it was.
    pub fn time(&self) -> Timestamp {
        self.time.0
    }

    /// Says that it was at another time.
    pub fn at(&mut self, time: Timestamp) {
        self.time = Time(time);
    }
}

impl ReplayVariable {
    /// A variable with its value.
    pub fn new(name: Arc<str>, value: Value) -> Self {
        Self { name, value: Datum(value) }
    }
}

impl ReplayTimer {
    /// A timer as it stands.
    pub fn new(timer: &andon_models::snapshot::TimerSnapshot) -> Self {
        Self {
            name: timer.name.clone(),
            state: timer.state.clone(),
            started: Time(timer.started),
            due: Time(timer.due),
            paused: timer.paused.map(Time),
            fired: timer.fired,
        }
    }
}

impl ReplayInput {
    /// A value under a name.
    pub fn new(name: Arc<str>, tqv: &Tqv) -> Self {
        Self { name, value: Datum(tqv.value.clone()), quality: tqv.quality.into(), time: Time(tqv.time) }
    }
}

/// Plays one instance again over a span of time and shows how it stood at each step.
#[utoipa::path(get, path = "/api/detectors/{asset}/{detector}/replay", tag = "detectors",
    params(("asset" = String, Path, description = "The id or the path of its asset"), ("detector" = String, Path, description = "Its name"), ReplayParameters),
    responses((status = 200, body = ReplayView), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    Place((asset, name)): Place<(String, String)>,
    Parameters(parameters): Parameters<ReplayParameters>,
) -> Result<Json<ReplayView>, ApiError> {
    let index = app.find(&asset)?;
    let model = find(&app, index, &name)?;
    let window = window(&app, parameters.from.map(|from| from.0), parameters.to.map(|to| to.0), MAX_SPAN)?;
    let order = ReplayOrder { asset: app.asset(index).id, detector: model.name.clone(), window };
    let played = ask(&app, |reply| AskBacktest::Replay(order, reply)).await?;
    played.map(Json).map_err(|reason| ApiError::unavailable(reason, "take a shorter span, or try again"))
}
