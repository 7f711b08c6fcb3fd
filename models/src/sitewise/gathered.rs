//! What several files say, put together in their order: later ones build on, move and rename what earlier ones made.

mod index;
mod merge;

use super::{
    MAX_ASSETS, MAX_MODELS, names,
    parts::{Asset, AssetProperty, Child, Composite, Interface, Link, Model, ModelPatch},
    thing::Reference,
};
use crate::import::Findings;
use index::Index;
use std::collections::{HashMap, HashSet};

/// Models and assets of all files so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub models: Vec<Model>,
    pub assets: Vec<Asset>,
    model_index: Index,
    asset_index: Index,
    /// What names something that no file has made yet.
    waiting: Vec<Waiting>,
    /// Where the assets that this file moves or renames stood before it.
    before: HashMap<usize, Before>,
    /// How many assets there were before this file.
    known_before: usize,
}

/// Where an asset stood before a file.
#[derive(Debug)]
struct Before {
    /// By the names its id derives from.
    identity: String,
    parent: Option<usize>,
    name: String,
}

/// Something about a model or an asset that is not there yet.
#[derive(Debug)]
enum Waiting {
    Place { child: Reference, parent: Parent, hierarchy: Option<Reference> },
    Property { asset: Reference, property: AssetProperty },
    Composite { model: Reference, composite: Box<Composite>, named: Vec<Composite> },
    Interface { model: Reference, interface: Interface },
}

#[derive(Debug)]
enum Parent {
    Known(usize),
    Named(Reference),
}

impl Gathered {
    /// Takes what a file says of a model.
    pub fn model(&mut self, patch: ModelPatch, findings: &mut Findings) {
        let path = patch.thing.at.path.clone();
        if let Some(known) = self.model_index.same(&patch.thing, |index| &self.models[index].thing) {
            self.model_index.add(&patch.thing, known);
            return merge::model(&mut self.models[known], patch, findings);
        }
        if self.models.len() >= MAX_MODELS {
            return findings.error(&path, format!("these are more than {MAX_MODELS} models"));
        }
        if patch.thing.name.is_empty() {
            return findings.error(&path, "this changes a model that no file before it makes");
        }
        self.model_index.add(&patch.thing, self.models.len());
        let mut model = Model { thing: patch.thing.clone(), ..Model::default() };
        merge::model(&mut model, patch, findings);
        self.models.push(model);
    }

    /// Takes what a file says of an asset.
    pub fn asset(&mut self, asset: Asset, children: Vec<Child>, findings: &mut Findings) {
        let path = asset.thing.at.path.clone();
        let known = self.asset_index.same(&asset.thing, |index| &self.assets[index].thing);
        let position = known.unwrap_or(self.assets.len());
        if known.is_none() && (self.assets.len() >= MAX_ASSETS || asset.thing.name.is_empty()) {
            let message = match asset.thing.name.is_empty() {
                true => "this changes an asset that no file before it makes".to_owned(),
                false => format!("these are more than {MAX_ASSETS} assets"),
            };
            return findings.error(&path, message);
        }
        self.asset_index.add(&asset.thing, position);
        match known {
            Some(position) => {
                self.remember(position);
                merge::asset(&mut self.assets[position], asset);
            }
            None => self.assets.push(asset),
        }
        for Child { hierarchy, child } in children {
            self.waiting.push(Waiting::Place { child, parent: Parent::Known(position), hierarchy });
        }
    }

    /// Hangs an asset under another.
    pub fn associate(&mut self, child: Reference, link: Link) {
        let Link { parent, hierarchy } = link;
        self.waiting.push(Waiting::Place { child, parent: Parent::Named(parent), hierarchy });
    }

    /// Takes what an asset has of its own for a property.
    pub fn own_property(&mut self, asset: &Reference, property: AssetProperty, findings: &mut Findings) {
        self.wait(Waiting::Property { asset: asset.clone(), property }, findings);
    }

