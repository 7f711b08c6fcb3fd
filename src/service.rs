//! The running service: composes collectors, pipeline, historian and web server, and takes them down in the right order.

pub mod backtest;
pub mod clock;
pub mod core;
pub mod effects;
pub mod hand;
pub mod history;
pub mod keyed;
pub mod lease;
pub mod metrics_worker;
pub mod notify;
pub mod pipeline;
pub mod recompute;
pub mod sources;
pub mod sql_users;
pub mod storage;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod unrecorded;

use self::{
    clock::Now,
    core::{Core, Effect, kept_notices},
    effects::{Effects, World},
    lease::Leases,
    notify::{Notifier, carrier::Carrier},
    pipeline::{Message, Pipeline},
    sources::Sources,
    store::Store,
    telemetry::Standing,
};
use andon_dashboards::{AppInfo, AppState, Asks, LiveHub};
use andon_models::{
    EventId, Timestamp,
    catalog::Catalog,
    definition::Plant,
    event::{Event, EventBody},
    notice::Notice,
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    schedule::Schedule,
};
use andon_query::{
    Batch, Historian, HistorianOptions, QueryError, Recovered,
    postgres::{TlsAcceptor, Users},
};
use anyhow::{Context, anyhow};
use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::{JoinError, JoinHandle},
};

/// Batches of due metrics that may wait for the worker; the schedule keeps the rest.
const MAX_METRIC_BATCHES: usize = 1;
/// Operators' requests that may wait for the pipeline; people are slower than that.
const MAX_REQUESTS: usize = 64;
/// How long a clean stop waits for each part before it goes on without it.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How often history that is too old is looked for: it goes by whole days.
const RETAIN_EVERY: Duration = Duration::from_secs(3_600);
/// How long a clean stop waits for the buffer to become Parquet. Without it, the next start reads more of the log.
const CLOSE_PATIENCE: Duration = Duration::from_secs(60);

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
    /// Notices of an earlier run whose fate is not known.
    notices: Vec<Notice>,
    leases: Leases,
    data: PathBuf,
}

/// Where PostgreSQL's clients connect, bound but not served yet.
pub struct SqlServer {
    /// The port.
    pub listener: TcpListener,
    /// Who may ask.
    pub users: Users,
    /// Encryption.
    pub tls: Option<TlsAcceptor>,
}

