//! The description of the interface, made from the handlers and the shapes they answer with.

mod browse;
mod figures;
mod shapes;

pub(crate) use browse::BrowseDocument;
pub(crate) use figures::{ExplainedDocument, OeeFiguresDocument, OeeLossesDocument};
pub(crate) use shapes::{
    AlarmStateDocument, AuditStateDocument, EventDocument, InstanceDocument, SnapshotDocument, SourceDocument,
};

use crate::{
    api::{
        alarms, assets, audit, backfills, backtests, commands, connections, corrections, definition, detectors, events, export,
        expressions, inputs, instances, lines, live, models, notes, oee, overview, plant, schema, series, shifts, sources, sql,
        trend, write,
    },
    error::ErrorBody,
    health,
};
use axum::response::IntoResponse;
use serde_json::Value as Json;
use std::{collections::BTreeSet, sync::LazyLock};
use utoipa::OpenApi;

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
        audit::state,
        shifts::around,
        definition::definition,
        definition::schema,
        definition::version,
        definition::check,
        definition::plan,
        definition::apply,
        definition::revert,
        overview::overview,
        lines::one,
        notes::write,
        notes::list,
        models::list,
        assets::list,
        assets::one,
        corrections::set,
        corrections::correct,
        series::history,
        series::samples,
        trend::trend,
        detectors::list,
        detectors::one,
        backfills::start,
        backfills::list,
        backfills::one,
        backfills::cancel,
        backtests::replay::replay,
        backtests::start,
        backtests::one,
        backtests::cancel,
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
        oee::figures,
        oee::stops::list,
        oee::stops::reason,
        oee::stops::split,
        oee::stops::comment,
        oee::explain::explain,
        sources::list,
        sources::browse::browse,
        events::list,
        export::export,
        connections::connections,
        expressions::preview,
        inputs::message,
        instances::list,
        instances::one,
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
    components(schemas(ErrorBody, EventDocument, SnapshotDocument, InstanceDocument, SourceDocument))
)]
struct Document;

static DOCUMENT: LazyLock<Json> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let asked = bodies(&document["paths"]);
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        if !asked.contains(name) {
            require_nulls(schema);
        }
    }
    for operation in document["paths"].as_object_mut().into_iter().flatten().flat_map(|(_, path)| path.as_object_mut()) {
        operation.values_mut().for_each(name_by_tag);
    }
    document
});

/// Several resources have a `list`: an operation's id is unique with its tag.
fn name_by_tag(operation: &mut Json) {
    if let (Some(tag), Some(id)) = (operation["tags"][0].as_str(), operation["operationId"].as_str()) {
        operation["operationId"] = format!("{tag}_{id}").into();
    }
}

/// Names of the shapes that are sent to us; in those a member may be left out.
fn bodies(paths: &Json) -> BTreeSet<String> {
    let operations = paths.as_object().into_iter().flatten().flat_map(|(_, path)| path.as_object().into_iter().flatten());
    let text: String = operations.map(|(_, operation)| operation["requestBody"].to_string()).collect();
    text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Answers name all their members: one that may be null is there and null.
fn require_nulls(schema: &mut Json) {
    for parts in ["allOf", "oneOf"] {
        schema.get_mut(parts).and_then(Json::as_array_mut).into_iter().flatten().for_each(require_nulls);
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    let nullable: Vec<Json> = members.filter(|(_, member)| may_be_null(member)).map(|(name, _)| name.as_str().into()).collect();
    if !nullable.is_empty() {
        let known = schema["required"].as_array().cloned().unwrap_or_default();
        let more = nullable.into_iter().filter(|name| !known.contains(name));
        schema["required"] = known.iter().cloned().chain(more).collect();
    }
}

fn may_be_null(schema: &Json) -> bool {
    let types = &schema["type"];
    let choices = schema["oneOf"].as_array();
    types == "null"
        || types.as_array().is_some_and(|types| types.iter().any(|one| one == "null"))
        || choices.is_some_and(|choices| choices.iter().any(may_be_null))
}

/// Gives this document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "service", responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn document() -> impl IntoResponse {
    axum::Json(&*DOCUMENT)
}
