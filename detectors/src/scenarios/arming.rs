//! The switch for all writes, dry runs, and writes by hand.

use crate::{
    Action, Arming, HAND,
    testing::{Stage, assert_same, detector, plant, words},
};
use andon_models::{
    Timestamp, Value,
    command::{CommandState, DryRun, HandRole},
    definition::Plant,
};
use std::time::Duration;

const STOP: &str = "a\n  go on count do write stop_request = true\n  go on pressure do write setpoint = pressure";

/// The plant of the tests with controls as a test wants them.
fn with_controls(edit: impl FnOnce(&mut Plant)) -> Stage {
    let mut plant = plant(vec![detector("overheat", STOP)]);
    edit(&mut plant);
    Stage::of_plant(plant)
}

#[test]
fn nothing_is_written_until_somebody_arms() {
    let mut stage = Stage::new(STOP);
    stage.engine.set_arming(Arming::never());
    let played = stage.play("1 running true\n2 count 1");
    assert!(played.ends_with("refused: writes are disarmed: nobody has armed them yet (`andon arm`)"), "{played}");
    assert!(!stage.engine.armed());
    assert_same(&stage.play("3 arm"), "3s deed arm by kim");
    assert!(stage.play("4 count 2").ends_with("> write stop_request = true"));
}

#[test]
fn an_arming_ends_by_itself_at_its_time() {
    let mut stage = Stage::new(STOP);
    stage.play("1 running true\n10 arm 60s");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_seconds(70)));
    assert!(stage.play("69 count 1").ends_with("> write stop_request = true"));
    let command = stage.engine.unfinished_commands().remove(0);
    assert_same(
        &stage.play("70 time"),
        "1m10s warning commands: writes to machines are disarmed: the 1m for which kim armed them are over",
    );
    assert!(
        stage
            .engine
            .may_send(Timestamp::from_seconds(71), &command, None)
            .unwrap_err()
            .reason
            .starts_with("writes are disarmed")
    );
    assert!(stage.play("72 arm 999h").contains("> refuse: writes are armed for up to 31 days"));
}

#[test]
fn a_clock_that_goes_back_ends_an_arming_with_a_time() {
    let mut stage = Stage::new(STOP);
    stage.play("10000 arm 60s");
    let played = stage.play("6400 time");
    assert!(played.contains("writes to machines are disarmed: the clock went back"), "{played}");
}

#[test]
fn an_arming_survives_a_restart_but_not_another_definition_of_what_may_be_written() {
    let mut stage = Stage::new(STOP);
    stage.play("1 arm");
    stage.restart(Timestamp::from_seconds(2), None);
    assert!(stage.engine.armed());
    // Another guard is no other write.
    let guarded = STOP.replace("on count do", "on count when count > 3 do");
    stage.restart(Timestamp::from_seconds(3), Some(vec![detector("overheat", &guarded)]));
    assert!(stage.engine.armed());
    let told = stage.restart(
        Timestamp::from_seconds(4),
        Some(vec![detector("overheat", &STOP.replace("pressure\n", "7\n").replace("= pressure", "= 7"))]),
    );
    assert_same(
        &words(&told),
        "4s warning commands: writes to machines are disarmed: the definition of what may be written has changed; \
         look at it, then arm again",
    );
    assert!(!stage.engine.armed());
}

#[test]
fn a_first_run_that_nobody_attended_does_not_write_after_a_restart() {
    let mut stage = Stage::new(STOP);
    stage.engine.set_arming(Arming::on("the first start".into(), Timestamp::EPOCH, None, false));
    let told = words(&stage.restart(Timestamp::from_seconds(2), None));
    assert!(stage.engine.armed(), "the start that it was given for: {told}");
    assert!(stage.play("3 running true\n3 count 1").ends_with("> write stop_request = true"));
    let told = words(&stage.restart(Timestamp::from_seconds(4), None));
    assert!(told.contains("armed by its start and not by a person"), "{told}");
    assert!(!stage.engine.armed());
}

#[test]
fn a_copied_data_folder_commands_only_after_it_was_taken_over() {
    let mut stage = Stage::new(STOP);
    stage.engine.set_foreign(Some("this data folder is a copy".into()));
    assert_same(
        &stage.play("1 running true\n2 arm\n3 count 1"),
        "
        > refuse: this data folder is a copy
        3s a -> a (input count) do write stop_request = true
        3s command stop_request = true refused: writes are disarmed: this data folder is a copy
        ",
    );
    assert_same(&stage.play("4 arm take-over"), "4s deed arm by kim");
    assert!(stage.play("5 count 1").ends_with("> write stop_request = true"));
}

#[test]
fn a_control_may_be_kept_for_some_detectors() {
    let mut stage = with_controls(|plant| plant.models[1].controls[1].policy.detectors = Some(vec!["other".into()]));
    let played = stage.play("1 pressure 5");
    assert!(played.contains("refused: the control setpoint does not let this detector write it"), "{played}");
}

