//! Computes a job: new windows as they are, windows that were computed before with what changed and why.

use andon_models::{
    AssetId, Point, SeriesId, Timestamp, Value,
    catalog::Catalog,
    event::{Event, EventBody},
    schedule::{
        Assets, Job,
        revisions::{FigureChange, revisions},
    },
    window::Window,
};
use andon_query::{EventFilter, Extent, Historian, QueryError};
use std::{collections::HashMap, time::Duration};

/// Revisions of earlier days that are looked at to number new ones.
const MAX_REVISIONS: usize = 50_000;
/// Windows further apart than this many of their length are computed apart, so that nobody reads what lies between.
const MAX_GAP: u32 = 16;

/// What came of a job.
#[derive(Debug, Default)]
pub struct Computed {
    /// Figures to store.
    pub figures: Vec<Point>,
    /// Revisions to record.
    pub events: Vec<Event>,
    /// Late values, and the next value of their series.
    pub reach: Vec<(SeriesId, Timestamp, Option<Timestamp>)>,
}

/// Computes a job.
///
/// # Errors
/// When history cannot be read.
pub async fn compute(historian: &Historian, catalog: &Catalog, job: &Job, now: Timestamp) -> Result<Computed, QueryError> {
    let (again, new): (Vec<Window>, Vec<Window>) = job.windows.iter().partition(|window| job.revised.contains_key(window));
    let extent = |windows, assets| Extent { model: job.model, spec: &job.spec, windows, assets };
    let mut computed = Computed::default();
    for windows in runs(&new) {
        computed.figures.extend(historian.compute(&extent(windows, Assets::ALL)).await?);
    }
    let mut changes = Vec::new();
    for windows in runs(&again) {
        let touched = windows.iter().filter_map(|window| Some(job.revised.get(window)?.assets()));
        let assets = touched.reduce(|one, next| one.join(&next)).unwrap_or_default();
        let revised = historian.revise(&extent(windows, assets)).await?;
        computed.figures.extend(revised.points);
        changes.extend(revised.changes);
    }
    if job.backfill.is_some() {
        // What was not there before was not changed: the record of the back-fill says that it came.
        changes.retain(|change| change.before != Value::Null);
    }
    if !changes.is_empty() {
        let earlier = earlier(historian, catalog, &changes, &job.spec.name()).await?;
        let number = |asset: AssetId, window: &Window| earlier.get(&(asset, window.end)).copied().unwrap_or(0);
        computed.events = revisions(catalog, job, &changes, number, now);
    }
    let next = historian.next_times(&job.tails).await?;
    computed.reach = job.tails.iter().map(|tail| (tail.0, tail.1, next.get(tail).copied())).collect();
    Ok(computed)
}

/// Windows in runs without large gaps.
fn runs(windows: &[Window]) -> impl Iterator<Item = &[Window]> {
    windows.chunk_by(|one, next| next.start.since(one.end) <= one.span() * MAX_GAP)
}

/// How often windows were revised before. A window is revised after its end, so older events do not matter.
async fn earlier(
    historian: &Historian,
    catalog: &Catalog,
    changes: &[FigureChange],
    spec: &str,
) -> Result<HashMap<(AssetId, Timestamp), u64>, QueryError> {
    let ends = || changes.iter().map(|change| change.window.end);
    let (Some(first), Some(last)) = (ends().min(), ends().max()) else { return Ok(HashMap::new()) };
    let only = changes.iter().all(|change| change.asset == changes[0].asset);
    let filter = EventFilter {
        kinds: vec!["revision".into()],
        asset: only.then(|| catalog.plant.assets[changes[0].asset.0].id),
        rule: Some(spec.into()),
        about: Some(Window { start: first, end: last }),
        from: Some(first - Duration::from_nanos(1)),
        limit: MAX_REVISIONS,
        ..EventFilter::default()
    };
    let mut counts = HashMap::new();
    for event in historian.events(filter).await? {
        let (EventBody::Revision(revision), Some(asset)) = (&event.body, event.asset) else { continue };
        let count: &mut u64 = counts.entry((asset, revision.window.end)).or_default();
        *count = revision.number.max(*count);
    }
    Ok(counts)
}
