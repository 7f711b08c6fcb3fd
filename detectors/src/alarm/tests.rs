//! Every verb in every state, and the table of AWS IoT Events, on the one machine.

use super::*;
use crate::testing::detector;
use andon_models::alarm::{EscalationStep, LifeCycle};
use std::time::Duration;

fn model(settings: AlarmSettings) -> Arc<DetectorModel> {
    let model = detector("hot", "normal");
    Arc::new(DetectorModel { alarm: settings, ..model })
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn letter(state: AlarmState) -> char {
    match state {
        AlarmState::Normal => 'A',
        AlarmState::Unacknowledged => 'B',
        AlarmState::Acknowledged => 'C',
        AlarmState::ReturnedUnacknowledged => 'D',
        AlarmState::LatchedUnacknowledged => 'E',
        AlarmState::LatchedAcknowledged => 'F',
        AlarmState::Shelved => 'G',
        AlarmState::Suppressed => 'H',
        AlarmState::OutOfService => 'I',
    }
}

/// An alarm in a state, as it gets there.
fn standing(state: AlarmState, settings: &AlarmSettings) -> Alarm {
    let latched = matches!(state, AlarmState::LatchedUnacknowledged | AlarmState::LatchedAcknowledged);
    let kept = AlarmSnapshot {
        state,
        active: state.stands(),
        latched: latched || (settings.latch && state.stands()),
        suppressed_by_hand: state == AlarmState::Suppressed,
        annunciated: state.stands().then_some(seconds(0)),
        shelved_until: (state == AlarmState::Shelved).then_some(seconds(60)),
        ..AlarmSnapshot::default()
    };
    Alarm::restore(kept, model(settings.clone()))
}

fn told(alarm: &mut Alarm, verb: AlarmVerb) -> char {
    let hand = Hand { by: "kim".into(), until: Some(seconds(60)) };
    let done = match verb {
        AlarmVerb::Raise => Ok(alarm.raise(seconds(1), "hot".into())),
        AlarmVerb::Clear => Ok(alarm.clear(seconds(1))),
        verb => alarm.handle(seconds(1), verb, &hand),
    };
    done.map_or('!', |_| letter(alarm.state()))
}

const VERBS: [AlarmVerb; 12] = [
    AlarmVerb::Raise,
    AlarmVerb::Clear,
    AlarmVerb::Acknowledge,
    AlarmVerb::Shelve,
    AlarmVerb::Unshelve,
    AlarmVerb::Suppress,
    AlarmVerb::Unsuppress,
    AlarmVerb::RemoveFromService,
    AlarmVerb::ReturnToService,
    AlarmVerb::Reset,
    AlarmVerb::ReAlarm,
    AlarmVerb::Comment,
];

/// One line per state: its letter, and where each verb leads (`!` is refused).
fn table(settings: &AlarmSettings) -> String {
    let line = |state: AlarmState| {
        let cells = VERBS.map(|verb| told(&mut standing(state, settings), verb).to_string());
        format!("{} {}\n", letter(state), cells.join(" "))
    };
    AlarmState::ALL.map(line).concat()
}

#[track_caller]
fn check_table(settings: AlarmSettings, expected: &str) {
    let table = table(&settings);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).skip(1).collect();
    assert_eq!(table.trim(), expected.join("\n"), "\n{table}");
}

#[test]
fn every_verb_in_every_state_by_isa() {
    check_table(
        AlarmSettings::default(),
        "  r c a s u p n o i x ~ #
         A B A ! G ! H ! I ! ! A A
         B B D C G ! H ! I ! ! B B
         C B A ! G ! H ! I ! ! B C
         D B D A G ! H ! I ! ! D D
         E B E F G ! H ! I ! ! E E
         F B F ! G ! H ! I ! A F F
         G G G ! G A G ! I ! ! G G
         H H H ! ! ! ! A I ! ! H H
         I I I ! ! ! I ! ! A ! I I",
    );
}

