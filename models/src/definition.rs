//! A checked plant: what a plant file means once every name is known and every expression is resolved.
//!
//! Everything here is made by [`crate::plant_file`] (or an import) and only read afterwards.

use crate::{
    AssetId, ModelId, PropertyId, Value, ValueType,
    address::{Address, Protocol},
    alarm::Priority,
    calendar::ShiftCalendar,
    command::WritePolicy,
    detector::DetectorModel,
    expression::Expression,
    oee::{OeeDefinition, OeeOfChildren},
    window::WindowSpec,
};
use std::{sync::Arc, time::Duration};

pub use crate::notice::{NotifyChannel, NotifyTarget};

mod origin;

pub use origin::{Composite, DeclaredFormula, Implementation, ModelKind, Origin};

/// A whole plant.
#[derive(Clone, Debug)]
pub struct Plant {
    /// The plant's name.
    pub name: Arc<str>,
    /// Time zone and shifts.
    pub calendar: ShiftCalendar,
    /// Connections to devices and brokers, by name.
    pub sources: Vec<Source>,
    /// Where notifications go.
    pub notify: Vec<NotifyTarget>,
    /// The kinds of machines. Index = [`ModelIndex`].
    pub models: Vec<AssetModel>,
    /// The machines, parents before children. Index = [`AssetIndex`].
    pub assets: Vec<Asset>,
    /// Messages that detectors of no asset model listen to.
    pub inputs: Vec<crate::iot_events::Input>,
    /// The notify target that stands for an ARN, a URL or a stream named in actions of `detectors`.
    pub targets: Vec<(Arc<str>, Arc<str>)>,
    /// Detectors that belong to no asset model: an instance per key in messages.
    pub detectors: Vec<Arc<crate::iot_events::DetectorModel>>,
}

/// Position of a model in [`Plant::models`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelIndex(pub usize);

/// Position of an asset in [`Plant::assets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetIndex(pub usize);

/// Position of a property in [`AssetModel::properties`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyIndex(pub usize);

/// A connection to a device or a broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// How to reach it.
    pub protocol: SourceProtocol,
    /// Polling or publishing interval.
    pub every: Duration,
    /// Whether anything may ever be written to it.
    pub writes_allowed: bool,
}

/// How to reach a source.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceProtocol {
    /// An OPC UA server.
    OpcUa {
        /// `opc.tcp://host:port/path`.
        url: Arc<str>,
        /// User name; none for anonymous.
        user: Option<Secret>,
        /// Password.
        password: Option<Secret>,
        /// Whether the connection is signed and encrypted.
        security: OpcUaSecurity,
    },
    /// A Modbus TCP device.
    Modbus {
        /// `host:port`.
        host: Arc<str>,
        /// Unit id.
        unit: u8,
    },
    /// An MQTT broker.
    Mqtt {
        /// Host name or address.
        host: Arc<str>,
        /// Port.
        port: u16,
        /// User name.
        user: Option<Secret>,
        /// Password.
        password: Option<Secret>,
        /// Protocol version.
        version: MqttVersion,
        /// The topic filter with captures.
        topic: TopicPattern,
        /// Path of the time stamp in JSON payloads (ISO text, or seconds, milliseconds, … since the epoch); none means arrival time.
        time_path: Option<Arc<str>>,
    },
}

/// How an OPC UA connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpcUaSecurity {
    /// Basic256Sha256, signed and encrypted.
    #[default]
    SignAndEncrypt,
    /// Neither; only when the plant file says `security: none`.
    None,
}

/// MQTT protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1.
    #[default]
    V3,
    /// 5.
    V5,
}

/// A topic filter whose `{name}` (or `+`) levels capture parts of an asset's path: `plant/{line}/{asset}/energy`.
/// Captures are matched from the right: the last is the asset's name, the one before its parent's, and so on;
/// case, spaces, `_` and `-` do not matter. A capture named `area` or `_` matches anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPattern {
    /// Topic levels.
    pub levels: Vec<TopicLevel>,
}

