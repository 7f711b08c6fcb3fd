//! Detector models of IoT Events over lines of messages: every rule of their order as text in, text out.
//!
//! `NAME.json` is the model, `NAME.messages.jsonl` what comes in, `NAME.lines.jsonl` what must come out, remarks after `#`.
//! A name ending in `.trace` traces conditions. `ANDON_BLESS=1` writes what came out instead, to be read before it is kept.

use andon_detectors::iot_events::{Remark, Simulation};
use andon_models::iot_events;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/iot_events")
}

/// What comes out, one text.
fn simulate(model: &str, messages: &str, trace: bool) -> String {
    let document = iot_events::read(model, "model");
    let mut lines = String::new();
    for finding in document.findings {
        lines += &format!("# {finding}\n");
    }
    let Some(model) = document.models.into_iter().next() else { return lines };
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
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
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
