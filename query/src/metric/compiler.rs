//! The DataFusion compiler of the expression language: metrics become aggregates over windowed rows and a projection.
//!
//! Division by zero, overflow and what is not finite have no value, as in the row evaluator.

use super::{
    collect::{self, Rule},
    row_rule,
};
use crate::error::QueryError;
use andon_models::{
    Value,
    catalog::Catalog,
    definition::{AssetModel, CounterRule, MetricFormula, ModelIndex, PropertyKind},
    expression::{Aggregate, BinaryOperator, Expression, Form, Function, Node, NodeKind, Reference, Type, UnaryOperator},
    window::WindowSpec,
};
use arrow::datatypes::DataType;
use datafusion::{
    functions::{core::expr_fn as core, math::expr_fn as math},
    functions_aggregate::expr_fn as aggregates,
    logical_expr::{ExprFunctionExt, cast, not, when},
    prelude::{Expr, col, lit},
    scalar::ScalarValue,
};
use std::{collections::HashMap, sync::Arc};

/// The metrics of one model and window kind, compiled.
pub struct Compiled {
    /// What each slot reads, for every asset.
    pub slots: Vec<Reference>,
    /// The aggregates, by asset and window.
    pub aggregates: Vec<Expr>,
    /// Each metric's key, and what it makes of the aggregates.
    pub outputs: Vec<(Arc<str>, Expr)>,
}

/// Compiles all metrics of a model whose window is `spec`.
pub fn compile(catalog: &Arc<Catalog>, model: ModelIndex, spec: &WindowSpec) -> Result<Compiled, QueryError> {
    let mut compiler = Compiler {
        catalog,
        model: &catalog.plant.models[model.0],
        model_index: model,
        spec,
        slots: Vec::new(),
        aggregates: Vec::new(),
        done: HashMap::new(),
        oee: false,
    };
    let mut outputs = Vec::new();
    for property in &compiler.model.properties {
        if matches!(&property.kind, PropertyKind::Metric { window, .. } if window == spec) {
            outputs.push((property.key.clone(), compiler.metric(&property.key)?));
        }
    }
    Ok(Compiled { slots: compiler.slots, aggregates: compiler.aggregates, outputs })
}

struct Compiler<'a> {
    catalog: &'a Arc<Catalog>,
    model: &'a AssetModel,
    model_index: ModelIndex,
    spec: &'a WindowSpec,
    slots: Vec<Reference>,
    aggregates: Vec<Expr>,
    /// Metrics compiled already, by key: metrics on metrics of the same window take the other's expression.
    done: HashMap<Arc<str>, Expr>,
    oee: bool,
}

