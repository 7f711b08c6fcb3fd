//! Properties of a model with those of its composites and components written out, each with its key in the plant file.

use super::{
    MAX_COMPOSITE_DEPTH, MAX_PROPERTIES,
    gathered::Gathered,
    names,
    parts::{Composite, Model, Property},
    thing::{By, Reference, Thing, find, find_inside},
};
use crate::{definition::ModelKind, import::Findings};
use std::collections::HashSet;

/// A model as it stands in the plant file.
pub(super) struct FlatModel<'g> {
    pub model: &'g Model,
    pub key: String,
    pub was: Option<String>,
    pub properties: Vec<Flat<'g>>,
    pub composites: Vec<FlatComposite<'g>>,
    /// Keys of its hierarchies, in their order.
    pub hierarchies: Vec<String>,
}

/// A property in its place.
pub(super) struct Flat<'g> {
    /// What it is told by here; a component's property has another id in each model that is composed of it.
    pub thing: &'g Thing,
    /// What formulas inside the component tell it by.
    pub inner: Option<&'g Thing>,
    pub body: &'g Property,
    /// Nothing here has given it an id: that of `thing` is the component's own.
    pub borrowed: bool,
    /// By number in [`FlatModel::composites`].
    pub composite: Option<usize>,
    pub key: String,
    pub was: Option<String>,
}

/// A composite in its place.
pub(super) struct FlatComposite<'g> {
    pub composite: &'g Composite,
    pub key: String,
    pub parent: Option<usize>,
    /// The component model, by number.
    pub component: Option<usize>,
}

/// Writes out all models.
pub(super) fn flatten<'g>(gathered: &'g Gathered, findings: &mut Findings) -> Vec<FlatModel<'g>> {
    let mut taken = HashSet::new();
    let mut flat = Vec::with_capacity(gathered.models.len());
    for model in &gathered.models {
        let key = names::unique(names::key(&model.thing.name, "model"), &mut taken);
        let was = former(&model.thing, &key, "", "model");
        let mut writer = Writer {
            gathered,
            findings,
            properties: Vec::new(),
            composites: Vec::new(),
            keys: HashSet::new(),
            composite_keys: HashSet::new(),
            full: false,
        };
        writer.model(model, None, &[]);
        let (properties, composites) = (writer.properties, writer.composites);
        let mut hierarchy_keys = HashSet::new();
        let hierarchies = model.hierarchies.iter().map(|hierarchy| {
            let key = names::key(&hierarchy.thing.name, "children");
            // Words of assets have another meaning among an asset's keys.
            let key = if crate::plant_file::is_key_of_assets(&key) { format!("{key}_") } else { key };
            names::unique(key, &mut hierarchy_keys)
        });
        let hierarchies = hierarchies.collect();
        flat.push(FlatModel { model, key, was, properties, composites, hierarchies });
    }
    flat
}

/// The key that a thing had under its first name, if that was another.
fn former(thing: &Thing, key: &str, prefix: &str, otherwise: &str) -> Option<String> {
    let first = thing.former.first()?;
    let first = format!("{prefix}{}", names::key(strip(first), otherwise));
    (first != key).then_some(first)
}

/// `AWS/ALARM_STATE` without what only AWS needs.
fn strip(name: &str) -> &str {
    name.strip_prefix("AWS/").unwrap_or(name)
}

struct Writer<'g, 'f> {
    gathered: &'g Gathered,
    findings: &'f mut Findings,
    properties: Vec<Flat<'g>>,
    composites: Vec<FlatComposite<'g>>,
    keys: HashSet<String>,
    composite_keys: HashSet<String>,
    full: bool,
}

