//! Samples that change nothing, which are most of them: they are only noted, in flat arrays, and their detectors learn of them before
//! anything else is done with them.
//!
//! A detector that has taken its samples says within which bands more of them would leave it [at rest](crate::detector::Body::rest).
//! From then on it is *watched*: a sample within its band replaces the value noted at its place. When a batch has any other sample for
//! it, or anything else happens to it, it *wakes*: it is told the noted values, and goes the long way with all of the batch. So a
//! detector never sees less than it would without this, and what is decided, explained and kept is the same to the last byte.

use crate::detector::{Body, MOST_AHEAD, Rest, lag};
use andon_models::{
    Point, Quality, SeriesId, Timestamp, Tqv, Value,
    expression::{Band, SlotValue},
    snapshot::DetectorSnapshot,
};
use std::time::Duration;

/// The least difference of two times.
const NANOSECOND: Duration = Duration::from_nanos(1);

/// Points whose series are looked at together: the processor fetches them side by side, where one after the other each waits for memory.
const SIDE_BY_SIDE: usize = 64;

/// No place, at the end of a chain.
const NONE: u32 = u32::MAX;

/// All places of all instances that samples go to: those of one line of the models next to each other, since sources deliver one
/// property of many machines together.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// The first place of each series, or [`NONE`].
    first: Vec<u32>,
    gates: Vec<Gate>,
    known: Vec<Known>,
    /// The lines of the places; not needed for quiet samples.
    lines: Vec<u32>,
    /// Where the places of an instance begin in `own`; by instance, with one more at the end.
    own_starts: Vec<u32>,
    /// Positions of places by instance.
    own: Vec<u32>,
    /// Counts batches, from 1 on.
    batch: u64,
    /// Instances that a batch wakes; kept to save allocations.
    roused: Vec<u32>,
    /// Never watches: what a test compares with.
    #[cfg(test)]
    pub off: bool,
}

/// Which samples of a place are quiet: everything that tells, and nothing else, since each sample looks at one.
#[derive(Clone, Debug)]
struct Gate {
    /// Samples before this are quiet; `MIN` while the instance is awake.
    until: Timestamp,
    band: Band,
    instance: u32,
    /// The next place of its series, or [`NONE`].
    next: u32,
    /// Whether a change of how far its devices' clocks are behind would move what the instance waits for.
    waits: bool,
}

/// The newest value of a place, and the batch that brought it.
#[derive(Clone, Debug)]
struct Known {
    value: Value,
    time: Timestamp,
    /// The batch it was noted in; 0 if its detector knows it.
    batch: u64,
    /// How far the devices' clocks were behind then.
    behind: i64,
}

/// One sample on its way to one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed {
    pub instance: u32,
    pub line: u32,
    pub point: u32,
    pub time: Timestamp,
}

/// What is noted of an instance as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    /// The newest time.
    newest: Option<Timestamp>,
    /// Its last batch and the newest time in that, and how far the device's clock was behind by then.
    last: (u64, Timestamp),
    behind: i64,
}

