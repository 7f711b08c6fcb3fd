//! A running service to ask.

use crate::{definition, plant};
use andon_dashboards::{
    AppInfo, AppState, AskBackfill, AskBacktest, AskInstances, Asks, Backfills, BacktestEvent, BacktestOrder, BacktestRefusal,
    BacktestView, Backtests, Counted, Instances, LiveHub, ReplayInput, ReplayOrder, ReplayStep, ReplayTimer, ReplayVariable,
    ReplayView, Server, Write, Writes,
};
use andon_models::{
    Tqv,
    alarm::AlarmState,
    catalog::Catalog,
    operator::{OperatorRefusal, OperatorRequest},
    schedule::Schedule,
    snapshot::{ConnectionState, InstanceSnapshot, NamedTimerSnapshot, TimerSnapshot},
    window::Window,
};
use andon_query::{Batch, Historian, HistorianOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
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
            browses: crate::browse::connection(),
            instances: instances(),
            backfills: backfills(),
            backtests: backtests(),
            writes: store(historian.clone()),
            audit: watch::Sender::new(plant::audit()).subscribe(),
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

/// A plant's loop that computes over history; nothing of it is ever done.
fn backfills() -> Backfills {
    let (asks, mut queue) = mpsc::channel::<AskBackfill>(1);
    let mut schedule = Schedule::new(plant::catalog(), plant::now(), plant::now(), &HashMap::new());
    tokio::spawn(async move {
        while let Some(ask) = queue.recv().await {
            match ask {
                AskBackfill::Start(order, reply) => {
                    let begun =
                        schedule.backfill(order, (Some(plant::now() - Duration::from_secs(7_200)), false), plant::now());
                    drop(reply.send(begun.map(|(standing, ..)| standing)));
                }
                AskBackfill::List(reply) => drop(reply.send(schedule.backfills())),
                AskBackfill::Cancel(number, by, reply) => {
                    drop(reply.send(schedule.cancel_backfill(number, &by).map(drop)));
                    schedule.end_backfills(plant::now());
                }
            }
        }
    });
    asks
}

/// A desk at which one back-test is done, and that knows what one instance went through.
fn backtests() -> Backtests {
    let (asks, mut queue) = mpsc::channel::<AskBacktest>(1);
    tokio::spawn(async move {
        while let Some(ask) = queue.recv().await {
            match ask {
                AskBacktest::Start(order, reply) => drop(reply.send(begin(&order))),
                AskBacktest::Look(id, reply) => drop(reply.send((id == "b1").then(done))),
                AskBacktest::Cancel(id, reply) => drop(reply.send(id == "b1")),
                AskBacktest::Replay(order, reply) => drop(reply.send(Ok(replayed(&order)))),
            }
        }
    });
    asks
}

/// What is called `busy` is refused because another one runs, and an edited definition because of its mistakes.
fn begin(order: &BacktestOrder) -> Result<String, BacktestRefusal> {
    match (&*order.detector, &order.with) {
        ("filler.busy", _) => Err(BacktestRefusal::Running("b1".into())),
        ("filler.gone", _) => Err(BacktestRefusal::Wrong("there is no detector filler.gone".into())),
        (_, Some(files)) => {
            let loaded = andon_models::plant_file::load(files, &|_| None);
            let diagnostics = loaded.diagnostics.into_iter().map(Into::into).collect();
            if loaded.plant.is_some() { Ok("b1".into()) } else { Err(BacktestRefusal::Unfit(diagnostics)) }
        }
        _ => Ok("b1".into()),
    }
}

fn done() -> BacktestView {
    let window = Window { start: plant::now() - Duration::from_secs(60), end: plant::now() };
    let order = BacktestOrder { detector: "filler.overheat".into(), window, with: None, asset: Some("Line 1/Filler 1".into()) };
    let doubt = andon_models::plant_file::load(&[("plant.yaml".into(), "plant: 7 [".into())], &|_| None).diagnostics;
    let mut view = BacktestView::begun("b1".into(), &order, &["now", "edited"], doubt.into_iter().map(Into::into).collect());
    let side = &mut view.sides[0];
    let mut event =
        BacktestEvent::new(plant::now(), "Line 1/Filler 1".into(), "transition", "normal -> hot (input temp)".into());
    (event.from, event.to) = (Some("normal".into()), Some("hot".into()));
    side.events.push(event);
    side.add_strip("Line 1/Filler 1".into(), &[(window.start, "normal".into())], false, window);
    view
}

fn replayed(order: &ReplayOrder) -> ReplayView {
    let mut view = ReplayView::new("Line 1/Filler 1".into(), order.detector.clone(), order.window);
    let mut step = ReplayStep::new(order.window.start, "hot/alarm".into(), "unacknowledged");
    step.variables.push(ReplayVariable::new("n".into(), 3.into()));
    let timer = TimerSnapshot {
        state: "hot".into(),
        rule: 0,
        text: "after 60s".into(),
        name: "after 1m".into(),
        started: plant::now(),
        due: plant::now(),
        paused: None,
        fired: false,
    };
    step.timers = vec![ReplayTimer::new(&timer), ReplayTimer::new(&TimerSnapshot { paused: Some(plant::now()), ..timer })];
    step.inputs.push(ReplayInput::new("fill_temp".into(), &Tqv::good(plant::now(), 84.5.into())));
    view.steps.push(step);
    view
}
