//! Two back ends, one meaning: generated expressions over generated data, the row evaluator against DataFusion.
//!
//! `ANDON_CASES` sets how many expressions are tried, `ANDON_SEED` where they begin; a failure prints both.

use super::compiler::over_columns;
use andon_models::{
    Quality, Value,
    expression::{Expression, Reference, Resolved, Scope, SlotValue, Type},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray},
    datatypes::{DataType, Float64Type},
};
use datafusion::prelude::{SessionContext, col};
use std::sync::Arc;

/// Expressions in one plan, rows of data for them.
const BATCH: usize = 25;
const ROWS: usize = 24;

const NUMBERS: [&str; 3] = ["a", "b", "c"];
const TRUTHS: [&str; 2] = ["p", "q"];
const TEXTS: [&str; 2] = ["s", "t"];

struct Names;

impl Scope for Names {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let [name] = path else { return None };
        let node_type = match *name {
            name if NUMBERS.contains(&name) => Type::Number,
            name if TRUTHS.contains(&name) => Type::Boolean,
            name if TEXTS.contains(&name) => Type::String,
            _ => return None,
        };
        Some(Resolved { reference: Reference::Own((*name).into()), node_type, unit: "".into() })
    }

    fn candidates(&self) -> Vec<String> {
        Vec::new()
    }

    fn aggregates(&self) -> bool {
        false
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.below(from.len())]
    }
}

fn number(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(5) == 0 {
        return match dice.below(3) {
            0 => format!("{:.1}", dice.below(41) as f64 / 2.0 - 5.0),
            _ => dice.pick(&NUMBERS).to_owned(),
        };
    }
    let n = |dice: &mut Dice| number(dice, depth - 1);
    match dice.below(16) {
        0..=4 => format!("({} {} {})", n(dice), dice.pick(&["+", "-", "*", "/", "%"]), n(dice)),
        5 => format!("({} ^ {})", n(dice), n(dice)),
        6 => format!("(-{})", n(dice)),
        7 => format!("{}({})", dice.pick(&["abs", "ceil", "floor", "sqrt", "exp", "ln", "log10"]), n(dice)),
        8 => format!("{}({})", dice.pick(&["sin", "atan", "tanh", "cbrt", "log2", "signum", "expm1"]), n(dice)),
        9 => format!("{}({}, {})", dice.pick(&["min", "max"]), n(dice), n(dice)),
        10 => format!("if({}, {}, {})", truth(dice, depth - 1), n(dice), n(dice)),
        11 => format!("coalesce({}, {})", n(dice), n(dice)),
        12 => format!("{}({}, {})", dice.pick(&["bitand", "bitor", "bitxor"]), n(dice), n(dice)),
        13 => format!("round({}, {})", n(dice), dice.below(4)),
        14 => format!("len({})", text(dice, depth - 1)),
        _ => format!("convert({}, 'bar', 'kPa')", n(dice)),
    }
}

fn truth(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(6) == 0 {
        return if dice.below(6) == 0 { dice.pick(&["true", "false"]).to_owned() } else { dice.pick(&TRUTHS).to_owned() };
    }
    match dice.below(10) {
        0..=2 => {
            let sign = dice.pick(&["==", "!=", "<", "<=", ">", ">="]);
            format!("({} {sign} {})", number(dice, depth - 1), number(dice, depth - 1))
        }
        3 => format!("({} {} {})", text(dice, depth - 1), dice.pick(&["==", "!=", "<", ">="]), text(dice, depth - 1)),
        4 => format!("({} {} {})", truth(dice, depth - 1), dice.pick(&["and", "or"]), truth(dice, depth - 1)),
        5 => format!("(not {})", truth(dice, depth - 1)),
        6 => format!("({} in ({}, {}))", number(dice, depth - 1), number(dice, depth - 1), number(dice, depth - 1)),
        7 => format!("({} not in ({}, 'x'))", text(dice, depth - 1), text(dice, depth - 1)),
        8 => format!("approx({}, {})", number(dice, depth - 1), number(dice, depth - 1)),
        _ => format!("{}({}, {})", dice.pick(&["contains", "starts_with"]), text(dice, depth - 1), text(dice, depth - 1)),
    }
}

fn text(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(3) == 0 {
        return dice.pick(&["'x'", "'B'", "''", "s", "t", "s", "t"]).to_owned();
    }
    match dice.below(5) {
        0 => format!("{}({})", dice.pick(&["upper", "lower"]), text(dice, depth - 1)),
        1 => format!("if({}, {}, {})", truth(dice, depth - 1), text(dice, depth - 1), text(dice, depth - 1)),
        2 => format!("coalesce({}, {})", text(dice, depth - 1), text(dice, depth - 1)),
        3 => format!("join('-', {}, {})", text(dice, depth - 1), number(dice, depth - 1)),
        _ => format!("format('%.2f|%s', {}, {})", number(dice, depth - 1), text(dice, depth - 1)),
    }
}

