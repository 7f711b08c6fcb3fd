//! The catalog of a running plant: every series and tag with its number, and who feeds whom.
//!
//! Series numbers are kept for ever in a directory, so history stays readable when the definition changes; tag numbers are dense
//! and valid for one catalog only.

use crate::{
    AssetId, PropertyId, SeriesId, TagId,
    address::Address,
    definition::{AssetIndex, Binding, Plant, Property, PropertyIndex, PropertyKind, Scaling},
    expression::Reference,
    value::{Value, ValueType},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Series numbers by asset and property. The caller keeps it on disk.
#[derive(Clone, Debug, Default)]
pub struct SeriesDirectory {
    numbers: HashMap<(AssetId, PropertyId), SeriesId>,
    next: u32,
}

/// All series and tags of a plant.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The plant it was built from.
    pub plant: Arc<Plant>,
    series: Vec<SeriesEntry>,
    /// One more than the position in `series`, by number; 0 where the number is of an earlier definition.
    by_number: Vec<u32>,
    by_property: HashMap<(AssetIndex, PropertyIndex), SeriesId>,
    by_control: HashMap<(AssetIndex, Arc<str>), ControlPoint>,
    tags: Vec<Tag>,
}

/// One series and what it is the history of.
#[derive(Clone, Debug)]
pub struct SeriesEntry {
    /// Its number.
    pub id: SeriesId,
    /// The asset.
    pub asset: AssetIndex,
    /// The property; none for the history of a control.
    pub property: Option<PropertyIndex>,
    /// Key of the property, or name of the control.
    pub key: Arc<str>,
    /// The type of its values.
    pub value_type: ValueType,
    /// The tag that feeds it, if it comes from a device.
    pub tag: Option<TagId>,
}

/// One bound point of a source.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Its number.
    pub id: TagId,
    /// The source's name.
    pub source: Arc<str>,
    /// The address in the source.
    pub address: Address,
    /// The series it feeds.
    pub series: SeriesId,
    /// The asset it belongs to.
    pub asset: AssetIndex,
    /// The type of its values.
    pub value_type: ValueType,
    /// Conversion of raw numbers.
    pub scaling: Scaling,
    /// Silent longer than this, it turns Uncertain.
    pub stale: Option<Duration>,
    /// Whether it is read; a control's tag is only written and read back.
    pub read: bool,
    /// For a control: where its value shows, if not where it is written.
    pub feedback: Option<Address>,
}

/// The point behind a control of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPoint {
    /// The tag to write.
    pub tag: TagId,
    /// The series of its verified values.
    pub series: SeriesId,
}

impl SeriesDirectory {
    /// Restores a directory from its stored entries.
    pub fn restore(entries: impl IntoIterator<Item = (AssetId, PropertyId, SeriesId)>) -> Self {
        let numbers: HashMap<_, _> = entries.into_iter().map(|(asset, property, series)| ((asset, property), series)).collect();
        let next = numbers.values().map(|series| series.0 + 1).max().unwrap_or(0);
        Self { numbers, next }
    }

    /// The number of a series, a new one if it has none.
    pub fn number(&mut self, asset: AssetId, property: PropertyId) -> SeriesId {
        *self.numbers.entry((asset, property)).or_insert_with(|| {
            let number = SeriesId(self.next);
            self.next += 1;
            number
        })
    }

    /// Takes over a number given elsewhere; false if it contradicts one that is known.
    pub fn learn(&mut self, asset: AssetId, property: PropertyId, series: SeriesId) -> bool {
        match self.numbers.get(&(asset, property)) {
            Some(known) => *known == series,
            // Numbers are given upwards without gaps, so one below the next is taken.
            None if series.0 < self.next => false,
            None => {
                self.numbers.insert((asset, property), series);
                self.next = self.next.max(series.0 + 1);
                true
            }
        }
    }

    /// All entries, to be stored.
    pub fn entries(&self) -> impl Iterator<Item = (AssetId, PropertyId, SeriesId)> + '_ {
        self.numbers.iter().map(|((asset, property), series)| (*asset, *property, *series))
    }
}

impl Catalog {
    /// Numbers every property and control of every asset, and binds the tags of those whose slot is filled.
    pub fn build(plant: Arc<Plant>, directory: &mut SeriesDirectory) -> Self {
        let mut catalog = Self {
            plant: plant.clone(),
            series: Vec::new(),
            by_number: Vec::new(),
            by_property: HashMap::new(),
            by_control: HashMap::new(),
            tags: Vec::new(),
        };
        catalog.number_figures_last(directory);
        for index in (0..plant.assets.len()).map(AssetIndex) {
            let model = plant.model_of(index);
            for (position, property) in model.properties.iter().enumerate() {
                catalog.add_property(directory, index, PropertyIndex(position), property);
            }
            for control in &model.controls {
                catalog.add_control(directory, index, control);
            }
        }
        catalog
    }

    /// Files are sorted by these numbers. Figures are few and asked for of many machines at once, so those of all assets lie side by
    /// side in them, apart from what they are computed from.
    fn number_figures_last(&self, directory: &mut SeriesDirectory) {
        let is_figure = |property: &Property| matches!(property.kind, PropertyKind::Metric { .. });
        for figures in [false, true] {
            for (index, asset) in self.plant.assets.iter().enumerate() {
                let properties = self.plant.model_of(AssetIndex(index)).properties.iter();
                for property in properties.filter(|property| is_figure(property) == figures) {
                    directory.number(asset.id, property.id);
                }
            }
        }
    }

