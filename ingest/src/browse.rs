//! Looking at what a source offers, beside the values that it delivers.
//!
//! Never more than one question per source is under way, and nothing is written. Values do not wait for it: see each protocol.

use crate::{Device, IngestError, Now, SourceHandle, SourcePlan, mqtt};
use andon_models::{
    browse::{Browse, BrowseRefusal, BrowseTrouble, Browsed},
    definition::SourceProtocol,
    snapshot::ConnectionState,
};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// How long a visit waits for its connection: a secure session of a small PLC takes some seconds.
const CONNECT: Duration = Duration::from_secs(20);

impl SourceHandle {
    /// Answers a question about what the source offers.
    ///
    /// Bounded: an answer comes within some 30 s, or the reason why there is none.
    ///
    /// # Errors
    /// Why there is no answer, and what to do.
    pub async fn browse(&self, ask: &Browse) -> Result<Browsed, BrowseRefusal> {
        ask.check()?;
        let answer = match &self.device {
            Device::OpcUa(device) => device.browse(ask).await,
            Device::Modbus(device) => device.browse(ask).await,
            Device::Mqtt(device) => device.browse(ask).await,
        };
        answer.map_err(refusal)
    }
}

/// Connects to a source only to look at it: nothing is subscribed to, polled or kept by a broker.
///
/// # Errors
/// Why there is no connection.
pub async fn visit(mut plan: SourcePlan, now: Now) -> Result<SourceHandle, BrowseRefusal> {
    plan.tags.iter_mut().for_each(|tag| tag.read = false);
    if matches!(plan.source.protocol, SourceProtocol::Mqtt { .. }) {
        return Ok(crate::assemble(plan, now, mqtt::idle));
    }
    let (deliver, mut deliveries) = mpsc::channel(1);
    // Nothing is read, so nothing comes; but a source waits for whoever does not take it.
    tokio::spawn(async move { while deliveries.recv().await.is_some() {} });
    let handle = crate::start(plan, deliver, now);
    let mut status = handle.status();
    let settled = |state| matches!(state, ConnectionState::Connected | ConnectionState::Misconfigured | ConnectionState::Lost);
    let state = timeout(CONNECT, status.wait_for(|status| settled(status.state))).await;
    let reached = matches!(&state, Ok(Ok(status)) if status.state == ConnectionState::Connected);
    drop(state);
    if reached {
        return Ok(handle);
    }
    let (endpoint, reason) = {
        let status = handle.status();
        let status = status.borrow();
        (status.endpoint.clone(), status.last_error.clone())
    };
    let source_name = handle.shared.source.name.clone();
    let reason = if reason.is_empty() { format!("no answer from {endpoint}").into() } else { reason };
    handle.stop().await;
    Err(refusal(IngestError::NotConnected { source_name, reason }))
}

fn refusal(error: IngestError) -> BrowseRefusal {
    let message = error.to_string();
    let (trouble, hint) = match error {
        IngestError::NotConnected { .. } | IngestError::Broken { .. } => (
            BrowseTrouble::Unreachable,
            "see its state on the page Sources; check address, network and whether the device runs",
        ),
        IngestError::Timeout { .. } => (BrowseTrouble::Silent, "ask for less: a deeper node, or fewer nodes with `limit`"),
        IngestError::Busy { .. } => (BrowseTrouble::Busy, "somebody else looks at it; ask again in a few seconds"),
        IngestError::Refused { .. } => (BrowseTrouble::Refused, "ask without a node for the root, and go down from there"),
        _ => (BrowseTrouble::Wrong, ""),
    };
    BrowseRefusal { trouble, message, hint: hint.into() }
}
