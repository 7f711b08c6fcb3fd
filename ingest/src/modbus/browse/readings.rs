//! The ways to read what begins at a register.

use super::Range;
use andon_models::{
    Value,
    address::{ByteOrder, ModbusAddress, ModbusType},
    browse::SourceNode,
};

/// Numbers between these, and zero, are what a plant measures; others are rather the wrong way to read the bytes.
const LIKELY: std::ops::Range<f64> = 1e-4..1e7;
/// Registers of a text that is looked for.
const TEXT_REGISTERS: u16 = 8;

/// The ways to read a number that manuals know.
const NUMBERS: [ModbusType; 8] = [
    ModbusType::U16,
    ModbusType::I16,
    ModbusType::U32,
    ModbusType::I32,
    ModbusType::F32,
    ModbusType::U64,
    ModbusType::I64,
    ModbusType::F64,
];
const ORDERS: [ByteOrder; 4] = [ByteOrder::Abcd, ByteOrder::Cdab, ByteOrder::Badc, ByteOrder::Dcba];

/// All ways to read what begins at a register: the likely ones first, then as manuals name them.
pub(super) fn readings(
    first: &ModbusAddress,
    range: &Range,
    value: impl Fn(&ModbusAddress) -> Option<SourceNode>,
) -> Vec<SourceNode> {
    let numbers = NUMBERS.into_iter().flat_map(|data_type| {
        // One register has its two bytes either way round; more have their words so too.
        let orders = if data_type.registers() == 1 { [0, 2].map(|at| ORDERS[at]).to_vec() } else { ORDERS.to_vec() };
        orders.into_iter().map(move |order| ModbusAddress { data_type, order, ..first.clone() })
    });
    let mut all: Vec<_> = numbers.filter_map(|address| value(&address)).collect();
    all.retain(|node| node.problem.is_empty());
    all.extend(text_at(first, range).and_then(|address| value(&address)));
    all.sort_by_key(|node| !is_likely(&node.value));
    all
}

fn is_likely(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        other => other.as_f64().is_some_and(|number| number == 0.0 || LIKELY.contains(&number.abs())),
    }
}

/// A text that begins here, if there is one: at least two registers of printable letters.
fn text_at(first: &ModbusAddress, range: &Range) -> Option<ModbusAddress> {
    let start = u32::from(first.register);
    let words = (start..start + u32::from(TEXT_REGISTERS)).map_while(|at| range.get(&at)?.as_ref().ok().copied());
    let printable = |word: &u16| word.to_be_bytes().iter().all(|byte| (0x20..0x7F).contains(byte));
    let length = u16::try_from(words.take_while(printable).count()).ok().filter(|length| *length >= 2)?;
    Some(ModbusAddress { data_type: ModbusType::String(length), ..first.clone() })
}
