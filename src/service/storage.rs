//! Tells when the disk stops taking what comes in, and when it goes on: on the pages at once, in the history as soon as it can.

use super::{clock::Now, pipeline::Message};
use andon_models::{
    EventId, Timestamp,
    event::{Event, EventBody, SystemNotice},
};
use andon_query::{Batch, StorageHealth};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// A disk must work for so long before it is called well: one that comes and goes is one trouble, not a hundred.
const WELL_AFTER: Duration = Duration::from_secs(3);

/// Watches until the historian is gone.
pub async fn watch(mut health: watch::Receiver<StorageHealth>, messages: mpsc::Sender<Message>, now: Now) {
    loop {
        let trouble = match health.wait_for(|health| health.trouble().is_some()).await {
            Ok(health) => health.trouble().cloned(),
            Err(_) => return,
        };
        let Some(trouble) = trouble else { continue };
        let began = now();
        tell(&messages, began, "error", format!("what comes in is not stored: {}", trouble.reason).into()).await;
        if stays_well(&mut health).await.is_err() {
            return;
        }
        let message = format!("what comes in is stored again; the trouble began at {began}");
        tell(&messages, now(), "info", message.into()).await;
    }
}

/// Waits until there has been no trouble for a while.
async fn stays_well(health: &mut watch::Receiver<StorageHealth>) -> Result<(), watch::error::RecvError> {
    loop {
        health.wait_for(|health| health.trouble().is_none()).await?;
        let relapse = health.wait_for(|health| health.trouble().is_some());
        match tokio::time::timeout(WELL_AFTER, relapse).await {
            Err(_) => return Ok(()),
            Ok(relapse) => _ = relapse?,
        }
    }
}

async fn tell(messages: &mpsc::Sender<Message>, time: Timestamp, level: &str, message: Arc<str>) {
    let event = Event {
        id: EventId::from_name(&format!("storage/{time}/{message}")),
        time,
        asset: None,
        asset_path: "".into(),
        detector: "".into(),
        body: EventBody::System(SystemNotice { subject: "storage".into(), level: level.into(), message }),
    };
    // A pipeline that has ended needs no more notices.
    let _ = messages.send(Message::Record(Batch { events: vec![event], ..Batch::default() })).await;
}
