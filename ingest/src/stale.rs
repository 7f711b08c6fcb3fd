//! Notices silence: a lost source turns all its tags Bad, a silent tag turns Uncertain, each once and by itself.
//!
//! Silence is measured by arrival on the monotonic clock, never by the time stamps of devices. The samples made here carry the
//! device's own time as far as it is known, so that they stand after the last value and before the next one. Reads no clock.

use andon_models::{Quality, Sample, StatusCode, TagId, Timestamp, Tqv, Value};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Gaps that show what interval is usual for a tag.
const GAPS: usize = 8;
/// Silent for so many usual intervals, a tag without a limit of its own is stale.
const USUAL_INTERVALS: u32 = 3;
/// Distance between a value and a sample made here that must come after it.
const STEP: Duration = Duration::from_millis(1);

/// When silence of a tag means that its value is old.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SilenceRule {
    /// After this span: the plant file says so.
    After(Duration),
    /// After three usual intervals, but not before this span.
    Usual(Duration),
    /// Never: the device reports changes only, and its connection is watched otherwise.
    Never,
}

/// Watches the tags of one source.
pub(crate) struct Watchdog {
    tags: Vec<Watched>,
    positions: HashMap<TagId, usize>,
    counting: bool,
    /// Arrival time minus device time, in nanoseconds.
    offset: i64,
    restamp: bool,
}

struct Watched {
    tag: TagId,
    rule: SilenceRule,
    arrived: Option<Instant>,
    last: Option<Tqv>,
    gaps: [Duration; GAPS],
    gap_count: usize,
    made: Option<Made>,
}

/// A sample made here and not yet followed by a real one.
#[derive(Clone, Copy, PartialEq)]
enum Made {
    Stale,
    Lost,
}

impl Watchdog {
    /// `restamp`: what arrives is true now, whatever its time stamp says, so it never lies before a sample made here.
    pub fn new(tags: impl IntoIterator<Item = (TagId, SilenceRule)>, restamp: bool) -> Self {
        let tags: Vec<_> = tags.into_iter().map(|(tag, rule)| Watched::new(tag, rule)).collect();
        let positions = tags.iter().enumerate().map(|(position, watched)| (watched.tag, position)).collect();
        Self { tags, positions, counting: false, offset: 0, restamp }
    }

    /// The device's clock differs from ours by so many nanoseconds (ours minus the device's).
    pub fn clock(&mut self, offset: i64) {
        self.offset = offset;
    }

    /// The connection stands: silence counts from here.
    pub fn connected(&mut self, at: Instant) {
        self.counting = true;
        for watched in &mut self.tags {
            watched.arrived = Some(at);
        }
    }

    /// A sample arrived. May move its time behind a sample made here.
    pub fn seen(&mut self, sample: &mut Sample, at: Instant, now: Timestamp) {
        let device_now = self.device_time(now);
        let Some(watched) = self.positions.get(&sample.tag).map(|position| &mut self.tags[*position]) else { return };
        if let (true, Some(_), Some(last)) = (self.restamp, watched.made, &watched.last)
            && sample.tqv.time <= last.time
        {
            sample.tqv.time = device_now.max(last.time + STEP);
        }
        if let (Some(arrived), None) = (watched.arrived, watched.made) {
            watched.gaps[watched.gap_count % GAPS] = at.saturating_duration_since(arrived);
            watched.gap_count += 1;
        }
        watched.arrived = Some(at);
        watched.made = None;
        if watched.last.as_ref().is_none_or(|last| last.time <= sample.tqv.time) {
            watched.last = Some(sample.tqv.clone());
        }
    }

    /// The source is lost: Bad samples for all tags that are not Bad for this reason already.
    pub fn lost(&mut self, status: StatusCode, now: Timestamp) -> Vec<Sample> {
        self.counting = false;
        let device_now = self.device_time(now);
        let not_yet = self.tags.iter_mut().filter(|watched| watched.made != Some(Made::Lost));
        not_yet.map(|watched| watched.make(Made::Lost, Tqv::bad(device_now, status))).collect()
    }

    /// Uncertain samples for the tags that have been silent for too long by `at`.
    pub fn overdue(&mut self, at: Instant, now: Timestamp) -> Vec<Sample> {
        if !self.counting {
            return Vec::new();
        }
        let device_now = self.device_time(now);
        let overdue = self.tags.iter_mut().filter(|watched| watched.is_overdue(at));
        overdue
            .map(|watched| {
                let value = watched.last.as_ref().map_or(Value::Null, |last| last.value.clone());
                let tqv = Tqv { time: device_now, quality: Quality::Uncertain, status: StatusCode::STALE, value };
                watched.make(Made::Stale, tqv)
            })
            .collect()
    }

    fn device_time(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_nanos(now.as_nanos().saturating_sub(self.offset))
    }
}

impl Watched {
    fn new(tag: TagId, rule: SilenceRule) -> Self {
        Self { tag, rule, arrived: None, last: None, gaps: [Duration::ZERO; GAPS], gap_count: 0, made: None }
    }

    fn is_overdue(&self, at: Instant) -> bool {
        // What is Bad already needs no doubt cast on it.
        if self.made.is_some() || self.last.as_ref().is_some_and(|last| last.quality == Quality::Bad) {
            return false;
        }
        let (Some(arrived), Some(limit)) = (self.arrived, self.limit()) else { return false };
        at.saturating_duration_since(arrived) > limit
    }

    fn limit(&self) -> Option<Duration> {
        match self.rule {
            SilenceRule::After(limit) => Some(limit),
            SilenceRule::Usual(least) if self.gap_count >= GAPS => {
                let usual = self.gaps.iter().max().copied().unwrap_or_default();
                Some(least.max(usual * USUAL_INTERVALS))
            }
            SilenceRule::Usual(_) | SilenceRule::Never => None,
        }
    }

