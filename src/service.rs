//! The running service: composes collectors, pipeline, historian and web server, and takes them down in the right order.

pub mod audit;
pub mod backtest;
pub mod browser;
pub mod clock;
pub mod core;
pub mod corrector;
pub mod definition;
pub mod effects;
pub mod hand;
pub mod history;
pub mod host;
pub mod keyed;
pub mod lease;
pub mod metrics_worker;
pub mod notify;
pub mod pipeline;
pub mod recompute;
pub mod replayer;
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
    audit::Audit,
    clock::Now,
    core::{Core, Effect, kept_notices},
    definition::Edition,
    effects::{Effects, World},
    host::{Site, Variables},
    lease::Leases,
    notify::{Notifier, Places, carrier::Carrier},
    pipeline::{Message, Pipeline},
    sources::Sources,
    store::Store,
    telemetry::Standing,
};
use andon_dashboards::{AppInfo, AppState, LiveHub, Server};
use andon_models::{
    EventId, Timestamp,
    catalog::Catalog,
    definition::Plant,
    event::{Event, EventBody, SystemNotice},
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
    task::{JoinError, JoinHandle, JoinSet},
};

/// Batches of due metrics that may wait for the worker; the schedule keeps the rest.
const MAX_METRIC_BATCHES: usize = 1;
/// Corrections of the past that are worked out at a time; the core keeps the rest.
const MAX_CORRECTIONS: usize = 1;
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
    /// Who did what.
    pub audit: Audit,
    /// The state, restored.
    pub core: Core,
    /// When metrics are due.
    pub schedule: Schedule,
    /// Notices of an earlier run whose fate is not known.
    notices: Vec<Notice>,
    leases: Leases,
    data: PathBuf,
    /// The version of the definition in the data folder.
    version: i64,
    /// Its hash.
    definition: String,
    /// The folder whose programs notifications may run; none unless whoever starts it says so.
    programs: Option<PathBuf>,
    /// What `$NAME` stands for in an edited plant file that is played back.
    variables: Variables,
}

/// Where PostgreSQL's clients connect, bound but not served yet.
pub struct SqlServer {
    /// The port.
    pub listener: std::net::TcpListener,
    /// Who may ask.
    pub users: Users,
    /// Encryption.
    pub tls: Option<TlsAcceptor>,
}

impl SqlServer {
    /// The same port once more, for the next plant that answers at it. Clients that come in between wait.
    fn again(&self) -> std::io::Result<(TcpListener, Users, Option<TlsAcceptor>)> {
        Ok((TcpListener::from_std(self.listener.try_clone()?)?, self.users.clone(), self.tls.clone()))
    }
}

/// A service that runs.
pub struct Running {
    /// What pages are about and whom they ask.
    pages: AppState,
    historian: Historian,
    sources: Arc<Sources>,
    world: Arc<World>,
    stop_pipeline: oneshot::Sender<()>,
    pipeline: JoinHandle<()>,
    effects: JoinHandle<()>,
    metrics: JoinHandle<()>,
    /// What goes on beside it and ends with it.
    beside: JoinSet<()>,
    sql: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

/// Opens the data folder for a plant: definition, series numbers, history, and what detectors remember. Metrics of windows that were
/// never computed begin at `from`.
pub async fn open(
    plant: Plant,
    edition: Edition,
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
    match begin(&historian, recovered, catalog, store, edition, from, now, data).await {
        Ok(opened) => Ok(opened),
        Err(error) => {
            // The folder is free for whoever tries it next.
            if let Err(error) = historian.close().await {
                tracing::warn!(%error, "the history was not closed cleanly; the log keeps what it has");
            }
            Err(error)
        }
    }
}

/// Takes up what an earlier run left.
#[expect(clippy::too_many_arguments, reason = "the parts of one thing, named at the only call site")]
async fn begin(
    historian: &Historian,
    recovered: Recovered,
    catalog: Arc<Catalog>,
    store: Store,
    edition: Edition,
    from: Timestamp,
    now: &Now,
    data: PathBuf,
) -> anyhow::Result<Opened> {
    // Only now: had another Andon the folder, its definition would still hold.
    let at = now();
    let definition = definition::hash(&edition.files);
    let version = tokio::task::spawn_blocking(move || store.keep_definition(at, &edition)).await??;
    tracing::info!(version, series = catalog.series().len(), tags = catalog.tags().len(), "definition");
    record_notices(historian, &recovered.notices, at).await?;
    tracing::info!(points = recovered.log_points, events = recovered.log_events, "read back from the log");
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
    let notices = kept_notices(&recovered.kept);
    let (folder, clock) = (data.clone(), now.clone());
    let audit = tokio::task::spawn_blocking(move || Audit::open(&folder, &recovered.kept, &clock)).await??;
    Ok(Opened {
        catalog,
        historian: historian.clone(),
        audit,
        definition,
        core,
        schedule,
        notices,
        leases,
        data,
        version,
        programs: None,
        variables: Arc::new(|_| None),
    })
}

impl Opened {
    /// Takes what a site allows and knows: the folder of programs, and its variables.
    fn at(mut self, site: &Site) -> Self {
        self.programs.clone_from(&site.programs);
        self.variables = site.variables.clone();
        self
    }

