//! When metrics are computed: windows that closed, and closed windows that late data touched. Pure; the clock comes in.
//!
//! Nothing that is due is forgotten: up to where windows are closed is kept when their figures are stored, and a closed window that
//! is touched is kept in the very record of the data that touched it. A restart goes on from there.

mod backfill;
mod backfills;
mod backlog;
mod corrected;
mod order;
pub mod revisions;
mod targets;
#[cfg(test)]
mod tests;
mod touched;

pub use backfill::{Backfill, BackfillOrder, BackfillState};
pub use backfills::{BackfillRefusal, Part, Play, Played, Standing};
pub use touched::{Assets, Touched};

use self::{
    backfills::Backfills,
    backlog::Backlog,
    order::{Feed, feeds, order},
};
use crate::{
    Point, SeriesId, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::ModelIndex,
    oee::{STOP_EDITS, edits::StopEdit},
    window::{MAX_WINDOWS, Window, WindowSpec},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

/// How long after its end a window waits for samples still on their way. Later ones recompute it.
pub const GRACE: Duration = Duration::from_secs(2);
/// Windows computed in one plan at most; more wait for the next round. Bounds memory of a plan.
const MAX_WINDOWS_PER_JOB: usize = 4_096;
/// What touched windows of one plan cover at most, counted as the time of all assets together, so that what it reads fits into memory:
/// ten million values where each asset has three a second.
const MOST_TIME: Duration = Duration::from_secs(1_000 * 3_600);
/// Touched windows remembered one by one, a few megabytes; beyond it from when to when they are, and all between are computed again.
const MAX_TOUCHED: usize = 50_000;
/// How long touched windows wait after a plan failed, so that a broken disk is not asked ten times a second.
const RETRY: Duration = Duration::from_secs(60);

/// Key of the kept document that says up to where windows are closed.
pub const CLOSED_KEY: &str = "schedule/closed";
/// Prefix of the keys of kept documents that name a touched window each.
const TOUCHED_PREFIX: &str = "schedule/touched/";
/// Prefix of the keys of kept documents that say of a model and kind from when to when its windows are touched.
const BACKLOG_PREFIX: &str = "schedule/backlog/";
/// Prefix of the keys of kept documents that name a series each whose late values may reach into later windows.
const TAIL_PREFIX: &str = "schedule/tail/";
/// How long no further late values came before it is looked how far they reach and what they touched is computed: while an outage is
/// filled they come in pieces, and each reaches only to the next.
const QUIET: Duration = Duration::from_secs(1);
/// How long that waits while more of them come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Documents to be kept with a record: a key and its document each, an empty one forgets the key.
pub type Documents = Vec<(String, Vec<u8>)>;

/// One thing to compute: all metrics of one model in these windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The model.
    pub model: ModelIndex,
    /// Which of its metrics.
    pub spec: WindowSpec,
    /// Which windows, in time order.
    pub windows: Vec<Window>,
    /// Those of them that were computed before: for which assets they are computed again, and why.
    pub revised: BTreeMap<Window, Touched>,
    /// Late values that hold until the next one of their series: [`Schedule::reach`] is told when that is.
    pub tails: Vec<(SeriesId, Timestamp)>,
    /// The back-fill it belongs to; none for what is due by itself.
    pub backfill: Option<Part>,
    /// Its place in the order.
    entry: usize,
}

/// Windows by the place of their model and kind in the order, with why they are computed again if they were before.
type Windows = BTreeMap<usize, BTreeMap<Window, Option<Touched>>>;

/// A touched window as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptWindow {
    #[serde(flatten)]
    window: Window,
    #[serde(flatten)]
    touched: Touched,
}

/// A late value that holds until the next one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Tail {
    /// The start of the window it lies in.
    start: Timestamp,
    /// Its time.
    late: Timestamp,
}

