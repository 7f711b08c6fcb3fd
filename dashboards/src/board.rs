//! The slow part of the overview: OEE of the shift so far, strips and sparklines of all machines. Kept a few seconds, made by
//! one task at a time; while that takes long, pages get the one before.

use crate::{
    app::{App, Line},
    error::ApiError,
    strip::{ActivitySpan, Histories, activities},
    view::Time,
};
use andon_models::{
    SeriesId, Timestamp, Tqv,
    calendar::ShiftOccurrence,
    definition::{AssetIndex, PropertyIndex},
    oee::OeeRecord,
    window::Window,
};
use andon_query::QueryError;
use axum::http::StatusCode;
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout},
};
use utoipa::ToSchema;

/// Figures of a shift move slowly; a few seconds of age do not show.
const FRESH: Duration = Duration::from_secs(5);
/// How long a page waits for new figures while there are older ones to show.
const PATIENCE: Duration = Duration::from_secs(1);
/// Older ones are not shown any more, however long the new ones take.
const USABLE: Duration = Duration::from_secs(60);
/// Points of a machine's histories in a shift: far more changes of state than a shift has.
const STRIP_POINTS: usize = 1_000;
/// Points of a sparkline: one per two pixels.
pub(crate) const SPARK_POINTS: usize = 60;
/// What a sparkline shows.
const SPARK_SPAN: Duration = Duration::from_secs(600);
/// How far back the last shift is looked for when none is on: over a long week-end.
const LAST_SHIFT: Duration = Duration::from_secs(5 * 24 * 3_600);

/// Keeps the newest board.
pub(crate) struct Board {
    newest: watch::Sender<Made>,
    work: Arc<Mutex<()>>,
}

/// What came of the last attempts to make a board.
#[derive(Clone, Default)]
struct Made {
    figures: Option<(Instant, Arc<Figures>)>,
    /// Why the last attempt failed; none when it did not.
    failure: Option<String>,
}

/// The board: what takes queries to know.
pub(crate) struct Figures {
    /// What it covers.
    pub(crate) shift: BoardShift,
    /// The plant's time when it was made.
    pub(crate) as_of: Timestamp,
    /// OEE of every asset with an OEE block.
    pub(crate) oee: HashMap<AssetIndex, OeeRecord>,
    /// Strip of each line, with the machine it is of.
    pub(crate) strips: HashMap<AssetIndex, Vec<ActivitySpan>>,
    /// By series of the machines' main values.
    pub(crate) sparks: HashMap<SeriesId, Vec<Tqv>>,
}

/// The span the board covers: the shift so far, else the last shift, else the day so far.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct BoardShift {
    /// The shift's name; `day` where there are no shifts.
    pub(crate) name: String,
    /// Its start.
    pub(crate) start: Time,
    /// Its end.
    pub(crate) end: Time,
    /// Whether it is on; otherwise the figures are those of the last shift.
    pub(crate) current: bool,
}

impl BoardShift {
    pub(crate) fn at(app: &App, now: Timestamp) -> Self {
        let calendar = &app.plant().calendar;
        let of = |shift: ShiftOccurrence, current| Self {
            name: shift.name.to_string(),
            start: Time(shift.window.start),
            end: Time(shift.window.end),
            current,
        };
        if let Some(shift) = calendar.shift_at(now) {
            return of(shift, true);
        }
        let past = calendar.shifts_between(now - LAST_SHIFT, now);
        if let Some(shift) = past.into_iter().filter(|shift| shift.window.end <= now).max_by_key(|shift| shift.window.end) {
            return of(shift, false);
        }
        let day = calendar.day_of(now);
        Self { name: "day".into(), start: Time(day.start), end: Time(day.end), current: true }
    }

    /// What of it has passed.
    pub(crate) fn so_far(&self, now: Timestamp) -> Window {
        Window { start: self.start.0, end: self.end.0.min(now) }
    }
}

impl Default for Board {
    fn default() -> Self {
        Self { newest: watch::channel(Made::default()).0, work: Arc::default() }
    }
}

impl Board {
    /// The figures, at most a few seconds old unless new ones take long to make.
    ///
    /// # Errors
    /// 500 with the cause when they cannot be made.
    pub(crate) async fn figures(app: &Arc<App>) -> Result<Arc<Figures>, ApiError> {
        let mut newest = app.board.newest.subscribe();
        let known = newest.borrow_and_update().usable();
        if let Some((age, figures)) = &known
            && *age < FRESH
        {
            return Ok(figures.clone());
        }
        Self::renew(app);
        let waiting = newest.changed();
        match &known {
            // Late figures are better than none; the page sees by their time that they are.
            Some(_) => drop(timeout(PATIENCE, waiting).await),
            None => drop(waiting.await),
        }
        let made = newest.borrow().clone();
        let failed = || {
            let cause = made.failure.clone().unwrap_or_else(|| "they grew too old meanwhile".into());
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the figures of the shift could not be made: {cause}"),
                "see the log",
            )
        };
        // Those that were fit to be shown when the page asked still are.
        made.usable().or(known).map(|(_, figures)| figures).ok_or_else(failed)
    }

    /// Starts to make new figures, unless that is under way. A page that goes away does not stop it.
    pub(crate) fn renew(app: &Arc<App>) {
        let Ok(turn) = app.board.work.clone().try_lock_owned() else { return };
        let app = app.clone();
        tokio::spawn(async move {
            let made = tokio::select! {
                made = Figures::make(&app) => made,
                () = app.end.cancelled() => return,
            };
            if let Err(error) = &made {
                tracing::warn!(%error, "the figures of the shift could not be made");
            }
            // Before the news goes out: whoever comes after a failure may try again.
            drop(turn);
            app.board.newest.send_modify(|newest| match made {
                Ok(figures) => *newest = Made { figures: Some((Instant::now(), Arc::new(figures))), failure: None },
                Err(error) => newest.failure = Some(error.to_string()),
            });
        });
    }
}

