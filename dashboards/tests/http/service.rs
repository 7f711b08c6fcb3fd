//! A running service to ask.

use crate::{definition, plant};
use andon_dashboards::{AppInfo, AppState, AskInstances, Asks, Counted, Instances, LiveHub, Server, Write, Writes};
use andon_models::{
    alarm::AlarmState,
    catalog::Catalog,
    operator::{OperatorRefusal, OperatorRequest},
    snapshot::{ConnectionState, InstanceSnapshot, NamedTimerSnapshot},
};
use andon_query::{Batch, Historian, HistorianOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Longest wait for anything; far more than it takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub type Asked = (OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>);

pub struct Service {
    pub authority: String,
    pub catalog: Arc<Catalog>,
    pub live: LiveHub,
    pub requests: mpsc::Receiver<Asked>,
    client: reqwest::Client,
    server: Server,
    state: AppState,
    _folder: tempfile::TempDir,
}

impl Service {
    /// Starts a service over the small plant with its history.
    pub async fn start() -> Self {
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let catalog = plant::catalog();
        let folder = tempfile::tempdir().unwrap();
        let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
        let batch = Batch { points: plant::points(&catalog), events: plant::events(), ..Batch::default() };
        historian.append(batch).await.unwrap();
        let live = LiveHub::new();
        live.publish_source(plant::source(ConnectionState::Connected, ""));
        live.publish_detector(plant::snapshot("Line 1/Filler 1", "hot/alarm", AlarmState::Unacknowledged));
        live.publish_detector(plant::snapshot("Line 1/Filler 2", "normal", AlarmState::Normal));
        let (asked, requests) = mpsc::channel(4);
        let state = AppState {
            catalog: catalog.clone(),
            historian: historian.clone(),
            live: live.clone(),
            requests: asked,
            prepares: mpsc::channel(1).0,
            instances: instances(),
            writes: store(historian.clone()),
            now: Arc::new(plant::now),
            info: AppInfo { demo: true, version: "0.0.0-test".into(), ..AppInfo::default() },
            metrics: Arc::new(|| "andon_up 1\n".into()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = Server::start(listener, definition::owner());
        server.open(state.clone()).await;
        let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        Self { authority, catalog, live, requests, client, server, state, _folder: folder }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.authority))
    }

    pub async fn get(&self, path: &str) -> Json {
        let (status, body) = self.answer(self.request(Method::GET, path)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: &Json) -> (StatusCode, Json) {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// The status and the JSON body; null when there is none.
    pub async fn answer(&self, request: reqwest::RequestBuilder) -> (StatusCode, Json) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Json::Null } else { serde_json::from_str(&text).unwrap_or(Json::String(text)) };
        (status, body)
    }

    /// Ends the service and waits for it.
    pub async fn stop(self) {
        within(self.server.stop()).await;
    }

    /// Stops the plant and lets it in again, as another definition does.
    pub async fn close(&self) {
        within(self.server.close()).await;
    }

    /// Lets the plant in again.
    pub async fn open(&self) {
        within(self.server.open(self.state.clone())).await;
    }
}

/// Stores what is written, as the plant's loop does.
fn store(historian: Historian) -> Writes {
    let (writes, mut queue) = mpsc::channel::<Write>(4);
    tokio::spawn(async move {
        while let Some(Write { points, reply }) = queue.recv().await {
            let stored = historian.append(Batch { points, ..Batch::default() }).await;
            let _ = reply.send(stored.map_err(Arc::new));
        }
    });
    writes
}

/// Waits, but not for ever.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.expect("done before the deadline")
}

/// A plant with one instance of a detector over messages.
fn instances() -> Asks {
    let (asks, mut queue) = mpsc::channel::<AskInstances>(1);
    tokio::spawn(async move {
        while let Some(ask) = queue.recv().await {
            let timer = NamedTimerSnapshot { name: "wait".into(), due: Some(plant::now()), seconds: 60, expired: false };
            let instance = InstanceSnapshot {
                detector: "motor".into(),
                key: Some("M-1".into()),
                state: "Normal".into(),
                since: plant::now(),
                variables: vec![("n".into(), 3.into())],
                timers: vec![timer.clone(), NamedTimerSnapshot { due: None, ..timer }],
                inputs: vec![("Pressure".into(), json!({ "bar": 7 }))],
                evaluations: 2,
            };
            let counted = Counted { detector: "motor".into(), key: Some("id".into()), instances: 1 };
            let _ = ask.reply.send(Instances { detectors: vec![counted], instances: vec![instance] });
        }
    });
    asks
}
