//! `alarm:` of a detector: what is read, and what is told of slips.

use andon_models::{
    alarm::{AlarmSettings, LifeCycle, Priority},
    plant_file::{Loaded, load},
};
use std::time::Duration;

fn loaded(settings: &str) -> Loaded {
    let text = format!(
        "plant: Test
sources: {{ plc: {{ opcua: opc.tcp://127.0.0.1:4840 }} }}
notify: {{ lead: log, chief: log }}
models:
  boiler:
    measurements:
      temp: {{ from: ns=2;s=Temp @plc }}
      running: {{ type: bool, from: ns=2;s=Running @plc }}
    detectors:
      hot:
        message: It is hot
        response: Open the valve.
        alarm: {settings}
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 80, to: hot }} ] }}
          hot: {{ enter: [raise], exit: [clear], go: [ {{ when: temp < 75, to: normal }} ] }}
assets: {{ Boiler: {{ model: boiler, plc: plc }} }}
"
    );
    load(&[("plant.yaml".into(), text)], &|_| None)
}

fn settings(text: &str) -> AlarmSettings {
    let loaded = loaded(text);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    plant.models[0].detectors[0].alarm.clone()
}

#[track_caller]
fn refused(text: &str, message: &str, hint: &str) {
    let found = loaded(text).diagnostics;
    let said: Vec<String> = found.iter().map(|found| format!("{} / {}", found.message, found.hint)).collect();
    assert!(found.iter().any(|found| found.message.contains(message) && found.hint.contains(hint)), "{text}: {said:#?}");
}

#[test]
fn every_key_is_read() {
    let all = settings(
        "{ on_delay: 5s, off_delay: 1m, latch: true, re_alarm: 15m, re_alarm_standing: 8h, suppress_when: not running, \
         notify: [lead, chief], out_of_service: true, life_cycle: iot_events, \
         escalate: [ { after: 5m, notify: chief }, { after: 10m, priority: critical } ] }",
    );
    assert_eq!((all.on_delay, all.off_delay), (Duration::from_secs(5), Duration::from_secs(60)));
    assert_eq!((all.latch, all.acknowledge, all.starts_out_of_service), (true, true, true));
    assert_eq!(all.life_cycle, LifeCycle::IotEvents);
    assert_eq!(all.re_alarm.zip(all.re_alarm_standing), Some((Duration::from_secs(900), Duration::from_secs(28_800))));
    assert_eq!(all.suppress_when.as_ref().map(|expression| &*expression.text), Some("not running"));
    assert_eq!(all.notify, ["lead".into(), "chief".into()]);
    let steps: Vec<_> = all.escalate.iter().map(|step| (step.after.as_secs(), step.notify.len(), step.priority)).collect();
    assert_eq!(steps, [(300, 1, None), (600, 0, Some(Priority::Critical))]);
}

#[test]
fn without_the_key_nothing_changes() {
    let none = settings("{}");
    assert!(none.acknowledge && !none.latch && none.on_delay.is_zero() && none.escalate.is_empty());
}

#[test]
fn slips_are_told_with_a_way_out() {
    refused("{ on_dealy: 5s }", "has no `on_dealy`", "did you mean `on_delay`?");
    refused("{ on_delay: 5 }", "is not a span of time", "say the unit");
    refused("{ notify: leed }", "there is no notify target `leed`", "did you mean `lead`?");
    refused("{ re_alarm: 1s }", "cannot be annunciated again every 1s", "the shortest is 10s");
    refused("{ acknowledge: false, re_alarm: 1m }", "`re_alarm` waits for an acknowledgement", "remove it");
    refused("{ suppress_when: temp + 1 }", "must be true or false", "compare it");
    refused("{ suppress_when: acknowledged }", "cannot depend on the alarm itself", "properties of the plant");
    refused("{ escalate: { after: 5m } }", "`escalate` must be a list", "one line per step");
    refused("{ escalate: [ { after: 5m } ] }", "does nothing", "notify: maintenance");
    refused("{ escalate: [ { notify: lead } ] }", "needs `after`", "after: 5m");
    let falling = "{ escalate: [ { after: 5m, notify: lead }, { after: 1m, notify: chief } ] }";
    refused(falling, "comes after 1m, and the one before it after 5m", "rising order");
    let nine =
        format!("{{ escalate: [ {} ] }}", (1..10).map(|n| format!("{{ after: {n}m, notify: lead }}, ")).collect::<String>());
    refused(&nine, "more than 8 steps", "re_alarm");
}
