//! `information_schema`: the same in the words of the SQL standard.

use super::{Cell, DATABASE, Row, SCHEMA, Spec, TableColumns, World};
use crate::postgres::types::{Type, pg_type};

/// All tables with rows.
pub const NAMES: [&str; 4] = ["columns", "schemata", "tables", "views"];

/// Tables without rows.
const EMPTY: [(&str, &str); 10] = [
    (
        "table_constraints",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type is_deferrable initially_deferred enforced",
    ),
    (
        "key_column_usage",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name ordinal_position:i position_in_unique_constraint:i",
    ),
    (
        "referential_constraints",
        "constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule",
    ),
    (
        "constraint_column_usage",
        "table_catalog table_schema table_name column_name constraint_catalog constraint_schema constraint_name",
    ),
    ("check_constraints", "constraint_catalog constraint_schema constraint_name check_clause"),
    (
        "routines",
        "specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name routine_type data_type routine_definition",
    ),
    ("parameters", "specific_catalog specific_schema specific_name ordinal_position:i parameter_mode parameter_name data_type"),
    (
        "sequences",
        "sequence_catalog sequence_schema sequence_name data_type start_value minimum_value maximum_value increment cycle_option",
    ),
    (
        "triggers",
        "trigger_catalog trigger_schema trigger_name event_manipulation event_object_schema event_object_table action_statement",
    ),
    ("character_sets", "character_set_catalog character_set_schema character_set_name default_collate_name"),
];

/// Whether a table is there and has no rows.
pub fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(empty, _)| *empty == name)
}

/// The columns and rows of a table.
pub fn table(_world: &World, tables: &[TableColumns], name: &str) -> Option<(Spec, Vec<Row>)> {
    Some(match name {
        "schemata" => (
            "catalog_name schema_name schema_owner default_character_set_catalog default_character_set_schema \
             default_character_set_name sql_path",
            ["pg_catalog", "information_schema", SCHEMA].map(schema).into(),
        ),
        "tables" => (
            "table_catalog table_schema table_name table_type self_referencing_column_name reference_generation \
             user_defined_type_catalog user_defined_type_schema user_defined_type_name is_insertable_into is_typed commit_action",
            tables.iter().map(table_row).collect(),
        ),
        "columns" => (
            "table_catalog table_schema table_name column_name ordinal_position:i column_default is_nullable data_type \
             character_maximum_length character_octet_length numeric_precision numeric_precision_radix numeric_scale \
             datetime_precision interval_type collation_name domain_name udt_catalog udt_schema udt_name dtd_identifier is_identity \
             identity_generation is_generated generation_expression is_updatable",
            tables.iter().flat_map(columns).collect(),
        ),
        "views" => (
            "table_catalog table_schema table_name view_definition check_option is_updatable is_insertable_into",
            tables.iter().filter(|table| table.is_view).map(of_table).collect(),
        ),
        _ => (EMPTY.iter().find(|(empty, _)| *empty == name)?.1, Vec::new()),
    })
}

fn schema(name: &str) -> Row {
    vec![("catalog_name", DATABASE.into()), ("schema_name", name.into()), ("schema_owner", super::OWNER.into())]
}

fn of_table(table: &TableColumns) -> Row {
    vec![
        ("table_catalog", DATABASE.into()),
        ("table_schema", SCHEMA.into()),
        ("table_name", table.name.as_str().into()),
        ("is_insertable_into", "NO".into()),
        ("is_updatable", "NO".into()),
    ]
}

fn table_row(table: &TableColumns) -> Row {
    let mut row = of_table(table);
    row.push(("table_type", if table.is_view { "VIEW" } else { "BASE TABLE" }.into()));
    row.push(("is_typed", "NO".into()));
    row
}

fn columns(table: &TableColumns) -> Vec<Row> {
    let row = |(number, field): (i64, &arrow::datatypes::FieldRef)| {
        let r#type = pg_type(field.data_type());
        let mut row = of_table(table);
        row.extend([
            ("column_name", field.name().as_str().into()),
            ("ordinal_position", Cell::Int(number)),
            ("is_nullable", if field.is_nullable() { "YES" } else { "NO" }.into()),
            ("data_type", type_name(&r#type).into()),
            ("udt_catalog", DATABASE.into()),
            ("udt_schema", "pg_catalog".into()),
            ("udt_name", r#type.name().into()),
            ("is_identity", "NO".into()),
            ("is_generated", "NEVER".into()),
        ]);
        row
    };
    (1..).zip(table.schema.fields()).map(row).collect()
}

/// The standard's name of a type.
pub fn type_name(r#type: &Type) -> &'static str {
    match *r#type {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::NUMERIC => "numeric",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::DATE => "date",
        Type::TIME => "time without time zone",
        Type::INTERVAL => "interval",
        Type::BYTEA => "bytea",
        Type::VARCHAR => "character varying",
        Type::BPCHAR => "character",
        Type::NAME => "name",
        Type::OID => "oid",
        Type::JSON => "json",
        Type::UUID => "uuid",
        Type::BOOL_ARRAY
        | Type::INT2_ARRAY
        | Type::INT4_ARRAY
        | Type::INT8_ARRAY
        | Type::FLOAT4_ARRAY
        | Type::FLOAT8_ARRAY
        | Type::TEXT_ARRAY
        | Type::TIMESTAMPTZ_ARRAY => "ARRAY",
        _ => "text",
    }
}
