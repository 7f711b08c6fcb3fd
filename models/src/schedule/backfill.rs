//! A back-fill: metrics and transforms computed over a span of history, as they are defined now. What was asked for, how far it is,
//! and what follows from what it changed. Kept as a document, so a restart goes on.

use super::{Assets, Documents, Touched, backlog::Backlog};
use crate::{Timestamp, calendar::ShiftCalendar, window::Window, window::WindowSpec};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Prefix of the keys of kept documents that hold a back-fill each.
pub(super) const BACKFILL_PREFIX: &str = "backfill/";

/// What a piece of work covers, counted as the time of all assets together: live windows wait for one piece at most, so it is done
/// in about a second where each asset has a few values a second.
const PIECE: Duration = Duration::from_secs(96 * 3_600);

/// Windows of a piece at most.
const MOST_WINDOWS: usize = 512;

/// How a back-fill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// Another one is before it.
    Waiting,
    /// It goes on.
    Running,
    /// It was taken back; what follows from what it changed is still computed.
    Cancelling,
    /// All was computed.
    Done,
    /// It was taken back; what it had computed stays.
    Cancelled,
    /// It could not be brought to its end.
    Failed,
}

impl BackfillState {
    /// Whether nothing more comes.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

/// What is to be computed over history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillOrder {
    /// `filler`, `filler.temp_avg`: models, their metrics and their transforms.
    pub targets: Vec<Arc<str>>,
    /// Windows that end in it, values that lie in it.
    pub span: Window,
    /// Who wants it.
    pub by: Arc<str>,
}

/// A back-fill, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backfill {
    /// Its number; the next one has a larger one.
    pub number: u32,
    /// What is computed: models, metrics, transforms.
    pub targets: Vec<Arc<str>>,
    /// Over which time.
    pub span: Window,
    /// Who asked for it.
    pub by: Arc<str>,
    /// When.
    pub begun: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub state: BackfillState,
    /// Up to when transforms are computed; the end of the span when there are none.
    pub played: Timestamp,
    /// Values of transforms that were not there or were different.
    pub values: u64,
    /// Windows that were computed, those of what depends on the targets included.
    pub windows: u64,
    /// Figures that were not there or were different.
    pub figures: u64,
    /// Since when there is history, where that is not all of the span.
    #[serde(default)]
    pub history_from: Option<Timestamp>,
    /// Why it failed, or what has to be known of it; empty if nothing has.
    #[serde(default)]
    pub note: Arc<str>,
    /// Names the formulas, so that a change on the way is seen.
    pub(super) formulas: String,
    /// What is left of what was asked for, by model and kind.
    pub(super) asked: BTreeMap<String, Backlog>,
    /// What read something that was changed, by model and kind.
    pub(super) owed: BTreeMap<String, Backlog>,
    /// Pieces that failed, one after the other.
    #[serde(skip)]
    pub(super) failures: u32,
}

impl Backfill {
    /// Why figures of it changed.
    pub fn cause(&self) -> Arc<str> {
        format!("back-fill {} of {} ({})", self.number, self.targets.join(", "), self.by).into()
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        format!("back-fill {} of {} from {} to {}", self.number, self.targets.join(", "), self.span.start, self.span.end)
    }

    /// Whether all its transforms are computed, or none of the rest is wanted.
    pub(super) fn is_played(&self) -> bool {
        self.state == BackfillState::Cancelling || self.played >= self.span.end
    }

    /// Whether windows of a model and kind are left.
    pub(super) fn has_windows(&self) -> bool {
        !self.asked.is_empty() || !self.owed.is_empty()
    }

    /// Takes back what nothing depends on.
    pub(super) fn cancel(&mut self) {
        self.state = BackfillState::Cancelling;
        self.asked.clear();
    }

    /// Has windows of assets computed that read something that changed.
    pub(super) fn owe(&mut self, name: &str, (from, to): (Timestamp, Timestamp), assets: &Assets) {
        match self.owed.get_mut(name) {
            Some(owed) => owed.grow(from, to, assets),
            None => drop(self.owed.insert(name.to_owned(), Backlog::new(from, to, assets.clone(), "".into()))),
        }
    }

    /// For whom windows of a model and kind are computed, and why.
    pub(super) fn touched(&self, name: &str) -> Touched {
        let left = self.asked.get(name).into_iter().chain(self.owed.get(name)).map(|backlog| backlog.assets.clone());
        let assets = left.reduce(|one, other| one.join(&other)).unwrap_or_default();
        Touched::new(&assets, &self.cause())
    }

    /// The next windows of a model and kind for so many assets, and up to where these are all; none when nothing is left of them.
    pub(super) fn next(
        &mut self,
        name: &str,
        spec: &WindowSpec,
        (assets, room): (usize, usize),
        calendar: &ShiftCalendar,
    ) -> Option<(Vec<Window>, Timestamp)> {
        let (asked, owed) = (self.asked.get(name), self.owed.get(name));
        let (from, to) =
            asked.into_iter().chain(owed).map(Backlog::span).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        let mut piece = PIECE / u32::try_from(assets.max(1)).unwrap_or(u32::MAX);
        loop {
            let until = to.min(from + piece);
            let mut windows = spec.windows(from, until, calendar);
            if windows.len() > room.min(MOST_WINDOWS) {
                windows.truncate(room.min(MOST_WINDOWS));
                return windows.last().map(|last| last.end).map(|end| (windows, end));
            }
            if !windows.is_empty() {
                return Some((windows, until));
            }
            if until == to {
                self.advance(name, to);
                return None;
            }
            // A single window is longer than a piece.
            piece = piece.saturating_mul(4).max(Duration::from_secs(1));
        }
    }

    /// All windows of a model and kind that end up to here are computed.
    pub(super) fn advance(&mut self, name: &str, until: Timestamp) {
        for left in [&mut self.asked, &mut self.owed] {
            if left.get_mut(name).is_some_and(|backlog| backlog.advance(until)) {
                left.remove(name);
            }
        }
    }

    /// How many windows are left, by what is known now; what changes on the way may add some.
    pub(super) fn left(&self, spec_of: impl Fn(&str) -> Option<WindowSpec>, calendar: &ShiftCalendar) -> u64 {
        let names = self.asked.keys().chain(self.owed.keys().filter(|name| !self.asked.contains_key(*name)));
        let count = |name: &String| {
            let spans = self.asked.get(name).into_iter().chain(self.owed.get(name)).map(Backlog::span);
            let (from, to) = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
            Some(spec_of(name)?.count(from, to, calendar))
        };
        names.filter_map(count).sum()
    }

    pub(super) fn key(&self) -> String {
        format!("{BACKFILL_PREFIX}{}", self.number)
    }

    /// As it is kept.
    pub(super) fn document(&self) -> (String, Vec<u8>) {
        (self.key(), serde_json::to_vec(self).expect("names, times and numbers are plain data"))
    }

    /// As documents.
    pub(super) fn documents(&self) -> Documents {
        vec![self.document()]
    }
}