/// Says when which metrics are due.
pub struct Schedule {
    catalog: Arc<Catalog>,
    /// Model and window kinds in the order they must be computed: children before parents.
    order: Vec<(ModelIndex, WindowSpec)>,
    /// Up to where each window kind is closed.
    closed: HashMap<WindowSpec, Timestamp>,
    /// The latest of these: what is newer is not late for any of them.
    latest_closed: Timestamp,
    /// Which entries of `order` each series feeds.
    feeds: HashMap<SeriesId, Arc<[Feed]>>,
    /// Closed windows whose figures do not hold any more.
    touched: Windows,
    /// Those there was no room for, by the place of their model and kind in the order.
    backlog: BTreeMap<usize, Backlog>,
    /// Which of these have grown since their documents were handed out.
    grown: BTreeSet<usize>,
    /// Windows handed out and not computed yet.
    under_way: Windows,
    /// Late values whose reach is not known yet: of each series the last one of a window, by the end of that window; and where no
    /// late one follows in the next window, for that is as far as it could reach.
    tails: BTreeMap<(SeriesId, Timestamp), Tail>,
    /// Whether it was asked last how far late values reach: the windows that they touched come next.
    asked: bool,
    /// Whether something was handed out and not settled yet.
    outstanding: bool,
    /// Keys of touched windows that a restart would find.
    kept: BTreeSet<String>,
    /// Touched windows wait until then.
    retry_at: Timestamp,
    /// Whether late values came since the last question.
    stirred: bool,
    /// When the late values came of which nothing is handed out: the first and the last of them.
    came: Option<Window>,
    /// Windows a plan takes now: fewer after one that failed, which may have been too large for its memory.
    room: usize,
    /// Whether a plan failed since everything was settled last.
    failed: bool,
    /// What is computed over history when nothing else is due.
    backfills: Backfills,
}

impl Schedule {
    /// A schedule that goes on where an earlier run stopped, by its kept documents. Window kinds these do not know count as closed
    /// up to `from`. None counts as closed beyond `now`: a clock that was once ahead must not stop metrics for good.
    pub fn new(catalog: Arc<Catalog>, from: Timestamp, now: Timestamp, kept: &HashMap<String, Vec<u8>>) -> Self {
        let order = order(&catalog);
        let document = kept.get(CLOSED_KEY).and_then(|document| serde_json::from_slice(document).ok());
        let borders: HashMap<String, Timestamp> = document.unwrap_or_default();
        let border = |spec: &WindowSpec| borders.get(&spec.name()).map_or(from, |border| now.min(*border));
        let closed: HashMap<_, _> = order.iter().map(|(_, spec)| (spec.clone(), border(spec))).collect();
        let touched = kept.iter().filter(|(key, _)| key.starts_with(TOUCHED_PREFIX));
        let tails = kept.iter().filter(|(key, _)| key.starts_with(TAIL_PREFIX));
        let backlog = kept.iter().filter(|(key, _)| key.starts_with(BACKLOG_PREFIX));
        let tail = |(key, document): (&String, &Vec<u8>)| {
            let (series, end) = key.strip_prefix(TAIL_PREFIX)?.split_once('/')?;
            let place = (SeriesId(series.parse().ok()?), Timestamp::from_nanos(end.parse().ok()?));
            Some((place, serde_json::from_slice(document).ok()?))
        };
        let mut schedule = Self {
            latest_closed: closed.values().copied().max().unwrap_or(from),
            feeds: feeds(&catalog, &order),
            touched: Windows::new(),
            under_way: Windows::new(),
            outstanding: false,
            kept: touched.clone().chain(tails.clone()).chain(backlog.clone()).map(|(key, _)| key.clone()).collect(),
            tails: tails.filter_map(tail).collect(),
            asked: false,
            backlog: BTreeMap::new(),
            grown: BTreeSet::new(),
            retry_at: Timestamp::MIN,
            stirred: false,
            came: None,
            room: MAX_WINDOWS_PER_JOB,
            failed: false,
            backfills: Backfills::default(),
            catalog,
            order,
            closed,
        };
        for (key, document) in touched {
            let Ok(KeptWindow { window, touched }) = serde_json::from_slice(document) else { continue };
            // A key that names nothing any more is forgotten when the next figures are stored.
            if let Some(entry) = (0..schedule.order.len()).find(|entry| schedule.key(*entry, &window) == *key) {
                schedule.touched.entry(entry).or_default().insert(window, Some(touched));
            }
        }
        for (key, document) in backlog {
            let Ok(backlog) = serde_json::from_slice(document) else { continue };
            if let Some(entry) = (0..schedule.order.len()).find(|entry| schedule.backlog_key(*entry) == *key) {
                schedule.backlog.insert(entry, backlog);
            }
        }
        schedule.restore_backfills(kept);
        schedule
    }

