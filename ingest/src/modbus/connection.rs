//! The one connection to a Modbus device: one request at a time, each with a time limit.
//!
//! After a time-out, a broken frame or a caller that went away the connection is thrown away: a late answer must never be taken
//! for the answer of the next request.

use crate::{IngestError, Shared, TagName};
use andon_models::{address::ModbusTable, definition::SourceProtocol};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Mutex, time::timeout};
use tokio_modbus::{
    ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp::attach_slave},
    slave::SlaveContext,
};

/// Time limit of a connection: a device in the same plant answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time limit of a request: serial lines behind a gateway take up to a second or two.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit of a question an engineer asks beside the polling: values wait behind it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection, if there is one.
pub(super) struct Connection {
    shared: Arc<Shared>,
    context: Mutex<Option<Context>>,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// There is no connection.
    NotConnected,
    /// No answer in time; the connection is gone.
    Timeout,
    /// The connection broke.
    Broken(String),
    /// The device refuses.
    Exception(ExceptionCode),
}

/// What a block of registers or bits holds.
#[derive(Debug)]
pub(super) enum Content {
    Bits(Vec<bool>),
    Registers(Vec<u16>),
}

impl Connection {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, context: Mutex::new(None) }
    }

    /// Connects to `host:port`.
    ///
    /// Errors: in words for the engineer.
    pub async fn open(&self, host: &str, unit: u8) -> Result<(), String> {
        *self.context.lock().await = Some(connect(host, unit).await?);
        Ok(())
    }

    /// Throws the connection away.
    pub async fn close(&self) {
        if let Some(mut context) = self.context.lock().await.take() {
            // A device that does not take part in closing is dropped.
            let _ = timeout(Duration::from_millis(200), context.disconnect()).await;
        }
    }

    pub async fn is_open(&self) -> bool {
        self.context.lock().await.is_some()
    }

    /// Sends one request when it is its turn. `left` is asked right before it is sent.
    pub async fn call_unless(
        &self,
        request: Request<'_>,
        left: &(dyn Fn() -> Option<Duration> + Send + Sync),
    ) -> Result<Result<Response, CallError>, IngestError> {
        let mut slot = self.context.lock().await;
        if left().is_none() {
            return Err(IngestError::Late);
        }
        // Out of its place while it is used: whoever stops waiting takes the connection with him.
        let Some(mut context) = slot.take() else { return Ok(Err(CallError::NotConnected)) };
        let answer = timeout(REQUEST_TIMEOUT, context.call(request)).await;
        let (answer, intact) = match answer {
            Ok(Ok(Ok(response))) => (Ok(response), true),
            Ok(Ok(Err(exception))) => (Err(CallError::Exception(exception)), true),
            Ok(Err(error)) => (Err(CallError::Broken(transport_words(&error))), false),
            Err(_) => (Err(CallError::Timeout), false),
        };
        if intact {
            *slot = Some(context);
        }
        Ok(answer)
    }

    /// Reads registers or bits.
    pub async fn read(&self, table: ModbusTable, start: u16, count: u16) -> Result<Content, CallError> {
        let request = read_request(table, start, count);
        let response = self.call_unless(request, &|| Some(Duration::MAX)).await.unwrap_or(Err(CallError::NotConnected))?;
        match content(response, count) {
            Some(content) => Ok(content),
            None => {
                self.close().await;
                Err(CallError::Broken("the answer is not as long as what was asked for; check the unit id, and whether a gateway mixes up answers".into()))
            }
        }
    }

    /// Reads what an engineer looks at, of another unit if one is named. What does not answer must not harm the values: the
    /// connection is made anew before anybody else gets it.
    pub async fn look(&self, unit: Option<u8>, table: ModbusTable, start: u16, count: u16) -> Result<Content, CallError> {
        let SourceProtocol::Modbus { host, unit: own } = &self.shared.source.protocol else {
            return Err(CallError::NotConnected);
        };
        let mut slot = self.context.lock().await;
        let Some(mut context) = slot.take() else { return Err(CallError::NotConnected) };
        context.set_slave(Slave(unit.unwrap_or(*own)));
        let answer = timeout(LOOK_TIMEOUT, context.call(read_request(table, start, count))).await;
        context.set_slave(Slave(*own));
        let error = match answer {
            Ok(Ok(Ok(response))) => match content(response, count) {
                Some(content) => {
                    *slot = Some(context);
                    return Ok(content);
                }
                None => CallError::Broken("the answer is not as long as what was asked for".into()),
            },
            Ok(Ok(Err(exception))) => {
                *slot = Some(context);
                return Err(CallError::Exception(exception));
            }
            Ok(Err(error)) => CallError::Broken(transport_words(&error)),
            Err(_) => CallError::Timeout,
        };
        drop(context);
        *slot = connect(host, *own).await.ok();
        Err(error)
    }

    /// The error as callers of the crate see it.
    pub fn error(&self, error: CallError, tag: TagName) -> IngestError {
        let source_name = self.shared.source.name.clone();
        match error {
            CallError::NotConnected => IngestError::NotConnected { source_name, reason: self.shared.status.reason() },
            CallError::Timeout => IngestError::Timeout { source_name, after: REQUEST_TIMEOUT },
            CallError::Broken(reason) => IngestError::Broken { source_name, reason: reason.into() },
            CallError::Exception(code) => IngestError::Refused { source_name, tag, reason: exception_words(code).into() },
        }
    }
}