#[test]
fn a_latched_alarm_stays_until_it_is_acknowledged_and_reset() {
    check_table(
        AlarmSettings { latch: true, ..AlarmSettings::default() },
        "  r c a s u p n o i x ~ #
         A B A ! G ! H ! I ! ! A A
         B B E C G ! H ! I ! ! B B
         C B F ! G ! H ! I ! ! B C
         D B D A G ! H ! I ! ! D D
         E B E F G ! H ! I ! ! E E
         F B F ! G ! H ! I ! A F F
         G G G ! G A G ! I ! ! G G
         H H H ! ! ! ! A I ! ! H H
         I I I ! ! ! I ! ! A ! I I",
    );
}

#[test]
fn a_refusal_says_who_suppresses_and_nobody_ends_what_nobody_began() {
    let hand = Hand { by: "kim".into(), until: None };
    let settings = AlarmSettings::default();
    let told = |alarm: &mut Alarm, verb| alarm.handle(seconds(1), verb, &hand).unwrap_err();
    let mut alarm = standing(AlarmState::Suppressed, &settings);
    assert_eq!(told(&mut alarm, AlarmVerb::Acknowledge), "the alarm is suppressed by hand; end the suppression first");
    alarm.kept.suppressed_by_design = true;
    assert_eq!(told(&mut alarm, AlarmVerb::Acknowledge), "the alarm is suppressed by design");
    for state in [AlarmState::Normal, AlarmState::Unacknowledged, AlarmState::Shelved, AlarmState::OutOfService] {
        assert_eq!(told(&mut standing(state, &settings), AlarmVerb::Unsuppress), "the alarm is not suppressed", "{state}");
    }
    // What somebody suppressed while it was shelved can be ended there.
    let mut alarm = standing(AlarmState::Shelved, &settings);
    alarm.handle(seconds(1), AlarmVerb::Suppress, &hand).unwrap();
    assert!(alarm.handle(seconds(2), AlarmVerb::Unsuppress, &hand).is_ok());
    assert_eq!(told(&mut alarm, AlarmVerb::Unsuppress), "the alarm is not suppressed");
}

#[test]
fn an_alarm_without_acknowledgement_comes_and_goes() {
    let settings = AlarmSettings { acknowledge: false, ..AlarmSettings::default() };
    let rows = table(&settings);
    assert!(rows.contains("A C A ! G"), "{rows}");
    assert!(rows.contains("C C A ! G"), "{rows}");
}

#[test]
fn every_verb_in_every_state_by_iot_events() {
    check_table(
        AlarmSettings { life_cycle: LifeCycle::IotEvents, ..AlarmSettings::default() },
        "  r c a s u p n o i x ~ #
         A B A ! G ! H ! I ! A A A
         B B D C G ! H ! I ! A B B
         C C A ! G ! H ! I ! A B C
         D B D A G ! H ! I ! A D D
         E B E F G ! H ! I ! A E E
         F B F ! G ! H ! I ! A F F
         G G G ! G A G ! I ! A G G
         H H H ! ! ! ! A I ! ! H H
         I I I ! ! ! I ! ! A ! I I",
    );
}

