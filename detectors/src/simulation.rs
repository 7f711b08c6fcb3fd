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
    Point, StatusCode, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::AssetIndex,
    detector::{self as model, ActionKind},
    event::{Event, EventBody},
    expression::nearest,
    transform::Transforms,
};
use serde_json::{Map, Value as Json, json};
use std::{ops::ControlFlow, sync::Arc};

/// Timers that go off before one line at most.
const MAX_TIMERS: usize = 1_000_000;

/// How often values that detectors put may set off more of them at one instant, as where a plant runs.
const MAX_PUT_ROUNDS: usize = 4;

/// A detector of an asset model in virtual time.
#[derive(Debug)]
pub struct AssetSimulation {
    catalog: Arc<Catalog>,
    engine: Engine,
    transforms: Transforms,
    detector: Arc<str>,
    now: Option<Timestamp>,
    most_timers: usize,
}

impl AssetSimulation {
    /// A simulation of the detectors of one name; the others run with it, unseen.
    pub fn new(catalog: &Arc<Catalog>, detector: &str) -> Self {
        let mut engine = Engine::new(catalog.clone());
        // What it would write is what is asked; nothing is sent.
        engine.set_arming(Arming::on("the simulation".into(), Timestamp::EPOCH, None, true));
        Self {
            engine,
            transforms: Transforms::new(catalog),
            catalog: catalog.clone(),
            detector: detector.into(),
            now: None,
            most_timers: MAX_TIMERS,
        }
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
        let mut timers = 0;
        while let Some(due) = self.engine.next_due().filter(|due| *due <= now) {
            if timers == self.most_timers {
                let message = format!("more than {timers} timers go off before {now}; the others go off as of now");
                remarks.push(Remark::Doubt(message));
                break;
            }
            timers += 1;
            self.step(due, Input::Time, out)?;
        }
        if let Some(input) = &line.input {
            match self.points(input, line.payload.unwrap_or(Json::Null), now, &mut remarks) {
                Some((asset, mut points)) => {
                    self.transforms.apply(&mut points);
                    if self.step(now, Input::Samples(&points), out)? == 0 {
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
            let series = self.catalog.series_named(asset, &name);
            match series.and_then(|series| self.catalog.entry(series)) {
                Some(entry) => {
                    let known = serde_json::from_value::<Value>(value.clone()).ok();
                    let known = known.and_then(|known| known.coerce(entry.value_type));
                    if known.is_none() {
                        let (path, wanted) = (&plant.assets[asset.0].path, entry.value_type);
                        let message = format!("{path}/{name} takes {wanted}, and {value} is none: it counts as no value");
                        remarks.push(Remark::Doubt(message));
                    }
                    let tqv = match known {
                        None | Some(Value::Null) => Tqv::bad(now, StatusCode::NO_DATA),
                        Some(known) => Tqv::good(now, known),
                    };
                    points.push(Point { series: entry.id, tqv });
                }
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

    /// A line per move of the detector, and one for what it did without a move; says how many.
    fn tell(&self, actions: &[Action], out: &mut dyn FnMut(&Json) -> ControlFlow<()>) -> ControlFlow<(), usize> {
        let mut lines: Vec<Json> = Vec::new();
        for action in actions {
            // What reaches the world is recorded with who asks for it; only a value that is put is not.
            let (path, time, trigger, name, fields) = match action {
                Action::Record(event) if event.detector == self.detector => {
                    if let Some(line) = self.moved(event) {
                        lines.push(line);
                        continue;
                    }
                    let Some((trigger, name, fields)) = done(event) else { continue };
                    (&event.asset_path, event.time, trigger, name, fields)
                }
                Action::Put(point) => {
                    let Some((path, fields)) = self.put(point) else { continue };
                    (path, point.tqv.time, "", "put", fields)
                }
                _ => continue,
            };
            let at = time.to_string();
            let here = lines.iter().rposition(|line| line["key"] == **path && line["time"] == *at);
            let here = here.unwrap_or_else(|| {
                lines.push(self.standing(path, time, trigger_of(path, trigger)));
                lines.len() - 1
            });
            add(&mut lines[here], name, fields);
        }
        for line in &lines {
            out(line)?;
        }
        ControlFlow::Continue(lines.len())
    }

    /// Does one thing, and what follows from the values that detectors put, which are samples like others.
    fn step(
        &mut self,
        now: Timestamp,
        input: Input<'_>,
        out: &mut dyn FnMut(&Json) -> ControlFlow<()>,
    ) -> ControlFlow<(), usize> {
        let mut actions = self.engine.step(now, input);
        let mut told = self.tell(&actions, out)?;
        for _ in 0..MAX_PUT_ROUNDS {
            let mut put: Vec<Point> = actions
                .iter()
                .filter_map(|action| if let Action::Put(point) = action { Some(point.clone()) } else { None })
                .collect();
            if put.is_empty() {
                break;
            }
            self.transforms.apply(&mut put);
            actions = self.engine.step(now, Input::Samples(&put));
            told += self.tell(&actions, out)?;
        }
        ControlFlow::Continue(told)
    }

    /// The asset and the property of a value that the detector puts.
    fn put(&self, point: &Point) -> Option<(&Arc<str>, Json)> {
        let plant = &self.catalog.plant;
        let asset = self.catalog.entry(point.series)?.asset;
        let property = self.catalog.property(point.series)?;
        let detector = plant.model_of(asset).detectors.iter().find(|detector| detector.name == self.detector)?;
        let puts = |action: &model::Action| matches!(&action.kind, ActionKind::Put { property: to, .. } if *to == property.key);
        let actions = |state: &model::State| {
            let rules = state.rules.iter().flat_map(|rule| &rule.actions);
            state.enter.iter().chain(&state.exit).chain(rules).any(puts)
        };
        let fields = json!({ "property": &*property.key, "value": point.tqv.value });
        detector.states.iter().any(actions).then_some((&plant.assets[asset.0].path, fields))
    }

    fn moved(&self, event: &Event) -> Option<Json> {
        let EventBody::Transition(transition) = &event.body else { return None };
        let from = (!transition.from.is_empty()).then_some(&*transition.from);
        let trigger = trigger_of(&event.asset_path, &transition.explanation.trigger);
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

/// What an event of the detector did to the world: what set it off, its name and its fields.
fn done(event: &Event) -> Option<(&str, &'static str, Json)> {
    Some(match &event.body {
        EventBody::Alarm(change) => {
            (&*change.explanation.trigger, change.verb.name(), json!({ "state": change.state, "message": &*change.message }))
        }
        EventBody::Command(change) => {
            ("", "write", json!({ "control": &*change.control, "value": change.value, "state": change.state }))
        }
        EventBody::Notification(told) => ("", "notify", json!({ "target": &*told.target, "message": &*told.message })),
        EventBody::Publication(sent) => ("", "publish", json!({ "topic": &*sent.topic, "payload": &*sent.payload })),
        _ => return None,
    })
}

/// What set a detector off, as the simulation of messages writes it; without a word the line itself did.
fn trigger_of(path: &str, trigger: &str) -> Json {
    match (trigger.strip_prefix("timer "), trigger.strip_prefix("input ")) {
        (Some(timer), _) => json!({ "timer": timer }),
        (_, Some(input)) => json!({ "message": format!("{path}/{input}") }),
        _ if trigger.is_empty() => json!({ "message": path }),
        _ => json!({ "message": trigger }),
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

    fn simulation(plant: &str, detector: &str) -> AssetSimulation {
        let loaded = plant_file::load(&[("plant.yaml".into(), plant.into())], &|_| None);
        let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        AssetSimulation::new(&catalog, detector)
    }

    /// Seconds, the asset, what set it off, where it stands, and what it did.
    fn play(simulation: &mut AssetSimulation, lines: &[(u32, &str, &str)]) -> Vec<String> {
        let mut shown = Vec::new();
        for (second, input, payload) in lines {
            let time = Timestamp::EPOCH + std::time::Duration::from_secs(u64::from(*second));
            let line = format!(r#"{{"time":"{time}","input":"{input}","payload":{payload}}}"#);
            let flow = simulation.line(&line, &mut |line| {
                let actions = line["actions"].as_array().unwrap().iter();
                let actions: Vec<String> =
                    actions.map(|it| format!(" {} {}", it["action"].as_str().unwrap(), it["fields"])).collect();
                let time: Timestamp = serde_json::from_value(line["time"].clone()).unwrap();
                let time = time.since(Timestamp::EPOCH).as_secs();
                let [key, state] = ["key", "state"].map(|member| line[member].as_str().unwrap());
                shown.push(format!("{time} {key} {} {state}{}", line["trigger"], actions.concat()));
                ControlFlow::Continue(())
            });
            let ControlFlow::Continue(remarks) = flow else { panic!("nobody stopped it") };
            shown.extend(remarks.iter().map(|remark| format!("{remark:?}")));
        }
        shown
    }

    const ACTING: &str = "plant: { name: Test, timezone: UTC }
notify:
  chief: { email: a@example.com }
models:
  press:
    measurements: { temp: { unit: °C }, level: {} }
    transforms: { high: level > 5 }
    detectors:
      hot:
        message: Hot
        response: Look.
        alarm: { on_delay: 20s, escalate: [ { after: 30s, notify: [chief] } ] }
        initial: fine
        states:
          fine: { go: [ { when: temp > 80, to: warm }, { when: high, do: ['publish high/{asset} yes'] } ] }
          warm: { enter: [raise, put level = 7], go: [ { when: temp < 70, to: fine, do: [clear] } ] }
      other:
        message: Other
        response: Look.
        initial: a
        states: { a: { go: [ { on: temp, do: ['publish other/{asset} x'] } ] } }
assets:
  Press 1: { model: press }
  Press 2: { model: press }
";

    #[test]
    fn what_is_done_without_a_move_is_told_of_whom_did_it() {
        let lines = [
            (0, "Press 1", r#"{"temp":85,"level":1}"#),
            (1, "Press 2", r#"{"temp":20,"level":9}"#),
            (100, "Press 2/temp", "20"),
        ];
        let played = play(&mut simulation(ACTING, "hot"), &lines);
        let told = |what: &str| played.iter().filter(|line| line.contains(what)).cloned().collect::<Vec<_>>();
        assert_eq!(
            told("put"),
            [r#"0 Press 1 {"message":"Press 1/temp"} warm put {"property":"level","value":7.0}"#],
            "{played:#?}"
        );
        assert!(told(" raise {")[0].starts_with(r#"20 Press 1 {"message":"Press 1/temp"} warm raise {"#), "{played:#?}");
        let escalated = told(" escalate {");
        assert!(escalated[0].starts_with(r#"50 Press 1 {"timer":"escalation after 30s"} warm escalate"#), "{played:#?}");
        assert!(escalated[0].contains(r#" notify {"target":"chief","message":"Hot"}"#), "{played:#?}");
        // The other detector's publications are not this one's.
        assert_eq!(told("publish").len(), told(r#""topic":"high/"#).len(), "{played:#?}");
        assert!(told("publish")[0].starts_with("1 Press 2 "), "{played:#?}");
    }

    #[test]
    fn values_that_cannot_be_read_and_too_many_timers_are_told() {
        let mut simulation = simulation(&ACTING.replace("{ on: temp, do:", "{ every: 1s, do:"), "other");
        simulation.most_timers = 5;
        let lines =
            [(0, "Press 1", r#"{"temp":"hot"}"#), (0, "Press 1", r#"{"temp":{"a":1}}"#), (60, "Press 1", r#"{"temp":null}"#)];
        let played = play(&mut simulation, &lines);
        let doubts: Vec<&String> = played.iter().filter(|line| line.starts_with("Doubt")).collect();
        assert_eq!(doubts.len(), 3, "{played:#?}");
        assert!(doubts[0].contains("Press 1/temp takes") && doubts[1].contains("counts as no value"), "{played:#?}");
        assert!(doubts[2].contains("more than 5 timers go off before"), "{played:#?}");
    }

    #[test]
    fn a_detector_of_an_asset_answers_in_the_same_lines() {
        let mut simulation = simulation(PLANT, "hot");
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
