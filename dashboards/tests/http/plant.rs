//! A small plant: one line of two fillers, and two hours of what happened.

use andon_models::{
    AssetId, EventId, Point, StatusCode, Timestamp, Tqv, Value,
    alarm::{AlarmState, AlarmVerb, Priority},
    audit::{AuditState, BadRecord},
    catalog::{Catalog, SeriesDirectory},
    event::{AlarmChange, Event, EventBody, ExplainedInput, Explanation, Transition},
    plant_file,
    snapshot::{AlarmSnapshot, ConnectionState, DetectorSnapshot, SourceStatus},
};
use std::sync::Arc;

const FILE: &str = r#"
plant: { name: Testville, timezone: Europe/Berlin }
shifts: { early: "Mon-Sun 06:00-14:00", late: "Mon-Sun 14:00-22:00", night: "Mon-Sun 22:00-06:00" }
sources:
  plc: { opcua: "opc.tcp://127.0.0.1:4840", every: 500ms, writes: allow }
models:
  filler:
    attributes:
      ideal_rate: { default: 3600, unit: 1/h }
      temp_limit: { default: 82, unit: °C }
    measurements:
      pressure:   { unit: bar, from: ns=2;s=Pressure @plc }
      state:      { type: int, from: ns=2;s=State @plc }
      mode:       { type: int, from: ns=2;s=Mode @plc }
      reason:     { type: string, from: ns=2;s=Reason @plc }
      fill_temp:  { unit: °C, normal: 74..80, stale: 10s, from: ns=2;s=Temp @plc }
      good_count: { type: counter, from: ns=2;s=Good @plc }
    controls:
      stop_request: { type: bool, to: ns=2;s=Stop @plc, allow: [true], verify: 2s }
    transforms:
      running: state == 6
    metrics:
      5m:
        temp_avg: { value: avg(fill_temp), unit: °C }
    oee:
      running: running
      planned_stop: mode in (4, 5)
      good: good_count
      ideal_rate: ideal_rate
      reason: reason
      micro_stop: 1m
      target: 75
    detectors:
      overheat:
        priority: high
        message: Temperature {fill_temp} is above {temp_limit}
        response: Check the steam valve.
        initial: normal
        states:
          normal:
            go: [{ when: fill_temp > temp_limit and running, to: hot }]
          hot:
            initial: warming
            go: [{ when: fill_temp < temp_limit - 3, for: 1m, to: normal, do: [clear] }]
            states:
              warming:
                go: [{ after: 30s, to: alarm }]
              alarm:
                enter: [raise]
  line:
    children: { machines: filler }
    attributes:
      description: { type: string }
assets:
  Line 1:
    model: line
    attributes: { description: Half a litre }
    machines:
      Filler 1: { model: filler, plc: plc }
      Filler 2: { model: filler, plc: plc }
"#;

/// Monday 10:00 in Berlin: four hours into the early shift.
pub const NOW: &str = "2026-03-02T09:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// So many minutes before now.
pub fn before(minutes: i64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() - minutes * 60_000)
}