/// The table of the IoT Events API: from, event, to with the acknowledge flow, to without. `n/a` is refused.
const IOT_EVENTS: &str = "
    DISABLED        Enable      NORMAL          NORMAL
    DISABLED        Disable     DISABLED        DISABLED
    NORMAL          Disable     DISABLED        DISABLED
    ACTIVE          Disable     DISABLED        DISABLED
    ACKNOWLEDGED    Disable     DISABLED        -
    LATCHED         Disable     DISABLED        -
    SNOOZE_DISABLED Disable     DISABLED        DISABLED
    NORMAL          true        ACTIVE          ACTIVE
    NORMAL          false       NORMAL          NORMAL
    ACTIVE          true        ACTIVE          ACTIVE
    ACTIVE          false       LATCHED         NORMAL
    ACTIVE          Acknowledge ACKNOWLEDGED    n/a
    LATCHED         Acknowledge NORMAL          -
    LATCHED         true        ACTIVE          -
    LATCHED         false       LATCHED         -
    ACKNOWLEDGED    true        ACKNOWLEDGED    -
    ACKNOWLEDGED    false       NORMAL          -
    NORMAL          Reset       NORMAL          NORMAL
    ACTIVE          Reset       NORMAL          NORMAL
    ACKNOWLEDGED    Reset       NORMAL          -
    LATCHED         Reset       NORMAL          -
    SNOOZE_DISABLED Reset       NORMAL          NORMAL
    NORMAL          Snooze      SNOOZE_DISABLED SNOOZE_DISABLED
    ACTIVE          Snooze      SNOOZE_DISABLED SNOOZE_DISABLED
    ACKNOWLEDGED    Snooze      SNOOZE_DISABLED -
    LATCHED         Snooze      SNOOZE_DISABLED -
    SNOOZE_DISABLED Snooze      SNOOZE_DISABLED SNOOZE_DISABLED
    SNOOZE_DISABLED true        SNOOZE_DISABLED SNOOZE_DISABLED
    SNOOZE_DISABLED TimeOver    NORMAL          NORMAL
    DISABLED        true        DISABLED        DISABLED
    DISABLED        Reset       n/a             n/a
    DISABLED        Snooze      n/a             n/a
    DISABLED        Acknowledge n/a             n/a
";

/// An alarm brought into a state of IoT Events by its own events.
fn iot_events(state: &str, acknowledge: bool) -> Alarm {
    let settings = AlarmSettings {
        life_cycle: LifeCycle::IotEvents,
        acknowledge,
        starts_out_of_service: true,
        ..AlarmSettings::default()
    };
    let mut alarm = Alarm::new(model(settings));
    let way: &[&str] = match state {
        "DISABLED" => &[],
        "NORMAL" => &["Enable"],
        "ACTIVE" => &["Enable", "true"],
        "ACKNOWLEDGED" => &["Enable", "true", "Acknowledge"],
        "LATCHED" => &["Enable", "true", "false"],
        "SNOOZE_DISABLED" => &["Enable", "true", "Snooze"],
        other => panic!("no state {other}"),
    };
    way.iter().for_each(|event| assert!(iot_events_event(&mut alarm, event), "{state} by {event}"));
    assert_eq!(alarm.state().iot_events_name(acknowledge), state);
    alarm
}

fn iot_events_event(alarm: &mut Alarm, event: &str) -> bool {
    let verb = match event {
        "true" => AlarmVerb::Raise,
        "false" => AlarmVerb::Clear,
        "Enable" => AlarmVerb::ReturnToService,
        // Disabling what is disabled changes nothing there, and is no error.
        "Disable" if alarm.state() == AlarmState::OutOfService => return true,
        "Disable" => AlarmVerb::RemoveFromService,
        "Acknowledge" => AlarmVerb::Acknowledge,
        "Reset" => AlarmVerb::Reset,
        "Snooze" => AlarmVerb::Shelve,
        "TimeOver" => AlarmVerb::Unshelve,
        other => panic!("no event {other}"),
    };
    told(alarm, verb) != '!'
}

#[test]
fn the_transition_table_of_iot_events() {
    for line in IOT_EVENTS.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [from, event, on, off] = words[..] else { panic!("{line}") };
        for (acknowledge, to) in [(true, on), (false, off)] {
            if to == "-" {
                continue; // without the flow there is no such state
            }
            let mut alarm = iot_events(from, acknowledge);
            let taken = iot_events_event(&mut alarm, event);
            let to = if to == "n/a" { (false, from) } else { (true, to) };
            assert_eq!((taken, alarm.state().iot_events_name(acknowledge)), to, "{line} (flow {acknowledge})");
        }
    }
}

#[test]
fn after_a_snooze_the_next_message_decides() {
    let mut alarm = iot_events("SNOOZE_DISABLED", true);
    assert!(iot_events_event(&mut alarm, "TimeOver"));
    assert_eq!(alarm.state(), AlarmState::Normal);
    assert!(iot_events_event(&mut alarm, "true"));
    assert_eq!(alarm.state().sitewise_name(true), "Active");
}

