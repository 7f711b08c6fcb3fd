//! What the columns of a file mean: one value per row (long) or one column per property (wide). The header decides.

use andon_models::expression::nearest;

/// Where things stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One value per row.
    Long(Long),
    /// One column per property or alias.
    Wide(Wide),
}

/// Columns of the long form, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Long {
    /// When.
    pub time: usize,
    /// Nanoseconds below the microsecond of `time`, as in the files of the history.
    pub nanos: Option<usize>,
    /// Path of the asset.
    pub asset: Option<usize>,
    /// Key of the property.
    pub property: Option<usize>,
    /// Asset and property, or name of a data stream.
    pub alias: Option<usize>,
    /// The value: one column, or one per type of which one is filled.
    pub values: Vec<usize>,
    /// How far it may be trusted.
    pub quality: Option<usize>,
    /// Status code of the protocol.
    pub status: Option<usize>,
}

/// Columns of the wide form, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    /// When.
    pub time: usize,
    /// Path of the asset; without it the columns are aliases.
    pub asset: Option<usize>,
    /// Position and name of the properties or aliases.
    pub values: Vec<(usize, String)>,
}

/// Columns that SQL and the files of the history have, and that say nothing an import needs.
const IGNORED: [&str; 8] = ["unit", "model", "asset_id", "property_id", "series", "seq", "day", "value_type"];

/// Columns of the long form.
const LONG: [&str; 12] =
    ["time", "nanos", "asset", "property", "alias", "value", "double", "integer", "boolean", "string", "quality", "status"];

const TYPED: [&str; 4] = ["double", "integer", "boolean", "string"];

impl Layout {
    /// Reads a header.
    ///
    /// # Errors
    /// What is missing or not understood, with the forms there are.
    pub fn of(header: &[&str]) -> Result<Self, String> {
        let names: Vec<&str> = header.iter().map(|name| name.trim()).collect();
        let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| !name.is_empty() && names[..*at].contains(name)) {
            return Err(format!("the column `{}` is there twice", twice.1));
        }
        let Some(time) = find("time").or_else(|| find("timestamp")) else {
            return Err(format!("there is no column `time`; {FORMS}"));
        };
        let typed: Vec<usize> = TYPED.into_iter().filter_map(find).collect();
        let named = find("alias").is_some() || find("property").is_some();
        let values = if typed.is_empty() { find("value").into_iter().collect() } else { typed };
        if !named || values.is_empty() {
            return Self::wide(&names, time, find("asset"));
        }
        let long = Long {
            time,
            nanos: find("nanos"),
            asset: find("asset"),
            property: find("property"),
            alias: find("alias"),
            values,
            quality: find("quality"),
            status: find("status"),
        };
        if long.alias.is_none() && long.asset.is_none() {
            return Err(format!("the column `property` needs a column `asset` beside it; {FORMS}"));
        }
        for (at, name) in names.iter().enumerate().filter(|(at, name)| *at != time && !is_index(name)) {
            let lower = name.to_ascii_lowercase();
            if !LONG.contains(&&*lower) && !IGNORED.contains(&&*lower) {
                let near = nearest(&lower, LONG).map_or(String::new(), |near| format!("did you mean `{near}`? "));
                return Err(format!("the column `{name}` (number {}) is not understood; {near}{FORMS}", at + 1));
            }
        }
        Ok(Self::Long(long))
    }

    fn wide(names: &[&str], time: usize, asset: Option<usize>) -> Result<Self, String> {
        let values = names.iter().enumerate().filter(|(at, name)| *at != time && Some(*at) != asset && !is_index(name));
        let values: Vec<(usize, String)> = values.map(|(at, name)| (at, (*name).to_owned())).collect();
        if values.is_empty() {
            return Err(format!("there is no column with values; {FORMS}"));
        }
        Ok(Self::Wide(Wide { time, asset, values }))
    }
}

/// The numbers pandas gives to rows.
fn is_index(name: &str) -> bool {
    name.is_empty() || name.starts_with("__index_level_") || name.starts_with("Unnamed: ")
}

const FORMS: &str = "columns are time,asset,property,value[,quality] or time,alias,value, or one column per property behind time,asset, \
                     or one per alias behind time";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides() {
        let check = |header: &str| {
            let names: Vec<&str> = header.split(',').collect();
            match Layout::of(&names) {
                Ok(Layout::Long(long)) => {
                    format!("long {:?} {:?} {:?} {:?}", long.asset, long.property, long.alias, long.values)
                }
                Ok(Layout::Wide(wide)) => format!("wide {:?} {:?}", wide.asset, wide.values),
                Err(error) => error.split(';').next().unwrap().to_owned(),
            }
        };
        assert_eq!(check("time,asset,property,value,quality"), "long Some(1) Some(2) None [3]");
        assert_eq!(check("Time,Alias,Value"), "long None None Some(1) [2]");
        assert_eq!(check("time,asset,property,value,double,string"), "long Some(1) Some(2) None [4, 5]");
        assert_eq!(check("time,asset,temp,value"), r#"wide Some(1) [(2, "temp"), (3, "value")]"#);
        assert_eq!(check(",timestamp,/A/b,/A/c"), r#"wide None [(2, "/A/b"), (3, "/A/c")]"#);
        assert_eq!(check("time,asset,property,value,qualty"), "the column `qualty` (number 5) is not understood");
        assert_eq!(check("when,asset"), "there is no column `time`");
        assert_eq!(check("time,asset"), "there is no column with values");
        assert_eq!(check("time,property,value"), "the column `property` needs a column `asset` beside it");
        assert_eq!(check("time,a,a"), "the column `a` is there twice");
    }
}