/// One level of a topic pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicLevel {
    /// Exactly this text.
    Literal(Arc<str>),
    /// Any text, captured under a name; `+` captures under an empty name.
    Capture(Arc<str>),
}

/// A text that may be secret. Never shown, logged or exported.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A kind of machine.
#[derive(Clone, Debug)]
pub struct AssetModel {
    /// Derived from its name.
    pub id: ModelId,
    /// Its name.
    pub name: Arc<str>,
    /// Attributes, measurements, transforms and metrics, macros expanded, in file order.
    pub properties: Vec<Property>,
    /// The writable points.
    pub controls: Vec<Control>,
    /// The OEE block.
    pub oee: Option<OeeDefinition>,
    /// The OEE block of a line, an area or a plant: figures of its children.
    pub oee_of: Option<OeeOfChildren>,
    /// The state machines.
    pub detectors: Vec<Arc<DetectorModel>>,
    /// Named links to child models.
    pub hierarchies: Vec<Hierarchy>,
    /// What it is called elsewhere.
    pub origin: Origin,
    /// What it is for.
    pub kind: ModelKind,
    /// Groups of its properties, outer ones before those inside.
    pub composites: Vec<Composite>,
    /// The interfaces it fulfils.
    pub implements: Vec<Implementation>,
}

/// A named link from a model to the model of its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its name (`machines`).
    pub name: Arc<str>,
    /// The child models that may hang there (`machines: filler` or `machines: [filler, capper]`).
    pub models: Vec<ModelIndex>,
    /// What it is called elsewhere.
    pub origin: Origin,
}

/// A property of a model.
#[derive(Clone, Debug)]
pub struct Property {
    /// Derived from model and key.
    pub id: PropertyId,
    /// The name in the plant file. Metrics of several windows may share a name.
    pub name: Arc<str>,
    /// Unique in the model, valid as an SQL column: the name, for metrics that share a name with the window added (`oee_5m`, `oee_shift`).
    pub key: Arc<str>,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// The type of its values.
    pub value_type: ValueType,
    /// What it is.
    pub kind: PropertyKind,
    /// Normal band, drawn behind the value.
    pub normal: Option<(f64, f64)>,
    /// Silent longer than this, it turns Uncertain.
    pub stale: Option<Duration>,
    /// The target drawn on its bullet, if it has one.
    pub target: Option<f64>,
    /// Whether a macro made it and pages leave it out by default.
    pub hidden: bool,
    /// What it is called elsewhere.
    pub origin: Origin,
    /// The composite of the model that it belongs to.
    pub composite: Option<Arc<str>>,
    /// Its formula as it was written, where that is not the plant file's own form.
    pub declared: Option<Arc<DeclaredFormula>>,
}

/// What a property is.
#[derive(Clone, Debug)]
pub enum PropertyKind {
    /// A constant of the asset.
    Attribute {
        /// The model's default.
        default: Value,
    },
    /// A value from a device.
    Measurement {
        /// Where it is read; none when it is only pushed.
        binding: Option<Binding>,
        /// For counters, how they start over.
        counter: Option<CounterRule>,
        /// Conversion from raw number to unit.
        scaling: Scaling,
    },
    /// Computed per sample.
    Transform {
        /// The formula.
        expression: Arc<Expression>,
    },
    /// Computed per window.
    Metric {
        /// Its windows.
        window: WindowSpec,
        /// How it is computed.
        formula: MetricFormula,
    },
}

/// How a metric is computed.
#[derive(Clone, Debug)]
pub enum MetricFormula {
    /// By an expression with aggregates.
    Expression(Arc<Expression>),
    /// One figure of the model's OEE block.
    Oee(crate::oee::OeeFigure),
    /// The whole record of the model's OEE block, as text.
    OeeRecord,
}

/// Where a model's point lives: an address in the source that the asset puts into a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The address.
    pub address: Address,
    /// The source slot (`plc` in `@plc`).
    pub slot: Arc<str>,
}

