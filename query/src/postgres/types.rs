//! Arrow types and PostgreSQL types: which column becomes what, and how it is made ready to be encoded.

use super::rewrite::named;
use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, IntervalUnit, TimeUnit},
    error::ArrowError,
};
use std::sync::Arc;

/// A type of PostgreSQL: its number and its name. Source: `pg_type.dat` of PostgreSQL 15; numbers below 10000 never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    oid: u32,
    name: &'static str,
}

macro_rules! types {
    ($(($constant:ident, $oid:literal, $name:literal),)*) => {
        #[allow(missing_docs, reason = "each is named like its type")]
        impl Type {
            $(pub const $constant: Self = Self { oid: $oid, name: $name };)*
            /// All that are known here.
            const ALL: &[Self] = &[$(Self::$constant),*];
        }
    };
}

types! {
    (BOOL, 16, "bool"),
    (BYTEA, 17, "bytea"),
    (CHAR, 18, "char"),
    (NAME, 19, "name"),
    (INT8, 20, "int8"),
    (INT2, 21, "int2"),
    (INT4, 23, "int4"),
    (TEXT, 25, "text"),
    (OID, 26, "oid"),
    (JSON, 114, "json"),
    (FLOAT4, 700, "float4"),
    (FLOAT8, 701, "float8"),
    (UNKNOWN, 705, "unknown"),
    (BPCHAR, 1042, "bpchar"),
    (VARCHAR, 1043, "varchar"),
    (DATE, 1082, "date"),
    (TIME, 1083, "time"),
    (TIMESTAMP, 1114, "timestamp"),
    (TIMESTAMPTZ, 1184, "timestamptz"),
    (INTERVAL, 1186, "interval"),
    (NUMERIC, 1700, "numeric"),
    (REGCLASS, 2205, "regclass"),
    (UUID, 2950, "uuid"),
    (JSONB, 3802, "jsonb"),
    (BOOL_ARRAY, 1000, "_bool"),
    (BYTEA_ARRAY, 1001, "_bytea"),
    (CHAR_ARRAY, 1002, "_char"),
    (NAME_ARRAY, 1003, "_name"),
    (INT2_ARRAY, 1005, "_int2"),
    (INT4_ARRAY, 1007, "_int4"),
    (TEXT_ARRAY, 1009, "_text"),
    (BPCHAR_ARRAY, 1014, "_bpchar"),
    (VARCHAR_ARRAY, 1015, "_varchar"),
    (INT8_ARRAY, 1016, "_int8"),
    (FLOAT4_ARRAY, 1021, "_float4"),
    (FLOAT8_ARRAY, 1022, "_float8"),
    (OID_ARRAY, 1028, "_oid"),
    (TIMESTAMP_ARRAY, 1115, "_timestamp"),
    (DATE_ARRAY, 1182, "_date"),
    (TIME_ARRAY, 1183, "_time"),
    (TIMESTAMPTZ_ARRAY, 1185, "_timestamptz"),
    (INTERVAL_ARRAY, 1187, "_interval"),
    (NUMERIC_ARRAY, 1231, "_numeric"),
    (JSON_ARRAY, 199, "_json"),
    (REGCLASS_ARRAY, 2210, "_regclass"),
    (UUID_ARRAY, 2951, "_uuid"),
    (JSONB_ARRAY, 3807, "_jsonb"),
}

impl Type {
    /// Its number.
    pub fn oid(self) -> u32 {
        self.oid
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Bytes of a value in binary; -1 when that varies.
    pub fn size(self) -> i16 {
        match self {
            Self::BOOL | Self::CHAR => 1,
            Self::INT2 => 2,
            Self::INT4 | Self::FLOAT4 | Self::DATE | Self::OID => 4,
            Self::INT8 | Self::FLOAT8 | Self::TIMESTAMP | Self::TIMESTAMPTZ | Self::TIME => 8,
            Self::INTERVAL => 16,
            _ => -1,
        }
    }

    /// The type with a number.
    pub fn from_oid(oid: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.oid == oid)
    }
}

/// A column of an answer.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as clients see it.
    pub r#type: Type,
}

impl Column {
    /// The column that a field becomes.
    pub fn of(field: &Field) -> Self {
        // A column without a name is called like its function, as PostgreSQL does.
        let function = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let name = named(field.name());
        let name = match name.split_once('(') {
            Some((called, rest)) if rest.ends_with(')') && function(called) => called,
            _ => name,
        };
        Self { name: name.to_owned(), r#type: pg_type(field.data_type()) }
    }
}

/// The type that clients see. What PostgreSQL has no type for is text.
pub fn pg_type(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::INT8,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Type::NUMERIC
        }
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Dictionary(_, value) => pg_type(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            match pg_type(item.data_type()) {
                Type::BOOL => Type::BOOL_ARRAY,
                Type::INT2 => Type::INT2_ARRAY,
                Type::INT4 => Type::INT4_ARRAY,
                Type::INT8 => Type::INT8_ARRAY,
                Type::FLOAT4 => Type::FLOAT4_ARRAY,
                Type::FLOAT8 => Type::FLOAT8_ARRAY,
                Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
                _ => Type::TEXT_ARRAY,
            }
        }
        _ => Type::TEXT,
    }
}

/// The Arrow type of a parameter.
pub fn arrow_type(r#type: &Type) -> Option<DataType> {
    Some(match *r#type {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Float64,
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Nanosecond, None),
        Type::DATE => DataType::Date32,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::JSON | Type::UUID => DataType::Utf8,
        Type::BYTEA => DataType::Binary,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => DataType::new_list(DataType::Utf8, true),
        Type::INT2_ARRAY | Type::INT4_ARRAY => DataType::new_list(DataType::Int32, true),
        Type::INT8_ARRAY => DataType::new_list(DataType::Int64, true),
        Type::FLOAT8_ARRAY | Type::FLOAT4_ARRAY => DataType::new_list(DataType::Float64, true),
        _ => return None,
    })
}

/// The one Arrow type that each PostgreSQL type is encoded from.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Interval(_) | DataType::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, value) => plain(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let item_type = plain(item.data_type());
            DataType::List(Arc::new(Field::new(item.name(), item_type, true)))
        }
        other => other.clone(),
    }
}

/// The columns of a batch in the types they are encoded from.
///
/// # Errors
/// When a number is too large for PostgreSQL's types, which have no unsigned ones.
pub fn plain_columns(batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let ready = |column: &ArrayRef| {
        let wanted = plain(column.data_type());
        if wanted == *column.data_type() { Ok(column.clone()) } else { cast_with_options(column, &wanted, &options) }
    };
    batch.columns().iter().map(ready).collect()
}
