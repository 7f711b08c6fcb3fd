//! The plant's connections: starts a collector per source, watches how it is doing, finds the one a command must go to.

use super::{clock::Now, effects::outcome, pipeline::Message};
use andon_dashboards::LiveHub;
use andon_ingest::{Delivery, SourceHandle, SourcePlan};
use andon_models::{
    AssetId, EventId, Value,
    browse::{Browse, BrowseRefusal, BrowseTrouble, Browsed},
    catalog::{Catalog, Tag},
    command::{Command, CommandOutcome, CommandState},
    definition::{AssetIndex, Source, SourceProtocol},
    event::{Event, EventBody, SystemNotice},
    iot_events::Input,
    snapshot::{ConnectionState, SourceStatus},
};
use andon_query::Batch;
use anyhow::{Context, anyhow};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Writes under way at one source; further ones wait for their turn. A controller handles few at a time, and a slow one must not
/// keep those of others waiting.
const WRITES_AT_ONCE: usize = 8;
/// Heartbeats under way at one source, beside its writes: both together are less than what a source takes at once, so neither takes
/// the other's room.
const BEATS_AT_ONCE: usize = 4;
const _: () = assert!(WRITES_AT_ONCE + BEATS_AT_ONCE <= andon_ingest::WRITES_AT_ONCE);
/// How long a restart waits for a source before a command left open is called unknown.
const READ_BACK_PATIENCE: Duration = Duration::from_secs(20);

/// All connections of a plant.
pub struct Sources {
    catalog: Arc<Catalog>,
    /// None are left once they are stopped.
    connections: RwLock<HashMap<Arc<str>, Connection>>,
}

#[derive(Clone)]
struct Connection {
    handle: Arc<SourceHandle>,
    turns: Arc<Semaphore>,
    beats: Arc<Semaphore>,
}

impl Sources {
    /// Starts a collector for every source.
    pub fn start(catalog: &Arc<Catalog>, data: &Path, deliver: &mpsc::Sender<Delivery>, now: &Now) -> Self {
        let start_one = |source: &Source| {
            let plan = plan_of(catalog, source, data);
            let handle = Arc::new(andon_ingest::start(plan, deliver.clone(), now.clone()));
            let [turns, beats] = [WRITES_AT_ONCE, BEATS_AT_ONCE].map(|limit| Arc::new(Semaphore::new(limit)));
            (source.name.clone(), Connection { handle, turns, beats })
        };
        let connections = catalog.plant.sources.iter().map(start_one).collect();
        Self { catalog: catalog.clone(), connections: RwLock::new(connections) }
    }

    /// Shows every source's status on the pages and records losses and returns, until the sources are stopped.
    pub fn watch(&self, live: &LiveHub, messages: &mpsc::Sender<Message>) {
        for connection in self.connections.read().unwrap_or_else(PoisonError::into_inner).values() {
            tokio::spawn(watch_status(connection.handle.status(), live.clone(), messages.clone()));
        }
    }

    /// How a source is doing.
    #[cfg(test)]
    pub fn status(&self, source: &str) -> Option<watch::Receiver<SourceStatus>> {
        Some(self.connection(source).ok()?.handle.status())
    }

    /// Waits for a command's turn at its device; it lasts as long as the permit is held.
    pub async fn turn(&self, command: &Command) -> Option<OwnedSemaphorePermit> {
        let turns = self.connection_of(command).ok()?.turns;
        turns.acquire_owned().await.ok()
    }

    /// Writes a command to its device and reads it back.
    pub async fn write(&self, command: &Command, now: &Now) -> CommandOutcome {
        match self.connection_of(command) {
            Ok(connection) => connection.handle.write(command).await,
            Err(error) => outcome(command, CommandState::Failed, &error.to_string(), now),
        }
    }

    /// Toggles a heartbeat when it is its turn; one that is too late by then is not sent. What fails shows in the source's status;
    /// the controller notices by itself.
    pub async fn beat(&self, beat: &Command, now: &Now) {
        let Ok(beats) = self.connection_of(beat).map(|connection| connection.beats) else { return };
        let Ok(_turn) = beats.acquire_owned().await else { return };
        let outcome = self.write(beat, now).await;
        // Whether it shows is the controller's affair: it may have reset it already.
        if matches!(outcome.state, CommandState::Refused | CommandState::Expired) || !outcome.reason.starts_with("written") {
            tracing::debug!(control = %beat.control, state = %outcome.state, "heartbeat: {}", outcome.reason);
        }
    }

    /// Reads the point of a command, once its source is connected.
    pub async fn read_back(&self, command: &Command) -> anyhow::Result<Value> {
        let handle = self.connection_of(command)?.handle;
        let mut status = handle.status();
        let connected = status.wait_for(|status| status.state == ConnectionState::Connected);
        tokio::time::timeout(READ_BACK_PATIENCE, connected)
            .await
            .map_err(|_| anyhow!("{} was not connected within {READ_BACK_PATIENCE:?}", handle.name()))??;
        Ok(handle.read_back(command.tag).await?)
    }

    /// What a point shows now, if its control limits steps; none also when it cannot be read.
    pub async fn present_value(&self, command: &Command) -> Option<Value> {
        let tag = self.catalog.tag(command.tag)?;
        self.catalog.plant.model_of(tag.asset).control(&command.control)?.policy.step?;
        self.connection_of(command).ok()?.handle.read_back(command.tag).await.ok()
    }

