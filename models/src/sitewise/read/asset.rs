//! Assets: names, aliases, attribute values, children.

use super::{Cursor, Reader};
use crate::sitewise::{
    gathered::Gathered,
    parts::{Asset, AssetProperty, Child},
};

const ASSET: [&str; 17] = [
    "assetName",
    "assetDescription",
    "assetId",
    "assetExternalId",
    "assetModelId",
    "assetModelExternalId",
    "id",
    "externalId",
    "name",
    "description",
    "assetProperties",
    "assetHierarchies",
    "assetCompositeModels",
    "assetCompositeModelSummaries",
    "tags",
    "hierarchies",
    "properties",
];

impl Reader<'_> {
    /// An asset: create and update requests, describe answers, bulk entries, CloudFormation properties.
    pub(super) fn asset(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let mut thing = self.thing(node, &["assetId", "id"], &["assetExternalId", "externalId"], &["assetName", "name"]);
        thing.description = node.word("assetDescription").or_else(|| node.word("description"));
        let what = format!("the asset {}", thing.name);
        self.unknown(node, &what, &ASSET);
        self.tags(node, &what);
        if thing.name.is_empty() && thing.id.is_none() && thing.external_id.is_none() {
            return self.findings.error(&node.path, "an asset needs an `assetName`");
        }
        let mut properties = Vec::new();
        for item in node.items("assetProperties").into_iter().chain(node.items("properties")) {
            properties.extend(self.own_property(&item, &what));
        }
        for composite in node.items("assetCompositeModels") {
            for item in composite.items("properties") {
                properties.extend(self.own_property(&item, &what));
            }
        }
        let mut children = Vec::new();
        for item in node.items("assetHierarchies") {
            let hierarchy = self.reference(&item, &["hierarchyId", "id", "logicalId"], &["hierarchyExternalId", "externalId"]);
            // Answers list hierarchies without children.
            if let Some(child) = self.reference(&item, &["childAssetId"], &["childAssetExternalId"]) {
                children.push(Child { hierarchy, child });
            }
        }
        let model = self.reference(node, &["assetModelId"], &["assetModelExternalId"]);
        let asset = Asset { thing, model, properties, ..Asset::default() };
        gathered.asset(asset, children, self.findings);
    }

    /// An entry of `ListAssets` or `ListAssociatedAssets`.
    pub(super) fn asset_summary(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let mut thing = self.thing(node, &["id", "assetId"], &["externalId"], &["name", "assetName"]);
        thing.description = node.word("description");
        if thing.name.is_empty() {
            return self.findings.error(&node.path, "an asset needs a `name`");
        }
        let model = self.reference(node, &["assetModelId"], &[]);
        gathered.asset(Asset { thing, model, ..Asset::default() }, Vec::new(), self.findings);
    }

    /// What an asset has of its own for a property. A property's path is that of a component's property in the asset.
    fn own_property(&mut self, node: &Cursor<'_>, what: &str) -> Option<AssetProperty> {
        let ids = ["id", "propertyId", "logicalId"];
        let property =
            self.reference(node, &ids, &["externalId", "propertyExternalId"]).or_else(|| self.reference(node, &["name"], &[]));
        let Some(property) = property else {
            self.findings.error(&node.path, format!("a property of {what} has neither `id` nor `externalId`"));
            return None;
        };
        let notification = node.word("propertyNotificationState").or_else(|| node.word("notificationState"));
        let notification = notification.or_else(|| node.member("notification").and_then(|state| state.word("state")));
        if notification.as_deref() == Some("ENABLED") {
            let message = format!(
                "{what} publishes changes of {} by MQTT: here a detector does (`publish`), or programs follow the live stream",
                property.text
            );
            self.findings.not_carried(&node.path, message);
        }
        if node.text("retainDataOnAliasChange").is_some_and(|keep| keep.eq_ignore_ascii_case("false")) {
            let message = format!("data under the former alias of {} is not deleted: history always stays", property.text);
            self.findings.not_carried(&node.path, message);
        }
        Some(AssetProperty {
            property,
            alias: node.word("alias").or_else(|| node.word("propertyAlias")),
            value: node.text("attributeValue"),
            unit: node.word("unit").or_else(|| node.word("propertyUnit")),
        })
    }

    /// `UpdateAssetProperty`, `AssociateTimeSeriesToAssetProperty`, `DescribeTimeSeries`, `DescribeAssetProperty`.
    pub(super) fn asset_property(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let described = node.member("assetProperty");
        let property = match &described {
            Some(described) => self.own_property(described, "the asset"),
            None => {
                let named = self.reference(node, &["propertyId"], &[]).is_some();
                if named { self.own_property_of_request(node) } else { None }
            }
        };
        let asset = self.reference(node, &["assetId"], &["assetExternalId"]);
        let (Some(asset), Some(property)) = (asset, property) else {
            return self
                .findings
                .not_carried(&node.path, "this names no property of an asset, and a plant file has no other place for it");
        };
        gathered.own_property(&asset, property, self.findings);
    }

    fn own_property_of_request(&mut self, node: &Cursor<'_>) -> Option<AssetProperty> {
        let mut property = self.own_property(node, "the asset")?;
        // `id` is not the property's here.
        property.property = self.reference(node, &["propertyId"], &[])?;
        Some(property)
    }

    /// `BatchPutAssetPropertyValue`: attribute values are part of the plant, measured ones are data.
    pub(super) fn values(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        for entry in node.items("entries") {
            let asset = self.reference(&entry, &["assetId"], &[]);
            let property = self.reference(&entry, &["propertyId"], &[]);
            let (Some(asset), Some(property)) = (asset, property) else {
                self.findings.not_carried(
                    &entry.path,
                    "values by alias are data: import them as CSV or Parquet, or write them over HTTP",
                );
                continue;
            };
            let last = entry.items("propertyValues").pop().and_then(|value| value.member("value"));
            let value = last.and_then(|value| {
                ["stringValue", "integerValue", "doubleValue", "booleanValue"].iter().find_map(|kind| value.text(kind))
            });
            let own = AssetProperty { property, alias: None, value, unit: None };
            gathered.own_property(&asset, own, self.findings);
        }
    }
}