    fn add_property(&mut self, directory: &mut SeriesDirectory, asset: AssetIndex, index: PropertyIndex, property: &Property) {
        let id = directory.number(self.plant.assets[asset.0].id, property.id);
        let tag = match &property.kind {
            PropertyKind::Measurement { binding: Some(binding), scaling, .. } => {
                self.add_tag(asset, binding, id, property.value_type, *scaling, property.stale, true)
            }
            _ => None,
        };
        self.by_property.insert((asset, index), id);
        self.add_series(SeriesEntry {
            id,
            asset,
            property: Some(index),
            key: property.key.clone(),
            value_type: property.value_type,
            tag,
        });
    }

    fn add_control(&mut self, directory: &mut SeriesDirectory, asset: AssetIndex, control: &crate::definition::Control) {
        let id = directory.number(self.plant.assets[asset.0].id, control.id);
        let tag = self.add_tag(asset, &control.binding, id, control.value_type, Scaling::default(), None, false);
        if let (Some(_), Some(tag)) = (tag, self.tags.last_mut()) {
            tag.feedback.clone_from(&control.policy.feedback);
        }
        if let Some(tag) = tag {
            self.by_control.insert((asset, control.name.clone()), ControlPoint { tag, series: id });
        }
        self.add_series(SeriesEntry {
            id,
            asset,
            property: None,
            key: control.name.clone(),
            value_type: control.value_type,
            tag,
        });
    }

    fn add_series(&mut self, entry: SeriesEntry) {
        let number = entry.id.0 as usize;
        self.series.push(entry);
        if number >= self.by_number.len() {
            self.by_number.resize(number + 1, 0);
        }
        self.by_number[number] = u32::try_from(self.series.len()).expect("a plant has fewer than 2^32 series");
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one tag, named at the only two call sites")]
    fn add_tag(
        &mut self,
        asset: AssetIndex,
        binding: &Binding,
        series: SeriesId,
        value_type: ValueType,
        scaling: Scaling,
        stale: Option<Duration>,
        read: bool,
    ) -> Option<TagId> {
        let slots = &self.plant.assets[asset.0].slots;
        let source = slots.iter().find(|(slot, _)| *slot == binding.slot)?.1.clone();
        let id = TagId(u32::try_from(self.tags.len()).expect("a plant has fewer than 2^32 tags"));
        let address = binding.address.clone();
        self.tags.push(Tag { id, source, address, series, asset, value_type, scaling, stale, read, feedback: None });
        Some(id)
    }

    /// All series, by asset, properties before controls.
    pub fn series(&self) -> &[SeriesEntry] {
        &self.series
    }

    /// All tags; a tag's number is its position.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// A tag.
    pub fn tag(&self, tag: TagId) -> Option<&Tag> {
        self.tags.get(tag.0 as usize)
    }

    /// What a series is the history of; none when it belongs to an earlier definition.
    pub fn entry(&self, series: SeriesId) -> Option<&SeriesEntry> {
        let position = *self.by_number.get(series.0 as usize)?;
        position.checked_sub(1).map(|position| &self.series[position as usize])
    }

    /// The definition behind a series; none for controls and for series of an earlier definition.
    pub fn property(&self, series: SeriesId) -> Option<&Property> {
        let entry = self.entry(series)?;
        Some(&self.plant.model_of(entry.asset).properties[entry.property?.0])
    }

    /// What an attribute is in the running definition: the asset's own value, else the model's default; none for other series.
    pub fn attribute(&self, series: SeriesId) -> Option<Value> {
        let (entry, property) = (self.entry(series)?, self.property(series)?);
        let PropertyKind::Attribute { default } = &property.kind else { return None };
        let own = self.plant.assets[entry.asset.0].attributes.iter().find(|(name, _)| *name == property.name);
        let value = own.map_or(default, |(_, value)| value).clone();
        Some(value.coerce(property.value_type).unwrap_or(Value::Null))
    }

    /// The series of a property.
    pub fn series_of(&self, asset: AssetIndex, property: PropertyIndex) -> Option<SeriesId> {
        self.by_property.get(&(asset, property)).copied()
    }

    /// The series of a property by key or name.
    pub fn series_named(&self, asset: AssetIndex, name: &str) -> Option<SeriesId> {
        self.series_of(asset, self.plant.model_of(asset).property(name)?)
    }

    /// The point behind a control.
    pub fn control(&self, asset: AssetIndex, name: &str) -> Option<ControlPoint> {
        self.by_control.get(&(asset, Arc::from(name))).copied()
    }

    /// The series a reference reads, seen from an asset: one, or one per child; empty for variables and alarm flags.
    pub fn resolve(&self, asset: AssetIndex, reference: &Reference) -> Vec<SeriesId> {
        let entry = &self.plant.assets[asset.0];
        match reference {
            Reference::Own(name) | Reference::Before(name) => self.series_named(asset, name).into_iter().collect(),
            Reference::Parent(name) => entry.parent.and_then(|parent| self.series_named(parent, name)).into_iter().collect(),
            Reference::Children { hierarchy, property } => {
                let children = entry.children.iter().filter(|(name, _)| name == hierarchy).flat_map(|(_, children)| children);
                children.filter_map(|child| self.series_named(*child, property)).collect()
            }
            Reference::Variable(_) | Reference::Alarm(_) | Reference::Time => Vec::new(),
        }
    }
}
