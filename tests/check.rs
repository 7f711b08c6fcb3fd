//! `andon check` as a plant engineer meets it.

use std::process::Command;

/// One mistake a line, each of another kind.
const TEN_MISTAKES: &str = "plant: { name: Test, timezone: Europe/Berlyn }
shifts: { early: Mon-Fri 06:00-26:00 }
sources:
  plc: { opcua: 'opc.tcp://127.0.0.1:4840', evry: 500ms }
models:
  filler:
    measurements:
      temp: { unit: °C, from: holding/0 float23 @plc }
      level: { normal: 80..74, from: ns=2;s=Level @plc }
    transforms:
      running: stat == 6
      loop_a: loop_b + 1
      loop_b: loop_a + 1
    metrics:
      5m:
        temp_avg: avrg(temp)
    detectors:
      overheat:
        message: Hot
        response: Look.
        initial: nrmal
        states:
          normal: { go: [ { when: temp > 80, to: hott } ] }
          hot: { enter: [raise, write stop = true] }
assets:
  Filler 1: { model: filer, plc: plc }
";

#[test]
fn ten_mistakes_get_ten_precise_messages() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plant.yaml");
    std::fs::write(&file, TEN_MISTAKES).unwrap();
    let andon = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_andon")).arg("check").arg(&file).args(arguments).output().unwrap()
    };

    let text = andon(&[]);
    assert_eq!(text.status.code(), Some(1));
    let shown = String::from_utf8(text.stderr).unwrap();
    let json = andon(&["--json"]);
    assert_eq!(json.status.code(), Some(1));
    let diagnostics: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    for (line, word) in [
        (1, "Berlyn"),
        (2, "26:00"),
        (4, "evry"),
        (8, "float23"),
        (9, "80..74"),
        (11, "stat"),
        (13, "loop_a"),
        (16, "avrg"),
        (21, "nrmal"),
        (23, "hott"),
        (24, "stop"),
        (26, "filer"),
    ] {
        let found = diagnostics.iter().any(|diagnostic| {
            diagnostic["severity"] == "error"
                && diagnostic["line"] == line
                && diagnostic["message"].as_str().unwrap().contains(word)
        });
        assert!(found, "line {line}: no error about {word}\n{shown}");
        assert!(shown.contains(&format!("plant.yaml:{line}:")), "line {line} is shown with its place\n{shown}");
    }
}

#[test]
fn what_cannot_be_read_is_said_in_the_form_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("plant.yaml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    for (path, word) in [(binary.to_str().unwrap(), "UTF-8"), ("/nowhere/plant.yaml", "No such file"), ("/dev/zero", "16 MiB")]
    {
        let json = Command::new(env!("CARGO_BIN_EXE_andon")).args(["check", path, "--json"]).output().unwrap();
        assert_eq!(json.status.code(), Some(1));
        let diagnostics: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(diagnostics.len(), 1, "{path}");
        assert!(diagnostics[0]["message"].as_str().unwrap().contains(word), "{path}: {diagnostics:?}");
    }
}

#[test]
fn a_summary_is_printed_once_and_counts_in_english() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plant.yaml");
    std::fs::write(&file, "plant: { name: Test, timezone: Europe/Berlyn }\n").unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_andon")).arg("check").arg(&file).output().unwrap();
    let shown = [shown.stdout, shown.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert_eq!(shown.matches("1 error").count(), 1, "{shown}");
    assert!(!shown.contains("1 errors"), "{shown}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("schema")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The schema is larger than a pipe holds, so it is still writing when nobody listens any more.
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
