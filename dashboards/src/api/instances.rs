//! Instances of detectors over messages: where each stands, and how it came there.

use super::request::{Parameters, Place};
use crate::{app::App, error::ApiError};
use andon_models::{event::Event, snapshot::InstanceSnapshot};
use andon_query::EventFilter;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use utoipa::{IntoParams, ToSchema};

/// Instances unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 100;
/// Most instances of one answer.
const MAX_LIMIT: usize = 1_000;
/// Events that are listed with one: what a person scrolls through.
const MAX_EVENTS: usize = 50;

/// A question about instances, on its way to the plant's loop.
#[derive(Debug)]
pub struct AskInstances {
    /// Only of this detector.
    pub detector: Option<Arc<str>>,
    /// Only this one. `Some(None)` is the one of a detector without a key.
    pub key: Option<Option<Arc<str>>>,
    /// So many are left out before.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
    /// Answered with where they stand, in the order in which they came to life.
    pub reply: oneshot::Sender<Instances>,
}

/// Where such questions go.
pub type Asks = mpsc::Sender<AskInstances>;

/// Where instances stand.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Instances {
    /// Every detector with the number of its instances.
    pub detectors: Vec<Counted>,
    /// The instances asked for.
    #[schema(value_type = Vec<super::openapi::InstanceDocument>)]
    pub instances: Vec<InstanceSnapshot>,
}

/// How many instances a detector has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted {
    /// Its name.
    pub detector: String,
    /// Where messages say their instance; null for a detector with one instance.
    pub key: Option<String>,
    /// How many there are.
    pub instances: usize,
}

/// Which instances.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstanceParameters {
    /// Only of this detector.
    detector: Option<String>,
    /// How many are left out before, for the next part of a long list.
    skip: Option<usize>,
    /// How many at most: 100 unless it is given, up to 1000.
    limit: Option<usize>,
}

/// Which of a detector's instances.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OneParameters {
    /// Its key; left out for a detector without one.
    key: Option<String>,
}

/// An instance with what happened to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceView {
    /// Where it stands.
    #[schema(value_type = super::openapi::InstanceDocument)]
    instance: InstanceSnapshot,
    /// Its moves, each with its explanation, and what it did; newest first.
    #[schema(value_type = Vec<super::openapi::EventDocument>)]
    events: Vec<Event>,
}

/// Lists instances of detectors over messages.
#[utoipa::path(get, path = "/api/instances", tag = "instances", params(InstanceParameters),
    responses((status = 200, body = Instances), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<InstanceParameters>,
) -> Result<Json<Instances>, ApiError> {
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let detector = parameters.detector.map(Arc::from);
    Ok(Json(ask(&app, detector, None, parameters.skip.unwrap_or(0), limit).await?))
}

/// Shows one instance of a detector over messages.
#[utoipa::path(get, path = "/api/instances/{detector}", tag = "instances",
    params(("detector" = String, Path, description = "The detector's name"), OneParameters),
    responses((status = 200, body = InstanceView), (status = 404, body = crate::error::ErrorBody), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Place(detector): Place<String>,
    Parameters(parameters): Parameters<OneParameters>,
) -> Result<Json<InstanceView>, ApiError> {
    let detector: Arc<str> = detector.into();
    let key: Option<Arc<str>> = parameters.key.map(Arc::from);
    let found = ask(&app, Some(detector.clone()), Some(key.clone()), 0, 1).await?;
    let instance = found.instances.into_iter().next().ok_or_else(|| {
        let named = key.as_ref().map_or_else(|| "instance without a key".into(), |key| format!("instance {key}"));
        ApiError::not_found(format!("{detector} has no {named}"), "GET /api/instances lists them")
    })?;
    let filter = EventFilter {
        detector: Some(detector),
        path: Some(key.unwrap_or_default()),
        limit: MAX_EVENTS,
        ..EventFilter::default()
    };
    Ok(Json(InstanceView { instance, events: app.state.historian.events(filter).await? }))
}

async fn ask(
    app: &App,
    detector: Option<Arc<str>>,
    key: Option<Option<Arc<str>>>,
    skip: usize,
    limit: usize,
) -> Result<Instances, ApiError> {
    let (reply, answer) = oneshot::channel();
    let busy = || ApiError::unavailable("the plant does not answer", "try again when it runs");
    app.state.instances.send(AskInstances { detector, key, skip, limit, reply }).await.map_err(|_| busy())?;
    answer.await.map_err(|_| busy())
}
