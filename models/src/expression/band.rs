//! Among which values of its slots an expression tells no difference, so that whoever watches it need not evaluate it for each.
//!
//! What an expression gives follows from the values and qualities of its slots. Where a slot is compared (`temp > limit`), all numbers
//! on the same side of what it is compared with are one to it, as long as that other side stays what it is. Everywhere else only the
//! very same value is known to change nothing. This reads the tree once and says so for each slot; it never guesses.

use super::{BinaryOperator, Expression, Function, Node, NodeKind, SlotValue};
use crate::{Quality, Value};

/// Good values of a slot that make no difference, given the one it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// All: nothing reads it.
    Any,
    /// Numbers from the first to the second, both included.
    Between(f64, f64),
    /// The value it has.
    Same,
    /// None: each value counts, the same one too.
    Never,
}

/// Up to here every whole number is a double.
const EXACT: u64 = 1 << 53;

/// All finite numbers.
const NUMBERS: Band = Band::Between(f64::MIN, f64::MAX);

impl Band {
    /// Whether a Good value makes no difference where there is `known` now.
    #[inline]
    pub fn holds(self, known: &Value, value: &Value) -> bool {
        match self {
            Self::Any => true,
            // What is not finite lies in no band.
            Self::Between(least, greatest) => match value {
                Value::Double(number) => least <= *number && *number <= greatest,
                value => exact(value).is_some_and(|number| least <= number && number <= greatest),
            },
            Self::Same => match (known, value) {
                // Zero has two signs, and a text may show them.
                (Value::Double(known), Value::Double(value)) => known.to_bits() == value.to_bits(),
                _ => known == value,
            },
            Self::Never => false,
        }
    }

    /// What makes no difference to either.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Same, _) | (_, Self::Same) => Self::Same,
            (Self::Any, band) | (band, Self::Any) => band,
            (Self::Between(a, b), Self::Between(c, d)) => Self::Between(a.max(c), b.min(d)),
        }
    }
}

/// A number that is the same as a finite double.
#[inline]
fn exact(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => number.is_finite().then_some(*number),
        Value::Integer(number) => (number.unsigned_abs() <= EXACT).then_some(*number as f64),
        _ => None,
    }
}

impl Expression {
    /// Narrows the band of each slot it reads: while every slot that has a Good value takes Good values within its band, and the
    /// others stay as they are, it gives the same value of the same quality as for `slots`. A slot may be named several times.
    pub fn bands(&self, slots: &[SlotValue], narrow: &mut dyn FnMut(usize, Band)) {
        Walk { expression: self, slots, narrow }.node(&self.root, true);
    }
}

struct Walk<'a> {
    expression: &'a Expression,
    slots: &'a [SlotValue],
    narrow: &'a mut dyn FnMut(usize, Band),
}

impl Walk<'_> {
    /// Everything below keeps its value, so the node does. `single`: slots stand for one value, not for those of all children.
    fn node(&mut self, node: &Node, single: bool) {
        match &node.kind {
            NodeKind::Slot(slot) => (self.narrow)(*slot, Band::Same),
            NodeKind::Binary(operator, left, right) if single && compares(*operator) => match (&left.kind, &right.kind) {
                (NodeKind::Slot(slot), _) => self.compared(*slot, *operator, right),
                (_, NodeKind::Slot(slot)) => self.compared(*slot, mirrored(*operator), left),
                _ => node.operands(&mut |operand| self.node(operand, single)),
            },
            NodeKind::Call(Function::TimeOf, _) => node.visit(&mut |below| {
                if let NodeKind::Slot(slot) = below.kind {
                    (self.narrow)(slot, Band::Never);
                }
            }),
            NodeKind::Aggregate(..) => node.operands(&mut |operand| self.node(operand, false)),
            _ => node.operands(&mut |operand| self.node(operand, single)),
        }
    }

    /// A slot is compared with something that keeps its value.
    fn compared(&mut self, slot: usize, operator: BinaryOperator, with: &Node) {
        self.node(with, true);
        let band = match self.slots.get(slot) {
            Some(known) if known.quality == Quality::Good => self.side(&known.value, operator, with),
            _ => None,
        };
        (self.narrow)(slot, band.unwrap_or(Band::Same));
    }

    /// The numbers on the same side.
    fn side(&self, known: &Value, operator: BinaryOperator, with: &Node) -> Option<Band> {
        use BinaryOperator as B;
        let known = exact(known)?;
        let mut pools = false;
        with.visit(&mut |below| pools |= matches!(below.kind, NodeKind::Aggregate(..)));
        if pools {
            return None; // What children give is not known here.
        }
        let limit = match self.expression.value_of(with, self.slots) {
            value @ (Value::Double(_) | Value::Integer(_)) => exact(&value)?,
            // No number compares with what is none: the result is null for all of them.
            _ => return Some(NUMBERS),
        };
        let (below, above) = (Band::Between(f64::MIN, limit.next_down()), Band::Between(limit.next_up(), f64::MAX));
        Some(match operator {
            B::Less | B::GreaterOrEqual if known < limit => below,
            B::Less | B::GreaterOrEqual => Band::Between(limit, f64::MAX),
            B::Greater | B::LessOrEqual if known > limit => above,
            B::Greater | B::LessOrEqual => Band::Between(f64::MIN, limit),
            _ if known < limit => below,
            _ if known > limit => above,
            _ => Band::Between(limit, limit),
        })
    }
}

