//! Writes by hand on their way from the web server to the loop: what the device shows is read first. Each goes by itself, so that a
//! dead device keeps only those waiting who want to write to it.

use super::{pipeline::Message, sources::Sources};
use andon_dashboards::Prepare;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};

/// Writes that are prepared at once, and that may wait for it; people are slower than that.
const MAX_PREPARING: usize = 16;

/// How long the present value may take to be read; a person waits for it.
const READ_PATIENCE: Duration = Duration::from_secs(3);

/// Starts the way; it ends with the web server.
pub fn start(sources: Arc<Sources>, messages: mpsc::Sender<Message>) -> mpsc::Sender<Prepare> {
    start_reading(messages, move |prepare| read(prepare, sources.clone()))
}

fn start_reading<R: Future<Output = Prepare> + Send + 'static>(
    messages: mpsc::Sender<Message>,
    read: impl Fn(Prepare) -> R + Send + 'static,
) -> mpsc::Sender<Prepare> {
    let (prepares, mut queue) = mpsc::channel::<Prepare>(MAX_PREPARING);
    let room = Arc::new(Semaphore::new(MAX_PREPARING));
    tokio::spawn(async move {
        while let Ok(place) = room.clone().acquire_owned().await {
            let Some(prepare) = queue.recv().await else { return };
            let (read, messages) = (read(prepare), messages.clone());
            tokio::spawn(async move {
                let prepare = read.await;
                drop(place);
                // A pipeline that has ended prepares nothing; whoever asked is told by the dropped reply.
                let _ = messages.send(Message::Prepare(prepare)).await;
            });
        }
    });
    prepares
}

/// Reads what the device shows, or says why nobody knows.
async fn read(mut prepare: Prepare, sources: Arc<Sources>) -> Prepare {
    let write = &mut prepare.write;
    let read = tokio::time::timeout(READ_PATIENCE, sources.read_control(write.asset, &write.control)).await;
    write.current = match read {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{error:#}").into()),
        Err(_) => Err(format!("it was not read within {} s", READ_PATIENCE.as_secs()).into()),
    };
    prepare
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{
        AssetId,
        command::{HandRole, HandWrite},
    };
    use tokio::sync::{mpsc::error::TrySendError, oneshot};

    fn prepare(control: &str) -> Prepare {
        let write = HandWrite {
            by: "kim".into(),
            role: HandRole::Operator,
            asset: AssetId::from_name("Filler 1"),
            control: control.into(),
            value: true.into(),
            current: Err("not read yet".into()),
        };
        Prepare { write, reply: oneshot::channel().0 }
    }

    #[tokio::test]
    async fn a_dead_device_keeps_nobody_waiting_who_does_not_want_it() {
        let (messages, mut ready) = mpsc::channel(1);
        let prepares = start_reading(messages, |prepare: Prepare| async {
            if &*prepare.write.control == "dead" {
                std::future::pending::<()>().await;
            }
            prepare
        });
        for _ in 1..MAX_PREPARING {
            prepares.send(prepare("dead")).await.unwrap();
        }
        prepares.send(prepare("alive")).await.unwrap();
        let first = tokio::time::timeout(Duration::from_secs(60), ready.recv()).await.unwrap();
        assert!(matches!(first, Some(Message::Prepare(prepare)) if &*prepare.write.control == "alive"));
        // Nobody waits without bound.
        while prepares.try_send(prepare("dead")).is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(prepares.try_send(prepare("dead")), Err(TrySendError::Full(_))));
    }
}
