//! Detector models of IoT Events in a running plant: messages by HTTP, by the command line and by MQTT move them; what they ask for
//! happens; a crash forgets nothing and repeats nothing.

use crate::{
    controller::now,
    harness::{Andon, Site, shown, wait_for},
    webhook::Hook,
};
use andon_fixtures::mqtt_broker::MqttBroker;
use andon_models::Timestamp;
use serde_json::{Value, json};
use std::{
    process::{Command, Output},
    time::Duration,
};

/// AWS's own example, and a second detector that hears what the first one says.
const PLANT: &str = r#"
plant: { name: Test, timezone: UTC }
sources:
  broker: { mqtt: '$BROKER', topic: 'plant/{asset}/energy' }
notify:
  lead: { webhook: '$HOOK', group: false }
models:
  motor:
    measurements: { pressure: {} }
assets:
  Motor 1: { model: motor }
inputs:
  PressureInput: { attributes: [motorid, sensorData.pressure], topic: 'motors/{motorid}/pressure @broker' }
  Alarm: { attributes: [motorid, text], topic: 'alarms/{motorid} @broker' }
  Repair: { attributes: [motorid] }
targets:
  arn:aws:sns:eu-central-1:1:pressure: lead
  https://sqs.eu-central-1.amazonaws.com/1/queue: lead
detectors:
  motorModel:
    key: motorid
    initial: Normal
    states:
      Normal:
        enter:
          - { event: init, do: [{ setVariable: { variableName: breached, value: '0' } }] }
        go:
          - { event: high, when: $input.PressureInput.sensorData.pressure > 70, to: Dangerous, do: [{ setVariable: { variableName: breached, value: $variable.breached + 3 } }] }
      Dangerous:
        enter:
          - event: tell
            when: $variable.breached > 1
            do:
              - sns: { targetArn: 'arn:aws:sns:eu-central-1:1:pressure', payload: { contentExpression: "'${$input.PressureInput.motorid} at ${$input.PressureInput.sensorData.pressure}'", type: STRING } }
              - sqs: { queueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/queue', useBase64: true, payload: { contentExpression: "'{\"n\": ${$variable.breached}}'", type: JSON } }
              - lambda: { functionArn: 'arn:aws:lambda:eu-central-1:1:function:stop' }
              - iotTopicPublish: { mqttTopic: "'alarms/' + $input.PressureInput.motorid", payload: { contentExpression: "'{\"text\": \"high\"}'", type: JSON } }
              - iotEvents: { inputName: Repair, payload: { contentExpression: "'{\"motorid\": \"${$input.PressureInput.motorid}\"}'", type: JSON } }
              - dynamoDB: { tableName: breaches, hashKeyField: "'motorid'", hashKeyValue: $input.PressureInput.motorid, payload: { contentExpression: "'{\"n\": 1}'", type: JSON } }
              - iotSiteWise: { propertyAlias: "'/Motor 1/pressure'", propertyValue: { value: { doubleValue: $input.PressureInput.sensorData.pressure } } }
        input:
          - { event: up, when: $input.PressureInput.sensorData.pressure > 70, do: [{ setVariable: { variableName: breached, value: '3' } }] }
          - { event: down, when: $input.PressureInput.sensorData.pressure <= 70, do: [{ setVariable: { variableName: breached, value: $variable.breached - 1 } }] }
        go:
          - { event: back, when: '$variable.breached <= 1 && $input.PressureInput.sensorData.pressure <= 70', to: Normal }
  repair:
    key: motorid
    initial: idle
    states:
      idle:
        go:
          - { event: told, when: currentInput("Alarm"), to: told }
      told: {}
  visit:
    key: motorid
    initial: idle
    states:
      idle: { go: [ { event: asked, when: currentInput("Repair"), to: asked, do: [ { setTimer: { timerName: wait, seconds: $WAIT } } ] } ] }
      asked: { go: [ { event: late, when: timeout("wait"), to: late } ] }
      late: {}
"#;

fn site(broker: &str, hook: &str, wait: u32) -> Site {
    Site::new(&PLANT.replace("$BROKER", broker).replace("$HOOK", hook).replace("$WAIT", &wait.to_string()))
}

fn pressure(motor: &str, pressure: i64) -> Value {
    json!({ "motorid": motor, "sensorData": { "pressure": pressure } })
}

