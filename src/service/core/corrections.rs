//! Values of the past that somebody sets or corrects: recorded with who and why, and remembered until all that depends on them is
//! computed again.

use super::stops::{machine, said};
use andon_models::{
    Point, SeriesId, Timestamp,
    catalog::Catalog,
    correction::{Correction, Edit, PREFIX},
    event::{Deed, Event},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Corrections whose consequences are not computed yet, at most: more than people make, and a script is told to wait.
const MAX_PENDING: usize = 1_000;
/// How long one waits after it could not be worked out, so that a broken disk is not asked all the time.
const RETRY: Duration = Duration::from_secs(60);

/// The corrections that are not settled.
#[derive(Default)]
pub struct Corrections {
    pending: VecDeque<Correction>,
    /// Whether the first of them is being worked out.
    under_way: bool,
    retry_at: Option<Timestamp>,
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
        Self { pending: pending.into(), under_way: false, retry_at: None }
    }

    /// Takes an edit.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn edit(&mut self, catalog: &Catalog, now: Timestamp, by: &Arc<str>, edit: &Edit) -> Result<Edited, Arc<str>> {
        let asset = machine(catalog, edit.asset);
        let found = asset.and_then(|asset| Some((asset, catalog.series_named(asset, &edit.property)?)));
        let (asset, series) = found.ok_or_else(|| format!("the plant has no {} there any more", edit.property))?;
        if self.pending.len() >= MAX_PENDING {
            return Err("too many corrections are being worked out; say it again in a minute".into());
        }
        let correction =
            Correction { series, spans: edit.spans.clone(), cause: edit.cause.clone(), at: self.instant(series, now) };
        let points = edit.values.iter().map(|tqv| Point { series, tqv: tqv.clone() }).collect();
        let deed = Deed { by: by.clone(), verb: edit.verb.clone(), detail: edit.detail.clone() };
        let document = serde_json::to_vec(&correction).expect("times and a text are plain data");
        let keep = (correction.key(), document);
        self.pending.push_back(correction);
        Ok(Edited { points, event: said(catalog, asset, now, deed), keep })
    }

    /// Two corrections of a series are never of one instant.
    fn instant(&self, series: SeriesId, now: Timestamp) -> Timestamp {
        let last = self.pending.iter().filter(|correction| correction.series == series).map(|correction| correction.at).max();
        last.map_or(now, |last| now.max(last + Duration::from_nanos(1)))
    }

    /// The next one to work out, while none is.
    pub fn next(&mut self, now: Timestamp) -> Option<Correction> {
        if self.under_way || self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let next = self.pending.front()?.clone();
        (self.under_way, self.retry_at) = (true, None);
        Some(next)
    }

    /// Forgets one that is settled, or has it tried again later. Gives the key of what was kept.
    pub fn ended(&mut self, correction: &Correction, settled: bool, now: Timestamp) -> Option<String> {
        self.under_way = false;
        if !settled {
            self.retry_at = Some(now + RETRY);
            return None;
        }
        self.pending.retain(|pending| pending.key() != correction.key());
        Some(correction.key())
    }
}