/// A service that runs.
pub struct Running {
    historian: Historian,
    sources: Arc<Sources>,
    world: Arc<World>,
    stop_pipeline: oneshot::Sender<()>,
    stop_server: oneshot::Sender<()>,
    pipeline: JoinHandle<()>,
    effects: JoinHandle<()>,
    metrics: JoinHandle<()>,
    server: JoinHandle<std::io::Result<()>>,
    sql: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

/// Opens the data folder for a plant: definition, series numbers, history, and what detectors remember. Metrics of windows that were
/// never computed begin at `from`.
pub async fn open(
    plant: Plant,
    files: &[(String, String)],
    storage: HistorianOptions,
    from: Timestamp,
    now: &Now,
) -> anyhow::Result<Opened> {
    telemetry::start_metrics();
    let data = storage.dir.clone();
    Historian::fetch(&storage).await?;
    let store_data = data.clone();
    let (catalog, store) = tokio::task::spawn_blocking(move || {
        let mut store = Store::open(&store_data)?;
        let known = andon_query::known_series(&store_data)?;
        let catalog = store.number_series(known, |directory| Catalog::build(Arc::new(plant), directory))?;
        anyhow::Ok((Arc::new(catalog), store))
    })
    .await??;
    let (historian, recovered) = Historian::open(storage, catalog.clone())
        .await
        .with_context(|| format!("cannot open the history in {}", data.display()))?;
    // Only now: had another Andon the folder, its definition would still hold.
    let (store_files, at) = (files.to_vec(), now());
    let version = tokio::task::spawn_blocking(move || store.keep_definition(at, &store_files)).await??;
    tracing::info!(version, series = catalog.series().len(), tags = catalog.tags().len(), "definition");
    record_notices(&historian, &recovered, at).await?;
    let schedule = Schedule::new(catalog.clone(), from, at, &recovered.kept);
    let mut core = Core::new(catalog.clone());
    core.restore(&recovered.kept, &|series| historian.latest(series));
    // Only now: the folder is locked, so nobody else takes it at this moment.
    let leases = Leases::of(&data);
    let lease = leases.clone();
    let foreign = tokio::task::spawn_blocking(move || lease.check()).await??;
    core.set_foreign(foreign);
    if let Some(doubt) = leases.doubt().filter(|_| core.can_write()) {
        tracing::warn!("{doubt}");
    }
    Ok(Opened { catalog, historian, core, schedule, notices: kept_notices(&recovered.kept), leases, data })
}

impl Opened {
    /// When the newest value that is stored was true.
    pub fn newest_value(&self) -> Option<Timestamp> {
        let newest = |entry: &andon_models::catalog::SeriesEntry| Some(self.historian.latest(entry.id)?.time);
        self.catalog.series().iter().filter_map(newest).max()
    }
}

/// What opening the history found out belongs to the plant's events.
async fn record_notices(historian: &Historian, recovered: &Recovered, now: Timestamp) -> anyhow::Result<()> {
    tracing::info!(points = recovered.log_points, events = recovered.log_events, "read back from the log");
    let event = |notice: &andon_models::event::SystemNotice| {
        tracing::warn!(subject = &*notice.subject, "{}", notice.message);
        Event {
            id: EventId::from_name(&format!("{}/{now}/{}", notice.subject, notice.message)),
            time: now,
            asset: None,
            asset_path: "".into(),
            detector: "".into(),
            body: EventBody::System(notice.clone()),
        }
    };
    let events: Vec<Event> = recovered.notices.iter().map(event).collect();
    if !events.is_empty() {
        historian.append(Batch { events, ..Batch::default() }).await?;
    }
    Ok(())
}

/// Starts everything. `listener` is already bound, so its address can be told before.
pub async fn start(opened: Opened, listener: TcpListener, info: AppInfo, now: Now) -> anyhow::Result<Running> {
    let Opened { catalog, historian, core, schedule, notices, leases, data } = opened;
    let live = LiveHub::new();
    let (deliver, deliveries) = mpsc::channel(pipeline::MAX_DELIVERIES);
    let (messages, message_queue) = mpsc::channel(pipeline::MAX_MESSAGES);
    let (writes, write_queue) = mpsc::channel(pipeline::MAX_WRITES);
    let (jobs, job_queue) = mpsc::channel(MAX_METRIC_BATCHES);
    let sources = Arc::new(Sources::start(&catalog, &data, &deliver, &now));
    let carrier = Arc::new(Carrier::new(sources.clone(), now.clone())?);
    sources.watch(&live, &messages);
    let world = World::new(sources.clone(), Notifier::new(&catalog.plant.notify), messages.clone(), now.clone());
    core.unfinished_commands().into_iter().for_each(|command| world.resume(command));
    notices.into_iter().for_each(|notice| world.perform(Effect::Notify(notice)));
    world.start_notifications(&carrier);
    tokio::spawn(retain(historian.clone(), now.clone()));
    let (effects, effects_task) = Effects::start(world.clone());
    let metrics =
        tokio::spawn(metrics_worker::run(catalog.clone(), historian.clone(), job_queue, messages.clone(), now.clone()));

    tokio::spawn(storage::watch(historian.watch_storage()?, messages.clone(), now.clone()));

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
        writes: write_queue,
        messages: message_queue,
        effects,
        jobs,
        unrecorded: Default::default(),
    };
    let first = pipeline.core.start(now(), &|series| historian.latest(series));
    pipeline.finish(first).await;
    let (stop_pipeline, stopped) = oneshot::channel();
    let pipeline = tokio::spawn(pipeline.run(stopped));

    let standing = Standing { historian: historian.clone(), live: live.clone(), now: now.clone() };
    let state = AppState {
        catalog,
        historian: historian.clone(),
        live,
        prepares: hand::start(sources.clone(), messages.clone()),
        instances: instances(messages.clone()),
        requests: requests(messages, leases),
        writes,
        now,
        info,
        metrics: telemetry::metrics_page(standing),
    };
    let (stop_server, server_stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(server_stopped.await) };
    let server = tokio::spawn(andon_dashboards::serve(listener, state, shutdown));
    Ok(Running {
        historian,
        sources,
        world,
        stop_pipeline,
        stop_server,
        pipeline,
        effects: effects_task,
        metrics,
        server,
        sql: None,
    })
}

impl Running {
    /// Lets PostgreSQL's clients in.
    pub fn serve_sql(&mut self, server: SqlServer) {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let serve = andon_query::postgres::serve(self.historian.clone(), server.listener, server.users, server.tls, shutdown);
        self.sql = Some((stop, tokio::spawn(serve)));
    }

