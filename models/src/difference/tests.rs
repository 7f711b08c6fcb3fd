//! Two definitions in, words of the plant out.

use super::{Difference, text};
use crate::{definition::Plant, plant_file, snapshot::DetectorSnapshot};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
shifts: { early: 06:00-14:00, late: 14:00-22:00 }
sources:
  plc: { modbus: tcp://10.0.0.1:502, unit: 1, every: 1s, writes: allow }
  spare: { mqtt: mqtt://10.0.0.9:1883, topic: \"a/{asset}/b\", password: $PASSWORD }
notify: { lead: { log: } }
models:
  filler:
    attributes:
      temp_limit: { default: 82, unit: °C }
      serial: { type: string }
    measurements:
      temp: { unit: °C, stale: 10s, from: holding/0 float32 @plc }
      state: { type: int, from: holding/3 uint16 @plc }
    controls:
      stop: { type: bool, to: coil/1 @plc, verify: 2s, interlock: running }
    transforms:
      running: state == 6
    metrics:
      5m: { hot: max(temp) }
    detectors:
      overheat:
        message: Too hot
        response: Cool it.
        initial: normal
        states:
          normal: { go: [{ when: temp > temp_limit and running, to: hot }] }
          hot: { enter: [raise], go: [{ when: temp < temp_limit - 3, for: 1m, to: normal, do: [clear] }, { after: 5m, to: tripped }] }
          tripped: { enter: [write stop = true], go: [{ when: acknowledged, to: normal }] }
  line: { children: { machines: filler } }
assets:
  Line 1:
    model: line
    machines:
      Filler 1: { model: filler, plc: plc }
      Filler 2: { model: filler, plc: plc, attributes: { temp_limit: 90 } }
";

fn plant(yaml: &str) -> Plant {
    let loaded = plant_file::load(&[("plant.yaml".into(), yaml.into())], &|name| Some(format!("{name}-value")));
    loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(PLANT.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

/// What an edit changes, while detectors stand as given: asset, state, whether its alarm is active.
fn check_standing(edits: &[(&str, &str)], standing: &[(&str, &str, bool)], expected: &str) {
    let before = plant(PLANT);
    let snapshot = |(path, state, active): &(&str, &str, bool)| {
        let asset = &before.assets[before.asset_at(path).unwrap().0];
        let alarm = if *active { "unacknowledged" } else { "normal" };
        let snapshot = serde_json::json!({
            "asset": asset.id, "asset_path": path, "detector": "overheat", "state": state, "since": "2026-03-02T06:00:00Z", "history": [],
            "variables": [], "timers": [], "commands": [], "commands_decided": 0, "last_transition": null, "failures": 0,
            "last_failure": "", "seen": "2026-03-02T06:00:00Z",
            "alarm": { "state": alarm, "priority": "high", "since": null, "message": "", "response": "", "acknowledged_by": "",
                "acknowledged_at": null, "shelved_until": null },
        });
        serde_json::from_value::<DetectorSnapshot>(snapshot).unwrap()
    };
    let standing: Vec<_> = standing.iter().map(snapshot).collect();
    let told = text(&Difference::of(&before, &plant(&edited(edits)), &standing));
    assert_eq!(told.trim_end(), expected.trim_matches('\n').trim_end(), "\n{told}");
}

fn check(edits: &[(&str, &str)], expected: &str) {
    check_standing(edits, &[], expected);
}

#[test]
fn what_is_written_otherwise_and_means_the_same_is_no_change() {
    check(
        &[
            ("running: state == 6", "running: state==6   # Execute"),
            ("temp > temp_limit and running", "temp>temp_limit  and running"),
            (
                "attributes:\n      temp_limit: { default: 82, unit: °C }",
                "attributes:\n      temp_limit: { unit: °C, default: 82.0 }",
            ),
            ("every: 1s, ", ""),
        ],
        "",
    );
}

#[test]
fn an_attribute_says_whom_it_holds_for_and_who_reads_it() {
    check(
        &[("default: 82", "default: 84")],
        "
~ filler.temp_limit  82 °C → 84 °C
    holds from now on for 1 asset; 1 has a value of its own; recalculates nothing
    read by detector overheat",
    );
}

#[test]
fn formulas_say_from_when_they_hold() {
    check(&[("running: state == 6", "running: state == 5"), ("5m: { hot: max(temp) }", "5m: { hot: avg(temp), coldest: min(temp) }")], "
~ filler.running  state == 6 → state == 5
    computed so from the next sample on; values before that stay as they are
    `andon backfill filler.running --last 30d` computes it over history
    read by interlock of stop, detector overheat
~ filler.hot  5m: max(temp) → 5m: avg(temp)
    computed so from the window that is open now on; earlier figures stay until late data touches their window
    `andon backfill filler.hot --last 30d` computes it over history
+ filler.coldest  5m: min(temp)
    computed from the next window of 5m on
    `andon backfill filler.coldest --last 30d` computes it over history
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
}

#[test]
fn a_detector_keeps_its_state_where_the_state_is_still_there() {
    let both = [("Line 1/Filler 1", "tripped", true), ("Line 1/Filler 2", "hot", true)];
    check_standing(&[("{ after: 5m, to: tripped }", "{ after: 9m, to: tripped }"), ("for: 1m", "for: 2m")], &both, "
~ filler.overheat state hot rule  when temp < temp_limit - 3 for 1m to normal do clear → when temp < temp_limit - 3 for 2m to normal do clear
    2 instances keep their state
~ filler.overheat state hot rule  after 5m to tripped → after 9m to tripped");
}

#[test]
fn an_instance_in_a_state_that_goes_starts_over() {
    let both = [("Line 1/Filler 1", "tripped", true), ("Line 1/Filler 2", "hot", true)];
    let rename = [("to: tripped }", "to: stopped }"), ("          tripped: { enter", "          stopped: { enter")];
    check_standing(&rename, &both, "
~ filler.overheat state hot rule  after 5m to tripped → after 5m to stopped
    1 instance keeps its state
    1 instance starts over in normal: the state it stands in is gone (1 in tripped)
+ filler.overheat state stopped  when acknowledged to normal
- filler.overheat state tripped  when acknowledged to normal
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
    check(&rename, "
~ filler.overheat state hot rule  after 5m to tripped → after 5m to stopped
    2 instances keep their state, unless it is tripped: there they start over
+ filler.overheat state stopped  when acknowledged to normal
- filler.overheat state tripped  when acknowledged to normal
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
}

#[test]
fn what_goes_says_what_it_leaves() {
    let both = [("Line 1/Filler 1", "normal", false), ("Line 1/Filler 2", "hot", true)];
    check_standing(&[("      Filler 2: { model: filler, plc: plc, attributes: { temp_limit: 90 } }\n", "")], &both, "
- Line 1/Filler 2  filler
    7 series get no values any more; what is stored stays
    1 active alarm goes with it
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
    check(
        &[
            ("      serial: { type: string }\n", ""),
            ("late: 14:00-22:00", "late: 14:00-21:00"),
            ("    metrics:\n      5m: { hot: max(temp) }\n", ""),
        ],
        "
~ shift late  14:00-22:00 → 14:00-21:00
    windows of shifts, days and weeks follow it from now on; figures of earlier windows stay as they are
- filler.serial  string
    2 series get no values any more; what is stored stays
- filler.hot  5m: max(temp)
    2 series get no values any more; what is stored stays",
    );
    check(&[("  spare: { mqtt", "  other: { mqtt")], "
+ source other  mqtt://10.0.0.9:1883
    0 assets read from it
- source spare  mqtt://10.0.0.9:1883
    0 assets read from it until now; what nothing else feeds gets no values any more
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
}

#[test]
fn whatever_decides_about_writes_disarms_them() {
    check(&[("verify: 2s", "verify: 3s, allow: [true]")], "
+ filler.stop allow  true
~ filler.stop verify  2s → 3s
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
}

#[test]
fn what_comes_as_a_whole_is_told_as_a_whole() {
    check(
        &[("  line: { children", "  capper:\n    measurements: { speed: { from: holding/9 uint16 @plc } }\n  line: { children"),
          ("assets:\n", "assets:\n  Line 0:\n    model: line\n    machines:\n      Filler 9: { model: filler, plc: plc }\n  Capper: { model: capper, plc: plc }\n")],
        "
+ capper  1 property
    1 asset is of it
+ Line 0  line
    with 1 below it, 7 series begin
+ Capper  capper
    1 series begin
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again",
    );
}

#[test]
fn a_secret_that_changes_is_not_shown() {
    check(
        &[("$PASSWORD", "$OTHER")],
        "
~ source spare password  (secret) → (secret)
    it is connected to anew",
    );
}

#[test]
fn a_renaming_keeps_the_thing() {
    check(&[("Filler 2: { model: filler", "Filler B: { was: Filler 2, model: filler"), ("hot: max(temp)", "hot: max(fill_temp)"),
        ("      temp: { unit", "      fill_temp: { was: temp, unit"), ("temp > temp_limit", "fill_temp > temp_limit"), ("temp < temp_limit", "fill_temp < temp_limit")], "
~ filler.fill_temp name  filler.temp → filler.fill_temp
    read by metric hot, detector overheat
~ filler.hot  5m: max(temp) → 5m: max(fill_temp)
    computed so from the window that is open now on; earlier figures stay until late data touches their window
    `andon backfill filler.hot --last 30d` computes it over history
~ filler.overheat state normal rule  when temp > temp_limit and running to hot → when fill_temp > temp_limit and running to hot
    2 instances keep their state
~ filler.overheat state hot rule  when temp < temp_limit - 3 for 1m to normal do clear → when fill_temp < temp_limit - 3 for 1m to normal do clear
~ Line 1/Filler B name  Line 1/Filler 2 → Line 1/Filler B
! what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again");
}
