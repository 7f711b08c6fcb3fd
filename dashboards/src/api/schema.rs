//! What SQL can ask for: tables and columns, in words.

use crate::{app::App, error::ApiError};
use andon_models::definition::{AssetModel, PropertyKind};
use andon_query::SqlLimits;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Every column of every table, in order.
const COLUMNS: &str = "SELECT table_name, column_name, data_type FROM information_schema.columns \
    WHERE table_schema NOT IN ('information_schema') ORDER BY table_name, ordinal_position";

/// Tables in words.
const TABLES: [(&str, &str); 9] = [
    ("asset", "Every machine and group of machines"),
    ("asset_property", "Every property of every asset"),
    ("raw_time_series", "Every value of every property"),
    ("latest_value_time_series", "The newest value of every property"),
    ("precomputed_aggregates", "Average, count, least and greatest per window"),
    ("samples", "Every value with the names of its asset and property"),
    ("events", "Everything that happened: moves of detectors, alarms, commands, operators' deeds"),
    ("alarms", "Every change of every alarm"),
    ("commands", "Every change of every command to a machine"),
];

/// Columns in words, by name: a name means the same everywhere.
const WORDS: [(&str, &str); 22] = [
    ("time", "When it happened or was true, in UTC"),
    ("event_timestamp", "When the value was true, in UTC"),
    ("asset", "The path of the asset"),
    ("asset_id", "The id of the asset"),
    ("asset_name", "The name of the asset"),
    ("asset_model_id", "The id of the asset's model"),
    ("parent_asset_id", "The id of the asset above"),
    ("property", "The key of the property"),
    ("property_id", "The id of the property"),
    ("property_name", "The name of the property"),
    ("property_alias", "The alias of the property"),
    ("quality", "good, uncertain or bad"),
    ("detector", "The detector it came from"),
    ("kind", "What kind of thing happened"),
    ("state", "The state after the change"),
    ("from", "The state before"),
    ("to", "The state after"),
    ("explanation", "Why: guard, inputs with time and quality, every sub-expression's result"),
    ("priority", "How urgent"),
    ("control", "The writable point"),
    ("read_back", "The value the device showed afterwards"),
    ("reason", "Why it was not done or not verified"),
];

/// A table.
#[derive(Serialize, ToSchema)]
pub(crate) struct Table {
    /// Its name.
    table: String,
    /// What is in it; empty if nothing is said.
    description: String,
    /// Its columns.
    columns: Vec<Column>,
}

/// A column.
#[derive(Serialize, ToSchema)]
pub(crate) struct Column {
    /// Its name.
    name: String,
    /// Its type.
    r#type: String,
    /// What is in it; empty if nothing is said.
    description: String,
}

/// Lists the tables SQL can ask.
#[utoipa::path(get, path = "/api/schema", tag = "sql", responses((status = 200, body = [Table])))]
pub(crate) async fn tables(State(app): State<Arc<App>>) -> Result<Json<Vec<Table>>, ApiError> {
    let answer = app.state.historian.sql(COLUMNS, SqlLimits::default()).await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in &answer.rows {
        let [table, column, kind] = row.as_slice() else { continue };
        let (Some(table), Some(column), Some(kind)) = (table.as_str(), column.as_str(), kind.as_str()) else { continue };
        let model = app.plant().models.iter().find(|model| &*model.name == table);
        if tables.last().is_none_or(|last| last.table != table) {
            tables.push(Table { table: table.to_owned(), description: describe(table, model), columns: Vec::new() });
        }
        if let Some(last) = tables.last_mut() {
            let description = describe_column(column, model);
            last.columns.push(Column { name: column.to_owned(), r#type: kind.to_owned(), description });
        }
    }
    Ok(Json(tables))
}

fn describe(table: &str, model: Option<&AssetModel>) -> String {
    let known = TABLES.iter().find(|(name, _)| *name == table).map(|(_, words)| (*words).to_owned());
    known
        .or_else(|| model.map(|model| format!("All values of every {}, one column per property", model.name)))
        .unwrap_or_default()
}

fn describe_column(column: &str, model: Option<&AssetModel>) -> String {
    let property = model.and_then(|model| model.properties.iter().find(|property| &*property.key == column));
    let Some(property) = property else {
        return WORDS.iter().find(|(name, _)| *name == column).map_or("", |(_, words)| words).to_owned();
    };
    let kind = match &property.kind {
        PropertyKind::Attribute { .. } => "attribute".to_owned(),
        PropertyKind::Measurement { .. } => "measurement".to_owned(),
        PropertyKind::Transform { expression } => format!("transform: {}", expression.text),
        PropertyKind::Metric { window, .. } => format!("metric per {}", window.name()),
    };
    if property.unit.is_empty() { kind } else { format!("{kind}, in {}", property.unit) }
}
