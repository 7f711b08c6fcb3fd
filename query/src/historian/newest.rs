//! The newest value of every series. Series numbers are dense, so a value is found by its place, without hashing, and a million
//! series take little more than their values.

use crate::directory::FIRST_STREAM;
use andon_models::{Point, SeriesId, Timestamp, Tqv};

/// The newest value of a series.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The value.
    pub tqv: Tqv,
    /// Newest time of the series outside the hot buffer: only rows up to it can repeat a row there.
    pub settled: Timestamp,
}

/// The newest values: of properties by number, and of data streams, whose numbers begin elsewhere.
#[derive(Default)]
pub struct NewestValues {
    properties: Vec<Option<Newest>>,
    streams: Vec<Option<Newest>>,
    len: usize,
}

impl NewestValues {
    /// The newest value of a series.
    pub fn get(&self, series: SeriesId) -> Option<&Newest> {
        let (values, place) = match series.0.checked_sub(FIRST_STREAM) {
            Some(place) => (&self.streams, place),
            None => (&self.properties, series.0),
        };
        values.get(place as usize)?.as_ref()
    }

    /// Takes a value, if none newer is known. Rows up to `settled` are outside the hot buffer.
    pub fn remember(&mut self, point: Point, settled: Timestamp) {
        let Point { series, tqv } = point;
        let (values, place) = match series.0.checked_sub(FIRST_STREAM) {
            Some(place) => (&mut self.streams, place as usize),
            None => (&mut self.properties, series.0 as usize),
        };
        if place >= values.len() {
            values.resize_with(place + 1, || None);
        }
        match &mut values[place] {
            Some(known) => {
                known.settled = known.settled.max(settled);
                if tqv.time >= known.tqv.time {
                    known.tqv = tqv;
                }
            }
            empty => {
                self.len += 1;
                *empty = Some(Newest { tqv, settled });
            }
        }
    }

    /// From now on no value is in the hot buffer.
    pub fn settle(&mut self) {
        for newest in self.properties.iter_mut().chain(&mut self.streams).flatten() {
            newest.settled = newest.tqv.time;
        }
    }

    /// All values, in the order of their series.
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::with_capacity(self.len);
        for (first, values) in [(0, &self.properties), (FIRST_STREAM, &self.streams)] {
            let known = (first..).zip(values).filter_map(|(series, newest)| Some((series, newest.as_ref()?)));
            points.extend(known.map(|(series, newest)| Point { series: SeriesId(series), tqv: newest.tqv.clone() }));
        }
        points
    }

    /// How many series have a value.
    pub fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_wins_whatever_the_order() {
        let mut newest = NewestValues::default();
        let point =
            |series, second| Point { series: SeriesId(series), tqv: Tqv::good(Timestamp::from_seconds(second), 1.0.into()) };
        for (series, second) in [(3, 10), (3, 5), (FIRST_STREAM + 1, 7), (3, 12), (0, 1)] {
            newest.remember(point(series, second), Timestamp::MIN);
        }
        assert_eq!(newest.points(), [point(0, 1), point(3, 12), point(FIRST_STREAM + 1, 7)]);
        assert_eq!((newest.len(), newest.get(SeriesId(1)).is_none(), newest.get(SeriesId(9)).is_none()), (3, true, true));
        assert_eq!(newest.get(SeriesId(3)).unwrap().settled, Timestamp::MIN);
        newest.settle();
        assert_eq!(newest.get(SeriesId(3)).unwrap().settled, Timestamp::from_seconds(12));
    }
}
