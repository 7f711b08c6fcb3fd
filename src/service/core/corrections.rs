//! Values of the past that somebody sets or corrects, or that come late to transforms that join them with others: remembered until
//! all that depends on them is computed again.

use super::stops::{machine, said};
use andon_models::{
    Point, SeriesId, Timestamp,
    catalog::Catalog,
    correction::{Correction, Edit, PREFIX},
    event::{Deed, Event},
    window::Window,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Corrections whose consequences are not computed yet, at most: more than people make, and a script is told to wait.
const MAX_PENDING: usize = 1_000;
/// How long one waits after it could not be worked out, so that a broken disk is not asked all the time.
const RETRY: Duration = Duration::from_secs(60);
/// How long no further late values of a series came before it is worked out what they change: while an outage is filled they come
/// in pieces.
const QUIET: Duration = Duration::from_secs(1);
/// How long they may go on coming.
const PATIENCE: Duration = Duration::from_secs(60);
/// Series whose late values are worked out together, of one hour: what they share is read once.
const MAX_TOGETHER: usize = 1_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// The corrections that are not settled.
#[derive(Default)]
pub struct Corrections {
    pending: VecDeque<Correction>,
    /// Late values of which more may come.
    late: BTreeMap<SeriesId, Late>,
    /// Whether the first of them is being worked out.
    under_way: bool,
    retry_at: Option<Timestamp>,
}

/// Late values of a series.
struct Late {
    /// The first and the last of them.
    values: Window,
    /// When the first one came, and the last one.
    came: Window,
}

/// What an edit leads to.
pub struct Edited {
    /// What is written.
    pub points: Vec<Point>,
    /// That it was said.
    pub event: Event,
    /// What is kept until it is settled.
    pub keep: (String, Vec<u8>),
}

impl Corrections {
    /// Takes over from an earlier run.
    pub fn restore(kept: &HashMap<String, Vec<u8>>) -> Self {
        let documents = kept.iter().filter(|(key, _)| key.starts_with(PREFIX));
        let mut pending: Vec<Correction> = documents
            .filter_map(|(key, document)| {
                let read = serde_json::from_slice(document);
                read.inspect_err(|error| tracing::error!(key, %error, "a correction cannot be read; say it again")).ok()
            })
            .collect();
        pending.sort_by_key(|correction: &Correction| (correction.at, correction.series));
        Self { pending: pending.into(), ..Self::default() }
    }

    /// Takes an edit.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn edit(&mut self, catalog: &Catalog, now: Timestamp, by: &Arc<str>, edit: &Edit) -> Result<Edited, Arc<str>> {
        let asset = machine(catalog, edit.asset);
        let found = asset.and_then(|asset| Some((asset, catalog.series_named(asset, &edit.property)?)));
        let (asset, series) = found.ok_or_else(|| format!("the plant has no {} there any more", edit.property))?;
        if self.pending.iter().filter(|pending| !pending.late).count() >= MAX_PENDING {
            return Err("too many corrections are being worked out; say it again in a minute".into());
        }
        let correction = Correction {
            series,
            spans: edit.spans.clone(),
            cause: edit.cause.clone(),
            at: self.instant(series, now),
            late: false,
        };
        let points = edit.values.iter().map(|tqv| Point { series, tqv: tqv.clone() }).collect();
        let deed = Deed { by: by.clone(), verb: edit.verb.clone(), detail: edit.detail.clone(), hour: None };
        let document = serde_json::to_vec(&correction).expect("times and a text are plain data");
        let keep = (correction.key(), document);
        self.pending.push_back(correction);
        Ok(Edited { points, event: said(catalog, asset, now, deed), keep })
    }

    /// Takes that values of a series came late. Gives what is kept until it is settled.
    pub fn late(&mut self, catalog: &Catalog, now: Timestamp, series: SeriesId, values: Window) -> (String, Vec<u8>) {
        let first = self.late.get(&series).map_or_else(|| self.instant(series, now), |late| late.came.start);
        let late = self.late.entry(series).or_insert(Late { values, came: Window { start: first, end: first } });
        late.values = late.values.hull(values);
        late.came.end = late.came.end.max(now);
        let correction = late.correction(catalog, series);
        (correction.key(), serde_json::to_vec(&correction).expect("times and a text are plain data"))
    }

    /// Two corrections of a series are never of one instant.
    fn instant(&self, series: SeriesId, now: Timestamp) -> Timestamp {
        let pending = self.pending.iter().filter(|correction| correction.series == series).map(|correction| correction.at);
        let last = pending.chain(self.late.get(&series).map(|late| late.came.start)).max();
        last.map_or(now, |last| now.max(last + Duration::from_nanos(1)))
    }

    /// What is to be worked out next, while nothing is; empty if nothing. What people said comes first, each by itself; values that came
    /// late together.
    pub fn next(&mut self, catalog: &Catalog, now: Timestamp) -> Vec<Correction> {
        if self.under_way || self.retry_at.is_some_and(|at| now < at) {
            return Vec::new();
        }
        if self.pending.is_empty() {
            self.gather(catalog, now);
        }
        let together = self.pending.iter().take_while(|next| next.late == self.pending[0].late).count();
        let count = if self.pending.front().is_some_and(|first| first.late) { together } else { together.min(1) };
        if count > 0 {
            (self.under_way, self.retry_at) = (true, None);
        }
        self.pending.iter().take(count).cloned().collect()
    }

    /// Takes what came late and is followed by no more, of the hour in which the first of it lies.
    fn gather(&mut self, catalog: &Catalog, now: Timestamp) {
        let over = |late: &Late| now >= late.came.end + QUIET || now >= late.came.start + PATIENCE;
        let hour = |late: &Late| late.values.start.as_nanos().div_euclid(HOUR.as_nanos() as i64);
        let Some(first) = self.late.values().filter(|late| over(late)).map(hour).min() else { return };
        let chosen = self.late.iter().filter(|(_, late)| over(late) && hour(late) == first).map(|(series, _)| *series);
        for series in chosen.take(MAX_TOGETHER).collect::<Vec<_>>() {
            let late = self.late.remove(&series).map(|late| late.correction(catalog, series));
            self.pending.extend(late);
        }
    }

    /// Forgets what is settled, or has it tried again later. Gives the keys of what was kept.
    pub fn ended(&mut self, corrections: &[Correction], settled: bool, now: Timestamp) -> Vec<String> {
        self.under_way = false;
        if !settled {
            self.retry_at = Some(now + RETRY);
            return Vec::new();
        }
        let keys: Vec<String> = corrections.iter().map(Correction::key).collect();
        self.pending.retain(|pending| !keys.contains(&pending.key()));
        keys
    }
}

impl Late {
    fn correction(&self, catalog: &Catalog, series: SeriesId) -> Correction {
        let name = catalog
            .entry(series)
            .map_or_else(String::new, |entry| format!("{} {}", catalog.plant.assets[entry.asset.0].path, entry.key));
        Correction::late(series, self.values, format!("late data of {name}").into(), self.came.start)
    }
}
