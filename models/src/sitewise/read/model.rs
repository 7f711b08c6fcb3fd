//! Models: properties, hierarchies, composites, interfaces.

use super::{Cursor, Reader, normal};
use crate::{
    definition::ModelKind,
    sitewise::{
        MAX_FORMULA, MAX_NAME, MAX_PROPERTIES, MAX_VARIABLES,
        gathered::Gathered,
        parts::{Composite, DataType, Formula, Hierarchy, Interface, Kind, ModelPatch, Property, Variable},
        thing::{By, Reference, Thing},
        window,
    },
};

const MODEL: [&str; 20] = [
    "assetModelName",
    "assetModelType",
    "assetModelDescription",
    "assetModelId",
    "assetModelExternalId",
    "id",
    "externalId",
    "assetModelProperties",
    "properties",
    "assetModelHierarchies",
    "hierarchies",
    "assetModelCompositeModels",
    "compositeModels",
    "assetModelCompositeModelSummaries",
    "tags",
    "interfaceDetails",
    "description",
    "name",
    "enforcedAssetModelInterfaceRelationships",
    "assetModelInterfaceRelationships",
];
const PROPERTY: [&str; 9] = ["name", "dataType", "dataTypeSpec", "unit", "type", "id", "externalId", "logicalId", "path"];
const COMPOSITE: [&str; 27] = [
    "name",
    "description",
    "type",
    "properties",
    "compositeModelProperties",
    "id",
    "externalId",
    "logicalId",
    "path",
    "composedAssetModelId",
    "composedAssetModelExternalId",
    "parentAssetModelCompositeModelId",
    "parentAssetModelCompositeModelExternalId",
    "assetModelId",
    "assetModelExternalId",
    "assetModelCompositeModelId",
    "assetModelCompositeModelExternalId",
    "assetModelCompositeModelName",
    "assetModelCompositeModelDescription",
    "assetModelCompositeModelType",
    "assetModelCompositeModelPath",
    "assetModelCompositeModelProperties",
    "compositionDetails",
    "assetModelCompositeModelSummaries",
    "actionDefinitions",
    "executionConfiguration",
    "ifMatch",
];

