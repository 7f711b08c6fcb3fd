//! One open page: its WebSocket, from hello to the end.

use super::{
    LiveHub,
    outbox::Outbox,
    wire::{FromPage, ToPage, millis},
};
use crate::Now;
use andon_query::Historian;
use axum::extract::ws::{Message, WebSocket};
use std::time::Duration;
use tokio::{sync::broadcast::error::RecvError, time};
use tokio_util::sync::CancellationToken;

/// Changes are told at most four times a second: faster is unreadable, slower looks frozen.
const ROUND: Duration = Duration::from_millis(250);
/// A page that hears nothing for a few of these knows that the link is lost.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A page that takes no message for so long is gone.
const MAX_SEND: Duration = Duration::from_secs(10);

/// Serves one page until it leaves, stops taking messages, or the service ends.
pub(crate) async fn session(mut socket: WebSocket, hub: LiveHub, historian: Historian, now: Now, end: CancellationToken) {
    let mut changes = hub.subscribe();
    let mut outbox = Outbox::default();
    let mut round = time::interval(ROUND);
    let mut heartbeat = time::interval(HEARTBEAT);
    round.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    heartbeat.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut stands = send(&mut socket, &[ToPage::Hello { now: millis(now()) }]).await;
    while stands {
        stands = tokio::select! {
            () = end.cancelled() => false,
            change = changes.recv() => match change {
                Ok(change) => {
                    outbox.absorb(&change);
                    true
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a page could not follow and is resynchronised");
                    outbox.resynchronise(|series| historian.latest(series));
                    true
                }
                Err(RecvError::Closed) => false,
            },
            _ = round.tick(), if !outbox.is_empty() => send(&mut socket, &outbox.drain(now())).await,
            _ = heartbeat.tick() => send(&mut socket, &[ToPage::Heartbeat { now: millis(now()) }]).await,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match take(&text, &mut outbox, &historian) {
                    Ok(()) => true,
                    Err(message) => send(&mut socket, &[ToPage::Error { message }]).await,
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                Some(Ok(_)) => true,
            },
        };
    }
    // The page may be gone already; then there is nobody to tell.
    let _ = time::timeout(HEARTBEAT, socket.send(Message::Close(None))).await;
}

fn take(text: &str, outbox: &mut Outbox, historian: &Historian) -> Result<(), String> {
    let FromPage::Subscribe(subscription) = serde_json::from_str(text)
        .map_err(|error| format!("not understood: {error}; say {{\"subscribe\": {{\"series\": [1, 2]}}}}"))?;
    outbox.subscribe(subscription.series, |series| historian.latest(series))
}

/// Sends messages; false when the page does not take them any more.
async fn send(socket: &mut WebSocket, messages: &[ToPage]) -> bool {
    for message in messages {
        let text = serde_json::to_string(message).expect("a message has only string keys");
        match time::timeout(MAX_SEND, socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    true
}
