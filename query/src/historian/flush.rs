//! Turns the buffer into files in the background. In this order, each step durable before the next: names of new streams, files,
//! Delta commits, checkpoint; then queries see files instead of the buffer, and the log forgets. A crash between any two loses and repeats nothing.

use super::{FlushRequest, Inner, checkpoint, delta::Tables, log};
use crate::QueryError;
use std::{
    sync::{Weak, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

/// Flushes when asked and when the buffer has grown old, until the historian is gone.
pub async fn run(inner: Weak<Inner>, mut tables: Tables, mut requests: mpsc::Receiver<FlushRequest>) {
    let Some(age) = inner.upgrade().map(|inner| inner.options.flush_age) else { return };
    let mut old = tokio::time::interval_at(Instant::now() + age, age);
    old.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut patience = Patience::default();
    loop {
        let request = tokio::select! {
            () = patience.over() => None,
            request = requests.recv() => match request {
                Some(request) => request,
                None => return,
            },
            _ = old.tick() => None,
        };
        let Some(inner) = inner.upgrade() else { return };
        if request.is_none() && patience.is_waiting() {
            continue;
        }
        let flushed = flush(&inner, &mut tables).await;
        match &flushed {
            Ok(()) => {
                patience = Patience::default();
                inner.report_flush(None);
                inner.flushes.fetch_add(1, Ordering::Relaxed)
            }
            Err(error) => {
                patience.longer();
                inner.report_flush(Some(error));
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

/// How long a failing disk is left alone: each time twice as long. Whoever asks for a flush gets one all the same.
#[derive(Default)]
struct Patience {
    span: Duration,
    until: Option<Instant>,
}

const FIRST_PATIENCE: Duration = Duration::from_millis(500);
/// A disk that is cleared should be noticed while the person who did it still looks.
const MAX_PATIENCE: Duration = Duration::from_secs(4);

impl Patience {
    fn longer(&mut self) {
        self.span = (self.span * 2).clamp(FIRST_PATIENCE, MAX_PATIENCE);
        self.until = Some(Instant::now() + self.span);
    }

    fn is_waiting(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Ends when it is time to try again; never when nothing has failed.
    async fn over(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
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
