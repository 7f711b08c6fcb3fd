//! Which series a name in a file means.

use super::cell::Cell;
use crate::{
    QueryError,
    directory::{Directory, Target},
};
use andon_models::{SeriesId, ValueType, catalog::Catalog, expression::nearest};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

/// Names that are remembered as unknown with their message; beyond it, a name is said to be unknown without a suggestion.
const MAX_UNKNOWN: usize = 1_000;

type Properties = HashMap<Arc<str>, Target>;

/// The names of all series of a data folder. Unlike what is written live, an import may bring computed values as well: an export has
/// them.
#[derive(Debug, Default)]
pub struct Names {
    assets: HashMap<Arc<str>, Properties>,
    directory: Arc<Directory>,
    /// Whether unknown names become data streams.
    create: bool,
}

impl Names {
    pub(crate) fn of(directory: &Arc<Directory>) -> Self {
        let mut assets: HashMap<Arc<str>, Properties> = HashMap::new();
        for (number, row) in &directory.series {
            let target = Target { series: SeriesId(*number), value_type: row.value_type };
            assets.entry(row.asset.clone()).or_default().insert(row.property.clone(), target);
        }
        Self { assets, directory: directory.clone(), create: false }
    }

    /// The names of a data folder, as they are on disk: nothing is locked or opened.
    ///
    /// # Errors
    /// When the folder's directory cannot be read.
    pub fn load(dir: &Path) -> Result<Self, QueryError> {
        Ok(Self::of(&Arc::new(Directory::load(dir)?.0)))
    }

    /// The names of a plant file.
    pub fn of_plant(catalog: &Catalog) -> Self {
        let mut directory = Directory::default();
        directory.learn(catalog);
        Self::of(&Arc::new(directory))
    }

    /// The names that a running Andon tells: asset, property, alias and type each. Their numbers are ours and mean nothing there.
    ///
    /// # Errors
    /// When a name cannot be one.
    pub fn of_rows(rows: &[[String; 4]]) -> Result<Self, QueryError> {
        let mut names = Self::default();
        for [asset, property, alias, data_type] in rows {
            let value_type = match data_type.as_str() {
                "BOOLEAN" => ValueType::Boolean,
                "INTEGER" => ValueType::Integer,
                "STRING" => ValueType::String,
                _ => ValueType::Double,
            };
            let (series, value_type) = names.directory.streams.find_or_add(alias, value_type, "")?;
            if !asset.is_empty() {
                let target = Target { series, value_type };
                names.assets.entry(asset.as_str().into()).or_default().insert(property.as_str().into(), target);
            }
        }
        Ok(names)
    }

    /// Has unknown names become data streams.
    pub fn create_streams(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether no series is known: no plant was ever run here.
    pub fn is_empty(&self) -> bool {
        self.assets.is_empty()
    }

    /// The name of a series, as `/Line 2/Filler 2/fill_temp`, or of a data stream.
    pub fn alias_of(&self, series: SeriesId) -> Option<String> {
        if let Some(row) = self.directory.series.get(&series.0) {
            return Some(row.alias());
        }
        self.directory.streams.by_number(series).map(|stream| stream.alias.to_string())
    }

    /// The series of a property of an asset.
    pub fn property(&self, asset: &str, property: &str) -> Option<Target> {
        self.assets.get(asset)?.get(property).copied()
    }

    /// The series of an alias: a property, or a data stream.
    pub fn alias(&self, alias: &str) -> Option<Target> {
        if let Some(target) = split_alias(alias).and_then(|(asset, property)| self.property(asset, property)) {
            return Some(target);
        }
        if let Some((series, value_type)) = self.directory.aliased(alias) {
            return Some(Target { series, value_type });
        }
        let (series, value_type) = self.directory.streams.find(alias)?;
        Some(Target { series, value_type })
    }

    /// A data stream for a name that is unknown, if there may be one.
    fn created(&self, alias: &str, cell: &Cell<'_>) -> Option<Result<Target, String>> {
        let value_type = cell.value_type().filter(|_| self.create)?;
        let stream = self.directory.streams.find_or_add(alias, value_type, "");
        let target = stream.map(|(series, value_type)| Target { series, value_type });
        Some(target.map_err(|error| error.to_string()))
    }

    /// Why a property of an asset is unknown, and what may have been meant.
    fn unknown(&self, asset: &str, property: &str) -> String {
        let Some(properties) = self.assets.get(asset) else {
            // In order, so that of two equally near ones it is always the same.
            let names: BTreeSet<&str> = self.assets.keys().map(|name| &**name).collect();
            let near = nearest(asset, names);
            return format!("there is no asset `{asset}`{}", meant(near));
        };
        let names: BTreeSet<&str> = properties.keys().map(|name| &**name).collect();
        let near = nearest(property, names);
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

    /// The series of a property; without an asset the property is an alias. `cell` is the value: by it a new data stream has its type.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find(&mut self, asset: &str, property: &str, cell: &Cell<'_>) -> Result<Target, Arc<str>> {
        if let Some(target) = self.last.filter(|_| self.asset == asset && self.property == property) {
            return Ok(target);
        }
        let found = if asset.is_empty() { self.names.alias(property) } else { self.names.property(asset, property) };
        let target = match found {
            Some(target) => target,
            None if property.is_empty() => return Err(self.explain(asset, property)),
            None => {
                let alias = if asset.is_empty() { property.to_owned() } else { format!("/{asset}/{property}") };
                match self.names.created(&alias, cell) {
                    Some(created) => created?,
                    None => return Err(self.explain(asset, property)),
                }
            }
        };
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
        let message = match (asset, property) {
            ("", "") => "there is neither an asset nor an alias".to_owned(),
            (asset, "") => format!("there is no property of `{asset}`"),
            ("", alias) => match split_alias(alias) {
                Some((asset, property)) => self.names.unknown(asset, property),
                None => format!("there is no data stream `{alias}`"),
            },
            _ => self.names.unknown(asset, property),
        };
        let message: Arc<str> =
            if self.names.create { message } else { format!("{message} (or make it a data stream: --create-streams)") }.into();
        self.unknown.insert(key, message.clone());
        message
    }
}
