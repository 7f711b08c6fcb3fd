//! Computes due metrics beside the pipeline: one plan per model and window kind, children before parents.

use super::{pipeline::Message, schedule::Due};
use andon_query::Historian;
use tokio::sync::{mpsc, oneshot};

/// Runs until no more jobs can come.
pub async fn run(historian: Historian, mut due: mpsc::Receiver<Due>, messages: mpsc::Sender<Message>) {
    while let Some(Due { jobs, closed }) = due.recv().await {
        for job in jobs {
            let points = match historian.compute(job.model, &job.spec, &job.windows).await {
                Ok(points) => points,
                Err(error) => {
                    tracing::error!(window = %job.spec.name(), %error, "metrics could not be computed");
                    continue;
                }
            };
            let (reply, readable) = oneshot::channel();
            if messages.send(Message::Computed(points, reply)).await.is_err() {
                return;
            }
            // Parents read what children just stored, so the next job waits for it.
            if readable.await.is_err() {
                return;
            }
        }
        if messages.send(Message::MetricsDone(closed)).await.is_err() {
            return;
        }
    }
}