pub fn catalog() -> Arc<Catalog> {
    let loaded = plant_file::load(&[("plant.yaml".into(), FILE.into())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

/// The number of a property's series.
pub fn series(catalog: &Catalog, path: &str, key: &str) -> andon_models::SeriesId {
    let asset = catalog.plant.asset_at(path).unwrap();
    catalog.series_named(asset, key).unwrap_or_else(|| panic!("{path} has no {key}"))
}

pub fn point(catalog: &Catalog, path: &str, key: &str, time: Timestamp, value: impl Into<Value>) -> Point {
    Point { series: series(catalog, path, key), tqv: Tqv::good(time, value.into()) }
}

/// Filler 1 runs since 06:00 local time, stands from 09:20 to 09:40 with a jam, and makes one piece a second.
/// Filler 2 runs all the time at half the rate; its pressure gauge failed.
pub fn points(catalog: &Catalog) -> Vec<Point> {
    let mut points = Vec::new();
    for path in ["Line 1/Filler 1", "Line 1/Filler 2"] {
        points.push(point(catalog, path, "state", before(300), 6_i64));
        points.push(point(catalog, path, "running", before(300), true));
        points.push(point(catalog, path, "mode", before(300), 1_i64));
        points.push(point(catalog, path, "oee_planned_stop", before(300), false));
        points.push(point(catalog, path, "reason", before(300), ""));
        points.push(point(catalog, path, "ideal_rate", before(300), 3_600.0));
        points.push(point(catalog, path, "temp_limit", before(300), 82.0));
    }
    let stop = [(40, 9_i64, false, "Cap jam"), (20, 6, true, "")];
    for (minutes, state, running, reason) in stop {
        let path = "Line 1/Filler 1";
        points.push(point(catalog, path, "state", before(minutes), state));
        points.push(point(catalog, path, "running", before(minutes), running));
        points.push(point(catalog, path, "reason", before(minutes), reason));
    }
    let (mut first, mut second) = (0_i64, 0_i64);
    for minutes in (0..=240).rev() {
        points.push(point(catalog, "Line 1/Filler 1", "good_count", before(minutes), first));
        points.push(point(catalog, "Line 1/Filler 2", "good_count", before(minutes), second));
        let stands = (21..=40).contains(&minutes);
        first += if stands { 0 } else { 60 };
        second += 30;
    }
    for minutes in (0..30).rev() {
        points.push(point(catalog, "Line 1/Filler 1", "fill_temp", before(minutes), 78.0 + minutes as f64 / 10.0));
    }
    let failed = Tqv::bad(before(5), StatusCode::NOT_CONNECTED);
    points.push(Point { series: series(catalog, "Line 1/Filler 2", "pressure"), tqv: failed });
    points
}

fn event(minutes: i64, body: EventBody) -> Event {
    Event {
        id: EventId::from_name(&format!("{minutes}/{}", body.kind())),
        time: before(minutes),
        asset: Some(AssetId::from_name("Line 1/Filler 1")),
        asset_path: "Line 1/Filler 1".into(),
        detector: "overheat".into(),
        body,
    }
}

pub fn explanation() -> Explanation {
    Explanation {
        trigger: "input fill_temp".into(),
        state: "normal".into(),
        rule: "when fill_temp > temp_limit and running".into(),
        inputs: vec![ExplainedInput {
            name: "fill_temp".into(),
            value: Value::Double(83.0),
            unit: "°C".into(),
            time: Some(before(11)),
            quality: andon_models::Quality::Good,
            source: "opcua:plc".into(),
        }],
        steps: Vec::new(),
        timer: None,
        actions: Vec::new(),
    }
}

/// Filler 1 got hot 11 minutes ago; the alarm stands since 10.
pub fn events() -> Vec<Event> {
    let moved = |from: &str, to: &str| {
        EventBody::Transition(Transition { from: from.into(), to: to.into(), explanation: explanation().into() })
    };
    vec![
        event(290, moved("", "normal")),
        event(11, moved("normal", "hot/warming")),
        event(10, moved("hot/warming", "hot/alarm")),
        event(10, raised()),
    ]
}

fn raised() -> EventBody {
    EventBody::Alarm(AlarmChange {
        from: AlarmState::Normal,
        state: AlarmState::Unacknowledged,
        verb: AlarmVerb::Raise,
        priority: Priority::High,
        message: "Temperature 83 °C is above 82 °C".into(),
        response: "Check the steam valve.".into(),
        since: Some(before(10)),
        by: "".into(),
        note: "".into(),
        explanation: Default::default(),
    })
}

/// How the detector of a filler stands.
pub fn snapshot(path: &str, state: &str, alarm: AlarmState) -> DetectorSnapshot {
    let since = before(10);
    let active = alarm != AlarmState::Normal;
    DetectorSnapshot {
        asset: AssetId::from_name(path),
        asset_path: path.into(),
        detector: "overheat".into(),
        state: state.into(),
        since,
        history: Vec::new(),
        variables: Vec::new(),
        timers: Vec::new(),
        alarm: AlarmSnapshot {
            state: alarm,
            active,
            priority: Priority::High,
            since: active.then_some(since),
            message: if active { "Temperature 83 °C is above 82 °C".into() } else { "".into() },
            response: "Check the steam valve.".into(),
            ..AlarmSnapshot::default()
        },
        commands: Vec::new(),
        commands_decided: 0,
        events_recorded: 3,
        last_transition: None,
        failures: 0,
        last_failure: "".into(),
        seen: since,
        behind: Default::default(),
        definition: "".into(),
        dry_run: None,
        good: Vec::new(),
        inputs: Vec::new(),
        waiting: Vec::new(),
    }
}

/// A chain that somebody changed.
pub fn audit() -> AuditState {
    let bad = BadRecord {
        record: 2,
        file: "2026-03.jsonl".into(),
        line: 2,
        time: Some(before(5)),
        wrong: "it was changed".into(),
        advice: "ask who could".into(),
    };
    AuditState {
        records: 3,
        head: "0f".repeat(32),
        first: Some(before(60)),
        last: Some(before(1)),
        verified_records: 1,
        verified: Some(before(2)),
        torn_lines: 1,
        first_bad: Some(bad),
        trouble: String::new(),
    }
}

pub fn source(state: ConnectionState, last_error: &str) -> SourceStatus {
    SourceStatus {
        source: "plc".into(),
        protocol: "opcua".into(),
        endpoint: "opc.tcp://127.0.0.1:4840".into(),
        state,
        since: before(300),
        last_value: Some(before(0)),
        tags: 12,
        received: 1_000,
        dropped: 0,
        connects: 1,
        lag_ms: Some(120),
        lag_max_ms: Some(480),
        backlog: 3,
        clock_offset_ms: Some(-35),
        last_error: last_error.into(),
    }
}
