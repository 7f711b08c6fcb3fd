//! Where a value that somebody writes goes: to a property of an asset, or to a data stream.

use super::{Directory, FIRST_STREAM, SeriesRow};
use crate::QueryError;
use andon_models::{SeriesId, Value, ValueType};

/// A series that takes values from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number.
    pub series: SeriesId,
    /// The type of its values.
    pub value_type: ValueType,
}

impl Target {
    /// The value as the series takes it; none when it cannot.
    pub fn accept(&self, value: Value) -> Option<Value> {
        value.coerce(self.value_type)
    }
}

impl Directory {
    /// The property of an asset, by path and key; none if there is none.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn property(&self, asset: &str, property: &str) -> Result<Option<Target>, QueryError> {
        self.at_path(&format!("{asset}/{property}"))
    }

    /// The series of a name: a property by `/asset path/property` (the first `/` may be missing) or by its alias, or a data stream.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn find(&self, alias: &str) -> Result<Option<Target>, QueryError> {
        if let Some(property) = self.at_path(alias.strip_prefix('/').unwrap_or(alias))? {
            return Ok(Some(property));
        }
        if let Some((series, value_type)) = self.aliased(alias) {
            self.series.get(&series.0).map_or(Ok(()), check_kind)?;
            return Ok(Some(Target { series, value_type }));
        }
        Ok(self.streams.find(alias).map(|(series, value_type)| Target { series, value_type }))
    }

    /// The series of a name, a new data stream if there is none.
    ///
    /// # Errors
    /// When its values are computed or set otherwise, the name cannot be one, or there are too many streams.
    pub fn find_or_add(&self, alias: &str, value_type: ValueType, unit: &str) -> Result<Target, QueryError> {
        if let Some(known) = self.find(alias)? {
            return Ok(known);
        }
        let (series, value_type) = self.streams.find_or_add(alias, value_type, unit)?;
        Ok(Target { series, value_type })
    }

    /// The series of a number; none if nobody has it.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn by_number(&self, series: SeriesId) -> Result<Option<Target>, QueryError> {
        if let Some(row) = self.series.get(&series.0) {
            check_kind(row)?;
            return Ok(Some(Target { series, value_type: row.value_type }));
        }
        let place = series.0.checked_sub(FIRST_STREAM).map(|place| place as usize);
        let streams = self.streams.look();
        Ok(place.and_then(|place| streams.get(place)).map(|row| Target { series, value_type: row.value_type }))
    }

    fn at_path(&self, path: &str) -> Result<Option<Target>, QueryError> {
        let Some(series) = self.by_path.get(path) else { return Ok(None) };
        let Some(row) = self.series.get(&series.0) else { return Ok(None) };
        check_kind(row)?;
        Ok(Some(Target { series: *series, value_type: row.value_type }))
    }
}

/// Only what is measured can be written: the rest has a rule of its own, which would contradict the written value.
fn check_kind(row: &SeriesRow) -> Result<(), QueryError> {
    let why = match row.kind.as_ref() {
        "measurement" => return Ok(()),
        "attribute" => "is an attribute; change it in the plant file",
        "control" => "is a control; only commands change it",
        _ => "is computed from other values; write those",
    };
    Err(QueryError::Refused(format!("{} {why}", row.alias())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{
        catalog::{Catalog, SeriesDirectory},
        plant_file,
    };
    use std::sync::Arc;

    #[test]
    fn a_point_without_an_address_is_written_by_its_alias() {
        let text = "plant: P\nmodels: { m: { measurements: { speed: {} }, transforms: { fast: speed > 3 } } }\n\
            assets: { A: { model: m, aliases: { speed: /park/1/speed, fast: /park/1/fast } } }\n";
        let loaded = plant_file::load(&[("p.yaml".to_owned(), text.to_owned())], &|_| None);
        let catalog = Catalog::build(Arc::new(loaded.plant.unwrap()), &mut SeriesDirectory::default());
        let mut directory = Directory::default();
        directory.learn(&catalog);
        let by_path = directory.find("/A/speed").unwrap().unwrap();
        assert_eq!(directory.find("/park/1/speed").unwrap(), Some(by_path));
        assert_eq!(directory.find_or_add("/park/1/speed", ValueType::Double, "").unwrap(), by_path);
        let refused = directory.find("/park/1/fast").unwrap_err().to_string();
        assert!(refused.contains("/park/1/fast is computed"), "{refused}");
        assert_eq!(directory.find("/park/2/speed").unwrap(), None);
    }
}
