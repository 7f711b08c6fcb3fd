//! Data streams: series that no asset property has. They come into being with the first value written under a new name.
//!
//! A stream's number is `FIRST_STREAM` plus its place. Its definition travels in the log record of its first points, and in every
//! further record with points of it until one of them is on disk: so no record can be read back without its names. At a flush
//! the definitions move from the log into `streams.bin`, which only grows.

use super::rows::{Row, Rows};
use crate::{Batch, QueryError, historian::Answer};
use andon_models::{SeriesId, ValueType};
use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tokio::sync::oneshot;

/// The number of the first stream. Properties count from 0, so neither ever reaches the other.
pub const FIRST_STREAM: u32 = 0x4000_0000;
/// Most streams of one folder: their names and newest values take some 200 bytes of memory each, so this is well below the budget.
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

pub(super) fn last_part(alias: &str) -> &str {
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
    rows: Rows,
    /// Places of streams whose definition is not on disk yet.
    unlogged: HashSet<u32>,
    /// How many are in the file, and the bytes they take there.
    saved: (usize, u64),
}

/// The streams of some moment, held while they are looked at.
pub struct Look<'a>(RwLockReadGuard<'a, Known>);

impl Look<'_> {
    /// A stream by its place.
    pub fn get(&self, place: usize) -> Option<Row<'_>> {
        self.0.rows.get(place)
    }

    /// Streams by place.
    pub fn range(&self, places: Range<usize>) -> impl Iterator<Item = Row<'_>> + Clone {
        places.map_while(|place| self.get(place))
    }
}

impl Streams {
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The streams of this moment. None can come along while they are held.
    pub fn look(&self) -> Look<'_> {
        Look(self.read())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read().rows.len()
    }

    /// The number of a stream and the type of its values, by its name.
    pub fn find(&self, alias: &str) -> Option<(SeriesId, ValueType)> {
        let known = self.read();
        let place = known.rows.find(alias)?;
        Some((SeriesId(FIRST_STREAM + place), known.rows.get(place as usize)?.value_type))
    }

    /// A stream by number.
    pub fn by_number(&self, series: SeriesId) -> Option<DataStream> {
        let place = series.0.checked_sub(FIRST_STREAM)?;
        self.read().rows.stream(place as usize)
    }

    /// Streams by place, those from `from` on, at most `count`.
    pub fn range(&self, from: usize, count: usize) -> Vec<DataStream> {
        let known = self.read();
        (from..from.saturating_add(count)).map_while(|place| known.rows.stream(place)).collect()
    }

    /// The stream of a name, a new one if there is none. The type of one that is there stays.
    ///
    /// # Errors
    /// When the name cannot be one, or there are too many streams.
    pub fn find_or_add(&self, alias: &str, value_type: ValueType, unit: &str) -> Result<(SeriesId, ValueType), QueryError> {
        if let Some(stream) = self.find(alias) {
            return Ok(stream);
        }
        check_alias(alias)?;
        let mut known = self.write();
        if let Some(row) = known.rows.find(alias).and_then(|place| known.rows.get(place as usize)) {
            return Ok((row.series, row.value_type));
        }
        if known.rows.len() >= MAX_STREAMS {
            return Err(QueryError::Refused(format!(
                "{alias:?} would be one more than the {MAX_STREAMS} data streams a folder may have; write to those that are there, \
                 or leave out tags whose values keep changing"
            )));
        }
        let place = known.rows.push(alias, value_type, unit);
        known.unlogged.insert(place);
        Ok((SeriesId(FIRST_STREAM + place), value_type))
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
                batch.streams.extend(known.rows.stream(place as usize));
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
    fn restore(&mut self, stream: DataStream) {
        let DataStream { series, alias, value_type, unit } = stream;
        let place = series.0.wrapping_sub(FIRST_STREAM) as usize;
        if place >= MAX_STREAMS {
            return;
        }
        // A damaged file may have lost some: their values stay readable under a name that says so.
        while self.rows.len() < place {
            let series = FIRST_STREAM + u32::try_from(self.rows.len()).unwrap_or(0);
            self.rows.push(&format!("{LOST}{series}"), ValueType::Double, "");
        }
        if place == self.rows.len() {
            self.rows.push(&alias, value_type, &unit);
        } else if self.rows.get(place).is_some_and(|row| row.alias.starts_with(LOST) && row.alias != &*alias) {
            self.rows.replace(place, &alias, value_type, &unit);
        }
    }
}

/// How the name of a stream begins whose own name was lost.
const LOST: &str = "lost name of series ";

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
        assert_eq!(first, (SeriesId(FIRST_STREAM), ValueType::Double));
        assert_eq!(streams.find_or_add("b", ValueType::String, "").unwrap().0, SeriesId(FIRST_STREAM + 1));
        assert_eq!(streams.find_or_add("a", ValueType::String, "").unwrap(), first);
        assert_eq!(streams.by_number(first.0).unwrap().unit.as_ref(), "°C");
        assert_eq!(streams.by_number(SeriesId(FIRST_STREAM + 1)).unwrap().alias.as_ref(), "b");
        for wrong in ["", "a\nb", &"x".repeat(MAX_ALIAS_BYTES + 1)] {
            assert!(matches!(streams.find_or_add(wrong, ValueType::Double, ""), Err(QueryError::Refused(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_lost_name_leaves_a_place_and_comes_back_when_it_is_found() {
        let streams = Streams::default();
        streams.restore([stream(0, "a"), stream(2, "c")]);
        assert_eq!((streams.len(), streams.find("c").unwrap().0), (3, SeriesId(FIRST_STREAM + 2)));
        streams.restore([stream(1, "b"), stream(0, "other"), stream(MAX_STREAMS as u32, "beyond")]);
        assert_eq!((streams.find("b").unwrap().0, streams.len()), (SeriesId(FIRST_STREAM + 1), 3));
        assert!(streams.find("other").is_none());
    }

    #[tokio::test]
    async fn a_definition_goes_with_every_record_until_one_is_on_disk() {
        let streams = Arc::new(Streams::default());
        let series = streams.find_or_add("a", ValueType::Double, "").unwrap().0;
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
