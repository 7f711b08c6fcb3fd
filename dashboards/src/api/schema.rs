//! What SQL can ask for: tables and columns, in words.

use crate::app::App;
use andon_query::TableDescription;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A table.
#[derive(Serialize, ToSchema)]
pub(crate) struct Table {
    /// Its name.
    table: String,
    /// What its rows are.
    description: String,
    /// Its columns in order.
    columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Serialize, ToSchema)]
pub(crate) struct TableColumn {
    /// Its name.
    name: String,
    /// `boolean`, `integer`, `double`, `timestamp` or `string`.
    r#type: String,
    /// What it says; empty if the name says it.
    description: String,
}

impl From<TableDescription> for Table {
    fn from(table: TableDescription) -> Self {
        let column = |column: andon_query::ColumnDescription| TableColumn {
            name: column.name,
            r#type: column.r#type,
            description: column.description,
        };
        Self { table: table.table, description: table.description, columns: table.columns.into_iter().map(column).collect() }
    }
}

/// Lists the tables SQL can ask.
#[utoipa::path(get, path = "/api/schema", tag = "sql", responses((status = 200, body = [Table])))]
pub(crate) async fn tables(State(app): State<Arc<App>>) -> Json<Vec<Table>> {
    Json(app.state.historian.tables().into_iter().map(Table::from).collect())
}