    /// Notes samples that belong to windows already closed. The documents go into the record of these samples.
    pub fn observe(&mut self, points: &[Point]) -> Documents {
        self.touch(points, None, |_, _, _| true)
    }

    /// Takes computed figures. They touch closed windows that read them, but for those that will see them anyway: their own, which
    /// were computed together, and those whose turn comes later.
    pub fn computed(&mut self, job: &Job, figures: &[Point]) -> Documents {
        self.under_way.remove(&job.entry);
        if let Some(part) = job.backfill {
            return self.filled(job, part, figures);
        }
        let waits = |under_way: &Windows, feed: &Feed, window: &Window| {
            let waiting = under_way.get(&feed.entry).and_then(|windows| windows.get(window));
            waiting.is_some_and(|touched| touched.as_ref().is_none_or(|touched| touched.covers(&feed.assets)))
        };
        self.touch(figures, Some(job), |under_way, feed, window| feed.entry != job.entry && !waits(under_way, feed, window))
    }

    /// Takes how far late values of a series reach: to the next value of the series, none when there is none. They touch all closed
    /// windows up to there that carry them in.
    pub fn reach(&mut self, series: SeriesId, late: Timestamp, next: Option<Timestamp>) -> Documents {
        let feeds = self.carried(series);
        let cause: Arc<str> = format!("late data of {}", self.name(series)).into();
        self.touch_span(&feeds, late, next, &cause)
    }

    /// Where a value of a series counts in later windows too.
    fn carried(&self, series: SeriesId) -> Vec<Feed> {
        self.feeds.get(&series).into_iter().flat_map(|feeds| feeds.iter()).filter(|feed| feed.carried).cloned().collect()
    }

    fn touch_span(&mut self, feeds: &[Feed], from: Timestamp, to: Option<Timestamp>, cause: &Arc<str>) -> Documents {
        let mut documents = Documents::new();
        for feed in feeds {
            let spec = self.order[feed.entry].1.clone();
            let closed = self.closed[&spec];
            let until = to.map_or(closed, |to| {
                // The window in which the next value lies carries the late one in, up to there.
                spec.window_of(to, &self.catalog.plant.calendar).map_or(to, |window| window.end).min(closed)
            });
            let windows = spec.windows(from, until, &self.catalog.plant.calendar);
            if let Some(last) = windows.last().filter(|_| windows.len() == MAX_WINDOWS) {
                self.postpone(feed, last.end, until, cause);
            }
            for window in windows {
                self.touch_window(feed, window, cause, &mut documents);
            }
        }
        self.with_backlog(documents)
    }

    /// What a series is called where people read it.
    fn name(&self, series: SeriesId) -> String {
        self.catalog.entry(series).map_or_else(
            || format!("series {}", series.0),
            |entry| format!("{} {}", self.catalog.plant.assets[entry.asset.0].path, entry.key),
        )
    }

