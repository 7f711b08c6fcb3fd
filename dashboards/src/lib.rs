//! People and programs: HTTP API, live stream and the web interface.
//!
//! A [`Server`] answers one port. What the running plant does is published into a [`LiveHub`] by the loop that owns it; what was
//! comes from the [`Historian`]; what an operator wants goes out through a bounded channel. This crate keeps no truth of its
//! own, writes nothing to disk, and never speaks to a device.

mod api;
mod app;
mod board;
mod connection;
mod door;
mod error;
mod health;
mod kept;
mod layers;
pub mod line_protocol;
mod live;
mod machine;
mod security;
mod strip;
mod view;
mod web;
mod write;

pub use api::{
    backfills::{AskBackfill, Backfills},
    backtests::{
        AskBacktest, BacktestEvent, BacktestOrder, BacktestRefusal, BacktestSide, BacktestState, BacktestView, Backtests,
        ReplayInput, ReplayOrder, ReplayStep, ReplayTimer, ReplayVariable, ReplayView,
    },
    commands::{Prepare, Prepares},
    definition::{
        Applied, AskDefinition, ChangeView, Definition, DefinitionChange, DefinitionRefusal, Definitions, DiagnosticView,
        FileText, Planned, Version, VersionFiles,
    },
    instances::{AskInstances, Asks, Counted, Instances},
    sources::browse::{AskBrowse, Browses},
};
pub use door::Server;
pub use error::ApiError;
pub use live::LiveHub;
pub use security::{Principal, Role};
pub use write::{Write, Writes};

use andon_models::{
    Timestamp,
    audit::AuditState,
    catalog::Catalog,
    operator::{OperatorRefusal, OperatorRequest},
};
use andon_query::Historian;
use axum::Router;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::sync::{mpsc, oneshot, watch};

/// Longest request body: an SQL statement of many pages still fits.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The clock handed in.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where an operator's request goes, with the place for its answer.
pub type Requests = mpsc::Sender<(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>)>;

/// What the pages are about and whom they ask.
#[derive(Clone)]
pub struct AppState {
    /// The running plant's definition.
    pub catalog: Arc<Catalog>,
    /// What was.
    pub historian: Historian,
    /// What happens now.
    pub live: LiveHub,
    /// Where operators' requests go.
    pub requests: Requests,
    /// Where writes by hand are prepared.
    pub prepares: Prepares,
    /// Where questions about what sources offer go.
    pub browses: Browses,
    /// Where questions about instances of detectors go.
    pub instances: Asks,
    /// Who computes over history.
    pub backfills: Backfills,
    /// Who plays back-tests.
    pub backtests: Backtests,
    /// Where written values go.
    pub writes: Writes,
    /// How the chain of who did what stands.
    pub audit: watch::Receiver<AuditState>,
    /// The clock.
    pub now: Now,
    /// What pages say about this service.
    pub info: AppInfo,
    /// Writes all metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// What pages say about this service.
#[derive(Clone, Default)]
pub struct AppInfo {
    /// Whether this is the demo.
    pub demo: bool,
    /// The version of the binary.
    pub version: String,
    /// The steps of the demo's guide, in order; empty outside the demo.
    pub guide: Vec<GuideStep>,
    /// How it is reached.
    pub doors: Doors,
}

/// How a service is reached, and where it keeps its data.
#[derive(Clone, Default)]
pub struct Doors {
    /// Pages and API.
    pub http: Option<Listener>,
    /// PostgreSQL's clients.
    pub sql: Option<Listener>,
    /// The names of those who may ask over it; asked each time, because users come and go.
    pub sql_users: Option<UserNames>,
    /// The data folder.
    pub data: Option<PathBuf>,
}

/// Gives the names of users, or says why it cannot. It may block.
pub type UserNames = Arc<dyn Fn() -> Result<Vec<String>, String> + Send + Sync>;

/// An open port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its address.
    pub address: SocketAddr,
    /// Whether connections are encrypted.
    pub tls: bool,
}

/// One step of the demo's guide.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct GuideStep {
    /// What happens.
    pub text: String,
    /// The page to see it on, as an address of the interface; empty if none.
    pub page: String,
    /// When it happens, in milliseconds since the epoch; none for what can be seen at any time.
    pub at_ms: Option<i64>,
}

/// The pages and the API of a plant that runs.
fn plant_router(app: Arc<app::App>) -> Router {
    let router = Router::new()
        .nest("/api", api::router(app.state.historian.workers()))
        .merge(health::router())
        .merge(api::write::influx_router())
        .method_not_allowed_fallback(layers::wrong_method)
        .fallback(web::page)
        .with_state(app);
    layers::around(router, MAX_BODY_BYTES, layers::MAX_ANSWER_TIME)
}
