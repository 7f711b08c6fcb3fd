//! What of a back-test is listed on a page: the first events, and where instances were.

use super::super::{Played, words};
use andon_dashboards::{BacktestEvent, BacktestSide};
use andon_models::{
    Timestamp,
    event::{Event, EventBody},
    window::Window,
};
use std::{collections::BTreeMap, sync::Arc};

/// Events that are listed: what a person scrolls through.
const MOST_EVENTS: usize = 2_000;

/// Instances whose states are shown.
const MOST_STRIPS: usize = 50;

/// Moves of a strip; more is one grey block anyway.
const MOST_MOVES: usize = 500;

/// When it moved to which state, and whether later moves are left out.
type Moves = (Vec<(Timestamp, Arc<str>)>, bool);

/// What is listed of one side.
pub struct Listed {
    window: Window,
    events: Vec<BacktestEvent>,
    truncated: bool,
    /// Moves by asset, and whether there were more.
    strips: BTreeMap<Arc<str>, Moves>,
}

/// An event in short.
pub fn in_short(event: &Event) -> BacktestEvent {
    let text = words(event).unwrap_or_default();
    let mut short = BacktestEvent::new(event.time, event.asset_path.clone(), event.body.kind(), text);
    match &event.body {
        EventBody::Transition(moved) => {
            (short.from, short.to) = (Some(moved.from.to_string()), Some(moved.to.to_string()));
        }
        EventBody::Alarm(change) => {
            (short.from, short.to) = (Some(change.from.name().to_owned()), Some(change.state.name().to_owned()));
            short.verb = Some(change.verb.name().to_owned());
        }
        _ => {}
    }
    short
}

impl Listed {
    /// Nothing yet.
    pub fn new(window: Window) -> Self {
        Self { window, events: Vec::new(), truncated: false, strips: BTreeMap::new() }
    }

    /// Takes the next event, in order of time.
    pub fn add(&mut self, event: BacktestEvent) {
        if let Some(to) = event.to.as_deref().filter(|_| event.kind == "transition") {
            let many = self.strips.len();
            let strip = match self.strips.get_mut(&event.asset) {
                Some(strip) => Some(strip),
                None if many < MOST_STRIPS => Some(self.strips.entry(event.asset.clone()).or_default()),
                None => None,
            };
            match strip {
                Some((moves, _)) if moves.len() < MOST_MOVES => moves.push((event.time(), to.into())),
                Some((_, more)) => *more = true,
                None => {}
            }
        }
        if self.events.len() < MOST_EVENTS { self.events.push(event) } else { self.truncated = true }
    }

    /// Puts it on the page, with the counts.
    pub fn put(self, side: &mut BacktestSide, played: &Played) {
        side.samples = played.points;
        side.transitions = played.moves as u64;
        side.raised = played.raised as u64;
        side.cleared = played.cleared as u64;
        side.notifications = played.notices as u64;
        side.commands = played.commands as u64;
        side.refused = played.refused as u64;
        side.failures = played.failures;
        (side.events, side.truncated) = (self.events, self.truncated);
        for (asset, (moves, more)) in self.strips {
            side.add_strip(asset, &moves, more, self.window);
        }
    }
}
