//! Transforms computed again over what is stored: values in order of time in, and out comes what of their results is new.
//!
//! It is the evaluator of live values. What is stored of the results is read beside their inputs: what comes out the same is not
//! written again.

use super::Transforms;
use crate::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, catalog::Catalog, definition::PropertyKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Some transforms, with what they read.
#[derive(Clone, Debug)]
pub struct OverHistory {
    transforms: Transforms,
    outputs: BTreeSet<SeriesId>,
    inputs: BTreeSet<SeriesId>,
}

impl OverHistory {
    /// These transforms, and all that read them.
    pub fn new(catalog: &Catalog, wanted: &BTreeSet<SeriesId>) -> Self {
        let transforms = wanted.iter().copied().filter(|series| is_transform(catalog, *series));
        let outputs = Readers::of(catalog).with(transforms);
        let inputs = outputs.iter().flat_map(|series| reads(catalog, *series));
        let inputs = inputs.filter(|series| !outputs.contains(series)).collect();
        Self { transforms: Transforms::of(catalog, &|series| outputs.contains(&series)), outputs, inputs }
    }

    /// What is read: what they are computed from, and their own results as they are stored.
    pub fn series(&self) -> Vec<SeriesId> {
        self.inputs.iter().chain(&self.outputs).copied().collect()
    }

    /// What they are computed from.
    pub fn inputs(&self) -> Vec<SeriesId> {
        self.inputs.iter().copied().collect()
    }

    /// Whether a series is a result.
    pub fn gives(&self, series: SeriesId) -> bool {
        self.outputs.contains(&series)
    }

    /// Takes the values that hold at the beginning. What they lead to is known already.
    pub fn begin(&mut self, values: &HashMap<SeriesId, Tqv>) {
        let before = values.iter().filter(|(series, _)| self.inputs.contains(series));
        let mut points: Vec<Point> = before.map(|(series, tqv)| Point { series: *series, tqv: tqv.clone() }).collect();
        // What is taken at one instant is taken in this order.
        points.sort_by_key(|point| (point.tqv.time, point.series));
        self.transforms.apply(&mut points);
    }

    /// Plays values in order of time: all there are of [`Self::series`] in a stretch. Gives what is to be stored.
    pub fn play(&mut self, points: Vec<Point>) -> Vec<Point> {
        let (stored, mut points): (Vec<Point>, Vec<Point>) =
            points.into_iter().partition(|point| self.outputs.contains(&point.series));
        let given = points.len();
        self.transforms.apply(&mut points);
        let key = |point: &Point| (point.tqv.time, point.series, point.tqv.quality);
        let stored: BTreeMap<_, Tqv> = stored.into_iter().map(|point| (key(&point), point.tqv)).collect();
        // Of two results of one instant the later one counts.
        let results: BTreeMap<_, Point> = points.drain(given..).map(|point| ((point.tqv.time, point.series), point)).collect();
        let mut new: Vec<Point> = Vec::new();
        for ((time, series, quality), tqv) in &stored {
            let is_good = *quality == Quality::Good && tqv.value != Value::Null;
            let holds = results.get(&(*time, *series)).is_some_and(|result| result.tqv.quality == Quality::Good);
            if is_good && !holds {
                new.push(Point { series: *series, tqv: nothing(*time) });
            }
        }
        new.extend(results.into_values().filter(|point| !stored.get(&key(point)).is_some_and(|known| same(known, &point.tqv))));
        new.sort_by_key(key);
        new
    }
}

/// What takes the place of a value that there is none of any more.
fn nothing(time: Timestamp) -> Tqv {
    Tqv { time, quality: Quality::Good, status: StatusCode::NO_DATA, value: Value::Null }
}

/// Whether two values are the same to the bit.
fn same(one: &Tqv, other: &Tqv) -> bool {
    let value = match (&one.value, &other.value) {
        (Value::Double(one), Value::Double(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    };
    value && (one.quality, one.status) == (other.quality, other.status)
}

/// Whether a series is the result of a transform.
pub fn is_transform(catalog: &Catalog, series: SeriesId) -> bool {
    catalog.property(series).is_some_and(|property| matches!(property.kind, PropertyKind::Transform { .. }))
}

/// The transforms that series are computed from, directly or not; not these themselves.
pub fn behind(catalog: &Catalog, series: impl IntoIterator<Item = SeriesId>) -> BTreeSet<SeriesId> {
    let mut open: Vec<SeriesId> = series.into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(series) = open.pop() {
        for read in reads(catalog, series) {
            if is_transform(catalog, read) && found.insert(read) {
                open.push(read);
            }
        }
    }
    found
}

/// Which transforms read a series.
#[derive(Clone, Debug)]
pub struct Readers(HashMap<SeriesId, Vec<SeriesId>>);

impl Readers {
    /// Those of a plant.
    pub fn of(catalog: &Catalog) -> Self {
        let mut readers: HashMap<SeriesId, Vec<SeriesId>> = HashMap::new();
        for entry in catalog.series() {
            for read in reads(catalog, entry.id) {
                readers.entry(read).or_default().push(entry.id);
            }
        }
        Self(readers)
    }

    /// The transforms that read any of these, directly or not.
    pub fn all(&self, series: impl IntoIterator<Item = SeriesId>) -> BTreeSet<SeriesId> {
        let first = series.into_iter().flat_map(|series| self.direct(series).to_vec());
        self.with(first.collect::<BTreeSet<_>>())
    }

    /// These, and all that read them, directly or not.
    fn with(&self, series: impl IntoIterator<Item = SeriesId>) -> BTreeSet<SeriesId> {
        let mut open: Vec<SeriesId> = series.into_iter().collect();
        let mut found: BTreeSet<SeriesId> = open.iter().copied().collect();
        while let Some(series) = open.pop() {
            open.extend(self.direct(series).iter().copied().filter(|reader| found.insert(*reader)));
        }
        found
    }

    fn direct(&self, series: SeriesId) -> &[SeriesId] {
        self.0.get(&series).map_or(&[], Vec::as_slice)
    }
}

/// What a transform reads; nothing for any other series.
fn reads(catalog: &Catalog, series: SeriesId) -> Vec<SeriesId> {
    let (Some(entry), Some(property)) = (catalog.entry(series), catalog.property(series)) else { return Vec::new() };
    let PropertyKind::Transform { expression } = &property.kind else { return Vec::new() };
    // As a transform takes it: of each reference the first series.
    expression.references.iter().filter_map(|reference| catalog.resolve(entry.asset, reference).first().copied()).collect()
}