    /// Takes a job back that could not be computed. It is due again in halves, a single window a while later.
    pub fn failed(&mut self, job: &Job, now: Timestamp) {
        self.failed = true;
        if !job.windows.is_empty() {
            self.room = self.room.min(job.windows.len() / 2).max(1);
        }
        self.under_way.remove(&job.entry);
        self.retry_at = if job.windows.len() > 1 { now } else { now + RETRY };
        if let Some(part) = job.backfill {
            return self.fill_failed(part, job.windows.len() == 1, now);
        }
        let again = job.tails.iter().map(|(series, late)| ((*series, *late), Tail { start: *late, late: *late }));
        self.tails.extend(again);
        if self.kept.len() + job.windows.len() > MAX_TOUCHED {
            if let [first, .., last] | [first @ last] = &job.windows[..] {
                let feed = Feed { entry: job.entry, carried: true, assets: Assets::ALL };
                self.postpone(&feed, first.start, last.end, &"a failed computation".into());
            }
            return;
        }
        let again = job.windows.iter().map(|window| (*window, job.revised.get(window).cloned()));
        self.touched.entry(job.entry).or_default().extend(again);
    }

    /// What holds now that all figures handed out are stored. The documents go into the next record.
    pub fn settled(&mut self) -> Documents {
        self.outstanding = false;
        if !std::mem::take(&mut self.failed) {
            self.room = (self.room + self.room / 4 + 1).min(MAX_WINDOWS_PER_JOB);
        }
        let mut documents = vec![(CLOSED_KEY.to_owned(), self.closed_document())];
        let mut kept = BTreeSet::new();
        for (entry, windows) in &self.touched {
            for (window, touched) in windows {
                let key = self.key(*entry, window);
                if !self.kept.contains(&key) {
                    documents.push((key.clone(), document(window, touched)));
                }
                kept.insert(key);
            }
        }
        for ((series, end), tail) in &self.tails {
            let key = tail_key(*series, *end);
            if !self.kept.contains(&key) {
                documents.push((key.clone(), tail_document(tail)));
            }
            kept.insert(key);
        }
        self.grown.extend(self.backlog.keys());
        kept.extend(self.backlog.keys().map(|entry| self.backlog_key(*entry)));
        documents.extend(self.kept.difference(&kept).map(|key| (key.clone(), Vec::new())));
        self.kept = kept;
        self.with_backlog(documents)
    }

    /// What is due now, in the order it must be computed; empty if nothing, or while the last answer is not settled.
    pub fn due(&mut self, now: Timestamp) -> Vec<Job> {
        if self.outstanding {
            return Vec::new();
        }
        let until = now - GRACE;
        let mut due = self.close(until);
        let tails = if now >= self.retry_at && self.is_calm(now) { self.take_late(&mut due) } else { Vec::new() };
        if let (true, Some((series, _))) = (due.is_empty(), tails.first()) {
            due.extend(self.carried(*series).first().map(|feed| (feed.entry, BTreeMap::new())));
        }
        self.outstanding = !due.is_empty();
        self.under_way = due.clone();
        let job = |(entry, windows): (usize, BTreeMap<Window, Option<Touched>>)| {
            let (model, spec) = self.order[entry].clone();
            let revised = windows.iter().filter_map(|(window, touched)| Some((*window, touched.clone()?))).collect();
            Job { model, spec, windows: windows.into_keys().collect(), revised, tails: Vec::new(), backfill: None, entry }
        };
        let mut jobs: Vec<Job> = due.into_iter().map(job).collect();
        if let Some(first) = jobs.first_mut() {
            first.tails = tails;
        }
        if jobs.is_empty() {
            jobs.extend(self.fill(now));
        }
        jobs
    }

    /// Whether no more late values come, or have come for long enough: an outage is filled in pieces, and its windows are not
    /// computed for each of them.
    fn is_calm(&mut self, now: Timestamp) -> bool {
        if std::mem::take(&mut self.stirred) {
            let first = self.came.map_or(now, |came| came.start);
            self.came = Some(Window { start: first, end: now });
        }
        self.came.is_none_or(|came| now >= came.end + QUIET || now >= came.start + PATIENCE)
    }

