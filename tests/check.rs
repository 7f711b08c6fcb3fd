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