    fn make(&mut self, kind: Made, mut tqv: Tqv) -> Sample {
        if let Some(last) = &self.last {
            tqv.time = tqv.time.max(last.time + STEP);
        }
        self.made = Some(kind);
        self.last = Some(tqv.clone());
        Sample { tag: self.tag, tqv }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: TagId = TagId(7);

    fn watchdog(rule: SilenceRule) -> (Watchdog, Instant) {
        let start = Instant::now();
        let mut watchdog = Watchdog::new([(TAG, rule)], true);
        watchdog.connected(start);
        (watchdog, start)
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn see(watchdog: &mut Watchdog, start: Instant, second: i64, value: f64) -> Tqv {
        let mut sample = Sample { tag: TAG, tqv: Tqv::good(seconds(second), value.into()) };
        watchdog.seen(&mut sample, start + Duration::from_secs(second as u64), seconds(second));
        sample.tqv
    }

    fn overdue(watchdog: &mut Watchdog, start: Instant, second: i64) -> Vec<Sample> {
        watchdog.overdue(start + Duration::from_secs(second as u64), seconds(second))
    }

    #[test]
    fn a_silent_tag_turns_uncertain_once_and_keeps_its_last_value() {
        let (mut watchdog, start) = watchdog(SilenceRule::After(Duration::from_secs(10)));
        see(&mut watchdog, start, 1, 78.5);
        assert_eq!(overdue(&mut watchdog, start, 11), []);
        let made = overdue(&mut watchdog, start, 12);
        assert_eq!(made.len(), 1);
        assert_eq!((made[0].tqv.quality, made[0].tqv.status), (Quality::Uncertain, StatusCode::STALE));
        assert_eq!((made[0].tqv.time, &made[0].tqv.value), (seconds(12), &Value::Double(78.5)));
        assert_eq!(overdue(&mut watchdog, start, 13), []);
        see(&mut watchdog, start, 14, 79.0);
        assert_eq!(overdue(&mut watchdog, start, 30).len(), 1, "it may turn stale again");
    }

    #[test]
    fn a_lost_source_turns_tags_bad_once() {
        let (mut watchdog, start) = watchdog(SilenceRule::After(Duration::from_secs(10)));
        see(&mut watchdog, start, 1, 78.5);
        let made = watchdog.lost(StatusCode::NOT_CONNECTED, seconds(2));
        assert_eq!(made, [Sample { tag: TAG, tqv: Tqv::bad(seconds(2), StatusCode::NOT_CONNECTED) }]);
        assert_eq!(watchdog.lost(StatusCode::NOT_CONNECTED, seconds(3)), []);
        assert_eq!(overdue(&mut watchdog, start, 60), [], "Bad data cannot get older");
        watchdog.connected(start + Duration::from_secs(61));
        assert_eq!(watchdog.lost(StatusCode::NOT_CONNECTED, seconds(62)), [], "no value came in between");
        see(&mut watchdog, start, 63, 78.0);
        assert_eq!(watchdog.lost(StatusCode::NOT_CONNECTED, seconds(64)).len(), 1);
    }

    #[test]
    fn made_samples_lie_between_the_values_of_a_device_whose_clock_is_wrong() {
        let (mut watchdog, start) = watchdog(SilenceRule::Never);
        // The device's clock is an hour ahead.
        let mut ahead = Sample { tag: TAG, tqv: Tqv::good(seconds(3_601), 1.0.into()) };
        watchdog.seen(&mut ahead, start, seconds(1));
        assert!(watchdog.lost(StatusCode::NOT_CONNECTED, seconds(2))[0].tqv.time > seconds(3_601));
        // Known to be 30 s behind.
        let (mut watchdog, start) = self::watchdog(SilenceRule::Never);
        watchdog.clock(30_000_000_000);
        see(&mut watchdog, start, 10, 1.0);
        assert_eq!(watchdog.lost(StatusCode::NOT_CONNECTED, seconds(50))[0].tqv.time, seconds(20));
    }

    #[test]
    fn a_value_that_did_not_change_while_the_source_was_lost_counts_from_its_return() {
        let (mut watchdog, start) = watchdog(SilenceRule::Never);
        see(&mut watchdog, start, 1, 6.0);
        watchdog.lost(StatusCode::NOT_CONNECTED, seconds(5));
        let mut again = Sample { tag: TAG, tqv: Tqv::good(seconds(1), 6.0.into()) };
        watchdog.seen(&mut again, start + Duration::from_secs(9), seconds(9));
        assert_eq!(again.tqv.time, seconds(9));
    }

    #[test]
    fn the_usual_interval_is_learned() {
        let (mut watchdog, start) = watchdog(SilenceRule::Usual(Duration::from_secs(2)));
        (1..=7).for_each(|second| drop(see(&mut watchdog, start, second * 5, 1.0)));
        assert_eq!(overdue(&mut watchdog, start, 100), [], "not enough seen to know");
        see(&mut watchdog, start, 40, 1.0);
        assert_eq!(overdue(&mut watchdog, start, 55), []);
        assert_eq!(overdue(&mut watchdog, start, 56).len(), 1);
    }

    #[test]
    fn a_tag_that_never_came_is_overdue_too() {
        let (mut watchdog, start) = watchdog(SilenceRule::After(Duration::from_secs(10)));
        let made = overdue(&mut watchdog, start, 11);
        assert_eq!((made[0].tqv.quality, &made[0].tqv.value), (Quality::Uncertain, &Value::Null));
    }
}
