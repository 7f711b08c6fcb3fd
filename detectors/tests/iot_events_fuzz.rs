//! Detector models that are broken at random, and messages that are anything: nothing panics, and everything ends.

use andon_detectors::iot_events::Simulation;
use andon_models::iot_events;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{fs, ops::ControlFlow, path::Path, sync::Arc};

/// The models of the other tests, as they are.
fn models() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/iot_events");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    paths.sort();
    let models = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: &_| fs::read_to_string(path).expect("a case can be read");
    models.map(|path| serde_json::from_str(&read(path)).expect("a case is JSON")).collect()
}

/// What may stand anywhere.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äß😀]{0,24}".prop_map(Value::from),
        "(\\$(input|variable)\\.[a-z]{1,3}(\\.[a-z]|\\[[0-9]\\])?|timeout\\('t'\\)|[0-9]{1,3}|'[a-z$\\{\\}]*'|[-+*/!<>=&|()]| ){0,10}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "setVariable": { "variableName": "x", "value": "$variable.x + $variable.x" } })),
        Just(json!({ "setTimer": { "timerName": "t", "seconds": 1 } })),
        Just(json!({ "resetTimer": { "timerName": "t" } })),
        Just(json!([{ "eventName": "e", "condition": "timeout('t')", "nextState": "a", "actions": [{ "resetTimer": { "timerName": "t" } }] }])),
    ]
}

/// Puts something at one of a document's places.
fn put(document: &mut Value, place: usize, what: &Value) {
    let mut left = place;
    fn walk(value: &mut Value, left: &mut usize, what: &Value) -> bool {
        if *left == 0 {
            *value = what.clone();
            return true;
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().any(|item| walk(item, left, what)),
            Value::Object(members) => members.values_mut().any(|member| walk(member, left, what)),
            _ => false,
        }
    }
    walk(document, &mut left, what);
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

fn line() -> impl Strategy<Value = String> {
    let payload = proptest::collection::hash_map("(id|n|v|x|do|motor|bar)", odd(), 0..5);
    let message = (0..4_000_i64, "(in|m|press|supply|return|x)", payload).prop_map(|(second, input, payload)| {
        let time = andon_models::Timestamp::from_seconds(1_767_225_600 + second);
        json!({ "time": time.to_string(), "input": input, "payload": payload }).to_string()
    });
    prop_oneof![8 => message, 1 => "[ -~]{0,40}", 1 => Just(r#"{"time":"2026-01-01T02:00:00Z"}"#.to_owned())]
}

/// Evaluations of one line at most: a timer of a second over an hour makes 3,600 for each instance.
const ENOUGH: usize = 2_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(
        model in 0..64_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), odd()), 0..6),
        lines in proptest::collection::vec(line(), 0..20),
        trace in any::<bool>(),
    ) {
        let models = models();
        let mut document = models[model % models.len()].clone();
        for (place, what) in changes {
            let place = place.index(size(&document));
            put(&mut document, place, &what);
        }
        let read = iot_events::read(&document.to_string(), "model");
        let refused = read.findings.iter().any(|finding| finding.level == iot_events::Level::Error);
        prop_assert!(refused || !read.models.is_empty());
        for model in read.models {
            let (tidied, _) = iot_events::tidy(&model);
            for model in [model, tidied] {
                let mut simulation = Simulation::new(&Arc::new(model), trace);
                for line in &lines {
                    let mut evaluations = 0;
                    let flow = simulation.line(line, &mut |evaluation| {
                        evaluations += 1;
                        let _ = evaluation.to_json().to_string();
                        let _ = evaluation.snapshot();
                        if evaluations < ENOUGH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    });
                    if flow.is_break() {
                        break;
                    }
                }
            }
        }
    }

    /// Any text at all.
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\\n]{0,200}") {
        let read = iot_events::read(&text, "model");
        prop_assert!(!read.findings.is_empty() || !read.models.is_empty() || !read.inputs.is_empty());
    }
}
