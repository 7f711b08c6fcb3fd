//! Questions about what sources offer, on their way from the web server to the connections. Each goes by itself, so that a slow device
//! keeps only those waiting who look at it; a question goes on when whoever asked is gone, so that no connection is left half-way.

use super::sources::Sources;
use andon_dashboards::AskBrowse;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Questions under way and waiting; each source answers one at a time, and few people look at sources.
const MAX_QUESTIONS: usize = 16;

/// Starts the way; it ends with the web server.
pub fn start(sources: Arc<Sources>) -> mpsc::Sender<AskBrowse> {
    let (asks, mut queue) = mpsc::channel::<AskBrowse>(MAX_QUESTIONS);
    let room = Arc::new(Semaphore::new(MAX_QUESTIONS));
    tokio::spawn(async move {
        while let Ok(place) = room.clone().acquire_owned().await {
            let Some(AskBrowse { source, ask, reply }) = queue.recv().await else { return };
            let sources = sources.clone();
            tokio::spawn(async move {
                // Whoever asked may be gone.
                let _ = reply.send(sources.browse(&source, &ask).await);
                drop(place);
            });
        }
    });
    asks
}
