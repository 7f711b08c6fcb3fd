//! Metrics: all properties of one model and window kind, for all its assets and many windows, in one DataFusion plan.
//!
//! ```text
//! projection      what each metric makes of its aggregates           (compiler)
//!   aggregate     by asset and window; avg, min … are DataFusion's, the others and OEE call the rules in `andon-models`   (collect)
//!     windowed    cuts each series into windows and carries the last value into every one                              (windowed)
//!       sort      by series and time
//!         scan    the series that feed the metrics, from before the first window to the end of the last
//! ```
//! The rules themselves are written once, in `andon_models::expression::aggregate` and `andon_models::oee`.

mod carry;
mod collect;
mod compiler;
#[cfg(test)]
mod differential;
mod explain;
mod inputs;
mod next;
mod oee;
mod revise;
mod row_rule;
mod rows;
#[cfg(test)]
mod tests;
mod windowed;

pub use explain::explain;
pub use next::{next_time, next_times};
pub use oee::{records, results};
pub use revise::{Revised, revise};

use crate::error::QueryError;
use andon_models::{
    Point, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::{AssetIndex, ModelIndex, PropertyIndex},
    schedule::Assets,
    value::ValueType,
    window::{Window, WindowSpec},
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, Int32Type},
};
use datafusion::{
    catalog::TableProvider,
    prelude::{SessionContext, col},
};
use inputs::Inputs;
use std::sync::Arc;

/// What one plan computes.
#[derive(Clone, Debug)]
pub struct Extent<'a> {
    /// The metrics of this model
    pub model: ModelIndex,
    /// and window kind,
    pub spec: &'a WindowSpec,
    /// in these windows, which are in time order and do not overlap,
    pub windows: &'a [Window],
    /// for these assets of the model.
    pub assets: Assets,
}

impl Extent<'_> {
    fn assets(&self, catalog: &Catalog) -> Vec<AssetIndex> {
        let all = catalog.plant.assets_of(self.model);
        all.filter(|asset| self.assets.contains(catalog.plant.assets[asset.0].id)).collect()
    }
}

/// Computes metrics. Points carry the end of their window; a metric without a value makes no point.
///
/// # Errors
/// When the history cannot be read or the plan fails.
pub async fn compute(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    extent: &Extent<'_>,
) -> Result<Vec<Point>, QueryError> {
    let Extent { model, spec, windows, .. } = *extent;
    let metrics = compiler::compile(catalog, model, spec)?;
    let assets = extent.assets(catalog);
    if metrics.outputs.is_empty() || windows.is_empty() || assets.is_empty() {
        return Ok(Vec::new());
    }
    let inputs = Inputs::new(catalog, &assets, &metrics.slots);
    let session = single_partition(session);
    let rows = windowed::table(&session, points, &inputs, windows).await?;
    let outputs = metrics.outputs.iter().map(|(key, expression)| expression.clone().alias(key.to_string()));
    let batches = session
        .read_table(rows)?
        .aggregate(vec![col("asset"), col("window")], metrics.aggregates)?
        .select([col("asset"), col("window")].into_iter().chain(outputs).collect::<Vec<_>>())?
        .collect()
        .await?;
    let mut computed = Vec::new();
    for batch in &batches {
        for (column, (key, _)) in metrics.outputs.iter().enumerate() {
            let Some(property) = catalog.plant.models[model.0].property(key) else { continue };
            read_points(catalog, &assets, windows, batch, column + 2, property, &mut computed);
        }
    }
    // The same order whatever the plan did: by window, then by series.
    computed.sort_by_key(|point| (point.tqv.time, point.series));
    Ok(computed)
}

/// The order of rows within a group is part of the result (sums of decimals), so one partition does it all.
fn single_partition(session: &SessionContext) -> SessionContext {
    let config = session.copied_config().with_target_partitions(1);
    SessionContext::new_with_config_rt(config, session.runtime_env())
}

fn read_points(
    catalog: &Catalog,
    assets: &[AssetIndex],
    windows: &[Window],
    batch: &RecordBatch,
    column: usize,
    property: PropertyIndex,
    computed: &mut Vec<Point>,
) {
    let asset = batch.column(0).as_primitive::<Int32Type>();
    let window = batch.column(1).as_primitive::<Int32Type>();
    for row in 0..batch.num_rows() {
        let asset = assets[asset.value(row) as usize];
        let end = windows[window.value(row) as usize].end;
        let value_type = catalog.plant.model_of(asset).properties[property.0].value_type;
        let series = catalog.series_of(asset, property);
        if let (Some(series), Some(tqv)) = (series, read_value(batch.column(column), row, value_type, end)) {
            computed.push(Point { series, tqv });
        }
    }
}

fn read_value(column: &dyn Array, row: usize, value_type: ValueType, end: Timestamp) -> Option<Tqv> {
    if column.is_null(row) {
        return None;
    }
    let value = match column.data_type() {
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        _ => Value::Null,
    };
    // A metric declared as an integer that has a fraction has no value it could store.
    value.coerce(value_type).filter(|value| value.value_type().is_some()).map(|value| Tqv::good(end, value))
}
