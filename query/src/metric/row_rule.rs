//! Parts of expressions that DataFusion has no operator for: texts, times, documents, and everything with the rules of SiteWise's
//! formulas. They run as a function of the plan, row by row, on the very evaluator that transforms and guards use.

use andon_models::{
    Quality, Value,
    expression::{Expression, Node, SlotValue, Type},
    value::ValueType,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray},
    datatypes::{DataType, Float64Type, Int64Type},
};
use datafusion::{
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility},
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The column type of a type of the language; what is known at run time only becomes what is wanted.
pub fn column_type(node_type: Type, wanted: DataType) -> DataType {
    match node_type {
        Type::Boolean => DataType::Boolean,
        Type::Number => DataType::Float64,
        Type::String => DataType::Utf8,
        Type::Null | Type::Any => wanted,
    }
}

/// The column type of the values of a property.
pub fn stored_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Boolean | ValueType::Integer | ValueType::Double => DataType::Float64,
        ValueType::String => DataType::Utf8,
    }
}

/// A function of the leaves of an expression, in their order.
pub fn whole(expression: &Arc<Expression>, returns: DataType) -> ScalarUDF {
    ScalarUDF::from(RowRule::new(expression, None, returns))
}

/// A function of the leaves of a part of an expression, in their order.
pub fn part(expression: &Arc<Expression>, part: &Node, returns: DataType) -> ScalarUDF {
    ScalarUDF::from(RowRule::new(expression, Some(part.clone()), returns))
}

#[derive(Debug)]
struct RowRule {
    name: String,
    expression: Arc<Expression>,
    /// What is evaluated; the whole expression if none.
    part: Option<Node>,
    returns: DataType,
    signature: Signature,
}

impl RowRule {
    fn new(expression: &Arc<Expression>, part: Option<Node>, returns: DataType) -> Self {
        let span = part.as_ref().map_or_else(|| expression.root.span, |part| part.span);
        let text = expression.text.get(span.start..span.end).unwrap_or(&expression.text);
        // A part may read nothing: `log2(15)`.
        let signature = Signature::one_of(vec![TypeSignature::VariadicAny, TypeSignature::Nullary], Volatility::Immutable);
        Self { name: format!("{{{text}}}"), expression: expression.clone(), part, returns, signature }
    }

    fn row(&self, leaves: &[&Node], columns: &[ArrayRef], row: usize) -> Value {
        let leaf = |leaf: &Node| {
            let position = leaves.iter().position(|known| std::ptr::eq(*known, leaf))?;
            Some(SlotValue { value: value(columns.get(position)?, row), quality: Quality::Good, time: None })
        };
        match &self.part {
            Some(part) => self.expression.evaluate_part(part, &leaf).value,
            None => self.expression.evaluate_leaves(&leaf).value,
        }
    }
}

impl PartialEq for RowRule {
    fn eq(&self, other: &Self) -> bool {
        (&self.expression, &self.part, &self.returns) == (&other.expression, &other.part, &other.returns)
    }
}

impl Eq for RowRule {}

impl Hash for RowRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.returns).hash(state);
    }
}

impl ScalarUDFImpl for RowRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let leaves = self.part.as_ref().unwrap_or(&self.expression.root).leaves();
        let rows = (0..args.number_rows).map(|row| self.row(&leaves, &columns, row));
        Ok(ColumnarValue::Array(match self.returns {
            DataType::Utf8 => {
                let text = |value| if let Value::String(text) = value { Some(text.to_string()) } else { None };
                Arc::new(rows.map(text).collect::<StringArray>())
            }
            DataType::Boolean => Arc::new(rows.map(|value| value.as_bool()).collect::<BooleanArray>()),
            _ => Arc::new(rows.map(|value| value.as_f64()).collect::<Float64Array>()),
        }))
    }
}

fn value(column: &ArrayRef, row: usize) -> Value {
    let row = if column.len() == 1 { 0 } else { row };
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        _ => Value::Null,
    }
}
