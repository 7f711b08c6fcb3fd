//! Speaks to devices, in both directions: OPC UA, Modbus TCP and MQTT.
//!
//! Each source runs on its own: it connects, reads, decodes, batches and comes back after every loss by itself, for ever. One slow
//! or hostile device never delays another. What it could not read is a sample too, of Bad quality with the reason; what it had to
//! drop is counted. A write is sent once, read back and reported; it is never repeated here.
//!
//! - Samples leave in [`Delivery`] batches through one bounded channel that the caller owns.
//! - Trouble is no error of [`start`] but the [`SourceStatus`] of the source.
//! - Sources that use TLS need a rustls crypto provider that the process installed.

mod backoff;
mod batcher;
mod browse;
mod command;
mod convert;
mod error;
mod lag;
mod modbus;
mod mqtt;
mod opcua;
#[cfg(test)]
mod plant_tests;
mod stale;
mod status;
#[cfg(test)]
mod testing;

pub use browse::visit;
pub use error::IngestError;

use andon_models::{
    Sample, TagId, Timestamp, Value,
    address::Address,
    catalog::Tag,
    command::{Command, CommandOutcome},
    definition::{Source, SourceProtocol},
    iot_events::{InputMessage, InputTopic},
    snapshot::SourceStatus,
};
use bytes::Bytes;
use status::Status;
use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// The clock that stamps what arrives. The caller owns the only one.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a source needs to run.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// The source as defined.
    pub source: Source,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Path of each tag's asset (`Line 2/Filler 2`); MQTT captures are matched against it.
    pub asset_paths: HashMap<TagId, Arc<str>>,
    /// Topics whose messages go to detectors; MQTT only.
    pub inputs: Vec<(Arc<str>, InputTopic)>,
    /// Folder of the OPC UA certificates: `own`, `private`, `trusted`, `rejected`.
    pub pki_dir: PathBuf,
}

/// A batch of samples.
#[derive(Debug)]
pub struct Delivery {
    /// The source.
    pub source: Arc<str>,
    /// The samples, in order of arrival.
    pub samples: Vec<Sample>,
    /// Messages for detectors, in order of arrival.
    pub messages: Vec<InputMessage>,
    /// To be fired once the samples and messages are safe on disk; brokers get their acknowledgement then, and the source hands over
    /// what it has gathered meanwhile. Dropping it unfired makes the broker send the messages again.
    pub durable: oneshot::Sender<()>,
}

/// A running source. Dropping it stops the source as well, without waiting.
pub struct SourceHandle {
    name: Arc<str>,
    shared: Arc<Shared>,
    device: Device,
    writes: Semaphore,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// A tag in words, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagName(pub Arc<str>);

/// What the tasks of one source share.
pub(crate) struct Shared {
    pub source: Source,
    pub tags: HashMap<TagId, Tag>,
    pub status: Status,
    pub now: Now,
}

/// The way to a device, by protocol.
enum Device {
    OpcUa(opcua::OpcUaDevice),
    Modbus(modbus::ModbusDevice),
    Mqtt(mqtt::MqttDevice),
}

/// Writes under way per source: more than a PLC handles at a time, few enough to notice a runaway.
pub const WRITES_AT_ONCE: usize = 16;

/// How long a source may take to say goodbye to its device.
const GOODBYE: Duration = Duration::from_secs(5);

/// Starts a source on the current tokio runtime. Never fails: trouble shows in its status.
pub fn start(plan: SourcePlan, deliver: mpsc::Sender<Delivery>, now: Now) -> SourceHandle {
    assemble(plan, now, |shared, plan, stop| {
        let (intake, batcher) = batcher::start(&plan, shared.clone(), deliver, stop.clone());
        let (device, task) = match &plan.source.protocol {
            SourceProtocol::OpcUa { .. } => {
                let (device, task) = opcua::start(shared, plan.pki_dir, intake, stop);
                (Device::OpcUa(device), task)
            }
            SourceProtocol::Modbus { .. } => {
                let (device, task) = modbus::start(shared, intake, stop);
                (Device::Modbus(device), task)
            }
            SourceProtocol::Mqtt { .. } => {
                let (device, task) = mqtt::start(shared, plan, intake, stop);
                (Device::Mqtt(device), task)
            }
        };
        (device, vec![task, batcher])
    })
}

/// Puts a source together around the way to its device.
fn assemble(
    plan: SourcePlan,
    now: Now,
    way: impl FnOnce(Arc<Shared>, SourcePlan, CancellationToken) -> (Device, Vec<JoinHandle<()>>),
) -> SourceHandle {
    let name = plan.source.name.clone();
    let stop = CancellationToken::new();
    let status = Status::new(&plan.source, plan.tags.len(), now());
    let tags = plan.tags.iter().map(|tag| (tag.id, tag.clone())).collect();
    let shared = Arc::new(Shared { source: plan.source.clone(), tags, status, now });
    let (device, tasks) = way(shared.clone(), plan, stop.clone());
    SourceHandle { name, shared, device, writes: Semaphore::new(WRITES_AT_ONCE), stop, tasks }
}

impl SourceHandle {
    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the source is doing; changes arrive as they happen.
    pub fn status(&self) -> watch::Receiver<SourceStatus> {
        self.shared.status.subscribe()
    }

