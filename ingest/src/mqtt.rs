//! MQTT.

use crate::{IngestError, Shared, batcher::IntakeSender, command::WritableDevice};
use andon_models::{Value, catalog::Tag};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(crate) struct MqttDevice(Arc<Shared>);

pub(crate) fn start(
    shared: Arc<Shared>,
    _plan: crate::SourcePlan,
    intake: IntakeSender,
    stop: CancellationToken,
) -> (MqttDevice, JoinHandle<()>) {
    (
        MqttDevice(shared),
        tokio::spawn(async move {
            stop.cancelled().await;
            drop(intake)
        }),
    )
}

impl WritableDevice for MqttDevice {
    async fn write(&self, _: &Tag, _: &Value, _: &(dyn Fn() -> bool + Send + Sync)) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
    async fn read(&self, _: &Tag) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
}

impl MqttDevice {
    pub async fn publish(&self, _: &str, _: bytes::Bytes, _: bool) -> Result<(), IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
}