/// Posts a message; what is answered is true once it is on disk.
async fn post(andon: &Andon, input: &str, message: &Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let answer = client.post(format!("{}/api/inputs/{input}", andon.url)).json(message).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn send(andon: &Andon, arguments: &[&str], input: &str) -> Output {
    use std::{io::Write, process::Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("send")
        .args(arguments)
        .args(["--url", &andon.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended already, over a message that is none.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Where an instance stands; null if there is none.
async fn instance(andon: &Andon, detector: &str, key: &str) -> Value {
    let answer = reqwest::get(format!("{}/api/instances/{detector}?key={key}", andon.url)).await.unwrap();
    answer.json().await.unwrap()
}

async fn state(andon: &Andon, detector: &str, key: &str) -> String {
    shown(&instance(andon, detector, key).await["instance"]["state"])
}

const MOVES: &str = "SELECT asset || ' ' || coalesce(from_state, '') || ' ' || to_state FROM events
    WHERE kind = 'transition' AND detector = 'motorModel' ORDER BY time";

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_by_http_by_the_command_line_and_by_mqtt() {
    let (broker, hook) = (MqttBroker::start().await.unwrap(), Hook::start(200));
    let andon = site(&broker.url(), &hook.url, 3600).run().await;
    assert!(!andon.output().contains("stand still"), "{}", andon.output());
    assert_eq!(post(&andon, "PressureInput", &pressure("M-1", 60)).await.0, 204);
    assert_eq!(state(&andon, "motorModel", "M-1").await, "Normal");
    let one = pressure("M-2", 72).to_string();
    let out = send(&andon, &["PressureInput", "--payload", &one], "");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(state(&andon, "motorModel", "M-2").await, "Dangerous");
    let lines = format!("{}\n\n{}\n{}\n", pressure("M-2", 60), pressure("M-2", 60), pressure("M-2", 60));
    let out = send(&andon, &["PressureInput", "--payload", "-"], &lines);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(state(&andon, "motorModel", "M-2").await, "Normal");

    // Who publishes before we have subscribed is not heard; so it is said until it is.
    wait_for("the message by MQTT", async || {
        broker.publish("motors/M-3/pressure", r#"{"sensorData": {"pressure": 81}}"#).unwrap();
        let seen = instance(&andon, "motorModel", "M-3").await;
        (seen["instance"]["state"] == "Dangerous").then_some(())
    })
    .await;
    andon.wait_for_column(MOVES, &["M-1  Normal", "M-2  Dangerous", "M-2 Dangerous Normal", "M-3  Dangerous"]).await;

    let (status, error) = post(&andon, "PresureInput", &pressure("M-1", 60)).await;
    assert_eq!(
        (status, &error["error"]["message"]),
        (400, &json!("no detector listens to the input `PresureInput`; did you mean `PressureInput`?"))
    );
    assert_eq!(post(&andon, "PressureInput", &json!({ "motor": 1 })).await.0, 400);
    let out = send(&andon, &["PressureInput", "--payload", "{"], "");
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("not JSON"), "{out:?}");
    let all: Value = serde_json::from_str(&andon.get("/api/instances?detector=motorModel&limit=2").await).unwrap();
    assert_eq!(all["instances"].as_array().unwrap().len(), 2);
    let counted = json!({ "detector": "motorModel", "key": "motorid", "instances": 3 });
    assert_eq!(all["detectors"][0], counted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_detector_asks_for_happens_here_and_is_explained() {
    let (broker, hook) = (MqttBroker::start().await.unwrap(), Hook::start(200));
    let andon = site(&broker.url(), &hook.url, 3600).run().await;
    let connected = "SELECT count(*) > 0 FROM events WHERE kind = 'system' AND body LIKE '%\"connected to%'";
    andon.wait_for_column(connected, &["true"]).await;
    assert_eq!(post(&andon, "PressureInput", &pressure("M-1", 72)).await.0, 204);
    // sns and sqs go to the target that stands for them.
    hook.wait_for(2).await;
    let told = |body: &Value| body["data"]["message"].as_str().unwrap().to_owned();
    let bodies: Vec<String> = hook.bodies.lock().unwrap().iter().map(told).collect();
    assert_eq!(bodies, ["M-1 at 72", "eyJuIjogM30="], "the second is {{\"n\": 3}} in base64");
    // Nothing stands for the function, and that is said.
    let undelivered = "SELECT reason FROM events WHERE kind = 'notification' AND body LIKE '%undelivered%'";
    andon
        .wait_for_column(
            undelivered,
            &["nothing stands for arn:aws:lambda:eu-central-1:1:function:stop; add it to `targets:` of the plant file"],
        )
        .await;
    // The publication went to the broker, for another detector hears it there.
    wait_for("the alarm by MQTT", async || (state(&andon, "repair", "M-1").await == "told").then_some(())).await;
    // A message to another input is there in the same step.
    assert_eq!(state(&andon, "visit", "M-1").await, "asked");
    let row = andon.sql("SELECT body FROM events WHERE kind = 'row'").await;
    let row: Value = serde_json::from_str(&shown(&row[0][0])).unwrap();
    assert_eq!([&row["table"], &row["key"], &row["payload"]], ["breaches", "motorid=M-1", "{\"n\": 1}"]);
    andon.wait_for_column("SELECT double FROM samples WHERE asset = 'Motor 1' AND property = 'pressure'", &["72.0"]).await;

    let seen = instance(&andon, "motorModel", "M-1").await;
    assert_eq!(seen["instance"]["variables"], json!([["breached", 3]]));
    assert_eq!(seen["instance"]["inputs"], json!([["PressureInput", pressure("M-1", 72)]]));
    let events = seen["events"].as_array().unwrap();
    let moved = events.iter().find(|event| event["kind"] == "transition").unwrap();
    let explanation = &moved["explanation"];
    assert_eq!(explanation["trigger"], "input PressureInput");
    assert_eq!(explanation["rule"], "$input.PressureInput.sensorData.pressure > 70", "{explanation}");
    assert_eq!(explanation["inputs"][0]["value"], 72, "{explanation}");
    let actions: Vec<_> = explanation["actions"].as_array().unwrap().iter().map(shown).collect();
    assert!(actions[0].starts_with("onEnter setVariable") && actions.len() == 9, "{actions:#?}");
    let page: Value =
        serde_json::from_str(&andon.get("/api/events?detector=motorModel&key=M-1&kind=transition,row").await).unwrap();
    assert_eq!(page.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_forgets_nothing_and_repeats_nothing() {
    let (broker, hook) = (MqttBroker::start().await.unwrap(), Hook::start(200));
    let site = site(&broker.url(), &hook.url, 4);
    let andon = site.run().await;
    for message in [pressure("M-1", 72), pressure("M-1", 69), pressure("M-2", 71)] {
        assert_eq!(post(&andon, "PressureInput", &message).await.0, 204);
    }
    let told = "SELECT count(*) FROM events WHERE kind = 'notification' AND body LIKE '%\"sent\"%'";
    andon.wait_for_column(told, &["4"]).await;
    let before = [instance(&andon, "motorModel", "M-1").await, instance(&andon, "motorModel", "M-2").await];
    let asked = andon.sql("SELECT max(time) FROM events WHERE detector = 'visit' AND to_state = 'asked'").await;
    let due = shown(&asked[0][0]).parse::<Timestamp>().unwrap() + Duration::from_secs(5);
    andon.kill();
    wait_for("the deadline of the timers", async || (now() > due).then_some(())).await;

    let andon = site.run().await;
    // Timers that were due while nobody watched go off at their deadline.
    let late = "SELECT asset FROM events WHERE detector = 'visit' AND to_state = 'late' ORDER BY asset";
    andon.wait_for_column(late, &["M-1", "M-2"]).await;
    let spans = "SELECT arrow_cast(l.time - a.time, 'Int64') FROM events l, events a
        WHERE l.detector = 'visit' AND l.to_state = 'late' AND a.detector = 'visit' AND a.to_state = 'asked' AND a.asset = l.asset";
    andon.wait_for_column(spans, &["4000000", "4000000"]).await;
    let after = [instance(&andon, "motorModel", "M-1").await, instance(&andon, "motorModel", "M-2").await];
    assert_eq!(before[0]["instance"], after[0]["instance"]);
    assert_eq!(before[1]["instance"], after[1]["instance"]);
    assert_eq!(before[0]["instance"]["variables"], json!([["breached", 2]]));
    // Notifications to one target go in order: were one told again, it would be before this one.
    assert_eq!(post(&andon, "PressureInput", &pressure("M-3", 90)).await.0, 204);
    andon.wait_for_column(told, &["6"]).await;
    let texts: Vec<_> = hook.bodies.lock().unwrap().iter().map(|body| shown(&body["data"]["message"])).collect();
    assert_eq!(texts, ["M-1 at 72", "eyJuIjogM30=", "M-2 at 71", "eyJuIjogM30=", "M-3 at 90", "eyJuIjogM30="]);
    // It counts on from where it was: two more are needed.
    for expected in ["Dangerous", "Normal"] {
        assert_eq!(post(&andon, "PressureInput", &pressure("M-1", 60)).await.0, 204);
        assert_eq!(state(&andon, "motorModel", "M-1").await, expected);
    }
}

/// A message, and where the instance stands after it, as the running plant tells it.
async fn live_line(andon: &Andon, key: &str) -> String {
    let seen = instance(andon, "motorModel", key).await;
    let instance = &seen["instance"];
    let members = instance["variables"].as_array().unwrap().iter().map(|pair| (shown(&pair[0]), pair[1].clone()));
    let variables: serde_json::Map<_, _> = members.collect();
    format!("{key} {} {} {}", instance["state"], Value::from(variables), instance["evaluations"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_plant_does_what_was_simulated() {
    let (broker, hook) = (MqttBroker::start().await.unwrap(), Hook::start(200));
    let site = site(&broker.url(), &hook.url, 3600);
    let messages = [("M-1", 60), ("M-2", 71), ("M-1", 75), ("M-1", 70), ("M-2", 80), ("M-1", 68), ("M-1", 1), ("M-2", 2)];
    let line = |(second, (key, bar)): (usize, &(&str, i64))| {
        json!({ "time": format!("2026-01-01T00:00:0{second}Z"), "input": "PressureInput", "payload": pressure(key, *bar) })
            .to_string()
    };
    let lines: Vec<String> = messages.iter().enumerate().map(line).collect();
    let file = site.data().with_file_name("messages.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let plant = site.data().with_file_name("plant.yaml");
    let out = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("simulate")
        .arg(plant)
        .args(["--detector", "motorModel", "--messages"])
        .arg(file)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let simulated: Vec<Value> =
        String::from_utf8(out.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(simulated.len(), messages.len());

    let andon = site.run().await;
    let mut counts = std::collections::HashMap::<&str, u64>::new();
    for ((key, bar), expected) in messages.iter().zip(&simulated) {
        assert_eq!(post(&andon, "PressureInput", &pressure(key, *bar)).await.0, 204);
        let count = counts.entry(key).or_default();
        *count += 1;
        let expected = format!("{key} {} {} {count}", expected["state"], expected["variables"]);
        assert_eq!(live_line(&andon, key).await, expected);
    }
    // What each sent, in the order of the moves.
    let rows = andon.sql("SELECT body FROM events WHERE detector = 'motorModel' AND kind = 'transition' ORDER BY time").await;
    let explained = rows.iter().flat_map(|row| {
        let body: Value = serde_json::from_str(&shown(&row[0])).unwrap();
        body["explanation"]["actions"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>()
    });
    let moves = simulated.iter().filter(|line| line["from"] != line["state"]);
    let said = moves
        .flat_map(|line| line["actions"].as_array().unwrap().clone())
        .map(|action| format!("{} {} {}", shown(&action["at"]), shown(&action["action"]), action["fields"]));
    // The default payload holds the time, and ids that are made of it.
    let without_time = |action: &String| !action.contains("eventTime");
    let (explained, said): (Vec<_>, Vec<_>) = (explained.filter(without_time).collect(), said.filter(without_time).collect());
    assert!(explained.len() > 12, "{explained:#?}");
    assert_eq!(explained, said);
}

/// Doors that stand open too long, and a bell that they ring.
const DOORS: &str = r#"
plant: { name: Test, timezone: UTC }
inputs:
  Door: { attributes: [door, open] }
  Bell: { attributes: [door] }
detectors:
  doors:
    key: door
    initial: closed
    states:
      closed:
        go:
          - event: opened
            when: $input.Door.open == true
            to: open
            do:
              - setTimer: { timerName: wait, seconds: 1 }
              - iotEvents: { inputName: Bell, payload: { contentExpression: "'{\"door\": \"${$input.Door.door}\"}'", type: JSON } }
      open:
        go:
          - { event: late, when: timeout("wait"), to: late }
          - { event: shut, when: $input.Door.open == false, to: closed }
      late: { go: [ { event: shut, when: $input.Door.open == false, to: closed } ] }
  bells:
    key: door
    initial: silent
    states:
      silent: { go: [ { event: rung, when: currentInput("Bell"), to: rung } ] }
      rung: {}
"#;

fn backtest(site: &Site, arguments: &[&str]) -> Output {
    let plant = site.data().with_file_name("plant.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    let command = command.arg("backtest").arg(plant).arg("--data").arg(site.data()).args(arguments);
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_test_of_messages_says_what_happened_live() {
    let site = Site::new(DOORS);
    let andon = site.run().await;
    let from = now().to_string();
    for (door, open) in [("D-1", true), ("D-2", true), ("D-2", false), ("D-3", false)] {
        assert_eq!(post(&andon, "Door", &json!({ "door": door, "open": open, "n": 0.1 })).await.0, 204);
    }
    wait_for("the door that stands open", async || (state(&andon, "doors", "D-1").await == "late").then_some(())).await;
    assert_eq!(post(&andon, "Door", &json!({ "door": "D-1", "open": false })).await.0, 204);
    let rows = andon.sql("SELECT detector, body FROM events WHERE kind <> 'message' AND detector <> '' ORDER BY time").await;
    let live = |detector: &str| {
        let mut bodies: Vec<String> = rows.iter().filter(|row| shown(&row[0]) == detector).map(|row| shown(&row[1])).collect();
        bodies.sort();
        bodies
    };
    let messages = andon.sql("SELECT trigger, value FROM events WHERE kind = 'message' ORDER BY time").await;
    assert_eq!(messages.len(), 5, "{messages:?}");
    assert_eq!(shown(&messages[0][1]), r#"{"door":"D-1","open":true,"n":0.1}"#);
    let to = now().to_string();
    andon.kill();
    for detector in ["doors", "bells"] {
        let out = backtest(&site, &["--detector", detector, "--from", &from, "--to", &to, "--json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut played: Vec<String> = String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
        played.sort();
        assert_eq!(played, live(detector), "{detector}");
        assert!(played.len() >= 2, "{played:?}");
    }
    let out = backtest(&site, &["--detector", "doors", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("no message is recorded"), "{said}");
    let out = backtest(&site, &["--detector", "dors", "--last", "1h"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("did you mean doors?"));
}

/// A message reaches a file and a program of the operator's folder, over a running plant.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_a_file_and_to_a_program() {
    use std::os::unix::fs::PermissionsExt;
    let plant = DOORS.replace("inputs:", "notify:\n  book: { file: doors.jsonl }\n  horn: { program: [horn, '$(id)'] }\ntargets:\n  arn:book: book\n  arn:horn: horn\ninputs:");
    let tell = "              - sns: { targetArn: 'arn:book' }\n              - lambda: { functionArn: 'arn:horn' }\n              - iotEvents";
    let site = Site::new(&plant.replace("              - iotEvents", tell));
    let programs = site.data().with_file_name("programs");
    std::fs::create_dir(&programs).unwrap();
    let horn = programs.join("horn");
    std::fs::write(&horn, "#!/bin/sh\ncat > got.part; echo \"$@\" >> got.part; mv got.part got\n").unwrap();
    std::fs::set_permissions(&horn, std::fs::Permissions::from_mode(0o755)).unwrap();
    let andon = site.run_with(&["--allow-programs", programs.to_str().unwrap()]).await;
    assert_eq!(post(&andon, "Door", &json!({ "door": "D-1", "open": true })).await.0, 204);
    let got = wait_for("the program", async || std::fs::read_to_string(programs.join("got")).ok()).await;
    let (event, arguments) = got.split_once('\n').unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!((shown(&event["data"]["detector"]), arguments), ("doors".into(), "$(id)\n"), "{got}");
    let book = site.data().join("notifications/doors.jsonl");
    let line = wait_for("the file", async || std::fs::read_to_string(&book).ok().filter(|text| text.ends_with('\n'))).await;
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(shown(&event["data"]["detector"]), "doors", "{line}");
    let told = "SELECT count(*) FROM notifications WHERE state = 'sent'";
    andon.wait_for_column(told, &["2"]).await;
}
