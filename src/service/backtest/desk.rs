//! Back-tests that pages ask for: one at a time, beside the running plant, with the same player as the command line.

mod listed;
mod replay;

use self::listed::Listed;
use super::{Happening, Heard, Job, Note, Played, alone, difference, play};
use crate::service::host::Variables;
use andon_dashboards::{AskBacktest, BacktestOrder, BacktestRefusal, BacktestState, BacktestView, Backtests, DiagnosticView};
use andon_models::{AssetId, PropertyId, SeriesId, catalog::Catalog, definition::Plant, plant_file};
use andon_query::Historian;
use anyhow::Context;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// Requests that may wait; people are slower than that.
const MOST_REQUESTS: usize = 16;

/// Back-tests that are remembered: what a person compares.
const MOST_REMEMBERED: usize = 4;

/// Instances that are played again at the same time, each for a page that waits.
const MOST_REPLAYS: usize = 2;

/// One part at a time: the plant that runs has the rest of the machine.
const WORKERS: usize = 1;

/// What back-tests are made of.
#[derive(Clone)]
struct Desk {
    catalog: Arc<Catalog>,
    historian: Historian,
    variables: Variables,
    jobs: Arc<Mutex<VecDeque<Kept>>>,
    replays: Arc<tokio::sync::Semaphore>,
    /// Numbers of the ids given out, beginning where chance says: an id of an earlier run means nothing.
    next: Arc<AtomicU64>,
}

/// A back-test that is remembered.
struct Kept {
    id: String,
    view: Arc<Mutex<BacktestView>>,
    cancelled: Arc<AtomicBool>,
}

/// Starts the desk; it ends with the web server.
pub fn start(catalog: Arc<Catalog>, historian: Historian, variables: Variables) -> Backtests {
    let (asks, mut queue) = mpsc::channel(MOST_REQUESTS);
    let workers = historian.workers();
    let desk = Desk {
        catalog,
        historian,
        variables,
        jobs: Arc::default(),
        replays: Arc::new(tokio::sync::Semaphore::new(MOST_REPLAYS)),
        next: Arc::new(AtomicU64::new(rand::random::<u32>().into())),
    };
    workers.spawn(async move {
        while let Some(ask) = queue.recv().await {
            desk.answer(ask);
        }
        desk.jobs().iter().for_each(|job| job.cancelled.store(true, Ordering::Relaxed));
    });
    asks
}

