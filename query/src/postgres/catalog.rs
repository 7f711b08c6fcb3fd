//! PostgreSQL's catalogue, as far as clients look into it: small tables made of the session's tables at the moment they are asked
//! for, and functions about them.

mod empty;
pub mod functions;
mod information;
mod system;

pub use empty::EMPTY;

use super::settings::Settings;
use crate::TableDescription;
use arrow::{
    array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{MemTable, SchemaProvider, Session, TableProvider},
    error::Result,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The one database.
pub const DATABASE: &str = "andon";
/// The schema of our tables.
pub const SCHEMA: &str = "plant";
/// The role that owns everything.
pub const OWNER: &str = "andon";

/// What one connection's catalogue is made of.
pub struct World {
    /// Our tables.
    pub plant: Arc<dyn SchemaProvider>,
    /// What they are for.
    pub descriptions: Vec<TableDescription>,
    /// The connection's settings.
    pub settings: Mutex<Settings>,
    /// Functions of the engine: name, and `f`, `a` or `w`.
    pub functions: Vec<(String, &'static str)>,
    /// Who is logged in.
    pub user: String,
    /// Number of the connection.
    pub pid: i32,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// The settings.
    pub fn settings<T>(&self, read: impl FnOnce(&mut Settings) -> T) -> T {
        read(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Our tables by name; the position makes the number.
    pub fn tables(&self) -> Vec<String> {
        let mut names = self.plant.table_names();
        names.retain(|name| name != "stored_events");
        names.sort();
        names
    }

    /// The number of a table.
    pub fn oid(&self, table: &str) -> Option<i32> {
        let index = self.tables().iter().position(|name| name == table)?;
        Some(FIRST_TABLE + i32::try_from(index).ok()?)
    }

    /// The table with a number.
    pub fn table(&self, oid: i32) -> Option<String> {
        self.tables().into_iter().nth(usize::try_from(oid.checked_sub(FIRST_TABLE)?).ok()?)
    }
}

/// Numbers of schemas, as PostgreSQL has them where it has them.
pub const PG_CATALOG: i32 = 11;
/// Number of `information_schema`.
pub const INFORMATION: i32 = 13_000;
/// Number of our schema: the first that PostgreSQL gives to what users make.
pub const PLANT: i32 = 16_384;
/// Number of our first table.
const FIRST_TABLE: i32 = 16_400;
/// Number of our role.
pub const ROLE: i32 = 10;

/// `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub struct CatalogSchema {
    world: Arc<World>,
    information: bool,
}

impl CatalogSchema {
    /// `pg_catalog`.
    pub fn system(world: Arc<World>) -> Self {
        Self { world, information: false }
    }

    /// `information_schema`, with plain SQL names of types.
    pub fn information(world: Arc<World>) -> Self {
        Self { world, information: true }
    }
}

#[async_trait]
impl SchemaProvider for CatalogSchema {
    fn table_names(&self) -> Vec<String> {
        let own = if self.information { information::NAMES.as_slice() } else { system::NAMES.as_slice() };
        own.iter().map(|name| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (world, information) = (self.world.clone(), self.information);
        let table = CatalogTable { world, information, name: name.to_owned(), schema: Arc::new(Schema::empty()) };
        let Some(batch) = table.rows().await? else { return Ok(None) };
        Ok(Some(Arc::new(CatalogTable { schema: batch.schema(), ..table })))
    }

    fn table_exist(&self, name: &str) -> bool {
        if self.information {
            information::NAMES.contains(&name) || information::is_empty(name)
        } else {
            is_catalog_table(name)
        }
    }
}

/// A table of the catalogue. Its rows are made when it is read: a statement may be prepared long before.
#[derive(Debug)]
struct CatalogTable {
    world: Arc<World>,
    information: bool,
    name: String,
    schema: SchemaRef,
}

impl CatalogTable {
    async fn rows(&self) -> Result<Option<RecordBatch>> {
        let columns = columns(&self.world).await?;
        let table = if self.information {
            information::table(&self.world, &columns, &self.name)
        } else {
            system::table(&self.world, &columns, &self.name)
        };
        table.map(|(spec, rows)| batch(spec, &rows)).transpose()
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batches = self.rows().await?.into_iter().collect();
        MemTable::try_new(self.schema.clone(), vec![batches])?.scan(state, projection, filters, limit).await
    }
}

/// Whether `pg_catalog` has a table.
pub fn is_catalog_table(name: &str) -> bool {
    system::NAMES.contains(&name) || EMPTY.iter().any(|(empty, _)| *empty == name)
}

/// A table of ours and its columns.
pub struct TableColumns {
    name: String,
    is_view: bool,
    schema: SchemaRef,
}

async fn columns(world: &World) -> Result<Vec<TableColumns>> {
    let mut tables = Vec::new();
    for name in world.tables() {
        if let Some(table) = world.plant.table(&name).await? {
            let is_view = table.table_type() == TableType::View;
            tables.push(TableColumns { name, is_view, schema: table.schema() });
        }
    }
    Ok(tables)
}

/// A value of the catalogue.
#[derive(Clone, Debug)]
pub enum Cell {
    Int(i64),
    Text(String),
    Truth(bool),
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

/// Some columns of a row by name; the others are 0, false or null.
pub type Row = Vec<(&'static str, Cell)>;

/// Columns of a table: names with `:i` for numbers, `:l` for large ones, `:b` for truths, `:a` and `:n` for lists of texts and numbers,
/// which are always null; the others are text.
type Spec = &'static str;

fn batch(spec: Spec, rows: &[Row]) -> Result<RecordBatch> {
    let columns = spec.split_whitespace().map(|column| {
        let (name, kind) = column.split_once(':').unwrap_or((column, "t"));
        let cell = |row: &Row| row.iter().find(|(of, _)| *of == name).map(|(_, cell)| cell.clone());
        let number = |row: &Row| if let Some(Cell::Int(number)) = cell(row) { number } else { 0 };
        let text = |row: &Row| if let Some(Cell::Text(text)) = cell(row) { Some(text) } else { None };
        let array: ArrayRef = match kind {
            "i" => Arc::new(rows.iter().map(|row| i32::try_from(number(row)).ok()).collect::<Int32Array>()),
            "l" => Arc::new(rows.iter().map(|row| Some(number(row))).collect::<Int64Array>()),
            "a" => new_null_array(&DataType::new_list(DataType::Utf8, true), rows.len()),
            "n" => new_null_array(&DataType::new_list(DataType::Int32, true), rows.len()),
            "b" => {
                Arc::new(rows.iter().map(|row| Some(matches!(cell(row), Some(Cell::Truth(true))))).collect::<BooleanArray>())
            }
            _ => Arc::new(rows.iter().map(text).collect::<StringArray>()),
        };
        (name, array, true)
    });
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
