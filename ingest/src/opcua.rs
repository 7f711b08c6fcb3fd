//! OPC UA.

use crate::{IngestError, Shared, batcher::IntakeSender, command::WritableDevice};
use andon_models::{Value, catalog::Tag};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(crate) struct OpcUaDevice(Arc<Shared>);

pub(crate) fn start(
    shared: Arc<Shared>,
    _pki: std::path::PathBuf,
    intake: IntakeSender,
    stop: CancellationToken,
) -> (OpcUaDevice, JoinHandle<()>) {
    (
        OpcUaDevice(shared),
        tokio::spawn(async move {
            stop.cancelled().await;
            drop(intake)
        }),
    )
}

impl WritableDevice for OpcUaDevice {
    async fn write(&self, _: &Tag, _: &Value, _: &(dyn Fn() -> bool + Send + Sync)) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
    async fn read(&self, _: &Tag) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
}
