//! The HTTP API under `/api`, one file per resource, described by `/api/openapi.json`.

pub(crate) mod alarms;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod backfills;
pub(crate) mod backtests;
pub(crate) mod commands;
pub(crate) mod connections;
pub(crate) mod corrections;
pub(crate) mod definition;
pub(crate) mod detectors;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod expressions;
pub(crate) mod inputs;
pub(crate) mod instances;
pub(crate) mod lines;
pub(crate) mod live;
pub(crate) mod models;
pub(crate) mod notes;
pub(crate) mod oee;
mod openapi;
pub(crate) mod overview;
pub(crate) mod plant;
pub(crate) mod request;
pub(crate) mod schema;
pub(crate) mod series;
pub(crate) mod shifts;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod trend;
pub(crate) mod write;

use crate::{app::App, error::ApiError, layers};
use axum::{
    Router,
    http::{HeaderValue, Uri, header},
    middleware,
    routing::{get, post},
};
use std::sync::Arc;
use tokio::runtime::Handle;
use tower_http::set_header::SetResponseHeaderLayer;

pub(crate) fn router(workers: Handle) -> Router<Arc<App>> {
    present()
        .merge(history().route_layer(middleware::from_fn_with_state(workers, layers::aside)))
        .fallback(unknown)
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// What is, and what people and programs do about it: answered at once, whatever is being computed.
fn present() -> Router<Arc<App>> {
    Router::new()
        .route("/plant", get(plant::plant))
        .route("/arm", post(plant::arm))
        .route("/audit/state", get(audit::state))
        .route("/detectors/{asset}/{detector}/release", post(commands::release))
        .route("/commands/prepare", post(commands::prepare))
        .route("/commands/confirm", post(commands::confirm))
        .route("/alarms/{asset}/{detector}/acknowledge", post(alarms::acknowledge))
        .route("/alarms/{asset}/{detector}/shelve", post(alarms::shelve))
        .route("/alarms/{asset}/{detector}/unshelve", post(alarms::unshelve))
        .route("/alarms/{asset}/{detector}/suppress", post(alarms::verbs::suppress))
        .route("/alarms/{asset}/{detector}/unsuppress", post(alarms::verbs::unsuppress))
        .route("/alarms/{asset}/{detector}/out-of-service", post(alarms::verbs::remove_from_service))
        .route("/alarms/{asset}/{detector}/return-to-service", post(alarms::verbs::return_to_service))
        .route("/alarms/{asset}/{detector}/reset", post(alarms::verbs::reset))
        .route("/alarms/{asset}/{detector}/comment", post(alarms::verbs::comment))
        .route("/sources", get(sources::list))
        .route("/live", get(live::live))
        .route_layer(middleware::from_fn(request::no_parameters))
        .route("/alarms", get(alarms::list))
        .route("/inputs/{input}", post(inputs::message))
        .route("/instances", get(instances::list))
        .route("/instances/{detector}", get(instances::one))
        .route("/sources/{source}/browse", get(sources::browse::browse))
        .merge(write::router())
}

/// What was, and what follows from it: computed aside.
fn history() -> Router<Arc<App>> {
    Router::new()
        .route("/assets", get(assets::list))
        .route("/attributes", post(corrections::set))
        .route("/corrections", post(corrections::correct))
        .route("/models", get(models::list))
        .route("/overview", get(overview::overview))
        .route("/lines/{asset}/notes", post(notes::write))
        .route("/detectors", get(detectors::list))
        .route("/detectors/{asset}/{detector}", get(detectors::one))
        .route("/backfills", get(backfills::list).post(backfills::start))
        .route("/backfills/{number}", get(backfills::one).delete(backfills::cancel))
        .route("/backtests", post(backtests::start))
        .route("/backtests/{id}", get(backtests::one).delete(backtests::cancel))
        .route("/stops/{id}/reason", post(oee::stops::reason))
        .route("/stops/{id}/split", post(oee::stops::split))
        .route("/stops/{id}/comment", post(oee::stops::comment))
        .route("/connections", get(connections::connections))
        .route("/expressions/preview", post(expressions::preview))
        .route("/sql", post(sql::run))
        .route("/schema", get(schema::tables))
        .route("/openapi.json", get(openapi::document))
        .route_layer(middleware::from_fn(request::no_parameters))
        .route("/shifts", get(shifts::around))
        .route("/assets/{asset}", get(assets::one))
        .route("/lines/{asset}", get(lines::one))
        .route("/notes", get(notes::list))
        .route("/series/{series}/history", get(series::history))
        .route("/series/{series}/samples", get(series::samples))
        .route("/trend", get(trend::trend))
        .route("/detectors/{asset}/{detector}/replay", get(backtests::replay::replay))
        .route("/alarms/measures", get(alarms::measures::measures))
        .route("/oee", get(oee::figures))
        .route("/stops", get(oee::stops::list))
        .route("/explain", get(oee::explain::explain))
        .route("/events", get(events::list))
        .route("/export", get(export::export))
}

async fn unknown(uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is no {}", uri.path()), "GET /api/openapi.json describes the interface")
}
