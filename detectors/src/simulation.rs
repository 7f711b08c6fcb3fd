//! Runs a detector of an asset model over lines of text in virtual time: what `andon simulate` does with a plant file.
//!
//! A line names an asset (`Line 2/Filler 2`) with the values of its properties as payload, or one property
//! (`Line 2/Filler 2/fill_temp`) with its value. The answer has the form of the simulation of IoT Events models; the key is the asset's
//! path, and an instance is there from the first line on. Transforms are computed, metrics are not: give their values if a guard reads them.

use crate::{
    Action, Arming, Engine, Input,
    iot_events::{Remark, read},
};
use andon_models::{
    Point, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::AssetIndex,
    event::{Event, EventBody},
    expression::nearest,
    transform::Transforms,
};
use serde_json::{Map, Value as Json, json};
use std::{ops::ControlFlow, sync::Arc};

/// Timers that go off before one line at most.
const MAX_TIMERS: usize = 1_000_000;

/// A detector of an asset model in virtual time.
#[derive(Debug)]
pub struct AssetSimulation {
    catalog: Arc<Catalog>,
    engine: Engine,
    transforms: Transforms,
    detector: Arc<str>,
    now: Option<Timestamp>,
}

impl AssetSimulation {
    /// A simulation of the detectors of one name; the others run with it, unseen.
    pub fn new(catalog: &Arc<Catalog>, detector: &str) -> Self {
        let mut engine = Engine::new(catalog.clone());
        // What it would write is what is asked; nothing is sent.
        engine.set_arming(Arming::on("the simulation".into(), Timestamp::EPOCH, None, true));
        Self { engine, transforms: Transforms::new(catalog), catalog: catalog.clone(), detector: detector.into(), now: None }
    }

    /// Takes one line, and hands over every answer. `Break` ends the simulation.
    pub fn line(&mut self, text: &str, out: &mut dyn FnMut(&Json) -> ControlFlow<()>) -> ControlFlow<(), Vec<Remark>> {
        if text.trim().is_empty() {
            return ControlFlow::Continue(Vec::new());
        }
        let line = match read(text) {
            Ok(line) => line,
            Err(mistake) => return ControlFlow::Continue(vec![Remark::Wrong(mistake)]),
        };
        let mut remarks = Vec::new();
        let now = self.now.map_or(line.time, |now| now.max(line.time));
        if now > line.time {
            remarks.push(Remark::Doubt(format!("the time {} lies before {now}; it counts as {now}", line.time)));
        }
        if self.now.is_none() {
            let actions = self.engine.start(now);
            self.tell(&actions, out)?;
        }
        self.now = Some(now);
        for _ in 0..MAX_TIMERS {
            let Some(due) = self.engine.next_due().filter(|due| *due <= now) else { break };
            let actions = self.engine.step(due, Input::Time);
            self.tell(&actions, out)?;
        }
        if let Some(input) = &line.input {
            match self.points(input, line.payload.unwrap_or(Json::Null), now, &mut remarks) {
                Some((asset, mut points)) => {
                    self.transforms.apply(&mut points);
                    let actions = self.engine.step(now, Input::Samples(&points));
                    if self.tell(&actions, out)? == 0 {
                        self.stays(asset, now, out)?;
                    }
                }
                None => remarks.push(Remark::Doubt(self.no_asset(input))),
            }
        }
        ControlFlow::Continue(remarks)
    }