impl Quiet {
    /// Places for what instances read: for each instance the series of its lines. All are awake.
    pub fn new<'s>(instances: impl Iterator<Item = &'s [Option<SeriesId>]>) -> Self {
        let mut read: Vec<(SeriesId, u32, u32)> = Vec::new();
        let mut places_of = Vec::new();
        for (instance, lines) in (0..).zip(instances) {
            read.extend((0..).zip(lines).filter_map(|(line, series)| Some(((*series)?, instance, line))));
            places_of.push(Vec::new());
        }
        read.sort_unstable_by_key(|(series, instance, line)| (*line, *series, *instance));
        let mut quiet = Self::default();
        quiet.first.resize(read.iter().map(|(series, ..)| series.0 as usize + 1).max().unwrap_or_default(), NONE);
        for (position, (_, instance, line)) in (0..).zip(&read) {
            places_of[*instance as usize].push(position);
            quiet.gates.push(Gate::closed(*instance));
            quiet.known.push(Known::nothing());
            quiet.lines.push(*line);
        }
        // From behind, so that each chain is in the order of its places.
        for (position, (series, ..)) in read.iter().enumerate().rev() {
            quiet.gates[position].next = std::mem::replace(&mut quiet.first[series.0 as usize], count(position));
        }
        for own in places_of {
            quiet.own_starts.push(count(quiet.own.len()));
            quiet.own.extend(own);
        }
        quiet.own_starts.push(count(quiet.own.len()));
        quiet
    }

    /// The series that somebody reads.
    pub fn reads(&self) -> Vec<SeriesId> {
        let read = (0..).zip(&self.first).filter(|(_, first)| **first != NONE);
        read.map(|(series, _)| SeriesId(series)).collect()
    }

    /// Notes the quiet samples of a batch; the others are put into `loud`. An instance with any loud one wakes first, so that it takes
    /// all of the batch the long way, in order of time.
    pub fn take(&mut self, now: Timestamp, points: &[Point], loud: &mut Vec<Routed>) {
        self.batch += 1;
        self.rouse(now, points);
        let Self { first, gates, known, lines, batch, .. } = self;
        for (number, Point { series, tqv }) in (0..).zip(points) {
            let mut next = *first.get(series.0 as usize).unwrap_or(&NONE);
            while let (Some(gate), Some(known)) = (gates.get(next as usize), known.get_mut(next as usize)) {
                if gate.until == Timestamp::MIN {
                    loud.push(Routed { instance: gate.instance, line: lines[next as usize], point: number, time: tqv.time });
                } else {
                    known.note(tqv, now, *batch);
                }
                next = gate.next;
            }
        }
    }

    /// Wakes the instances for which a sample of a batch is not quiet; they are told of what is noted when they run.
    fn rouse(&mut self, now: Timestamp, points: &[Point]) {
        let Self { first, gates, known, roused, .. } = self;
        let ahead = now + MOST_AHEAD;
        for points in points.chunks(SIDE_BY_SIDE) {
            let mut series = [0; SIDE_BY_SIDE];
            series.iter_mut().zip(points).for_each(|(series, point)| *series = point.series.0);
            for (series, Point { tqv, .. }) in series.into_iter().zip(points) {
                let mut next = *first.get(series as usize).unwrap_or(&NONE);
                while let Some(gate) = gates.get(next as usize) {
                    let quiet = tqv.time <= ahead && gate.lets_rest(tqv, now, &known[next as usize]);
                    if !quiet && gate.until > Timestamp::MIN {
                        roused.push(gate.instance);
                    }
                    next = gate.next;
                }
            }
        }
        for instance in roused.drain(..) {
            for own in stretch(&self.own_starts, &self.own, instance) {
                gates[*own as usize].until = Timestamp::MIN;
            }
        }
    }

    /// Positions of an instance's places.
    fn own_by(&self, instance: u32) -> &[u32] {
        stretch(&self.own_starts, &self.own, instance)
    }

    /// Watches an instance that has just taken samples, within the bands of its places.
    pub fn watch(&mut self, number: u32, body: &Body, rest: Rest, bands: &[Band]) {
        #[cfg(test)]
        if self.off {
            return;
        }
        for own in stretch(&self.own_starts, &self.own, number) {
            let position = *own as usize;
            let line = self.lines[position] as usize;
            let gate = &mut self.gates[position];
            (gate.until, gate.waits, gate.band) = (rest.until + NANOSECOND, rest.waits, bands[line]);
            self.known[position] = Known::by_detector(body, line);
        }
    }

    /// Tells a detector what was noted, before anything is done with it.
    pub fn wake(&mut self, number: u32, body: &mut Body) {
        let noted = self.noted(number);
        for own in stretch(&self.own_starts, &self.own, number) {
            let position = *own as usize;
            self.gates[position].until = Timestamp::MIN;
            let known = &mut self.known[position];
            if std::mem::take(&mut known.batch) != 0 {
                body.learn(self.lines[position] as usize, SlotValue::good(known.value.clone(), Some(known.time)));
            }
        }
        if let Some(newest) = noted.newest {
            body.has_seen(newest, noted.behind);
        }
    }

    /// Brings the snapshot of a detector that sleeps up to what is noted.
    pub fn show(&self, number: u32, snapshot: &mut DetectorSnapshot) {
        let noted = self.noted(number);
        if let Some(newest) = noted.newest {
            snapshot.seen = snapshot.seen.max(newest);
            snapshot.behind = noted.behind;
        }
    }

    fn noted(&self, number: u32) -> Noted {
        let mut noted = Noted::default();
        for own in self.own_by(number) {
            let known = &self.known[*own as usize];
            let last = (known.batch, known.time);
            if known.batch != 0 {
                noted.newest = noted.newest.max(Some(known.time));
                if last >= noted.last {
                    (noted.last, noted.behind) = (last, known.behind);
                }
            }
        }
        noted
    }
}

