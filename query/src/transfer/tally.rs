//! What a file would bring: counted on a dry run.

use andon_models::{Point, Quality, SeriesId, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Keys kept to find doubles in rows that are out of order, 8 bytes each: a quarter of a gigabyte.
const MAX_KEYS: usize = 32 << 20;

/// Different messages kept; more are only counted.
const MAX_MESSAGES: usize = 10_000;

/// Rows of one series.
#[derive(Clone, Debug)]
pub struct SeriesTally {
    /// How many.
    pub rows: u64,
    /// The earliest instant.
    pub from: Timestamp,
    /// The latest instant.
    pub to: Timestamp,
    keys: Vec<u64>,
}

/// Counts points.
#[derive(Debug, Default)]
pub struct Tally {
    series: HashMap<SeriesId, SeriesTally>,
    keys: usize,
    /// Whether doubles are looked for.
    doubles: bool,
}

impl Tally {
    /// Counts nothing yet; looks for doubles if told to.
    pub fn new(doubles: bool) -> Self {
        Self { doubles, ..Self::default() }
    }

    /// Counts points.
    pub fn add(&mut self, points: &[Point]) {
        for Point { series, tqv } in points {
            let tally = self.series.entry(*series).or_insert_with(|| SeriesTally {
                rows: 0,
                from: tqv.time,
                to: tqv.time,
                keys: Vec::new(),
            });
            tally.rows += 1;
            tally.from = tally.from.min(tqv.time);
            tally.to = tally.to.max(tqv.time);
            if self.doubles && self.keys < MAX_KEYS {
                self.keys += 1;
                tally.keys.push(key(tqv.time, tqv.quality));
            }
        }
    }

    /// Rows of all series.
    pub fn rows(&self) -> u64 {
        self.series.values().map(|tally| tally.rows).sum()
    }

    /// From when to when they are.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let from = self.series.values().map(|tally| tally.from).min()?;
        Some((from, self.series.values().map(|tally| tally.to).max()?))
    }

    /// Rows by series, in the order of their numbers.
    pub fn series(&self) -> BTreeMap<SeriesId, &SeriesTally> {
        self.series.iter().map(|(series, tally)| (*series, tally)).collect()
    }

    /// Rows that repeat series, time and quality of another: of these only the last counts. None when there were too many rows to tell.
    pub fn doubles(&mut self) -> Option<u64> {
        let mut doubles = 0;
        for tally in self.series.values_mut() {
            tally.keys.sort_unstable();
            doubles += tally.keys.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        }
        (self.doubles && self.keys < MAX_KEYS).then_some(doubles)
    }
}

/// Time and quality in one number. Two keys are equal only if both are, or if the times lie 194 years apart.
fn key(time: Timestamp, quality: Quality) -> u64 {
    let quality = match quality {
        Quality::Good => 0,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    };
    time.as_nanos().cast_unsigned().wrapping_mul(3).wrapping_add(quality)
}

/// What is wrong, by message: the same mistake in a thousand lines is told once.
#[derive(Debug, Default)]
pub struct Problems {
    messages: HashMap<(usize, Arc<str>), (u64, u64)>,
    files: Vec<PathBuf>,
    count: u64,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The first line (or row of a Parquet file) with it; 0: all of the file.
    pub line: u64,
    /// What is wrong.
    pub message: Arc<str>,
    /// Lines with it.
    pub lines: u64,
}

impl Problems {
    /// Takes a mistake in a line of a file.
    pub fn add(&mut self, file: &Path, line: u64, message: Arc<str>) {
        self.count += 1;
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
        }
        let key = (self.files.len() - 1, message);
        if let Some((_, lines)) = self.messages.get_mut(&key) {
            *lines += 1;
        } else if self.messages.len() < MAX_MESSAGES {
            self.messages.insert(key, (line, 1));
        }
    }

    /// How many lines are wrong.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first different mistakes, in the order of files and lines.
    pub fn first(&self, most: usize) -> Vec<Problem> {
        let mut all: Vec<(usize, u64, &Arc<str>, u64)> =
            self.messages.iter().map(|((file, message), (line, lines))| (*file, *line, message, *lines)).collect();
        all.sort_unstable();
        let problem = |(file, line, message, lines): (usize, u64, &Arc<str>, u64)| Problem {
            file: self.files[file].clone(),
            line,
            message: message.clone(),
            lines,
        };
        all.into_iter().take(most).map(problem).collect()
    }
}
