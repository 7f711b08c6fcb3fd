//! Functions of the catalogue. They are asked of few rows, so each works on texts.

use super::{DATABASE, OWNER, SCHEMA, World, information::type_name, system::TYPES};
use crate::postgres::{settings::VERSION, types::Type};
use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility},
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

type Compute = fn(&World, &[Option<&str>]) -> Option<String>;

/// All functions for one connection.
pub fn all(world: &Arc<World>) -> Vec<ScalarUDF> {
    let function = |name: &'static str, returns: DataType, compute: Compute| {
        let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable);
        ScalarUDF::from(CatalogFunction { name, returns, signature, compute, world: world.clone() })
    };
    let of = |kind: &DataType, named: &[(&'static str, Compute)]| -> Vec<ScalarUDF> {
        named.iter().map(|(name, compute)| function(name, kind.clone(), *compute)).collect()
    };
    let constant = |kind: &DataType, names: &[&'static str], compute: Compute| -> Vec<ScalarUDF> {
        names.iter().map(|name| function(name, kind.clone(), compute)).collect()
    };
    [
        of(&DataType::Utf8, &TEXTS),
        of(&DataType::Int32, &NUMBERS),
        of(
            &DataType::Boolean,
            &[("has_table_privilege", may_read), ("has_column_privilege", may_read), ("has_any_column_privilege", may_read)],
        ),
        constant(&DataType::Utf8, &ALWAYS_NULL, |_, _| None),
        constant(&DataType::Boolean, &ALWAYS_TRUE, |_, _| Some("true".into())),
        constant(&DataType::Boolean, &ALWAYS_FALSE, |_, _| Some("false".into())),
        constant(&DataType::Int64, &ALWAYS_ZERO, |_, _| Some("0".into())),
    ]
    .concat()
}

const ALWAYS_NULL: [&str; 16] = [
    "pg_get_expr",
    "pg_get_constraintdef",
    "pg_get_indexdef",
    "pg_get_viewdef",
    "pg_get_triggerdef",
    "pg_get_functiondef",
    "pg_get_ruledef",
    "pg_get_partkeydef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_serial_sequence",
    "pg_get_function_result",
    "pg_tablespace_location",
    "shobj_description",
    "inet_client_addr",
    "inet_server_addr",
    "pg_get_function_sqlbody",
];

const ALWAYS_TRUE: [&str; 18] = [
    "pg_opfamily_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_table_is_visible",
    "pg_function_is_visible",
    "pg_type_is_visible",
    "pg_operator_is_visible",
    "pg_collation_is_visible",
    "pg_opclass_is_visible",
    "pg_conversion_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_ts_config_is_visible",
    "has_schema_privilege",
    "has_database_privilege",
    "has_function_privilege",
    "has_type_privilege",
    "pg_has_role",
];

const ALWAYS_FALSE: [&str; 6] = [
    "pg_is_in_recovery",
    "pg_relation_is_publishable",
    "has_sequence_privilege",
    "has_server_privilege",
    "has_tablespace_privilege",
    "pg_is_other_temp_schema",
];

const ALWAYS_ZERO: [&str; 9] = [
    "pg_relation_size",
    "pg_total_relation_size",
    "pg_table_size",
    "pg_indexes_size",
    "pg_database_size",
    "pg_my_temp_schema",
    "pg_advisory_unlock_all",
    "txid_current",
    "pg_tablespace_size",
];

const TEXTS: [(&str, Compute); 25] = [
    ("version", |_, _| Some(format!("PostgreSQL {VERSION} (Andon {})", env!("CARGO_PKG_VERSION")))),
    ("current_database", |_, _| Some(DATABASE.into())),
    ("current_catalog", |_, _| Some(DATABASE.into())),
    ("current_schema", |_, _| Some(SCHEMA.into())),
    ("current_user", |world, _| Some(world.user.clone())),
    ("session_user", |world, _| Some(world.user.clone())),
    ("current_role", |world, _| Some(world.user.clone())),
    ("user", |world, _| Some(world.user.clone())),
    ("pg_get_userbyid", |_, _| Some(OWNER.into())),
    ("pg_encoding_to_char", |_, _| Some("UTF8".into())),
    ("pg_client_encoding", |_, _| Some("UTF8".into())),
    ("getdatabaseencoding", |_, _| Some("UTF8".into())),
    ("pg_get_function_arguments", |_, _| Some(String::new())),
    ("pg_get_function_identity_arguments", |_, _| Some(String::new())),
    ("format_type", format_type),
    ("pg_regtype_name", |world, arguments| number_or_name(arguments, || format_type(world, arguments))),
    ("pg_regclass_name", |world, arguments| number_or_name(arguments, || world.table((*arguments.first()?)?.parse().ok()?))),
    ("pg_regnamespace_name", |_, arguments| Some(namespace_name(arguments.first()?.as_ref()?))),
    ("quote_ident", |_, arguments| Some(quote_ident((*arguments.first()?)?))),
    ("quote_literal", |_, arguments| Some(format!("'{}'", (*arguments.first()?)?.replace('\'', "''")))),
    ("current_setting", |world, arguments| {
        let name = (*arguments.first()?)?;
        world.settings(|settings| settings.get(name).map(str::to_owned))
    }),
    ("set_config", |world, arguments| {
        let (name, value) = ((*arguments.first()?)?, (*arguments.get(1)?)?);
        // What cannot be set stays as it is; the answer shows it.
        world.settings(|settings| {
            let local = arguments.get(2).is_some_and(|local| *local == Some("true"));
            let _ = settings.set(name, Some(value), local);
            settings.get(name).map(str::to_owned)
        })
    }),
    ("obj_description", |world, arguments| describe(world, (*arguments.first()?)?, "0")),
    ("col_description", |world, arguments| describe(world, (*arguments.first()?)?, (*arguments.get(1)?)?)),
    ("pg_size_pretty", |_, arguments| Some(format!("{} bytes", (*arguments.first()?)?))),
];

