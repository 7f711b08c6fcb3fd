//! The description of the interface, made from the handlers and the shapes they answer with.

use crate::{
    api::{alarms, assets, commands, detectors, events, live, overview, plant, schema, series, sources, sql, write},
    error::ErrorBody,
    health,
    view::{Datum, Time},
};
use axum::{Json, response::IntoResponse};
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Andon",
        description = "What a plant does, what it did, and what operators do about it. Times are RFC 3339 texts in objects and milliseconds since the epoch in arrays; spans are milliseconds. Assets are named by id or by path.",
        license(name = "Apache-2.0")
    ),
    paths(
        plant::plant,
        plant::arm,
        overview::overview,
        assets::list,
        assets::one,
        series::history,
        detectors::list,
        detectors::one,
        commands::prepare,
        commands::confirm,
        commands::release,
        alarms::list,
        alarms::acknowledge,
        alarms::shelve,
        alarms::unshelve,
        alarms::verbs::suppress,
        alarms::verbs::unsuppress,
        alarms::verbs::remove_from_service,
        alarms::verbs::return_to_service,
        alarms::verbs::reset,
        alarms::verbs::comment,
        alarms::measures::measures,
        sources::list,
        events::list,
        sql::run,
        schema::tables,
        write::lines,
        write::influx1,
        write::influx2,
        write::arrow,
        write::ping,
        live::live,
        document,
        health::healthz,
        health::readyz,
        health::metrics
    ),
    components(schemas(ErrorBody, EventDocument, SnapshotDocument, SourceDocument))
)]
struct Document;

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);

/// Gives this document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "service", responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn document() -> impl IntoResponse {
    Json(&*DOCUMENT)
}

/// One thing that happened. Beside what stands here it has the members of its kind: a transition `from`, `to`, `explanation`;
/// an alarm `from`, `state`, `verb`, `priority`, `message`, `response`, `since`, `by`, `note`, `explanation`; a command `command`, `control`,
/// `address`, `value`, `state`, `read_back`, `reason`, `decided_by`, `decided_at`; a notification `target`, `message`, `state`,
/// `reason`; a publication `topic`, `payload`; a deed `by`, `verb`, `detail`; a notice of the system `subject`, `level`, `message`.
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
    /// transition, alarm, command, notification, publication, deed or system.
    kind: String,
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
    variables: Vec<Vec<Datum>>,
    /// Its running timers: `state`, `rule`, `name`, `started`, `due`, `paused`, `fired`.
    timers: Vec<serde_json::Value>,
    /// Its alarm: `state`, `active`, `priority`, `since`, `message`, `response`, `acknowledged_by`, `acknowledged_at`, `shelved_until`.
    alarm: serde_json::Value,
    /// Its commands that are not final, and the last final one: `command`, `state`, `reason`.
    commands: Vec<serde_json::Value>,
    /// Its last move: `from`, `to`, `time`, `explanation`.
    last_transition: Option<serde_json::Value>,
    /// How many guards failed to evaluate.
    failures: u64,
    /// The last such failure.
    last_failure: String,
    /// The latest event time it has seen.
    seen: Time,
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
    /// connecting, connected, lost or misconfigured.
    state: String,
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
    /// The last error and what to do about it; empty if none.
    last_error: String,
}
