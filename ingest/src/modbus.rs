//! Modbus TCP.

use crate::{IngestError, Shared, batcher::IntakeSender, command::WritableDevice};
use andon_models::{Value, address::ModbusAddress, catalog::Tag};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(crate) struct ModbusDevice(Arc<Shared>);

pub(crate) fn start(shared: Arc<Shared>, intake: IntakeSender, stop: CancellationToken) -> (ModbusDevice, JoinHandle<()>) {
    (
        ModbusDevice(shared),
        tokio::spawn(async move {
            stop.cancelled().await;
            drop(intake)
        }),
    )
}

pub(crate) fn describe(point: &ModbusAddress) -> String {
    format!("{point:?}")
}

impl WritableDevice for ModbusDevice {
    async fn write(&self, _: &Tag, _: &Value, _: &(dyn Fn() -> bool + Send + Sync)) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
    async fn read(&self, _: &Tag) -> Result<Value, IngestError> {
        Err(IngestError::NotConnected { source_name: self.0.source.name.clone(), reason: self.0.status.reason() })
    }
}