impl Desk {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        locked(&self.jobs)
    }

    // Whoever asked may have gone, so no answer needs to arrive.
    fn answer(&self, ask: AskBacktest) {
        match ask {
            AskBacktest::Start(order, reply) => {
                let desk = self.clone();
                tokio::task::spawn_blocking(move || drop(reply.send(desk.begin(*order))));
            }
            AskBacktest::Look(id, reply) => {
                let view = self.jobs().iter().find(|job| job.id == id).map(|job| locked(&job.view).clone());
                drop(reply.send(view));
            }
            AskBacktest::Cancel(id, reply) => drop(reply.send(self.cancel(&id))),
            AskBacktest::Replay(order, reply) => {
                let desk = self.clone();
                tokio::spawn(async move {
                    let Ok(_place) = desk.replays.acquire().await else { return };
                    let played = replay::replayed(&desk.catalog, &desk.historian, &order).await;
                    drop(reply.send(played.map_err(|error| format!("{error:#}"))));
                });
            }
        }
    }

    /// Ends one that runs; forgets one that has ended.
    fn cancel(&self, id: &str) -> bool {
        let mut jobs = self.jobs();
        let Some(position) = jobs.iter().position(|job| job.id == id) else { return false };
        if locked(&jobs[position].view).state == BacktestState::Running {
            jobs[position].cancelled.store(true, Ordering::Relaxed);
        } else {
            jobs.remove(position);
        }
        true
    }

    /// Checks an order and begins to play it.
    fn begin(&self, order: BacktestOrder) -> Result<String, BacktestRefusal> {
        let wrong = |error: anyhow::Error| BacktestRefusal::Wrong(format!("{error:#}"));
        let now = alone(&self.catalog.plant, &order.detector).map_err(wrong)?;
        let (edited, diagnostics) = match &order.with {
            Some(files) => {
                let loaded = plant_file::load(files, &*self.variables);
                let diagnostics: Vec<DiagnosticView> = loaded.diagnostics.into_iter().map(Into::into).collect();
                let Some(plant) = loaded.plant else { return Err(BacktestRefusal::Unfit(diagnostics)) };
                (Some(alone(&plant, &order.detector).context("the edited definition").map_err(wrong)?), diagnostics)
            }
            None => (None, Vec::new()),
        };
        let known = andon_query::known_series(self.historian.dir()).map_err(|error| wrong(error.into()))?;
        let mut jobs = self.jobs();
        if let Some(running) = jobs.iter().find(|job| locked(&job.view).state == BacktestState::Running) {
            return Err(BacktestRefusal::Running(running.id.clone()));
        }
        let id = format!("{:x}", self.next.fetch_add(1, Ordering::Relaxed));
        let sides: &[&str] = if edited.is_some() { &["now", "edited"] } else { &["now"] };
        let view = Arc::new(Mutex::new(BacktestView::begun(id.clone(), &order, sides, diagnostics)));
        let cancelled = Arc::new(AtomicBool::new(false));
        while jobs.len() >= MOST_REMEMBERED {
            jobs.pop_front();
        }
        jobs.push_back(Kept { id: id.clone(), view: view.clone(), cancelled: cancelled.clone() });
        let plants = [Some(now), edited].into_iter().flatten().collect();
        let run = Run { historian: self.historian.clone(), known, order, view, cancelled };
        tokio::spawn(run.run(plants));
        Ok(id)
    }
}

/// A back-test that runs.
struct Run {
    historian: Historian,
    known: Vec<(AssetId, PropertyId, SeriesId)>,
    order: BacktestOrder,
    view: Arc<Mutex<BacktestView>>,
    cancelled: Arc<AtomicBool>,
}

impl Run {
    async fn run(self, plants: Vec<Plant>) {
        let played = self.sides(plants).await;
        let mut view = locked(&self.view);
        match played {
            Ok(sides) => {
                view.state = BacktestState::Done;
                view.progress = 1.0;
                if let [now, edited] = &sides[..] {
                    view.difference = difference(now, edited);
                }
            }
            Err(_) if self.cancelled.load(Ordering::Relaxed) => view.state = BacktestState::Cancelled,
            Err(error) => {
                view.state = BacktestState::Failed;
                view.error = format!("{error:#}");
            }
        }
    }

    async fn sides(&self, plants: Vec<Plant>) -> anyhow::Result<Vec<Played>> {
        let (mut sides, many) = (Vec::new(), plants.len() as f64);
        for plant in plants {
            let place = sides.len();
            let before: u64 = sides.iter().map(|played: &Played| played.points).sum();
            let mut listed = Listed::new(self.order.window);
            let job = Job {
                historian: &self.historian,
                known: &self.known,
                plant,
                window: self.order.window,
                workers: WORKERS,
                named: &self.order.detector,
                only: None,
                cancelled: self.cancelled.clone(),
            };
            let hear = |heard| match heard {
                Heard::Note(event) => listed.add(event),
                Heard::Points(points, share) => {
                    let mut view = locked(&self.view);
                    (view.samples, view.progress) = (before + points, (place as f64 + share) / many);
                    view.sides[place].samples = points;
                }
            };
            let played = play(job, Some(self.note()), hear).await?;
            listed.put(&mut locked(&self.view).sides[place], &played);
            sides.push(played);
        }
        Ok(sides)
    }

    /// What of events is listed.
    fn note(&self) -> Note<andon_dashboards::BacktestEvent> {
        let only = self.order.asset.clone();
        Arc::new(move |happening| match happening {
            Happening::Event(event) if only.as_ref().is_none_or(|only| *only == event.asset_path) => {
                Some(listed::in_short(event))
            }
            _ => None,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
