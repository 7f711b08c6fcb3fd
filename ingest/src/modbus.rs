//! Modbus TCP: registers and bits, polled in merged blocks and written one point at a time.

mod browse;
mod connection;
mod decode;
mod encode;
mod plan;
mod poll;
#[cfg(test)]
mod tests;

use crate::{IngestError, Shared, TagName, batcher::IntakeSender, command::WritableDevice, convert};
use andon_models::{
    StatusCode, Value,
    address::{Address, ModbusAddress, ModbusTable, ModbusType},
    catalog::Tag,
};
use connection::{CallError, Connection, Content};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_modbus::{ExceptionCode, Request};
use tokio_util::sync::CancellationToken;

/// The way to write to a Modbus device.
pub(crate) struct ModbusDevice {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    /// One question of an engineer at a time.
    browsing: Mutex<()>,
}

type Left<'a> = &'a (dyn Fn() -> Option<Duration> + Send + Sync);

/// Starts polling a device.
pub(crate) fn start(shared: Arc<Shared>, intake: IntakeSender, stop: CancellationToken) -> (ModbusDevice, JoinHandle<()>) {
    let connection = Arc::new(Connection::new(shared.clone()));
    let poller = poll::Poller::new(shared.clone(), connection.clone(), intake);
    let task = tokio::spawn(poller.run(stop));
    (ModbusDevice { shared, connection, browsing: Mutex::default() }, task)
}

impl WritableDevice for ModbusDevice {
    async fn write(&self, tag: &Tag, value: &Value, left: Left<'_>) -> Result<Value, IngestError> {
        let point = self.point(tag)?;
        let raw = convert::unscaled(value, &tag.scaling);
        let does_not_fit = |reason: String| IngestError::DoesNotFit {
            tag: TagName::of(tag),
            value: value.to_string().into(),
            reason: reason.into(),
        };
        if matches!(point.table, ModbusTable::Discrete | ModbusTable::Input) {
            return Err(does_not_fit("the table can only be read; use coil or holding".into()));
        }
        let as_bit = ModbusAddress { data_type: ModbusType::Bool, ..point.clone() };
        let target = if point.table == ModbusTable::Coil { &as_bit } else { point };
        let registers = encode::encode(&raw, target).map_err(does_not_fit)?;
        let on = registers.first().is_some_and(|register| *register != 0);
        let sent = match (point.table, point.bit) {
            (ModbusTable::Coil, _) => self.send(Request::WriteSingleCoil(point.register, on), left).await?,
            (_, Some(bit)) => self.write_bit(point.register, bit, on, left).await?,
            _ => self.write_registers(point.register, &registers, left).await?,
        };
        sent.map_err(|error| self.connection.error(error, TagName::of(tag)))?;
        let shown = if point.table == ModbusTable::Coil || point.bit.is_some() {
            Value::Boolean(on)
        } else {
            decode::decode(&registers, target).unwrap_or(raw)
        };
        Ok(in_units(tag, shown))
    }

    async fn read(&self, tag: &Tag) -> Result<Value, IngestError> {
        let point = self.point(tag)?;
        let bits = plan::is_bit_table(point.table);
        let count = if bits { 1 } else { point.data_type.registers() };
        let content = self.connection.read(point.table, point.register, count).await;
        let value = match content.map_err(|error| self.connection.error(error, TagName::of(tag)))? {
            Content::Bits(bits) => bits.first().map(|bit| Value::Boolean(*bit)),
            Content::Registers(registers) => decode::decode(&registers, point),
        };
        Ok(in_units(tag, value.unwrap_or(Value::Null)))
    }
}

impl ModbusDevice {
    fn point<'a>(&self, tag: &'a Tag) -> Result<&'a ModbusAddress, IngestError> {
        match &tag.address {
            Address::Modbus(point) => Ok(point),
            _ => Err(IngestError::UnknownTag { source_name: self.shared.source.name.clone(), tag: TagName::of(tag) }),
        }
    }

    async fn send(&self, request: Request<'_>, left: Left<'_>) -> Result<Result<(), CallError>, IngestError> {
        Ok(self.connection.call_unless(request, left).await?.map(drop))
    }

    /// One register with function 6, more with function 16; some devices know only the latter.
    async fn write_registers(
        &self,
        register: u16,
        registers: &[u16],
        left: Left<'_>,
    ) -> Result<Result<(), CallError>, IngestError> {
        if let [single] = registers {
            let sent = self.send(Request::WriteSingleRegister(register, *single), left).await?;
            if !matches!(sent, Err(CallError::Exception(ExceptionCode::IllegalFunction))) {
                return Ok(sent);
            }
        }
        self.send(Request::WriteMultipleRegisters(register, registers.into()), left).await
    }

    /// One bit of a register with function 22. Devices without it get the register read, changed and written, which is not one
    /// step: another bit that the PLC changes in between is lost. The manual of such a device names a better point.
    async fn write_bit(&self, register: u16, bit: u8, on: bool, left: Left<'_>) -> Result<Result<(), CallError>, IngestError> {
        let mask = 1_u16.checked_shl(u32::from(bit)).unwrap_or_default();
        let set = if on { mask } else { 0 };
        let sent = self.send(Request::MaskWriteRegister(register, !mask, set), left).await?;
        if !matches!(sent, Err(CallError::Exception(ExceptionCode::IllegalFunction))) {
            return Ok(sent);
        }
        let word = match self.connection.read(ModbusTable::Holding, register, 1).await {
            Ok(Content::Registers(registers)) => registers.first().copied().unwrap_or_default(),
            Ok(Content::Bits(_)) => return Ok(Err(CallError::Broken("bits instead of a register".into()))),
            Err(error) => return Ok(Err(error)),
        };
        self.write_registers(register, &[(word & !mask) | set], left).await
    }
}

/// A raw value in the unit and type of its property.
fn in_units(tag: &Tag, raw: Value) -> Value {
    convert::tqv(tag, raw, andon_models::Timestamp::EPOCH, StatusCode::GOOD).value
}