#[test]
fn a_step_is_measured_from_what_the_device_shows() {
    let mut stage = with_controls(|plant| plant.models[1].controls[1].policy.step = Some(5.0));
    stage.play("1 pressure 50");
    let command = stage.engine.unfinished_commands().remove(0);
    let mut ask = |current: Option<f64>| {
        let current = current.map(Value::Double);
        stage.engine.may_send(Timestamp::from_seconds(2), &command, current.as_ref()).map_err(|reason| reason.to_string())
    };
    assert_eq!(ask(Some(45.0)), Ok(()));
    assert_eq!(ask(Some(44.9)), Err("from 44.9 to 50 is more than a step of 5".into()));
    assert!(ask(None).unwrap_err().contains("present value is not known"));
}

#[test]
fn a_dry_run_does_everything_but_send() {
    let mut stage = with_controls(|plant| plant.models[1].controls[0].policy.dry_run = true);
    // It needs no arming, but every other rule.
    stage.play("0.5 disarm");
    let played = stage.play("1 running true\n2 count 1");
    assert_same(
        &played,
        "
        2s a -> a (input count) do write stop_request = true
        2s command stop_request = true dry_run: dry run of the control: not sent
        ",
    );
    assert!(stage.engine.unfinished_commands().is_empty());
    assert!(stage.play("3 running false\n4 count 1").contains("refused: interlock"));
    assert!(
        stage
            .play("5 running true\n6 count 1\n7 count 1")
            .ends_with("at most 2 per 1h are allowed, and 2 were decided in that time")
    );
}

#[test]
fn a_detector_runs_dry_until_its_time_is_over_and_somebody_releases_it() {
    let mut stage = with_controls(|plant| {
        let mut model = detector("overheat", STOP);
        model.dry_run = DryRun::AtLeast(Duration::from_secs(3_600));
        plant.models[1].detectors = vec![model.into()];
    });
    stage.play("1 running true\n2 count 1\n3 pressure 500");
    let played = stage.play("10 release");
    assert!(played.starts_with("> refuse: it must run dry until 1970-01-01T01:00:00Z; so far 10s since 1970-01-01T00:00:00Z: it would have sent 1 commands, and 1 would have been refused"), "{played}");
    stage.restart(Timestamp::from_seconds(20), None);
    assert!(stage.play("3599 running true\n3600 count 1").contains("dry_run: dry run of the detector: not sent"));
    assert_same(&stage.play("3601 release"), "1h1s deed release by kim");
    assert!(stage.play("3700 running true\n7300 running true\n7301 count 1").ends_with("> write stop_request = true"));
    stage.restart(Timestamp::from_seconds(7_302), None);
    assert!(stage.play("7303 pressure 5").ends_with("> write setpoint = 5"), "a release survives a restart");
}

fn by_hand(second_person: bool) -> Stage {
    with_controls(|plant| {
        let policy = &mut plant.models[1].controls[0].policy;
        policy.by_hand = Some(HandRole::Operator);
        policy.second_person = second_person;
        policy.effect = "Stops the filler.".into();
    })
}