impl<'g> Writer<'g, '_> {
    /// Adds the properties and composites of a model. `inside` is the composite that repeats it, `above` the components on the way.
    fn model(&mut self, model: &'g Model, inside: Option<(usize, &'g [Property])>, above: &[&str]) {
        let (place, own) = inside.map_or((None, &[][..]), |(place, own)| (Some(place), own));
        let mut used = HashSet::new();
        for property in &model.properties {
            // What the composite itself says of the component's property: its id here.
            let reference = |text: &str| Reference { text: text.to_owned(), by: By::Any, at: property.thing.at.clone() };
            let said = place.and_then(|_| find(own.iter().map(|own| &own.thing), &reference(&property.thing.name)));
            used.extend(said);
            match said.map(|index| &own[index]) {
                Some(said) => self.property((&said.thing, false), Some(&property.thing), property, place),
                None if place.is_some() => self.property((&property.thing, true), Some(&property.thing), property, place),
                None => self.property((&property.thing, false), None, property, None),
            }
        }
        for (_, property) in own.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
            self.property((&property.thing, false), None, property, place);
        }
        self.composites_of(model, place, above);
    }

    fn property(
        &mut self,
        (thing, borrowed): (&'g Thing, bool),
        inner: Option<&'g Thing>,
        body: &'g Property,
        composite: Option<usize>,
    ) {
        if self.properties.len() >= MAX_PROPERTIES {
            if !std::mem::replace(&mut self.full, true) {
                self.findings.turn_to(thing.at.file);
                self.findings
                    .error(&thing.at.path, format!("a model has at most {MAX_PROPERTIES} properties; the rest is left out"));
            }
            return;
        }
        let prefix = composite.map_or(String::new(), |composite| format!("{}_", self.composites[composite].key));
        let key = names::key(&format!("{prefix}{}", strip(&body.thing.name)), "property");
        let key = names::unique(key, &mut self.keys);
        let was = former(thing, &key, &prefix, "property");
        self.properties.push(Flat { thing, inner, body, borrowed, composite, key, was });
    }

    fn composites_of(&mut self, model: &'g Model, inside: Option<usize>, above: &[&str]) {
        // A parent is written before its children, in whatever order the file has them.
        let mut places: Vec<Option<usize>> = vec![None; model.composites.len()];
        for _ in 0..MAX_COMPOSITE_DEPTH {
            for (index, composite) in model.composites.iter().enumerate() {
                if places[index].is_some() || self.full {
                    continue;
                }
                let parent = match &composite.parent {
                    None => inside,
                    Some(reference) => {
                        match find(model.composites.iter().map(|other| &other.thing), reference).and_then(|found| places[found])
                        {
                            Some(place) => Some(place),
                            None => continue,
                        }
                    }
                };
                places[index] = Some(self.composite(composite, parent, above));
            }
        }
        for (composite, _) in model.composites.iter().zip(&places).filter(|(_, place)| place.is_none()) {
            let parent = composite.parent.as_ref().map_or("", |parent| &parent.text);
            let message =
                format!("the composite {} is left out: there is no `{parent}` that it could be part of", composite.thing.name);
            self.findings.turn_to(composite.thing.at.file);
            self.findings.error(&composite.thing.at.path, message);
        }
    }

    fn composite(&mut self, composite: &'g Composite, parent: Option<usize>, above: &[&str]) -> usize {
        let prefix = parent.map_or(String::new(), |parent| format!("{}_", self.composites[parent].key));
        let key = names::key(&format!("{prefix}{}", composite.thing.name), "composite");
        let key = names::unique(key, &mut self.composite_keys);
        let component = self.component(composite, above);
        let place = self.composites.len();
        self.composites.push(FlatComposite { composite, key, parent, component });
        match component {
            Some(component) => {
                let model = &self.gathered.models[component];
                let above: Vec<&str> = above.iter().copied().chain([model.thing.name.as_str()]).collect();
                self.model(model, Some((place, &composite.properties)), &above);
            }
            None => {
                for property in &composite.properties {
                    self.property((&property.thing, false), None, property, Some(place));
                }
            }
        }
        place
    }

    /// The component that a composite repeats, if it can be written out.
    fn component(&mut self, composite: &'g Composite, above: &[&str]) -> Option<usize> {
        let reference = composite.component.as_ref()?;
        let what = format!("the composite {}", composite.thing.name);
        self.findings.turn_to(reference.at.file);
        let Some(found) = self.gathered.find_model(reference) else {
            let message = format!("{what} repeats the component `{}`, which no file makes", reference.text);
            match composite.properties.is_empty() {
                true => self.findings.error(&reference.at.path, format!("{message}: import its description too")),
                false => {
                    self.findings.warning(&reference.at.path, format!("{message}; the properties given with it are taken"))
                }
            }
            return None;
        };
        let model = &self.gathered.models[found];
        if model.kind != ModelKind::Component {
            self.findings
                .error(&reference.at.path, format!("{what} repeats {}, which is no component model", model.thing.name));
            return None;
        }
        if above.len() >= MAX_COMPOSITE_DEPTH || above.contains(&model.thing.name.as_str()) {
            let way = above.iter().copied().chain([model.thing.name.as_str()]).collect::<Vec<_>>().join(" → ");
            self.findings.error(&reference.at.path, format!("{what} is left out: its components contain one another, {way}"));
            return None;
        }
        Some(found)
    }
}

impl FlatModel<'_> {
    /// The property that a reference means, seen from a composite: its own first, then those around it.
    pub fn find(&self, reference: &Reference, from: Option<usize>) -> Option<usize> {
        let mut scope = Some(from);
        while let Some(place) = scope {
            if let Some(found) = self.find_in(reference, place) {
                return Some(found);
            }
            scope = place.map(|place| self.composites[place].parent);
        }
        // An id says enough anywhere.
        let all = self.properties.iter().enumerate();
        let mut fits = all.filter(|(_, flat)| fit(flat, reference).is_some_and(|fit| fit <= 1));
        fits.next().map(|(index, _)| index)
    }

    /// The property whose name stands inside a reference that names nothing.
    pub fn find_inside(&self, reference: &Reference) -> Option<usize> {
        find_inside(self.properties.iter().map(|flat| flat.thing), reference)
    }

    fn find_in(&self, reference: &Reference, place: Option<usize>) -> Option<usize> {
        let here = self.properties.iter().enumerate().filter(|(_, flat)| flat.composite == place);
        here.filter_map(|(index, flat)| Some((fit(flat, reference)?, index))).min().map(|(_, index)| index)
    }

    /// The property at the end of a way through composites.
    pub fn find_path(&self, path: &[Reference], from: Option<usize>) -> Option<usize> {
        let (last, way) = path.split_last()?;
        let mut start = Some(from);
        while let Some(from) = start {
            let mut place = from;
            let mut found = true;
            for step in way {
                let inside = self.composites.iter().enumerate().filter(|(_, composite)| composite.parent == place);
                let fits = inside.filter_map(|(index, composite)| Some((composite.composite.thing.fit(step)?, index)));
                let next = fits.min().map(|(_, index)| index);
                // The first step may be the asset model itself.
                found &= next.is_some() || self.model.thing.fit(step).is_some();
                place = next.or(place);
            }
            if let Some(index) = self.find_in(last, place).filter(|_| found) {
                return Some(index);
            }
            start = from.map(|from| self.composites[from].parent);
        }
        self.find(last, from).filter(|_| way.is_empty())
    }
}

fn fit(flat: &Flat<'_>, reference: &Reference) -> Option<u8> {
    flat.thing.fit(reference).into_iter().chain(flat.inner.and_then(|inner| inner.fit(reference))).min()
}
