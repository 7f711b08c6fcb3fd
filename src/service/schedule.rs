//! When metrics are computed: windows that closed, and closed windows that late data touched. Pure; the clock comes in.

use andon_models::{
    Point, SeriesId, Timestamp,
    catalog::Catalog,
    definition::{AssetModel, MetricFormula, ModelIndex, PropertyKind},
    expression::Reference,
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
/// Touched windows remembered at once, a few megabytes; beyond it a warning says that figures of old windows need a back-fill.
const MAX_TOUCHED: usize = 100_000;

/// One thing to compute: all metrics of one model in these windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The model.
    pub model: ModelIndex,
    /// Which of its metrics.
    pub spec: WindowSpec,
    /// Which windows, in time order.
    pub windows: Vec<Window>,
}

/// What is due now, and what holds once it is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What to compute, in this order.
    pub jobs: Vec<Job>,
    /// Up to where every window kind is closed then; kept, so that a restart goes on there.
    pub closed: Vec<u8>,
}

/// Key of the kept document that says up to where windows are closed.
pub const CLOSED_KEY: &str = "schedule/closed";

/// Says when which metrics are due.
pub struct Schedule {
    catalog: Arc<Catalog>,
    /// Model and window kinds in the order they must be computed: children before parents.
    order: Vec<(ModelIndex, WindowSpec)>,
    /// Up to where each window kind is closed.
    closed: HashMap<WindowSpec, Timestamp>,
    /// The earliest border any window kind is closed up to: samples later than the latest one are never late.
    latest_closed: Timestamp,
    /// Which entries of `order` each series feeds.
    feeds: HashMap<SeriesId, Vec<usize>>,
    touched: BTreeMap<usize, BTreeSet<Window>>,
    touched_count: usize,
}

impl Schedule {
    /// A schedule that goes on where an earlier run stopped (its kept document); window kinds it does not know count as
    /// closed up to `from`.
    pub fn new(catalog: Arc<Catalog>, from: Timestamp, kept: Option<&Vec<u8>>) -> Self {
        let order = order(&catalog);
        let kept: HashMap<String, Timestamp> =
            kept.and_then(|document| serde_json::from_slice(document).ok()).unwrap_or_default();
        let border = |spec: &WindowSpec| kept.get(&spec.name()).copied().unwrap_or(from);
        let closed: HashMap<_, _> = order.iter().map(|(_, spec)| (spec.clone(), border(spec))).collect();
        let latest_closed = closed.values().copied().max().unwrap_or(from);
        let feeds = feeds(&catalog, &order);
        Self { catalog, order, closed, latest_closed, feeds, touched: BTreeMap::new(), touched_count: 0 }
    }

    /// Up to where every window kind is closed, to be kept.
    pub fn closed_document(&self) -> Vec<u8> {
        let closed: BTreeMap<String, Timestamp> = self.closed.iter().map(|(spec, until)| (spec.name(), *until)).collect();
        serde_json::to_vec(&closed).expect("names and times are plain data")
    }

    /// Notes samples that belong to windows already closed.
    pub fn observe(&mut self, points: &[Point]) {
        for point in points {
            if point.tqv.time <= self.latest_closed {
                self.touch(point.series, point.tqv.time);
            }
        }
    }

    fn touch(&mut self, series: SeriesId, time: Timestamp) {
        let Some(entries) = self.feeds.get(&series) else { return };
        for entry in entries {
            let spec = &self.order[*entry].1;
            let Some(window) = spec.window_of(time, &self.catalog.plant.calendar) else { continue };
            let closed = self.closed.get(spec).copied().unwrap_or(Timestamp::MIN);
            if window.end > closed {
                continue;
            }
            if self.touched_count == MAX_TOUCHED {
                tracing::warn!(window = %spec.name(), "too many closed windows were touched at once; this one keeps its figures");
                continue;
            }
            self.touched_count += usize::from(self.touched.entry(*entry).or_default().insert(window));
        }
    }

