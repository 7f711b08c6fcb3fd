//! How an alarm system does, from its alarm events: rates, floods, chattering, fleeting and stale alarms, bad actors, priorities.
//!
//! Source: ANSI/ISA-18.2-2016, clause 16 (monitoring and assessment), and EEMUA 191, 3rd edition, for the limits. Rates are per operator
//! position; a plant file is taken to be one.

#[cfg(test)]
mod tests;

use super::{AlarmVerb, Priority};
use crate::{
    AssetId, Timestamp,
    event::{AlarmChange, Event, EventBody},
};
use serde::Serialize;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The span in which annunciations are counted for floods and peaks.
pub const FLOOD_SPAN: Duration = Duration::from_secs(600);
/// More annunciations than this in [`FLOOD_SPAN`] are a flood; it ends when fewer than [`FLOOD_ENDS`] come in one.
pub const FLOOD_BEGINS: usize = 10;
/// A flood is over when fewer come in [`FLOOD_SPAN`].
pub const FLOOD_ENDS: usize = 5;
/// So many annunciations of one alarm within [`CHATTERING_SPAN`] are chattering.
pub const CHATTERING: usize = 3;
/// The span in which an alarm chatters.
pub const CHATTERING_SPAN: Duration = Duration::from_secs(60);
/// An alarm that went within this, before anybody could have acted, was fleeting.
pub const FLEETING: Duration = Duration::from_secs(10);
/// An alarm that stands for longer is stale.
pub const STALE: Duration = Duration::from_secs(24 * 3600);
/// So many alarms are listed as bad actors, stale, chattering and fleeting ones: ten make most of the load, and the rest can wait.
pub const MOST_LISTED: usize = 10;
/// Floods listed; the longest are kept.
pub const MOST_FLOODS: usize = 100;

/// How an alarm system did in a span.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AlarmMeasures {
    /// Begin of the span, exclusive.
    pub from: Timestamp,
    /// End of the span, inclusive.
    pub to: Timestamp,
    /// Annunciations: alarms raised, or raised again.
    pub annunciations: usize,
    /// Annunciations per hour, over the whole span.
    pub per_hour: f64,
    /// Annunciations per 10 minutes, over the whole span. One is acceptable, two can just be managed (EEMUA 191).
    pub per_10_min: f64,
    /// The most in any 10 minutes of a fixed raster that begins at `from`.
    pub peak_per_10_min: usize,
    /// Share of those 10 minutes with more than 10 annunciations, 0 to 1.
    pub share_of_10_min_above_10: f64,
    /// Share of the span spent in floods, 0 to 1. Below 0.01 is the target.
    pub share_in_flood: f64,
    /// Spans with more than 10 annunciations in 10 minutes, by begin.
    pub floods: Vec<Flood>,
    /// Alarms that came at least 3 times within a minute, most often first.
    pub chattering: Vec<Counted>,
    /// Alarms that went within 10 s without anybody having done anything, most often first.
    pub fleeting: Vec<Counted>,
    /// Alarms that stand for more than a day at `to`, oldest first.
    pub stale: Vec<Standing>,
    /// The alarms with the most annunciations.
    pub bad_actors: Vec<Counted>,
    /// Share of all annunciations that the bad actors make, 0 to 1.
    pub share_of_bad_actors: f64,
    /// Annunciations by priority, the most urgent first.
    pub priorities: Vec<PriorityShare>,
    /// Alarms that stand at `to`.
    pub standing: usize,
    /// The most urgent things to do about it, in words; empty if all is as it should be.
    pub findings: Vec<String>,
}

/// Too many alarms for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flood {
    /// The first annunciation of the 10 minutes that had too many.
    pub from: Timestamp,
    /// When it was over; none while it goes on.
    pub to: Option<Timestamp>,
    /// Annunciations in it.
    pub annunciations: usize,
    /// The most in any 10 minutes of it.
    pub peak_per_10_min: usize,
}

/// One alarm with a count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counted {
    /// Path of its asset.
    pub asset: Arc<str>,
    /// Its detector.
    pub detector: Arc<str>,
    /// How often.
    pub count: usize,
    /// Share of all annunciations, 0 to 1.
    pub share: f64,
}

/// One alarm that stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Path of its asset.
    pub asset: Arc<str>,
    /// Its detector.
    pub detector: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// For how long at the end of the span, in seconds.
    pub seconds: u64,
}

/// A priority with its share of the annunciations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PriorityShare {
    /// The priority.
    pub priority: Priority,
    /// How often.
    pub count: usize,
    /// Share of all annunciations, 0 to 1.
    pub share: f64,
}

type Key = (Option<AssetId>, Arc<str>);

/// One alarm while events are read.
#[derive(Default)]
struct Track {
    path: Arc<str>,
    /// When it was annunciated within the span.
    times: Vec<Timestamp>,
    fleeting: usize,
    /// Since when it stands.
    standing: Option<Timestamp>,
    /// Whether anybody has done anything about this occurrence.
    touched: bool,
}

