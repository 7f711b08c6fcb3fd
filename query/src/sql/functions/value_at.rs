//! `value_at(asset, property, time)`: the value a property had at an instant, the last Good one at or before it.
//!
//! This is the as-of join: `SELECT time, detector, value_at(asset, 'fill_temp', time) FROM alarms`. Rows are looked up together,
//! one walk along each series for a batch of rows, see [`super::lookup`].

use super::{
    arguments::{as_time, nanos},
    lookup::{Question, as_of},
    series::{Found, SeriesNames},
};
use andon_models::{Value, ValueType};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray},
    compute::cast,
    datatypes::{DataType, Field, FieldRef},
};
use async_trait::async_trait;
use datafusion::{
    common::{internal_err, plan_err},
    error::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl},
    },
};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

const NAME: &str = "value_at";

/// The function.
pub fn function(names: Arc<SeriesNames>) -> ScalarUDF {
    // Volatile: history grows, and a plan must not compute it before it runs.
    let signature = Signature::any(3, Volatility::Volatile);
    AsyncScalarUDF::new(Arc::new(ValueAt { names, signature })).into_scalar_udf()
}

#[derive(Debug)]
struct ValueAt {
    names: Arc<SeriesNames>,
    signature: Signature,
}

impl PartialEq for ValueAt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
    }
}

impl Eq for ValueAt {}

impl Hash for ValueAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NAME.hash(state);
    }
}

impl ScalarUDFImpl for ValueAt {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {NAME} follows from the property")
    }

    /// The type of the property where its name is a constant; a number else.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        as_time(NAME, args.arg_fields[2].data_type())?;
        let text = |index: usize| args.scalar_arguments[index].and_then(|value| value.try_as_str().flatten());
        let value_type = match (text(0), text(1)) {
            (Some(asset), Some(property)) => self.names.resolve(asset, property)?.value_type,
            (None, Some(property)) => self.names.type_of(property)?,
            _ => ValueType::Double,
        };
        Ok(Arc::new(Field::new(NAME, arrow_type(value_type), true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{NAME} reads history, so it runs as its own step")
    }
}

fn arrow_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Boolean => DataType::Boolean,
        ValueType::Integer => DataType::Int64,
        ValueType::Double => DataType::Float64,
        ValueType::String => DataType::Utf8,
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for ValueAt {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [assets, properties, times] = args.args.as_slice() else { return plan_err!("{NAME} wants three arguments") };
        let text =
            |column: &ColumnarValue| Ok::<_, DataFusionError>(cast(&column.to_array(args.number_rows)?, &DataType::Utf8)?);
        let (assets, properties) = (text(assets)?, text(properties)?);
        let (assets, properties) = (assets.as_string::<i32>(), properties.as_string::<i32>());
        let times = nanos(&times.to_array(args.number_rows)?)?;
        let mut questions: HashMap<(&str, &str), Vec<Question>> = HashMap::new();
        for row in (0..times.len()).filter(|row| times.is_valid(*row) && assets.is_valid(*row) && properties.is_valid(*row)) {
            questions.entry((assets.value(row), properties.value(row))).or_default().push((times.value(row), row));
        }
        let mut values = vec![Value::Null; args.number_rows];
        for ((asset, property), questions) in questions {
            let Some(Found { series, .. }) = self.names.find(asset, property) else { continue };
            for (row, value) in as_of(&self.names, series, questions).await? {
                values[row] = value;
            }
        }
        Ok(ColumnarValue::Array(column(&values, args.return_field.data_type())))
    }
}

fn column(values: &[Value], data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Boolean => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Int64 => {
            let whole = |value: &Value| if let Value::Integer(number) = value { Some(*number) } else { None };
            Arc::new(values.iter().map(whole).collect::<Int64Array>())
        }
        DataType::Utf8 => {
            let text = |value: &Value| if let Value::String(text) = value { Some(text.to_string()) } else { None };
            Arc::new(values.iter().map(text).collect::<StringArray>())
        }
        _ => Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>()),
    }
}