    /// Takes what late values led to. First it is asked how far they reach, then all windows are computed at once.
    fn take_late(&mut self, due: &mut Windows) -> Vec<(SeriesId, Timestamp)> {
        self.asked = !self.asked && !self.tails.is_empty();
        if self.asked {
            return std::mem::take(&mut self.tails).into_iter().map(|((series, _), tail)| (series, tail.late)).collect();
        }
        self.came = None;
        self.take_touched(due);
        Vec::new()
    }

    /// The windows that have ended by `until` and were not closed yet.
    fn close(&mut self, until: Timestamp) -> Windows {
        let mut due = Windows::new();
        for (spec, closed) in &mut self.closed {
            if until <= *closed {
                continue;
            }
            let mut ended = spec.windows(*closed, until, &self.catalog.plant.calendar);
            ended.truncate(self.room);
            // With more to come the border stays at the last window taken, so that the next round goes on there.
            *closed = if ended.len() == self.room { ended[ended.len() - 1].end } else { until };
            self.latest_closed = self.latest_closed.max(*closed);
            for (entry, _) in self.order.iter().enumerate().filter(|(_, (_, kind))| kind == spec && !ended.is_empty()) {
                due.insert(entry, ended.iter().map(|window| (*window, None)).collect());
            }
        }
        due
    }

    /// Moves touched windows to what is due, as many as fit.
    fn take_touched(&mut self, due: &mut Windows) {
        let (catalog, order) = (&self.catalog, &self.order);
        let count = |entry: usize, assets: &Assets| assets.count(|| catalog.plant.assets_of(order[entry].0).count());
        for (entry, touched) in &mut self.touched {
            let windows = due.entry(*entry).or_default();
            let (mut assets, mut time) = (Assets::these([]), Duration::ZERO);
            while let Some(next) = touched.first_entry().filter(|_| windows.len() < self.room) {
                let joined = next.get().as_ref().map_or(Assets::ALL, |touched| assets.join(&touched.assets()));
                let longer = time + next.key().span();
                if !time.is_zero() && longer.saturating_mul(count(*entry, &joined)) > MOST_TIME {
                    break;
                }
                (assets, time) = (joined, longer);
                let (window, why) = next.remove_entry();
                windows.insert(window, why);
            }
        }
        self.touched.retain(|_, touched| !touched.is_empty());
        for (entry, backlog) in &mut self.backlog {
            let windows = due.entry(*entry).or_default();
            let room = self.room.saturating_sub(windows.len());
            let time = MOST_TIME / count(*entry, &backlog.assets);
            let taken = backlog.take(room, time, &order[*entry].1, &catalog.plant.calendar);
            for window in taken {
                let known = windows.entry(window).or_insert_with(|| Some(Touched::default()));
                known.iter_mut().for_each(|known| _ = known.add(&backlog.assets, &backlog.cause));
            }
        }
        self.backlog.retain(|_, backlog| !backlog.is_empty());
        due.retain(|_, windows| !windows.is_empty());
    }

