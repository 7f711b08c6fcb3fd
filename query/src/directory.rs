//! Names for numbers: which asset and property each series is the history of. Kept in the data folder, so that a folder can be
//! read without its plant file, and series of earlier definitions keep their names.

mod names;
mod rows;
mod stream_file;
mod streams;
mod target;

pub use names::{NAMES, NOT_OF_STREAMS, Names, series_of};
pub use streams::{DataStream, FIRST_STREAM, MAX_STREAMS, Streams};
pub use target::Target;

use crate::{Batch, QueryError, historian::Answer};
use andon_models::{
    AssetId, ModelId, PropertyId, SeriesId, Value, ValueType,
    catalog::{Catalog, SeriesEntry},
    definition::{AssetIndex, PropertyKind},
    event::SystemNotice,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, OnceLock},
};
use tokio::sync::oneshot;

/// A table that SQL can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableDescription {
    /// Its name.
    pub table: String,
    /// What its rows are.
    pub description: String,
    /// Its columns in order.
    pub columns: Vec<ColumnDescription>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// `boolean`, `integer`, `double`, `timestamp` or `string`.
    pub r#type: String,
    /// What it says; empty if the name says it.
    pub description: String,
}

/// All names. Those of properties stay as they were at the start; data streams come along with the first values written to them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    /// The plant's name.
    pub plant: String,
    /// Assets of the current definition.
    pub assets: Vec<AssetRow>,
    /// Models of the current definition.
    pub models: Vec<ModelRow>,
    /// Series by number, those of earlier definitions included.
    pub series: BTreeMap<u32, SeriesRow>,
    /// Series that no asset has.
    #[serde(skip)]
    pub streams: Arc<Streams>,
    /// Series by asset path and property key, with a `/` between them.
    #[serde(skip)]
    by_path: HashMap<String, SeriesId>,
    /// Series by the alias that the plant file gives them.
    #[serde(skip)]
    by_alias: HashMap<Arc<str>, SeriesId>,
    #[serde(skip)]
    properties: OnceLock<Arc<names::Properties>>,
}

/// An asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssetRow {
    /// Its id.
    pub id: AssetId,
    /// Its name.
    pub name: Arc<str>,
    /// Its path.
    pub path: Arc<str>,
    /// Its model's id.
    pub model_id: ModelId,
    /// Its model's name.
    pub model: Arc<str>,
    /// Its parent.
    pub parent: Option<AssetId>,
    /// The hierarchy by which it hangs on its parent.
    pub hierarchy: Option<Arc<str>>,
}

/// A model and the columns of its wide view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelRow {
    /// Its name.
    pub name: Arc<str>,
    /// Keys of its properties and controls, with their types and units.
    pub columns: Vec<(Arc<str>, ValueType, Arc<str>)>,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesRow {
    /// The asset's id.
    pub asset_id: AssetId,
    /// The asset's path.
    pub asset: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// The property's id.
    pub property_id: PropertyId,
    /// The property's key.
    pub property: Arc<str>,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// The type of its values.
    pub value_type: ValueType,
    /// `attribute`, `measurement`, `transform`, `metric` or `control`.
    pub kind: Arc<str>,
    /// An attribute's value by the plant file.
    pub attribute: Value,
    /// The name that the plant file gives it for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_alias: Option<Arc<str>>,
}

const FILE: &str = "directory.json";

/// The numbers of all series that a data folder's history knows.
///
/// # Errors
/// When its directory cannot be read.
pub fn known_series(dir: &Path) -> Result<Vec<(AssetId, PropertyId, SeriesId)>, QueryError> {
    Ok(Directory::read(dir)?.series.iter().map(|(number, row)| (row.asset_id, row.property_id, SeriesId(*number))).collect())
}

