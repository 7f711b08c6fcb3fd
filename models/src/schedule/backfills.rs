//! Back-fills in the schedule: one after the other, piece by piece, and only when nothing else is due.
//!
//! First the transforms of a back-fill are played over its span, then the windows of its metrics are computed again, children before
//! parents, and at last what read any of it. Nobody is told of a piece before it is computed, so what is taken back stays right:
//! windows that read something changed are computed in any case.

use super::{
    Assets, Documents, Job, Schedule,
    backfill::{BACKFILL_PREFIX, Backfill, BackfillOrder, BackfillState},
    backlog::Backlog,
    order::Feed,
    targets::Targets,
};
use crate::{
    EventId, Point, SeriesId, Timestamp,
    event::{Deed, Event, EventBody},
    window::WindowSpec,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Back-fills that are not over, at most: people ask for them.
const MOST_OPEN: usize = 8;
/// Back-fills that are over and still shown.
const MOST_SHOWN: usize = 20;
/// Windows of one back-fill at most: a month of seconds, or a year of 15 seconds.
const MOST_WINDOWS: u64 = 3_000_000;
/// How often a single window, or a stretch of values, may fail before the back-fill is given up.
const MOST_FAILURES: u32 = 5;

/// All back-fills that are known.
#[derive(Default)]
pub(super) struct Backfills {
    /// By number.
    all: BTreeMap<u32, Backfill>,
    /// What is played of which.
    targets: HashMap<u32, Targets>,
    /// The highest number that was ever given.
    last: u32,
    /// Those whose documents are to be kept with the next record.
    changed: BTreeSet<u32>,
}

/// Which back-fill a job belongs to, and which of its windows are all computed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: u32,
    /// Windows that end up to here.
    pub until: Timestamp,
}

/// A stretch of values to be played through transforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// Of which back-fill.
    pub number: u32,
    /// Where its span begins.
    pub begin: Timestamp,
    /// Values after this instant; all before were played.
    pub after: Timestamp,
    /// Values up to this instant.
    pub until: Timestamp,
    /// Transforms that are computed.
    pub transforms: BTreeSet<SeriesId>,
    /// Transforms that are computed as well if they have no value up to the beginning.
    pub behind: BTreeSet<SeriesId>,
}

/// A stretch that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Of which back-fill.
    pub number: u32,
    /// Values that are new or different.
    pub points: Vec<Point>,
    /// Up to when all was played.
    pub to: Timestamp,
}

/// How a back-fill stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The back-fill.
    pub backfill: Backfill,
    /// Windows, those that are left included.
    pub windows: u64,
}

/// Why something is not done with a back-fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackfillRefusal {
    /// It cannot be done.
    Wrong(String),
    /// Too many are under way.
    Busy,
    /// There is no such back-fill.
    Unknown,
    /// It is over.
    Over,
}

impl Schedule {
    /// Begins to compute something over history, up to what is closed. `history_from` says since when there is history; `whole`
    /// says that older history was forgotten, so that windows that begin before are left as they are.
    ///
    /// # Errors
    /// Why not.
    pub fn backfill(
        &mut self,
        order: BackfillOrder,
        (history_from, whole): (Option<Timestamp>, bool),
        now: Timestamp,
    ) -> Result<(Standing, Documents, Event), BackfillRefusal> {
        if self.backfills.all.values().filter(|known| !known.state.is_over()).count() >= MOST_OPEN {
            return Err(BackfillRefusal::Busy);
        }
        let targets = self.targets(&order.targets).map_err(BackfillRefusal::Wrong)?;
        let number = self.backfills.last + 1;
        let played = if targets.transforms.is_empty() && targets.behind.is_empty() { order.span.end } else { order.span.start };
        let mut backfill = Backfill {
            number,
            targets: order.targets,
            span: order.span,
            by: order.by,
            begun: now,
            ended: None,
            state: BackfillState::Waiting,
            played,
            values: 0,
            windows: 0,
            figures: 0,
            history_from: history_from.filter(|from| *from > order.span.start),
            note: "".into(),
            formulas: targets.formulas.clone(),
            asked: BTreeMap::new(),
            owed: BTreeMap::new(),
            failures: 0,
        };
        if let Some(from) = backfill.history_from {
            backfill.note = format!("there is no history before {from}").into();
        }
        backfill.asked = self.asked(&targets, &backfill, whole);
        let standing = self.standing(&backfill);
        if standing.windows > MOST_WINDOWS {
            let message =
                format!("these are {} windows, more than {MOST_WINDOWS} at once; take a shorter span", standing.windows);
            return Err(BackfillRefusal::Wrong(message));
        }
        self.backfills.last = number;
        self.backfills.targets.insert(number, targets);
        let mut documents = backfill.documents();
        documents.extend(self.backfills.forget());
        let event = event(&backfill, &backfill.by, "backfill", format!("{} was begun", backfill.words()), now);
        self.backfills.all.insert(number, backfill);
        Ok((standing, documents, event))
    }

