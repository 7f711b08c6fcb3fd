//! `andon simulate` as somebody meets it who brings a detector model from IoT Events.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("detectors/tests/iot_events").join(name)
}

fn simulate(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("simulate")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended already, over a model that cannot run.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn path(name: &str) -> String {
    case(name).display().to_string()
}

#[test]
fn lines_are_those_of_the_engine() {
    for name in ["order", "timers", "batch_counter", "all_actions"] {
        let out = simulate(&[&path(&format!("{name}.json")), "--messages", &path(&format!("{name}.messages.jsonl"))], "");
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        let expected = std::fs::read_to_string(case(&format!("{name}.lines.jsonl"))).unwrap();
        let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(String::from_utf8(out.stdout).unwrap().lines().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_done() {
    let messages = std::fs::read_to_string(case("triggers.messages.jsonl")).unwrap();
    let out = simulate(&[&path("triggers.json"), "--messages", "-"], &messages);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 4);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(told.contains("error: line 3: ") && told.contains("line 2: the time "), "{told}");
    // Nothing to do is no mistake: the model is checked.
    let out = simulate(&[&path("triggers.json"), "--messages", "-"], "");
    assert!(out.status.success() && out.stdout.is_empty());
    let out = simulate(&[&path("triggers.json"), "--messages", &path("nowhere.jsonl")], "");
    assert!(String::from_utf8_lossy(&out.stderr).contains("cannot read"));
}

#[test]
fn a_detector_of_a_plant_file_is_simulated_too() {
    let plant = "plant: { name: Test, timezone: UTC }
models:
  press:
    measurements: { temp: { unit: °C } }
    detectors:
      hot:
        message: Hot
        response: Look.
        initial: fine
        states:
          fine: { go: [ { when: temp > 80, to: warm } ] }
          warm: { enter: [raise], go: [ { after: 30s, to: fine, do: [clear] } ] }
assets:
  Press 1: { model: press }
inputs:
  door: { attributes: [open] }
detectors:
  door:
    initial: closed
    states:
      closed: { go: [ { event: opened, when: $input.door.open == true, to: opened } ] }
      opened: {}
";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plant.yaml");
    std::fs::write(&file, plant).unwrap();
    let file = file.display().to_string();
    let several = simulate(&[&file, "--messages", "-"], "");
    assert!(String::from_utf8_lossy(&several.stderr).contains("choose with --detector: door, press.hot"), "{several:?}");
    let states = |detector: &str, messages: &str| {
        let out = simulate(&[&file, "--detector", detector, "--messages", "-"], messages);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {} {} -> {}", line["time"].as_str().unwrap(), line["key"], line["from"], line["state"])
        };
        String::from_utf8(out.stdout).unwrap().lines().map(line).collect::<Vec<_>>()
    };
    let door = "{\"time\":\"2026-01-01T00:00:00Z\",\"input\":\"door\",\"payload\":{\"open\":true}}\n";
    assert_eq!(states("door", door), ["2026-01-01T00:00:00Z null null -> \"opened\""]);
    let press = "{\"time\":\"2026-01-01T00:00:00Z\",\"input\":\"Press 1\",\"payload\":{\"temp\":20}}
{\"time\":\"2026-01-01T00:00:10Z\",\"input\":\"Press 1/temp\",\"payload\":85}
{\"time\":\"2026-01-01T00:01:00Z\"}
";
    let shown = states("hot", press);
    assert_eq!(shown.last().unwrap(), "2026-01-01T00:00:40Z \"Press 1\" \"warm\" -> \"fine\"", "{shown:?}");
    assert!(shown.iter().any(|line| line.ends_with("\"fine\" -> \"warm\"")), "{shown:?}");
}