fn compares(operator: BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(operator, B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual)
}

/// The operator with its operands the other way round.
fn mirrored(operator: BinaryOperator) -> BinaryOperator {
    use BinaryOperator as B;
    match operator {
        B::Less => B::Greater,
        B::LessOrEqual => B::GreaterOrEqual,
        B::Greater => B::Less,
        B::GreaterOrEqual => B::LessOrEqual,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{Form, Reference, Resolved, Scope, Type, Zone};
    use proptest::prelude::*;

    /// Numbers a b c, conditions p q, texts s.
    struct Names;

    impl Scope for Names {
        fn resolve(&self, path: &[&str]) -> Option<Resolved> {
            let node_type = match path {
                ["a" | "b" | "c"] => Type::Number,
                ["p" | "q"] => Type::Boolean,
                ["s"] => Type::String,
                _ => return None,
            };
            Some(Resolved { reference: Reference::Own(path[0].into()), node_type, unit: "".into() })
        }
        fn candidates(&self) -> Vec<String> {
            Vec::new()
        }
        fn aggregates(&self) -> bool {
            false
        }
        fn zone(&self) -> Zone {
            Zone::UTC
        }
    }

    fn good(value: Value) -> SlotValue {
        SlotValue::good(value, None)
    }

    /// The bands of an expression's slots, in words.
    fn bands(text: &str, values: &[(&str, Value)]) -> String {
        let expression = Expression::parse(text, &Names).unwrap();
        assert_eq!(expression.form, Form::Plant);
        let value = |reference: &Reference| values.iter().find(|(name, _)| *name == reference.to_string());
        let slots: Vec<_> = expression
            .references
            .iter()
            .map(|reference| value(reference).map_or_else(SlotValue::missing, |(_, value)| good(value.clone())))
            .collect();
        let mut found = vec![Band::Any; slots.len()];
        expression.bands(&slots, &mut |slot, band| found[slot] = found[slot].and(band));
        let words = expression.references.iter().zip(found).map(|(reference, band)| match band {
            Band::Between(f64::MIN, f64::MAX) => format!("{reference}: a number"),
            Band::Between(f64::MIN, most) => format!("{reference} <= {most}"),
            Band::Between(least, f64::MAX) => format!("{reference} >= {least}"),
            Band::Between(least, most) => format!("{least} <= {reference} <= {most}"),
            band => format!("{reference}: {band:?}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_comparison_tells_sides_apart_and_anything_else_tells_values_apart() {
        let a = |number: f64| ("a", Value::Double(number));
        let b = |number: i64| ("b", Value::Integer(number));
        assert_eq!(bands("a > 80", &[a(70.0)]), "a <= 80");
        assert_eq!(bands("80 >= a and a > 60.5 - 0.5", &[a(70.0)]), "60.00000000000001 <= a <= 80");
        assert_eq!(bands("a < b - 3", &[a(70.0), b(80)]), "a <= 76.99999999999999, b: Same");
        assert_eq!(bands("b < 3", &[b(3)]), "b >= 3");
        assert_eq!(bands("a != 4", &[a(4.0)]), "4 <= a <= 4");
        assert_eq!(bands("a > 80 and p", &[a(90.0), ("p", Value::Boolean(true))]), "a >= 80.00000000000001, p: Same");
        assert_eq!(bands("abs(a) > 80", &[a(1.0)]), "a: Same");
        assert_eq!(bands("a > a - 1", &[a(1.0)]), "a: Same");
        assert_eq!(bands("a > b", &[a(1.0)]), "a: a number, b: Same", "b has no value, so there is no result either way");
        assert_eq!(bands("a > 80", &[]), "a: Same", "it has no number to begin with");
        assert_eq!(bands("b > 9007199254740993", &[b(1)]), "b: Same", "no double says where that is");
        assert_eq!(bands("s == 'x'", &[("s", Value::from("x"))]), "s: Same");
    }

    #[test]
    fn the_two_zeros_are_not_the_same_value() {
        assert!(!Band::Same.holds(&Value::Double(0.0), &Value::Double(-0.0)));
        assert!(Band::Same.holds(&Value::from("x"), &Value::from("x")));
        assert!(!NUMBERS.holds(&Value::Double(1.0), &Value::Double(f64::INFINITY)));
        assert!(!NUMBERS.holds(&Value::Double(1.0), &Value::Boolean(true)));
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-3_i64..4).prop_map(Value::Integer),
            (-3_i64..4).prop_map(|number| Value::Double(number as f64)),
            (-30_i64..40).prop_map(|number| Value::Double(number as f64 / 10.0)),
            prop::sample::select(vec![1_i64 << 53, (1 << 53) + 1, i64::MAX, i64::MIN]).prop_map(Value::Integer),
            prop::sample::select(vec![0.0, -0.0, f64::MAX, 5e-324, f64::NAN, f64::INFINITY]).prop_map(Value::Double),
        ]
    }

    fn slot(value: impl Strategy<Value = Value>) -> impl Strategy<Value = SlotValue> {
        let quality = prop_oneof![4 => Just(Quality::Good), 1 => Just(Quality::Uncertain), 1 => Just(Quality::Bad)];
        (value, quality).prop_map(|(value, quality)| SlotValue { value, quality, time: None })
    }

    fn row() -> impl Strategy<Value = Vec<SlotValue>> {
        let text = || slot(prop::sample::select(vec![Value::from("x"), Value::from("y"), Value::Null]));
        let truth = || slot(prop_oneof![any::<bool>().prop_map(Value::Boolean), Just(Value::Null)]);
        (slot(number()), slot(number()), slot(number()), truth(), truth(), text())
            .prop_map(|(a, b, c, p, q, s)| vec![a, b, c, p, q, s])
    }

    fn formula() -> impl Strategy<Value = String> {
        let plain = prop::sample::select(vec!["a", "b", "c", "1", "-2", "0.5"]).prop_map(str::to_owned);
        let sum = plain.prop_recursive(2, 4, 2, |inner| {
            prop_oneof![
                (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/"]), inner.clone())
                    .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
                inner.prop_map(|inner| format!("abs({inner})")),
            ]
        });
        let sign = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let guard = prop_oneof![
            4 => (sum.clone(), sign, sum).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
            1 => prop::sample::select(vec!["p", "q", "s == 'x'", "a in (1, b)"]).prop_map(str::to_owned),
        ];
        guard.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} and {right})")),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} or {right})")),
                inner.clone().prop_map(|inner| format!("not ({inner})")),
                (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("if({a}, {b}, {c})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever values come within the bands, all at once: the result is the same.
        #[test]
        fn values_within_their_bands_change_nothing(text in formula(), known in row(), other in row()) {
            let expression = Expression::parse(&text, &Names).unwrap();
            let place = |reference: &Reference| ["a", "b", "c", "p", "q", "s"].iter().position(|name| *name == reference.to_string());
            let of = |row: &[SlotValue]| -> Vec<SlotValue> {
                expression.references.iter().map(|reference| row[place(reference).unwrap()].clone()).collect()
            };
            let (known, other) = (of(&known), of(&other));
            let mut bands = vec![Band::Any; known.len()];
            expression.bands(&known, &mut |slot, band| bands[slot] = bands[slot].and(band));
            let moved: Vec<SlotValue> = known.iter().zip(&other).zip(&bands).map(|((known, other), band)| {
                let takes = known.quality == Quality::Good && other.quality == Quality::Good && band.holds(&known.value, &other.value);
                if takes { other.clone() } else { known.clone() }
            }).collect();
            let (before, after) = (expression.evaluate(&known), expression.evaluate(&moved));
            prop_assert_eq!((&before.value, before.quality), (&after.value, after.quality), "{} {:?} {:?}", text, known, moved);
        }
    }
}