    /// All that are known, the newest first.
    pub fn backfills(&self) -> Vec<Standing> {
        self.backfills.all.values().rev().map(|backfill| self.standing(backfill)).collect()
    }

    /// Takes one back. What it has computed stays, and what depends on that is computed.
    ///
    /// # Errors
    /// When it is over, or was never begun.
    pub fn cancel_backfill(&mut self, number: u32, by: &Arc<str>) -> Result<Documents, BackfillRefusal> {
        let backfill = self.backfills.all.get_mut(&number).ok_or(BackfillRefusal::Unknown)?;
        if backfill.state.is_over() {
            return Err(BackfillRefusal::Over);
        }
        if backfill.state != BackfillState::Cancelling {
            backfill.cancel();
            backfill.note = format!("{by} took it back").into();
        }
        Ok(backfill.documents())
    }

    /// The next stretch of values to be played; none if something else is due, or nothing is left to play.
    pub fn play(&mut self, now: Timestamp) -> Option<Play> {
        if self.outstanding || now < self.retry_at {
            return None;
        }
        let backfill = self.backfills.next()?;
        let Targets { transforms, behind, .. } = self.backfills.targets.get(&backfill.number)?.clone();
        let Backfill { number, span, played, .. } = *backfill;
        if self.backfills.all[&number].is_played() {
            return None;
        }
        self.run(number);
        self.outstanding = true;
        Some(Play { number, begin: span.start, after: played, until: span.end, transforms, behind })
    }

    /// Takes a stretch that was played. The documents go into the record of its points.
    pub fn played(&mut self, played: &Played) -> Documents {
        self.outstanding = false;
        let Some(mut backfill) = self.backfills.all.remove(&played.number) else { return Documents::new() };
        self.owe(&mut backfill, &played.points, None);
        backfill.played = backfill.played.max(played.to);
        backfill.values += played.points.len() as u64;
        backfill.failures = 0;
        let documents = backfill.documents();
        self.backfills.all.insert(played.number, backfill);
        documents
    }

    /// A stretch could not be played; it is tried again a while later.
    pub fn play_failed(&mut self, number: u32, now: Timestamp) {
        self.outstanding = false;
        self.retry_at = now + super::RETRY;
        self.fill_failed(Part { number, until: now }, true, now);
    }

    /// What is over now: documents and events for the next record.
    pub fn end_backfills(&mut self, now: Timestamp) -> (Documents, Vec<Event>) {
        if self.outstanding {
            return (Documents::new(), Vec::new());
        }
        let (mut documents, mut events) = (Documents::new(), Vec::new());
        for backfill in self.backfills.all.values_mut() {
            let given_up = backfill.state == BackfillState::Failed && backfill.ended.is_none();
            let complete = !backfill.state.is_over() && backfill.is_played() && !backfill.has_windows();
            if given_up || complete {
                backfill.state = match backfill.state {
                    BackfillState::Failed => BackfillState::Failed,
                    BackfillState::Cancelling => BackfillState::Cancelled,
                    _ => BackfillState::Done,
                };
                backfill.ended = Some(now);
                self.backfills.targets.remove(&backfill.number);
                self.backfills.changed.remove(&backfill.number);
                documents.push(backfill.document());
                events.push(event(backfill, &backfill.by, "end_backfill", ending(backfill), now));
            }
        }
        for number in std::mem::take(&mut self.backfills.changed) {
            documents.extend(self.backfills.all.get(&number).map(Backfill::document));
        }
        (documents, events)
    }

    /// The next windows of a back-fill.
    pub(super) fn fill(&mut self, now: Timestamp) -> Option<Job> {
        if now < self.retry_at {
            return None;
        }
        let number = self.backfills.next().filter(|backfill| backfill.is_played())?.number;
        let mut backfill = self.backfills.all.remove(&number)?;
        let job = (0..self.order.len()).find_map(|entry| self.piece(&mut backfill, entry));
        // Names of models and kinds that are gone.
        if job.is_none() {
            backfill.asked.clear();
            backfill.owed.clear();
        }
        self.backfills.all.insert(number, backfill);
        let job = job?;
        self.run(number);
        self.outstanding = true;
        let windows = job.revised.iter().map(|(window, touched)| (*window, Some(touched.clone()))).collect();
        self.under_way.insert(job.entry, windows);
        Some(job)
    }

