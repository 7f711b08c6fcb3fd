//! Closed windows to compute again that are too many to name one by one: from when to when.
//!
//! It holds more windows than were touched, never fewer. Those that were not come out as they were and are not revised, so what
//! there is no room for costs time and no figure.

use super::Assets;
use crate::{
    Timestamp,
    calendar::ShiftCalendar,
    window::{Window, WindowSpec},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// The windows of one kind that end in `(from, to]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backlog {
    from: Timestamp,
    to: Timestamp,
    /// For which assets.
    #[serde(default)]
    pub(super) assets: Assets,
    /// Why the first of them was touched.
    pub(super) cause: Arc<str>,
}

impl Backlog {
    pub(super) fn new(from: Timestamp, to: Timestamp, assets: Assets, cause: Arc<str>) -> Self {
        Self { from, to, assets, cause }
    }

    /// Holds these windows as well. The cause stays.
    pub(super) fn grow(&mut self, from: Timestamp, to: Timestamp, assets: &Assets) {
        (self.from, self.to) = (self.from.min(from), self.to.max(to));
        self.assets = self.assets.join(assets);
    }

    /// Whether it holds everything of these assets that ends in `(from, to]`.
    pub(super) fn covers(&self, from: Timestamp, to: Timestamp, assets: &Assets) -> bool {
        self.from <= from && to <= self.to && self.assets.join(assets) == self.assets
    }

    /// Takes the earliest windows out, so many at most, and no more than cover so much time; one at least.
    pub(super) fn take(&mut self, most: usize, time: Duration, spec: &WindowSpec, calendar: &ShiftCalendar) -> Vec<Window> {
        if most == 0 {
            return Vec::new();
        }
        let mut windows = spec.windows(self.from, self.to, calendar);
        let (all, mut covered) = (windows.len(), Duration::ZERO);
        let fits = windows.iter().take_while(|window| {
            covered += window.span();
            covered <= time
        });
        windows.truncate(fits.count().clamp(1, most));
        self.from = windows.last().filter(|_| windows.len() < all).map_or(self.to, |last| last.end);
        windows
    }

    /// From when to when.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        (self.from, self.to)
    }

    /// Takes out what ends up to an instant. Says whether nothing is left.
    pub(super) fn advance(&mut self, until: Timestamp) -> bool {
        self.from = self.from.max(until);
        self.is_empty()
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.to <= self.from
    }
}
