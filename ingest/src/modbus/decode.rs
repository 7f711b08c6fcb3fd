//! From registers to a value. Register layout: OPEN MODBUS/TCP leaves types to the device, hence the four byte orders.

use andon_models::{
    Value,
    address::{ByteOrder, ModbusAddress, ModbusType},
};

/// The value of a register point, as the device has it; none when the registers hold none (not a number) or are too few.
pub(crate) fn decode(registers: &[u16], point: &ModbusAddress) -> Option<Value> {
    let registers = registers.get(..usize::from(point.data_type.registers()))?;
    let first = *registers.first()?;
    match point.data_type {
        ModbusType::Bool => Some(Value::Boolean(match point.bit {
            Some(bit) => first.checked_shr(u32::from(bit))? & 1 == 1,
            None => first != 0,
        })),
        ModbusType::String(_) => Some(text(registers, point.order)),
        _ => number(registers, point.data_type, point.order),
    }
}

fn number(registers: &[u16], data_type: ModbusType, order: ByteOrder) -> Option<Value> {
    let bytes = ordered(registers, order);
    Some(match data_type {
        ModbusType::U16 => Value::Integer(i64::from(u16::from_be_bytes(array(&bytes)?))),
        ModbusType::I16 => Value::Integer(i64::from(i16::from_be_bytes(array(&bytes)?))),
        ModbusType::U32 => Value::Integer(i64::from(u32::from_be_bytes(array(&bytes)?))),
        ModbusType::I32 => Value::Integer(i64::from(i32::from_be_bytes(array(&bytes)?))),
        ModbusType::I64 => Value::Integer(i64::from_be_bytes(array(&bytes)?)),
        ModbusType::U64 => {
            let number = u64::from_be_bytes(array(&bytes)?);
            // Larger than any integer we keep: the nearest decimal number says more than nothing.
            i64::try_from(number).map_or(Value::Double(number as f64), Value::Integer)
        }
        ModbusType::F32 => finite(f64::from(f32::from_be_bytes(array(&bytes)?)))?,
        ModbusType::F64 => finite(f64::from_be_bytes(array(&bytes)?))?,
        ModbusType::Bool | ModbusType::String(_) => return None,
    })
}

fn finite(number: f64) -> Option<Value> {
    number.is_finite().then_some(Value::Double(number))
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// The bytes of registers, most significant first. Its own inverse, which is how writing uses it.
pub(super) fn ordered(registers: &[u16], order: ByteOrder) -> Vec<u8> {
    let swap_bytes = matches!(order, ByteOrder::Badc | ByteOrder::Dcba);
    let bytes_of = |register: &u16| if swap_bytes { register.to_le_bytes() } else { register.to_be_bytes() };
    match order {
        ByteOrder::Abcd | ByteOrder::Badc => registers.iter().flat_map(bytes_of).collect(),
        ByteOrder::Cdab | ByteOrder::Dcba => registers.iter().rev().flat_map(bytes_of).collect(),
    }
}

/// Text ends at the first zero byte; words of a text always follow one another, only the bytes within them may be swapped.
fn text(registers: &[u16], order: ByteOrder) -> Value {
    let order = if matches!(order, ByteOrder::Badc | ByteOrder::Dcba) { ByteOrder::Badc } else { ByteOrder::Abcd };
    let mut bytes = ordered(registers, order);
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // Old devices speak Latin-1: each byte is a character.
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    };
    Value::from(text.trim_end())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use andon_models::address::ModbusTable;

    /// A holding register point.
    pub fn holding(register: u16, data_type: ModbusType, order: ByteOrder) -> ModbusAddress {
        ModbusAddress { table: ModbusTable::Holding, register, bit: None, data_type, order }
    }

    fn check(registers: &[u16], data_type: ModbusType, order: ByteOrder, expected: impl Into<Value>) {
        assert_eq!(decode(registers, &holding(0, data_type, order)), Some(expected.into()), "{data_type:?} {order:?}");
    }

    #[test]
    fn four_orders_of_one_number() {
        // 123456.0 as single precision is 47 F1 20 00.
        check(&[0x47F1, 0x2000], ModbusType::F32, ByteOrder::Abcd, 123_456.0);
        check(&[0x2000, 0x47F1], ModbusType::F32, ByteOrder::Cdab, 123_456.0);
        check(&[0xF147, 0x0020], ModbusType::F32, ByteOrder::Badc, 123_456.0);
        check(&[0x0020, 0xF147], ModbusType::F32, ByteOrder::Dcba, 123_456.0);
        check(&[0x0001, 0x0002], ModbusType::U32, ByteOrder::Abcd, 65_538_i64);
        check(&[0x0002, 0x0001], ModbusType::U32, ByteOrder::Cdab, 65_538_i64);
        check(&[0, 0, 0, 7], ModbusType::U64, ByteOrder::Abcd, 7_i64);
        check(&[7, 0, 0, 0], ModbusType::I64, ByteOrder::Cdab, 7_i64);
        check(&[0xFFFE], ModbusType::I16, ByteOrder::Abcd, -2_i64);
        check(&[0xFEFF], ModbusType::I16, ByteOrder::Badc, -2_i64);
        check(&[u16::MAX; 4], ModbusType::U64, ByteOrder::Abcd, u64::MAX as f64);
    }

    #[test]
    fn bits_and_texts() {
        let bit = |bit| ModbusAddress { bit: Some(bit), ..holding(0, ModbusType::Bool, ByteOrder::Abcd) };
        assert_eq!(decode(&[0b1000], &bit(3)), Some(Value::Boolean(true)));
        assert_eq!(decode(&[0b1000], &bit(2)), Some(Value::Boolean(false)));
        assert_eq!(decode(&[0b1000], &bit(16)), None);
        check(&[0x4B52, 0x2D37, 0x0000], ModbusType::String(3), ByteOrder::Abcd, "KR-7");
        check(&[0x524B, 0x372D, 0x2020], ModbusType::String(3), ByteOrder::Badc, "KR-7");
        check(&[0x4BFC], ModbusType::String(1), ByteOrder::Abcd, "Kü");
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        assert_eq!(decode(&[0x7FC0, 0], &holding(0, ModbusType::F32, ByteOrder::Abcd)), None);
        assert_eq!(decode(&[1], &holding(0, ModbusType::U32, ByteOrder::Abcd)), None);
        assert_eq!(decode(&[], &holding(0, ModbusType::U16, ByteOrder::Abcd)), None);
    }
}
