//! The shapes of what sources offer; the words are those of `andon_models::browse`.

use crate::view::Time;
use serde::Serialize;
use utoipa::ToSchema;

/// An answer to a question about a source.
#[derive(Serialize, ToSchema)]
#[schema(as = Browse)]
#[allow(dead_code, reason = "only its shape is used")]
#[schema(example = json!({
    "source": "line2_plc", "protocol": "opcua", "node": "nsu=urn:bottling-north:line2;s=Filler", "next": null, "note": "", "slot": "plc",
    "slots": [{ "model": "filler", "slot": "plc", "assets": ["Line 2/Filler 2"] }],
    "nodes": [{ "node": "nsu=urn:bottling-north:line2;s=Filler.Bowl.Temp", "name": "Bowl.Temp", "path": "", "kind": "variable",
        "address": "nsu=urn:bottling-north:line2;s=Filler.Bowl.Temp", "short": "ns=2;s=Filler.Bowl.Temp", "data_type": "Double",
        "type": "double", "unit": "°C", "value": 77.4, "quality": "good", "problem": "", "time": "2026-03-02T10:00:00Z",
        "description": "", "children": false, "key": "temp",
        "line": "temp: { unit: °C, from: nsu=urn:bottling-north:line2;s=Filler.Bowl.Temp @plc }",
        "bound": [{ "asset": "Line 2/Filler 2", "property": "fill_temp" }], "about": [], "readings": [] }]
}))]
pub(crate) struct BrowseDocument {
    /// The source.
    source: String,
    /// opcua, modbus or mqtt.
    protocol: String,
    /// What was asked for; empty for the root.
    node: String,
    /// The nodes, in the order of the source.
    nodes: Vec<SourceNodeDocument>,
    /// Where to go on, as `after`; null when these are all.
    next: Option<usize>,
    /// What there is to know about the answer: why it is short, what to ask instead; empty if nothing.
    note: String,
    /// The slot that most assets name the source by; the source's own name when none does.
    slot: String,
    /// The assets that name the source, by model and slot.
    slots: Vec<SlotUseDocument>,
}

/// Assets of one model that name a source by one slot.
#[derive(Serialize, ToSchema)]
#[schema(as = SlotUse)]
#[allow(dead_code, reason = "only its shape is used")]
pub(crate) struct SlotUseDocument {
    /// The model.
    model: String,
    /// The slot.
    slot: String,
    /// Paths of the assets.
    assets: Vec<String>,
}

/// A node of a source.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceNode)]
#[allow(dead_code, reason = "only its shape is used")]
pub(crate) struct SourceNodeDocument {
    /// By what it is asked for.
    node: String,
    /// What the source calls it.
    name: String,
    /// Names from where the search began, joined by `/`; empty when it was not searched for.
    path: String,
    /// What it is.
    kind: SourceNodeKindDocument,
    /// How the plant file names it; null when it holds no value.
    address: Option<String>,
    /// Another form of it: `ns=2;…` for a node, the path alone for a topic that the source's own pattern takes.
    short: Option<String>,
    /// The source's word for its type; empty if it says none.
    data_type: String,
    /// The plant file's word for the type of a property that takes it; null for what no property takes.
    r#type: Option<String>,
    /// Its unit as the source says; empty if it says none.
    unit: String,
    /// Its value now; null if there is none.
    #[schema(value_type = serde_json::Value)]
    value: (),
    /// How far it may be trusted.
    quality: crate::view::QualityView,
    /// Why it is not good; empty if it is.
    problem: String,
    /// When it was true, as the source says.
    time: Option<Time>,
    /// What the source says about it.
    description: String,
    /// Whether something may be below it.
    children: bool,
    /// A name for a property that reads it.
    key: String,
    /// The line to paste below `measurements:`; null for what no property takes.
    line: Option<String>,
    /// What reads or writes it already.
    bound: Vec<BoundPropertyDocument>,
    /// MQTT: paths of the assets that the source's own pattern takes the topic for; these may use the short address.
    about: Vec<String>,
    /// Modbus: the same bytes read in other ways.
    #[schema(no_recursion)]
    readings: Vec<SourceNodeDocument>,
}

/// A property or control that a node is bound to.
#[derive(Serialize, ToSchema)]
#[schema(as = BoundProperty)]
#[allow(dead_code, reason = "only its shape is used")]
pub(crate) struct BoundPropertyDocument {
    /// The path of the asset.
    asset: String,
    /// The property's key, or the control's name.
    property: String,
}

/// What a node of a source is.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceNodeKind)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its shape is used")]
pub(crate) enum SourceNodeKindDocument {
    Folder,
    Variable,
    Method,
    Topic,
    Field,
    Register,
    Reading,
}
