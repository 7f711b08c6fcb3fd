//! Documents of SiteWise, member by member: requests, answers, bulk files, and CloudFormation's properties in small letters.

mod asset;
mod cursor;
mod model;

use super::{
    gathered::Gathered,
    parts::Link,
    thing::{By, Reference},
};
use crate::import::Findings;
use cursor::Cursor;
use serde_json::Value;

/// Reads the documents of one file.
pub(crate) struct Reader<'f> {
    findings: &'f mut Findings,
    file: usize,
    capitals: bool,
}

impl<'f> Reader<'f> {
    /// `capitals` says that the file's members begin with capitals; the documents given are in small letters all the same.
    pub fn new(findings: &'f mut Findings, file: usize, capitals: bool) -> Self {
        Self { findings, file, capitals }
    }

    /// Reads one document that [`crate::import::Kind`] took for one of SiteWise.
    pub fn document(&mut self, document: &Value, path: &str, gathered: &mut Gathered) {
        let node = Cursor::new(document, path, self.capitals);
        if node.has("assetModels") || node.has("assets") {
            self.bulk(&node, gathered);
        } else if node.has("assetModelSummaries") {
            self.findings
                .not_carried(path, "a list of models has only their names: import the answers of describe-asset-model");
        } else if node.has("assetSummaries") {
            for summary in node.items("assetSummaries") {
                self.asset_summary(&summary, gathered);
            }
        } else if node.has("assetRelationshipSummaries") {
            for summary in node.items("assetRelationshipSummaries") {
                self.relationship(&summary, gathered);
            }
        } else if node.has("assetModelPropertySummaries") || node.has("assetPropertySummaries") {
            let message = "a list of properties does not say whose they are: import the answers of describe-asset-model or describe-asset";
            self.findings.not_carried(path, message);
        } else if node.has("assetModelCompositeModelSummaries")
            && !node.has("assetModelName")
            && !node.has("assetModelCompositeModelName")
        {
            let message =
                "a list of composites has only their names: import the answers of describe-asset-model-composite-model";
            self.findings.not_carried(path, message);
        } else if node.has("interfaceAssetModelId") {
            self.interface(&node, gathered);
        } else if node.has("assetModelCompositeModelName") || node.has("assetModelCompositeModelProperties") {
            self.composite_of_model(&node, gathered);
        } else if node.has("assetModelName") || node.has("assetModelProperties") {
            self.model(&node, gathered);
        } else if node.has("childAssetId") || node.has("childAssetExternalId") {
            self.association(&node, gathered);
        } else if node.has("assetName") && !node.has("assetProperty") {
            self.asset(&node, gathered);
        } else if node.has("entries") {
            self.values(&node, gathered);
        } else {
            self.asset_property(&node, gathered);
        }
    }

    fn bulk(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        for model in node.items("assetModels") {
            self.model(&model, gathered);
        }
        for asset in node.items("assets") {
            self.asset(&asset, gathered);
        }
    }

    /// `AssociateAssets`: parent, hierarchy, child.
    fn association(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let parent = self.reference(node, &["assetId", "parentAssetId"], &["assetExternalId"]);
        let hierarchy = self.reference(node, &["hierarchyId"], &["hierarchyExternalId"]);
        let child = self.reference(node, &["childAssetId"], &["childAssetExternalId"]);
        let (Some(parent), Some(child)) = (parent, child) else {
            return self.findings.error(&node.path, "an association needs `assetId`, `hierarchyId` and `childAssetId`");
        };
        gathered.associate(child, Link { parent, hierarchy });
    }

    fn relationship(&mut self, node: &Cursor<'_>, gathered: &mut Gathered) {
        let Some(info) = node.member("hierarchyInfo") else { return };
        let parent = self.reference(&info, &["parentAssetId"], &[]);
        let child = self.reference(&info, &["childAssetId"], &[]);
        if let (Some(parent), Some(child)) = (parent, child) {
            gathered.associate(child, Link { parent, hierarchy: None });
        }
    }

    /// A reference from the first of some members there is. `externalId:` before an id says by what it is meant.
    fn reference(&mut self, node: &Cursor<'_>, any: &[&str], external: &[&str]) -> Option<Reference> {
        let given = |names: &[&str]| names.iter().find_map(|name| node.text(name));
        let (text, by) = match given(any) {
            Some(text) => match text.strip_prefix("externalId:") {
                Some(external) => (external.to_owned(), By::ExternalId),
                None => (text, By::Any),
            },
            None => (given(external)?, By::ExternalId),
        };
        Some(Reference { text: normal(text.trim()), by, at: self.place(node) })
    }

    fn place(&self, node: &Cursor<'_>) -> super::thing::Place {
        super::thing::Place { file: self.file, path: node.path.clone() }
    }

    /// Names members that nothing is made of.
    fn unknown(&mut self, node: &Cursor<'_>, what: &str, known: &[&str]) {
        for name in node.names().filter(|name| !known.contains(name) && !UNIMPORTANT.contains(name)) {
            self.findings.warning(&node.path_of(name), format!("`{name}` of {what} is not known here and not carried over"));
        }
    }
}

/// Members of answers and requests that say nothing about the plant.
const UNIMPORTANT: [&str; 24] = [
    "clientToken",
    "assetModelArn",
    "assetArn",
    "arn",
    "assetModelCreationDate",
    "assetModelLastUpdateDate",
    "assetCreationDate",
    "assetLastUpdateDate",
    "assetModelStatus",
    "assetStatus",
    "assetModelVersion",
    "eTag",
    "ResponseMetadata",
    "responseMetadata",
    "creationDate",
    "lastUpdateDate",
    "status",
    "version",
    "$schema",
    "nextToken",
    "ifMatch",
    "ifNoneMatch",
    "matchForVersionType",
    "logicalId",
];

/// Ids compare in small letters; everything else as it is.
fn normal(text: &str) -> String {
    uuid::Uuid::parse_str(text).map_or_else(|_| text.to_owned(), |id| id.to_string())
}
