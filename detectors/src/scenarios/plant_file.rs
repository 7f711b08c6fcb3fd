//! Detectors as an engineer writes them: from the text of a plant file to what they ask for.

use crate::testing::{Stage, assert_same};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: opc.tcp://127.0.0.1:4840, writes: allow }
notify:
  shift_lead: { email: lead@example.com }
models:
  capper:
    attributes:
      torque_limit: { default: 14.5, unit: Nm }
    measurements:
      torque:  { unit: Nm, from: ns=2;s=Torque @plc }
      state:   { type: int, from: ns=2;s=State @plc }
      running: { type: bool, from: ns=2;s=Running @plc }
      caps:    { type: int, from: ns=2;s=Caps @plc }
    controls:
      stop_request: { type: bool, to: ns=2;s=Stop @plc, allow: [true], interlock: running, verify: 2s, at_most: 4 per 1h }
    detectors:
      torque_high:
        priority: medium
        message: Torque {torque} of {asset} is above {torque_limit} for the {strikes}. time
        response: Set the head that is off.
        variables: { strikes: 0 }
        initial: good
        states:
          good:
            go:
              - { when: torque > torque_limit, for: 10s, to: bad, set: { strikes: strikes + 1 } }
          bad:
            initial: watching
            history: true
            go:
              - { when: torque < torque_limit - 1, for: 5s, on_bad: reset, to: good, do: [clear] }
              - { when: state == 2, to: aside }
              - { every: 1m, do: ['publish plant/capper/torque {\"torque\": {torque}}'] }
            states:
              watching:
                enter: [raise]
                go:
                  - { when: strikes >= 2 and running, to: stopping }
              stopping:
                enter: [write stop_request = true, notify shift_lead, send counter]
          aside:
            go:
              - { on: state, when: state == 6, to: bad }
      counter:
        message: The capper was stopped
        response: Write it into the book.
        initial: idle
        states:
          idle:
            go:
              - { on: torque_high, to: told }
          told: {}
  line:
    children: { machines: capper }
assets:
  Line 1:
    model: line
    machines:
      Capper 1: { model: capper, plc: plc }
";

#[test]
fn a_story_with_everything_in_it() {
    let played = Stage::load(PLANT).play(
        "
        1 running true
        2 torque 15.25
        12 time
        13 torque 13
        18 time
        20 torque 15
        30 time
        31 running true
        32 verified
        40 state 2
        41 torque 12
        60 state 6
        61 verified
        65 torque 12.5
        70 time
        ",
    );
    assert_same(
        &played,
        r#"
        12s good -> bad/watching (timer for 10s) do set strikes = strikes + 1; raise
        12s alarm raise: normal -> unacknowledged
        18s bad/watching -> good (timer for 5s) do clear
        18s alarm clear: unacknowledged -> returned_unacknowledged
        30s good -> bad/watching (timer for 10s) do set strikes = strikes + 1; raise
        30s alarm raise: returned_unacknowledged -> unacknowledged
        31s bad/watching -> bad/stopping (input running) do write stop_request = true; notify shift_lead; send counter
        31s command stop_request = true requested
        31s notification shift_lead requested
        > write stop_request = true
        > notify shift_lead: Torque 15 Nm of Line 1/Capper 1 is above 14.5 Nm for the 2. time
        31s idle -> told (message torque_high)
        32s command stop_request = true verified
        > put true at 32s
        40s bad/stopping -> aside (input state)
        1m aside -> bad/stopping (input state) do write stop_request = true; notify shift_lead; send counter
        1m command stop_request = true requested
        1m notification shift_lead requested
        > write stop_request = true
        > notify shift_lead: Torque 12 Nm of Line 1/Capper 1 is above 14.5 Nm for the 2. time
        1m1s command stop_request = true verified
        > put true at 1m1s
        1m5s bad/stopping -> good (timer for 5s) do clear
        1m5s alarm clear: unacknowledged -> returned_unacknowledged
        "#,
    );
}

#[test]
fn every_beat_of_a_group_goes_on_and_publishes_bare_values() {
    let played = Stage::load(PLANT).play("1 running false\n2 torque 15.25\n12 time\n72 time");
    assert!(
        played.ends_with("1m12s publication plant/capper/torque\n> publish plant/capper/torque {\"torque\": 15.25}"),
        "{played}"
    );
}

const LINE: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: opc.tcp://127.0.0.1:4840, writes: allow }
models:
  capper:
    measurements:
      torque:  { unit: Nm, stale: 1m, from: ns=2;s=Torque @plc }
      running: { type: bool, from: ns=2;s=Running @plc }
  line:
    children: { machines: capper }
    measurements:
      speed: { from: ns=2;s=Speed @plc }
    controls:
      stop: { type: bool, to: ns=2;s=Stop @plc, interlock: all(machines.torque < 50), verify: 2s }
    detectors:
      starved:
        message: The line is starved
        response: Look at the machines.
        initial: well
        states:
          well:
            go:
              - { when: any(machines.torque > 20), to: strained }
              - { when: 'sum(if(machines.running, 1, 0)) < 1', for: 10s, to: starved }
          strained:
            go:
              - { when: max(machines.torque) < 15 and count(machines.torque) == 2, to: well }
              - { on: speed, do: [write stop = true] }
              - { on: machines.running, do: ['publish seen {speed}'] }
          starved: {}
assets:
  Line 1:
    model: line
    plc: plc
    machines:
      Capper 1: { model: capper, plc: plc }
      Capper 2: { model: capper, plc: plc }
";

/// Capper 1 is the asset under test by its number, Capper 2 the next one; the detector belongs to their line.
#[test]
fn guards_and_interlocks_read_all_children() {
    let mut stage = Stage::load_of(LINE, 0);
    stage.play_of(&[(1, "1 torque 10"), (2, "2 torque 21")]);
    let last = stage.snapshot().last_transition.unwrap();
    assert_eq!(&*last.to, "strained");
    let inputs: Vec<_> = last.explanation.inputs.iter().map(|input| (&*input.name, input.value.to_string())).collect();
    assert_eq!(inputs, [("machines.torque (Capper 1)", "10".to_owned()), ("machines.torque (Capper 2)", "21".to_owned())]);
    assert_eq!(last.explanation.steps.len(), 1, "the whole guard: {:?}", last.explanation.steps);
    // One bad child leaves the greatest in doubt, and forbids a write.
    let played = stage.play_of(&[(1, "3 torque bad"), (2, "4 torque 10"), (0, "5 speed 1")]);
    assert!(played.ends_with("interlock `all(machines.torque < 50)`: machines.torque (Capper 1) is bad"), "{played}");
    let played = stage.play_of(&[(1, "6 running true"), (0, "6.5 time"), (1, "7 torque 60"), (0, "8 speed 1")]);
    assert!(played.contains("> publish seen 1"), "{played}");
    assert!(played.ends_with("refused: interlock `all(machines.torque < 50)` does not hold"), "{played}");
    let played = stage.play_of(&[(1, "9 torque 14"), (0, "10 time")]);
    assert_same(&played, "9s strained -> well (input machines.torque)");
    // Their values are known after a restart too; any one good true decides.
    stage.restart(andon_models::Timestamp::from_seconds(10), None);
    let played = stage.play_of(&[(2, "11 torque bad"), (1, "12 torque 22")]);
    assert_same(&played, "12s well -> strained (input machines.torque)");
}