    /// The asset a line names, and its samples.
    fn points(
        &self,
        input: &str,
        payload: Json,
        now: Timestamp,
        remarks: &mut Vec<Remark>,
    ) -> Option<(AssetIndex, Vec<Point>)> {
        let plant = &self.catalog.plant;
        let (asset, values) = match (plant.asset_at(input), payload) {
            (Some(asset), Json::Object(values)) => (asset, values),
            (Some(asset), _) => {
                remarks.push(Remark::Doubt("the payload is no object of property values; nothing was set".into()));
                (asset, Map::new())
            }
            (None, value) => {
                let (path, property) = input.rsplit_once('/')?;
                (plant.asset_at(path)?, Map::from_iter([(property.to_owned(), value)]))
            }
        };
        let mut points = Vec::new();
        for (name, value) in values {
            let value = serde_json::from_value::<Value>(value).unwrap_or(Value::Null);
            match self.catalog.series_named(asset, &name) {
                Some(series) => points.push(Point { series, tqv: Tqv::good(now, value) }),
                None => {
                    let known = plant.model_of(asset).properties.iter().map(|property| &*property.key);
                    let near = nearest(&name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    remarks.push(Remark::Doubt(format!("{} has no property `{name}`{near}", plant.assets[asset.0].path)));
                }
            }
        }
        Some((asset, points))
    }

    fn no_asset(&self, input: &str) -> String {
        let near = nearest(input, self.catalog.plant.assets.iter().map(|asset| &*asset.path));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("there is no asset `{input}`, and no property of one{near}")
    }

    /// A line per move of the detector; says how many.
    fn tell(&self, actions: &[Action], out: &mut dyn FnMut(&Json) -> ControlFlow<()>) -> ControlFlow<(), usize> {
        let mut lines: Vec<Json> = Vec::new();
        for action in actions {
            let (path, name, fields) = match action {
                Action::Record(event) if event.detector != self.detector => continue,
                Action::Record(event) => match &event.body {
                    EventBody::Transition(_) => {
                        lines.extend(self.moved(event));
                        continue;
                    }
                    EventBody::Alarm(change) => {
                        (&event.asset_path, change.verb.name(), json!({ "state": change.state, "message": &*change.message }))
                    }
                    EventBody::Command(change) => {
                        let fields = json!({ "control": &*change.control, "value": change.value, "state": change.state });
                        (&event.asset_path, "write", fields)
                    }
                    _ => continue,
                },
                Action::Notify { target, message, asset_path, detector, .. } if *detector == self.detector => {
                    (asset_path, "notify", json!({ "target": &**target, "message": &**message }))
                }
                Action::Publish { topic, payload } => {
                    let Some(last) = lines.last_mut() else { continue };
                    add(last, "publish", json!({ "topic": &**topic, "payload": &**payload }));
                    continue;
                }
                _ => continue,
            };
            if let Some(line) = lines.iter_mut().rev().find(|line| line["key"] == **path) {
                add(line, name, fields);
            }
        }
        for line in &lines {
            out(line)?;
        }
        ControlFlow::Continue(lines.len())
    }

    fn moved(&self, event: &Event) -> Option<Json> {
        let EventBody::Transition(transition) = &event.body else { return None };
        let from = (!transition.from.is_empty()).then_some(&*transition.from);
        let trigger = &*transition.explanation.trigger;
        let trigger = match (trigger.strip_prefix("timer "), trigger.strip_prefix("input ")) {
            (Some(timer), _) => json!({ "timer": timer }),
            (_, Some(input)) => json!({ "message": format!("{}/{input}", event.asset_path) }),
            _ => json!({ "message": trigger }),
        };
        let mut line = self.standing(&event.asset_path, event.time, trigger);
        line["from"] = from.into();
        line["state"] = Json::from(&*transition.to);
        Some(line)
    }

    /// A line for an asset whose detector was asked and did not move.
    fn stays(&self, asset: AssetIndex, now: Timestamp, out: &mut dyn FnMut(&Json) -> ControlFlow<()>) -> ControlFlow<()> {
        let path = &self.catalog.plant.assets[asset.0].path;
        let line = self.standing(path, now, json!({ "message": &**path }));
        if line["state"].is_null() {
            return ControlFlow::Continue(()); // the asset has no such detector
        }
        out(&line)
    }

    /// Where the detector of an asset stands, as a line.
    fn standing(&self, path: &str, time: Timestamp, trigger: Json) -> Json {
        let asset = self.catalog.plant.asset_at(path).map(|asset| self.catalog.plant.assets[asset.0].id);
        let snapshot = asset.and_then(|asset| self.engine.snapshot(asset, &self.detector));
        let state = snapshot.as_ref().map(|snapshot| snapshot.state.to_string());
        let variables: Map<String, Json> = snapshot
            .iter()
            .flat_map(|snapshot| &snapshot.variables)
            .map(|(name, value)| (name.to_string(), serde_json::to_value(value).unwrap_or(Json::Null)))
            .collect();
        let running = snapshot.iter().flat_map(|snapshot| &snapshot.timers).filter(|timer| !timer.fired);
        let timers: Map<String, Json> =
            running.map(|timer| (format!("{}: {}", timer.state, timer.name), timer.due.to_string().into())).collect();
        let failures = snapshot.filter(|snapshot| snapshot.failures > 0).map(|snapshot| snapshot.last_failure.to_string());
        json!({
            "time": time.to_string(),
            "key": path,
            "trigger": trigger,
            "from": state,
            "state": state,
            "variables": variables,
            "timers": timers,
            "actions": [],
            "failures": failures.into_iter().collect::<Vec<_>>(),
        })
    }
}

fn add(line: &mut Json, action: &str, fields: Json) {
    if let Json::Array(actions) = &mut line["actions"] {
        actions.push(json!({ "at": "transition", "event": "", "action": action, "fields": fields }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{catalog::SeriesDirectory, plant_file};

    const PLANT: &str = "plant: { name: Test, timezone: UTC }
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
";

    #[test]
    fn a_detector_of_an_asset_answers_in_the_same_lines() {
        let loaded = plant_file::load(&[("plant.yaml".into(), PLANT.into())], &|_| None);
        let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        let mut simulation = AssetSimulation::new(&catalog, "hot");
        let mut shown = Vec::new();
        for line in [
            r#"{"time":"2026-01-01T00:00:00Z","input":"Press 1","payload":{"temp":20}}"#,
            r#"{"time":"2026-01-01T00:00:10Z","input":"Press 1/temp","payload":85}"#,
            r#"{"time":"2026-01-01T00:00:20Z","input":"Press 2","payload":{"temp":20}}"#,
            r#"{"time":"2026-01-01T00:00:20Z","input":"Press 1","payload":{"tmp":20}}"#,
            r#"{"time":"2026-01-01T00:01:00Z"}"#,
        ] {
            let flow = simulation.line(line, &mut |line| {
                let actions: Vec<&str> =
                    line["actions"].as_array().unwrap().iter().filter_map(|it| it["action"].as_str()).collect();
                shown.push(format!(
                    "{} {} -> {} {}",
                    line["time"].as_str().unwrap(),
                    line["from"],
                    line["state"],
                    actions.join(" ")
                ));
                ControlFlow::Continue(())
            });
            let ControlFlow::Continue(remarks) = flow else { panic!("nobody stopped it") };
            shown.extend(remarks.iter().map(|remark| format!("{remark:?}")));
        }
        assert_eq!(
            shown,
            [
                "2026-01-01T00:00:00Z null -> \"fine\" ",
                "2026-01-01T00:00:00Z \"fine\" -> \"fine\" ",
                "2026-01-01T00:00:10Z \"fine\" -> \"warm\" raise",
                "Doubt(\"there is no asset `Press 2`, and no property of one; did you mean `Press 1`?\")",
                "2026-01-01T00:00:20Z \"warm\" -> \"warm\" ",
                "Doubt(\"Press 1 has no property `tmp`; did you mean `temp`?\")",
                "2026-01-01T00:00:40Z \"warm\" -> \"fine\" clear",
            ]
        );
    }
}
