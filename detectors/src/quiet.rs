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
use std::{ops::Range, time::Duration};

/// The least difference of two times.
const NANOSECOND: Duration = Duration::from_nanos(1);

/// All places of all instances that samples go to.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// Where the places of a series begin; by series number, with one more at the end.
    starts: Vec<u32>,
    /// By series.
    places: Vec<Place>,
    /// What was known of each place before the last batch that brought it something.
    before: Vec<Known>,
    /// The lines of the places; not needed for quiet samples.
    lines: Vec<u32>,
    /// Where the places of an instance begin in `own`; by instance, with one more at the end.
    own_starts: Vec<u32>,
    /// Positions of places by instance.
    own: Vec<u32>,
    /// Counts batches, from 1 on.
    batch: u64,
    /// Never watches: what a test compares with.
    #[cfg(test)]
    pub off: bool,
}

/// What an instance reads from a series: everything that a quiet sample needs, and nothing else, since each of them touches one.
#[derive(Clone, Debug)]
struct Place {
    instance: u32,
    /// Whether a change of how far its devices' clocks are behind would move what the instance waits for.
    waits: bool,
    /// Samples before this are quiet; `MIN` while the instance is awake.
    until: Timestamp,
    band: Band,
    known: Known,
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
        read.sort_unstable();
        let mut quiet = Self::default();
        for (position, (series, instance, line)) in (0..).zip(&read) {
            quiet.starts.resize(series.0 as usize + 1, position);
            quiet.places.push(Place::awake(*instance));
            quiet.before.push(Known::nothing());
            quiet.lines.push(*line);
            places_of[*instance as usize].push(position);
        }
        quiet.starts.push(count(quiet.places.len()));
        for own in places_of {
            quiet.own_starts.push(count(quiet.own.len()));
            quiet.own.extend(own);
        }
        quiet.own_starts.push(count(quiet.own.len()));
        quiet
    }

    /// The series that somebody reads.
    pub fn reads(&self) -> Vec<SeriesId> {
        let read = (0..).zip(self.starts.windows(2)).filter(|(_, range)| range[0] < range[1]);
        read.map(|(series, _)| SeriesId(series)).collect()
    }

    /// Notes the quiet samples of a batch; the others are put into `loud`. An instance with any loud one wakes, so that it takes all
    /// of the batch the long way, in order of time.
    pub fn take(&mut self, now: Timestamp, points: &[Point], loud: &mut Vec<Routed>) {
        self.batch += 1;
        let ahead = now + MOST_AHEAD;
        let mut woken_late = false;
        for (number, Point { series, tqv }) in (0..).zip(points) {
            for position in self.places_of(*series) {
                let place = &mut self.places[position];
                if tqv.time <= ahead && place.is_quiet(tqv, now) {
                    place.note(tqv, now, self.batch, &mut self.before[position]);
                } else {
                    let (instance, asleep) = (place.instance, place.until > Timestamp::MIN);
                    woken_late |= asleep && self.rouse(instance);
                    loud.push(Routed { instance, line: self.lines[position], point: number, time: tqv.time });
                }
            }
        }
        if woken_late {
            self.route(points, loud);
        }
    }

    /// Wakes an instance amid a batch, as if nothing of the batch had been noted. Says whether anything was.
    fn rouse(&mut self, instance: u32) -> bool {
        let mut noted = false;
        for own in self.own_by(instance) {
            let position = self.own[own] as usize;
            let place = &mut self.places[position];
            place.until = Timestamp::MIN;
            if place.known.batch == self.batch {
                place.known.clone_from(&self.before[position]);
                noted = true;
            }
        }
        noted
    }

    /// Puts all samples of a batch into `loud` that are for instances which are awake.
    fn route(&self, points: &[Point], loud: &mut Vec<Routed>) {
        loud.clear();
        for (number, Point { series, tqv }) in (0..).zip(points) {
            for position in self.places_of(*series) {
                let place = &self.places[position];
                if place.until == Timestamp::MIN {
                    loud.push(Routed { instance: place.instance, line: self.lines[position], point: number, time: tqv.time });
                }
            }
        }
    }

    #[inline]
    fn places_of(&self, series: SeriesId) -> Range<usize> {
        range(&self.starts, series.0)
    }

    /// Where the positions of an instance's places stand in `own`.
    fn own_by(&self, instance: u32) -> Range<usize> {
        range(&self.own_starts, instance)
    }

    /// Watches an instance that has just taken samples, within the bands of its places.
    pub fn watch(&mut self, number: u32, body: &Body, rest: Rest, bands: &[Band]) {
        #[cfg(test)]
        if self.off {
            return;
        }
        for own in self.own_by(number) {
            let position = self.own[own] as usize;
            let line = self.lines[position] as usize;
            let place = &mut self.places[position];
            (place.until, place.waits, place.band) = (rest.until + NANOSECOND, rest.waits, bands[line]);
            place.known = Known::by_detector(body, line);
        }
    }

    /// Tells a detector what was noted, before anything is done with it.
    pub fn wake(&mut self, number: u32, body: &mut Body) {
        let noted = self.noted(number);
        for own in self.own_by(number) {
            let position = self.own[own] as usize;
            let place = &mut self.places[position];
            place.until = Timestamp::MIN;
            if std::mem::take(&mut place.known.batch) != 0 {
                body.learn(self.lines[position] as usize, SlotValue::good(place.known.value.clone(), Some(place.known.time)));
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
            let known = &self.places[self.own[own] as usize].known;
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

impl Place {
    fn awake(instance: u32) -> Self {
        Self { instance, waits: false, until: Timestamp::MIN, band: Band::Never, known: Known::nothing() }
    }

    #[inline]
    fn is_quiet(&self, tqv: &Tqv, now: Timestamp) -> bool {
        tqv.quality == Quality::Good
            && tqv.time < self.until
            && (!self.waits || lag(tqv.time, now) == self.known.behind)
            && self.band.holds(&self.known.value, &tqv.value)
    }

    /// Notes a sample; a late one goes to history and is nothing new.
    #[inline]
    fn note(&mut self, tqv: &Tqv, now: Timestamp, batch: u64, before: &mut Known) {
        if tqv.time < self.known.time {
            return;
        }
        if self.known.batch != batch {
            std::mem::swap(&mut self.known, before);
        }
        // In place: a value put together elsewhere and copied whole costs as much as all the rest.
        match (&mut self.known.value, &tqv.value) {
            (Value::Double(known), Value::Double(value)) => *known = *value,
            (known, value) => known.clone_from(value),
        }
        (self.known.time, self.known.batch, self.known.behind) = (tqv.time, batch, lag(tqv.time, now));
    }
}

impl Known {
    fn nothing() -> Self {
        Self { value: Value::Null, time: Timestamp::MIN, batch: 0, behind: 0 }
    }

    fn by_detector(body: &Body, line: usize) -> Self {
        let SlotValue { value, time, .. } = &body.values[line];
        Self { value: value.clone(), time: time.unwrap_or(Timestamp::MIN), batch: 0, behind: body.behind() }
    }
}

/// The stretch that belongs to a number, by where each begins; empty for numbers beyond.
#[inline]
fn range(starts: &[u32], number: u32) -> Range<usize> {
    let number = number as usize;
    match starts.get(number..).and_then(|starts| starts.first_chunk()) {
        Some([from, to]) => *from as usize..*to as usize,
        None => 0..0,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a plant file cannot hold four billion inputs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_touches_little() {
        assert!(size_of::<Place>() <= 88, "{}", size_of::<Place>());
    }

    #[test]
    fn places_are_found_by_series() {
        let series = |numbers: &[Option<u32>]| numbers.iter().map(|number| number.map(SeriesId)).collect::<Vec<_>>();
        let instances = [series(&[Some(5), None, Some(2)]), series(&[]), series(&[Some(5), Some(5)])];
        let quiet = Quiet::new(instances.iter().map(Vec::as_slice));
        assert_eq!(quiet.reads(), [SeriesId(2), SeriesId(5)]);
        let of = |number| -> Vec<(u32, u32)> {
            quiet.places_of(SeriesId(number)).map(|position| (quiet.places[position].instance, quiet.lines[position])).collect()
        };
        assert_eq!((of(2), of(5)), (vec![(0, 2)], vec![(0, 0), (2, 0), (2, 1)]));
        assert_eq!((of(0), of(3), of(6), of(u32::MAX)), Default::default());
    }
}