impl Made {
    /// The figures with their age, unless they are too old to be shown.
    fn usable(&self) -> Option<(Duration, Arc<Figures>)> {
        let (made, figures) = self.figures.as_ref()?;
        Some((made.elapsed(), figures.clone())).filter(|(age, _)| *age < USABLE)
    }
}

impl Figures {
    async fn make(app: &App) -> Result<Self, QueryError> {
        let now = app.now();
        let shift = BoardShift::at(app, now);
        let window = shift.so_far(now);
        let with_oee: Vec<AssetIndex> =
            (0..app.plant().assets.len()).map(AssetIndex).filter(|asset| app.model(*asset).has_oee()).collect();
        let oee: HashMap<AssetIndex, OeeRecord> =
            app.state.historian.oee_records(&with_oee, &[window]).await?.into_iter().collect();
        let paced: Vec<(AssetIndex, AssetIndex)> =
            app.lines.iter().filter_map(|line| Some((line.asset, pace(app, line, &oee)?))).collect();
        let (lines, machines): (Vec<AssetIndex>, Vec<AssetIndex>) = paced.into_iter().unzip();
        let strips = lines.into_iter().zip(strips(app, &machines, window).await?).collect();
        let main = main_series(app);
        let sparks = app.state.historian.histories(&main, Window { start: now - SPARK_SPAN, end: now }, SPARK_POINTS).await?;
        let sparks = main.into_iter().zip(sparks.into_iter().map(|points| thin(points, SPARK_POINTS))).collect();
        Ok(Self { shift, as_of: now, oee, strips, sparks })
    }
}

/// The machine whose figures stand for a line: the line itself if it has an OEE block, else the one that held it back most.
pub(crate) fn pace(app: &App, line: &Line, oee: &HashMap<AssetIndex, OeeRecord>) -> Option<AssetIndex> {
    if app.model(line.asset).oee.is_some() {
        return Some(line.asset);
    }
    let with_oee = || line.machines.iter().copied().filter(|machine| app.model(*machine).oee.is_some());
    let figure = |machine: &AssetIndex| oee.get(machine).and_then(|record| record.totals.oee());
    let slowest = with_oee().filter(|machine| figure(machine).is_some());
    let slowest = slowest.min_by(|a, b| figure(a).unwrap_or(1.0).total_cmp(&figure(b).unwrap_or(1.0)));
    slowest.or_else(|| with_oee().next())
}

/// What machines did in a window, in their order.
pub(crate) async fn strips(app: &App, machines: &[AssetIndex], window: Window) -> Result<Vec<Vec<ActivitySpan>>, QueryError> {
    let series_of = |machine: &AssetIndex| {
        let roles = app.roles_of(*machine);
        let of = |property: Option<PropertyIndex>| app.state.catalog.series_of(*machine, property?);
        [roles.running, roles.planned, roles.state, roles.reason].map(of)
    };
    let wanted: Vec<[Option<SeriesId>; 4]> = machines.iter().map(series_of).collect();
    // A machine may be asked for twice, or one property have two roles.
    let series: Vec<SeriesId> = wanted.iter().flatten().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let historian = &app.state.historian;
    let before = historian.values_before(&series, window.start).await?;
    let within = historian.histories(&series, window, STRIP_POINTS).await?;
    let of =
        |(series, within): (&SeriesId, Vec<Tqv>)| (*series, before.get(series).cloned().into_iter().chain(within).collect());
    let histories: HashMap<SeriesId, Vec<Tqv>> = series.iter().zip(within).map(of).collect();
    let strip = |series: &[Option<SeriesId>; 4]| {
        let [running, planned, state, reason] =
            series.map(|series| series.and_then(|series| histories.get(&series)).map_or(&[][..], Vec::as_slice));
        activities(&Histories { running, planned, state, reason }, window)
    };
    Ok(wanted.iter().map(strip).collect())
}

fn main_series(app: &App) -> Vec<SeriesId> {
    let machines = app.lines.iter().flat_map(|line| &line.machines).copied();
    machines.filter_map(|machine| app.state.catalog.series_of(machine, app.roles_of(machine).main?)).collect()
}

/// At most so many of the values, evenly, the newest always among them.
fn thin(points: Vec<Tqv>, most: usize) -> Vec<Tqv> {
    let step = points.len().div_ceil(most).max(1);
    let from_newest: Vec<Tqv> = points.into_iter().rev().step_by(step).collect();
    from_newest.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::Value;

    #[test]
    fn a_sparkline_keeps_the_newest_value_and_its_bound() {
        for count in [0, 1, 60, 61, 119, 500] {
            let points: Vec<Tqv> =
                (0..count).map(|second| Tqv::good(Timestamp::from_seconds(second), Value::Integer(second))).collect();
            let thinned = thin(points.clone(), 60);
            assert!(thinned.len() <= 60 && thinned.len() >= points.len().min(30), "{count}");
            assert_eq!(thinned.last(), points.last());
            assert!(thinned.is_sorted_by_key(|tqv| tqv.time));
        }
    }
}
