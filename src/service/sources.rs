//! The plant's connections: starts a collector per source, watches how it is doing, finds the one a command must go to.

use super::{clock::Now, effects::outcome, pipeline::Message};
use andon_dashboards::LiveHub;
use andon_ingest::{Delivery, SourceHandle, SourcePlan};
use andon_models::{
    EventId, Value,
    catalog::Catalog,
    command::{Command, CommandOutcome, CommandState},
    definition::SourceProtocol,
    event::{Event, EventBody, SystemNotice},
    snapshot::{ConnectionState, SourceStatus},
};
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// How long a restart waits for a source before a command left open is called unknown.
const READ_BACK_PATIENCE: Duration = Duration::from_secs(20);

/// All connections of a plant.
pub struct Sources {
    catalog: Arc<Catalog>,
    handles: HashMap<Arc<str>, SourceHandle>,
}

impl Sources {
    /// Starts a collector for every source.
    pub fn start(catalog: &Arc<Catalog>, data: &Path, deliver: &mpsc::Sender<Delivery>, now: &Now) -> Self {
        let start_one = |source: &andon_models::definition::Source| {
            let tags: Vec<_> = catalog.tags().iter().filter(|tag| tag.source == source.name).cloned().collect();
            let path = |tag: &andon_models::catalog::Tag| (tag.id, catalog.plant.assets[tag.asset.0].path.clone());
            let asset_paths = tags.iter().map(path).collect();
            let plan = SourcePlan { source: source.clone(), tags, asset_paths, pki_dir: data.join("pki") };
            (source.name.clone(), andon_ingest::start(plan, deliver.clone(), now.clone()))
        };
        Self { catalog: catalog.clone(), handles: catalog.plant.sources.iter().map(start_one).collect() }
    }

    /// Shows every source's status on the pages and records losses and returns, until the sources are stopped.
    pub fn watch(&self, live: &LiveHub, messages: &mpsc::Sender<Message>) {
        for handle in self.handles.values() {
            tokio::spawn(watch_status(handle.status(), live.clone(), messages.clone()));
        }
    }

    /// Writes a command to its device and reads it back.
    pub async fn write(&self, command: &Command, now: &Now) -> CommandOutcome {
        match self.handle_of(command) {
            Some(handle) => handle.write(command).await,
            None => outcome(command, CommandState::Failed, "its point is not bound to a source any more", now),
        }
    }

    /// Reads the point of a command, once its source is connected.
    pub async fn read_back(&self, command: &Command) -> anyhow::Result<Value> {
        let handle = self.handle_of(command).ok_or_else(|| anyhow::anyhow!("its point is not bound to a source any more"))?;
        let mut status = handle.status();
        let connected = status.wait_for(|status| status.state == ConnectionState::Connected);
        tokio::time::timeout(READ_BACK_PATIENCE, connected)
            .await
            .map_err(|_| anyhow::anyhow!("{} was not connected within {READ_BACK_PATIENCE:?}", handle.name()))??;
        Ok(handle.read_back(command.tag).await?)
    }

    /// Publishes a message through the plant's first MQTT source.
    pub async fn publish(&self, topic: &str, payload: &str) -> anyhow::Result<()> {
        let mqtt = self.catalog.plant.sources.iter().find(|source| matches!(source.protocol, SourceProtocol::Mqtt { .. }));
        let handle = mqtt.and_then(|source| self.handles.get(&source.name));
        let handle = handle.ok_or_else(|| anyhow::anyhow!("the plant file has no MQTT source to publish through"))?;
        Ok(handle.publish(topic, payload.to_owned().into(), false).await?)
    }

    /// Stops every collector.
    pub async fn stop(self) {
        futures::future::join_all(self.handles.into_values().map(SourceHandle::stop)).await;
    }

    fn handle_of(&self, command: &Command) -> Option<&SourceHandle> {
        self.handles.get(&self.catalog.tag(command.tag)?.source)
    }
}

async fn watch_status(mut status: watch::Receiver<SourceStatus>, live: LiveHub, messages: mpsc::Sender<Message>) {
    let mut last = ConnectionState::Connecting;
    loop {
        let current = status.borrow_and_update().clone();
        if current.state != last {
            last = current.state;
            // A pipeline that has ended needs no more notices.
            let _ = messages.send(Message::Record(notice(&current))).await;
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
