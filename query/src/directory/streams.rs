//! Data streams: series that no asset property has. They come into being with the first value written under a new name.
//!
//! A stream's number is `FIRST_STREAM` plus its place. Its definition travels in the log record of its first points, and in every
//! further record with points of it until one of them is on disk: so no record can be read back without its names. At a flush
//! the definitions move from the log into `streams.bin`, which only grows.

use crate::{Batch, QueryError, historian::Answer};
use andon_models::{SeriesId, ValueType};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tokio::sync::oneshot;

/// The number of the first stream. Properties count from 0, so neither ever reaches the other.
pub const FIRST_STREAM: u32 = 0x4000_0000;
/// Most streams of one folder: their names and newest values take some 300 bytes of memory each, so this is well below the budget.
pub const MAX_STREAMS: usize = 2_000_000;
/// Longest name of a stream, in bytes. AWS IoT SiteWise allows as much.
pub const MAX_ALIAS_BYTES: usize = 2_048;

/// A series that no asset property has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStream {
    /// Its number.
    pub series: SeriesId,
    /// Its name, unique among all series.
    pub alias: Arc<str>,
    /// The type of its values, by the first one.
    pub value_type: ValueType,
    /// Its unit; empty if unknown.
    pub unit: Arc<str>,
}

impl DataStream {
    /// The last part of the name: what stands behind the last `/` of a path, or behind the space of `measurement,tag=value field`.
    pub fn property(&self) -> &str {
        last_part(&self.alias)
    }
}

fn last_part(alias: &str) -> &str {
    if !alias.starts_with('/') {
        let bytes = alias.as_bytes();
        let space = (1..bytes.len()).rev().find(|at| bytes[*at] == b' ' && bytes[at - 1] != b'\\');
        if let Some(field) = space.map(|at| &alias[at + 1..]).filter(|field| !field.is_empty()) {
            return field;
        }
    }
    alias.rsplit('/').find(|part| !part.is_empty()).unwrap_or(alias)
}

/// All streams by number and by name.
#[derive(Debug, Default)]
pub struct Streams {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    rows: Vec<DataStream>,
    places: HashMap<Arc<str>, u32>,
    /// Places of streams whose definition is not on disk yet.
    unlogged: HashSet<u32>,
    /// How many are in the file, and the bytes they take there.
    saved: (usize, u64),
}

impl Streams {
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read().rows.len()
    }

    /// A stream by name.
    pub fn find(&self, alias: &str) -> Option<DataStream> {
        let known = self.read();
        known.places.get(alias).map(|place| known.rows[*place as usize].clone())
    }

    /// A stream by number.
    pub fn by_number(&self, series: SeriesId) -> Option<DataStream> {
        let place = series.0.checked_sub(FIRST_STREAM)?;
        self.read().rows.get(place as usize).cloned()
    }

    /// Streams by place, those from `from` on, at most `count`.
    pub fn range(&self, from: usize, count: usize) -> Vec<DataStream> {
        self.read().rows.iter().skip(from).take(count).cloned().collect()
    }

    /// The stream of a name, a new one if there is none. The type of one that is there stays.
    ///
    /// # Errors
    /// When the name cannot be one, or there are too many streams.
    pub fn find_or_add(&self, alias: &str, value_type: ValueType, unit: &str) -> Result<DataStream, QueryError> {
        if let Some(stream) = self.find(alias) {
            return Ok(stream);
        }
        check_alias(alias)?;
        let mut known = self.write();
        if let Some(place) = known.places.get(alias) {
            return Ok(known.rows[*place as usize].clone());
        }
        if known.rows.len() >= MAX_STREAMS {
            return Err(QueryError::Refused(format!(
                "{alias:?} would be one more than the {MAX_STREAMS} data streams a folder may have; write to those that are there, \
                 or leave out tags whose values keep changing"
            )));
        }
        let place = u32::try_from(known.rows.len()).unwrap_or(u32::MAX);
        let series = SeriesId(FIRST_STREAM + place);
        let stream = DataStream { series, alias: alias.into(), value_type, unit: unit.into() };
        known.unlogged.insert(place);
        known.add(stream.clone());
        Ok(stream)
    }

    /// Takes streams that were read back; those that are there already stay as they are.
    pub fn restore(&self, streams: impl IntoIterator<Item = DataStream>) {
        let mut known = self.write();
        for stream in streams {
            known.restore(stream);
        }
    }

    /// Says that the first streams, so many, are in the file, and how many bytes they take there.
    pub fn set_saved(&self, saved: usize, bytes: u64) {
        let mut known = self.write();
        known.saved = (saved, bytes);
        known.unlogged.retain(|place| *place as usize >= saved);
    }

    /// How many are in the file, and the bytes they take there.
    pub fn saved(&self) -> (usize, u64) {
        self.read().saved
    }

    fn set_logged(&self, streams: &[SeriesId]) {
        let mut known = self.write();
        for series in streams {
            known.unlogged.remove(&(series.0 - FIRST_STREAM));
        }
    }
}

/// Whether a record is on disk.
type Done = oneshot::Sender<Answer>;