    /// What the point of a control shows now.
    pub async fn read_control(&self, asset: AssetId, control: &str) -> anyhow::Result<Value> {
        let index = self.catalog.plant.assets.iter().position(|known| known.id == asset).map(AssetIndex);
        let point = index.and_then(|index| self.catalog.control(index, control)).context("it is not bound to a source")?;
        let tag = self.catalog.tag(point.tag).context("its point is not bound to a source any more")?;
        Ok(self.connection(&tag.source)?.handle.read_back(tag.id).await?)
    }

    /// Asks a source what it offers.
    ///
    /// # Errors
    /// Why there is no answer, and what to do.
    pub async fn browse(&self, source: &str, ask: &Browse) -> Result<Browsed, BrowseRefusal> {
        let stopped = |error: anyhow::Error| BrowseRefusal {
            trouble: BrowseTrouble::Unreachable,
            message: format!("{error:#}"),
            hint: "try again when the plant runs".into(),
        };
        self.connection(source).map_err(stopped)?.handle.browse(ask).await
    }

    /// Shows trouble with what a source sends in its status.
    pub fn trouble(&self, source: &str, reason: &str) {
        // A source that is stopped has no status any more.
        let _ = self.connection(source).map(|connection| connection.handle.trouble(reason));
    }

    /// Publishes a message through the plant's first MQTT source.
    pub async fn publish(&self, topic: &str, payload: &str) -> anyhow::Result<()> {
        let mqtt = self.catalog.plant.sources.iter().find(|source| matches!(source.protocol, SourceProtocol::Mqtt { .. }));
        let mqtt = mqtt.context("the plant file has no MQTT source to publish through")?;
        self.publish_through(&mqtt.name, topic, payload).await
    }

    /// Publishes a message through an MQTT source.
    pub async fn publish_through(&self, source: &str, topic: &str, payload: &str) -> anyhow::Result<()> {
        let connection = self.connection(source)?;
        Ok(connection.handle.publish(topic, payload.to_owned().into(), false).await?)
    }

    /// Waits until a source is connected.
    pub async fn connected(&self, source: &str) -> anyhow::Result<()> {
        let mut status = self.connection(source)?.handle.status();
        let connected = status.wait_for(|status| status.state == ConnectionState::Connected);
        tokio::time::timeout(READ_BACK_PATIENCE, connected)
            .await
            .map_err(|_| anyhow!("{source} was not connected within {READ_BACK_PATIENCE:?}"))??;
        Ok(())
    }

    /// Stops every collector: each hands over what it has and says goodbye to its device.
    pub async fn stop(&self) {
        let connections = std::mem::take(&mut *self.connections.write().unwrap_or_else(PoisonError::into_inner));
        // One that is still being written to stops when that has ended.
        let handles = connections.into_values().filter_map(|connection| Arc::into_inner(connection.handle));
        futures::future::join_all(handles.map(SourceHandle::stop)).await;
    }

    fn connection_of(&self, command: &Command) -> anyhow::Result<Connection> {
        let tag = self.catalog.tag(command.tag).context("its point is not bound to a source any more")?;
        self.connection(&tag.source)
    }

    fn connection(&self, source: &str) -> anyhow::Result<Connection> {
        let connections = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        connections.get(source).cloned().with_context(|| format!("source {source} is stopped"))
    }
}

/// What a source needs to run.
pub fn plan_of(catalog: &Catalog, source: &Source, data: &Path) -> SourcePlan {
    let tags: Vec<_> = catalog.tags().iter().filter(|tag| tag.source == source.name).cloned().collect();
    let path = |tag: &Tag| (tag.id, catalog.plant.assets[tag.asset.0].path.clone());
    let asset_paths = tags.iter().map(path).collect();
    let of_source =
        |input: &Input| Some((input.name.clone(), input.topic.clone().filter(|topic| topic.source == source.name)?));
    let inputs = catalog.plant.inputs.iter().filter_map(of_source).collect();
    SourcePlan { source: source.clone(), tags, asset_paths, inputs, pki_dir: data.join("pki") }
}

async fn watch_status(mut status: watch::Receiver<SourceStatus>, live: LiveHub, messages: mpsc::Sender<Message>) {
    let mut last = ConnectionState::Connecting;
    loop {
        let current = status.borrow_and_update().clone();
        if current.state != last {
            last = current.state;
            // A pipeline that has ended needs no more notices.
            let notice = Batch { events: vec![notice(&current)], ..Batch::default() };
            let _ = messages.send(Message::Record(notice)).await;
        }
        live.publish_source(current);
        if status.changed().await.is_err() {
            return;
        }
    }
}

fn notice(status: &SourceStatus) -> Event {
    let SourceStatus { source, endpoint, last_error, since, .. } = status;
    let (level, message) = match status.state {
        ConnectionState::Connecting => ("info", format!("connecting to {endpoint}")),
        ConnectionState::Connected => ("info", format!("connected to {endpoint}")),
        ConnectionState::Lost => ("warning", format!("lost {endpoint}: {last_error}")),
        ConnectionState::Misconfigured => ("error", format!("{endpoint} refuses us: {last_error}")),
    };
    tracing::info!(source = &**source, level, "{message}");
    Event {
        id: EventId::from_name(&format!("source/{source}/{since}/{:?}", status.state)),
        time: *since,
        asset: None,
        asset_path: "".into(),
        detector: "".into(),
        body: EventBody::System(SystemNotice { subject: source.clone(), level: level.into(), message: message.into() }),
    }
}
