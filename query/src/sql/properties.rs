//! The table of what can have values: properties and controls of assets, and data streams.

use super::tables::texts;
use crate::directory::{Directory, NAMES, SeriesRow};
use andon_models::Value;
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    datasource::memory::MemorySourceConfig,
    error::Result,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};
use std::{fmt, sync::Arc};

/// Properties, which stay, and streams, which come along.
pub struct PropertyTable {
    properties: RecordBatch,
    directory: Arc<Directory>,
}

impl PropertyTable {
    /// The table of a directory.
    ///
    /// # Errors
    /// When the names do not fit a record batch.
    pub fn new(directory: Arc<Directory>) -> Result<Self> {
        Ok(Self { properties: of_properties(&directory)?, directory })
    }

    /// Streams as rows of this table: their names as they are, and nothing where only a property has something.
    fn of_streams(&self, names: &RecordBatch) -> Result<RecordBatch> {
        let kind: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n("stream", names.num_rows())));
        let schema = self.properties.schema();
        let columns = schema.fields().iter().map(|field| {
            let source = match field.name().as_str() {
                "property_type" => return kind.clone(),
                "property_name" | "property_external_id" => "property",
                "property_alias" => "alias",
                "property_data_type" => "data_type",
                "unit" => "unit",
                _ => "",
            };
            let named = names.column_by_name(source).cloned();
            named.unwrap_or_else(|| new_null_array(field.data_type(), names.num_rows()))
        });
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    }
}

impl fmt::Debug for PropertyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PropertyTable")
    }
}

#[async_trait]
impl TableProvider for PropertyTable {
    fn schema(&self) -> SchemaRef {
        self.properties.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let names = self.directory.names();
        let mut batches = vec![self.properties.clone()];
        for chunk in names.streams() {
            batches.push(self.of_streams(&chunk)?);
        }
        Ok(MemorySourceConfig::try_new_exec(&[batches], self.schema(), projection.cloned())?)
    }
}

/// Where the names keep the type of values.
fn data_type() -> usize {
    NAMES.iter().position(|name| *name == "data_type").unwrap_or(0)
}

fn of_properties(directory: &Directory) -> Result<RecordBatch> {
    let rows: Vec<&SeriesRow> = directory.series.values().collect();
    let whole = |row: &&SeriesRow| if let Value::Integer(number) = row.attribute { Some(number) } else { None };
    let double = |row: &&SeriesRow| if let Value::Double(number) = row.attribute { Some(number) } else { None };
    let text = |row: &&SeriesRow| if let Value::String(text) = &row.attribute { Some(text.to_string()) } else { None };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("asset_id", texts(&rows, |row| Some(row.asset_id.to_string())), true),
        ("property_id", texts(&rows, |row| Some(row.property_id.to_string())), true),
        ("property_name", texts(&rows, |row| Some(row.property.to_string())), true),
        ("property_alias", texts(&rows, |row| Some(row.alias())), true),
        ("property_external_id", texts(&rows, |row| Some(row.property.to_string())), true),
        ("asset_composite_model_id", texts(&rows, |_| None), true),
        ("property_type", texts(&rows, |row| Some(row.kind.to_string())), true),
        ("property_data_type", directory.names().properties().column(data_type()).clone(), true),
        ("int_attribute_value", Arc::new(rows.iter().map(whole).collect::<Int64Array>()), true),
        ("double_attribute_value", Arc::new(rows.iter().map(double).collect::<Float64Array>()), true),
        ("boolean_attribute_value", Arc::new(rows.iter().map(|row| row.attribute.as_bool()).collect::<BooleanArray>()), true),
        ("string_attribute_value", texts(&rows, text), true),
        ("asset", texts(&rows, |row| Some(row.asset.to_string())), true),
        ("unit", texts(&rows, |row| Some(row.unit.to_string())), true),
    ])?)
}