    /// Records events, those that belong there in the audit as well.
    ///
    /// # Errors
    /// When they could not be recorded.
    pub async fn record(&self, events: Vec<Event>) -> anyhow::Result<()> {
        let mut batch = Batch { events, ..Batch::default() };
        let audited = self.audit.keep(&mut batch);
        self.historian.append(batch).await?;
        self.audit.append(audited.into_iter().collect()).await.map_err(anyhow::Error::msg)
    }

    /// Records that the plant starts, with what.
    async fn record_start(&self) {
        let armed = if self.core.armed() { "armed" } else { "disarmed" };
        let (version, definition) = (self.version, &self.definition);
        let detail = format!("Andon {}, definition {version} ({definition}), writes {armed}", env!("CARGO_PKG_VERSION"));
        if let Err(error) = self.audit.note("start", &detail).await {
            // It is owed, and comes before the next record. The machines are watched meanwhile.
            return tracing::error!(%error, "the start is not in the audit yet");
        }
        // Whoever keeps the program's log elsewhere has a witness of the chain.
        let state = self.audit.state();
        let state = state.borrow();
        tracing::info!(records = state.records, head = state.head, "audit");
    }

    /// When the newest value that is stored was true.
    pub fn newest_value(&self) -> Option<Timestamp> {
        let newest = |entry: &andon_models::catalog::SeriesEntry| Some(self.historian.latest(entry.id)?.time);
        self.catalog.series().iter().filter_map(newest).max()
    }
}

/// What opening the history found out belongs to the plant's events.
async fn record_notices(historian: &Historian, notices: &[SystemNotice], now: Timestamp) -> anyhow::Result<()> {
    let event = |notice: &SystemNotice| {
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
    let events: Vec<Event> = notices.iter().map(event).collect();
    if !events.is_empty() {
        historian.append(Batch { events, ..Batch::default() }).await?;
    }
    Ok(())
}

/// Starts everything; pages and programs come in with [`Running::let_in`].
pub async fn start(mut opened: Opened, info: AppInfo, now: Now) -> anyhow::Result<Running> {
    let unfinished = opened.core.unfinished_commands();
    // A start may forbid writes: the record of it says what holds from then on.
    let first = opened.core.start(now(), &|series| opened.historian.latest(series));
    opened.record_start().await;
    let Opened { catalog, historian, audit, core, schedule, notices, leases, data, programs, variables, .. } = opened;
    let live = LiveHub::new();
    let (deliver, deliveries) = mpsc::channel(pipeline::MAX_DELIVERIES);
    let (messages, message_queue) = mpsc::channel(pipeline::MAX_MESSAGES);
    let (writes, write_queue) = mpsc::channel(pipeline::MAX_WRITES);
    let (jobs, job_queue) = mpsc::channel(MAX_METRIC_BATCHES);
    let (corrections, correction_queue) = mpsc::channel(MAX_CORRECTIONS);
    let sources = Arc::new(Sources::start(&catalog, &data, &deliver, &now));
    let carrier = Arc::new(Carrier::new(sources.clone(), Places { data, programs }, now.clone())?);
    sources.watch(&live, &messages);
    let world = World::new(sources.clone(), Notifier::new(&catalog.plant.notify), messages.clone(), now.clone());
    unfinished.into_iter().for_each(|command| world.resume(command));
    notices.into_iter().for_each(|notice| world.perform(Effect::Notify(notice)));
    world.start_notifications(&carrier);
    let workers = historian.workers();
    let mut beside = JoinSet::new();
    beside.spawn_on(retain(historian.clone(), now.clone()), &workers);
    let (effects, effects_task) = Effects::start(world.clone(), audit.clone());
    let metrics =
        workers.spawn(metrics_worker::run(catalog.clone(), historian.clone(), job_queue, messages.clone(), now.clone()));
    let corrector = corrector::run(catalog.clone(), historian.clone(), correction_queue, messages.clone(), now.clone());
    beside.spawn_on(corrector, &workers);
    beside.spawn_on(audit.clone().watch(messages.clone()), &workers);
    beside.spawn(storage::watch(historian.watch_storage()?, messages.clone(), now.clone()));

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
        audit: audit.clone(),
        deliveries,
        writes: write_queue,
        messages: message_queue,
        effects,
        jobs,
        corrections,
        unrecorded: Default::default(),
        marked: Timestamp::MIN,
    };
    pipeline.finish(first).await;
    let (stop_pipeline, stopped) = oneshot::channel();
    let pipeline = tokio::spawn(pipeline.run(stopped));

    let standing = Standing { historian: historian.clone(), live: live.clone(), audit: audit.state(), now: now.clone() };
    let pages = AppState {
        catalog: catalog.clone(),
        historian: historian.clone(),
        live,
        prepares: hand::start(sources.clone(), messages.clone()),
        browses: browser::start(sources.clone()),
        instances: asks(messages.clone(), Message::Instances),
        backfills: asks(messages.clone(), Message::Backfill),
        backtests: backtest::desk::start(catalog.clone(), historian.clone(), variables),
        requests: requests(messages, leases),
        writes,
        audit: audit.state(),
        now,
        info,
        metrics: telemetry::metrics_page(standing),
    };
    Ok(Running { pages, historian, sources, world, stop_pipeline, pipeline, effects: effects_task, metrics, beside, sql: None })
}

impl Running {
    /// Lets pages and programs in.
    pub async fn let_in(&self, server: &Server) {
        server.open(self.pages.clone()).await;
    }