/// How a counter starts over (`oee.md`, counter rules).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CounterRule {
    /// It falls when it is reset: the new reading counts from zero, unless it is more than half of what was there.
    #[default]
    Reset,
    /// It rolls over at this value; a fall that would be more than half a turn is a reset.
    Rollover(f64),
    /// It never falls; a fall is bad data.
    Monotonic,
}

/// Conversion from a raw number to the property's unit, and its plausible range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Factor.
    pub scale: f64,
    /// Added after the factor.
    pub offset: f64,
    /// Values below are Uncertain.
    pub min: Option<f64>,
    /// Values above are Uncertain.
    pub max: Option<f64>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0, min: None, max: None }
    }
}

/// A writable point.
#[derive(Clone, Debug)]
pub struct Control {
    /// Derived from model and name, like a property's: a control has a series too, of its verified values.
    pub id: PropertyId,
    /// Its name.
    pub name: Arc<str>,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// The type of its values.
    pub value_type: ValueType,
    /// Where it is written.
    pub binding: Binding,
    /// The values that may be written; empty means any within `min` and `max`.
    pub allow: Vec<Value>,
    /// Lowest value.
    pub min: Option<f64>,
    /// Highest value.
    pub max: Option<f64>,
    /// Must be true on fresh, good values when it is sent.
    pub interlock: Option<Arc<Expression>>,
    /// How long the read-back may take to show the value.
    pub verify: Option<Duration>,
    /// At most so many writes per span.
    pub at_most: Option<(u32, Duration)>,
    /// Who may write it and how far.
    pub policy: WritePolicy,
}

/// A machine, or a group of machines.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Derived from its path.
    pub id: AssetId,
    /// Its name.
    pub name: Arc<str>,
    /// Names from the root, joined by `/`.
    pub path: Arc<str>,
    /// Its kind.
    pub model: ModelIndex,
    /// Its parent.
    pub parent: Option<AssetIndex>,
    /// Its children by hierarchy, in file order.
    pub children: Vec<(Arc<str>, Vec<AssetIndex>)>,
    /// Its own attribute values, by property name.
    pub attributes: Vec<(Arc<str>, Value)>,
    /// The sources in its slots: `(plc, filler2)`.
    pub slots: Vec<(Arc<str>, Arc<str>)>,
    /// What it is called elsewhere.
    pub origin: Origin,
    /// Names that programs know its properties by: `(wind_speed, /park/1/speed)`.
    pub aliases: Vec<(Arc<str>, Arc<str>)>,
}

impl SourceProtocol {
    /// The protocol alone.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::OpcUa { .. } => Protocol::OpcUa,
            Self::Modbus { .. } => Protocol::Modbus,
            Self::Mqtt { .. } => Protocol::Mqtt,
        }
    }
}

impl Plant {
    /// The model of an asset.
    pub fn model_of(&self, asset: AssetIndex) -> &AssetModel {
        &self.models[self.assets[asset.0].model.0]
    }

    /// The source of a name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| &*source.name == name)
    }

    /// The asset at a path.
    pub fn asset_at(&self, path: &str) -> Option<AssetIndex> {
        self.assets.iter().position(|asset| &*asset.path == path).map(AssetIndex)
    }

    /// The assets of a model.
    pub fn assets_of(&self, model: ModelIndex) -> impl Iterator<Item = AssetIndex> + '_ {
        self.assets.iter().enumerate().filter(move |(_, asset)| asset.model == model).map(|(index, _)| AssetIndex(index))
    }
}

impl AssetModel {
    /// The property with a key, or the only one with a name.
    pub fn property(&self, name: &str) -> Option<PropertyIndex> {
        let by_key = self.properties.iter().position(|property| &*property.key == name);
        by_key.or_else(|| self.properties.iter().position(|property| &*property.name == name)).map(PropertyIndex)
    }

    /// The control of a name.
    pub fn control(&self, name: &str) -> Option<&Control> {
        self.controls.iter().find(|control| &*control.name == name)
    }

    /// The most urgent priority any of its detectors can raise.
    pub fn highest_priority(&self) -> Option<Priority> {
        self.detectors.iter().map(|detector| detector.priority).min()
    }
}
