//! Writes by hand on their way from the web server to the loop: what the device shows is read first.

use super::{pipeline::Message, sources::Sources};
use andon_dashboards::Prepare;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Writes that may wait to be prepared; people are slower than that.
const MAX_PREPARING: usize = 16;

/// How long the present value may take to be read; a person waits for it.
const READ_PATIENCE: Duration = Duration::from_secs(3);

/// Starts the way; it ends with the web server.
pub fn start(sources: Arc<Sources>, messages: mpsc::Sender<Message>) -> mpsc::Sender<Prepare> {
    let (prepares, mut queue) = mpsc::channel::<Prepare>(MAX_PREPARING);
    tokio::spawn(async move {
        while let Some(mut prepare) = queue.recv().await {
            let write = &mut prepare.write;
            let read = tokio::time::timeout(READ_PATIENCE, sources.read_control(write.asset, &write.control)).await;
            write.current = match read {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(format!("{error:#}").into()),
                Err(_) => Err(format!("it was not read within {} s", READ_PATIENCE.as_secs()).into()),
            };
            if messages.send(Message::Prepare(prepare)).await.is_err() {
                return;
            }
        }
    });
    prepares
}
