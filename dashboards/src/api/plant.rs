//! The plant as a whole: what stands in the header of every page.

use super::{commands::named, request::Body};
use crate::{
    GuideStep,
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::{AlarmCounts, ShiftView, Time},
};
use andon_models::operator::OperatorDeed;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

/// What an operator can work with in an hour (ISA-18.2 and EEMUA 191: very likely acceptable, six an hour).
const ALARMS_PER_HOUR_GOAL: u32 = 6;
const HOUR: Duration = Duration::from_secs(3_600);

/// The plant as a whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlantView {
    /// Its name.
    name: String,
    /// Its time zone by IANA name.
    time_zone: String,
    /// Its time.
    now: Time,
    /// Whether this is the demo.
    demo: bool,
    /// The version of the binary.
    version: String,
    /// Whether writes to machines are allowed.
    armed: bool,
    /// The shift that is on.
    shift: Option<ShiftView>,
    /// Active alarms by priority.
    alarms: AlarmCounts,
    /// Alarms that somebody has to acknowledge.
    unacknowledged: usize,
    /// Alarms raised in the last hour.
    alarms_per_hour: usize,
    /// What is still manageable.
    alarms_per_hour_goal: u32,
    /// How many sources are connected.
    sources: SourceCounts,
    /// The steps of the demo's guide; empty outside the demo.
    guide: Vec<GuideStep>,
    /// Who asks, and what they may do.
    you: Principal,
}

/// How many sources are connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceCounts {
    /// In all.
    total: usize,
    /// Connected.
    connected: usize,
}

/// Whether writes shall be allowed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arming {
    /// Whether writes shall be allowed.
    armed: bool,
    /// For how many seconds; until somebody forbids them if left out.
    #[serde(default)]
    seconds: Option<u64>,
    /// Whether a data folder that was copied, or carried to another machine, commands from here from now on.
    #[serde(default)]
    take_over: bool,
    /// Who arms, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Describes the plant as a whole.
#[utoipa::path(get, path = "/api/plant", tag = "plant", responses((status = 200, body = PlantView)))]
pub(crate) async fn plant(State(app): State<Arc<App>>, you: Principal) -> Json<PlantView> {
    let (now, plant) = (app.now(), app.plant());
    let mut alarms = AlarmCounts::default();
    let mut unacknowledged = 0;
    for detector in app.state.live.detectors().iter().filter(|detector| detector.alarm.state.is_active()) {
        alarms.add(detector.alarm.priority);
        unacknowledged += usize::from(detector.alarm.state.needs_acknowledgement());
    }
    let (total, connected) = app.state.live.connections();
    Json(PlantView {
        name: plant.name.to_string(),
        time_zone: plant.calendar.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        now: Time(now),
        demo: app.state.info.demo,
        version: app.state.info.version.clone(),
        armed: app.state.live.armed(),
        shift: plant.calendar.shift_at(now).map(ShiftView::from),
        alarms,
        unacknowledged,
        alarms_per_hour: app.state.live.raised_since(now - HOUR).0,
        alarms_per_hour_goal: ALARMS_PER_HOUR_GOAL,
        sources: SourceCounts { total, connected },
        guide: app.state.info.guide.clone(),
        you,
    })
}

/// Allows or forbids all writes to machines.
#[utoipa::path(post, path = "/api/arm", tag = "plant", request_body = Arming,
    responses((status = 204), (status = 403, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody),
        (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn arm(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(arming): Body<Arming>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Engineer)?;
    let span = arming.seconds.map(Duration::from_secs);
    let deed = OperatorDeed::Arm { armed: arming.armed, span, take_over: arming.take_over };
    app.request_as(named(&principal, &arming.name)?, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}