impl Reader<'_> {
    /// A model: create and update requests, describe answers, bulk entries, CloudFormation properties.
    pub(super) fn model(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let names = (["assetModelId", "id"], ["assetModelExternalId", "externalId"], ["assetModelName", "name"]);
        let mut thing = self.thing(node, &names.0, &names.1, &names.2);
        thing.description = node.word("assetModelDescription").or_else(|| node.word("description"));
        let what = format!("the model {}", thing.name);
        self.unknown(node, &what, &MODEL);
        self.tags(node, &what);
        let kind = node.word("assetModelType").and_then(|text| match text.as_str() {
            "ASSET_MODEL" => Some(ModelKind::Asset),
            "COMPONENT_MODEL" => Some(ModelKind::Component),
            "INTERFACE" => Some(ModelKind::Interface),
            _ => {
                let message = format!(
                    "`{text}` is no type of models: ASSET_MODEL, COMPONENT_MODEL or INTERFACE; it is taken as ASSET_MODEL"
                );
                self.findings.warning(&node.path, message);
                None
            }
        });
        let lists = (
            ["assetModelProperties", "properties"],
            ["assetModelHierarchies", "hierarchies"],
            ["assetModelCompositeModels", "compositeModels"],
        );
        let present = |names: &[&str]| names.iter().any(|name| node.has(name));
        let items = |names: &[&str]| names.iter().flat_map(|name| node.items(name)).collect::<Vec<_>>();
        let mut patch = ModelPatch { thing, kind, ..ModelPatch::default() };
        if present(&lists.0) {
            patch.properties = Some(items(&lists.0).iter().filter_map(|item| self.property(item)).collect());
        }
        if present(&lists.1) {
            patch.hierarchies = Some(items(&lists.1).iter().filter_map(|item| self.hierarchy(item)).collect());
        }
        if present(&lists.2) {
            patch.composites = Some(items(&lists.2).iter().filter_map(|item| self.composite(item)).collect());
        }
        patch.named_composites =
            node.items("assetModelCompositeModelSummaries").iter().filter_map(|item| self.composite(item)).collect();
        patch.interfaces = node.items("interfaceDetails").iter().filter_map(|item| self.interface_detail(item)).collect();
        if patch.thing.name.is_empty() && patch.thing.id.is_none() && patch.thing.external_id.is_none() {
            return self.findings.error(&node.path, "a model needs an `assetModelName`");
        }
        gathered.model(patch, self.findings);
    }

    /// What a thing is told by.
    pub(super) fn thing(&mut self, node: &Cursor<'_>, ids: &[&str], external: &[&str], names: &[&str]) -> Thing {
        let given = |members: &[&str]| members.iter().find_map(|name| node.word(name));
        let mut name = given(names).unwrap_or_default();
        if name.chars().count() > MAX_NAME {
            self.findings.warning(&node.path, format!("a name has at most {MAX_NAME} characters; this one is cut"));
            name = name.chars().take(MAX_NAME).collect();
        }
        let (mut id, mut external_id) = (given(ids), given(external));
        if let Some(prefixed) = id.as_deref().and_then(|id| id.strip_prefix("externalId:")).map(str::to_owned) {
            external_id.get_or_insert(prefixed);
            id = None;
        }
        Thing {
            id: id.map(|id| normal(&id)),
            external_id,
            logical_id: node.word("logicalId"),
            name,
            at: self.place(node),
            ..Thing::default()
        }
    }

    pub(super) fn tags(&mut self, node: &Cursor<'_>, what: &str) {
        let Some(tags) = node.member("tags") else { return };
        let count = tags.value.as_object().map_or_else(|| tags.value.as_array().map_or(0, Vec::len), serde_json::Map::len);
        if count > 0 {
            self.findings.not_carried(
                &tags.path,
                format!("{what} has tags: they serve AWS's billing and access rules, and a plant file has none"),
            );
        }
    }

    pub(super) fn property(&mut self, node: &Cursor<'_>) -> Option<Property> {
        let thing = self.thing(node, &["id"], &["externalId"], &["name"]);
        let what = format!("the property {}", thing.name);
        if thing.name.is_empty() {
            self.findings.error(&node.path, "a property needs a `name`");
            return None;
        }
        self.unknown(node, &what, &PROPERTY);
        let data_type = match node.word("dataType").as_deref() {
            Some("DOUBLE") => DataType::Double,
            Some("INTEGER") => DataType::Integer,
            Some("BOOLEAN") => DataType::Boolean,
            Some("STRING") => DataType::String,
            Some(other @ ("STRUCT" | "JSON")) => {
                let message = format!(
                    "{what} is {other}: its values are kept as the JSON text they are, and formulas read them with jp(…)"
                );
                self.findings.not_carried(&node.path, message);
                DataType::Struct
            }
            Some(other @ ("VIDEO" | "ANNOTATION")) => {
                self.findings
                    .not_carried(&node.path, format!("{what} is {other}: Andon keeps numbers, truth values and texts"));
                return None;
            }
            Some(other) => {
                self.findings.error(
                    &node.path,
                    format!("{what} has the unknown data type `{other}`: DOUBLE, INTEGER, BOOLEAN or STRING"),
                );
                return None;
            }
            None => DataType::Double,
        };
        let kind = self.kind(node, &what)?;
        Some(Property { thing, data_type, unit: node.word("unit").unwrap_or_default(), kind })
    }

    fn kind(&mut self, node: &Cursor<'_>, what: &str) -> Option<Kind> {
        let Some(declared) = node.member("type") else {
            self.findings.error(
                &node.path,
                format!("{what} does not say what it is: `type` with attribute, measurement, transform or metric"),
            );
            return None;
        };
        if let Some(attribute) = declared.member("attribute") {
            return Some(Kind::Attribute { default: attribute.text("defaultValue") });
        }
        if let Some(measurement) = declared.member("measurement") {
            self.processing(&measurement, what);
            return Some(Kind::Measurement);
        }
        if let Some(transform) = declared.member("transform") {
            self.processing(&transform, what);
            return Some(Kind::Transform { formula: self.formula(&transform, what)? });
        }
        if let Some(metric) = declared.member("metric") {
            self.processing(&metric, what);
            return self.metric(&metric, what);
        }
        // CloudFormation names the kind, and may leave its empty body out.
        match declared.word("typeName").map(|name| name.to_ascii_lowercase()).as_deref() {
            Some("measurement") => Some(Kind::Measurement),
            Some("attribute") => Some(Kind::Attribute { default: None }),
            _ => {
                self.findings.error(&declared.path, format!("{what} is none of attribute, measurement, transform and metric"));
                None
            }
        }
    }

    fn processing(&mut self, node: &Cursor<'_>, what: &str) {
        let Some(config) = node.member("processingConfig") else { return };
        let forwarding = config.member("forwardingConfig").and_then(|config| config.word("state"));
        if config.word("computeLocation").as_deref() == Some("EDGE") || forwarding.as_deref() == Some("DISABLED") {
            self.findings.not_carried(
                &config.path,
                format!("where {what} is computed and forwarded to: here it is computed and kept in one place"),
            );
        }
    }

    fn metric(&mut self, node: &Cursor<'_>, what: &str) -> Option<Kind> {
        let formula = self.formula(node, what)?;
        let tumbling = node.member("window").and_then(|window| window.member("tumbling"));
        let Some(interval) = tumbling.as_ref().and_then(|tumbling| tumbling.text("interval")) else {
            self.findings.error(&node.path, format!("{what} has no window: `window.tumbling.interval`"));
            return None;
        };
        let offset = tumbling.as_ref().and_then(|tumbling| tumbling.text("offset"));
        if let Err(message) = window::read(&interval, offset.as_deref()) {
            self.findings.error(&node.path_of("window"), format!("{what} is left out: {message}"));
            return None;
        }
        Some(Kind::Metric { formula, interval, offset })
    }

    fn formula(&mut self, node: &Cursor<'_>, what: &str) -> Option<Formula> {
        let Some(text) = node.text("expression").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
            self.findings.error(&node.path, format!("{what} has no `expression`"));
            return None;
        };
        if text.len() > MAX_FORMULA {
            self.findings.error(&node.path, format!("the formula of {what} is longer than {MAX_FORMULA} bytes"));
            return None;
        }
        let variables = node.items("variables");
        if variables.len() > MAX_VARIABLES {
            self.findings.error(&node.path, format!("{what} has more than {MAX_VARIABLES} variables"));
            return None;
        }
        let variables = variables.iter().filter_map(|variable| self.variable(variable, what)).collect();
        Some(Formula { text, variables })
    }

    fn variable(&mut self, node: &Cursor<'_>, what: &str) -> Option<Variable> {
        let Some(name) = node.word("name") else {
            self.findings.error(&node.path, format!("a variable of {what} has no `name`"));
            return None;
        };
        let Some(value) = node.member("value") else {
            self.findings.error(&node.path, format!("the variable {name} of {what} has no `value`"));
            return None;
        };
        let property = self.reference(&value, &["propertyId", "propertyLogicalId"], &["propertyExternalId"]);
        let hierarchy = self.reference(&value, &["hierarchyId", "hierarchyLogicalId"], &["hierarchyExternalId"]);
        let segments = value.items("propertyPath");
        let path = segments.iter().filter_map(|segment| {
            if let Some(text) = super::cursor::scalar(segment.value) {
                return Some(Reference { text: normal(&text), by: By::Any, at: self.place(segment) });
            }
            self.reference(segment, &["id", "name", "logicalId"], &["externalId"])
        });
        Some(Variable { name, property, hierarchy, path: path.collect(), at: self.place(&value) })
    }

    fn hierarchy(&mut self, node: &Cursor<'_>) -> Option<Hierarchy> {
        let thing = self.thing(node, &["id"], &["externalId"], &["name"]);
        let child = self.reference(node, &["childAssetModelId"], &["childAssetModelExternalId"]);
        let Some(child) = child.filter(|_| !thing.name.is_empty()) else {
            self.findings.error(&node.path, "a hierarchy needs a `name` and a `childAssetModelId`");
            return None;
        };
        Some(Hierarchy { thing, child })
    }

    fn composite(&mut self, node: &Cursor<'_>) -> Option<Composite> {
        let ids = ["assetModelCompositeModelId", "id"];
        let external = ["assetModelCompositeModelExternalId", "externalId"];
        let mut thing = self.thing(node, &ids, &external, &["assetModelCompositeModelName", "name"]);
        if thing.name.is_empty() {
            self.findings.error(&node.path, "a composite needs a `name`");
            return None;
        }
        thing.description = node.word("assetModelCompositeModelDescription").or_else(|| node.word("description"));
        let what = format!("the composite {}", thing.name);
        self.unknown(node, &what, &COMPOSITE);
        if !node.items("actionDefinitions").is_empty() {
            self.findings.not_carried(
                &node.path,
                format!("{what} has actions of AWS services: write a detector that does what they did"),
            );
        }
        let lists = ["properties", "compositeModelProperties", "assetModelCompositeModelProperties"];
        let properties = lists.iter().flat_map(|name| node.items(name)).collect::<Vec<_>>();
        if properties.len() > MAX_PROPERTIES {
            self.findings.error(&node.path, format!("{what} has more than {MAX_PROPERTIES} properties"));
            return None;
        }
        let composition = node.member("compositionDetails").map(|details| details.items("compositionRelationship"));
        let composed = composition.unwrap_or_default().first().and_then(|relation| self.reference(relation, &["id"], &[]));
        Some(Composite {
            composite_type: node
                .word("assetModelCompositeModelType")
                .or_else(|| node.word("type"))
                .unwrap_or_else(|| "CUSTOM".into()),
            properties: properties.iter().filter_map(|property| self.property(property)).collect(),
            parent: self
                .reference(node, &["parentAssetModelCompositeModelId"], &["parentAssetModelCompositeModelExternalId"])
                .or_else(|| self.parent_by_path(node, &thing)),
            component: self.reference(node, &["composedAssetModelId"], &["composedAssetModelExternalId"]).or(composed),
            thing,
        })
    }

    /// The last segment of a composite's path that is not the composite itself.
    fn parent_by_path(&mut self, node: &Cursor<'_>, own: &Thing) -> Option<Reference> {
        let lists = ["assetModelCompositeModelPath", "path"];
        let segments = lists.iter().flat_map(|name| node.items(name)).collect::<Vec<_>>();
        let references: Vec<Reference> = segments
            .iter()
            .filter_map(|segment| match super::cursor::scalar(segment.value) {
                Some(text) => Some(Reference { text: normal(&text), by: By::Any, at: self.place(segment) }),
                None => self.reference(segment, &["id", "name"], &[]),
            })
            .collect();
        references.into_iter().rev().find(|segment| own.id.as_deref() != Some(&segment.text) && own.name != segment.text)
    }

    /// A composite on its own: a create request or a describe answer.
    pub(super) fn composite_of_model(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let Some(model) = self.reference(node, &["assetModelId"], &["assetModelExternalId"]) else {
            return self.findings.error(&node.path, "a composite on its own needs the `assetModelId` of its model");
        };
        let Some(composite) = self.composite(node) else { return };
        let named = node.items("assetModelCompositeModelSummaries").iter().filter_map(|item| self.composite(item)).collect();
        gathered.composite(&model, composite, named, self.findings);
    }

    fn interface_detail(&mut self, node: &Cursor<'_>) -> Option<Interface> {
        let interface =
            self.reference(node, &["interfaceAssetModelId", "id"], &["interfaceAssetModelExternalId", "externalId"])?;
        let pairs = node.items("propertyMappings").into_iter().chain(node.items("overrides"));
        let pairs = pairs.collect::<Vec<_>>();
        let properties = pairs.iter().filter_map(|pair| {
            let theirs =
                self.reference(pair, &["interfaceAssetModelPropertyId"], &["interfaceAssetModelPropertyExternalId"])?;
            Some((theirs, self.reference(pair, &["assetModelPropertyId"], &["assetModelPropertyExternalId"])?))
        });
        Some(Interface { interface, properties: properties.collect(), by_name: false })
    }

    /// `PutAssetModelInterfaceRelationship`.
    pub(super) fn interface(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let Some(model) = self.reference(node, &["assetModelId"], &["assetModelExternalId"]) else {
            return self.findings.error(&node.path, "an interface relationship needs an `assetModelId`");
        };
        let config = node.member("propertyMappingConfiguration");
        let flag = |name: &str| config.as_ref().and_then(|config| config.text(name)).as_deref() == Some("true");
        let (by_name, create) = (flag("matchByPropertyName"), flag("createMissingProperty"));
        let mut interface = self.interface_detail(node);
        if let (Some(interface), Some(config)) = (&mut interface, &config) {
            interface.by_name = by_name;
            for pair in config.items("overrides") {
                let theirs = self.reference(&pair, &["interfaceAssetModelPropertyId"], &[]);
                if let (Some(theirs), Some(own)) = (theirs, self.reference(&pair, &["assetModelPropertyId"], &[])) {
                    interface.properties.push((theirs, own));
                }
            }
        }
        if create {
            let message =
                "`createMissingProperty` made properties in AWS: import the model's description from there to have them";
            self.findings.not_carried(&node.path, message);
        }
        if let Some(interface) = interface {
            gathered.interface(&model, interface, self.findings);
        }
    }
}
