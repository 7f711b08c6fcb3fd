//! Aggregates whose rule lives in `andon-models`: they collect the rows of one asset and window, and ask the rule.

use super::oee::{Part, PartRow, evaluate};
use andon_models::{
    Timestamp, Value,
    catalog::Catalog,
    definition::{CounterRule, ModelIndex},
    expression::{Aggregate, AggregateInput, Type, aggregate},
    oee::OeeFigure,
    window::{Window, WindowSpec},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, StringArray, StructArray},
    datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int32Type, Int64Type},
};
use datafusion::{
    common::internal_err,
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};
use std::{
    collections::{BTreeMap, HashMap},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A rule over the rows of one input.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which.
    pub aggregate: Aggregate,
    /// For `increase`, how the counter starts over.
    pub counter: CounterRule,
    /// The type of the argument.
    pub value_type: Type,
}

/// The aggregate function of a rule: `(series, at, start, end, value)`.
pub fn rule(name: String, rule: Rule) -> AggregateUDF {
    let value = match rule.value_type {
        Type::String => DataType::Utf8,
        Type::Boolean if rule.aggregate.keeps_type() => DataType::Boolean,
        _ => DataType::Float64,
    };
    let arguments = vec![DataType::Int32, DataType::Int64, DataType::Int64, DataType::Int64, value.clone()];
    let make = move || -> Box<dyn Collector> { Box::new(RuleCollector { rule, window: None, samples: BTreeMap::new() }) };
    AggregateUDF::from(Collect::new(name, arguments, value, Arc::new(make)))
}

/// The aggregate function of a model's OEE: `(slot, at, start, end, number, text)` to a struct of figures and their record.
pub fn oee(catalog: Arc<Catalog>, model: ModelIndex, spec: WindowSpec, parts: Vec<(Part, i32)>) -> AggregateUDF {
    let arguments = vec![DataType::Int32, DataType::Int64, DataType::Int64, DataType::Int64, DataType::Float64, DataType::Utf8];
    let mut by_slot: HashMap<i32, Vec<Part>> = HashMap::new();
    parts.into_iter().for_each(|(part, slot)| by_slot.entry(slot).or_default().push(part));
    let shared = Arc::new((catalog, by_slot, spec));
    let make = move || -> Box<dyn Collector> {
        Box::new(OeeCollector { shared: shared.clone(), model, window: None, rows: Vec::new() })
    };
    AggregateUDF::from(Collect::new("oee".into(), arguments, DataType::Struct(figures()), Arc::new(make)))
}

/// The name of a figure in the struct.
pub fn figure_name(figure: OeeFigure) -> &'static str {
    match figure {
        OeeFigure::Availability => "availability",
        OeeFigure::Performance => "performance",
        OeeFigure::QualityRate => "quality_rate",
        OeeFigure::Oee => "oee",
    }
}

const FIGURES: [OeeFigure; 4] = [OeeFigure::Availability, OeeFigure::Performance, OeeFigure::QualityRate, OeeFigure::Oee];

/// The name of the record in the struct.
pub const RECORD: &str = "record";

fn figures() -> Fields {
    let figures = FIGURES.iter().map(|figure| Field::new(figure_name(*figure), DataType::Float64, true));
    figures.chain([Field::new(RECORD, DataType::Utf8, true)]).collect()
}

/// Takes rows and says what they make.
trait Collector: std::fmt::Debug + Send + Sync {
    fn take(&mut self, columns: &[ArrayRef]);
    fn result(&mut self) -> Result<ScalarValue>;
    fn size(&self) -> usize;
}

type Make = Arc<dyn Fn() -> Box<dyn Collector> + Send + Sync>;

/// One aggregate function; its name is its identity within a plan.
struct Collect {
    name: String,
    signature: Signature,
    returns: DataType,
    make: Make,
}

impl Collect {
    fn new(name: String, arguments: Vec<DataType>, returns: DataType, make: Make) -> Self {
        Self { name, signature: Signature::exact(arguments, Volatility::Immutable), returns, make }
    }
}

impl std::fmt::Debug for Collect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collect").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Collect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.make, &other.make)
    }
}

impl Eq for Collect {}

impl Hash for Collect {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Collect {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Collecting((self.make)())))
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("unused", DataType::Null, true))])
    }
}

#[derive(Debug)]
struct Collecting(Box<dyn Collector>);

impl Accumulator for Collecting {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.take(values);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.result()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        internal_err!("metrics are aggregated in one partition, so no partial state exists")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        internal_err!("metrics are aggregated in one partition, so no partial state exists")
    }
}

#[derive(Debug)]
struct RuleCollector {
    rule: Rule,
    window: Option<Window>,
    samples: BTreeMap<i32, Vec<(Timestamp, Value)>>,
}