/// Measures the span after `from` until `to`. Events may be in any order; those of other kinds, and after `to`, do not count. Those before
/// `from` tell which alarms stand at its begin, as far as they are given.
pub fn measure(events: &[Event], from: Timestamp, to: Timestamp) -> AlarmMeasures {
    let mut changes: Vec<(&Event, &AlarmChange)> =
        events.iter().filter_map(change).filter(|(event, _)| event.time <= to).collect();
    changes.sort_by_key(|(event, _)| event.time);
    let mut tracks: HashMap<Key, Track> = HashMap::new();
    let mut all = Vec::new();
    let mut priorities: HashMap<Priority, usize> = HashMap::new();
    for (event, change) in changes {
        let track = tracks.entry((event.asset, event.detector.clone())).or_default();
        track.path = event.asset_path.clone();
        let counts = event.time > from;
        if annunciates(change) && counts {
            track.times.push(event.time);
            all.push(event.time);
            *priorities.entry(change.priority).or_default() += 1;
        }
        track.follow(event.time, change, counts);
    }
    let hours = to.since(from).as_secs_f64() / 3600.0;
    let per = |spans: f64| if spans > 0.0 { all.len() as f64 / spans } else { 0.0 };
    let (peak, above) = raster(&all, from, to);
    let floods = floods(&all, to);
    // Of all floods, not of those that are listed.
    let share_in_flood = share_in(&floods, from, to);
    let bad_actors = ranked(&tracks, all.len(), |track| track.times.len());
    let mut measures = AlarmMeasures {
        from,
        to,
        annunciations: all.len(),
        per_hour: per(hours),
        per_10_min: per(hours * 6.0),
        peak_per_10_min: peak,
        share_of_10_min_above_10: above,
        share_in_flood,
        chattering: ranked(&tracks, all.len(), |track| chattering(&track.times)),
        fleeting: ranked(&tracks, all.len(), |track| track.fleeting),
        stale: stale(&tracks, to),
        // The sum of nothing is -0.
        share_of_bad_actors: bad_actors.iter().map(|one| one.share).sum::<f64>() + 0.0,
        bad_actors,
        priorities: shares(&priorities, all.len()),
        standing: tracks.values().filter(|track| track.standing.is_some()).count(),
        floods: largest(floods),
        findings: Vec::new(),
    };
    measures.findings = findings(&measures);
    measures
}

fn change(event: &Event) -> Option<(&Event, &AlarmChange)> {
    match &event.body {
        EventBody::Alarm(change) => Some((event, change)),
        _ => None,
    }
}

/// Whether the operator is called. A repetition of the same occurrence is no new call in the sense of the standard's rates.
fn annunciates(change: &AlarmChange) -> bool {
    change.verb == AlarmVerb::Raise && change.state.stands()
}

impl Track {
    fn follow(&mut self, time: Timestamp, change: &AlarmChange, counts: bool) {
        let by_hand = !change.by.is_empty();
        if annunciates(change) && !change.from.stands() {
            self.touched = false;
        }
        if change.state.stands() {
            self.standing.get_or_insert(change.since.unwrap_or(time).min(time));
        } else if let Some(since) = self.standing.take()
            && change.verb == AlarmVerb::Clear
            && counts
            && !self.touched
            && time.since(since) < FLEETING
        {
            self.fleeting += 1;
        }
        self.touched |= by_hand;
    }
}

/// How many annunciations of one alarm were part of chattering.
fn chattering(times: &[Timestamp]) -> usize {
    let mut part = vec![false; times.len()];
    for (first, window) in times.windows(CHATTERING).enumerate() {
        if window[CHATTERING - 1].since(window[0]) < CHATTERING_SPAN {
            part[first..first + CHATTERING].fill(true);
        }
    }
    part.iter().filter(|part| **part).count()
}

/// The most annunciations in one interval of the raster, and the share of intervals with more than 10.
fn raster(times: &[Timestamp], from: Timestamp, to: Timestamp) -> (usize, f64) {
    let span = FLOOD_SPAN.as_nanos();
    let intervals = to.since(from).as_nanos().div_ceil(span).max(1);
    let mut counts: HashMap<u128, usize> = HashMap::new();
    for time in times {
        // An annunciation at the end of an interval belongs to it: spans are exclusive at their begin.
        *counts.entry(time.since(from).as_nanos().saturating_sub(1) / span).or_default() += 1;
    }
    let above = counts.values().filter(|count| **count > FLOOD_BEGINS).count();
    (counts.values().copied().max().unwrap_or(0), above as f64 / intervals as f64)
}

/// Floods by a sliding window: one begins with the first of more than 10 in 10 minutes, and is over when fewer than 5 lie in the last 10.
fn floods(times: &[Timestamp], to: Timestamp) -> Vec<Flood> {
    let mut floods: Vec<Flood> = Vec::new();
    let mut open: Option<(usize, usize)> = None; // the first annunciation of the flood, and its peak
    let mut oldest = 0;
    for (position, time) in times.iter().enumerate() {
        // Fewer than five may have been left before this one came.
        if let Some((first, peak)) = open
            && let Some(end) = calm(&times[..position], *time)
        {
            floods.push(flood(times, first, position, peak, Some(end)));
            open = None;
            oldest = position;
        }
        while time.since(times[oldest]) >= FLOOD_SPAN {
            oldest += 1;
        }
        let count = position + 1 - oldest;
        match &mut open {
            Some((_, peak)) => *peak = count.max(*peak),
            None if count > FLOOD_BEGINS => open = Some((oldest, count)),
            None => {}
        }
    }
    if let Some((first, peak)) = open {
        floods.push(flood(times, first, times.len(), peak, calm(times, to)));
    }
    floods
}

