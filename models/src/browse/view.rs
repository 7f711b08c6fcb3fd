//! What people and programs see of a source: its nodes, what of the plant reads them, and how they are written into the plant file.

use super::{Browsed, NodeKind, SourceNode, key_for, line::type_word, measurement_line};
use crate::{
    Quality, Timestamp, Value,
    catalog::Catalog,
    definition::{Asset, Plant, Source, SourceProtocol},
    expression::nearest,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Assets that are listed at most; more share a broker in a large plant, and are found by their model.
const MAX_ASSETS: usize = 1_000;

/// An answer to a question about a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrowseView {
    /// The source.
    pub source: Arc<str>,
    /// `opcua`, `modbus` or `mqtt`.
    pub protocol: Arc<str>,
    /// What was asked for; empty for the root.
    pub node: Arc<str>,
    /// The nodes, in the order of the source.
    pub nodes: Vec<NodeView>,
    /// Where to go on; none when these are all.
    pub next: Option<usize>,
    /// What there is to know about the answer; empty if nothing.
    pub note: String,
    /// The slot that most assets name the source by; the source's own name when none does.
    pub slot: Arc<str>,
    /// The assets that name the source, by model and slot.
    pub slots: Vec<SlotUse>,
}

/// Assets of one model that name the source by one slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotUse {
    /// The model.
    pub model: Arc<str>,
    /// The slot.
    pub slot: Arc<str>,
    /// Paths of the assets.
    pub assets: Vec<Arc<str>>,
}

/// A node of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// By what it is asked for.
    pub node: Arc<str>,
    /// What the source calls it.
    pub name: Arc<str>,
    /// Names from where the search began; empty when it was not searched for.
    pub path: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// How the plant file names it; none when it holds no value.
    pub address: Option<Arc<str>>,
    /// Another form of the address.
    pub short: Option<Arc<str>>,
    /// The source's word for its type; empty if it says none.
    pub data_type: Arc<str>,
    /// The plant file's word for the type of a property that takes it; none for what no property takes.
    pub r#type: Option<Arc<str>>,
    /// Its unit as the source says; empty if it says none.
    pub unit: Arc<str>,
    /// Its value now.
    pub value: Value,
    /// How far it may be trusted.
    pub quality: Quality,
    /// Why it is not Good; empty if it is.
    pub problem: Arc<str>,
    /// When it was true, as the source says.
    pub time: Option<Timestamp>,
    /// What the source says about it.
    pub description: Arc<str>,
    /// Whether something may be below it.
    pub children: bool,
    /// A name for a property that reads it.
    pub key: Arc<str>,
    /// The line to paste below `measurements:`; none for what no property takes.
    pub line: Option<Arc<str>>,
    /// What reads it already.
    pub bound: Vec<BoundProperty>,
    /// MQTT: paths of the assets that the source's own pattern takes the topic for; these may use the short address.
    pub about: Vec<Arc<str>>,
    /// The same bytes read in other ways (Modbus).
    pub readings: Vec<NodeView>,
}

/// A property or control that a node is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundProperty {
    /// The path of the asset.
    pub asset: Arc<str>,
    /// The property's key, or the control's name.
    pub property: Arc<str>,
}

/// The source of a name.
///
/// # Errors
/// The name nearest to it, empty if none is near.
pub fn names_source<'p>(plant: &'p Plant, name: &str) -> Result<&'p Source, String> {
    let found = plant.sources.iter().find(|source| &*source.name == name);
    found.ok_or_else(|| nearest(name, plant.sources.iter().map(|source| &*source.name)).unwrap_or_default().to_owned())
}

/// An answer in the words of the plant.
pub fn view(catalog: &Catalog, source: &Source, node: &Arc<str>, browsed: Browsed) -> BrowseView {
    let slots = slots_of(&catalog.plant, &source.name);
    let most = slots.iter().rev().max_by_key(|slot| slot.assets.len());
    let slot = most.map_or_else(|| source.name.clone(), |slot| slot.slot.clone());
    let sight = Sight { catalog, source, slot: &slot };
    BrowseView {
        source: source.name.clone(),
        protocol: protocol_word(source).into(),
        node: node.clone(),
        nodes: browsed.nodes.into_iter().map(|node| sight.node(node)).collect(),
        next: browsed.next,
        note: browsed.note,
        slot,
        slots,
    }
}

fn protocol_word(source: &Source) -> &'static str {
    match source.protocol {
        SourceProtocol::OpcUa { .. } => "opcua",
        SourceProtocol::Modbus { .. } => "modbus",
        SourceProtocol::Mqtt { .. } => "mqtt",
    }
}

fn slots_of(plant: &Plant, source: &str) -> Vec<SlotUse> {
    type ModelAndSlot = (Arc<str>, Arc<str>);
    let mut uses: BTreeMap<ModelAndSlot, Vec<Arc<str>>> = BTreeMap::new();
    let named = |asset: &Asset| -> Vec<Arc<str>> {
        asset.slots.iter().filter(|(_, named)| &**named == source).map(|(slot, _)| slot.clone()).collect()
    };
    let all = plant.assets.iter().flat_map(|asset| named(asset).into_iter().map(move |slot| (asset, slot)));
    for (asset, slot) in all.take(MAX_ASSETS) {
        uses.entry((plant.models[asset.model.0].name.clone(), slot)).or_default().push(asset.path.clone());
    }
    uses.into_iter().map(|((model, slot), assets)| SlotUse { model, slot, assets }).collect()
}

