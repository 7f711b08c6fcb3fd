//! The tables of the session and their descriptions.

use super::{
    answer::type_name,
    by_series::GroupBySeries,
    properties::PropertyTable,
    shortcut::{Shortcut, TakeShortcuts},
    views,
    wide::WideTable,
};
use crate::{
    ColumnDescription, QueryError, TableDescription,
    directory::{AssetRow, Directory, NAMES},
    historian::store::Store,
    rollup::{rewrite::UseRollups, table::RollupTable},
    table::{
        columns::{CHUNK_ROWS, PointColumns},
        event_columns,
        events::EventsTable,
        named::{self, NamedTable},
        points::pushdown,
    },
};
use andon_models::{Point, SeriesId};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{MemTable, Session, TableProvider, view::ViewTable},
    datasource::memory::MemorySourceConfig,
    error::Result,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::ExecutionPlan,
    prelude::SessionContext,
};
use std::{fmt, sync::Arc};

/// Registers all tables and describes those that people see.
///
/// # Errors
/// When a table cannot be set up.
pub async fn register(
    session: &SessionContext,
    store: &Arc<Store>,
    directory: &Arc<Directory>,
) -> Result<Vec<TableDescription>, QueryError> {
    let samples = Arc::new(NamedTable::new(store.clone(), directory.clone()));
    let latest = Arc::new(LatestTable { store: store.clone(), samples: samples.clone() });
    let mut described = Vec::new();
    let mut add = |name: &str, description: &str, table: Arc<dyn TableProvider>| -> Result<(), QueryError> {
        described.push(describe(name, description, &table.schema()));
        session.register_table(name, table)?;
        Ok(())
    };
    add("samples", "all values of all properties, one row each", samples.clone())?;
    add("latest", "newest value of every property, of any quality", latest)?;
    add("asset", "machines and groups of machines", memory_table(assets(&directory.assets)?)?)?;
    add(
        "asset_property",
        "properties and controls of the machines, and data streams",
        Arc::new(PropertyTable::new(directory.clone())?),
    )?;
    add(
        "rollup",
        "values by 1m, 15m, 1h and 1d: what each series did in each window, for each quality",
        Arc::new(RollupTable::new(store.clone(), samples.clone())),
    )?;
    let rollups = UseRollups::new(store.clone(), samples.clone());
    let by_series = GroupBySeries::new(samples.clone(), directory.clone());
    // Roll-ups first: what they answer need not be grouped at all.
    let shortcuts: Vec<Box<dyn Shortcut>> = vec![Box::new(rollups), Box::new(by_series)];
    session.add_optimizer_rule(Arc::new(TakeShortcuts { samples: samples.clone(), shortcuts }));
    session.register_table("stored_events", Arc::new(EventsTable::new(store.clone())))?;
    for (name, description, statement) in views::VIEWS {
        let plan = session.state().create_logical_plan(statement).await?;
        let view = Arc::new(ViewTable::new(plan, Some(statement.to_owned())));
        described.push(describe(name, description, &view.schema()));
        session.register_table(name, view)?;
    }
    for model in &directory.models {
        // A model named like a table would hide it.
        if session.table_exist(model.name.as_ref())? {
            continue;
        }
        let table = Arc::new(WideTable::new(model, directory, samples.clone()));
        let description = format!("good values of every {}, one row per instant, one column per property", model.name);
        described.push(describe(&model.name, &description, table.described()));
        session.register_table(datafusion::common::TableReference::bare(model.name.as_ref()), table)?;
    }
    Ok(described)
}

fn describe(name: &str, description: &str, schema: &SchemaRef) -> TableDescription {
    let known = |column: &str| {
        let mut texts = named::COLUMNS.iter().chain(&event_columns::TEXTS);
        texts.find(|(name, _)| *name == column).map_or("", |(_, description)| *description)
    };
    let column = |field: &arrow::datatypes::FieldRef| ColumnDescription {
        name: field.name().clone(),
        r#type: type_name(field.data_type()),
        description: field.metadata().get("unit").map_or_else(|| known(field.name()).to_owned(), Clone::clone),
    };
    TableDescription {
        table: name.into(),
        description: description.into(),
        columns: schema.fields().iter().map(column).collect(),
    }
}

fn memory_table(batch: RecordBatch) -> Result<Arc<dyn TableProvider>, QueryError> {
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
}

pub(super) fn texts<T>(rows: &[T], text: impl Fn(&T) -> Option<String>) -> ArrayRef {
    Arc::new(rows.iter().map(text).collect::<StringArray>())
}

fn assets(rows: &[AssetRow]) -> Result<RecordBatch, QueryError> {
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("asset_id", texts(rows, |row| Some(row.id.to_string())), false),
        ("asset_name", texts(rows, |row| Some(row.name.to_string())), false),
        ("asset_description", texts(rows, |_| None), true),
        ("asset_model_id", texts(rows, |row| Some(row.model_id.to_string())), false),
        ("parent_asset_id", texts(rows, |row| row.parent.map(|parent| parent.to_string())), true),
        ("asset_external_id", texts(rows, |row| Some(row.path.to_string())), false),
        ("asset_model_external_id", texts(rows, |row| Some(row.model.to_string())), false),
        ("hierarchy_id", texts(rows, |row| row.hierarchy.as_ref().map(ToString::to_string)), true),
        ("path", texts(rows, |row| Some(row.path.to_string())), false),
        ("model", texts(rows, |row| Some(row.model.to_string())), false),
    ])?)
}

/// The newest value of every series, with its names.
struct LatestTable {
    store: Arc<Store>,
    samples: Arc<NamedTable>,
}

impl fmt::Debug for LatestTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LatestTable")
    }
}

#[async_trait]
impl TableProvider for LatestTable {
    fn schema(&self) -> SchemaRef {
        named::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let latest = match self.samples.prune(state, filters)?.series {
            None => self.store.latest_all(),
            Some(series) => {
                let series = series.into_iter().map(|series| SeriesId(series.cast_unsigned()));
                series.filter_map(|series| Some(Point { series, tqv: self.store.latest(series)? })).collect()
            }
        };
        let mut batches = Vec::new();
        for points in latest.chunks(CHUNK_ROWS) {
            let mut columns = PointColumns::default();
            points.iter().for_each(|point| columns.push(point, 0));
            batches.push(self.samples.name_columns(&columns.take().rows, projection)?);
        }
        let schema = named::schema();
        let schema = projection.map_or(Ok(schema.clone()), |columns| schema.project(columns).map(Arc::new))?;
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushdown(filter, &NAMES)).collect())
    }
}
