//! Computes due metrics beside the pipeline: one plan per model and window kind, children before parents.

use super::{clock::Now, pipeline::Message, recompute, telemetry};
use andon_models::{catalog::Catalog, schedule::Job};
use andon_query::Historian;
use std::sync::Arc;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Runs until no more jobs can come.
pub async fn run(
    catalog: Arc<Catalog>,
    historian: Historian,
    mut due: mpsc::Receiver<Vec<Job>>,
    messages: mpsc::Sender<Message>,
    now: Now,
) {
    while let Some(jobs) = due.recv().await {
        for job in jobs {
            let (model, window) = (&*catalog.plant.models[job.model.0].name, job.spec.name());
            let start = Instant::now();
            let figures = recompute::compute(&historian, &catalog, &job, now()).await;
            telemetry::metric_plan(model, &window, start.elapsed());
            let figures = figures.inspect_err(
                |error| tracing::error!(model, window, %error, "metrics could not be computed; tried again later"),
            );
            let (reply, readable) = oneshot::channel();
            if messages.send(Message::Computed(job, figures.ok(), reply)).await.is_err() {
                return;
            }
            // Parents read what children just stored, so the next job waits for it.
            if readable.await.is_err() {
                return;
            }
        }
        if messages.send(Message::MetricsDone).await.is_err() {
            return;
        }
    }
}
