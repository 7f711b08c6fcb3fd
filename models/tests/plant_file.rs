//! The plant file from the outside: text in, plant or messages out.

use andon_models::plant_file::{Loaded, load, render};

fn variable(name: &str) -> Option<String> {
    match name {
        "LINE1_OPC" | "LINE2_OPC" | "LINE3_OPC" => Some("opc.tcp://127.0.0.1:4840".into()),
        "LINE1_MODBUS" | "LINE2_MODBUS" | "LINE3_MODBUS" => Some("tcp://127.0.0.1:502".into()),
        "PLANT_MQTT" => Some("mqtt://127.0.0.1:1883".into()),
        "USER" => Some("operator".into()),
        "SECRET" => Some("hunter2".into()),
        "TEAMS_URL" => Some("https://teams.example.com/hook".into()),
        _ => None,
    }
}

fn files(text: &str) -> Vec<(String, String)> {
    vec![("plant.yaml".to_owned(), text.to_owned())]
}

fn loaded(text: &str) -> Loaded {
    load(&files(text), &variable)
}

/// What is said about a text, as people see it.
fn said(text: &str) -> String {
    render(&loaded(text).diagnostics, &files(text), false)
}

#[test]
fn the_demonstration_plant_loads() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/plants/bottling.yaml")).unwrap();
    assert_eq!(said(&text), "");
    let plant = loaded(&text).plant.unwrap();
    assert_eq!(plant.assets.len(), 19);
}
