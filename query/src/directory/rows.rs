//! Data streams by place and by name, in little memory: a million names are one long text and a table of places, not a million
//! allocations.

use super::{
    DataStream,
    streams::{FIRST_STREAM, last_part},
};
use andon_models::{SeriesId, ValueType};
use hashbrown::HashTable;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// A stream as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its number.
    pub series: SeriesId,
    /// Its name.
    pub alias: &'a str,
    /// The type of its values.
    pub value_type: ValueType,
    /// Its unit; empty if unknown.
    pub unit: &'a str,
}

impl<'a> Row<'a> {
    /// As [`DataStream::property`].
    pub fn property(&self) -> &'a str {
        last_part(self.alias)
    }
}

/// Streams by place and by name.
#[derive(Default)]
pub struct Rows {
    /// All names, one after the other. Those that were replaced stay in it.
    text: String,
    entries: Vec<Entry>,
    /// Places by the hashes of names.
    places: HashTable<u32>,
    /// Seeded: names come from outside, and must not be made to collide.
    hashes: RandomState,
    units: Vec<Arc<str>>,
    unit_numbers: HashMap<Arc<str>, u32>,
}

/// Where a name lies, and what belongs to it. Names are at most [`super::streams::MAX_ALIAS_BYTES`] long, and
/// [`super::streams::MAX_STREAMS`] of them fit into four billion bytes.
#[derive(Clone, Copy)]
struct Entry {
    start: u32,
    length: u16,
    value_type: ValueType,
    unit: u32,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The stream of a place.
    pub fn get(&self, place: usize) -> Option<Row<'_>> {
        let entry = self.entries.get(place)?;
        Some(Row {
            series: SeriesId(FIRST_STREAM + u32::try_from(place).ok()?),
            alias: self.name(entry),
            value_type: entry.value_type,
            unit: &self.units[entry.unit as usize],
        })
    }

    /// The stream of a place, by itself.
    pub fn stream(&self, place: usize) -> Option<DataStream> {
        let unit = self.units.get(self.entries.get(place)?.unit as usize)?.clone();
        self.get(place).map(|row| DataStream { series: row.series, alias: row.alias.into(), value_type: row.value_type, unit })
    }

    /// The place of a name.
    pub fn find(&self, alias: &str) -> Option<u32> {
        let is_it = |place: &u32| self.name(&self.entries[*place as usize]) == alias;
        self.places.find(self.hashes.hash_one(alias), is_it).copied()
    }

    /// Adds a stream whose name is new, and says its place.
    pub fn push(&mut self, alias: &str, value_type: ValueType, unit: &str) -> u32 {
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let entry = self.entry(alias, value_type, unit);
        self.entries.push(entry);
        self.index(place);
        place
    }

    /// Gives a place another stream.
    pub fn replace(&mut self, place: usize, alias: &str, value_type: ValueType, unit: &str) {
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let hash = self.hashes.hash_one(self.name(&self.entries[place]));
        if let Ok(known) = self.places.find_entry(hash, |place| *place == number) {
            known.remove();
        }
        self.entries[place] = self.entry(alias, value_type, unit);
        self.index(number);
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = entry.start as usize;
        &self.text[start..start + usize::from(entry.length)]
    }

    fn entry(&mut self, alias: &str, value_type: ValueType, unit: &str) -> Entry {
        let start = u32::try_from(self.text.len()).expect("a folder's names fit into four billion bytes");
        let length = u16::try_from(alias.len()).expect("names are checked for their length");
        self.text.push_str(alias);
        let unit = match self.unit_numbers.get(unit) {
            Some(number) => *number,
            None => {
                let (number, unit) = (u32::try_from(self.units.len()).unwrap_or(0), Arc::<str>::from(unit));
                self.unit_numbers.insert(unit.clone(), number);
                self.units.push(unit);
                number
            }
        };
        Entry { start, length, value_type, unit }
    }

    fn index(&mut self, place: u32) {
        let Self { text, entries, places, hashes, .. } = self;
        let hash = |place: &u32| {
            let entry = &entries[*place as usize];
            hashes.hash_one(&text[entry.start as usize..entry.start as usize + usize::from(entry.length)])
        };
        places.insert_unique(hash(&place), place, hash);
    }
}
