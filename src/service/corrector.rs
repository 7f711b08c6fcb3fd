//! Works out what a correction of the past changes: transforms over the same time, and where metrics read what changed.
//!
//! Beside the pipeline and in pieces, so that a correction of a month holds up nothing. All of it can be done twice: a crash in
//! between has the correction worked out from its beginning.

use super::{clock::Now, pipeline::Message};
use andon_models::{
    Point, Timestamp,
    catalog::Catalog,
    correction::{Correction, Reached},
    transform::over_history::{OverHistory, Readers},
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
    mut due: mpsc::Receiver<Vec<Correction>>,
    messages: mpsc::Sender<Message>,
    now: Now,
) {
    let readers = Readers::of(&catalog);
    while let Some(corrections) = due.recv().await {
        let work = Work { catalog: &catalog, readers: &readers, historian: &historian, messages: &messages, now: &now };
        let reached = match work.out(&corrections).await {
            Ok(reached) => Some(reached),
            Err(Ended::Stopped) => return,
            Err(Ended::Unreadable(error)) => {
                let cause = corrections.first().map(|first| &*first.cause).unwrap_or_default();
                tracing::error!(cause, %error, "what a correction changes could not be worked out; tried again later");
                None
            }
        };
        if messages.send(Message::Corrected(corrections, reached)).await.is_err() {
            return;
        }
    }
}

/// What corrections are worked out with.
struct Work<'a> {
    catalog: &'a Catalog,
    readers: &'a Readers,
    historian: &'a Historian,
    messages: &'a mpsc::Sender<Message>,
    now: &'a Now,
}

impl Work<'_> {
    /// Computes again the transforms that corrections change, and says where these and they changed something.
    async fn out(&self, corrections: &[Correction]) -> Result<Vec<Reached>, Ended> {
        let (mut reached, mut whole) = (Vec::new(), None);
        for correction in corrections {
            let readers = self.readers.all([correction.series]);
            for span in &correction.spans {
                let next = self.historian.next_time(correction.series, span.start).await?;
                let own = correction.reached(span, next);
                // What goes on until now is followed by live values, which know it already.
                let values = Window { start: span.start, end: own.until.unwrap_or_else(|| (self.now)()) };
                // Late values touched their own windows when they came.
                reached.extend((!correction.late).then_some(own));
                for series in readers.iter().copied() {
                    let until = self.historian.next_time(series, values.end).await?;
                    reached.push(Reached { series, values, until, cause: correction.cause.clone() });
                }
                whole = Some(whole.map_or(values, |whole: Window| whole.hull(values)));
            }
        }
        let wanted = self.readers.all(corrections.iter().map(|correction| correction.series));
        if let Some(whole) = whole.filter(|_| !wanted.is_empty()) {
            self.compute(OverHistory::new(self.catalog, &wanted), whole).await?;
        }
        Ok(reached)
    }

    /// Computes transforms again over a span, both ends included, and has those results stored that are others.
    async fn compute(&self, mut again: OverHistory, span: Window) -> Result<(), Ended> {
        let before = just_before(span.start);
        again.begin(&self.historian.values_before(&again.inputs(), before).await?);
        let mut replay = self.historian.replay(&again.series(), before, MOST_POINTS);
        while let Some(stretch) = replay.next(span.end).await? {
            let changed = again.play(stretch.points);
            for part in changed.chunks(MOST_RESULTS) {
                self.store(part).await?;
            }
        }
        Ok(())
    }

    async fn store(&self, points: &[Point]) -> Result<(), Ended> {
        let (reply, stored) = oneshot::channel();
        self.messages.send(Message::Recomputed(points.to_vec(), reply)).await.map_err(|_| Ended::Stopped)?;
        // One part after the other: what is not on its way to the disk yet waits here, not in the loop.
        stored.await.map_err(|_| Ended::Stopped)
    }
}

fn just_before(time: Timestamp) -> Timestamp {
    time - Duration::from_nanos(1)
}