    /// Stops from the outside in: requests, effects, collectors, pipeline, and at last the memory. Each part ends while the next one
    /// still takes what it hands over; each has a limit, so that one that is stuck holds up nothing.
    ///
    /// # Errors
    /// When the history was not closed. Nothing acknowledged is lost: the log has it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        // A task that is gone already needs no signal.
        let _ = self.stop_server.send(());
        end(&mut self.server, "the web server").await;
        if let Some((stop, mut server)) = self.sql.take() {
            let _ = stop.send(());
            end(&mut server, "the server of SQL clients").await;
        }
        self.world.quiet(STOP_PATIENCE).await;
        within(STOP_PATIENCE * 3, self.sources.stop(), "collectors").await;
        let _ = self.stop_pipeline.send(());
        end(&mut self.pipeline, "the pipeline").await;
        end(&mut self.metrics, "a plan of metrics").await;
        end(&mut self.effects, "records on their way to the disk").await;
        let closed = tokio::time::timeout(CLOSE_PATIENCE, self.historian.close()).await;
        closed
            .map_err(|_| anyhow!("it took longer than {CLOSE_PATIENCE:?}"))
            .and_then(|closed| Ok(closed?))
            .context("the history was not closed cleanly; the log keeps what it has")
    }

    /// Waits until a part ends by itself, which it does only when it has failed. Without it the plant is not watched.
    pub async fn failed(&mut self) -> anyhow::Error {
        let context = |what: &str| format!("{what} has failed; please report it");
        // Effects and metrics also end, without an error, because the pipeline has: that is not their failure.
        tokio::select! {
            ended = &mut self.pipeline => why(ended.map(Ok)).context(context("the pipeline")),
            ended = &mut self.server => why(ended).context(context("the web server")),
            Err(error) = &mut self.effects => anyhow!(error).context(context("the task of effects")),
            Err(error) = &mut self.metrics => anyhow!(error).context(context("the computation of metrics")),
        }
    }
}

fn why(ended: Result<std::io::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("it has ended by itself"),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}

/// Waits for a task to end. One that has failed before was reported already.
async fn end<T>(task: &mut JoinHandle<T>, what: &str) {
    if !task.is_finished() {
        within(STOP_PATIENCE, task, what).await;
    }
}

async fn within(patience: Duration, ends: impl Future, what: &str) {
    if tokio::time::timeout(patience, ends).await.is_err() {
        tracing::warn!("{what} did not end within {patience:?}; going on without");
    }
}

/// Lets history forget what is older than it is to be kept, now and then, until it is closed.
async fn retain(historian: Historian, now: Now) {
    let mut hourly = tokio::time::interval(RETAIN_EVERY);
    loop {
        hourly.tick().await;
        match historian.retain(now()).await {
            Ok(()) => {}
            Err(QueryError::Closed) => return,
            Err(error) => tracing::error!(%error, "old history could not be removed; it is tried again in an hour"),
        }
    }
}

/// The way questions about instances take from the web server to the pipeline.
fn instances(messages: mpsc::Sender<Message>) -> Asks {
    let (asks, mut queue) = mpsc::channel(MAX_REQUESTS);
    tokio::spawn(async move {
        while let Some(ask) = queue.recv().await {
            if messages.send(Message::Instances(ask)).await.is_err() {
                return;
            }
        }
    });
    asks
}

/// The way operators' requests take from the web server to the pipeline.
fn requests(
    messages: mpsc::Sender<Message>,
    leases: Leases,
) -> mpsc::Sender<(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>)> {
    let (requests, mut queue) = mpsc::channel::<(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>)>(MAX_REQUESTS);
    tokio::spawn(async move {
        while let Some((request, reply)) = queue.recv().await {
            let reply = match request.deed {
                OperatorDeed::Arm { armed: true, take_over: true, .. } => take_over(leases.clone(), messages.clone(), reply),
                _ => reply,
            };
            if messages.send(Message::Operator(request, reply)).await.is_err() {
                return;
            }
        }
    });
    requests
}

/// Takes the lease of the data folder once the loop has agreed to a take-over, and only then answers whoever asked.
fn take_over(
    leases: Leases,
    messages: mpsc::Sender<Message>,
    reply: oneshot::Sender<Result<(), OperatorRefusal>>,
) -> oneshot::Sender<Result<(), OperatorRefusal>> {
    let (judge, judged) = oneshot::channel::<Result<(), OperatorRefusal>>();
    tokio::spawn(async move {
        let Ok(mut judgement) = judged.await else { return };
        if judgement.is_ok() {
            let taken = tokio::task::spawn_blocking(move || leases.take()).await;
            if let Err(error) = taken.map_err(anyhow::Error::from).and_then(|taken| taken) {
                let reason: Arc<str> = format!("the data folder could not be taken over: {error:#}").into();
                // A pipeline that has ended commands nothing any more.
                let _ = messages.send(Message::Foreign(reason.clone())).await;
                judgement = Err(OperatorRefusal::NotRecorded(reason));
            }
        }
        // Whoever asked may have gone.
        let _ = reply.send(judgement);
    });
    judge
}
