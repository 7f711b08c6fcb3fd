//! One table per asset model: a row per asset and instant, a column per property. Good values only.
//!
//! Rows are those instants at which one of the columns asked for has a value.

use crate::{
    directory::{Directory, ModelRow},
    table::{named::NamedTable, points::pushdown},
};
use andon_models::{Value, ValueType};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    datasource::provider_as_source,
    error::Result,
    functions_aggregate::expr_fn::{bool_or, max},
    logical_expr::{Expr, ExprFunctionExt, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast, when},
    physical_plan::ExecutionPlan,
    prelude::{col, lit},
    scalar::ScalarValue,
};
use std::{fmt, sync::Arc};

/// The wide table of a model.
pub struct WideTable {
    model: Arc<str>,
    schema: SchemaRef,
    /// The same with the units of the columns. Apart, since no scan gives units, and a plan wants of a scan what its schema says.
    described: SchemaRef,
    /// Keys and types of the columns after time and asset.
    columns: Vec<(Arc<str>, ValueType)>,
    /// Constants: key, asset, value.
    constants: Vec<(Arc<str>, Arc<str>, Value)>,
    samples: Arc<NamedTable>,
}

/// Columns before the properties.
const KEYS: usize = 2;

impl WideTable {
    /// The table of a model over all points.
    pub fn new(model: &ModelRow, directory: &Directory, samples: Arc<NamedTable>) -> Self {
        let reserved = |key: &str| matches!(key, "time" | "asset");
        let named = model.columns.iter().filter(|(key, ..)| !reserved(key));
        let mut fields = vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true),
            Field::new("asset", DataType::Utf8, true),
        ];
        fields.extend(named.clone().map(|(key, value_type, unit)| {
            Field::new(key.as_ref(), data_type(*value_type), true).with_metadata([("unit".to_owned(), unit.to_string())].into())
        }));
        let constants = directory.series.values().filter(|row| row.model == model.name && row.kind.as_ref() == "attribute");
        let plain: Vec<Field> = fields.iter().map(|field| field.clone().with_metadata([].into())).collect();
        Self {
            model: model.name.clone(),
            schema: Arc::new(Schema::new(plain)),
            described: Arc::new(Schema::new(fields)),
            columns: named.map(|(key, value_type, _)| (key.clone(), *value_type)).collect(),
            constants: constants.map(|row| (row.property.clone(), row.asset.clone(), row.attribute.clone())).collect(),
            samples,
        }
    }

    /// Its columns with their units.
    pub fn described(&self) -> &SchemaRef {
        &self.described
    }

    /// A column of the answer: the stored value, else the asset's constant.
    fn output(&self, key: &str, value_type: ValueType) -> Result<Expr> {
        let stored = quoted(key);
        let mut constants = self.constants.iter().filter(|(known, _, value)| known.as_ref() == key && *value != Value::Null);
        let Some((_, asset, value)) = constants.next() else { return Ok(stored) };
        let mut choice = when(col("asset").eq(lit(asset.as_ref())), literal(value, value_type));
        for (_, asset, value) in constants {
            choice.when(col("asset").eq(lit(asset.as_ref())), literal(value, value_type));
        }
        let constant = choice.end()?;
        Ok(datafusion::functions::core::expr_fn::coalesce(vec![stored, constant]).alias(key))
    }
}

impl fmt::Debug for WideTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WideTable({})", self.model)
    }
}

#[async_trait]
impl TableProvider for WideTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let asked: Vec<&(Arc<str>, ValueType)> =
            wanted.iter().filter(|index| **index >= KEYS).map(|index| &self.columns[index - KEYS]).collect();
        let constant = |key: &str| self.constants.iter().any(|(known, ..)| known.as_ref() == key);
        let varying: Vec<&(Arc<str>, ValueType)> = asked.iter().copied().filter(|(key, _)| !constant(key)).collect();
        let mut rows = LogicalPlanBuilder::scan("samples", provider_as_source(self.samples.clone()), None)?
            .filter(col("model").eq(lit(self.model.as_ref())))?
            .filter(col("quality").eq(lit("good")))?;
        if !varying.is_empty() {
            rows = rows.filter(col("property").in_list(varying.iter().map(|(key, _)| lit(key.as_ref())).collect(), false))?;
        }
        for filter in filters {
            rows = rows.filter(filter.clone())?;
        }
        let values: Result<Vec<Expr>> = asked.iter().map(|(key, value_type)| value_of(key, *value_type)).collect();
        let outputs: Result<Vec<Expr>> = (wanted.iter())
            .map(|index| match index {
                0 => Ok(col("time")),
                1 => Ok(col("asset")),
                _ => self.output(&self.columns[index - KEYS].0, self.columns[index - KEYS].1),
            })
            .collect();
        let rows = rows.aggregate(vec![col("time"), cast(col("asset"), DataType::Utf8).alias("asset")], values?)?;
        let plan = rows.project(outputs?)?.build()?;
        state.create_physical_plan(&plan).await
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushdown(filter, &["time", "asset"])).collect())
    }
}

/// The value of one property among the rows of one instant. There is one at most.
fn value_of(key: &str, value_type: ValueType) -> Result<Expr> {
    let value = match value_type {
        ValueType::Boolean => bool_or(col("boolean")),
        ValueType::Integer => max(col("integer")),
        ValueType::Double => max(col("value")),
        ValueType::String => max(col("string")),
    };
    Ok(value.filter(col("property").eq(lit(key))).build()?.alias(key))
}

fn quoted(key: &str) -> Expr {
    Expr::Column(datafusion::common::Column::from_name(key))
}

fn data_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Boolean => DataType::Boolean,
        ValueType::Integer => DataType::Int64,
        ValueType::Double => DataType::Float64,
        ValueType::String => DataType::Utf8,
    }
}

fn literal(value: &Value, value_type: ValueType) -> Expr {
    match (value, value_type) {
        (Value::Boolean(truth), ValueType::Boolean) => lit(*truth),
        (Value::Integer(number), ValueType::Integer) => lit(*number),
        (Value::String(text), ValueType::String) => lit(text.as_ref()),
        (value, ValueType::Double) => lit(ScalarValue::Float64(value.as_f64())),
        (_, value_type) => lit(ScalarValue::try_from(&data_type(value_type)).unwrap_or(ScalarValue::Null)),
    }
}