/// Adds to a batch the definitions that its points need and that are not on disk yet. The answer passes through here: once the
/// record is on disk, later ones go without.
pub fn define(streams: &Arc<Streams>, batch: &mut Batch, done: Done) -> Done {
    {
        let known = streams.read();
        if known.unlogged.is_empty() {
            return done;
        }
        let mut defined = HashSet::new();
        for point in &batch.points {
            let Some(place) = point.series.0.checked_sub(FIRST_STREAM) else { continue };
            if known.unlogged.contains(&place) && defined.insert(place) {
                batch.streams.push(known.rows[place as usize].clone());
            }
        }
    }
    if batch.streams.is_empty() {
        return done;
    }
    let numbers: Vec<SeriesId> = batch.streams.iter().map(|stream| stream.series).collect();
    let (written, outcome) = oneshot::channel::<Answer>();
    let streams = streams.clone();
    tokio::spawn(async move {
        // Without an outcome the record was refused, and whoever asked has been told.
        let Ok(outcome) = outcome.await else { return };
        if outcome.is_ok() {
            streams.set_logged(&numbers);
        }
        let _ = done.send(outcome);
    });
    written
}

impl Known {
    fn add(&mut self, stream: DataStream) {
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.places.insert(stream.alias.clone(), place);
        self.rows.push(stream);
    }

    fn restore(&mut self, stream: DataStream) {
        let place = stream.series.0.wrapping_sub(FIRST_STREAM) as usize;
        if place >= MAX_STREAMS {
            return;
        }
        // A damaged file may have lost some: their values stay readable under a name that says so.
        while self.rows.len() < place {
            let series = SeriesId(FIRST_STREAM + u32::try_from(self.rows.len()).unwrap_or(0));
            let alias = format!("lost name of series {}", series.0).into();
            self.add(DataStream { series, alias, value_type: ValueType::Double, unit: "".into() });
        }
        if place == self.rows.len() {
            self.add(stream);
        } else if self.rows[place].alias != stream.alias && self.rows[place].alias.starts_with("lost name ") {
            let lost = std::mem::replace(&mut self.rows[place], stream);
            self.places.remove(&lost.alias);
            self.places.insert(self.rows[place].alias.clone(), u32::try_from(place).unwrap_or(u32::MAX));
        }
    }
}

fn check_alias(alias: &str) -> Result<(), QueryError> {
    let refused = |why: String| Err(QueryError::Refused(why));
    if alias.is_empty() {
        return refused("a data stream needs a name".into());
    }
    if alias.len() > MAX_ALIAS_BYTES {
        let start: String = alias.chars().take(60).collect();
        return refused(format!("the name {start:?}… has {} bytes; at most {MAX_ALIAS_BYTES} are possible", alias.len()));
    }
    if let Some(sign) = alias.chars().find(|sign| sign.is_control()) {
        return refused(format!("the name {alias:?} has the control character {sign:?} in it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{Point, Timestamp, Tqv, Value};

    fn stream(place: u32, alias: &str) -> DataStream {
        let series = SeriesId(FIRST_STREAM + place);
        DataStream { series, alias: alias.into(), value_type: ValueType::Double, unit: "".into() }
    }

    #[test]
    fn the_last_part_of_a_name_is_its_property() {
        for (alias, property) in [
            ("/Line 9/Oven/zone temp", "zone temp"),
            ("cpu,host=a usage", "usage"),
            ("cpu,host=a usage\\ idle", "usage\\ idle"),
            ("disk,path=/var free", "free"),
            ("plain", "plain"),
            ("site/line/speed", "speed"),
            ("/", "/"),
        ] {
            assert_eq!(last_part(alias), property, "{alias}");
        }
    }

    #[test]
    fn a_name_keeps_its_number_and_type() {
        let streams = Streams::default();
        let first = streams.find_or_add("a", ValueType::Double, "°C").unwrap();
        assert_eq!(first.series, SeriesId(FIRST_STREAM));
        assert_eq!(streams.find_or_add("b", ValueType::String, "").unwrap().series, SeriesId(FIRST_STREAM + 1));
        assert_eq!(streams.find_or_add("a", ValueType::String, "").unwrap(), first);
        assert_eq!(streams.by_number(SeriesId(FIRST_STREAM + 1)).unwrap().alias.as_ref(), "b");
        for wrong in ["", "a\nb", &"x".repeat(MAX_ALIAS_BYTES + 1)] {
            assert!(matches!(streams.find_or_add(wrong, ValueType::Double, ""), Err(QueryError::Refused(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_lost_name_leaves_a_place_and_comes_back_when_it_is_found() {
        let streams = Streams::default();
        streams.restore([stream(0, "a"), stream(2, "c")]);
        assert_eq!((streams.len(), streams.find("c").unwrap().series), (3, SeriesId(FIRST_STREAM + 2)));
        streams.restore([stream(1, "b"), stream(0, "other"), stream(MAX_STREAMS as u32, "beyond")]);
        assert_eq!((streams.find("b").unwrap().series, streams.len()), (SeriesId(FIRST_STREAM + 1), 3));
        assert!(streams.find("other").is_none());
    }

    #[tokio::test]
    async fn a_definition_goes_with_every_record_until_one_is_on_disk() {
        let streams = Arc::new(Streams::default());
        let series = streams.find_or_add("a", ValueType::Double, "").unwrap().series;
        let point = Point { series, tqv: Tqv::good(Timestamp::EPOCH, Value::Double(1.0)) };
        let write = || {
            let mut batch = Batch { points: vec![point.clone(), point.clone()], ..Batch::default() };
            let (done, answer) = oneshot::channel();
            let done = define(&streams, &mut batch, done);
            (batch.streams.len(), done, answer)
        };
        let (defined, done, answer) = write();
        assert_eq!(defined, 1);
        done.send(Err(crate::Trouble { full: true, reason: "disk full".into() })).unwrap();
        assert!(answer.await.unwrap().is_err());
        let (defined, done, answer) = write();
        assert_eq!((defined, write().0), (1, 1), "neither is on disk yet");
        done.send(Ok(())).unwrap();
        assert!(answer.await.unwrap().is_ok());
        assert_eq!(write().0, 0);
    }
}
