//! Numbers: operators and functions. Whole numbers stay whole under `+ - * %` while they fit; division is always decimal.

use super::super::{BinaryOperator, Function, UnaryOperator, cell::Cell};
use std::cmp::Ordering;

/// Two numbers closer than this, relative to the larger, are `approx` equal. Source: AWS IoT SiteWise, `eq`, `gte` and `lte`.
pub(in super::super) const RELATIVE_TOLERANCE: f64 = 1e-9;

/// How a decimal becomes a cell: what is not finite is no value, but a formula may ask for NaN.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Decimals {
    pub keep_nan: bool,
}

impl Decimals {
    pub fn cell(self, number: f64) -> Cell {
        if self.keep_nan && number.is_nan() { Cell::Double(number) } else { Cell::number(number) }
    }

    pub fn unary(self, operator: UnaryOperator, cell: &Cell) -> Cell {
        match (operator, cell) {
            (UnaryOperator::Not, Cell::Boolean(truth)) => Cell::Boolean(!truth),
            (UnaryOperator::Negate, Cell::Integer(number)) => match number.checked_neg() {
                Some(negative) => Cell::Integer(negative),
                None => Cell::Double(-(*number as f64)),
            },
            (UnaryOperator::Negate, Cell::Double(number)) => Cell::Double(-number),
            (UnaryOperator::BitNot, cell) => cell.as_whole().map_or(Cell::Null, |number| Cell::Integer(!number)),
            _ => Cell::Null,
        }
    }

    pub fn binary(self, operator: BinaryOperator, left: &Cell, right: &Cell) -> Cell {
        use BinaryOperator as B;
        let order = || match (left.order(right), left.as_f64().zip(right.as_f64())) {
            // Two numbers without an order: one of them is NaN, which is unequal to everything.
            (None, Some(_)) => Some(None),
            (None, None) => None,
            (order, _) => Some(order),
        };
        let holds = |wanted: fn(Ordering) -> bool| Cell::truth(order().map(|order| order.is_some_and(wanted)));
        match operator {
            B::Equal => holds(Ordering::is_eq),
            B::NotEqual => Cell::truth(order().map(|order| order != Some(Ordering::Equal))),
            B::Less => holds(Ordering::is_lt),
            B::LessOrEqual => holds(Ordering::is_le),
            B::Greater => holds(Ordering::is_gt),
            B::GreaterOrEqual => holds(Ordering::is_ge),
            B::BitAnd | B::BitOr | B::BitXor => {
                let whole = left.as_whole().zip(right.as_whole());
                whole.map_or(Cell::Null, |(a, b)| Cell::Integer(bits(operator, a, b)))
            }
            _ => self.arithmetic(operator, left, right),
        }
    }

    fn arithmetic(self, operator: BinaryOperator, left: &Cell, right: &Cell) -> Cell {
        use BinaryOperator as B;
        if let (Cell::Integer(a), Cell::Integer(b)) = (left, right) {
            let whole = match operator {
                B::Add => a.checked_add(*b),
                B::Subtract => a.checked_sub(*b),
                B::Multiply => a.checked_mul(*b),
                B::Remainder => a.checked_rem(*b),
                _ => None,
            };
            if let Some(whole) = whole {
                return Cell::Integer(whole);
            }
        }
        let Some((a, b)) = left.as_f64().zip(right.as_f64()) else { return Cell::Null };
        self.cell(match operator {
            B::Add => a + b,
            B::Subtract => a - b,
            B::Multiply => a * b,
            B::Divide => a / b,
            B::Remainder => a % b,
            B::Power => a.powf(b),
            _ => return Cell::Null,
        })
    }

    /// A function of one number.
    pub fn function(self, function: Function, cell: &Cell) -> Cell {
        if let (Function::Abs, Cell::Integer(number)) = (function, cell)
            && let Some(number) = number.checked_abs()
        {
            return Cell::Integer(number);
        }
        if let (Function::Ceil | Function::Floor, Cell::Integer(_)) = (function, cell) {
            return cell.clone();
        }
        let Some(number) = cell.as_f64() else { return Cell::Null };
        self.cell(match function {
            Function::Abs => number.abs(),
            Function::Ceil => number.ceil(),
            Function::Floor => number.floor(),
            Function::Sqrt => number.sqrt(),
            Function::Exp => number.exp(),
            Function::Ln => number.ln(),
            Function::Log10 => number.log10(),
            Function::Acos => number.acos(),
            Function::Asin => number.asin(),
            Function::Atan => number.atan(),
            Function::Cbrt => number.cbrt(),
            Function::Cos => number.cos(),
            Function::Cosh => number.cosh(),
            Function::Cot => 1.0 / number.tan(),
            Function::ExpMinusOne => number.exp_m1(),
            Function::LnOnePlus => number.ln_1p(),
            Function::Log2 => number.log2(),
            Function::Sign if number == 0.0 || number.is_nan() => number,
            Function::Sign => number.signum(),
            Function::Sin => number.sin(),
            Function::Sinh => number.sinh(),
            Function::Tan => number.tan(),
            Function::Tanh => number.tanh(),
            _ => return Cell::Null,
        })
    }
}

/// The bits of two whole numbers, in two's complement.
pub(in super::super) fn bits(operator: BinaryOperator, a: i64, b: i64) -> i64 {
    match operator {
        BinaryOperator::BitAnd => a & b,
        BinaryOperator::BitOr => a | b,
        _ => a ^ b,
    }
}

/// Half away from zero. More than 15 decimals change nothing in a double, fewer than -308 leave nothing of it.
pub(super) fn round(cell: &Cell, places: f64) -> Cell {
    match cell {
        Cell::Integer(_) if places >= 0.0 => cell.clone(),
        _ => {
            let factor = 10_f64.powi(places.clamp(-308.0, 15.0) as i32);
            let Some(number) = cell.as_f64() else { return Cell::Null };
            let scaled = number * factor;
            // Beyond 2^53 a double has no decimals to round.
            if scaled.abs() >= 9_007_199_254_740_992.0 { Cell::number(number) } else { Cell::number(scaled.round() / factor) }
        }
    }
}

/// Equal to a relative 1e-9; texts exactly. None for what cannot be compared.
pub(super) fn approximately(left: &Cell, right: &Cell) -> Option<bool> {
    match left.as_f64().zip(right.as_f64()) {
        Some((a, b)) => Some(a == b || (a - b).abs() <= RELATIVE_TOLERANCE * a.abs().max(b.abs())),
        None => left.order(right).map(Ordering::is_eq),
    }
}
