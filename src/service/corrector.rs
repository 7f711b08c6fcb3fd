//! Works out what a correction of the past changes: transforms over the same time, and where metrics read what changed.
//!
//! Beside the pipeline and in pieces, so that a correction of a month holds up nothing. All of it can be done twice: a crash in
//! between has the correction worked out from its beginning.

use super::{clock::Now, pipeline::Message};
use andon_models::{
    Point, Timestamp,
    catalog::Catalog,
    correction::{Correction, Reached},
    transform::Again,
    window::Window,
};
use andon_query::{Historian, QueryError};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Values that are read at a time: with those being sorted, some 25 MB.
const MOST_POINTS: usize = 200_000;
/// Results in one record at most: as many as the pipeline takes from collectors at once.
const MOST_RESULTS: usize = 20_000;

/// Why a correction is not worked out.
enum Ended {
    /// History cannot be read.
    Unreadable(QueryError),
    /// The pipeline has gone.
    Stopped,
}

impl From<QueryError> for Ended {
    fn from(error: QueryError) -> Self {
        Self::Unreadable(error)
    }
}

/// Runs until no more corrections can come.
pub async fn run(
    catalog: Arc<Catalog>,
    historian: Historian,
    mut due: mpsc::Receiver<Correction>,
    messages: mpsc::Sender<Message>,
    now: Now,
) {
    while let Some(correction) = due.recv().await {
        let reached = match work_out(&catalog, &historian, &correction, &messages, &now).await {
            Ok(reached) => Some(reached),
            Err(Ended::Stopped) => return,
            Err(Ended::Unreadable(error)) => {
                let cause = &*correction.cause;
                tracing::error!(cause, %error, "what a correction changes could not be worked out; tried again later");
                None
            }
        };
        if messages.send(Message::Corrected(correction, reached)).await.is_err() {
            return;
        }
    }
}

/// Computes again the transforms that a correction changes, and says where it and they changed something.
async fn work_out(
    catalog: &Catalog,
    historian: &Historian,
    correction: &Correction,
    messages: &mpsc::Sender<Message>,
    now: &Now,
) -> Result<Vec<Reached>, Ended> {
    let again = Again::of(catalog, correction.series);
    let mut reached = Vec::new();
    for span in &correction.spans {
        let next = historian.next_time(correction.series, span.start).await?;
        let own = correction.reached(span, next);
        // What goes on until now is followed by live values, which know it already.
        let end = own.until.unwrap_or_else(|| now());
        reached.push(own);
        let Some(again) = &again else { continue };
        let span = Window { start: span.start, end };
        compute(historian, again.clone(), span, messages).await?;
        for series in again.outputs() {
            let until = historian.next_time(series, end).await?;
            reached.push(Reached { series, values: span, until });
        }
    }
    Ok(reached)
}

/// Computes transforms again over a span, both ends included, and has those results stored that are others.
async fn compute(historian: &Historian, mut again: Again, span: Window, messages: &mpsc::Sender<Message>) -> Result<(), Ended> {
    let (reads, before) = (again.reads(), just_before(span.start));
    again.begin(&historian.values_before(&reads, before).await?);
    let mut replay = historian.replay(&reads, before, MOST_POINTS);
    while let Some(stretch) = replay.next(span.end).await? {
        let changed = again.take(stretch.points);
        for part in changed.chunks(MOST_RESULTS) {
            store(part, messages).await?;
        }
    }
    Ok(())
}

async fn store(points: &[Point], messages: &mpsc::Sender<Message>) -> Result<(), Ended> {
    let (reply, stored) = oneshot::channel();
    messages.send(Message::Recomputed(points.to_vec(), reply)).await.map_err(|_| Ended::Stopped)?;
    // One part after the other: what is not on its way to the disk yet waits here, not in the loop.
    stored.await.map_err(|_| Ended::Stopped)
}

fn just_before(time: Timestamp) -> Timestamp {
    time - Duration::from_nanos(1)
}
