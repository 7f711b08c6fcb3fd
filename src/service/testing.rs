//! A small plant and short ways to say things in tests.

use andon_models::{
    Point, SeriesId, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    plant_file,
};
use std::sync::Arc;

/// The catalog of a plant file.
pub fn catalog(text: &str) -> Arc<Catalog> {
    next_catalog(text, &mut SeriesDirectory::default())
}

/// The catalog of a later version of a plant file: what was there before keeps its series.
pub fn next_catalog(text: &str, directory: &mut SeriesDirectory) -> Arc<Catalog> {
    Arc::new(Catalog::build(Arc::new(plant(text)), directory))
}

/// The plant of a plant file.
pub fn plant(text: &str) -> andon_models::definition::Plant {
    let loaded = plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
    loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// A series by asset and property.
pub fn series(catalog: &Catalog, asset: &str, property: &str) -> SeriesId {
    let asset = catalog.plant.asset_at(asset).unwrap();
    catalog.series_named(asset, property).unwrap_or_else(|| panic!("{property} of {asset:?}"))
}

/// So many seconds after midnight of 2 March 2026, a Monday, UTC.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_772_409_600 + second)
}

/// A good point.
pub fn good(series: SeriesId, second: i64, value: impl Into<Value>) -> Point {
    Point { series, tqv: Tqv::good(at(second), value.into()) }
}
