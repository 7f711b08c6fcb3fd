//! The running service: composes collectors, pipeline, historian and web server, and takes them down in the right order.

pub mod clock;
pub mod core;
pub mod effects;
pub mod history;
pub mod metrics_worker;
pub mod notify;
pub mod pipeline;
pub mod schedule;
pub mod sources;
pub mod store;
pub mod telemetry;

use self::{
    clock::Now,
    core::Core,
    effects::{Effects, World},
    notify::Notifier,
    pipeline::{Message, Pipeline},
    schedule::{CLOSED_KEY, Schedule},
    sources::Sources,
    store::Store,
};
use andon_dashboards::{AppInfo, AppState, LiveHub};
use andon_models::{
    catalog::Catalog,
    definition::Plant,
    operator::{OperatorRefusal, OperatorRequest},
};
use andon_query::{Historian, HistorianOptions, Recovered};
use anyhow::Context;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

/// Batches of due metrics that may wait for the worker; the schedule keeps the rest.
const MAX_METRIC_BATCHES: usize = 1;
/// Operators' requests that may wait for the pipeline; people are slower than that.
const MAX_REQUESTS: usize = 64;
/// How long a clean stop waits for effects under way before it leaves them to the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A plant with its memory opened, before anything runs.
pub struct Opened {
    /// Every series and tag.
    pub catalog: Arc<Catalog>,
    /// The memory.
    pub historian: Historian,
    /// The state, restored.
    pub core: Core,
    /// When metrics are due.
    pub schedule: Schedule,
    data: PathBuf,
}

/// A service that runs.
pub struct Running {
    historian: Historian,
    sources: Arc<Sources>,
    stop_pipeline: oneshot::Sender<()>,
    stop_server: oneshot::Sender<()>,
    pipeline: JoinHandle<()>,
    effects: JoinHandle<()>,
    server: JoinHandle<std::io::Result<()>>,
}

/// Opens the data folder for a plant: definition, series numbers, history, and what detectors remember.
pub async fn open(plant: Plant, files: &[(String, String)], data: PathBuf, now: &Now) -> anyhow::Result<Opened> {
    let (store_data, store_files, at) = (data.clone(), files.to_vec(), now());
    let plant = Arc::new(plant);
    let catalog = tokio::task::spawn_blocking(move || {
        let mut store = Store::open(&store_data)?;
        let version = store.keep_definition(at, &store_files)?;
        let mut directory = store.series_directory()?;
        let catalog = Catalog::build(plant, &mut directory);
        store.keep_series(&directory)?;
        tracing::info!(version, series = catalog.series().len(), tags = catalog.tags().len(), "definition");
        anyhow::Ok(Arc::new(catalog))
    })
    .await??;
    let (historian, recovered) = Historian::open(HistorianOptions::new(data.clone()), catalog.clone())
        .await
        .with_context(|| format!("cannot open the history in {}", data.display()))?;
    let schedule = Schedule::new(catalog.clone(), now(), recovered.kept.get(CLOSED_KEY));
    let core = restore(&catalog, &historian, &recovered);
    Ok(Opened { catalog, historian, core, schedule, data })
}

fn restore(catalog: &Arc<Catalog>, historian: &Historian, recovered: &Recovered) -> Core {
    tracing::info!(points = recovered.log_points, events = recovered.log_events, "read back from the log");
    for notice in &recovered.notices {
        tracing::warn!(subject = &*notice.subject, "{}", notice.message);
    }
    let mut core = Core::new(catalog.clone());
    core.restore(&recovered.kept, &|series| historian.latest(series));
    core
}

/// Starts everything. `listener` is already bound, so its address can be told before.
pub async fn start(opened: Opened, listener: TcpListener, info: AppInfo, now: Now) -> anyhow::Result<Running> {
    let Opened { catalog, historian, core, schedule, data } = opened;
    let live = LiveHub::new();
    let (deliver, deliveries) = mpsc::channel(pipeline::MAX_DELIVERIES);
    let (messages, message_queue) = mpsc::channel(pipeline::MAX_MESSAGES);
    let (jobs, job_queue) = mpsc::channel(MAX_METRIC_BATCHES);
    let sources = Arc::new(Sources::start(&catalog, &data, &deliver, &now));
    let world = World {
        sources: sources.clone(),
        notifier: Arc::new(Notifier::new(catalog.plant.notify.clone())?),
        messages: messages.clone(),
        now: now.clone(),
        under_way: TaskTracker::new(),
    };
    let unfinished = core.unfinished_commands();
    for command in unfinished {
        let world = world.clone();
        let tracker = world.under_way.clone();
        tracker.spawn(async move { world.resume_command(command).await });
    }
    let (effects, effects_task) = Effects::start(world);
    sources.watch(&live, &messages);
    tokio::spawn(metrics_worker::run(historian.clone(), job_queue, messages.clone()));

    live.set_armed(core.armed());
    for snapshot in core.snapshots() {
        live.publish_detector(snapshot);
    }
    let mut pipeline = Pipeline {
        schedule,
        core,
        historian: historian.clone(),
        live: live.clone(),
        now: now.clone(),
        deliveries,
        messages: message_queue,
        effects,
        jobs,
    };
    let first = pipeline.core.start(now(), &|series| historian.latest(series));
    pipeline.finish(first).await;
    let (stop_pipeline, stopped) = oneshot::channel();
    let pipeline = tokio::spawn(pipeline.run(stopped));

    let state = AppState {
        catalog,
        historian: historian.clone(),
        live,
        requests: requests(messages),
        now,
        info,
        metrics: telemetry::metrics_page(),
    };
    let (stop_server, server_stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(server_stopped.await) };
    let server = tokio::spawn(andon_dashboards::serve(listener, state, shutdown));
    Ok(Running { historian, sources, stop_pipeline, stop_server, pipeline, effects: effects_task, server })
}

impl Running {
    /// Stops from the outside in: web server, collectors, pipeline, effects, and at last the memory.
    pub async fn stop(self) -> anyhow::Result<()> {
        // A task that is gone already needs no signal.
        let _ = self.stop_server.send(());
        if tokio::time::timeout(STOP_PATIENCE, self.server).await.is_err() {
            tracing::warn!("web clients did not let go; leaving them");
        }
        let _ = self.stop_pipeline.send(());
        self.pipeline.await?;
        if tokio::time::timeout(STOP_PATIENCE, self.effects).await.is_err() {
            tracing::warn!("commands or notifications are still under way; commands are looked after at the next start");
        }
        if let Ok(sources) = Arc::try_unwrap(self.sources) {
            sources.stop().await;
        }
        self.historian.close().await.context("the history was not closed cleanly; the log keeps what it has")?;
        Ok(())
    }

    /// Waits until the web server ends by itself, which it does only on an error.
    pub async fn server_failed(&mut self) -> anyhow::Result<()> {
        Ok((&mut self.server).await??)
    }
}

/// The way operators' requests take from the web server to the pipeline.
fn requests(messages: mpsc::Sender<Message>) -> mpsc::Sender<(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>)> {
    let (requests, mut queue) = mpsc::channel(MAX_REQUESTS);
    tokio::spawn(async move {
        while let Some((request, reply)) = queue.recv().await {
            if messages.send(Message::Operator(request, reply)).await.is_err() {
                return;
            }
        }
    });
    requests
}