/// One value of a column, with what does not count as a value: null, and what is not Good.
fn slot(dice: &mut Dice, value: Value) -> SlotValue {
    match dice.below(8) {
        0 => SlotValue::good(Value::Null, None),
        1 => SlotValue { value, quality: Quality::Bad, time: None },
        2 => SlotValue { value, quality: Quality::Uncertain, time: None },
        _ => SlotValue::good(value, None),
    }
}

fn columns(dice: &mut Dice) -> Vec<(&'static str, Vec<SlotValue>)> {
    const FIGURES: [f64; 8] = [0.0, -0.0, 1.0, -2.5, 3.0, 1e300, 1e-300, 0.1];
    let mut column = |name: &'static str, make: &mut dyn FnMut(&mut Dice) -> Value| {
        let rows = (0..ROWS).map(|_| {
            let value = make(dice);
            slot(dice, value)
        });
        (name, rows.collect())
    };
    let mut all = Vec::new();
    for name in NUMBERS {
        all.push(column(name, &mut |dice| match dice.below(2) {
            0 => Value::Double(FIGURES[dice.below(FIGURES.len())]),
            _ => Value::Double(dice.below(400) as f64 / 8.0 - 25.0),
        }));
    }
    for name in TRUTHS {
        all.push(column(name, &mut |dice| Value::Boolean(dice.below(2) == 0)));
    }
    for name in TEXTS {
        all.push(column(name, &mut |dice| Value::from(dice.pick(&["", "x", "B", "äx", "x-1", "Filler"]))));
    }
    all
}

fn array(name: &str, rows: &[SlotValue]) -> ArrayRef {
    let good = || rows.iter().map(|slot| if slot.quality == Quality::Good { slot.value.clone() } else { Value::Null });
    if NUMBERS.contains(&name) {
        Arc::new(good().map(|value| value.as_f64()).collect::<Float64Array>())
    } else if TRUTHS.contains(&name) {
        Arc::new(good().map(|value| value.as_bool()).collect::<BooleanArray>())
    } else {
        Arc::new(good().map(|value| value.value_type().map(|_| value.to_string())).collect::<StringArray>())
    }
}

fn read(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Float64 => Value::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        other => panic!("a result of type {other}"),
    }
}

/// Equal as values: what is stored is a decimal, and 0 is -0.
fn same(row: &Value, plan: &Value) -> bool {
    match (row, plan) {
        (Value::Integer(_) | Value::Double(_), Value::Double(_)) => row.as_f64() == plan.as_f64(),
        _ => row == plan,
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test]
async fn the_row_evaluator_and_datafusion_agree() {
    let (cases, seed) = (setting("ANDON_CASES", 300) as usize, setting("ANDON_SEED", 20_261_121));
    let mut dice = Dice(seed);
    let session = SessionContext::new();
    for _ in 0..cases.div_ceil(BATCH) {
        let data = columns(&mut dice);
        let batch =
            RecordBatch::try_from_iter_with_nullable(data.iter().map(|(name, rows)| (*name, array(name, rows), true))).unwrap();
        let mut expressions = Vec::new();
        while expressions.len() < BATCH {
            let depth = 1 + dice.below(4);
            let text = match dice.below(3) {
                0 => number(&mut dice, depth),
                1 => truth(&mut dice, depth),
                _ => text(&mut dice, depth),
            };
            match Expression::parse(&text, &Names) {
                Ok(expression) => expressions.push(Arc::new(expression)),
                Err(error) => panic!("{text}: {error} (ANDON_SEED={seed})"),
            }
        }
        let compiled = expressions.iter().enumerate().map(|(index, expression)| {
            let slots: Vec<_> = expression.references.iter().map(|reference| col(reference.to_string())).collect();
            over_columns(expression, &slots).unwrap().alias(format!("r{index}"))
        });
        let frame = session.read_batch(batch).unwrap().select(compiled.collect::<Vec<_>>()).unwrap();
        let results = frame.collect().await.unwrap_or_else(|error| panic!("{error} (ANDON_SEED={seed})"));
        let result = arrow::compute::concat_batches(&results[0].schema(), &results).unwrap();
        for (index, expression) in expressions.iter().enumerate() {
            for row in 0..ROWS {
                let slots: Vec<SlotValue> = expression
                    .references
                    .iter()
                    .map(|reference| data.iter().find(|(name, _)| *name == reference.to_string()).unwrap().1[row].clone())
                    .collect();
                let by_row = expression.evaluate(&slots).value;
                let by_plan = read(result.column(index), row);
                assert!(
                    same(&by_row, &by_plan),
                    "{} with {slots:?}: {by_row} and {by_plan} (ANDON_SEED={seed})",
                    expression.text
                );
            }
        }
    }
}
