//! Broken and half-broken texts in all three forms: nothing panics, mistakes have a place, results are finite, work is bounded.
//!
//! Texts come from `models/tests/corpus` by cutting, doubling, swapping and inserting. `ANDON_CASES` sets how many are tried,
//! `ANDON_SEED` where they begin; a failure prints both and the text.

use super::{
    event::{EventExpression, EventOutcome, EventScene, EventTrigger},
    formula::{self, FormulaKind, FormulaScope, FormulaVariable, Role},
    *,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

const PLANT: &str = include_str!("../../tests/corpus/plant.txt");
const FORMULA: &str = include_str!("../../tests/corpus/formula.txt");
const EVENT: &str = include_str!("../../tests/corpus/event.txt");

/// What is put in: words, signs, and the ends of ranges.
const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    ":",
    "'",
    "\"",
    "`",
    "${",
    "}",
    "{",
    "$",
    "%",
    "^",
    "-",
    "!",
    "~",
    "&&",
    "||",
    "and",
    "or",
    "not",
    "in",
    "==",
    "<",
    "if(",
    "elif(",
    ".gt(",
    "f'",
    "format(",
    "jp(",
    "'$..*'",
    "'%9d'",
    "none",
    "null",
    "true",
    "e",
    "x",
    "a",
    "s",
    "0",
    "-1",
    "1e308",
    "9223372036854775807",
    "-9223372036854775808",
    "5m",
    "82°C",
    "ä",
    "\u{10FFFF}",
    "\0",
    "\n",
    " ",
    "'+2'",
    "$input.A",
    "$variable.x",
    "[::-1]",
    "[0:99999999999]",
    "pow(",
    "mktime(",
    "hour(",
    "localtime(",
];

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    fn value(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => Value::Boolean(self.below(2) == 0),
            2 => Value::Integer([0, -1, i64::MAX, i64::MIN, 1 << 53][self.below(5)]),
            3 => Value::Double([f64::MAX, -0.0, 5e-324, f64::NAN, f64::INFINITY][self.below(5)]),
            4 => Value::from(["", "x", "äöü", "{\"a\": [1, {\"b\": 2}]}", "%n"][self.below(5)]),
            _ => Value::Double(self.below(200) as f64 / 8.0 - 10.0),
        }
    }

    fn slot(&mut self) -> SlotValue {
        let quality = [Quality::Good, Quality::Good, Quality::Uncertain, Quality::Bad][self.below(4)];
        let time =
            [None, Some(Timestamp::MIN), Some(Timestamp::from_seconds(1_782_907_230)), Some(Timestamp::MAX)][self.below(4)];
        SlotValue { value: self.value(), quality, time }
    }

    /// A text from the corpus, changed here and there.
    fn text(&mut self, corpus: &[&str]) -> String {
        let mut letters: Vec<char> = corpus[self.below(corpus.len())].chars().collect();
        for _ in 0..self.below(6) {
            let (from, to) = (self.below(letters.len() + 1), self.below(letters.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match self.below(6) {
                0 => drop(letters.drain(from..to)),
                1 => {
                    let part = letters[from..to].to_vec();
                    let times = [1, 1, 2, 30][self.below(4)];
                    (0..times).for_each(|_| drop(letters.splice(from..from, part.iter().copied())));
                }
                2 => letters[from..to].reverse(),
                3 => {
                    let other: Vec<char> = corpus[self.below(corpus.len())].chars().collect();
                    let begin = self.below(other.len() + 1);
                    drop(letters.splice(from..to, other[begin..].iter().copied()));
                }
                _ => drop(letters.splice(from..from, WORDS[self.below(WORDS.len())].chars())),
            }
            letters.truncate(2 * MAX_TEXT);
        }
        letters.into_iter().collect()
    }
}

/// Every name means something, so that more texts are evaluated.
struct Everything(FormulaKind);

impl Scope for Everything {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let (reference, node_type) = match path {
            [name @ ("p" | "q" | "running")] => (Reference::Own((*name).into()), Type::Boolean),
            [name @ ("s" | "t")] => (Reference::Own((*name).into()), Type::String),
            [name] => (Reference::Own((*name).into()), Type::Number),
            [hierarchy, name] => {
                (Reference::Children { hierarchy: (*hierarchy).into(), property: (*name).into() }, Type::Number)
            }
            _ => return None,
        };
        Some(Resolved { reference, node_type, unit: "".into() })
    }

    fn candidates(&self) -> Vec<String> {
        vec!["fill_temp".into()]
    }

    fn aggregates(&self) -> bool {
        self.0 == FormulaKind::Metric
    }
}

impl FormulaScope for Everything {
    fn variable(&self, name: &str) -> Option<FormulaVariable> {
        let value_type = match name {
            "s" => Type::String,
            "x" | "y" | "z" | "a" => Type::Number,
            "b" => Type::Boolean,
            _ => return None,
        };
        let role = if name == "a" { Role::Attribute } else { Role::Samples };
        Some(FormulaVariable { reference: Reference::Own(name.into()), value_type, role })
    }

    fn names(&self) -> Vec<String> {
        vec!["x".into()]
    }

