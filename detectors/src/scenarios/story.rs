//! The story of the plant file's example: an overheat from the first sample to the stop request.

use crate::testing::{Stage, assert_same, check};
use andon_models::{
    Quality, Value,
    alarm::AlarmState,
    event::{EventBody, Transition},
};

/// The detector of the plant file's example.
pub const OVERHEAT: &str = "
    normal
      go when temp > temp_limit and running to hot
    hot initial warming
      go when temp < temp_limit - 3 for 60s to normal do clear
    hot/warming
      go after 30s to hot/alarm
    hot/alarm
      enter raise; notify shift_lead
      go when acknowledged to hot/handled
      go after 5m to hot/tripped
    hot/tripped
      enter write stop_request = true; notify maintenance
      go when acknowledged to hot/handled
    hot/handled
";

#[test]
fn a_hot_bowl_alarms_and_then_stops_the_machine_though_the_sensor_falls_silent() {
    check(
        OVERHEAT,
        "
        1 running true
        2 temp 79
        3 temp 83.5
        33 time
        333 time
        333.1 sent
        333.4 verified
        ",
        "
        3s normal -> hot/warming (input temp)
        33s hot/warming -> hot/alarm (timer after 30s) do raise; notify shift_lead
        33s alarm raise: normal -> unacknowledged
        33s notification shift_lead requested
        > notify shift_lead: Bowl 83.5 °C is above 80 °C
        5m33s hot/alarm -> hot/tripped (timer after 5m) do write stop_request = true; notify maintenance
        5m33s command stop_request = true requested
        5m33s notification maintenance requested
        > write stop_request = true
        > notify maintenance: Bowl 83.5 °C is above 80 °C
        5m33s100ms command stop_request = true sent
        5m33s400ms command stop_request = true verified
        > put true at 5m33s400ms
        ",
    );
}

#[test]
fn it_cools_down_by_itself_and_the_alarm_waits_for_an_acknowledgement() {
    check(
        OVERHEAT,
        "
        1 running true
        3 temp 83.5
        33 temp 84
        50 temp 76
        110 temp 75.5
        120 acknowledge
        ",
        "
        3s normal -> hot/warming (input temp)
        33s hot/warming -> hot/alarm (timer after 30s) do raise; notify shift_lead
        33s alarm raise: normal -> unacknowledged
        33s notification shift_lead requested
        > notify shift_lead: Bowl 83.5 °C is above 80 °C
        1m50s hot/alarm -> normal (timer for 1m) do clear
        1m50s alarm clear: unacknowledged -> returned_unacknowledged
        2m alarm acknowledge: returned_unacknowledged -> normal by kim
        ",
    );
}

#[test]
fn an_acknowledgement_keeps_it_from_tripping() {
    check(
        OVERHEAT,
        "
        1 running true
        3 temp 83.5
        33 time
        40 acknowledge seen
        400 time
        401 acknowledge again
        ",
        "
        3s normal -> hot/warming (input temp)
        33s hot/warming -> hot/alarm (timer after 30s) do raise; notify shift_lead
        33s alarm raise: normal -> unacknowledged
        33s notification shift_lead requested
        > notify shift_lead: Bowl 83.5 °C is above 80 °C
        40s alarm acknowledge: unacknowledged -> acknowledged by kim
        40s hot/alarm -> hot/handled (acknowledged)
        > refuse: the alarm is acknowledged already
        ",
    );
}

#[test]
fn a_move_explains_itself() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5");
    let last = stage.snapshot().last_transition.unwrap();
    let explanation = last.explanation;
    assert_eq!((&*explanation.trigger, &*explanation.state), ("input temp", "normal"));
    assert_eq!(&*explanation.rule, "when temp > temp_limit and running to hot");
    let inputs: Vec<_> =
        explanation.inputs.iter().map(|input| (&*input.name, input.value.to_string(), &*input.unit, &*input.source)).collect();
    let expected = [
        ("temp", "83.5".to_owned(), "°C", "modbus:plc"),
        ("temp_limit", "80".to_owned(), "°C", "attribute"),
        ("running", "true".to_owned(), "", "modbus:plc"),
    ];
    assert_eq!(inputs, expected);
    assert!(explanation.inputs.iter().all(|input| input.quality == Quality::Good));
    assert_eq!(explanation.inputs[0].time.unwrap().as_millis(), 3_000);
    let comparison = explanation.steps.iter().find(|step| &*step.expression == "temp > temp_limit").unwrap();
    assert_eq!(comparison.result, Value::Boolean(true));
}

#[test]
fn a_timed_move_names_its_timer() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n40 time");
    let explanation = stage.snapshot().last_transition.unwrap().explanation;
    let timer = explanation.timer.as_ref().unwrap();
    // What its groups watched meanwhile, and its message tells.
    let inputs: Vec<_> = explanation.inputs.iter().map(|input| (&*input.name, input.value.to_string())).collect();
    assert_eq!(inputs, [("temp", "83.5".to_owned()), ("temp_limit", "80".to_owned())]);
    assert_eq!((&*timer.name, timer.started.as_millis(), timer.due.as_millis()), ("after 30s", 3_000, 33_000));
}

#[test]
fn a_shelved_alarm_tells_nobody_in_the_list_and_comes_back_by_itself() {
    let mut stage = Stage::new(OVERHEAT);
    let played = stage.play(
        "
        1 running true
        2 shelve 60s cleaning the sensor
        3 temp 83.5
        33 time
        62 time
        63 unshelve
        64 shelve 60s
        65 shelve 9d on holiday
        ",
    );
    assert_same(
        &played,
        "
        2s alarm shelve: normal -> shelved by kim
        3s normal -> hot/warming (input temp)
        33s hot/warming -> hot/alarm (timer after 30s) do raise; notify shift_lead
        33s notification shift_lead requested
        > notify shift_lead: Bowl 83.5 °C is above 80 °C
        1m2s alarm unshelve: shelved -> unacknowledged
        > refuse: the alarm is not shelved
        > refuse: a shelving needs a note that says why
        > refuse: an alarm can be shelved for 7 days at most; longer is out of service
        ",
    );
    assert_eq!(stage.snapshot().alarm.state, AlarmState::Unacknowledged);
}

#[test]
fn the_first_entry_is_a_move_from_nowhere() {
    let mut stage = Stage::unstarted(vec![crate::testing::detector("overheat", OVERHEAT)]);
    let actions = stage.engine.start(andon_models::Timestamp::from_seconds(5));
    let [crate::Action::Record(event), crate::Action::Keep(snapshot)] = &actions[..] else { panic!("{actions:?}") };
    let EventBody::Transition(Transition { from, to, explanation }) = &event.body else { panic!("{event:?}") };
    assert_eq!((&**from, &**to, &*explanation.trigger, &*snapshot.state), ("", "normal", "start", "normal"));
    assert!(stage.engine.start(andon_models::Timestamp::from_seconds(6)).is_empty());
}