    /// Lets PostgreSQL's clients in.
    ///
    /// # Errors
    /// When the system has no more room for the port.
    pub fn serve_sql(&mut self, server: &SqlServer) -> std::io::Result<()> {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let (listener, users, tls) = server.again()?;
        let serve = andon_query::postgres::serve(self.historian.clone(), listener, users, tls, shutdown);
        self.sql = Some((stop, self.historian.workers().spawn(serve)));
        Ok(())
    }

    /// Stops from the outside in: requests, effects, collectors, pipeline, and at last the memory. Each part ends while the next one
    /// still takes what it hands over; each has a limit, so that one that is stuck holds up nothing.
    ///
    /// # Errors
    /// When the history was not closed. Nothing acknowledged is lost: the log has it.
    pub async fn stop(mut self, server: &Server) -> anyhow::Result<()> {
        server.close().await;
        if let Some((stop, mut server)) = self.sql.take() {
            // A task that is gone already needs no signal.
            let _ = stop.send(());
            end(&mut server, "the server of SQL clients").await;
        }
        self.world.quiet(STOP_PATIENCE).await;
        within(STOP_PATIENCE * 3, self.sources.stop(), "collectors").await;
        let _ = self.stop_pipeline.send(());
        end(&mut self.pipeline, "the pipeline").await;
        end(&mut self.metrics, "a plan of metrics").await;
        end(&mut self.effects, "records on their way to the disk").await;
        self.beside.shutdown().await;
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
            ended = &mut self.pipeline => why(ended).context(context("the pipeline")),
            Err(error) = &mut self.effects => anyhow!(error).context(context("the task of effects")),
            Err(error) = &mut self.metrics => anyhow!(error).context(context("the computation of metrics")),
        }
    }
}

fn why(ended: Result<(), JoinError>) -> anyhow::Error {
    ended.map_or_else(Into::into, |()| anyhow!("it has ended by itself"))
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

/// The way questions of one kind take from the web server to the pipeline.
fn asks<T: Send + 'static>(
    messages: mpsc::Sender<Message>,
    message: impl Fn(T) -> Message + Send + 'static,
) -> mpsc::Sender<T> {
    let (asks, mut queue) = mpsc::channel(MAX_REQUESTS);
    tokio::spawn(async move {
        while let Some(ask) = queue.recv().await {
            if messages.send(message(ask)).await.is_err() {
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
        // What is not in the audit yet is done all the same.
        if matches!(judgement, Ok(()) | Err(OperatorRefusal::NotAudited(_))) {
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