/// What a node is seen by.
struct Sight<'a> {
    catalog: &'a Catalog,
    source: &'a Source,
    slot: &'a str,
}

impl Sight<'_> {
    fn node(&self, node: SourceNode) -> NodeView {
        let about = self.about(&node);
        // What the source's own pattern finds a machine for is written without its topic.
        let fitting = SourceNode {
            address: if about.is_empty() { node.address.clone() } else { node.short.clone().or(node.address.clone()) },
            ..node.clone()
        };
        NodeView {
            line: measurement_line(&fitting, self.slot).map(Into::into),
            key: key_for(&node).into(),
            bound: node.tags.iter().filter_map(|tag| self.bound(*tag)).collect(),
            about,
            readings: node.readings.into_iter().map(|reading| self.node(reading)).collect(),
            node: node.node,
            name: node.name,
            path: node.path,
            kind: node.kind,
            address: node.address,
            short: node.short,
            data_type: node.data_type,
            r#type: node.value_type.map(|value_type| type_word(value_type).into()),
            unit: node.unit,
            value: node.value,
            quality: node.quality,
            problem: node.problem,
            time: node.time,
            description: node.description,
            children: node.children,
        }
    }

    fn bound(&self, tag: crate::TagId) -> Option<BoundProperty> {
        let tag = self.catalog.tag(tag)?;
        let entry = self.catalog.entry(tag.series)?;
        Some(BoundProperty { asset: self.catalog.plant.assets[tag.asset.0].path.clone(), property: entry.key.clone() })
    }

    fn about(&self, node: &SourceNode) -> Vec<Arc<str>> {
        let (SourceProtocol::Mqtt { topic: pattern, .. }, Some(address), Some(_)) =
            (&self.source.protocol, &node.address, &node.short)
        else {
            return Vec::new();
        };
        let topic = address.split_once('#').map_or(&**address, |(topic, _)| topic);
        let assets = self.catalog.plant.assets.iter();
        let named = assets.filter(|asset| asset.slots.iter().any(|(_, source)| *source == self.source.name));
        let about = named.filter(|asset| pattern.is_about(topic, &asset.path));
        about.take(MAX_ASSETS).map(|asset| asset.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TagId, ValueType, catalog::SeriesDirectory, plant_file};

    const PLANT: &str = "\
plant: P
sources:
  plc: { opcua: opc.tcp://h:4840 }
  energy: { mqtt: mqtt://h, topic: 'plant/{asset}/energy' }
models:
  pump:
    measurements:
      speed: { from: ns=2;s=Speed @ctl }
      power: { from: kw @meter }
assets:
  P 1: { model: pump, ctl: plc, meter: energy }
  P 2: { model: pump, ctl: plc, meter: energy }
";

    fn catalog() -> Catalog {
        let loaded = plant_file::load(&[("p.yaml".into(), PLANT.into())], &|_| None);
        Catalog::build(Arc::new(loaded.plant.expect("the plant is right")), &mut SeriesDirectory::default())
    }

    fn seen(source: &str, node: SourceNode) -> BrowseView {
        let catalog = catalog();
        let source = names_source(&catalog.plant, source).unwrap();
        view(&catalog, source, &"".into(), Browsed { nodes: vec![node], ..Browsed::default() })
    }

    #[test]
    fn a_node_shows_what_reads_it_and_its_line_in_the_slot_of_the_plant() {
        let node = SourceNode {
            address: Some("ns=2;s=Speed".into()),
            value_type: Some(ValueType::Double),
            tags: vec![TagId(0), TagId(99)],
            ..SourceNode::new("ns=2;s=Speed", "Speed", NodeKind::Variable)
        };
        let seen = seen("plc", node);
        assert_eq!(seen.nodes[0].bound, [BoundProperty { asset: "P 1".into(), property: "speed".into() }]);
        assert_eq!(seen.nodes[0].line.as_deref(), Some("speed: { from: ns=2;s=Speed @ctl }"));
        let uses = SlotUse { model: "pump".into(), slot: "ctl".into(), assets: vec!["P 1".into(), "P 2".into()] };
        assert_eq!((seen.slots, &*seen.slot), (vec![uses], "ctl"));
    }

    #[test]
    fn a_topic_of_the_sources_own_pattern_is_written_without_it() {
        let field = |topic: &str| SourceNode {
            address: Some(format!("{topic}#kw").into()),
            short: topic.ends_with("/energy").then(|| "kw".into()),
            value_type: Some(ValueType::Double),
            ..SourceNode::new(format!("{topic}#kw"), "kw", NodeKind::Field)
        };
        let own = seen("energy", field("plant/p_2/energy"));
        assert_eq!(own.nodes[0].about, ["P 2".into()]);
        assert_eq!(own.nodes[0].line.as_deref(), Some("kw: { from: kw @meter }"));
        let other = seen("energy", field("site/air"));
        assert_eq!(other.nodes[0].line.as_deref(), Some("kw: { from: site/air#kw @meter }"));
        assert!(other.nodes[0].about.is_empty());
    }

    #[test]
    fn an_unknown_source_is_answered_with_the_nearest() {
        assert_eq!(names_source(&catalog().plant, "plx").unwrap_err(), "plc");
        assert_eq!(names_source(&catalog().plant, "something").unwrap_err(), "");
    }
}