impl Compiler<'_> {
    fn metric(&mut self, key: &Arc<str>) -> Result<Expr, QueryError> {
        if let Some(done) = self.done.get(key) {
            return Ok(done.clone());
        }
        let index = self.model.property(key).ok_or_else(|| QueryError::Internal(format!("no metric {key}")))?;
        let PropertyKind::Metric { formula, .. } = &self.model.properties[index.0].kind else {
            return Err(QueryError::Internal(format!("{key} is no metric")));
        };
        let expression = match formula {
            MetricFormula::Expression(expression) => {
                let wanted = row_rule::stored_type(self.model.properties[index.0].value_type);
                self.expression(expression, wanted)?
            }
            MetricFormula::Oee(figure) => core::get_field(self.oee(), collect::figure_name(*figure)),
            MetricFormula::OeeRecord => core::get_field(self.oee(), collect::RECORD),
        };
        self.done.insert(key.clone(), expression.clone());
        Ok(expression)
    }

    /// The struct of OEE figures, aggregated once for all metrics that show a part of it.
    fn oee(&mut self) -> Expr {
        if !self.oee {
            self.oee = true;
            let parts = super::oee::references(self.catalog, self.model_index, self.spec);
            let parts = parts.into_iter().map(|(part, reference)| (part, self.slot(&reference))).collect();
            let rule = collect::oee(self.catalog.clone(), self.model_index, self.spec.clone(), parts);
            let arguments = ["slot", "at", "start", "end", "number", "text"].map(col).to_vec();
            self.aggregates.push(rule.call(arguments).alias("oee"));
        }
        col("oee")
    }

    fn slot(&mut self, reference: &Reference) -> i32 {
        let position = self.slots.iter().position(|known| known == reference).unwrap_or_else(|| {
            self.slots.push(reference.clone());
            self.slots.len() - 1
        });
        i32::try_from(position).unwrap_or(i32::MAX)
    }

    /// What a whole expression makes of the aggregates.
    fn expression(&mut self, expression: &Arc<Expression>, wanted: DataType) -> Result<Expr, QueryError> {
        if expression.form != Form::Formula {
            return self.node(expression, &expression.root);
        }
        let leaves = expression.leaves().into_iter().map(|leaf| self.node(expression, leaf)).collect::<Result<_, _>>()?;
        let returns = row_rule::column_type(expression.result_type(), wanted);
        Ok(row_rule::whole(expression, returns).call(leaves))
    }

    /// The end of the window, in seconds since 1970.
    fn window_end(&mut self) -> Expr {
        let name = format!("a{}", self.aggregates.len());
        self.aggregates.push(aggregates::max(col("end")).alias(&name));
        cast(col(name), DataType::Float64) / lit(1e9)
    }

    /// What a node makes of the aggregates.
    fn node(&mut self, expression: &Arc<Expression>, node: &Node) -> Result<Expr, QueryError> {
        match &node.kind {
            NodeKind::Slot(slot) if expression.references[*slot] == Reference::Time => Ok(self.window_end()),
            NodeKind::Slot(slot) => match self.same_window(&expression.references[*slot]) {
                Some(key) => self.metric(&key),
                None => self.aggregate(expression, Aggregate::Latest, node),
            },
            NodeKind::Aggregate(aggregate, argument) => self.aggregate(expression, *aggregate, argument),
            _ => combine(expression, node, &mut |operand| self.node(expression, operand)),
        }
    }

    /// The key of a metric of this very model and window that a reference means.
    fn same_window(&self, reference: &Reference) -> Option<Arc<str>> {
        let Reference::Own(key) = reference else { return None };
        let property = &self.model.properties[self.model.property(key)?.0];
        matches!(&property.kind, PropertyKind::Metric { window, .. } if window == self.spec).then(|| property.key.clone())
    }

    fn aggregate(&mut self, expression: &Arc<Expression>, aggregate: Aggregate, argument: &Node) -> Result<Expr, QueryError> {
        let mut read = Vec::new();
        argument.collect_slots(&mut read);
        let reference = read.first().map(|slot| expression.references[*slot].clone());
        let reference = reference.ok_or_else(|| QueryError::Internal(format!("`{}` aggregates nothing", expression.text)))?;
        if self.same_window(&reference).is_some() {
            // One value in the window, and it is the window's own.
            return self.node(expression, argument);
        }
        let slot = self.slot(&reference);
        let value = argument_value(expression, aggregate, argument)?;
        let here = col("slot").eq(lit(slot));
        let inside = here.clone().and(not(col("carried")));
        let number = || as_number(value.clone(), argument.node_type);
        let name = format!("a{}", self.aggregates.len());
        let native = match aggregate {
            Aggregate::Average => Some(aggregates::avg(number())),
            Aggregate::Minimum => Some(aggregates::min(number())),
            Aggregate::Maximum => Some(aggregates::max(number())),
            Aggregate::Sum => Some(aggregates::sum(number())),
            Aggregate::Count => Some(aggregates::count(value.clone())),
            Aggregate::StandardDeviation => Some(aggregates::stddev(number())),
            _ => None,
        };
        let call = match native {
            Some(native) => native.filter(inside).build()?,
            None => {
                let rule = Rule { aggregate, counter: self.counter(&reference), value_type: argument.node_type };
                let value = if aggregate.keeps_type() { value } else { number() };
                let arguments = vec![col("series"), col("at"), col("start"), col("end"), value];
                collect::rule(name.clone(), rule).call(arguments).filter(here).build()?
            }
        };
        self.aggregates.push(call.alias(&name));
        let result = col(name);
        Ok(if aggregate == Aggregate::Count { cast(result, DataType::Float64) } else { result })
    }

    fn counter(&self, reference: &Reference) -> CounterRule {
        let models = &self.catalog.plant.models;
        let property = match reference {
            Reference::Own(key) => self.model.property(key).map(|index| &self.model.properties[index.0]),
            Reference::Children { hierarchy, property } => {
                let hierarchy = self.model.hierarchies.iter().find(|known| known.name == *hierarchy);
                let child = hierarchy.and_then(|hierarchy| hierarchy.models.first()).map(|child| &models[child.0]);
                child.and_then(|child| Some(&child.properties[child.property(property)?.0]))
            }
            _ => None,
        };
        match property.map(|property| &property.kind) {
            Some(PropertyKind::Measurement { counter: Some(counter), .. }) => *counter,
            _ => CounterRule::default(),
        }
    }
}

