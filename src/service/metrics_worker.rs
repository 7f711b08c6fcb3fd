//! Computes due metrics beside the pipeline: one plan per model and window kind, children before parents. When nothing is due it
//! plays the transforms of a back-fill.

use super::{clock::Now, pipeline::Message, recompute, replayer::Replayer, telemetry};
use andon_models::{
    catalog::Catalog,
    schedule::{Job, Play},
};
use andon_query::Historian;
use std::sync::Arc;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// What is to be computed.
pub enum Work {
    /// Windows of metrics, in this order.
    Metrics(Vec<Job>),
    /// A stretch of values of transforms.
    Transforms(Play),
}

/// Runs until no more jobs can come.
pub async fn run(
    catalog: Arc<Catalog>,
    historian: Historian,
    mut due: mpsc::Receiver<Work>,
    messages: mpsc::Sender<Message>,
    now: Now,
) {
    let mut replayer = Replayer::new(catalog.clone(), historian.clone());
    while let Some(work) = due.recv().await {
        let jobs = match work {
            Work::Metrics(jobs) => jobs,
            Work::Transforms(play) => {
                let played = replayer.play(&play).await;
                let played = played.inspect_err(
                    |error| tracing::error!(number = play.number, %error, "transforms could not be played; tried again later"),
                );
                if messages.send(Message::Replayed(played.map_err(|_| play.number))).await.is_err() {
                    return;
                }
                continue;
            }
        };
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