/// The largest of them, by begin.
fn largest(mut floods: Vec<Flood>) -> Vec<Flood> {
    floods.sort_by_key(|flood| std::cmp::Reverse(flood.annunciations));
    floods.truncate(MOST_FLOODS);
    floods.sort_by_key(|flood| flood.from);
    floods
}

/// When fewer than [`FLOOD_ENDS`] of these were left in the window, if that was by `limit`.
fn calm(times: &[Timestamp], limit: Timestamp) -> Option<Timestamp> {
    let fifth_last = times[times.len().checked_sub(FLOOD_ENDS)?];
    let end = fifth_last + FLOOD_SPAN;
    (end <= limit).then_some(end)
}

fn flood(times: &[Timestamp], first: usize, end: usize, peak: usize, to: Option<Timestamp>) -> Flood {
    Flood { from: times[first], to, annunciations: end - first, peak_per_10_min: peak }
}

fn share_in(floods: &[Flood], from: Timestamp, to: Timestamp) -> f64 {
    let all = to.since(from).as_secs_f64();
    let flooded: f64 = floods.iter().map(|flood| flood.to.unwrap_or(to).min(to).since(flood.from).as_secs_f64()).sum();
    if all > 0.0 { (flooded + 0.0) / all } else { 0.0 }
}

fn ranked(tracks: &HashMap<Key, Track>, all: usize, count: impl Fn(&Track) -> usize) -> Vec<Counted> {
    let share = |count: usize| if all > 0 { count as f64 / all as f64 } else { 0.0 };
    let one = |((_, detector), track): (&Key, &Track)| {
        let count = count(track);
        (count > 0).then(|| Counted { asset: track.path.clone(), detector: detector.clone(), count, share: share(count) })
    };
    let mut ranked: Vec<Counted> = tracks.iter().filter_map(one).collect();
    ranked.sort_by(|left, right| {
        right.count.cmp(&left.count).then_with(|| (&left.asset, &left.detector).cmp(&(&right.asset, &right.detector)))
    });
    ranked.truncate(MOST_LISTED);
    ranked
}

fn stale(tracks: &HashMap<Key, Track>, to: Timestamp) -> Vec<Standing> {
    let one = |((_, detector), track): (&Key, &Track)| {
        let since = track.standing.filter(|since| to.since(*since) > STALE)?;
        let seconds = to.since(since).as_secs();
        Some(Standing { asset: track.path.clone(), detector: detector.clone(), since, seconds })
    };
    let mut stale: Vec<Standing> = tracks.iter().filter_map(one).collect();
    stale.sort_by(|left, right| (left.since, &left.asset, &left.detector).cmp(&(right.since, &right.asset, &right.detector)));
    stale.truncate(MOST_LISTED);
    stale
}

fn shares(counts: &HashMap<Priority, usize>, all: usize) -> Vec<PriorityShare> {
    let one = |priority| {
        let count = counts.get(&priority).copied().unwrap_or_default();
        PriorityShare { priority, count, share: if all > 0 { count as f64 / all as f64 } else { 0.0 } }
    };
    [Priority::Critical, Priority::High, Priority::Medium, Priority::Low].map(one).into()
}

/// What is out of the limits of EEMUA 191 and ISA-18.2, table 5, in words.
fn findings(measures: &AlarmMeasures) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |holds: bool, text: String| found.extend(holds.then_some(text));
    let percent = |share: f64| (share * 100.0).round();
    let (rate, peak) = (measures.per_10_min, measures.peak_per_10_min);
    say(rate > 2.0, format!("{rate:.1} alarms per 10 min are more than an operator can handle: at most 2, better 1"));
    say(rate > 1.0 && rate <= 2.0, format!("{rate:.1} alarms per 10 min can just be handled: better 1"));
    say(peak > FLOOD_BEGINS, format!("{peak} alarms in the worst 10 min are a flood: at most {FLOOD_BEGINS}"));
    let flooded = percent(measures.share_in_flood);
    say(measures.share_in_flood > 0.01, format!("{flooded} % of the time were floods: at most 1 %"));
    let (share, count) = (percent(measures.share_of_bad_actors), measures.bad_actors.len());
    let few = measures.annunciations > 100 && measures.share_of_bad_actors > 0.05;
    say(few, format!("{share} % of all alarms come from {count} detectors: begin there (1 to 5 % would be usual)"));
    say(!measures.chattering.is_empty(), "alarms chatter: give them an on-delay, an off-delay or a wider hysteresis".into());
    say(!measures.stale.is_empty(), "alarms stand for more than a day: mend the cause, or redesign them".into());
    found
}
