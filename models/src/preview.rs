//! What a formula would say on a running plant, before it stands in a plant file.
//!
//! The rules are those of the plant file and of what computes there: the same checker, the same units, transforms per sample, metrics
//! per window. Only the names come from the plant as it runs, so a formula sees what is there now, not what the same edit adds.

use crate::{
    Point, SeriesId, Tqv, Value, ValueType,
    catalog::Catalog,
    definition::{AssetIndex, CounterRule, ModelIndex, Plant},
    expression::{Expression, ExpressionError, Reference, Span, Type, nearest, units},
    plant_file::Severity,
    transform::Transforms,
    window::Window,
};
use names::Names;
use std::{collections::BTreeMap, sync::Arc};

mod names;
mod windows;

/// The series of results; no plant has so many.
const OUTPUT: SeriesId = SeriesId(u32::MAX);

/// A formula that may be computed.
#[derive(Clone, Debug)]
pub struct Preview {
    /// It, checked.
    pub expression: Arc<Expression>,
    /// Whether it is computed per window: it has an aggregate, or reads a metric.
    pub metric: bool,
    /// The type of its results.
    pub value_type: ValueType,
    /// The unit of its results; empty if they have none or it is not known.
    pub unit: String,
    /// What is wrong with its units or doubtful.
    pub findings: Vec<Finding>,
}

/// What is wrong with a formula, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, in bytes.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do; empty if there is nothing to say.
    pub hint: String,
    /// The name that was probably meant.
    pub nearest: Option<String>,
}

/// Reads a formula as one of a model's transforms or metrics.
///
/// # Errors
/// The first mistake, with its place and a way out.
pub fn read(plant: &Plant, model: ModelIndex, text: &str) -> Result<Preview, Finding> {
    let names = Names::new(plant, model, true);
    let expression = Expression::parse(text, &names).map_err(|error| mistake(text, &names, error))?;
    let metric = !expression.aggregates().is_empty() || names.read_metric();
    if metric {
        windows::check(&names, &expression)?;
    }
    let whole = Span { start: 0, end: text.len() };
    let value_type = match expression.result_type() {
        Type::Boolean => ValueType::Boolean,
        Type::Number | Type::Any => ValueType::Double,
        Type::String => ValueType::String,
        Type::Null => {
            let (message, hint) = (format!("`{}` never has a value", text.trim()), String::new());
            return Err(Finding { severity: Severity::Error, span: whole, message, hint, nearest: None });
        }
    };
    let (unit, doubts) = units(&expression, &names.units(&expression.references), "");
    let finding = |doubt: crate::expression::UnitDoubt| Finding {
        severity: if doubt.wrong { Severity::Error } else { Severity::Warning },
        span: doubt.span.unwrap_or(whole),
        message: doubt.message,
        hint: doubt.hint,
        nearest: None,
    };
    let findings = doubts.into_iter().map(finding).collect();
    let unit = unit.filter(|_| value_type == ValueType::Double).map(|unit| unit.to_string()).unwrap_or_default();
    Ok(Preview { expression: Arc::new(expression), metric, value_type, unit, findings })
}

fn mistake(text: &str, names: &Names<'_>, error: ExpressionError) -> Finding {
    let written = text.get(error.span.start..error.span.end).unwrap_or_default();
    let candidates = names.all();
    let unknown = !names.knows(written);
    let nearest = nearest(written, candidates.iter().map(String::as_str)).filter(|_| unknown).map(str::to_owned);
    Finding { severity: Severity::Error, span: error.span, message: error.message, hint: error.hint, nearest }
}

impl Preview {
    /// The results of a transform: one for each instant at which something came that it reads. `before` gives what was known of a
    /// series when the first of the points came.
    pub fn per_sample(
        &self,
        catalog: &Catalog,
        asset: AssetIndex,
        before: impl Fn(SeriesId) -> Option<Tqv>,
        mut points: Vec<Point>,
    ) -> Vec<Tqv> {
        let mut transforms = Transforms::single(catalog, asset, &self.expression, self.value_type, OUTPUT);
        transforms.seed(before);
        transforms.apply(&mut points);
        // A result that was corrected comes twice; the later one counts.
        let results = points.into_iter().filter(|point| point.series == OUTPUT).map(|point| (point.tqv.time, point.tqv));
        results.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The results of a metric, one per window that has one, at its end. `inputs` are the samples of each slot, one list per series:
    /// in time order, and beginning with the last one before the first window.
    ///
    /// # Errors
    /// When it follows several children through time; that is computed by the service only.
    pub fn per_window(&self, windows: &[Window], inputs: &[Input<'_>]) -> Result<Vec<Tqv>, Finding> {
        windows::compute(&self.expression, self.value_type, windows, inputs)
    }
}

/// What a slot of a metric reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'i> {
    /// The samples of the series, or of one series per child.
    pub series: &'i [Vec<Tqv>],
    /// How a counter starts over.
    pub counter: CounterRule,
}

/// The counter rule of what a reference reads.
pub fn counter_of(catalog: &Catalog, asset: AssetIndex, reference: &Reference) -> CounterRule {
    let series = catalog.resolve(asset, reference);
    let property = series.first().and_then(|series| catalog.property(*series));
    match property.map(|property| &property.kind) {
        Some(crate::definition::PropertyKind::Measurement { counter: Some(counter), .. }) => *counter,
        _ => CounterRule::default(),
    }
}

/// A result in the type that is kept of it.
fn kept(value: Value, value_type: ValueType) -> Value {
    value.coerce(value_type).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
