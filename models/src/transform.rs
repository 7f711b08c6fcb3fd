//! Transforms: values computed per sample, in event order, from the newest values of their inputs.
//!
//! - A sample sets off every transform that reads it; the other inputs join with the newest value they had at that instant.
//!   The result carries the sample's time. Samples of one instant are taken together.
//! - An input that is not Good is null to the formula, and its quality passes on: what is computed from a lost source is lost too,
//!   even while other inputs go on. An input that never had a value gives no result at all.
//! - A late sample (older than its input's newest) gives a result at its own time and moves nothing else. What the other inputs
//!   were then may be forgotten, and their samples since joined without it: [`Transforms::take_late`] tells of it, to be computed
//!   again from what is stored. When sources deliver at different speeds, a sample that is new for its input but older than what
//!   others delivered also corrects the newest result.
//! - A formula of SiteWise joins the latest Good value of each input instead, is set off by Good samples only, and gives a Good
//!   result or none. See [`crate::expression::formula`].
//! - Attributes join but set nothing off. Chains work; a transform that reads itself, directly or not, is never computed.

use crate::{
    Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, ValueType,
    catalog::Catalog,
    definition::AssetIndex,
    expression::{Expression, SlotValue},
    window::Window,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

mod build;
mod formula;
pub mod over_history;

/// All transforms of a plant, with the newest values of their inputs.
#[derive(Clone, Debug)]
pub struct Transforms {
    /// Positions in `inputs`.
    positions: HashMap<SeriesId, usize>,
    inputs: Vec<Input>,
    /// In an order in which each comes after those it reads.
    derived: Vec<Derived>,
    work: Work,
}

/// A series that transforms read or write.
#[derive(Clone, Debug)]
struct Input {
    series: SeriesId,
    newest: Option<Tqv>,
    /// The value before the newest one: what was known when another source is a little behind.
    previous: Option<Tqv>,
    /// A late sample of the instant being computed.
    late: Option<Tqv>,
    /// What formulas read of it; kept only if one does.
    good: Option<formula::GoodValues>,
    /// An attribute: without time, and setting nothing off.
    constant: bool,
    /// Whether one of these joins it with another input that changes; not so for formulas of SiteWise, for which it counts what came
    /// first.
    joined: bool,
    /// Transforms that read it, in their order.
    readers: Vec<usize>,
}

/// One transform of one asset.
#[derive(Clone, Debug)]
struct Derived {
    expression: Arc<Expression>,
    value_type: ValueType,
    /// The input behind each slot.
    slots: Vec<Option<usize>>,
    /// What each slot of a formula asks of it; empty for expressions of the plant file.
    asks: Vec<formula::Asks>,
    /// Its own series.
    output: usize,
}

/// What `apply` would otherwise allocate again and again.
#[derive(Clone, Debug, Default)]
struct Work {
    due: BinaryHeap<Reverse<usize>>,
    is_due: Vec<bool>,
    values: Vec<SlotValue>,
    late: Vec<usize>,
    computed: Vec<usize>,
    /// From when to when samples came late of inputs that are joined.
    late_joins: BTreeMap<SeriesId, Window>,
}

impl Transforms {
    /// Prepares all transforms of a catalog. Nothing is known of their inputs yet, but attributes.
    pub fn new(catalog: &Catalog) -> Self {
        build::build(catalog, &|_| true)
    }

    /// As [`Self::new`], of those only that give a wanted series. What they read must be wanted too.
    pub fn of(catalog: &Catalog, wanted: &dyn Fn(SeriesId) -> bool) -> Self {
        build::build(catalog, wanted)
    }

    /// One formula alone, as a transform of an asset would be computed; its results are points of `output`, which no other series is.
    pub fn single(
        catalog: &Catalog,
        asset: AssetIndex,
        expression: &Arc<Expression>,
        value_type: ValueType,
        output: SeriesId,
    ) -> Self {
        build::single(catalog, asset, expression, value_type, output)
    }

    /// Takes up where an earlier run ended: `latest` gives the newest value of a series, of any quality.
    pub fn seed(&mut self, latest: impl Fn(SeriesId) -> Option<Tqv>) {
        for input in self.inputs.iter_mut().filter(|input| !input.constant) {
            input.newest = latest(input.series);
            input.previous = None;
            input.good = input.good.take().map(|_| formula::GoodValues::since(input.newest.as_ref()));
        }
    }

    /// Takes the newest values of some series for no longer known, and of all that is computed from them; gives all of these series.
    /// What formulas of SiteWise read is the latest Good value whatever came after it, and stays.
    pub fn doubt(&mut self, told: &HashSet<SeriesId>) -> HashSet<SeriesId> {
        let mut doubted = told.clone();
        for derived in &self.derived {
            let reads = |position: &usize| doubted.contains(&self.inputs[*position].series);
            if derived.slots.iter().flatten().any(reads) {
                doubted.insert(self.inputs[derived.output].series);
            }
        }
        for input in self.inputs.iter_mut().filter(|input| doubted.contains(&input.series)) {
            input.previous = None;
            if let Some(newest) = &mut input.newest {
                *newest = Tqv::bad(newest.time, StatusCode::NOT_CONNECTED);
            }
        }
        doubted
    }

    /// The series of which samples came late that transforms join with others, each with the first and the last of these.
    pub fn take_late(&mut self) -> BTreeMap<SeriesId, Window> {
        std::mem::take(&mut self.work.late_joins)
    }

    /// Learns results that were computed elsewhere; those that are still the newest are read by other transforms.
    pub fn learn(&mut self, points: &[Point]) {
        for Point { series, tqv } in points {
            let input = self.positions.get(series).map(|position| &mut self.inputs[*position]);
            if let Some(newest) = input.and_then(|input| input.newest.as_mut()).filter(|newest| newest.time == tqv.time) {
                newest.clone_from(tqv);
            }
        }
    }

    /// Adds what follows from a batch of points, of any series and in any order, to the batch.
    pub fn apply(&mut self, points: &mut Vec<Point>) {
        let mut order: Vec<(usize, usize)> = points
            .iter()
            .enumerate()
            .filter_map(|(index, point)| self.positions.get(&point.series).map(|position| (index, *position)))
            .collect();
        order.sort_by_key(|(index, _)| points[*index].tqv.time);
        let mut rest = &order[..];
        while let Some((first, _)) = rest.first() {
            let time = points[*first].tqv.time;
            let instant = rest.iter().take_while(|(index, _)| points[*index].tqv.time == time).count();
            for (index, position) in &rest[..instant] {
                self.take(*position, points[*index].tqv.clone());
            }
            rest = &rest[instant..];
            self.compute(time, points);
        }
    }

    /// Takes a value of an input; its readers are due.
    fn take(&mut self, position: usize, tqv: Tqv) {
        if self.inputs[position].joined && self.is_behind(position, tqv.time) {
            let only = Window { start: tqv.time, end: tqv.time };
            let late = self.work.late_joins.entry(self.inputs[position].series).or_insert(only);
            *late = late.hull(only);
        }
        let input = &mut self.inputs[position];
        let good = tqv.quality == Quality::Good && tqv.value != Value::Null;
        if let Some(values) = input.good.as_mut().filter(|_| good) {
            values.take(&tqv);
        }
        match &input.newest {
            Some(newest) if tqv.time < newest.time && !input.constant => {
                input.late = Some(tqv);
                self.work.late.push(position);
            }
            Some(newest) if tqv.time > newest.time => input.previous = input.newest.replace(tqv),
            _ => input.newest = Some(tqv),
        }
        if !input.constant {
            for reader in &input.readers {
                if self.derived[*reader].asks.is_empty() || good {
                    self.work.mark(*reader);
                }
            }
        }
    }

    /// Whether a sample comes so late that what it is joined with then is not known any more, or that others were joined without it.
    fn is_behind(&self, position: usize, time: Timestamp) -> bool {
        let after = |tqv: &Option<Tqv>| tqv.as_ref().is_some_and(|tqv| tqv.time > time);
        let passed = |other: &usize| {
            let input = &self.inputs[*other];
            *other != position
                && !input.constant
                && after(&input.newest)
                && (input.previous.is_none() || after(&input.previous))
        };
        let input = &self.inputs[position];
        let readers = input.readers.iter().map(|reader| &self.derived[*reader]).filter(|reader| reader.asks.is_empty());
        after(&input.newest) || readers.flat_map(|reader| reader.slots.iter().flatten()).any(passed)
    }

    /// Computes everything due at an instant, and corrects what is newer but was computed without it.
    fn compute(&mut self, time: Timestamp, points: &mut Vec<Point>) {
        self.work.computed.clear();
        while let Some(Reverse(index)) = self.work.due.pop() {
            self.work.is_due[index] = false;
            self.work.computed.push(index);
            let result = match self.derived[index].asks.is_empty() {
                true => self.evaluate(index, |input| input.as_of(time)),
                false => self.evaluate_formula(index, time),
            };
            self.put(index, time, result, points);
        }
        for position in self.work.late.drain(..) {
            let input = &mut self.inputs[position];
            input.late = None;
            input.good.iter_mut().for_each(formula::GoodValues::settle);
        }
        let computed = std::mem::take(&mut self.work.computed);
        for index in computed.iter().copied() {
            let Some(newest) = self.newest_time(index).filter(|newest| *newest > time) else { continue };
            let result = match self.derived[index].asks.is_empty() {
                true => self.evaluate(index, |input| input.newest.as_ref()),
                false => self.evaluate_formula(index, newest),
            };
            let current = self.inputs[self.derived[index].output].newest.as_ref();
            let same = |result: &Computed| {
                current.is_some_and(|current| (&current.value, current.quality) == (&result.value, result.quality))
            };
            if result.as_ref().is_some_and(|result| !same(result)) {
                self.put(index, newest, result, points);
                // Goes on with its readers; time only grows towards the newest sample, so this ends.
                self.compute(newest, points);
            }
        }
        self.work.computed = computed;
    }

    fn put(&mut self, index: usize, time: Timestamp, result: Option<Computed>, points: &mut Vec<Point>) {
        let Some(Computed { value, quality, status }) = result else { return };
        let output = self.derived[index].output;
        let tqv = Tqv { time, quality, status, value };
        points.push(Point { series: self.inputs[output].series, tqv: tqv.clone() });
        self.take(output, tqv);
    }

    fn newest_time(&self, index: usize) -> Option<Timestamp> {
        let inputs = self.derived[index].slots.iter().flatten().map(|position| &self.inputs[*position]);
        inputs.filter(|input| !input.constant).filter_map(|input| input.newest.as_ref()).map(|newest| newest.time).max()
    }

    /// The result for the values `choose` picks; none when an input never had a value and the formula needs it.
    fn evaluate<'i>(&'i mut self, index: usize, choose: impl Fn(&'i Input) -> Option<&'i Tqv>) -> Option<Computed> {
        let Self { inputs, derived, work, .. } = self;
        let derived = &derived[index];
        let chosen = |slot: &Option<usize>| slot.and_then(|position| choose(&inputs[position]));
        work.values.clear();
        work.values.extend(derived.slots.iter().map(|slot| chosen(slot).map_or_else(SlotValue::missing, SlotValue::from)));
        let result = derived.expression.evaluate(&work.values);
        if result.value == Value::Null && derived.slots.iter().any(|slot| chosen(slot).is_none()) {
            return None;
        }
        let none = Computed { value: Value::Null, quality: Quality::Bad, status: StatusCode::NO_DATA };
        if result.quality != Quality::Good {
            let cause = derived.slots.iter().filter_map(chosen).find(|tqv| tqv.quality == result.quality);
            let status = cause.map_or(StatusCode::NO_DATA, |tqv| tqv.status);
            let value = result.value.coerce(derived.value_type).unwrap_or(Value::Null);
            return Some(Computed { value, quality: result.quality, status });
        }
        match result.value.coerce(derived.value_type) {
            None | Some(Value::Null) => Some(none),
            Some(value) => Some(Computed { value, quality: Quality::Good, status: StatusCode::GOOD }),
        }
    }
}

/// A result without its time.
struct Computed {
    value: Value,
    quality: Quality,
    status: StatusCode,
}

impl Work {
    fn mark(&mut self, index: usize) {
        if !std::mem::replace(&mut self.is_due[index], true) {
            self.due.push(Reverse(index));
        }
    }
}

impl Input {
    /// What was known of it at an instant; the oldest value still known if all are newer.
    fn as_of(&self, time: Timestamp) -> Option<&Tqv> {
        let known = [self.late.as_ref(), self.newest.as_ref(), self.previous.as_ref()];
        let then = known.into_iter().flatten().filter(|tqv| self.constant || tqv.time <= time).max_by_key(|tqv| tqv.time);
        then.or(self.previous.as_ref()).or(self.newest.as_ref())
    }
}

#[cfg(test)]
mod tests;
