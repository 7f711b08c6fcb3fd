//! Alarm events as text, measures as text.

use super::*;
use crate::{EventId, alarm::AlarmState};

/// A line is `time detector verb`, the time in seconds or minutes (`3m`); `ack` is by a person.
fn events(script: &str) -> Vec<Event> {
    let mut states: HashMap<String, (AlarmState, Option<Timestamp>)> = HashMap::new();
    let mut line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [time, detector, verb, ..] = words[..] else { panic!("{line}") };
        let seconds = time
            .strip_suffix('m')
            .map_or_else(|| time.parse::<f64>().unwrap(), |minutes| minutes.parse::<f64>().unwrap() * 60.0);
        let time = Timestamp::from_millis((seconds * 1000.0) as i64);
        let (from, since) = states.get(detector).copied().unwrap_or_default();
        let (verb, state, by) = match verb {
            "raise" => (AlarmVerb::Raise, AlarmState::Unacknowledged, ""),
            "clear" if from == AlarmState::Unacknowledged => (AlarmVerb::Clear, AlarmState::ReturnedUnacknowledged, ""),
            "clear" => (AlarmVerb::Clear, AlarmState::Normal, ""),
            "ack" if from == AlarmState::Unacknowledged => (AlarmVerb::Acknowledge, AlarmState::Acknowledged, "kim"),
            "ack" => (AlarmVerb::Acknowledge, AlarmState::Normal, "kim"),
            "shelve" => (AlarmVerb::Shelve, AlarmState::Shelved, "kim"),
            "again" => (AlarmVerb::ReAlarm, AlarmState::Unacknowledged, ""),
            other => panic!("no verb {other}"),
        };
        let since = if verb == AlarmVerb::Raise { Some(time) } else { since };
        states.insert(detector.into(), (state, since));
        let priority = if detector.starts_with('!') { Priority::Critical } else { Priority::Medium };
        let change = AlarmChange {
            from,
            state,
            verb,
            priority,
            message: "".into(),
            response: "".into(),
            since,
            by: by.into(),
            note: "".into(),
            explanation: Default::default(),
        };
        Event {
            id: EventId::from_name(line),
            time,
            asset: Some(AssetId::from_name("Line 1")),
            asset_path: "Line 1".into(),
            detector: detector.into(),
            body: EventBody::Alarm(change),
        }
    };
    script.lines().map(str::trim).filter(|line| !line.is_empty()).map(&mut line).collect()
}

fn hours(script: &str, hours: i64) -> AlarmMeasures {
    measure(&events(script), Timestamp::EPOCH, Timestamp::from_seconds(hours * 3600))
}

fn named(counted: &[Counted]) -> Vec<(String, usize)> {
    counted.iter().map(|one| (one.detector.to_string(), one.count)).collect()
}

/// So many alarms of one detector each, a fixed span apart.
fn burst(name: &str, count: usize, from: i64, every: i64) -> String {
    (0..count).map(|n| format!("{} {name}{n} raise\n", from + every * n as i64)).collect()
}

#[test]
fn rates_are_over_the_whole_span_and_peaks_over_ten_minutes() {
    let measures = hours("1m a raise\n2m a clear\n3m b raise\n10m c raise\n10.1m d raise\n20m b again", 2);
    assert_eq!(measures.annunciations, 4, "a repetition is no new alarm");
    assert_eq!((measures.per_hour, measures.per_10_min), (2.0, 4.0 / 12.0));
    assert_eq!(measures.peak_per_10_min, 3, "minute 10 belongs to the first ten minutes");
    assert_eq!(measures.share_of_10_min_above_10, 0.0);
    assert!(measures.floods.is_empty() && measures.findings.is_empty(), "{measures:?}");
}