fn window_of(columns: &[ArrayRef]) -> Option<Window> {
    let first = |column: usize| columns[column].as_primitive::<Int64Type>().iter().next().flatten().map(Timestamp::from_nanos);
    Some(Window { start: first(2)?, end: first(3)? })
}

impl Collector for RuleCollector {
    fn take(&mut self, columns: &[ArrayRef]) {
        self.window = self.window.or_else(|| window_of(columns));
        let (series, at) = (columns[0].as_primitive::<Int32Type>(), columns[1].as_primitive::<Int64Type>());
        for row in 0..series.len() {
            let sample = (Timestamp::from_nanos(at.value(row)), value(&columns[4], row));
            self.samples.entry(series.value(row)).or_default().push(sample);
        }
    }

    fn result(&mut self) -> Result<ScalarValue> {
        let Some(window) = self.window else { return Ok(null(self.rule)) };
        let Rule { aggregate: kind, counter, .. } = self.rule;
        let run = |samples: &mut Vec<(Timestamp, Value)>| {
            samples.sort_by_key(|(at, _)| *at);
            aggregate(kind, AggregateInput { window, samples, counter })
        };
        let value = if kind.keeps_type() {
            run(&mut self.samples.values_mut().flat_map(std::mem::take).collect())
        } else {
            // Each counter and each state is followed by itself; a group of machines adds up, or has the mean of its means.
            let each: Vec<f64> = self.samples.values_mut().filter_map(|samples| run(samples).as_f64()).collect();
            let sum: f64 = each.iter().sum();
            let mean = matches!(
                kind,
                Aggregate::TimeWeightedAverage | Aggregate::TimeWeightedLinear | Aggregate::TimeWeightedDeviation
            );
            if each.is_empty() { Value::Null } else { Value::from(if mean { sum / each.len() as f64 } else { sum }) }
        };
        Ok(match value {
            Value::Double(number) => ScalarValue::Float64(Some(number)),
            Value::Integer(number) => ScalarValue::Float64(Some(number as f64)),
            Value::Boolean(truth) => ScalarValue::Boolean(Some(truth)),
            Value::String(text) => ScalarValue::Utf8(Some(text.to_string())),
            Value::Null => null(self.rule),
        })
    }

    fn size(&self) -> usize {
        self.samples.values().map(|samples| samples.capacity() * size_of::<(Timestamp, Value)>()).sum()
    }
}

fn null(rule: Rule) -> ScalarValue {
    match rule.value_type {
        Type::String => ScalarValue::Utf8(None),
        Type::Boolean if rule.aggregate.keeps_type() => ScalarValue::Boolean(None),
        _ => ScalarValue::Float64(None),
    }
}

fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        _ => Value::Null,
    }
}

/// The plant, which parts the properties of a slot play, and the windows.
type Shared = (Arc<Catalog>, HashMap<i32, Vec<Part>>, WindowSpec);

#[derive(Debug)]
struct OeeCollector {
    shared: Arc<Shared>,
    model: ModelIndex,
    window: Option<Window>,
    rows: Vec<PartRow>,
}

impl Collector for OeeCollector {
    fn take(&mut self, columns: &[ArrayRef]) {
        self.window = self.window.or_else(|| window_of(columns));
        let (slot, at) = (columns[0].as_primitive::<Int32Type>(), columns[1].as_primitive::<Int64Type>());
        let (number, text) = (columns[4].as_primitive::<Float64Type>(), columns[5].as_string::<i32>());
        for row in 0..slot.len() {
            // One property may play two parts.
            for part in self.shared.1.get(&slot.value(row)).into_iter().flatten() {
                let number = number.is_valid(row).then(|| number.value(row));
                let text = text.is_valid(row).then(|| text.value(row).to_owned());
                self.rows.push((*part, at.value(row), number, text));
            }
        }
    }

    fn result(&mut self) -> Result<ScalarValue> {
        let rows = std::mem::take(&mut self.rows);
        let (catalog, _, spec) = &*self.shared;
        // A line whose machines have no figures has none either.
        let record = self.window.and_then(|window| evaluate(catalog, self.model, window, spec, rows));
        let value = |figure: &OeeFigure| record.as_ref().and_then(|record| record.totals.figure(*figure));
        let column = |figure: &OeeFigure| Arc::new(Float64Array::from(vec![value(figure)])) as ArrayRef;
        let mut columns: Vec<ArrayRef> = FIGURES.iter().map(column).collect();
        columns.push(Arc::new(StringArray::from(vec![record.as_ref().map(|record| record.text())])));
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(figures(), columns, None)?)))
    }

    fn size(&self) -> usize {
        self.rows.capacity() * size_of::<PartRow>()
    }
}