#[test]
fn a_write_by_hand_is_shown_and_then_confirmed() {
    let mut stage = by_hand(false);
    let early = stage.prepare("1", "stop_request", true.into(), None).unwrap_err();
    assert_eq!(early, "interlock `running`: running is not known yet");
    stage.play("1 running true");
    let prepared = stage.prepare("2", "stop_request", Value::Integer(1), Some(false.into())).unwrap();
    assert_eq!((&prepared.current, &prepared.value, &*prepared.effect), (&false.into(), &true.into(), "Stops the filler."));
    assert_eq!((&*prepared.interlock, prepared.inputs[0].value.clone()), ("running", true.into()));
    let actions = stage.act("3 confirm");
    assert_same(
        &words(&actions),
        "
        3s deed write by kim
        3s command stop_request = true requested
        > write stop_request = true
        ",
    );
    let Some(Action::Write(command)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!((command.id, &*command.decided_by), (prepared.command, "kim"));
    assert_same(&stage.play("4 verified"), "4s command stop_request = true verified\n> put true at 4s");
    assert_same(
        &stage.play("5 confirm"),
        "> refuse: nothing is prepared under this token, or it was confirmed already; prepare again",
    );
    assert_eq!(stage.engine.snapshot(stage.asset(), HAND).unwrap().commands[0].state, CommandState::Verified);
}

#[test]
fn a_write_by_hand_goes_by_the_newest_value_though_it_changed_nothing() {
    let mut stage = by_hand(false);
    stage.play("1 running true\n700 running true");
    assert!(stage.engine.loud.is_empty(), "nothing had to be done about the second value");
    let prepared = stage.prepare("701", "stop_request", true.into(), Some(false.into())).unwrap();
    assert_eq!(prepared.inputs[0].time, Some(Timestamp::from_seconds(700)), "the first one is too old by now");
}

#[test]
fn a_write_by_hand_must_be_confirmed_in_time_and_still_be_allowed() {
    let mut stage = by_hand(false);
    stage.play("1 running true");
    stage.prepare("2", "stop_request", true.into(), None).unwrap();
    assert_same(&stage.play("33 confirm"), "> refuse: it was to be confirmed within 30 s; prepare it again");
    stage.prepare("40", "stop_request", true.into(), None).unwrap();
    let played = stage.play("41 running false\n42 confirm");
    assert!(played.contains("command stop_request = true refused: interlock `running` does not hold"), "{played}");
    assert!(played.ends_with("> refuse: interlock `running` does not hold"), "{played}");
    let refusals = [
        stage.prepare("50", "setpoint", Value::Integer(5), None),
        stage.prepare("50", "stop_reqest", true.into(), None),
        stage.prepare("50", "stop_request", "on".into(), None),
    ];
    let words: Vec<String> = refusals.into_iter().map(|refused| refused.unwrap_err()).collect();
    assert!(words[0].contains("is not written by hand"), "{words:?}");
    assert!(words[1].contains("did you mean `stop_request`?"), "{words:?}");
    assert!(words[2].starts_with("stop_request takes"), "{words:?}");
}

#[test]
fn a_marked_control_needs_a_second_person() {
    let mut stage = by_hand(true);
    stage.play("1 running true");
    stage.prepare("2", "stop_request", true.into(), None).unwrap();
    assert_same(&stage.play("3 confirm"), "> refuse: kim prepared it, so somebody else must confirm it");
    let actions = stage.act("4 confirm sam");
    let Some(Action::Write(command)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!(&*command.decided_by, "kim and sam");
}

#[test]
fn a_command_by_hand_that_was_left_open_is_known_after_a_restart() {
    let mut stage = by_hand(false);
    stage.play("1 running true");
    stage.prepare("2", "stop_request", true.into(), None).unwrap();
    stage.play("3 confirm\n3.1 sent");
    let open = stage.engine.unfinished_commands();
    assert_eq!(open.len(), 1);
    let plant = stage.plant();
    stage.restart_with(Timestamp::from_seconds(4), plant);
    assert_eq!(stage.engine.unfinished_commands(), open);
}

#[test]
fn what_is_asked_of_a_detector_that_failed_is_refused() {
    const WHY: &str = "> refuse: it failed with an internal error and is out of service until a restart; please report it";
    let mut stage = by_hand(false);
    stage.play("1 running true");
    stage.prepare("2", "stop_request", true.into(), None).unwrap();
    stage.engine.poison(stage.asset(), HAND);
    // The step that fails is not done, and neither is any after it.
    let played = stage.play("3 confirm");
    assert!(played.contains("3s error Line 1/Filler 1/by hand: the detector failed") && played.ends_with(WHY), "{played}");
    let refused = stage.prepare("4", "stop_request", true.into(), None).unwrap_err();
    assert_eq!(format!("> refuse: {refused}"), WHY);

    let mut stage = Stage::new(STOP);
    stage.play("1 running true\n2 count 1");
    let command = stage.engine.unfinished_commands().remove(0);
    stage.engine.poison(stage.asset(), "overheat");
    assert!(stage.play("3 count 2").contains("the detector failed with an internal error"));
    for asked in ["4 acknowledge", "5 shelve 1h noise", "6 release", "7 suppress noise", "8 comment hm"] {
        assert_same(&stage.play(asked), WHY);
    }
    let told = stage.engine.may_send(Timestamp::from_seconds(3), &command, None);
    assert_eq!(format!("> refuse: {}", told.unwrap_err()), WHY);
}

#[test]
fn who_confirms_a_write_must_be_allowed_to_prepare_it() {
    for second_person in [false, true] {
        let mut stage = with_controls(|plant| {
            let policy = &mut plant.models[1].controls[0].policy;
            (policy.by_hand, policy.second_person) = (Some(HandRole::Engineer), second_person);
        });
        stage.play("1 running true");
        let refused = stage.prepare("2", "stop_request", true.into(), None).unwrap_err();
        assert_eq!(refused, "kim is an operator, and the control stop_request needs an engineer");
        stage.prepare_as(HandRole::Engineer, "2", "stop_request", true.into(), None).unwrap();
        assert_same(
            &stage.play("3 confirm sam"),
            "> refuse: sam is an operator, and the control stop_request needs an engineer",
        );
        // It still waits for somebody who may.
        let played = stage.play("4 confirm pat engineer");
        assert!(played.ends_with("> write stop_request = true"), "{played}");
    }
}