    fn piece(&self, backfill: &mut Backfill, entry: usize) -> Option<Job> {
        let (model, spec) = self.order[entry].clone();
        let assets = self.catalog.plant.assets_of(model).count();
        let name = self.name_of(entry);
        let touched = backfill.touched(&name);
        let (windows, until) = backfill.next(&name, &spec, (assets, self.room), &self.catalog.plant.calendar)?;
        let revised = windows.iter().map(|window| (*window, touched.clone())).collect();
        let backfill = Some(Part { number: backfill.number, until });
        Some(Job { model, spec, windows, revised, tails: Vec::new(), backfill, entry })
    }

    /// Takes figures of a back-fill.
    pub(super) fn filled(&mut self, job: &Job, part: Part, figures: &[Point]) -> Documents {
        let Some(mut backfill) = self.backfills.all.remove(&part.number) else { return Documents::new() };
        self.owe(&mut backfill, figures, Some(job.entry));
        backfill.advance(&self.name_of(job.entry), part.until);
        backfill.windows += job.windows.len() as u64;
        backfill.figures += figures.len() as u64;
        backfill.failures = 0;
        let documents = backfill.documents();
        self.backfills.all.insert(part.number, backfill);
        documents
    }

    /// A piece could not be computed. One that cannot be made smaller is tried a few times.
    pub(super) fn fill_failed(&mut self, part: Part, is_smallest: bool, now: Timestamp) {
        let Some(backfill) = self.backfills.all.get_mut(&part.number) else { return };
        backfill.failures += u32::from(is_smallest);
        if backfill.failures < MOST_FAILURES {
            return;
        }
        backfill.state = BackfillState::Failed;
        backfill.note = format!("it could not be computed, tried {MOST_FAILURES} times until {now}; the log says why").into();
        backfill.asked.clear();
        let (owed, cause) = (std::mem::take(&mut backfill.owed), backfill.cause());
        // Others depend on what was changed: that is owed as after late data.
        for entry in 0..self.order.len() {
            if let Some(owed) = owed.get(&self.name_of(entry)) {
                let (from, to) = owed.span();
                let feed = Feed { entry, carried: true, assets: owed.assets.clone() };
                self.postpone(&feed, from, to, &cause);
            }
        }
    }

    /// Has everything computed that reads changed values, but what was computed with them.
    fn owe(&self, backfill: &mut Backfill, changed: &[Point], but: Option<usize>) {
        let calendar = &self.catalog.plant.calendar;
        let mut spans: BTreeMap<(usize, SeriesId), (Timestamp, Timestamp, &Assets)> = BTreeMap::new();
        for Point { series, tqv } in changed {
            for feed in self.feeds.get(series).into_iter().flat_map(|feeds| feeds.iter()).filter(|feed| Some(feed.entry) != but)
            {
                let spec = &self.order[feed.entry].1;
                let closed = self.closed[spec];
                let window = spec.window_of(tqv.time, calendar);
                // A value that holds on may hold up to the end: windows that do not change come out the same.
                let end = match (feed.carried, window) {
                    (false, Some(window)) => window.end,
                    _ => closed,
                };
                let start = window.map_or(tqv.time, |window| window.start);
                if start < closed {
                    let end = end.min(closed);
                    let span = spans.entry((feed.entry, *series)).or_insert((start, end, &feed.assets));
                    (span.0, span.1) = (span.0.min(start), span.1.max(end));
                }
            }
        }
        for ((entry, _), (from, to, assets)) in spans {
            backfill.owe(&self.name_of(entry), (from, to), assets);
        }
    }

    /// Takes up what an earlier run left.
    pub(super) fn restore_backfills(&mut self, kept: &HashMap<String, Vec<u8>>) {
        for (_, document) in kept.iter().filter(|(key, _)| key.starts_with(BACKFILL_PREFIX)) {
            let Ok(mut backfill) = serde_json::from_slice::<Backfill>(document) else { continue };
            let number = backfill.number;
            self.backfills.last = self.backfills.last.max(number);
            if !backfill.state.is_over() {
                match self.targets(&backfill.targets) {
                    Ok(targets) => {
                        if backfill.state != BackfillState::Cancelling && targets.formulas != backfill.formulas {
                            self.renew(&mut backfill, &targets);
                        }
                        self.backfills.targets.insert(number, targets);
                    }
                    Err(reason) => {
                        backfill.cancel();
                        backfill.note = format!("it was ended by another definition: {reason}").into();
                        self.backfills.changed.insert(number);
                    }
                }
            }
            self.backfills.all.insert(number, backfill);
        }
    }