    /// Says in its status that something is wrong that does not end the connection.
    pub fn trouble(&self, reason: &str) {
        self.shared.status.trouble(reason);
    }

    /// Writes once, reads back until the value shows or `command.verify` is over, and reports what became of it.
    ///
    /// Whether the value may be written at all was decided before; here only the source's own `writes: allow` and the deadline
    /// are looked at again. Bounded: by the deadline before the write is sent, by timeouts and `verify` after.
    pub async fn write(&self, command: &Command) -> CommandOutcome {
        let Ok(_permit) = self.writes.try_acquire() else {
            return command::too_many(&self.shared, command, WRITES_AT_ONCE);
        };
        match &self.device {
            Device::OpcUa(device) => command::write(&self.shared, device, command).await,
            Device::Modbus(device) => command::write(&self.shared, device, command).await,
            Device::Mqtt(device) => command::write(&self.shared, device, command).await,
        }
    }

    /// Reads a tag from the device now.
    ///
    /// Errors: see [`IngestError`]; a refusal of the device is one too.
    pub async fn read_back(&self, tag: TagId) -> Result<Value, IngestError> {
        let tag = self.shared.tags.get(&tag).ok_or_else(|| IngestError::UnknownTag {
            source_name: self.name.clone(),
            tag: TagName(format!("number {}", tag.0).into()),
        })?;
        match &self.device {
            Device::OpcUa(device) => command::read(device, tag).await,
            Device::Modbus(device) => command::read(device, tag).await,
            Device::Mqtt(device) => command::read(device, tag).await,
        }
    }

    /// Publishes a message with QoS 1 and waits for the broker's acknowledgement. MQTT sources only.
    ///
    /// Errors: not connected, not acknowledged in time, or not an MQTT source.
    pub async fn publish(&self, topic: &str, payload: Bytes, retain: bool) -> Result<(), IngestError> {
        match &self.device {
            Device::Mqtt(device) => device.publish(topic, payload, retain).await,
            _ => Err(IngestError::Unsupported {
                source_name: self.name.clone(),
                reason: "only an mqtt source can publish a topic".into(),
            }),
        }
    }

    /// Stops the source: says goodbye to the device and waits for its tasks, a few seconds at most.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(GOODBYE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for SourceHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for SourceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TagName {
    pub(crate) fn of(tag: &Tag) -> Self {
        Self(match &tag.address {
            Address::OpcUa(node) => node.0.clone(),
            Address::Modbus(point) => point.to_string().into(),
            Address::Mqtt(point) => match &point.topic {
                Some(topic) => format!("{topic}#{}", point.path).into(),
                None => point.path.clone(),
            },
        })
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