    fn kind(&self) -> FormulaKind {
        self.0
    }
}

struct Stage(serde_json::Value, Value);

impl EventScene for Stage {
    fn input(&self, input: &str) -> Option<&serde_json::Value> {
        (input == "A").then_some(&self.0)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        (name == "x").then(|| self.1.clone())
    }

    fn timed_out(&mut self, timer: &str) -> bool {
        timer == "t"
    }

    fn trigger(&self) -> EventTrigger {
        EventTrigger::Timer
    }

    fn is_current_input(&self, input: &str) -> bool {
        input == "A"
    }
}

fn complain(error: &ExpressionError, text: &str) {
    assert!(text.get(error.span.start..error.span.end).is_some(), "{:?} is no place in it", error.span);
    assert!(!error.message.is_empty());
}

fn evaluate(expression: &Expression, dice: &mut Dice) {
    let slots: Vec<SlotValue> = (0..expression.references.len()).map(|_| dice.slot()).collect();
    let result = expression.evaluate(&slots);
    assert!(result.value.as_f64().is_none_or(f64::is_finite), "{result:?}");
    assert_eq!(expression.explain(&slots).0, result);
    steady(expression, &slots, &result, dice);
    let results: Vec<SlotValue> = expression.aggregates().iter().map(|_| dice.slot()).collect();
    let metric = expression.evaluate_metric(&slots, &results);
    assert!(metric.value.as_f64().is_none_or(f64::is_finite), "{metric:?}");
}

/// Other values within the bands give the same.
fn steady(expression: &Expression, slots: &[SlotValue], result: &SlotValue, dice: &mut Dice) {
    let mut bands = vec![Band::Any; slots.len()];
    expression.bands(slots, &mut |slot, band| bands[slot] = bands[slot].and(band));
    let mut moved = slots.to_vec();
    for (slot, band) in moved.iter_mut().zip(bands).filter(|(slot, _)| slot.quality == Quality::Good) {
        let other = SlotValue::good(dice.value(), dice.slot().time);
        if band.holds(&slot.value, &other.value) {
            *slot = other;
        }
    }
    let again = expression.evaluate(&moved);
    assert_eq!((&again.value, again.quality), (&result.value, result.quality), "{slots:?} {moved:?}");
}

fn one(text: &str, dice: &mut Dice) {
    for kind in [FormulaKind::Transform, FormulaKind::Metric] {
        match Expression::parse(text, &Everything(kind)) {
            Ok(expression) => evaluate(&expression, dice),
            Err(error) => complain(&error, text),
        }
        match formula::parse(text, &Everything(kind)) {
            Ok(expression) => evaluate(&expression, dice),
            Err(error) => complain(&error, text),
        }
    }
    match EventExpression::parse(text) {
        Ok(expression) => {
            let message = serde_json::json!({ "temp": 85, "limit": 82.5, "name": "Filler", "on": true, "list": [{ "x": 1 }] });
            let variable = dice.value();
            let outcome = expression.evaluate(&mut Stage(message.clone(), variable.clone()));
            if let EventOutcome::Value(value) = &outcome {
                assert!(value.as_f64().is_none_or(f64::is_finite), "{value:?}");
            }
            assert_eq!(expression.explain(&mut Stage(message, variable)).0, outcome);
            let _ = (expression.result_type(), expression.conflicts(), expression.type_uses(), expression.substitutions());
        }
        Err(error) => complain(&error, text),
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn no_text_makes_anything_panic() {
    let (cases, seed) = (setting("ANDON_CASES", 3_000), setting("ANDON_SEED", 20_261_121));
    let corpus: Vec<&str> = [PLANT, FORMULA, EVENT].iter().flat_map(|file| file.lines()).collect();
    let mut dice = Dice(seed);
    for case in 0..cases {
        let text = if (case as usize) < corpus.len() { corpus[case as usize].to_owned() } else { dice.text(&corpus) };
        let result = catch_unwind(AssertUnwindSafe(|| one(&text, &mut dice)));
        assert!(result.is_ok(), "case {case} of ANDON_SEED={seed}: {text:?}");
    }
}

/// What is nested as deep as it may be still runs on a small stack, in all forms.
#[test]
fn the_deepest_trees_run() {
    let deep =
        |open: &str, inner: &str, close: &str, times: usize| format!("{}{inner}{}", open.repeat(times), close.repeat(times));
    let mut dice = Dice(1);
    for times in 1..=MAX_DEPTH + 1 {
        for (open, inner, close) in [
            ("not(", "x", ")"),
            ("!", "x", ""),
            ("if(x, ", "1", ", 2)"),
            ("sqrt(", "x", ")"),
            ("(", "x", ")"),
            ("f'{", "x", "}'"),
            ("\"${", "1", "}\""),
            ("x + (", "y", ")"),
            ("x and ", "y", ""),
        ] {
            one(&deep(open, inner, close, times), &mut dice);
        }
        one(&format!("if(x, 1){}", ".elif(y, 2)".repeat(times)), &mut dice);
        one(&format!("x{}", ".gt(1)".repeat(times)), &mut dice);
    }
}
