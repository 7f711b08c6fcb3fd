//! Detector models of IoT Events over lines of messages: every rule of their order as text in, text out.
//!
//! `NAME.json` is the model, `NAME.messages.jsonl` what comes in, `NAME.lines.jsonl` what must come out, remarks after `#`.
//! A name ending in `.trace` traces conditions. `ANDON_BLESS=1` writes what came out instead, to be read before it is kept.

use andon_detectors::iot_events::{Remark, Simulation};
use andon_models::{
    iot_events::{self, DetectorModel, plant_form},
    plant_file,
};
use proptest::prelude::*;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/iot_events")
}

/// What comes out of a file's model, one text.
fn simulate(model: &str, messages: &str, trace: bool) -> String {
    let document = iot_events::read(model, "model");
    let mut lines = String::new();
    for finding in document.findings.iter().filter(|finding| finding.level == iot_events::Level::Error) {
        lines += &format!("# {finding}\n");
    }
    let Some(model) = document.models.into_iter().next() else { return lines };
    lines + &run(model, messages, trace)
}

/// What comes out of a model.
fn run(model: DetectorModel, messages: &str, trace: bool) -> String {
    let mut lines = String::new();
    let mut simulation = Simulation::new(&Arc::new(model), trace);
    for (number, line) in messages.lines().enumerate() {
        let mut out = String::new();
        let flow = simulation.line(line, &mut |evaluation| {
            out += &format!("{}\n", evaluation.to_json());
            ControlFlow::Continue(())
        });
        let ControlFlow::Continue(remarks) = flow else { panic!("nobody stopped it") };
        for remark in remarks {
            let text = match remark {
                Remark::Wrong(text) => format!("wrong: {text}"),
                Remark::Doubt(text) => text,
            };
            lines += &format!("# line {}: {text}\n", number + 1);
        }
        lines += &out;
    }
    lines
}

#[test]
fn every_rule_holds() {
    let bless = std::env::var_os("ANDON_BLESS").is_some();
    let mut cases = 0;
    let mut wrong = Vec::new();
    let entries = fs::read_dir(folder()).expect("the folder of cases is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("its entries can be read").path()).collect();
    paths.sort();
    for messages in paths.iter().filter(|path| path.to_string_lossy().ends_with(".messages.jsonl")) {
        let name = messages.file_name().unwrap().to_string_lossy().replace(".messages.jsonl", "");
        let model = fs::read_to_string(folder().join(name.trim_end_matches(".trace")).with_extension("json")).unwrap();
        let out = simulate(&model, &fs::read_to_string(messages).unwrap(), name.ends_with(".trace"));
        let expected = folder().join(format!("{name}.lines.jsonl"));
        if bless {
            fs::write(&expected, &out).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if out != expected {
            let place = out.lines().zip(expected.lines()).position(|(out, expected)| out != expected);
            let line = place.unwrap_or(out.lines().count().min(expected.lines().count()));
            let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
            wrong.push(format!("{name}, line {}\n  expected {}\n  found    {}", line + 1, at(&expected), at(&out)));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 15, "only {cases} cases were found");
}

fn cases() -> Vec<(String, DetectorModel)> {
    let entries = fs::read_dir(folder()).expect("the folder of cases is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("its entries can be read").path()).collect();
    paths.sort();
    let models = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a case can be read");
        let name = path.file_stem().expect("a case has a name").to_string_lossy().into_owned();
        (name, iot_events::read(&text, "model").models.remove(0))
    };
    models.map(read).collect()
}

/// The model as a plant file holds it, read again.
fn through_plant_file(model: &DetectorModel) -> DetectorModel {
    let detectors = serde_json::json!({ &*model.name: plant_form::write(model) });
    // JSON is YAML.
    let text = format!("plant: {{ name: Test, timezone: UTC }}\ndetectors: {detectors}\n");
    let loaded = plant_file::load(&[("plant.yaml".into(), text.clone())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{text}\n{:#?}", loaded.diagnostics));
    (*plant.detectors[0]).clone()
}

#[test]
fn a_model_in_the_plant_file_is_the_same_and_folded_acts_the_same() {
    for (name, model) in cases() {
        assert_eq!(through_plant_file(&model), model, "{name}");
        let messages = fs::read_to_string(folder().join(format!("{name}.messages.jsonl"))).unwrap_or_default();
        let (tidied, _) = iot_events::tidy(&model);
        assert_eq!(run(through_plant_file(&tidied), &messages, false), run(model, &messages, false), "{name}");
    }
}

/// Four states that share rules in all the ways there are.
const SHARED: &str = r#"{ "detectorModelName": "press", "key": "id", "detectorModelDefinition": { "initialStateName": "idle", "states": [
  { "stateName": "idle", "onInput": { "events": [
      { "eventName": "own", "condition": "$input.in.v > 3", "actions": [{ "setVariable": { "variableName": "last", "value": "'idle'" } }] },
      { "eventName": "count", "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }] }],
    "transitionEvents": [{ "eventName": "start", "condition": "$input.in.v > 6", "nextState": "work" }, { "eventName": "fault", "condition": "$variable.n > 4", "nextState": "fault" }] },
    "onEnter": { "events": [{ "eventName": "zero", "actions": [{ "setVariable": { "variableName": "n", "value": "0" } }, { "setTimer": { "timerName": "t", "seconds": 60 } }] }] } },
  { "stateName": "work", "onInput": { "events": [
      { "eventName": "count", "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }] }],
    "transitionEvents": [{ "eventName": "again", "condition": "$input.in.v == 5", "nextState": "work" }, { "eventName": "fault", "condition": "$variable.n > 4", "nextState": "fault" }] },
    "onExit": { "events": [{ "eventName": "note", "actions": [{ "setVariable": { "variableName": "left", "value": "$variable.n" } }] }] } },
  { "stateName": "test", "onInput": { "events": [
      { "eventName": "late", "condition": "timeout('t')", "actions": [{ "resetTimer": { "timerName": "t" } }] }],
    "transitionEvents": [{ "eventName": "fault", "condition": "$variable.n > 4", "nextState": "fault" }] } },
  { "stateName": "fault", "onInput": { "events": [
      { "eventName": "late", "condition": "timeout('t')", "actions": [{ "resetTimer": { "timerName": "t" } }] }],
    "transitionEvents": [{ "eventName": "mended", "condition": "$input.in.v < 2", "nextState": "test" }, { "eventName": "reset", "condition": "$input.in.v == 4", "nextState": "idle" }] } } ] } }"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What is imported and folded says the same to the last letter, whatever comes.
    #[test]
    fn folding_changes_nothing(serial in any::<bool>(), steps in proptest::collection::vec((0..40_i64, 0..3_u8, 0..9_i64), 1..60)) {
        let text = if serial { SHARED.replacen("\"key\"", "\"evaluationMethod\": \"SERIAL\", \"key\"", 1) } else { SHARED.to_owned() };
        let model = iot_events::read(&text, "press").models.remove(0);
        let (tidied, saved) = iot_events::tidy(&model);
        prop_assert!(saved > 0);
        let mut second = 1_767_225_600;
        let line = |(after, key, value): &(i64, u8, i64)| {
            second += after;
            let time = andon_models::Timestamp::from_seconds(second);
            format!("{{\"time\":\"{time}\",\"input\":\"in\",\"payload\":{{\"id\":\"K{key}\",\"v\":{value}}}}}\n")
        };
        let messages: String = steps.iter().map(line).collect();
        prop_assert_eq!(run(through_plant_file(&tidied), &messages, false), run(model, &messages, false));
    }
}
