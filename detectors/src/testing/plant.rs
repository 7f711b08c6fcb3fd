//! The plant of the tests: one line with one filler.

use super::model::Names;
use andon_models::{
    AssetId, CommandId, ModelId, PropertyId, SeriesId, TagId, Timestamp, Value, ValueType,
    address::{Address, NodeAddress},
    calendar::ShiftCalendar,
    command::{Command, WritePolicy},
    definition::*,
    detector::DetectorModel,
    expression::Expression,
};
use std::{sync::Arc, time::Duration};

/// Where the machine stands.
pub const PATH: &str = "Line 1/Filler 1";

/// Measurements, attributes and their types of the tests' machine.
pub const PROPERTIES: [(&str, ValueType, &str); 6] = [
    ("temp", ValueType::Double, "°C"),
    ("running", ValueType::Boolean, ""),
    ("count", ValueType::Integer, ""),
    ("pressure", ValueType::Double, "bar"),
    ("temp_limit", ValueType::Double, "°C"),
    ("note", ValueType::String, ""),
];

/// A command for tests of its life alone.
pub fn command() -> Command {
    Command {
        id: CommandId::from_name("test"),
        asset: AssetId::from_name(PATH),
        control: "stop_request".into(),
        tag: TagId(0),
        series: SeriesId(0),
        value: Value::Boolean(true),
        decided_by: "overheat".into(),
        decided_at: Timestamp::from_seconds(0),
        deadline: Timestamp::from_seconds(10),
        verify: Duration::from_secs(2),
    }
}

fn property(name: &str, value_type: ValueType, unit: &str) -> Property {
    let kind = if name == "temp_limit" {
        PropertyKind::Attribute { default: Value::Double(80.0) }
    } else {
        let binding = Binding { address: Address::OpcUa(NodeAddress(format!("ns=2;s={name}").into())), slot: "plc".into() };
        PropertyKind::Measurement { binding: Some(binding), counter: None, scaling: Scaling::default() }
    };
    Property {
        id: PropertyId::from_name(&format!("filler/{name}")),
        name: name.into(),
        key: name.into(),
        unit: unit.into(),
        value_type,
        kind,
        normal: None,
        stale: (name == "running").then_some(Duration::from_secs(600)),
        target: None,
        hidden: false,
        origin: Default::default(),
        composite: None,
        declared: None,
    }
}

fn control(name: &str, value_type: ValueType) -> Control {
    Control {
        id: PropertyId::from_name(&format!("filler/{name}")),
        name: name.into(),
        unit: "".into(),
        value_type,
        binding: Binding { address: Address::OpcUa(NodeAddress(format!("ns=2;s={name}").into())), slot: "plc".into() },
        allow: Vec::new(),
        min: None,
        max: None,
        interlock: None,
        verify: None,
        at_most: None,
        policy: WritePolicy::default(),
    }
}

fn source(name: &str, writes_allowed: bool) -> Source {
    Source {
        name: name.into(),
        protocol: SourceProtocol::Modbus { host: "127.0.0.1:502".into(), unit: 1 },
        every: Duration::from_secs(1),
        writes_allowed,
    }
}

/// A plant with one line and one filler, which has these detectors.
pub fn plant(detectors: Vec<DetectorModel>) -> Plant {
    let names = Names { variables: &[] };
    let mut stop = control("stop_request", ValueType::Boolean);
    stop.allow = vec![Value::Boolean(true)];
    stop.interlock = Some(Arc::new(Expression::parse("running", &names).unwrap()));
    stop.at_most = Some((2, Duration::from_secs(3600)));
    let mut setpoint = control("setpoint", ValueType::Double);
    (setpoint.min, setpoint.max) = (Some(0.0), Some(100.0));
    let mut locked = control("locked", ValueType::Boolean);
    locked.binding.slot = "locked".into();
    let mut unbound = control("unbound", ValueType::Boolean);
    unbound.binding.slot = "nothing".into();
    let model = |name: &str, properties, controls, detectors, hierarchies| AssetModel {
        id: ModelId::from_name(name),
        name: name.into(),
        properties,
        controls,
        oee: None,
        oee_of: None,
        detectors,
        hierarchies,
        origin: Default::default(),
        kind: Default::default(),
        composites: Vec::new(),
        implements: Vec::new(),
    };
    let properties = PROPERTIES.map(|(name, value_type, unit)| property(name, value_type, unit)).to_vec();
    let machines = Hierarchy { name: "machines".into(), models: vec![ModelIndex(1)], origin: Default::default() };
    let asset = |path: &str, model, parent| Asset {
        id: AssetId::from_name(path),
        name: path.rsplit('/').next().unwrap().into(),
        path: path.into(),
        model: ModelIndex(model),
        parent,
        children: Vec::new(),
        attributes: Vec::new(),
        slots: vec![("plc".into(), "plc".into()), ("locked".into(), "locked".into())],
        origin: Default::default(),
        aliases: Vec::new(),
    };
    let mut line = asset("Line 1", 0, None);
    line.children = vec![("machines".into(), vec![AssetIndex(1)])];
    Plant {
        name: "Test".into(),
        calendar: ShiftCalendar::new(jiff::tz::TimeZone::UTC),
        sources: vec![source("plc", true), source("locked", false)],
        notify: Vec::new(),
        models: vec![
            model("line", vec![property("speed", ValueType::Double, "1/h")], Vec::new(), Vec::new(), vec![machines]),
            model(
                "filler",
                properties,
                vec![stop, setpoint, locked, unbound],
                detectors.into_iter().map(Arc::new).collect(),
                Vec::new(),
            ),
        ],
        assets: vec![line, asset(PATH, 1, Some(AssetIndex(0)))],
        inputs: Vec::new(),
        targets: Vec::new(),
        detectors: Vec::new(),
    }
}
