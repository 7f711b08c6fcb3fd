//! Writes: what is refused and why, and what becomes of those that are sent.

use crate::{
    Action,
    testing::{Stage, assert_same, check, detector},
};
use andon_models::{Timestamp, command::CommandState, event::EventBody};

const STOP: &str = "
    a
      go on count do write stop_request = true
      go on pressure do write setpoint = pressure
";

#[test]
fn a_write_stands_in_the_log_before_it_is_asked_for() {
    let mut stage = Stage::new(STOP);
    stage.act("1 running true");
    let actions = stage.act("2 count 1");
    let [Action::Record(moved), Action::Record(command), Action::Keep(snapshot), Action::Write(write)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(matches!(&moved.body, EventBody::Transition(transition) if transition.from == transition.to));
    let EventBody::Command(change) = &command.body else { panic!("{command:?}") };
    assert_eq!(
        (change.command, change.state, &*change.address),
        (write.id, CommandState::Requested, "ns=2;s=stop_request @plc")
    );
    assert_eq!(snapshot.commands[0].command, *write);
    assert_eq!(write.deadline, Timestamp::from_seconds(12));
    assert_eq!(stage.engine.unfinished_commands(), std::slice::from_ref(write));
}

/// The reason for which the last write was refused.
fn refusal(script: &str) -> String {
    let mut stage = Stage::new(STOP);
    let played = stage.play(script);
    assert!(!played.lines().any(|line| line.starts_with("> write")), "{played}");
    let snapshot = stage.snapshot();
    let last = snapshot.commands.last().unwrap();
    assert_eq!(last.state, CommandState::Refused);
    assert!(played.contains(&*last.reason));
    last.reason.to_string()
}

#[test]
fn the_interlock_must_hold_on_fresh_good_values() {
    assert_eq!(refusal("1 running false\n2 count 1"), "interlock `running` does not hold");
    assert_eq!(refusal("2 count 1"), "interlock `running`: running is not known yet");
    assert_eq!(refusal("1 running bad\n2 count 1"), "interlock `running`: running is bad");
    assert_eq!(refusal("1 running true\n700 count 1"), "interlock `running`: running is stale: 11m39s old, 10m are allowed");
}

#[test]
fn the_value_must_be_allowed() {
    assert_eq!(refusal("1 pressure 100.5"), "100.5 is above the highest allowed value 100");
    assert_eq!(refusal("1 pressure -1"), "-1 is below the lowest allowed value 0");
    assert_eq!(refusal("1 running true\n2 disarm\n3 count 1"), "writes are disarmed: kim disarmed them");
    check(
        "a\n  go on count do write stop_request = false",
        "1 running true\n2 count 1",
        "
        2s a -> a (input count) do write stop_request = false
        2s command stop_request = false refused: false is not on the list of allowed values (true)
        ",
    );
    check(
        "a\n  go on pressure do write setpoint = pressure",
        "1 pressure 50",
        "
        1s a -> a (input pressure) do write setpoint = pressure
        1s command setpoint = 50 requested
        > write setpoint = 50
    ",
    );
}

#[test]
fn no_value_is_no_write() {
    check(
        "a\n  go on count do write setpoint = pressure",
        "1 count 1",
        "
        1s a -> a (input count) do write setpoint = pressure
        1s command setpoint = null refused: there is no value to write
        ",
    );
}

#[test]
fn the_source_must_allow_writes_and_the_control_be_bound() {
    check(
        "a\n  go on count do write locked = true; write unbound = true",
        "1 count 1",
        "
        1s a -> a (input count) do write locked = true; write unbound = true
        1s command locked = true refused: source locked does not allow writes (`writes: allow` in the plant file)
        1s command unbound = true refused: control unbound is not bound: the asset fills no source into its slot
        ",
    );
}

#[test]
fn at_most_counts_also_what_was_decided_before_a_restart() {
    let mut stage = Stage::new(STOP);
    let first = stage.play("1 running true\n2 count 1\n3 verified\n4 count 1\n5 verified");
    assert_eq!(first.matches("> write").count(), 2);
    stage.restart(Timestamp::from_seconds(6), None);
    let second = stage.play("7 count 1");
    assert!(second.contains("refused: at most 2 per 1h are allowed, and 2 were decided in that time"), "{second}");
    let third = stage.play("3600 running true\n3603 count 1");
    assert_eq!(third.matches("> write").count(), 1, "{third}");
}

#[test]
fn a_plant_that_writes_without_end_is_disarmed() {
    let mut stage = Stage::new(STOP);
    let script: String = (0..61).map(|number| format!("{} pressure 5\n", 1.0 + f64::from(number) / 10.0)).collect();
    let played = stage.play(&script);
    assert_eq!(played.matches("> write").count(), 60);
    assert!(played.ends_with("error commands: more than 60 commands in a minute: writes are disarmed; find out which detector runs wild, then arm again"), "{played}");
    assert!(!stage.engine.armed());
    assert_same(&stage.play("8 arm"), "8s deed arm by kim");
    assert!(stage.engine.armed());
}

/// A stop request that was sent, and what follows.
fn after_sending(script: &str) -> String {
    let model = "
        normal
          go on count to stopping
        stopping
          enter raise; write stop_request = true
    ";
    let mut stage = Stage::new(model);
    stage.play("1 running true\n2 count 1\n2.5 sent\n3 acknowledge");
    stage.play(script)
}

#[test]
fn a_verified_write_is_recorded_as_a_sample() {
    assert_same(&after_sending("4 verified"), "4s command stop_request = true verified\n> put true at 4s");
}

#[test]
fn a_failed_write_raises_the_alarm_again() {
    assert_same(
        &after_sending("4 failed BadNotWritable"),
        "
        4s command stop_request = true failed: BadNotWritable
        4s error Line 1/Filler 1/stop_request: write stop_request = true is failed: BadNotWritable; look at the machine before anything is written again
        4s alarm raise: acknowledged -> unacknowledged
        ",
    );
}

#[test]
fn an_unknown_write_is_never_repeated_and_may_be_cleared_up() {
    assert_same(
        &after_sending("4 unknown no answer\n5 verified\n6 unknown\n500 time"),
        "
        4s command stop_request = true unknown: no answer
        4s error Line 1/Filler 1/stop_request: write stop_request = true is unknown: no answer; look at the machine before anything is written again
        4s alarm raise: acknowledged -> unacknowledged
        5s command stop_request = true verified
        > put true at 5s
        ",
    );
}

#[test]
fn silence_of_the_connection_ends_in_unknown_and_of_the_sender_in_expired() {
    let sent = after_sending("23 time\n24 time");
    assert!(sent.starts_with("24s command stop_request = true unknown: no outcome came in time"), "{sent}");
    let mut stage = Stage::new(STOP);
    stage.play("1 running true\n2 count 1");
    let expired = stage.play("11 time\n12 time");
    assert!(
        expired.starts_with("12s command stop_request = true expired: its deadline passed before it was sent"),
        "{expired}"
    );
}

#[test]
fn just_before_sending_everything_is_checked_once_more() {
    let mut stage = Stage::new(STOP);
    stage.play("1 running true\n2 count 1");
    let command = stage.engine.unfinished_commands().remove(0);
    let may_send = |stage: &mut Stage, second| {
        stage.engine.may_send(Timestamp::from_seconds(second), &command, None).map_err(|reason| reason.to_string())
    };
    assert_eq!(may_send(&mut stage, 3), Ok(()));
    assert_eq!(may_send(&mut stage, 13), Err("its deadline passed before it was sent".into()));
    stage.play("4 running false");
    assert_eq!(may_send(&mut stage, 4), Err("interlock `running` does not hold".into()));
    stage.play("4 disarm");
    assert_eq!(may_send(&mut stage, 4), Err("writes are disarmed: kim disarmed them".into()));
}

#[test]
fn the_rate_of_a_control_counts_what_a_detector_that_is_gone_wrote() {
    let write = "a\n  go on count do write stop_request = true";
    let mut stage = Stage::with(vec![detector("overheat", write), detector("other", write)]);
    stage.play("1 running true\n2 count 1");
    // Two per hour are allowed, and each of them wrote one.
    stage.edit(Timestamp::from_seconds(3), vec![detector("overheat", write)]);
    let played = stage.play("3.5 arm\n4 count 2");
    assert!(played.contains("refused: at most 2 per 1h are allowed, and 2 were decided in that time"), "{played}");
}
