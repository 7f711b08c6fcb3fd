//! When metrics are computed: windows that closed, and closed windows that late data touched. Pure; the clock comes in.
//!
//! Nothing that is due is forgotten: up to where windows are closed is kept when their figures are stored, and a closed window that
//! is touched is kept in the very record of the data that touched it. A restart goes on from there.

mod order;
#[cfg(test)]
mod tests;

use self::order::{feeds, order};
use andon_models::{
    Point, SeriesId, Timestamp,
    catalog::Catalog,
    definition::ModelIndex,
    window::{Window, WindowSpec},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// How long after its end a window waits for samples still on their way. Later ones recompute it.
pub const GRACE: Duration = Duration::from_secs(2);
/// Windows computed in one plan; more wait for the next round. Bounds memory of a plan.
const MAX_WINDOWS_PER_JOB: usize = 4_096;
/// Touched windows remembered at once, a few megabytes; beyond it a message says that figures of old windows need a back-fill.
const MAX_TOUCHED: usize = 50_000;
/// How long touched windows wait after a plan failed, so that a broken disk is not asked ten times a second.
const RETRY: Duration = Duration::from_secs(60);

/// Key of the kept document that says up to where windows are closed.
pub const CLOSED_KEY: &str = "schedule/closed";
/// Prefix of the keys of kept documents that name a touched window each.
const TOUCHED_PREFIX: &str = "schedule/touched/";

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
    /// Its place in the order.
    entry: usize,
}