fn read_request(table: ModbusTable, start: u16, count: u16) -> Request<'static> {
    match table {
        ModbusTable::Coil => Request::ReadCoils(start, count),
        ModbusTable::Discrete => Request::ReadDiscreteInputs(start, count),
        ModbusTable::Input => Request::ReadInputRegisters(start, count),
        ModbusTable::Holding => Request::ReadHoldingRegisters(start, count),
    }
}

/// What an answer holds; none when it is not as long as what was asked for.
fn content(response: Response, count: u16) -> Option<Content> {
    let wanted = usize::from(count);
    match response {
        // Bits come in whole bytes.
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) if bits.len() >= wanted => Some(Content::Bits(bits)),
        Response::ReadInputRegisters(registers) | Response::ReadHoldingRegisters(registers) if registers.len() == wanted => {
            Some(Content::Registers(registers))
        }
        _ => None,
    }
}

async fn connect(host: &str, unit: u8) -> Result<Context, String> {
    let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(host)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("no connection to {host}: {error}; check address, port and cable")),
        Err(_) => {
            return Err(format!(
                "no connection to {host} within {} s; check address, port and cable, and that nobody else holds its few connections",
                CONNECT_TIMEOUT.as_secs()
            ));
        }
    };
    // Requests are small and wait for their answer: delay only harms.
    stream.set_nodelay(true).map_err(|error| format!("connection to {host}: {error}; it is made anew"))?;
    Ok(attach_slave(stream, Slave(unit)))
}

fn transport_words(error: &tokio_modbus::Error) -> String {
    match error {
        tokio_modbus::Error::Protocol(error) => format!("the device answered something else than was asked ({error}); check the unit id, and whether a gateway mixes up answers"),
        // The error number of a closed connection is whatever the system said last, so it is not repeated.
        tokio_modbus::Error::Transport(_) => "the device closed the connection or sent no valid frame; check that it speaks Modbus TCP and allows one more connection".into(),
    }
}

/// A device's refusal in words, with the way out.
pub(super) fn exception_words(code: ExceptionCode) -> String {
    let hint = match code {
        ExceptionCode::IllegalFunction => {
            "the device does not serve this table or function: compare the table of the address with its manual"
        }
        ExceptionCode::IllegalDataAddress => {
            "the device has no such register: compare address and table with its manual (0-based)"
        }
        ExceptionCode::IllegalDataValue => "the device refuses the value or the count: compare type and range with its manual",
        ExceptionCode::ServerDeviceFailure => "the device failed to do it: look at the device itself",
        ExceptionCode::Acknowledge | ExceptionCode::ServerDeviceBusy => {
            "the device is busy; it is asked again. If this stays, ask less often (`every`)"
        }
        ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice => {
            "the gateway does not reach the device: check the unit id and the serial line"
        }
        _ => "see the device's manual",
    };
    format!("exception {}: {hint}", u8::from(code))
}
