//! Samples that change nothing, which are most of them: they are only noted, in flat arrays, and their detectors learn of them before
//! anything else is done with them.
//!
//! A detector that has taken its samples says within which bands more of them would leave it [at rest](crate::detector::Body::rest).
//! From then on it is *watched*: a sample within its band replaces the value noted at its place. When a batch has any other sample for
//! it, or anything else happens to it, it *wakes*: it is told the noted values, and goes the long way with all of the batch. So a
//! detector never sees less than it would without this, and what is decided, explained and kept is the same to the last byte.

use crate::detector::Rest;
use crate::detector::{Body, MOST_AHEAD, lag};
use andon_models::{
    Point, Quality, SeriesId, Timestamp, Tqv, Value,
    expression::{Band, SlotValue},
    snapshot::DetectorSnapshot,
};
use std::ops::Range;

/// All places of all instances that samples go to.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// Where the places of a series begin; by series number, with one more at the end.
    starts: Vec<u32>,
    /// By series.
    places: Vec<Place>,
    /// The lines of the places; not needed for quiet samples.
    lines: Vec<u32>,
    /// By instance.
    watches: Vec<Watch>,
    /// Positions of places by instance; see [`Watch::own`].
    own: Vec<u32>,
    /// Counts batches.
    batch: u64,
    /// Never watches: what a test compares with.
    #[cfg(test)]
    pub off: bool,
}

/// What an instance reads from a series. One line of the processor's cache, as each sample touches one.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Place {
    instance: u32,
    band: Band,
    /// The value noted, or else the one its detector has.
    value: Value,
    time: Timestamp,
    /// Whether its detector does not know it yet.
    noted: bool,
}

/// What is noted of an instance as a whole. One line of the cache too.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Watch {
    /// Until when samples are quiet; `MIN` while it is awake.
    until: Timestamp,
    /// Whether a change of `behind` would move what it waits for.
    waits: bool,
    /// Whether its detector does not know yet what is noted.
    noted: bool,
    /// How far its devices' clocks are behind, by the newest sample of the last batch.
    behind: i64,
    /// The batch that said so, and the time of that sample.
    batch: u64,
    last: Timestamp,
    /// The newest time noted.
    newest: Timestamp,
    /// The range of its places in [`Quiet::own`].
    own: (u32, u32),
}

/// One sample on its way to one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed {
    pub instance: u32,
    pub line: u32,
    pub point: u32,
    pub time: Timestamp,
}

