//! What there is to know about nodes: value, type, unit, what is below, which tags read them.

use super::{Visit, listing::Child};
use crate::{
    IngestError,
    opcua::{
        connect::code_words,
        value::{plain_type, resolve, scalar_type, time_of, to_value},
    },
};
use andon_models::{
    Quality, TagId, ValueType,
    address::Address,
    browse::{Browsed, NodeKind, SourceNode},
};
use opcua::types::{
    AttributeId, BrowsePath, DataValue, EUInformation, NodeClass, NodeId, QualifiedName, ReadValueId, ReferenceTypeId,
    RelativePath, TimestampsToReturn, Variant, VariantScalarTypeId,
};
use std::{collections::HashMap, sync::Arc};

/// Longest text of a value that is shown.
const MAX_SHOWN: usize = 1_000;
/// Attributes of a variable that are read: its type, its value and what is said about it.
const ATTRIBUTES: [AttributeId; 3] = [AttributeId::DataType, AttributeId::Value, AttributeId::Description];

impl Visit<'_> {
    /// Reads the values of addresses anew.
    pub async fn read_again(&self, addresses: &[Arc<str>]) -> Result<Browsed, IngestError> {
        let mut children = Vec::new();
        for address in addresses {
            let node = self.node(address)?;
            children.push(Child { node, name: address.clone(), class: NodeClass::Variable });
        }
        let mut nodes: Vec<_> = children.iter().map(|child| self.bare(child)).collect();
        self.values(&children, &mut nodes).await?;
        // By the very text that was asked for.
        nodes.iter_mut().zip(addresses).for_each(|(node, address)| node.node = address.clone());
        Ok(Browsed { nodes, ..Browsed::default() })
    }

    /// Everything about some nodes.
    pub async fn details(&self, children: &[Child]) -> Result<Vec<SourceNode>, IngestError> {
        let mut nodes: Vec<_> = children.iter().map(|child| self.bare(child)).collect();
        self.values(children, &mut nodes).await?;
        self.units(children, &mut nodes).await?;
        self.below_variables(children, &mut nodes).await?;
        let tags = self.tags();
        for (child, node) in children.iter().zip(&mut nodes) {
            node.tags = tags.get(&child.node).cloned().unwrap_or_default();
        }
        Ok(nodes)
    }

    fn bare(&self, child: &Child) -> SourceNode {
        let (name, short) = self.names_of(&child.node);
        let kind = match child.class {
            NodeClass::Variable => NodeKind::Variable,
            NodeClass::Method => NodeKind::Method,
            _ => NodeKind::Folder,
        };
        let node =
            SourceNode { children: kind == NodeKind::Folder, ..SourceNode::new(name.as_str(), child.name.clone(), kind) };
        if kind != NodeKind::Variable {
            return node;
        }
        SourceNode { address: Some(name.into()), short: short.map(Into::into), ..node }
    }

    /// The tags of the plant by the node each means.
    fn tags(&self) -> HashMap<NodeId, Vec<TagId>> {
        let mut found: HashMap<NodeId, Vec<TagId>> = HashMap::new();
        for tag in self.device.shared.tags.values() {
            if let Address::OpcUa(address) = &tag.address
                && let Ok(node) = resolve(address, &self.namespaces)
            {
                found.entry(node).or_default().push(tag.id);
            }
        }
        found.values_mut().for_each(|tags| tags.sort_unstable());
        found
    }

    async fn values(&self, children: &[Child], nodes: &mut [SourceNode]) -> Result<(), IngestError> {
        let variables = positions(children, |child| child.class == NodeClass::Variable);
        let mut own_types: Vec<(usize, NodeId)> = Vec::new();
        for some in variables.chunks((self.limits.read / ATTRIBUTES.len()).max(1)) {
            let asked: Vec<_> = some
                .iter()
                .flat_map(|index| ATTRIBUTES.map(|attribute| ReadValueId::new(children[*index].node.clone(), attribute)))
                .collect();
            let answers = self.request(self.session.read(&asked, TimestampsToReturn::Both, 0.0)).await?;
            for (index, answers) in some.iter().zip(answers.chunks(ATTRIBUTES.len())) {
                let [data_type, value, description] = answers else { continue };
                let node = &mut nodes[*index];
                if let Some(Variant::LocalizedText(text)) = &description.value {
                    node.description = text.text.as_ref().into();
                }
                take_value(node, value);
                let Some(Variant::NodeId(data_type)) = &data_type.value else { continue };
                // A variable without a value has a type all the same.
                if value.value.is_none() {
                    node.value_type = plain_type(data_type).map(of_scalar);
                }
                match data_type.as_data_type_id() {
                    Ok(known) => node.data_type = format!("{known:?}{}", brackets(value)).into(),
                    Err(_) => {
                        node.data_type = brackets(value).into();
                        own_types.push((*index, (**data_type).clone()));
                    }
                }
            }
        }
        self.name_types(&own_types, nodes).await
    }

    /// The names of types that are the server's own.
    async fn name_types(&self, types: &[(usize, NodeId)], nodes: &mut [SourceNode]) -> Result<(), IngestError> {
        let mut names: HashMap<NodeId, Arc<str>> = HashMap::new();
        let mut unknown: Vec<NodeId> = types.iter().map(|(_, data_type)| data_type.clone()).collect();
        unknown.sort_by_key(NodeId::to_string);
        unknown.dedup();
        for some in unknown.chunks(self.limits.read) {
            let asked: Vec<_> = some.iter().map(|node| ReadValueId::new(node.clone(), AttributeId::DisplayName)).collect();
            let answers = self.request(self.session.read(&asked, TimestampsToReturn::Neither, 0.0)).await?;
            for (node, answer) in some.iter().zip(answers) {
                if let Some(Variant::LocalizedText(text)) = answer.value {
                    names.insert(node.clone(), text.text.as_ref().into());
                }
            }
        }
        for (index, data_type) in types {
            let name = names.get(data_type).cloned().unwrap_or_else(|| data_type.to_string().into());
            let brackets: Arc<str> = std::mem::replace(&mut nodes[*index].data_type, "".into());
            nodes[*index].data_type = format!("{name}{brackets}").into();
        }
        Ok(())
    }

    /// The engineering units of variables that have some (OPC 10000-8 section 5.3.2.3).
    async fn units(&self, children: &[Child], nodes: &mut [SourceNode]) -> Result<(), IngestError> {
        let number = |node: &SourceNode| matches!(node.value_type, Some(ValueType::Double | ValueType::Integer));
        let variables: Vec<_> = positions(children, |child| child.class == NodeClass::Variable)
            .into_iter()
            .filter(|index| number(&nodes[*index]))
            .collect();
        let mut found: Vec<(usize, NodeId)> = Vec::new();
        for some in variables.chunks(self.limits.translate) {
            let paths: Vec<_> = some.iter().map(|index| unit_of(&children[*index].node)).collect();
            // A server that knows no such service has no units to tell.
            let Ok(results) = self.request(self.session.translate_browse_paths_to_node_ids(&paths)).await else {
                return Ok(());
            };
            for (index, result) in some.iter().zip(results) {
                let target = result.targets.into_iter().flatten().next().filter(|_| result.status_code.is_good());
                found.extend(target.map(|target| (*index, target.target_id.node_id)));
            }
        }
        for some in found.chunks(self.limits.read) {
            let asked: Vec<_> = some.iter().map(|(_, node)| ReadValueId::new(node.clone(), AttributeId::Value)).collect();
            let answers = self.request(self.session.read(&asked, TimestampsToReturn::Neither, 0.0)).await?;
            for ((index, _), answer) in some.iter().zip(answers) {
                if let Some(Variant::ExtensionObject(object)) = &answer.value
                    && let Some(unit) = object.inner_as::<EUInformation>()
                {
                    nodes[*index].unit = unit.display_name.text.as_ref().into();
                }
            }
        }
        Ok(())
    }

    /// Whether variables have components: members of structures mostly.
    async fn below_variables(&self, children: &[Child], nodes: &mut [SourceNode]) -> Result<(), IngestError> {
        for some in positions(children, |child| child.class == NodeClass::Variable).chunks(self.limits.browse) {
            let mut asked: Vec<_> = some.iter().map(|index| super::listing::below(&children[*index].node)).collect();
            asked.iter_mut().for_each(|ask| ask.reference_type_id = ReferenceTypeId::HasComponent.into());
            let results = self.request(self.session.browse(&asked, 1, None)).await?;
            let mut rest = Vec::new();
            for (index, result) in some.iter().zip(results) {
                let any = result.references.is_some_and(|references| !references.is_empty());
                nodes[*index].children = any || super::listing::is_full(result.status_code);
                if !result.continuation_point.is_null() {
                    rest.push(result.continuation_point);
                }
            }
            if !rest.is_empty() {
                // A server that does not take them back forgets them with the session.
                let _ = self.request(self.session.browse_next(true, &rest)).await;
            }
        }
        Ok(())
    }
}