impl Directory {
    /// Reads the directory of a data folder; an empty one when there is none yet. What was lost of it is told.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn load(dir: &Path) -> Result<(Self, Vec<SystemNotice>), QueryError> {
        let mut directory = Self::read(dir)?;
        let notices = stream_file::load(dir, &directory.streams)?;
        directory.by_path = directory.series.iter().map(|(number, row)| (row.path(), SeriesId(*number))).collect();
        directory.index_aliases([]);
        Ok((directory, notices))
    }

    /// Reads the names of the definition, without data streams, of which there may be a million.
    fn read(dir: &Path) -> Result<Self, QueryError> {
        let path = dir.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| QueryError::io("cannot understand", &path)(std::io::Error::other(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(QueryError::io("cannot read", &path)(error)),
        }
    }

    /// Appends the data streams that the folder does not have yet to its file; see [`Streams`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_streams(&self, dir: &Path) -> Result<(), QueryError> {
        stream_file::save(dir, &self.streams)
    }

    /// Adds to a batch the definitions of data streams that must go into its record; `done` is answered as before.
    pub fn define(&self, batch: &mut Batch, done: oneshot::Sender<Answer>) -> oneshot::Sender<Answer> {
        streams::define(&self.streams, batch, done)
    }

    /// The series that the plant file gives an alias.
    pub fn aliased(&self, alias: &str) -> Option<(SeriesId, ValueType)> {
        let series = *self.by_alias.get(alias)?;
        Some((series, self.series.get(&series.0)?.value_type))
    }

    /// The series of a property of an asset, or, with an empty asset, that of an alias or the data stream of a name.
    pub fn series_of(&self, asset: &str, property: &str) -> Option<(SeriesId, ValueType)> {
        if asset.is_empty() {
            return self.aliased(property).or_else(|| self.streams.find(property));
        }
        let series = *self.by_path.get(&format!("{asset}/{property}"))?;
        Some((series, self.series.get(&series.0)?.value_type))
    }

    /// All names as columns, data streams of this moment included.
    pub fn names(&self) -> Arc<Names> {
        let properties = self.properties.get_or_init(|| Arc::new(names::Properties::of(self)));
        Arc::new(Names::new(properties.clone(), self.streams.clone()))
    }

    /// Writes the names of the definition, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), QueryError> {
        let bytes = serde_json::to_vec(self).map_err(|error| QueryError::Internal(error.to_string()))?;
        crate::historian::checkpoint::write_atomically(&dir.join(FILE), &bytes)
    }

    /// Takes the names of a definition; series it does not have keep theirs.
    pub fn learn(&mut self, catalog: &Catalog) {
        let plant = &catalog.plant;
        self.plant = plant.name.to_string();
        let hierarchy = |index: usize| {
            let parent = plant.assets[index].parent?;
            let children = &plant.assets[parent.0].children;
            children.iter().find(|(_, children)| children.contains(&AssetIndex(index))).map(|(name, _)| name.clone())
        };
        self.assets = (plant.assets.iter().enumerate())
            .map(|(index, asset)| AssetRow {
                id: asset.id,
                name: asset.name.clone(),
                path: asset.path.clone(),
                model_id: plant.models[asset.model.0].id,
                model: plant.models[asset.model.0].name.clone(),
                parent: asset.parent.map(|parent| plant.assets[parent.0].id),
                hierarchy: hierarchy(index),
            })
            .collect();
        self.models = (plant.models.iter())
            .map(|model| {
                let properties =
                    model.properties.iter().map(|property| (property.key.clone(), property.value_type, property.unit.clone()));
                let controls =
                    model.controls.iter().map(|control| (control.name.clone(), control.value_type, control.unit.clone()));
                ModelRow { name: model.name.clone(), columns: properties.chain(controls).collect() }
            })
            .collect();
        for entry in catalog.series() {
            if let Some(row) = row(catalog, entry) {
                self.by_path.insert(row.path(), entry.id);
                self.series.insert(entry.id.0, row);
            }
        }
        self.index_aliases(catalog.series().iter().map(|entry| entry.id));
    }

    /// Finds series by their aliases; what the definition has now comes before what earlier ones had.
    fn index_aliases(&mut self, current: impl IntoIterator<Item = SeriesId>) {
        let all = self.series.keys().map(|number| SeriesId(*number));
        let alias = |series: SeriesId| Some((self.series.get(&series.0)?.own_alias.clone()?, series));
        self.by_alias = all.chain(current).filter_map(alias).collect();
    }
}

impl SeriesRow {
    /// The name of the series: the alias that the plant file gives it, else its path, `/Line 2/Filler 2/fill_temp`.
    pub fn alias(&self) -> String {
        self.own_alias.as_ref().map_or_else(|| format!("/{}/{}", self.asset, self.property), |alias| alias.to_string())
    }

    fn path(&self) -> String {
        format!("{}/{}", self.asset, self.property)
    }
}

fn row(catalog: &Catalog, entry: &SeriesEntry) -> Option<SeriesRow> {
    let asset = &catalog.plant.assets[entry.asset.0];
    let model = catalog.plant.model_of(entry.asset);
    let common = |property_id, unit: &Arc<str>, kind: &str| SeriesRow {
        asset_id: asset.id,
        asset: asset.path.clone(),
        model: model.name.clone(),
        property_id,
        property: entry.key.clone(),
        unit: unit.clone(),
        value_type: entry.value_type,
        kind: kind.into(),
        attribute: catalog.attribute(entry.id).unwrap_or(Value::Null),
        own_alias: asset.aliases.iter().find(|(key, _)| *key == entry.key).map(|(_, alias)| alias.clone()),
    };
    let Some(index) = entry.property else {
        let control = model.control(&entry.key)?;
        return Some(common(control.id, &control.unit, "control"));
    };
    let property = &model.properties[index.0];
    let kind = match &property.kind {
        PropertyKind::Attribute { .. } => "attribute",
        PropertyKind::Measurement { .. } => "measurement",
        PropertyKind::Transform { .. } => "transform",
        PropertyKind::Metric { .. } => "metric",
    };
    Some(common(property.id, &property.unit, kind))
}