impl Quiet {
    /// Places for what instances read: for each instance the series of its lines. All are awake.
    pub fn new<'s>(instances: impl Iterator<Item = &'s [Option<SeriesId>]>) -> Self {
        let mut read: Vec<(SeriesId, u32, u32)> = Vec::new();
        let mut quiet = Self::default();
        for (instance, lines) in (0..).zip(instances) {
            read.extend((0..).zip(lines).filter_map(|(line, series)| Some(((*series)?, instance, line))));
            quiet.watches.push(Watch::awake());
        }
        read.sort_unstable();
        let mut places_of = vec![Vec::new(); quiet.watches.len()];
        for (position, (series, instance, line)) in (0..).zip(&read) {
            quiet.starts.resize(series.0 as usize + 1, position);
            quiet.places.push(Place::unknown(*instance));
            quiet.lines.push(*line);
            places_of[*instance as usize].push(position);
        }
        quiet.starts.push(count(quiet.places.len()));
        for (watch, own) in quiet.watches.iter_mut().zip(places_of) {
            let from = count(quiet.own.len());
            quiet.own.extend(own);
            watch.own = (from, count(quiet.own.len()));
        }
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
        for point in points {
            for position in self.places_of(point.series) {
                let place = &self.places[position];
                let watch = &mut self.watches[place.instance as usize];
                if point.tqv.time > ahead || !watch.is_quiet(place, &point.tqv, now) {
                    watch.until = Timestamp::MIN;
                }
            }
        }
        for (number, Point { series, tqv }) in (0..).zip(points) {
            for position in self.places_of(*series) {
                let place = &mut self.places[position];
                let watch = &mut self.watches[place.instance as usize];
                if watch.until == Timestamp::MIN {
                    let (instance, line) = (place.instance, self.lines[position]);
                    loud.push(Routed { instance, line, point: number, time: tqv.time });
                } else if tqv.time >= place.time {
                    place.value.clone_from(&tqv.value);
                    (place.time, place.noted) = (tqv.time, true);
                    watch.note(tqv.time, now, self.batch);
                }
            }
        }
    }

    fn places_of(&self, series: SeriesId) -> Range<usize> {
        let series = series.0 as usize;
        match self.starts.get(series..series + 2) {
            Some([from, to]) => *from as usize..*to as usize,
            _ => 0..0,
        }
    }

    /// Watches an instance that has just taken samples, within the bands of its places.
    pub fn watch(&mut self, number: u32, body: &Body, rest: Rest, bands: &[Band]) {
        #[cfg(test)]
        if self.off {
            return;
        }
        let watch = &mut self.watches[number as usize];
        (watch.until, watch.waits, watch.behind) = (rest.until, rest.waits, body.behind());
        for position in &self.own[watch.own.0 as usize..watch.own.1 as usize] {
            let place = &mut self.places[*position as usize];
            let line = self.lines[*position as usize] as usize;
            let known = &body.values[line];
            place.band = bands[line];
            place.value.clone_from(&known.value);
            place.time = known.time.unwrap_or(Timestamp::MIN);
        }
    }

    /// Tells a detector what was noted, before anything is done with it.
    pub fn wake(&mut self, number: u32, body: &mut Body) {
        let watch = &mut self.watches[number as usize];
        watch.until = Timestamp::MIN;
        if !std::mem::take(&mut watch.noted) {
            return;
        }
        for position in &self.own[watch.own.0 as usize..watch.own.1 as usize] {
            let place = &mut self.places[*position as usize];
            if std::mem::take(&mut place.noted) {
                let line = self.lines[*position as usize] as usize;
                body.learn(line, SlotValue::good(place.value.clone(), Some(place.time)));
            }
        }
        body.has_seen(watch.newest, watch.behind);
        watch.newest = Timestamp::MIN;
    }

    /// Brings the snapshot of a detector that sleeps up to what is noted.
    pub fn show(&self, number: u32, snapshot: &mut DetectorSnapshot) {
        let watch = &self.watches[number as usize];
        if watch.noted {
            snapshot.seen = snapshot.seen.max(watch.newest);
            snapshot.behind = watch.behind;
        }
    }
}

impl Place {
    fn unknown(instance: u32) -> Self {
        Self { instance, band: Band::Never, value: Value::Null, time: Timestamp::MIN, noted: false }
    }
}

impl Watch {
    fn awake() -> Self {
        let never = Timestamp::MIN;
        Self { until: never, waits: false, noted: false, behind: 0, batch: 0, last: never, newest: never, own: (0, 0) }
    }

    #[inline]
    fn is_quiet(&self, place: &Place, tqv: &Tqv, now: Timestamp) -> bool {
        tqv.quality == Quality::Good
            && tqv.time <= self.until
            && (!self.waits || lag(tqv.time, now) == self.behind)
            && place.band.holds(&place.value, &tqv.value)
    }

    /// Notes the time of a sample. Samples of one batch may come in any order; they count as if in order of time.
    #[inline]
    fn note(&mut self, time: Timestamp, now: Timestamp, batch: u64) {
        self.noted = true;
        self.newest = self.newest.max(time);
        if self.batch != batch || time >= self.last {
            (self.batch, self.last, self.behind) = (batch, time, lag(time, now));
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a plant file cannot hold four billion inputs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sample_touches_takes_one_line_of_the_cache_each() {
        assert_eq!((size_of::<Place>(), size_of::<Watch>()), (64, 64));
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
