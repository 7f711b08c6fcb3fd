//! What happened while the disk took nothing: kept in memory, within bounds, and put before the next record that the disk takes.
//!
//! Detectors go on without a disk. What they did must be in the history afterwards, and what they remember must not be older there
//! than it is.

use andon_models::{Point, event::Event};
use andon_query::Batch;
use std::collections::HashMap;

/// Points kept at most: ten seconds of a plant of ten thousand tags, some 10 MB.
const MAX_POINTS: usize = 100_000;
/// Events kept at most: more than any operator has seen happen, some 20 MB.
const MAX_EVENTS: usize = 10_000;

/// What the disk owes.
#[derive(Default)]
pub struct Unrecorded {
    points: Vec<Point>,
    events: Vec<Event>,
    /// Bounded by the number of detectors and of notices under way.
    keep: HashMap<String, Vec<u8>>,
    lost: usize,
}

impl Unrecorded {
    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.events.is_empty() && self.keep.is_empty()
    }

    /// Puts what is owed before what comes now.
    pub fn join(&mut self, batch: &mut Batch) {
        if self.is_empty() {
            return;
        }
        self.points.append(&mut batch.points);
        self.events.append(&mut batch.events);
        self.keep.extend(std::mem::take(&mut batch.keep));
        batch.points = std::mem::take(&mut self.points);
        batch.events = std::mem::take(&mut self.events);
        batch.keep = std::mem::take(&mut self.keep).into_iter().collect();
    }

    /// Keeps a batch that was refused. Of points and events only the newest stay.
    pub fn keep(&mut self, batch: Batch) {
        self.points = batch.points;
        self.events = batch.events;
        self.keep = batch.keep.into_iter().collect();
        let lost = shorten(&mut self.points, MAX_POINTS) + shorten(&mut self.events, MAX_EVENTS);
        if lost > 0 && self.lost == 0 {
            tracing::error!(
                "the disk has taken nothing for so long that the oldest points and events of this time are given up"
            );
        }
        self.lost = if lost > 0 { self.lost + lost } else { 0 };
    }
}

/// Keeps the newest; says how many were dropped.
fn shorten<T>(items: &mut Vec<T>, most: usize) -> usize {
    let surplus = items.len().saturating_sub(most);
    items.drain(..surplus);
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::good;
    use andon_models::SeriesId;

    fn batch(seconds: std::ops::Range<i64>, document: u8) -> Batch {
        let points = seconds.map(|second| good(SeriesId(1), second, second as f64)).collect();
        Batch { points, keep: vec![("state".into(), vec![document])], ..Batch::default() }
    }

    #[test]
    fn what_is_owed_comes_first_and_the_newest_document_wins() {
        let mut unrecorded = Unrecorded::default();
        unrecorded.keep(batch(0..3, 1));
        let mut next = batch(3..5, 2);
        unrecorded.join(&mut next);
        assert!(unrecorded.is_empty());
        assert_eq!(next.points, batch(0..5, 0).points);
        assert_eq!(next.keep, batch(0..0, 2).keep);
    }

    #[test]
    fn a_disk_that_stays_away_does_not_fill_the_memory() {
        let mut unrecorded = Unrecorded::default();
        let most = i64::try_from(MAX_POINTS).unwrap();
        unrecorded.keep(batch(0..most + 10, 1));
        let mut next = Batch::default();
        unrecorded.join(&mut next);
        assert_eq!(next.points.len(), MAX_POINTS);
        assert_eq!(next.points.last(), batch(most + 9..most + 10, 0).points.last(), "the newest stay");
    }
}