fn positions(children: &[Child], wanted: impl Fn(&Child) -> bool) -> Vec<usize> {
    children.iter().enumerate().filter(|(_, child)| wanted(child)).map(|(index, _)| index).collect()
}

fn unit_of(variable: &NodeId) -> BrowsePath {
    let names = [QualifiedName::new(0, "EngineeringUnits")];
    BrowsePath { starting_node: variable.clone(), relative_path: RelativePath::from(&names[..]) }
}

fn take_value(node: &mut SourceNode, value: &DataValue) {
    let status = value.status();
    node.quality = match status {
        status if status.is_good() => Quality::Good,
        status if status.is_uncertain() => Quality::Uncertain,
        _ => Quality::Bad,
    };
    if node.quality != Quality::Good {
        node.problem = code_words(status).into();
    }
    let time = value.source_timestamp.as_ref().or(value.server_timestamp.as_ref());
    node.time = time.and_then(time_of);
    let Some(variant) = &value.value else { return };
    node.value_type = scalar_type(variant).and_then(|scalar| known_scalar(scalar).then(|| of_scalar(scalar)));
    node.value = shortened(to_value(variant));
}

fn shortened(value: andon_models::Value) -> andon_models::Value {
    match value {
        andon_models::Value::String(text) if text.chars().count() > MAX_SHOWN => {
            let short: String = text.chars().take(MAX_SHOWN).chain(['…']).collect();
            short.as_str().into()
        }
        other => other,
    }
}

/// `[8]` behind the type of an array of eight.
fn brackets(value: &DataValue) -> String {
    match &value.value {
        Some(Variant::Array(array)) => format!("[{}]", array.values.len()),
        _ => String::new(),
    }
}

/// What [`to_value`] makes a value of.
fn known_scalar(scalar: VariantScalarTypeId) -> bool {
    use VariantScalarTypeId as Type;
    !matches!(
        scalar,
        Type::ByteString
            | Type::XmlElement
            | Type::NodeId
            | Type::ExpandedNodeId
            | Type::StatusCode
            | Type::QualifiedName
            | Type::ExtensionObject
            | Type::DataValue
            | Type::Variant
            | Type::DiagnosticInfo
    )
}

fn of_scalar(scalar: VariantScalarTypeId) -> ValueType {
    use VariantScalarTypeId as Type;
    match scalar {
        Type::Boolean => ValueType::Boolean,
        Type::SByte | Type::Byte | Type::Int16 | Type::UInt16 | Type::Int32 | Type::UInt32 | Type::Int64 | Type::UInt64 => {
            ValueType::Integer
        }
        Type::Float | Type::Double => ValueType::Double,
        _ => ValueType::String,
    }
}