    /// Begins it anew: what was computed may not be what is computed now.
    fn renew(&mut self, backfill: &mut Backfill, targets: &Targets) {
        let nothing = targets.transforms.is_empty() && targets.behind.is_empty();
        backfill.played = if nothing { backfill.span.end } else { backfill.span.start };
        backfill.asked = self.asked(targets, backfill, false);
        backfill.formulas.clone_from(&targets.formulas);
        backfill.note = "it began anew with another definition".into();
        self.backfills.changed.insert(backfill.number);
    }

    /// The closed windows of what was named.
    fn asked(&self, targets: &Targets, backfill: &Backfill, whole: bool) -> BTreeMap<String, Backlog> {
        let calendar = &self.catalog.plant.calendar;
        let asked = targets.entries.iter().map(|entry| {
            let spec = &self.order[*entry].1;
            let from = match backfill.history_from {
                Some(from) if whole => spec.window_of(from, calendar).map_or(from, |window| window.end),
                Some(from) => from,
                None => backfill.span.start,
            };
            let to = backfill.span.end.min(self.closed[spec]);
            (self.name_of(*entry), Backlog::new(from, to, Assets::ALL, "".into()))
        });
        asked.filter(|(_, backlog)| !backlog.is_empty()).collect()
    }

    fn targets(&self, named: &[Arc<str>]) -> Result<Targets, String> {
        Targets::find(&self.catalog, &self.order, named, |entries| {
            let reads = |feeds: &[Feed]| feeds.iter().any(|feed| entries.contains(&feed.entry));
            self.feeds.iter().filter(|(_, feeds)| reads(feeds)).map(|(series, _)| *series).collect()
        })
    }

    fn standing(&self, backfill: &Backfill) -> Standing {
        let spec_of = |name: &str| -> Option<WindowSpec> {
            let entry = (0..self.order.len()).find(|entry| self.name_of(*entry) == name)?;
            Some(self.order[entry].1.clone())
        };
        let left = backfill.left(spec_of, &self.catalog.plant.calendar);
        Standing { windows: backfill.windows + left, backfill: backfill.clone() }
    }

    fn run(&mut self, number: u32) {
        if let Some(backfill) = self.backfills.all.get_mut(&number).filter(|known| known.state == BackfillState::Waiting) {
            backfill.state = BackfillState::Running;
        }
    }

    fn name_of(&self, entry: usize) -> String {
        let (model, spec) = &self.order[entry];
        format!("{}/{spec}", self.catalog.plant.models[model.0].name)
    }
}

impl Backfills {
    /// The one whose turn it is.
    fn next(&self) -> Option<&Backfill> {
        self.all.values().find(|backfill| !backfill.state.is_over())
    }

    /// Forgets the oldest of those that are over, when there are many.
    fn forget(&mut self) -> Documents {
        let over: Vec<u32> = self.all.values().filter(|known| known.state.is_over()).map(|known| known.number).collect();
        let many = over.len().saturating_sub(MOST_SHOWN);
        let forgotten = over[..many].iter().filter_map(|number| self.all.remove(number));
        forgotten.map(|backfill| (backfill.key(), Vec::new())).collect()
    }
}

/// How it ended, in words.
fn ending(backfill: &Backfill) -> String {
    let Backfill { state, values, windows, figures, note, .. } = backfill;
    let how = match state {
        BackfillState::Cancelled => "was cancelled",
        BackfillState::Failed => "failed",
        _ => "is done",
    };
    let values = if *values == 0 { String::new() } else { format!("{values} values of transforms and ") };
    let note = if note.is_empty() { String::new() } else { format!("; {note}") };
    format!("{} {how}: {windows} windows computed, {values}{figures} figures were new or changed{note}", backfill.words())
}

fn event(backfill: &Backfill, by: &Arc<str>, verb: &str, detail: String, now: Timestamp) -> Event {
    Event {
        id: EventId::from_name(&format!("{verb}/{}/{now}", backfill.number)),
        time: now,
        asset: None,
        asset_path: "".into(),
        detector: "".into(),
        body: EventBody::Deed(Deed { by: by.clone(), verb: verb.into(), detail: detail.into(), hour: None }),
    }
}