    /// Takes a composite of a model.
    pub fn composite(&mut self, model: &Reference, composite: Composite, named: Vec<Composite>, findings: &mut Findings) {
        self.wait(Waiting::Composite { model: model.clone(), composite: Box::new(composite), named }, findings);
    }

    /// Takes an interface that a model fulfils.
    pub fn interface(&mut self, model: &Reference, interface: Interface, findings: &mut Findings) {
        self.wait(Waiting::Interface { model: model.clone(), interface }, findings);
    }

    fn wait(&mut self, waiting: Waiting, findings: &mut Findings) {
        if let Some(waiting) = self.settle(waiting, findings) {
            self.waiting.push(waiting);
        }
    }

    /// The model a reference means.
    pub fn find_model(&self, reference: &Reference) -> Option<usize> {
        self.model_index.find(reference, |index| &self.models[index].thing)
    }

    /// The asset a reference means.
    pub fn find_asset(&self, reference: &Reference) -> Option<usize> {
        self.asset_index.find(reference, |index| &self.assets[index].thing)
    }

    /// Begins a file.
    pub fn begin_file(&mut self) {
        self.before.clear();
        self.known_before = self.assets.len();
    }

    /// Remembers where an asset stands, before the file says something else of it.
    fn remember(&mut self, index: usize) {
        if index < self.known_before && !self.before.contains_key(&index) {
            let asset = &self.assets[index];
            let parent = asset.parent.as_ref().map(|(parent, _)| *parent);
            let before = Before { identity: self.path(index, &self.before), parent, name: asset.thing.name.clone() };
            self.before.insert(index, before);
        }
    }

    /// Ends a file: what was said of things that came later in it finds them now, and what moved keeps its former path.
    pub fn end_of_file(&mut self, findings: &mut Findings) {
        for waiting in std::mem::take(&mut self.waiting) {
            if let Some(waiting) = self.settle(waiting, findings) {
                self.waiting.push(waiting);
            }
        }
        for (index, Before { identity, parent, name }) in std::mem::take(&mut self.before) {
            let asset = &mut self.assets[index];
            let moved = parent.is_some() && asset.parent.as_ref().map(|(parent, _)| *parent) != parent;
            if (moved || asset.thing.name != name) && asset.first_path.is_none() {
                asset.first_path = Some(identity);
            }
        }
    }

    /// Names what still waits: no file has made what it is about.
    pub fn finish(&mut self, findings: &mut Findings) {
        for waiting in std::mem::take(&mut self.waiting) {
            let Some(waiting) = self.settle(waiting, findings) else { continue };
            let (what, reference) = match &waiting {
                Waiting::Place { child, parent: Parent::Named(parent), .. } if self.find_asset(child).is_some() => {
                    ("asset", parent)
                }
                Waiting::Place { child, .. } => ("asset", child),
                Waiting::Property { asset, .. } => ("asset", asset),
                Waiting::Composite { model, .. } | Waiting::Interface { model, .. } => ("model", model),
            };
            let message = format!("no file makes the {what} `{}`: import its description too", reference.text);
            findings.turn_to(reference.at.file);
            findings.error(&reference.at.path, message);
        }
    }

    /// Does what can be done now; gives back what must wait.
    fn settle(&mut self, waiting: Waiting, findings: &mut Findings) -> Option<Waiting> {
        match waiting {
            Waiting::Place { child, parent, hierarchy } => {
                let found = match &parent {
                    Parent::Known(parent) => Some(*parent),
                    Parent::Named(reference) => self.find_asset(reference),
                };
                let (Some(position), Some(above)) = (self.find_asset(&child), found) else {
                    return Some(Waiting::Place { child, parent, hierarchy });
                };
                self.place(position, above, hierarchy, &child, findings);
            }
            Waiting::Property { asset, property } => match self.find_asset(&asset) {
                Some(position) => merge::own_property(&mut self.assets[position], property),
                None => return Some(Waiting::Property { asset, property }),
            },
            Waiting::Composite { model, composite, named } => match self.find_model(&model) {
                Some(position) => {
                    let model = &mut self.models[position];
                    merge::composite(model, *composite, findings);
                    named.into_iter().for_each(|composite| merge::composite(model, composite, findings));
                }
                None => return Some(Waiting::Composite { model, composite, named }),
            },
            Waiting::Interface { model, interface } => match self.find_model(&model) {
                Some(position) => self.models[position].interfaces.push(interface),
                None => return Some(Waiting::Interface { model, interface }),
            },
        }
        None
    }