    fn touch(&mut self, points: &[Point], job: Option<&Job>, counts: impl Fn(&Windows, &Feed, &Window) -> bool) -> Documents {
        let mut documents = Documents::new();
        let (mut tails, mut causes, mut gap) = (BTreeSet::new(), HashMap::new(), None);
        let latest_closed = self.latest_closed;
        for Point { series, tqv } in points.iter().filter(|point| point.tqv.time <= latest_closed) {
            let Some(feeds) = self.feeds.get(series).cloned() else { continue };
            let cause = match job {
                // Thousands of late samples have the same one.
                None => causes.entry(*series).or_insert_with(|| self.cause(*series, tqv.time, None)).clone(),
                Some(_) => self.cause(*series, tqv.time, job),
            };
            let said = if &*self.key_of(*series) == STOP_EDITS { text_of(tqv) } else { None };
            if let Some(edit) = said.and_then(|text| StopEdit::read(tqv.time, text)) {
                // It says itself how far it reaches.
                let end = Some(edit.span.end).filter(|end| *end < Timestamp::MAX);
                documents.extend(self.touch_span(&feeds, edit.span.start, end, &cause));
                continue;
            }
            let (mut late, mut between): (Option<Window>, Option<usize>) = (None, None);
            for feed in feeds.iter() {
                let spec = &self.order[feed.entry].1;
                let window = spec.window_of(tqv.time, &self.catalog.plant.calendar);
                if window.map_or(tqv.time, |window| window.end) > self.closed[spec] {
                    continue;
                }
                match window.filter(|_| feed.carried) {
                    Some(window) if late.is_none_or(|shorter| window.span() < shorter.span()) => late = Some(window),
                    None if feed.carried => between = Some(feed.entry),
                    _ => {}
                }
                if let Some(window) = window.filter(|window| counts(&self.under_way, feed, window)) {
                    self.stirred |= job.is_none();
                    self.touch_window(feed, window, &cause, &mut documents);
                }
            }
            let new = job.is_none_or(|job| job.revised.keys().any(|window| window.end == tqv.time));
            let late = late.or_else(|| Some(self.gap(between?, tqv.time, &mut gap)));
            if let Some(window) = late.filter(|_| new) {
                self.stirred |= job.is_none();
                tails.extend(self.tail(*series, window, tqv.time));
            }
        }
        for (series, end) in tails {
            let Some(tail) = self.tails.get(&(series, end)) else { continue };
            documents.push((tail_key(series, end), tail_document(tail)));
            self.kept.insert(tail_key(series, end));
        }
        self.with_backlog(documents)
    }

    /// From a late value that lies between two windows to the next one. `known` is the gap of the value before.
    fn gap(&self, entry: usize, time: Timestamp, known: &mut Option<Window>) -> Window {
        let known = known.get_or_insert(Window { start: time, end: time });
        if !(known.start <= time && time < known.end) {
            *known = self.order[entry].1.gap_from(time, &self.catalog.plant.calendar);
        }
        *known
    }

    /// Notes a late value of a window, and says under which key; none if a later one is known already.
    fn tail(&mut self, series: SeriesId, window: Window, late: Timestamp) -> Option<(SeriesId, Timestamp)> {
        let key = (series, window.end);
        let after = self.tails.range((series, window.end + Duration::from_nanos(1))..).next();
        if after.is_some_and(|((of, _), tail)| *of == series && tail.start == window.end) {
            return None;
        }
        self.tails.remove(&(series, window.start));
        if self.kept.len() >= MAX_TOUCHED && !self.tails.contains_key(&key) {
            // How far it reaches will not be found out, so it reaches to the end.
            let cause: Arc<str> = format!("late data of {}", self.name(series)).into();
            for feed in self.carried(series) {
                self.postpone(&feed, late, self.closed[&self.order[feed.entry].1], &cause);
            }
            return None;
        }
        let tail = self.tails.entry(key).or_insert(Tail { start: window.start, late });
        tail.late = tail.late.max(late);
        Some(key)
    }

    /// Why a value touches closed windows.
    fn cause(&self, series: SeriesId, time: Timestamp, job: Option<&Job>) -> Arc<str> {
        let revised = job.and_then(|job| job.revised.iter().find(|(window, _)| window.end == time));
        let asset = self.catalog.entry(series).map(|entry| self.catalog.plant.assets[entry.asset.0].id);
        match (revised.and_then(|(_, touched)| touched.cause(asset?)), &*self.key_of(series)) {
            (Some(cause), _) => cause.clone(),
            (None, STOP_EDITS) => format!("stops of {} were explained", self.asset_of(series)).into(),
            (None, _) => format!("late data of {}", self.name(series)).into(),
        }
    }

    fn key_of(&self, series: SeriesId) -> Arc<str> {
        self.catalog.entry(series).map(|entry| entry.key.clone()).unwrap_or_default()
    }

