//! What a source offers: its nodes with their values, and how each is written into the plant file. Whoever owns the connections asks
//! the device; here are the limits, the rights and the words.

use crate::{
    api::{
        openapi::BrowseDocument,
        request::{Parameters, Place},
    },
    app::App,
    error::{ApiError, ErrorBody},
    security::{Principal, Role},
};
use andon_models::browse::{Browse, BrowseRefusal, BrowseTrouble, BrowseView, Browsed, names_source, view};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use utoipa::IntoParams;

/// A question about a source, on its way to the connection.
#[derive(Debug)]
pub struct AskBrowse {
    /// The source.
    pub source: Arc<str>,
    /// The question.
    pub ask: Browse,
    /// Answered with what there is, or why there is no answer.
    pub reply: oneshot::Sender<Result<Browsed, BrowseRefusal>>,
}

/// Where such questions go.
pub type Browses = mpsc::Sender<AskBrowse>;

/// What is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BrowseParameters {
    /// Whose children: `node` of an earlier answer; left out for the root. OPC UA: a node id (`ns=2;s=Filler`); MQTT: a topic; Modbus:
    /// the first register of a range (`holding/0`).
    #[serde(default)]
    #[param(example = "nsu=urn:bottling-north:line2;s=Filler")]
    node: String,
    /// Looks for names below the node instead: `temp` is found anywhere in a name, `*.Temp` is the whole name, with a `/` the whole path.
    /// Not for Modbus.
    #[serde(default)]
    #[param(example = "*Temp*")]
    find: String,
    /// Reads these addresses anew instead, one per line, 100 at most.
    #[serde(default)]
    read: String,
    /// How many nodes are left out: `next` of the answer before.
    #[serde(default)]
    after: usize,
    /// How many nodes at most: 100 unless it is given, up to 500.
    limit: Option<usize>,
    /// Modbus: how many registers or bits from the node on, up to 125; 10 unless it is given.
    count: Option<u16>,
    /// Modbus: the unit, if not the source's own.
    unit: Option<u8>,
    /// MQTT: listens anew, for so many seconds, up to 30. Without it what was heard in the last minute is good, else it is listened
    /// for 3 s.
    seconds: Option<u64>,
}

/// Shows what a source offers: a level of its nodes with values, types and units, nodes found by name, or a range of registers. It asks
/// the device itself, within limits of nodes and time; the values that the plant reads do not wait for it.
#[utoipa::path(get, path = "/api/sources/{source}/browse", tag = "sources",
    params(("source" = String, Path, description = "The source's name", example = "line2_plc"), BrowseParameters),
    responses((status = 200, body = BrowseDocument),
        (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, description = "No such source; the nearest is named", body = ErrorBody),
        (status = 502, description = "The device refuses", body = ErrorBody),
        (status = 503, description = "It is not connected, or others are asking", body = ErrorBody),
        (status = 504, description = "It does not answer in time", body = ErrorBody)))]
pub(crate) async fn browse(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(name): Place<String>,
    Parameters(parameters): Parameters<BrowseParameters>,
) -> Result<Json<BrowseView>, ApiError> {
    principal.require(Role::Engineer)?;
    let source = names_source(app.plant(), &name).map_err(|near| {
        let hint = if near.is_empty() { String::new() } else { format!("did you mean {near}? ") };
        ApiError::not_found(format!("there is no source {name}"), hint + "GET /api/sources lists them all")
    })?;
    let ask = parameters.ask();
    ask.check().map_err(refused)?;
    let (reply, answer) = oneshot::channel();
    let node = ask.node.clone();
    let gone = || ApiError::unavailable("the plant is shutting down", "try again when it runs");
    app.state.browses.try_send(AskBrowse { source: source.name.clone(), ask, reply }).map_err(|error| match error {
        TrySendError::Full(_) => ApiError::unavailable("too many look at sources", "ask again in a few seconds"),
        TrySendError::Closed(_) => gone(),
    })?;
    let browsed = answer.await.map_err(|_| gone())?.map_err(refused)?;
    Ok(Json(view(&app.state.catalog, source, &node, browsed)))
}

impl BrowseParameters {
    fn ask(self) -> Browse {
        let rest = Browse::default();
        Browse {
            node: self.node.into(),
            find: self.find.into(),
            read: self.read.lines().filter(|line| !line.trim().is_empty()).map(Arc::from).collect(),
            after: self.after,
            limit: self.limit.unwrap_or(rest.limit),
            count: self.count.unwrap_or(rest.count),
            unit: self.unit,
            listen: self.seconds.map(Duration::from_secs),
        }
    }
}

fn refused(refusal: BrowseRefusal) -> ApiError {
    let status = match refusal.trouble {
        BrowseTrouble::Wrong => StatusCode::BAD_REQUEST,
        BrowseTrouble::Refused => StatusCode::BAD_GATEWAY,
        BrowseTrouble::Unreachable | BrowseTrouble::Busy => StatusCode::SERVICE_UNAVAILABLE,
        BrowseTrouble::Silent => StatusCode::GATEWAY_TIMEOUT,
    };
    ApiError::new(status, refusal.message, refusal.hint)
}