    fn place(
        &mut self,
        child: usize,
        above: usize,
        hierarchy: Option<Reference>,
        reference: &Reference,
        findings: &mut Findings,
    ) {
        let mut seen = HashSet::new();
        let mut next = Some(above);
        while let Some(index) = next {
            if index == child || !seen.insert(index) {
                let (child, above) = (&self.assets[child].thing.name, &self.assets[above].thing.name);
                return findings.error(&reference.at.path, format!("{child} cannot hang under {above}, which hangs under it"));
            }
            next = self.assets[index].parent.as_ref().map(|(parent, _)| *parent);
        }
        self.remember(child);
        self.assets[child].parent = Some((above, hierarchy));
    }

    /// The path an asset's id derives from: the first it had.
    pub fn identity(&self, index: usize) -> String {
        self.path(index, &HashMap::new())
    }

    /// The same, as it was where that is remembered.
    fn path(&self, index: usize, before: &HashMap<usize, Before>) -> String {
        let mut parts = Vec::new();
        let mut next = Some(index);
        // Placing refuses circles, so this ends.
        while let Some(index) = next {
            let asset = &self.assets[index];
            if let Some(first) = before.get(&index).map(|before| &before.identity).or(asset.first_path.as_ref()) {
                parts.push(first.clone());
                break;
            }
            parts.push(names::asset(&asset.thing.name, &mut HashSet::new()));
            next = asset.parent.as_ref().map(|(parent, _)| *parent);
        }
        parts.reverse();
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sitewise::Reader;
    use serde_json::{Value, json};

    fn add(gathered: &mut Gathered, document: &Value) {
        let mut findings = Findings::default();
        gathered.begin_file();
        Reader::new(&mut findings, 0, false).document(document, "$", gathered);
    }

    #[test]
    fn only_what_a_file_moves_or_renames_is_remembered_where_it_stood() {
        let mut gathered = Gathered::default();
        let asset = |id: &str, name: &str| json!({ "assetExternalId": id, "assetName": name, "assetModelExternalId": "m" });
        let child = |id: &str| json!({ "externalId": id, "hierarchyExternalId": "h" });
        let with = |id: &str, name: &str, children: &[&str]| {
            let children: Vec<Value> = children.iter().map(|id| child(id)).collect();
            let mut asset = asset(id, name);
            asset["assetHierarchies"] = children
                .into_iter()
                .map(|mut child| {
                    child["childAssetExternalId"] = child["externalId"].take();
                    child["externalId"] = child["hierarchyExternalId"].take();
                    child
                })
                .collect();
            asset
        };
        let many: Vec<Value> = (0..50).map(|n| asset(&format!("a{n}"), &format!("A {n}"))).collect();
        let mut first = many.clone();
        first.push(with("line", "Line", &["a0", "a1"]));
        add(&mut gathered, &json!({ "assets": first }));
        gathered.end_of_file(&mut Findings::default());
        let index =
            |gathered: &Gathered, name: &str| gathered.assets.iter().position(|asset| asset.thing.name == name).unwrap();
        assert_eq!(gathered.identity(index(&gathered, "A 0")), "Line/A 0");
        // The line gets another name, and one of its machines too.
        add(&mut gathered, &json!({ "assets": [with("line", "Line B", &["a0", "a1"]), asset("a0", "First")] }));
        assert!(gathered.before.len() <= 3, "{:?}", gathered.before);
        gathered.end_of_file(&mut Findings::default());
        assert_eq!(gathered.identity(index(&gathered, "First")), "Line/A 0");
        assert_eq!(gathered.identity(index(&gathered, "A 1")), "Line/A 1");
    }
}