    fn asset_of(&self, series: SeriesId) -> Arc<str> {
        self.catalog.entry(series).map(|entry| self.catalog.plant.assets[entry.asset.0].path.clone()).unwrap_or_default()
    }

    /// Has a closed window computed again for the assets that a series feeds.
    fn touch_window(&mut self, feed: &Feed, window: Window, cause: &Arc<str>, documents: &mut Documents) {
        if window.end > self.closed[&self.order[feed.entry].1] {
            return;
        }
        // The first value of an outage touches a window, thousands follow.
        let known = self.touched.get(&feed.entry).and_then(|windows| windows.get(&window)).and_then(Option::as_ref);
        if known.is_some_and(|touched| touched.covers(&feed.assets)) {
            return;
        }
        let key = self.key(feed.entry, &window);
        if !self.kept.contains(&key) && self.kept.len() >= MAX_TOUCHED {
            self.postpone(feed, window.start, window.end, cause);
            return;
        }
        let place = self.touched.entry(feed.entry).or_default().entry(window).or_insert_with(|| Some(Touched::default()));
        // A window without a reason failed as it closed: it is computed for all anyway.
        let grown = place.as_mut().is_some_and(|touched| touched.add(&feed.assets, cause));
        let document = document(&window, place);
        if self.kept.insert(key.clone()) || grown {
            documents.push((key, document));
        }
    }

    /// Has closed windows that end in `(from, to]` computed again without naming each.
    fn postpone(&mut self, feed: &Feed, from: Timestamp, to: Timestamp, cause: &Arc<str>) {
        match self.backlog.entry(feed.entry) {
            Entry::Occupied(known) if known.get().covers(from, to, &feed.assets) => return,
            Entry::Occupied(mut known) => known.get_mut().grow(from, to, &feed.assets),
            Entry::Vacant(place) => {
                place.insert(Backlog::new(from, to, feed.assets.clone(), cause.clone()));
            }
        }
        self.grown.insert(feed.entry);
    }

    /// The documents, and those of what there was no room for.
    fn with_backlog(&mut self, mut documents: Documents) -> Documents {
        for entry in std::mem::take(&mut self.grown) {
            let Some(backlog) = self.backlog.get(&entry) else { continue };
            let key = self.backlog_key(entry);
            documents.push((key.clone(), serde_json::to_vec(backlog).expect("times and a text are plain data")));
            self.kept.insert(key);
        }
        documents
    }

    fn backlog_key(&self, entry: usize) -> String {
        let (model, spec) = &self.order[entry];
        format!("{BACKLOG_PREFIX}{}/{}", self.catalog.plant.models[model.0].name, spec.name())
    }

    fn closed_document(&self) -> Vec<u8> {
        let closed: BTreeMap<String, Timestamp> = self.closed.iter().map(|(spec, until)| (spec.name(), *until)).collect();
        serde_json::to_vec(&closed).expect("names and times are plain data")
    }

    fn key(&self, entry: usize, window: &Window) -> String {
        let (model, spec) = &self.order[entry];
        format!("{TOUCHED_PREFIX}{}/{}/{}", self.catalog.plant.models[model.0].name, spec.name(), window.end.as_nanos())
    }
}

/// A window whose first computation failed concerns all.
fn document(window: &Window, touched: &Option<Touched>) -> Vec<u8> {
    let touched = touched.clone().unwrap_or_else(|| Touched::new(&Assets::ALL, &"".into()));
    serde_json::to_vec(&KeptWindow { window: *window, touched }).expect("a window is plain data")
}

fn tail_document(tail: &Tail) -> Vec<u8> {
    serde_json::to_vec(tail).expect("times are plain data")
}

fn tail_key(series: SeriesId, end: Timestamp) -> String {
    format!("{TAIL_PREFIX}{}/{}", series.0, end.as_nanos())
}

fn text_of(tqv: &Tqv) -> Option<&str> {
    match &tqv.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