/// A whole expression over columns, one for each slot; what is not Good is null in them.
#[cfg(test)]
pub fn over_columns(expression: &Arc<Expression>, columns: &[Expr]) -> Result<Expr, QueryError> {
    row_value(expression, &expression.root, &|node| match node.kind {
        NodeKind::Slot(slot) => columns.get(slot).cloned(),
        _ => None,
    })
}

/// The argument of an aggregate, over one windowed row.
fn argument_value(expression: &Arc<Expression>, aggregate: Aggregate, argument: &Node) -> Result<Expr, QueryError> {
    let column = |node: &Node| match (&node.kind, node.node_type) {
        (NodeKind::Slot(_), Type::String) => Some(col("text")),
        (NodeKind::Slot(_), Type::Boolean) => Some(col("number").not_eq(lit(0.0))),
        (NodeKind::Slot(_), _) => Some(col("number")),
        _ => None,
    };
    let simple = matches!(argument.kind, NodeKind::Slot(_));
    if simple || (expression.form != Form::Formula && argument.node_type != Type::Any) {
        return row_value(expression, argument, &column);
    }
    // Whether it is a text or a number is known at run time only; what is calculated with must be a number.
    let leaves = argument.leaves();
    let text = aggregate.keeps_type() && leaves.iter().any(|leaf| leaf.node_type == Type::String);
    let wanted = if text { DataType::Utf8 } else { DataType::Float64 };
    let returns = row_rule::column_type(argument.node_type, wanted);
    Ok(row_rule::part(expression, argument, returns).call(leaves.into_iter().filter_map(column).collect()))
}

/// A part of an expression over columns.
fn row_value(expression: &Arc<Expression>, node: &Node, column: &dyn Fn(&Node) -> Option<Expr>) -> Result<Expr, QueryError> {
    match (&node.kind, column(node)) {
        (_, Some(column)) => Ok(column),
        (NodeKind::Aggregate(..), None) => Err(QueryError::Internal("an aggregate within an aggregate".into())),
        _ => combine(expression, node, &mut |operand| row_value(expression, operand, column)),
    }
}

fn as_number(expression: Expr, node_type: Type) -> Expr {
    match node_type {
        Type::Boolean => cast(cast(expression, DataType::Int8), DataType::Float64),
        _ => expression,
    }
}