#[test]
fn a_flood_begins_with_more_than_ten_and_ends_with_fewer_than_five_in_ten_minutes() {
    // Ten in ten minutes are none.
    assert!(hours(&burst("a", 10, 60, 10), 1).floods.is_empty());
    let measures = hours(&burst("a", 17, 60, 10), 1);
    let [flood] = &measures.floods[..] else { panic!("{:?}", measures.floods) };
    assert_eq!((flood.from, flood.annunciations, flood.peak_per_10_min), (Timestamp::from_seconds(60), 17, 17));
    // The fifth last comes at 180 s: ten minutes later only four are left.
    assert_eq!(flood.to, Some(Timestamp::from_seconds(180 + 600)));
    assert_eq!((measures.share_in_flood, measures.share_of_10_min_above_10), (720.0 / 3600.0, 1.0 / 6.0));
    assert!(measures.findings.iter().any(|finding| finding.contains("17 alarms in the worst 10 min")));
    // One that goes on has no end.
    let going_on = hours(&burst("a", 12, 3000, 10), 1);
    assert_eq!(going_on.floods[0].to, None);
    // Two with a calm hour between them are two.
    let two = format!("{}{}", burst("a", 12, 60, 10), burst("b", 13, 5000, 10));
    let counts: Vec<usize> = hours(&two, 3).floods.iter().map(|flood| flood.annunciations).collect();
    assert_eq!(counts, [12, 13]);
}

#[test]
fn the_share_of_floods_counts_those_that_are_not_listed() {
    // A flood at the begin of each hour, more than are listed.
    let floods = MOST_FLOODS + 100;
    let script: String = (0..floods).map(|hour| burst(&format!("a{hour}_"), 17, 60 + 3600 * hour as i64, 10)).collect();
    let measures = hours(&script, floods as i64);
    assert_eq!(measures.floods.len(), MOST_FLOODS);
    assert!((measures.share_in_flood - 720.0 / 3600.0).abs() < 1e-9, "{}", measures.share_in_flood);
}

#[test]
fn three_within_a_minute_chatter() {
    let script = "0.1 a raise\n10 a clear\n20 a raise\n30 a clear\n59 a raise\n70 b raise\n100 b raise\n130.1 b raise";
    assert_eq!(named(&hours(script, 1).chattering), [("a".into(), 3)], "b takes a whole minute");
}

#[test]
fn what_goes_by_itself_within_seconds_is_fleeting() {
    let script =
        "1 a raise\n4 a clear\n5 a ack\n20 b raise\n21 b ack\n22 b clear\n30 c raise\n41 c clear\n50 d raise\n51 d shelve";
    assert_eq!(named(&hours(script, 1).fleeting), [("a".into(), 1)], "b was acted on, c stood, d was hidden");
}

#[test]
fn what_stands_for_more_than_a_day_is_stale() {
    let script = "1m a raise\n2m a ack\n3m b raise\n60m b clear\n4m c raise\n5m c shelve";
    let measures = hours(script, 25);
    let stale: Vec<_> = measures.stale.iter().map(|one| (&*one.detector, one.seconds)).collect();
    assert_eq!(stale, [("a", 25 * 3600 - 60)]);
    assert_eq!(measures.standing, 1);
    // It was raised before the span.
    let later = measure(&events(script), Timestamp::from_seconds(7200), Timestamp::from_seconds(25 * 3600));
    assert_eq!((later.annunciations, later.stale.len()), (0, 1));
}

#[test]
fn a_few_make_most_of_the_load() {
    let mut script = burst("quiet", 12, 10, 700);
    script.push_str(&(0..108).map(|n| format!("{} !loud raise\n", 20 + n * 600)).collect::<String>());
    let measures = hours(&script, 24);
    assert_eq!(named(&measures.bad_actors)[0], ("!loud".into(), 108));
    assert_eq!((measures.bad_actors.len(), measures.bad_actors[0].share), (MOST_LISTED, 0.9));
    let shares: Vec<_> = measures.priorities.iter().map(|one| (one.priority, one.count)).collect();
    assert_eq!(shares, [(Priority::Critical, 108), (Priority::High, 0), (Priority::Medium, 12), (Priority::Low, 0)]);
    assert!(measures.findings.iter().any(|finding| finding.contains("of all alarms come from")), "{:?}", measures.findings);
}

#[test]
fn nothing_and_no_time_are_no_trouble() {
    let nothing = measure(&[], Timestamp::EPOCH, Timestamp::EPOCH);
    assert_eq!((nothing.per_hour, nothing.share_in_flood, nothing.annunciations), (0.0, 0.0, 0));
    let backwards = measure(&events("5 a raise"), Timestamp::from_seconds(9), Timestamp::from_seconds(1));
    assert_eq!(backwards.annunciations, 0);
}
