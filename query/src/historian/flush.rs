//! Turns the buffer into files in the background. In this order, each step durable before the next: names of new streams, files,
//! Delta commits, checkpoint; then queries see files instead of the buffer, and the log forgets. A crash between any two loses and repeats nothing.

use super::{FlushRequest, Inner, checkpoint, delta::Tables, log};
use crate::QueryError;
use std::sync::{Weak, atomic::Ordering};
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// Flushes when asked and when the buffer has grown old, until the historian is gone.
pub async fn run(inner: Weak<Inner>, mut tables: Tables, mut requests: mpsc::Receiver<FlushRequest>) {
    let Some(age) = inner.upgrade().map(|inner| inner.options.flush_age) else { return };
    let mut old = tokio::time::interval_at(tokio::time::Instant::now() + age, age);
    old.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let request = tokio::select! {
            request = requests.recv() => match request {
                Some(request) => request,
                None => return,
            },
            _ = old.tick() => None,
        };
        let Some(inner) = inner.upgrade() else { return };
        let flushed = flush(&inner, &mut tables).await;
        match &flushed {
            Ok(()) => inner.flushes.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(%error, "the buffer could not be written to history; the log keeps it, the next flush tries again");
                inner.flush_failures.fetch_add(1, Ordering::Relaxed)
            }
        };
        if let Some(done) = request {
            // Whoever asked may have gone.
            let _ = done.send(flushed);
        }
    }
}

async fn flush(inner: &Inner, tables: &mut Tables) -> Result<(), QueryError> {
    // After a failed flush its buffer comes first, and what came since then after it.
    if inner.store.is_sealed() {
        flush_one(inner, tables).await?;
    }
    flush_one(inner, tables).await
}

async fn flush_one(inner: &Inner, tables: &mut Tables) -> Result<(), QueryError> {
    let Some(sealed) = inner.seal().await? else { return Ok(()) };
    let (dir, directory) = (inner.options.dir.clone(), inner.directory.clone());
    let saved = tokio::task::spawn_blocking(move || directory.save_streams(&dir)).await;
    saved.map_err(|error| QueryError::Internal(error.to_string()))??;
    tables.commit(&sealed, &inner.directory).await?;
    let (dir, files) = (inner.options.dir.clone(), tables.files());
    let record = sealed.memory.record;
    let saved = tokio::task::spawn_blocking(move || checkpoint::save(&dir, &sealed.memory)).await;
    saved.map_err(|error| QueryError::Internal(error.to_string()))??;
    inner.store.settle(files);
    inner.report_room();
    log::remove_up_to(&inner.options.dir.join("log"), record)
}