/// Everything but slots and aggregates: constants, operators and functions over compiled operands. What means the same to DataFusion is
/// left to it; all else runs row by row on the row evaluator.
fn combine(
    expression: &Arc<Expression>,
    node: &Node,
    operand: &mut dyn FnMut(&Node) -> Result<Expr, QueryError>,
) -> Result<Expr, QueryError> {
    if let Some(native) = native(node, operand)? {
        return Ok(native);
    }
    let leaves = node.leaves().into_iter().map(operand).collect::<Result<_, _>>()?;
    let returns = row_rule::column_type(node.node_type, DataType::Float64);
    Ok(row_rule::part(expression, node, returns).call(leaves))
}

/// What has the same meaning to DataFusion; none where it has not. Where its functions have no value (`sqrt`, `ln`, a power of 0), they
/// end a whole plan; its `least` looks past what has none; to its `IN`, 0 and -0 are two numbers; and its `x XOR x` is 0 even if `x`
/// is no whole number.
fn native(node: &Node, operand: &mut dyn FnMut(&Node) -> Result<Expr, QueryError>) -> Result<Option<Expr>, QueryError> {
    Ok(Some(match &node.kind {
        NodeKind::Literal(value) => literal(value, node.node_type),
        NodeKind::Unary(UnaryOperator::Negate, inner) => -operand(inner)?,
        NodeKind::Unary(UnaryOperator::Not, inner) => not(operand(inner)?),
        NodeKind::If { condition, then, otherwise } => {
            when(operand(condition)?, operand(then)?).otherwise(operand(otherwise)?)?
        }
        NodeKind::Convert(conversion, inner) => {
            let (factor, offset) = conversion.line();
            finite(operand(inner)? * lit(factor) + lit(offset))?
        }
        NodeKind::Binary(operator, left, right) => return binary(*operator, operand(left)?, operand(right)?),
        NodeKind::Call(function, arguments) => match (function, arguments.as_slice()) {
            (Function::Abs, [number]) => math::abs(operand(number)?),
            (Function::Ceil, [number]) => math::ceil(operand(number)?),
            (Function::Floor, [number]) => math::floor(operand(number)?),
            (Function::Coalesce, choices) => core::coalesce(choices.iter().map(operand).collect::<Result<_, _>>()?),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn literal(value: &Value, node_type: Type) -> Expr {
    match value {
        Value::Boolean(truth) => lit(*truth),
        Value::Integer(number) => lit(*number as f64),
        Value::Double(number) => lit(*number),
        Value::String(text) => lit(&**text),
        Value::Null => lit(match node_type {
            Type::Boolean => ScalarValue::Boolean(None),
            Type::String => ScalarValue::Utf8(None),
            Type::Number | Type::Null | Type::Any => ScalarValue::Float64(None),
        }),
    }
}

fn binary(operator: BinaryOperator, left: Expr, right: Expr) -> Result<Option<Expr>, QueryError> {
    Ok(Some(match operator {
        BinaryOperator::Add => finite(left + right)?,
        BinaryOperator::Subtract => finite(left - right)?,
        BinaryOperator::Multiply => finite(left * right)?,
        BinaryOperator::Divide => finite(left / right)?,
        BinaryOperator::Remainder => finite(left % right)?,
        BinaryOperator::Equal => left.eq(right),
        BinaryOperator::NotEqual => left.not_eq(right),
        BinaryOperator::Less => left.lt(right),
        BinaryOperator::LessOrEqual => left.lt_eq(right),
        BinaryOperator::Greater => left.gt(right),
        BinaryOperator::GreaterOrEqual => left.gt_eq(right),
        BinaryOperator::And => left.and(right),
        BinaryOperator::Or => left.or(right),
        BinaryOperator::Power | BinaryOperator::BitAnd | BinaryOperator::BitOr | BinaryOperator::BitXor => return Ok(None),
    }))
}

/// Null for what is not finite; `NaN` compares greater than every number.
fn finite(number: Expr) -> Result<Expr, QueryError> {
    Ok(when(math::abs(number.clone()).lt_eq(lit(f64::MAX)), number).end()?)
}