/// Runs verbs written as letters; gives the states passed, each over a restart.
fn run(settings: &AlarmSettings, verbs: &str) -> String {
    let model = model(settings.clone());
    let mut alarm = Alarm::new(model.clone());
    let mut states = Vec::new();
    for letter in verbs.chars() {
        let position = "rcasupnoix~#".find(letter).unwrap();
        states.push(told(&mut alarm, VERBS[position]).to_string());
        let kept = alarm.snapshot();
        alarm = Alarm::restore(kept.clone(), model.clone());
        assert_eq!(alarm.snapshot(), kept, "a restart is no restart");
    }
    states.join(" ")
}

#[test]
fn stories() {
    let plain = AlarmSettings::default();
    assert_eq!(run(&plain, "rac"), "B C A");
    assert_eq!(run(&plain, "rca"), "B D A");
    assert_eq!(run(&plain, "rcrac"), "B D B C A");
    assert_eq!(run(&plain, "rar"), "B C B");
    assert_eq!(run(&plain, "rasu"), "B C G B", "what comes back from the shelf was not seen");
    assert_eq!(run(&plain, "rscu"), "B G G A");
    assert_eq!(run(&plain, "sru"), "G G B");
    assert_eq!(run(&plain, "spun"), "G G H A", "a suppression that comes while it is shelved waits underneath");
    assert_eq!(run(&plain, "pron"), "H H I I");
    assert_eq!(run(&plain, "poi"), "H I H");
    assert_eq!(run(&plain, "roi"), "B I B");
    let latched = AlarmSettings { latch: true, ..plain };
    assert_eq!(run(&latched, "rcxax"), "B E ! F A");
    assert_eq!(run(&latched, "racx"), "B C F A");
    assert_eq!(run(&latched, "rcsu"), "B E G E", "hiding does not let go of what is latched");
}

#[test]
fn escalation_makes_it_more_urgent_until_somebody_acknowledges() {
    let step = |after: u64, priority| EscalationStep { after: Duration::from_secs(after), notify: Vec::new(), priority };
    let escalate = vec![step(60, None), step(120, Some(Priority::Critical))];
    let model = model(AlarmSettings { escalate, ..AlarmSettings::default() });
    let mut alarm = Alarm::new(model.clone());
    alarm.raise(seconds(0), "hot".into());
    assert_eq!((alarm.due(), alarm.priority()), (Some(seconds(60)), Priority::High));
    assert!(matches!(alarm.go_off(seconds(500)), Some((at, Due::Escalated(..))) if at == seconds(60)));
    let mut alarm = Alarm::restore(alarm.snapshot(), model);
    assert!(matches!(alarm.go_off(seconds(500)), Some((at, Due::Escalated(..))) if at == seconds(120)));
    assert_eq!((alarm.due(), alarm.priority()), (None, Priority::Critical));
    told(&mut alarm, AlarmVerb::Acknowledge);
    assert_eq!(alarm.priority(), Priority::Critical, "it stays as urgent as it is");
    alarm.raise(seconds(600), "hot".into());
    assert_eq!((alarm.due(), alarm.priority()), (Some(seconds(660)), Priority::High), "a new occurrence begins anew");
}

#[test]
fn repetitions_that_were_missed_are_one() {
    let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
    let settings = AlarmSettings { re_alarm: minutes(5), re_alarm_standing: minutes(60), ..AlarmSettings::default() };
    let mut alarm = Alarm::new(model(settings));
    alarm.raise(seconds(0), "hot".into());
    let (at, _) = alarm.go_off(seconds(3_599)).unwrap();
    assert_eq!((at, alarm.due()), (seconds(3_300), Some(seconds(3_600))));
    alarm.handle(seconds(3_599), AlarmVerb::Acknowledge, &Hand::default()).unwrap();
    assert_eq!(alarm.due(), Some(seconds(7_199)));
    let (_, done) = alarm.go_off(seconds(7_199)).unwrap();
    assert!(matches!(done, Due::Again(Moved { to: AlarmState::Unacknowledged, .. }, _)), "{done:?}");
    assert_eq!(alarm.due(), Some(seconds(7_499)));
}