    /// What is due now, in the order it must be computed. What is returned counts as computed.
    pub fn due(&mut self, now: Timestamp) -> Option<Due> {
        let until = now - GRACE;
        let mut windows: BTreeMap<usize, BTreeSet<Window>> = std::mem::take(&mut self.touched);
        self.touched_count = 0;
        let mut closed_now: HashMap<WindowSpec, Vec<Window>> = HashMap::new();
        for (spec, closed) in &mut self.closed {
            if until > *closed {
                let mut ended = spec.windows(*closed, until, &self.catalog.plant.calendar);
                ended.truncate(MAX_WINDOWS_PER_JOB);
                // With more to come the border stays at the last window taken, so that the next round goes on there.
                *closed = if ended.len() == MAX_WINDOWS_PER_JOB { ended[ended.len() - 1].end } else { until };
                self.latest_closed = self.latest_closed.max(*closed);
                closed_now.insert(spec.clone(), ended);
            }
        }
        for (entry, (_, spec)) in self.order.iter().enumerate() {
            if let Some(ended) = closed_now.get(spec).filter(|ended| !ended.is_empty()) {
                windows.entry(entry).or_default().extend(ended.iter().copied());
            }
        }
        let job = |(entry, windows): (usize, BTreeSet<Window>)| {
            let (model, spec) = self.order[entry].clone();
            Job { model, spec, windows: windows.into_iter().collect() }
        };
        let jobs: Vec<Job> = windows.into_iter().map(job).collect();
        (!jobs.is_empty()).then(|| Due { jobs, closed: self.closed_document() })
    }
}

/// Children before parents, so that a metric over children finds their figures. Within one window kind: file order.
fn order(catalog: &Catalog) -> Vec<(ModelIndex, WindowSpec)> {
    let models = &catalog.plant.models;
    let mut depth = vec![0_usize; models.len()];
    // A plant's hierarchy has no cycles (checked with the file), so as many rounds as there are models settle every depth.
    for _ in 0..models.len() {
        for (index, model) in models.iter().enumerate() {
            let below = model.hierarchies.iter().flat_map(|hierarchy| &hierarchy.models).filter(|child| child.0 != index);
            depth[index] = below.map(|child| depth[child.0] + 1).max().unwrap_or(0).min(models.len());
        }
    }
    let mut order = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let specs: BTreeSet<&WindowSpec> = metrics(model).map(|(spec, _)| spec).collect();
        order.extend(specs.into_iter().map(|spec| (ModelIndex(index), spec.clone())));
    }
    order.sort_by_key(|(model, _)| depth[model.0]);
    order
}

fn metrics(model: &AssetModel) -> impl Iterator<Item = (&WindowSpec, &MetricFormula)> {
    model.properties.iter().filter_map(|property| match &property.kind {
        PropertyKind::Metric { window, formula } => Some((window, formula)),
        _ => None,
    })
}

fn feeds(catalog: &Catalog, order: &[(ModelIndex, WindowSpec)]) -> HashMap<SeriesId, Vec<usize>> {
    let mut feeds: HashMap<SeriesId, BTreeSet<usize>> = HashMap::new();
    for (entry, (model_index, spec)) in order.iter().enumerate() {
        let model = &catalog.plant.models[model_index.0];
        let references = references(model, spec);
        for asset in catalog.plant.assets_of(*model_index) {
            for series in references.iter().flat_map(|reference| catalog.resolve(asset, reference)) {
                feeds.entry(series).or_default().insert(entry);
            }
        }
    }
    feeds.into_iter().map(|(series, entries)| (series, entries.into_iter().collect())).collect()
}

/// Everything the metrics of one model and window kind read.
fn references(model: &AssetModel, spec: &WindowSpec) -> Vec<Reference> {
    let mut references = Vec::new();
    for (_, formula) in metrics(model).filter(|(metric, _)| *metric == spec) {
        match formula {
            MetricFormula::Expression(expression) => references.extend(expression.references.iter().cloned()),
            MetricFormula::Oee(_) => references.extend(model.oee.iter().flat_map(|oee| {
                let optional = [&oee.planned_stop, &oee.bad, &oee.reason].into_iter().flatten();
                [&oee.running, &oee.good, &oee.ideal_rate].into_iter().chain(optional).map(|key| Reference::Own(key.clone()))
            })),
        }
    }
    references.dedup();
    references
}
