//! Points as an Arrow IPC stream, for a running Andon.

use super::Names;
use crate::QueryError;
use andon_models::{Point, Value};
use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder, StringDictionaryBuilder,
        TimestampNanosecondBuilder,
    },
    datatypes::Int32Type,
    ipc::writer::StreamWriter,
};
use std::sync::Arc;

/// One batch of points as a whole stream, each under the alias of its series.
///
/// # Errors
/// When it cannot be encoded.
pub fn arrow_stream(points: &[Point], names: &Names) -> Result<Vec<u8>, QueryError> {
    let mut time = TimestampNanosecondBuilder::with_capacity(points.len()).with_timezone("UTC");
    let mut alias = StringDictionaryBuilder::<Int32Type>::new();
    let (mut double, mut integer) = (Float64Builder::new(), Int64Builder::new());
    let (mut boolean, mut string) = (BooleanBuilder::new(), StringBuilder::new());
    let mut quality = StringDictionaryBuilder::<Int32Type>::new();
    let mut status = Int64Builder::new();
    let mut last = None;
    for Point { series, tqv } in points {
        if last.as_ref().is_none_or(|(known, _)| known != series) {
            last = Some((*series, names.alias_of(*series).unwrap_or_default()));
        }
        time.append_value(tqv.time.as_nanos());
        alias.append_value(last.as_ref().map_or("", |(_, name)| name.as_str()));
        double.append_option(if let Value::Double(number) = tqv.value { Some(number) } else { None });
        integer.append_option(if let Value::Integer(number) = tqv.value { Some(number) } else { None });
        boolean.append_option(tqv.value.as_bool());
        string.append_option(if let Value::String(text) = &tqv.value { Some(text) } else { None });
        quality.append_value(tqv.quality.to_string());
        status.append_value(i64::from(tqv.status.0));
    }
    let columns: [(&str, ArrayRef); 8] = [
        ("time", Arc::new(time.finish())),
        ("alias", Arc::new(alias.finish())),
        ("double", Arc::new(double.finish())),
        ("integer", Arc::new(integer.finish())),
        ("boolean", Arc::new(boolean.finish())),
        ("string", Arc::new(string.finish())),
        ("quality", Arc::new(quality.finish())),
        ("status", Arc::new(status.finish())),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}
