//! What one page still has to be told: changes merged per series, so that a slow page costs no more than a fast one.

use super::{
    Change,
    wire::{Row, ToPage, millis},
};
use andon_models::{AssetId, SeriesId, Timestamp, Tqv};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Most series of one page: ten of the largest asset pages at once.
pub(super) const MAX_SERIES: usize = 5_000;
/// Most detectors named in one round; beyond that the page is told of the first ones and that alarms changed.
const MAX_DETECTORS: usize = 256;

/// The changes one page has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The series it wants, with the newest value it was sent or is about to be sent.
    wanted: HashMap<SeriesId, Option<Tqv>>,
    changed: BTreeSet<SeriesId>,
    detectors: BTreeSet<(AssetId, Arc<str>)>,
    alarms: bool,
    sources: bool,
    plant: bool,
    seq: u64,
}

impl Outbox {
    /// Replaces what the page wants; `latest` gives the snapshot.
    ///
    /// # Errors
    /// In words, when it wants more than [`MAX_SERIES`].
    pub(super) fn subscribe(&mut self, series: Vec<SeriesId>, latest: impl Fn(SeriesId) -> Option<Tqv>) -> Result<(), String> {
        if series.len() > MAX_SERIES {
            return Err(format!("{} series are too many for one page; {MAX_SERIES} is the most", series.len()));
        }
        self.wanted = series.into_iter().map(|series| (series, latest(series))).collect();
        self.changed = self.wanted.iter().filter(|(_, value)| value.is_some()).map(|(series, _)| *series).collect();
        Ok(())
    }

    /// Takes a change in.
    pub(super) fn absorb(&mut self, change: &Change) {
        match change {
            Change::Points(points) => points.iter().for_each(|point| self.offer(point.series, &point.tqv)),
            Change::Alarms => self.alarms = true,
            Change::Detector(asset, detector) if self.detectors.len() < MAX_DETECTORS => {
                self.detectors.insert((*asset, detector.clone()));
            }
            Change::Detector(..) => self.alarms = true,
            Change::Sources => self.sources = true,
            Change::Plant => self.plant = true,
        }
    }

    /// Changes were missed: everything may be different.
    pub(super) fn resynchronise(&mut self, latest: impl Fn(SeriesId) -> Option<Tqv>) {
        let wanted: Vec<SeriesId> = self.wanted.keys().copied().collect();
        for series in wanted {
            if let Some(tqv) = latest(series) {
                self.offer(series, &tqv);
            }
        }
        (self.alarms, self.sources, self.plant) = (true, true, true);
    }

    fn offer(&mut self, series: SeriesId, tqv: &Tqv) {
        let Some(known) = self.wanted.get_mut(&series) else { return };
        // A late sample is history, not the newest value; one of the same time corrects it.
        if known.as_ref().is_none_or(|known| tqv.time >= known.time && tqv != known) {
            *known = Some(tqv.clone());
            self.changed.insert(series);
        }
    }

    /// Whether there is anything to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.detectors.is_empty() && !self.alarms && !self.sources && !self.plant
    }

    /// Everything the page has to be told now.
    pub(super) fn drain(&mut self, now: Timestamp) -> Vec<ToPage> {
        let mut messages = Vec::new();
        if !self.changed.is_empty() {
            let changed = std::mem::take(&mut self.changed);
            let row = |series: SeriesId| Some(Row(series, self.wanted.get(&series)?.clone()?));
            let values = changed.into_iter().filter_map(row).collect();
            self.seq += 1;
            messages.push(ToPage::Values { seq: self.seq, now: millis(now), values });
        }
        if std::mem::take(&mut self.alarms) {
            messages.push(ToPage::Alarms);
        }
        for (asset, detector) in std::mem::take(&mut self.detectors) {
            messages.push(ToPage::Detector { asset: asset.to_string(), detector: detector.to_string() });
        }
        if std::mem::take(&mut self.sources) {
            messages.push(ToPage::Sources);
        }
        if std::mem::take(&mut self.plant) {
            messages.push(ToPage::Plant);
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{Point, Value};

    fn at(seconds: i64, value: i64) -> Tqv {
        Tqv::good(Timestamp::from_seconds(seconds), Value::Integer(value))
    }

    fn points(points: &[(u32, Tqv)]) -> Change {
        let points = points.iter().map(|(series, tqv)| Point { series: SeriesId(*series), tqv: tqv.clone() });
        Change::Points(points.collect())
    }

    fn sent(outbox: &mut Outbox) -> String {
        serde_json::to_string(&outbox.drain(Timestamp::EPOCH)).unwrap()
    }

    #[test]
    fn a_page_gets_a_snapshot_and_then_only_the_newest_of_what_changed() {
        let mut outbox = Outbox::default();
        outbox.subscribe(vec![SeriesId(1), SeriesId(2)], |series| (series.0 == 1).then(|| at(1, 10))).unwrap();
        assert_eq!(sent(&mut outbox), r#"[{"type":"values","seq":1,"now":0,"values":[[1,1000,10,0]]}]"#);
        assert!(outbox.is_empty());
        outbox.absorb(&points(&[(2, at(2, 20)), (2, at(4, 21)), (2, at(3, 22)), (9, at(9, 9))]));
        outbox.absorb(&points(&[(1, at(1, 10))]));
        assert_eq!(sent(&mut outbox), r#"[{"type":"values","seq":2,"now":0,"values":[[2,4000,21,0]]}]"#);
    }

    #[test]
    fn a_page_that_missed_changes_gets_what_is_new_and_hints_to_load_the_rest() {
        let mut outbox = Outbox::default();
        outbox.subscribe(vec![SeriesId(1), SeriesId(2)], |_| Some(at(1, 10))).unwrap();
        outbox.drain(Timestamp::EPOCH);
        outbox.resynchronise(|series| Some(at(i64::from(series.0), 10)));
        let expected = r#"[{"type":"values","seq":2,"now":0,"values":[[2,2000,10,0]]},{"type":"alarms"},{"type":"sources"},{"type":"plant"}]"#;
        assert_eq!(sent(&mut outbox), expected);
    }

    #[test]
    fn hints_are_merged_and_bounded() {
        let mut outbox = Outbox::default();
        let asset = AssetId::from_name("Filler 1");
        for _ in 0..3 {
            outbox.absorb(&Change::Detector(asset, "hot".into()));
            outbox.absorb(&Change::Sources);
        }
        assert_eq!(outbox.drain(Timestamp::EPOCH).len(), 2);
        for number in 0..MAX_DETECTORS + 10 {
            outbox.absorb(&Change::Detector(asset, number.to_string().into()));
        }
        assert_eq!(outbox.drain(Timestamp::EPOCH).len(), MAX_DETECTORS + 1);
        assert!(outbox.subscribe(vec![SeriesId(0); MAX_SERIES + 1], |_| None).is_err());
    }
}
