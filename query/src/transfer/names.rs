//! Which series a name in a file means.

use crate::directory::{Directory, SeriesRow};
use andon_models::{SeriesId, ValueType, expression::nearest};
use std::{collections::HashMap, sync::Arc};

/// Names that are remembered as unknown with their message; beyond it, a name is said to be unknown without a suggestion.
const MAX_UNKNOWN: usize = 1_000;

/// A series that values can be brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number.
    pub series: SeriesId,
    /// The type of its values.
    pub value_type: ValueType,
}

type Properties = HashMap<Arc<str>, Target>;

/// The names of all series of a data folder.
#[derive(Debug, Default)]
pub struct Names {
    assets: HashMap<Arc<str>, Properties>,
    by_series: HashMap<SeriesId, Arc<str>>,
}

impl Names {
    pub(crate) fn of(directory: &Directory) -> Self {
        let mut names = Self::default();
        for (number, row) in &directory.series {
            names.add(SeriesId(*number), row);
        }
        names
    }

    fn add(&mut self, series: SeriesId, row: &SeriesRow) {
        let target = Target { series, value_type: row.value_type };
        self.assets.entry(row.asset.clone()).or_default().insert(row.property.clone(), target);
        self.by_series.insert(series, row.alias().into());
    }

    /// Whether no series is known: no plant was ever run here.
    pub fn is_empty(&self) -> bool {
        self.assets.is_empty()
    }

    /// How many series are known.
    pub fn len(&self) -> usize {
        self.by_series.len()
    }

    /// The name of a series, as `/Line 2/Filler 2/fill_temp`.
    pub fn alias_of(&self, series: SeriesId) -> Option<&str> {
        self.by_series.get(&series).map(|alias| &**alias)
    }

    /// The series of a property of an asset.
    pub fn property(&self, asset: &str, property: &str) -> Option<Target> {
        self.assets.get(asset)?.get(property).copied()
    }

    /// The series of an alias.
    pub fn alias(&self, alias: &str) -> Option<Target> {
        let (asset, property) = split_alias(alias)?;
        self.property(asset, property)
    }

    /// Why a property of an asset is unknown, and what may have been meant.
    fn unknown(&self, asset: &str, property: &str) -> String {
        let Some(properties) = self.assets.get(asset) else {
            let near = nearest(asset, self.assets.keys().map(|name| &**name));
            return format!("there is no asset `{asset}`{}", meant(near));
        };
        let near = nearest(property, properties.keys().map(|name| &**name));
        format!("`{asset}` has no property `{property}`{}", meant(near))
    }
}

fn meant(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Asset and property of `/Line 2/Filler 2/fill_temp`.
fn split_alias(alias: &str) -> Option<(&str, &str)> {
    alias.strip_prefix('/').unwrap_or(alias).rsplit_once('/')
}

/// Looks names up for one file: the same name mostly comes again, and an unknown one is explained once.
pub struct Resolver<'a> {
    names: &'a Names,
    asset: String,
    property: String,
    last: Option<Target>,
    unknown: HashMap<String, Arc<str>>,
}

impl<'a> Resolver<'a> {
    /// Looks up in these names.
    pub fn new(names: &'a Names) -> Self {
        Self { names, asset: String::new(), property: String::new(), last: None, unknown: HashMap::new() }
    }

    /// The series of a property; without an asset the property is an alias.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find(&mut self, asset: &str, property: &str) -> Result<Target, Arc<str>> {
        if let Some(target) = self.last.filter(|_| self.asset == asset && self.property == property) {
            return Ok(target);
        }
        let found = if asset.is_empty() { self.names.alias(property) } else { self.names.property(asset, property) };
        let Some(target) = found else { return Err(self.explain(asset, property)) };
        asset.clone_into(&mut self.asset);
        property.clone_into(&mut self.property);
        self.last = Some(target);
        Ok(target)
    }

    fn explain(&mut self, asset: &str, property: &str) -> Arc<str> {
        let key = format!("{asset}\n{property}");
        if let Some(message) = self.unknown.get(&key) {
            return message.clone();
        }
        if self.unknown.len() >= MAX_UNKNOWN {
            return format!("`{property}` of `{asset}` is unknown").into();
        }
        let message: Arc<str> = match (asset, property) {
            ("", "") => "there is neither an asset nor an alias".into(),
            ("", alias) => match split_alias(alias) {
                Some((asset, property)) => self.names.unknown(asset, property).into(),
                None => format!("there is no data stream `{alias}`").into(),
            },
            _ => self.names.unknown(asset, property).into(),
        };
        self.unknown.insert(key, message.clone());
        message
    }
}
