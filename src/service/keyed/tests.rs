//! Live detectors over messages, without a network: the same lines as `andon simulate`, also through restarts.

use crate::service::{
    core::{Core, Effect, Step},
    testing::{at, plant},
};
use andon_detectors::iot_events::Simulation;
use andon_models::{
    Timestamp,
    catalog::{Catalog, SeriesDirectory},
    event::EventBody,
    iot_events::{self, DetectorModel, InputMessage, Level},
    snapshot::InstanceSnapshot,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use std::{collections::HashMap, ops::ControlFlow, path::Path, sync::Arc};

/// What a detector made of one evaluation: where it stands, and what it sent, in order.
type Shown = Vec<String>;

fn as_text(json: &Json) -> String {
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    // A payload is compared as what it says, however it is spaced.
    serde_json::from_str::<Json>(&text).map_or(text, |json| json.to_string())
}

fn of_line(line: &Json, shown: &mut Shown) {
    shown.push(format!("{} {} {} {}", line["key"], line["state"], line["variables"], line["timers"]));
    for action in line["actions"].as_array().unwrap() {
        let fields = &action["fields"];
        let to = ["targetArn", "mqttTopic", "functionArn", "queueUrl", "deliveryStreamName", "tableName"];
        if let Some(to) = to.iter().find_map(|name| fields.get(name)) {
            let separator = fields.get("separator").map_or(String::new(), as_text);
            let payload = as_text(&fields["payload"]) + &separator;
            shown.push(format!("{} {}", as_text(to), payload.trim_end()));
        }
    }
}

/// What `andon simulate` prints.
fn simulated(model: &Arc<DetectorModel>, lines: &str) -> Shown {
    let mut simulation = Simulation::new(model, false);
    let mut shown = Shown::new();
    for line in lines.lines() {
        let flow = simulation.line(line, &mut |evaluation| {
            of_line(&evaluation.to_json(), &mut shown);
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
    }
    shown
}

/// What a step records: every snapshot with what was sent in that evaluation, which is recorded before it.
fn of_step(step: &Step, shown: &mut Shown) {
    let mut sent: HashMap<String, Vec<String>> = HashMap::new();
    for event in &step.batch.events {
        let text = match &event.body {
            EventBody::Publication(publication) => format!("{} {}", publication.topic, as_text(&json!(*publication.payload))),
            EventBody::Notification(told) => {
                // One case asks for base64.
                let decoded = STANDARD.decode(told.message.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let message = decoded.unwrap_or_else(|| told.message.to_string());
                format!("{} {}", told.target, as_text(&message.into()))
            }
            EventBody::Row(row) => format!("{} {}", row.table, as_text(&json!(*row.payload))),
            _ => continue,
        };
        if !text.starts_with("iotSiteWise") {
            sent.entry(format!("{} {}", event.asset_path, event.time)).or_default().push(text.trim_end().to_owned());
        }
    }
    for (key, document) in &step.batch.keep {
        if !key.starts_with(InstanceSnapshot::PREFIX) {
            continue;
        }
        let snapshot: InstanceSnapshot = serde_json::from_slice(document).unwrap();
        let variables: serde_json::Map<_, _> =
            snapshot.variables.iter().map(|(name, value)| (name.to_string(), serde_json::to_value(value).unwrap())).collect();
        let timers: serde_json::Map<_, _> =
            snapshot.timers.iter().filter_map(|timer| Some((timer.name.to_string(), timer.due?.to_string().into()))).collect();
        shown.push(format!(
            "{} {} {} {}",
            json!(snapshot.key.as_deref()),
            json!(*snapshot.state),
            Json::from(variables),
            Json::from(timers)
        ));
    }
    let mut sent: Vec<_> = sent.into_iter().collect();
    sent.sort();
    shown.extend(sent.into_iter().flat_map(|(_, texts)| texts));
}

/// The same lines through the core of a running plant. With `restarts`, it is killed after every line.
fn live(model: &Arc<DetectorModel>, lines: &str, restarts: bool) -> Shown {
    let mut defined = plant("plant: { name: Test, timezone: UTC }");
    defined.detectors.push(model.clone());
    let catalog = Arc::new(Catalog::build(Arc::new(defined), &mut SeriesDirectory::default()));
    let mut core = Core::new(catalog.clone());
    let mut kept = HashMap::new();
    let mut shown = Shown::new();
    let mut now = Timestamp::MIN;
    let mut keep = |step: Step| {
        of_step(&step, &mut shown);
        kept.extend(step.batch.keep);
        kept.clone()
    };
    for line in lines.lines() {
        let Ok(line) = serde_json::from_str::<Json>(line) else { continue };
        let Some(time) = line["time"].as_str().and_then(|time| time.parse().ok()) else { continue };
        now = now.max(time);
        let mut kept = HashMap::new();
        while core.next_due().is_some_and(|due| due <= now) {
            let due = core.next_due().unwrap();
            kept = keep(core.time(due));
        }
        if let Some(input) = line["input"].as_str() {
            let id = line["messageId"].as_str().map(Arc::from);
            let message = InputMessage { input: input.into(), payload: Arc::new(line["payload"].clone()), id, retained: false };
            kept = keep(core.message(now, &message));
        }
        if restarts && !kept.is_empty() {
            core = Core::new(catalog.clone());
            core.restore(&kept, &|_| None);
        }
    }
    shown
}

fn cases() -> Vec<(String, Arc<DetectorModel>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("detectors/tests/iot_events");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let messages = std::fs::read_to_string(folder.join(format!("{name}.messages.jsonl")));
        let (true, Ok(messages)) = (path.extension().is_some_and(|it| it == "json"), messages) else { continue };
        let document = iot_events::read(&std::fs::read_to_string(&path).unwrap(), &name);
        assert!(document.findings.iter().all(|finding| finding.level != Level::Error), "{name}");
        cases.push((name, Arc::new(document.models[0].clone()), messages));
    }
    cases
}

/// The order in which what was sent in one instant stands between snapshots does not matter: a record is one.
fn sorted(mut shown: Shown) -> Shown {
    shown.sort();
    shown
}

#[test]
fn what_runs_live_does_what_was_simulated() {
    let cases = cases();
    assert!(cases.len() > 15, "{}", cases.len());
    for (name, model, messages) in cases {
        let expected = sorted(simulated(&model, &messages));
        assert!(!expected.is_empty(), "{name}");
        assert_eq!(sorted(live(&model, &messages, false)), expected, "{name}");
        assert_eq!(sorted(live(&model, &messages, true)), expected, "{name}, killed after every line");
    }
}

const CIRCLE: &str = "
plant: { name: Test, timezone: UTC }
inputs: { ping: { attributes: [n] } }
detectors:
  circle:
    initial: on
    states:
      on: { input: [ { event: again, when: 'currentInput(\"ping\")', do: [ { iotEvents: { inputName: ping, payload: { contentExpression: \"'{}'\", type: JSON } } } ] } ] }
";

fn core(text: &str) -> Core {
    Core::new(Arc::new(Catalog::build(Arc::new(plant(text)), &mut SeriesDirectory::default())))
}

fn message(input: &str, payload: Json) -> InputMessage {
    InputMessage { input: input.into(), payload: Arc::new(payload), id: None, retained: false }
}

#[test]
fn detectors_that_call_themselves_end_and_say_so() {
    let mut core = core(CIRCLE);
    let step = core.message(at(0), &message("ping", json!({ "n": 1 })));
    assert_eq!(step.batch.keep.len(), 257, "the message and all that followed");
    let told: Vec<_> = step.batch.events.iter().filter(|event| event.body.kind() == "system").collect();
    assert!(matches!(&told[..], [event] if serde_json::to_string(event).unwrap().contains("more than 256 messages")));
    let again = core.message(at(1), &message("ping", json!({ "n": 1 })));
    assert!(again.batch.events.iter().all(|event| event.body.kind() != "system"), "the same is not said again for an hour");
}

#[test]
fn a_message_for_nobody_is_refused_in_words() {
    let mut core = core(CIRCLE);
    let refusal = |step: Step| step.refusal.unwrap().to_string();
    let step = core.message(at(0), &message("pong", json!({})));
    assert_eq!(refusal(step), "no detector listens to the input `pong`; did you mean `ping`?");
    let mut keyed = self::core(&CIRCLE.replace("initial: on", "key: motor.id\n    initial: on"));
    let step = keyed.message(at(0), &message("ping", json!({ "motor": 7 })));
    assert_eq!(refusal(step), "the message has no `motor.id`, so it belongs to no instance of circle");
}

#[test]
fn base64_where_the_queue_wants_it() {
    let plant = CIRCLE.replace("iotEvents: { inputName: ping,", "sqs: { queueUrl: lead, useBase64: true,");
    let mut core = core(&format!("{plant}notify: {{ lead: log }}\n"));
    let step = core.message(at(0), &message("ping", json!({})));
    let Some(Effect::Notify(notice)) = step.effects.first() else { panic!("{:?}", step.effects) };
    assert_eq!((&*notice.target, &*notice.message), ("lead", "e30="), "the text {{}} in base64");
}

#[test]
fn timers_go_off_in_time_whatever_the_clock_did() {
    let timer = "setTimer: { timerName: wait, seconds: 60 }";
    let plant = CIRCLE.replace("iotEvents: { inputName: ping, payload: { contentExpression: \"'{}'\", type: JSON } }", timer);
    let mut core = core(&plant);
    let ten_years = 10 * 365 * 86_400;
    let set = core.message(at(ten_years), &message("ping", json!({})));
    assert_eq!(core.next_due(), Some(at(ten_years + 60)));
    core.time(at(ten_years - 2));
    assert_eq!(core.next_due(), Some(at(ten_years + 60)), "a clock that is put right a little changes nothing");
    core.time(at(7));
    assert_eq!(core.next_due(), Some(at(67)), "all sixty are left");
    assert_eq!(core.time(at(67)).batch.keep.len(), 1, "it went off");
    // The same with a restart in between.
    let kept = set.batch.keep.into_iter().collect();
    let mut again = self::core(&plant);
    again.restore(&kept, &|_| None);
    again.time(at(7));
    assert_eq!(again.next_due(), Some(at(67)));
}
