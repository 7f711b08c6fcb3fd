//! How a source is doing, kept where everyone can watch it.

use crate::lag::{Recent, Times};
use andon_models::{
    Timestamp,
    definition::{Source, SourceProtocol},
    snapshot::{ConnectionState, SourceStatus},
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// The status of one source.
pub(crate) struct Status {
    sender: watch::Sender<SourceStatus>,
    /// Values and messages that were taken in and are not on disk.
    backlog: AtomicU64,
    /// Those of them whose batch was refused: the loop keeps them until the disk takes more.
    refused: AtomicU64,
    recent: Mutex<Recent>,
}

impl Status {
    pub fn new(source: &Source, tags: usize, now: Timestamp) -> Self {
        let (protocol, endpoint) = match &source.protocol {
            SourceProtocol::OpcUa { url, .. } => ("opcua", url.to_string()),
            SourceProtocol::Modbus { host, unit } => ("modbus", format!("{host} unit {unit}")),
            SourceProtocol::Mqtt { host, port, .. } => ("mqtt", format!("{host}:{port}")),
        };
        let (sender, _) = watch::channel(SourceStatus {
            source: source.name.clone(),
            protocol: protocol.into(),
            endpoint: without_secrets(&endpoint).into(),
            state: ConnectionState::Connecting,
            since: now,
            last_value: None,
            tags: u32::try_from(tags).unwrap_or(u32::MAX),
            received: 0,
            dropped: 0,
            connects: 0,
            lag_ms: None,
            lag_max_ms: None,
            backlog: 0,
            clock_offset_ms: None,
            last_error: "".into(),
        });
        Self { sender, backlog: AtomicU64::new(0), refused: AtomicU64::new(0), recent: Mutex::default() }
    }

    pub fn subscribe(&self) -> watch::Receiver<SourceStatus> {
        self.sender.subscribe()
    }

    /// A connection was made and values can come.
    pub fn connected(&self, now: Timestamp) {
        self.sender.send_modify(|status| {
            status.connects += 1;
            enter(status, ConnectionState::Connected, now);
        });
    }

    /// The connection is gone, or could not be made.
    pub fn failed(&self, state: ConnectionState, reason: &str, now: Timestamp) {
        let source = self.sender.borrow().source.clone();
        tracing::warn!(%source, ?state, reason, "source is down");
        self.sender.send_modify(|status| {
            status.last_error = reason.into();
            enter(status, state, now);
        });
    }

    /// Something went wrong that does not end the connection.
    pub fn trouble(&self, reason: &str) {
        self.sender.send_if_modified(|status| {
            let changed = &*status.last_error != reason;
            if changed {
                tracing::warn!(source = %status.source, reason, "source has trouble");
                status.last_error = reason.into();
            }
            changed
        });
    }

    pub fn received(&self, values: usize, now: Timestamp) {
        self.sender.send_modify(|status| {
            status.received += values as u64;
            status.last_value = Some(now);
            status.backlog = self.backlog.load(Ordering::Relaxed);
        });
    }

    /// So many values wait for the batcher from now on.
    pub fn taken_in(&self, values: usize) {
        self.backlog.fetch_add(values as u64, Ordering::Relaxed);
    }

    /// They found no room after all.
    pub fn not_taken_in(&self, values: usize) {
        self.backlog.fetch_sub(values as u64, Ordering::Relaxed);
    }

    /// A batch is on disk, and with it what was refused before.
    pub fn on_disk(&self, values: u64, times: Times, now: Timestamp) {
        let refused = self.refused.swap(0, Ordering::Relaxed);
        let backlog = self.backlog.fetch_sub(values + refused, Ordering::Relaxed) - values - refused;
        let lags = times
            .lags(now)
            .map(|(last, largest)| (last, self.recent.lock().unwrap_or_else(PoisonError::into_inner).add(now, largest)));
        self.sender.send_modify(|status| {
            status.backlog = backlog;
            if let Some((last, largest)) = lags {
                (status.lag_ms, status.lag_max_ms) = (Some(last), Some(largest));
            }
        });
    }

    /// A batch did not get on disk.
    pub fn not_on_disk(&self, values: u64) {
        self.refused.fetch_add(values, Ordering::Relaxed);
    }

    /// The device's clock differs by so many nanoseconds (ours minus the device's).
    pub fn clock(&self, offset: i64) {
        let offset = Some(offset / 1_000_000);
        self.sender.send_if_modified(|status| std::mem::replace(&mut status.clock_offset_ms, offset) != offset);
    }

    pub fn dropped(&self, values: usize) {
        self.sender.send_modify(|status| status.dropped += values as u64);
    }

    /// Why it is not connected.
    pub fn reason(&self) -> Arc<str> {
        let status = self.sender.borrow();
        if status.last_error.is_empty() { "not connected yet".into() } else { status.last_error.clone() }
    }
}

fn enter(status: &mut SourceStatus, state: ConnectionState, now: Timestamp) {
    if status.state != state {
        status.state = state;
        status.since = now;
    }
}

/// A URL without `user:password@`.
fn without_secrets(endpoint: &str) -> String {
    match (endpoint.split_once("://"), endpoint.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => endpoint.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_secrets("opc.tcp://joe:secret@10.0.0.1:4840/x"), "opc.tcp://10.0.0.1:4840/x");
        assert_eq!(without_secrets("opc.tcp://10.0.0.1:4840"), "opc.tcp://10.0.0.1:4840");
    }
}