impl Gate {
    fn closed(instance: u32) -> Self {
        Self { until: Timestamp::MIN, band: Band::Never, instance, next: NONE, waits: false }
    }

    #[inline]
    fn lets_rest(&self, tqv: &Tqv, now: Timestamp, known: &Known) -> bool {
        tqv.quality == Quality::Good
            && tqv.time < self.until
            && self.band.holds(&known.value, &tqv.value)
            && (!self.waits || lag(tqv.time, now) == known.behind)
    }
}

impl Known {
    fn nothing() -> Self {
        Self { value: Value::Null, time: Timestamp::MIN, batch: 0, behind: 0 }
    }

    /// Notes a sample; a late one goes to history and is nothing new.
    #[inline]
    fn note(&mut self, tqv: &Tqv, now: Timestamp, batch: u64) {
        if tqv.time < self.time {
            return;
        }
        // In place: a value put together elsewhere and copied whole costs as much as all the rest.
        match (&mut self.value, &tqv.value) {
            (Value::Double(known), Value::Double(value)) => *known = *value,
            (known, value) => known.clone_from(value),
        }
        (self.time, self.batch, self.behind) = (tqv.time, batch, lag(tqv.time, now));
    }

    fn by_detector(body: &Body, line: usize) -> Self {
        let SlotValue { value, time, .. } = &body.values[line];
        Self { value: value.clone(), time: time.unwrap_or(Timestamp::MIN), batch: 0, behind: body.behind() }
    }
}

/// What of a list belongs to a number, by where each begins; nothing for numbers beyond.
#[inline]
fn stretch<'l>(starts: &[u32], list: &'l [u32], number: u32) -> &'l [u32] {
    let bounds = starts.get(number as usize..).and_then(|starts| starts.first_chunk());
    bounds.and_then(|[from, to]| list.get(*from as usize..*to as usize)).unwrap_or_default()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a plant file cannot hold four billion inputs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_touches_little() {
        assert!(size_of::<Gate>() <= 48 && size_of::<Known>() <= 48, "{} {}", size_of::<Gate>(), size_of::<Known>());
    }

    #[test]
    fn places_are_found_by_series() {
        let series = |numbers: &[Option<u32>]| numbers.iter().map(|number| number.map(SeriesId)).collect::<Vec<_>>();
        let instances = [series(&[Some(5), None, Some(2)]), series(&[]), series(&[Some(5), Some(5)])];
        let quiet = Quiet::new(instances.iter().map(Vec::as_slice));
        assert_eq!(quiet.reads(), [SeriesId(2), SeriesId(5)]);
        let of = |number| -> Vec<(u32, u32)> {
            let first = quiet.first.get(number as usize).copied();
            let chain = std::iter::successors(first, |position| quiet.gates.get(*position as usize).map(|gate| gate.next));
            let positions = chain.take_while(|position| *position != NONE).map(|position| position as usize);
            positions.map(|position| (quiet.gates[position].instance, quiet.lines[position])).collect()
        };
        assert_eq!((of(2), of(5)), (vec![(0, 2)], vec![(0, 0), (2, 0), (2, 1)]));
        assert_eq!((of(0), of(3), of(6), of(u32::MAX)), Default::default());
    }
}