/// Windows by the place of their model and kind in the order.
type Windows = BTreeMap<usize, BTreeSet<Window>>;

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
    feeds: HashMap<SeriesId, Vec<usize>>,
    /// Closed windows whose figures do not hold any more.
    touched: Windows,
    /// Windows handed out and not computed yet.
    under_way: Windows,
    /// Whether something was handed out and not settled yet.
    outstanding: bool,
    /// Keys of touched windows that a restart would find.
    kept: BTreeSet<String>,
    /// Touched windows wait until then.
    retry_at: Timestamp,
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
        let mut schedule = Self {
            latest_closed: closed.values().copied().max().unwrap_or(from),
            feeds: feeds(&catalog, &order),
            touched: Windows::new(),
            under_way: Windows::new(),
            outstanding: false,
            kept: touched.clone().map(|(key, _)| key.clone()).collect(),
            retry_at: Timestamp::MIN,
            catalog,
            order,
            closed,
        };
        for (key, document) in touched {
            let Ok(window) = serde_json::from_slice::<Window>(document) else { continue };
            // A key that names nothing any more is forgotten when the next figures are stored.
            if let Some(entry) = (0..schedule.order.len()).find(|entry| schedule.key(*entry, &window) == *key) {
                schedule.touched.entry(entry).or_default().insert(window);
            }
        }
        schedule
    }

    /// Notes samples that belong to windows already closed. The documents go into the record of these samples.
    pub fn observe(&mut self, points: &[Point]) -> Documents {
        self.touch(points, |_, _, _| true)
    }

    /// Takes computed figures. They touch closed windows that read them, but for those that will see them anyway: their own, which
    /// were computed together, and those whose turn comes later.
    pub fn computed(&mut self, job: &Job, figures: &[Point]) -> Documents {
        self.under_way.remove(&job.entry);
        let waits = |under_way: &Windows, entry: usize, window: &Window| {
            under_way.get(&entry).is_some_and(|windows| windows.contains(window))
        };
        self.touch(figures, |under_way, entry, window| entry != job.entry && !waits(under_way, entry, window))
    }

    /// Takes a job back that could not be computed; it is due again a while later.
    pub fn failed(&mut self, job: &Job, now: Timestamp) {
        self.under_way.remove(&job.entry);
        if self.kept.len() + job.windows.len() > MAX_TOUCHED {
            tracing::error!(window = %job.spec.name(), "too many windows wait to be computed; these keep their figures");
            return;
        }
        self.touched.entry(job.entry).or_default().extend(&job.windows);
        self.retry_at = now + RETRY;
    }

    /// What holds now that all figures handed out are stored. The documents go into the next record.
    pub fn settled(&mut self) -> Documents {
        self.outstanding = false;
        let mut documents = vec![(CLOSED_KEY.to_owned(), self.closed_document())];
        let mut kept = BTreeSet::new();
        for (entry, windows) in &self.touched {
            for window in windows {
                let key = self.key(*entry, window);
                if !self.kept.contains(&key) {
                    documents.push((key.clone(), document(window)));
                }
                kept.insert(key);
            }
        }
        documents.extend(self.kept.difference(&kept).map(|key| (key.clone(), Vec::new())));
        self.kept = kept;
        documents
    }

    /// What is due now, in the order it must be computed; empty if nothing, or while the last answer is not settled.
    pub fn due(&mut self, now: Timestamp) -> Vec<Job> {
        if self.outstanding {
            return Vec::new();
        }
        let until = now - GRACE;
        let mut due = self.close(until);
        if now >= self.retry_at {
            self.take_touched(&mut due);
        }
        self.outstanding = !due.is_empty();
        self.under_way = due.clone();
        let job = |(entry, windows): (usize, BTreeSet<Window>)| {
            let (model, spec) = self.order[entry].clone();
            Job { model, spec, windows: windows.into_iter().collect(), entry }
        };
        due.into_iter().map(job).collect()
    }

    /// The windows that have ended by `until` and were not closed yet.
    fn close(&mut self, until: Timestamp) -> Windows {
        let mut due = Windows::new();
        for (spec, closed) in &mut self.closed {
            if until <= *closed {
                continue;
            }
            let mut ended = spec.windows(*closed, until, &self.catalog.plant.calendar);
            ended.truncate(MAX_WINDOWS_PER_JOB);
            // With more to come the border stays at the last window taken, so that the next round goes on there.
            *closed = if ended.len() == MAX_WINDOWS_PER_JOB { ended[ended.len() - 1].end } else { until };
            self.latest_closed = self.latest_closed.max(*closed);
            for (entry, _) in self.order.iter().enumerate().filter(|(_, (_, kind))| kind == spec && !ended.is_empty()) {
                due.insert(entry, ended.iter().copied().collect());
            }
        }
        due
    }

    /// Moves touched windows to what is due, as many as fit.
    fn take_touched(&mut self, due: &mut Windows) {
        for (entry, touched) in &mut self.touched {
            let windows = due.entry(*entry).or_default();
            while windows.len() < MAX_WINDOWS_PER_JOB {
                let Some(window) = touched.pop_first() else { break };
                windows.insert(window);
            }
        }
        self.touched.retain(|_, touched| !touched.is_empty());
        due.retain(|_, windows| !windows.is_empty());
    }

    fn touch(&mut self, points: &[Point], counts: impl Fn(&Windows, usize, &Window) -> bool) -> Documents {
        let mut documents = Documents::new();
        for Point { series, tqv } in points.iter().filter(|point| point.tqv.time <= self.latest_closed) {
            for entry in self.feeds.get(series).map_or(&[][..], Vec::as_slice) {
                let spec = &self.order[*entry].1;
                let Some(window) = spec.window_of(tqv.time, &self.catalog.plant.calendar) else { continue };
                if window.end > self.closed[spec] || !counts(&self.under_way, *entry, &window) {
                    continue;
                }
                if self.touched.get(entry).is_some_and(|touched| touched.contains(&window)) {
                    continue;
                }
                let key = self.key(*entry, &window);
                if !self.kept.contains(&key) {
                    if self.kept.len() == MAX_TOUCHED {
                        tracing::error!(window = %spec.name(), "too many closed windows were touched; the rest keeps its figures");
                        return documents;
                    }
                    documents.push((key.clone(), document(&window)));
                    self.kept.insert(key);
                }
                self.touched.entry(*entry).or_default().insert(window);
            }
        }
        documents
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

fn document(window: &Window) -> Vec<u8> {
    serde_json::to_vec(window).expect("a window is plain data")
}