const NUMBERS: [(&str, Compute); 5] = [
    ("pg_backend_pid", |world, _| Some(world.pid.to_string())),
    ("pg_char_to_encoding", |_, _| Some("6".into())),
    ("to_regclass", |world, arguments| {
        let text = (*arguments.first()?)?;
        match text.parse::<i32>() {
            Ok(_) => Some(text.to_owned()),
            Err(_) if text.ends_with("pg_class") => Some("1259".into()),
            Err(_) => Some(world.oid(&unquote(text))?.to_string()),
        }
    }),
    ("to_regtype", |_, arguments| {
        let text = (*arguments.first()?)?;
        let named = |r#type: &&Type| r#type.name() == unquote(text) || type_name(r#type) == text;
        let types = TYPES.iter().flat_map(|(item, array, _)| [item, array]);
        let number = |r#type: &Type| r#type.oid().to_string();
        if text.parse::<i32>().is_ok() { Some(text.to_owned()) } else { types.clone().find(named).map(number) }
    }),
    ("to_regnamespace", |_, arguments| {
        let text = (*arguments.first()?)?;
        match unquote(text).as_str() {
            "pg_catalog" => Some(super::PG_CATALOG.to_string()),
            "information_schema" => Some(super::INFORMATION.to_string()),
            SCHEMA => Some(super::PLANT.to_string()),
            _ => text.parse::<i32>().ok().map(|_| text.to_owned()),
        }
    }),
];

/// A name is its own name; a number has one.
fn number_or_name(arguments: &[Option<&str>], named: impl FnOnce() -> Option<String>) -> Option<String> {
    let text = (*arguments.first()?)?;
    if text.parse::<i32>().is_ok() { named() } else { Some(unquote(text)) }
}

/// The last part of a name, without quotes.
fn unquote(text: &str) -> String {
    text.rsplit('.').next().unwrap_or(text).trim_matches('"').to_owned()
}

fn namespace_name(oid: &str) -> String {
    match oid.parse() {
        Ok(super::PG_CATALOG) => "pg_catalog",
        Ok(super::INFORMATION) => "information_schema",
        _ => SCHEMA,
    }
    .into()
}

fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn format_type(_: &World, arguments: &[Option<&str>]) -> Option<String> {
    let r#type = Type::from_oid((*arguments.first()?)?.parse().ok()?)?;
    if let Some((item, ..)) = TYPES.iter().find(|(_, array, _)| *array == r#type) {
        return Some(format!("{}[]", type_name(item)));
    }
    let known = TYPES.iter().any(|(item, ..)| *item == r#type);
    Some(if known && type_name(&r#type) != "text" { type_name(&r#type).into() } else { r#type.name().into() })
}

/// The description of a table, or of the column with this number.
fn describe(world: &World, oid: &str, column: &str) -> Option<String> {
    let name = world.table(oid.parse().ok()?)?;
    let table = world.descriptions.iter().find(|table| table.table == name)?;
    let text = match column.parse::<usize>().ok()? {
        0 => &table.description,
        number => &table.columns.get(number - 1)?.description,
    };
    (!text.is_empty()).then(|| text.clone())
}

/// Everything may be read, nothing may be changed.
fn may_read(_: &World, arguments: &[Option<&str>]) -> Option<String> {
    let privilege = (*arguments.last()?)?.to_uppercase();
    Some(privilege.split(',').any(|one| one.trim() == "SELECT").to_string())
}

struct CatalogFunction {
    name: &'static str,
    returns: DataType,
    signature: Signature,
    compute: Compute,
    world: Arc<World>,
}

impl std::fmt::Debug for CatalogFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.world, &other.world)
    }
}

impl Eq for CatalogFunction {}

impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let count = if constant { 1 } else { arguments.number_rows };
        let text = |argument: ColumnarValue| -> Result<ArrayRef> { Ok(cast(&argument.into_array(count)?, &DataType::Utf8)?) };
        let columns: Vec<ArrayRef> = arguments.args.into_iter().map(text).collect::<Result<_>>()?;
        let row = |row: usize| {
            let value = |column: &'_ ArrayRef| (!column.is_null(row)).then(|| column.as_string::<i32>().value(row).to_owned());
            let values: Vec<Option<String>> = columns.iter().map(value).collect();
            let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            (self.compute)(&self.world, &values)
        };
        let answers: ArrayRef = Arc::new((0..count).map(row).collect::<StringArray>());
        let answers = cast(&answers, &self.returns)?;
        Ok(if constant {
            ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&answers, 0)?)
        } else {
            ColumnarValue::Array(answers)
        })
    }
}
