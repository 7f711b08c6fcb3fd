//! From a value to registers: what [`super::decode`] reads back as the same value, or a refusal.

use super::decode::ordered;
use andon_models::{
    Value,
    address::{ByteOrder, ModbusAddress, ModbusType},
};

/// The registers that hold a value.
///
/// Errors: the value does not fit the type, in words; nothing is rounded or cut silently but decimal places in single precision.
pub(crate) fn encode(value: &Value, point: &ModbusAddress) -> Result<Vec<u16>, String> {
    match point.data_type {
        ModbusType::Bool => match whole(value) {
            Some(bit @ (0 | 1)) => Ok(vec![bit as u16]),
            _ => Err("the point takes true or false".into()),
        },
        ModbusType::String(registers) => text(value, registers, point.order),
        data_type => number(value, data_type).map(|bytes| registers_of(&bytes, point.order)),
    }
}

fn number(value: &Value, data_type: ModbusType) -> Result<Vec<u8>, String> {
    let integer = |low: i64, high: i64| match whole(value) {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("the point takes whole numbers from {low} to {high}")),
    };
    Ok(match data_type {
        ModbusType::U16 => (integer(0, u16::MAX.into())? as u16).to_be_bytes().to_vec(),
        ModbusType::I16 => (integer(i16::MIN.into(), i16::MAX.into())? as i16).to_be_bytes().to_vec(),
        ModbusType::U32 => (integer(0, u32::MAX.into())? as u32).to_be_bytes().to_vec(),
        ModbusType::I32 => (integer(i32::MIN.into(), i32::MAX.into())? as i32).to_be_bytes().to_vec(),
        ModbusType::U64 => (integer(0, i64::MAX)? as u64).to_be_bytes().to_vec(),
        ModbusType::I64 => integer(i64::MIN, i64::MAX)?.to_be_bytes().to_vec(),
        ModbusType::F32 => {
            let single = decimal(value)? as f32;
            if !single.is_finite() {
                return Err("the point takes numbers in single precision".into());
            }
            single.to_be_bytes().to_vec()
        }
        ModbusType::F64 => decimal(value)?.to_be_bytes().to_vec(),
        ModbusType::Bool | ModbusType::String(_) => return Err("the point takes no number".into()),
    })
}

fn whole(value: &Value) -> Option<i64> {
    match value.clone().coerce(andon_models::ValueType::Integer)? {
        Value::Integer(number) => Some(number),
        _ => None,
    }
}

fn decimal(value: &Value) -> Result<f64, String> {
    match value {
        Value::Integer(_) | Value::Double(_) => Ok(value.as_f64().unwrap_or_default()),
        _ => Err("the point takes numbers".into()),
    }
}

fn text(value: &Value, registers: u16, order: ByteOrder) -> Result<Vec<u16>, String> {
    let Value::String(text) = value else { return Err("the point takes text".into()) };
    let room = usize::from(registers) * 2;
    if text.len() > room {
        return Err(format!("the point takes texts of at most {room} bytes"));
    }
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(room, 0);
    let order = if matches!(order, ByteOrder::Badc | ByteOrder::Dcba) { ByteOrder::Badc } else { ByteOrder::Abcd };
    Ok(registers_of(&bytes, order))
}

fn registers_of(bytes: &[u8], order: ByteOrder) -> Vec<u16> {
    let words: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    ordered(&words, order).chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::decode::{decode, tests::holding},
        *,
    };
    use proptest::prelude::*;

    fn orders() -> impl Strategy<Value = ByteOrder> {
        prop::sample::select(vec![ByteOrder::Abcd, ByteOrder::Cdab, ByteOrder::Badc, ByteOrder::Dcba])
    }

    fn fitting() -> impl Strategy<Value = (ModbusType, Value)> {
        prop_oneof![
            any::<u16>().prop_map(|number| (ModbusType::U16, Value::Integer(number.into()))),
            any::<i16>().prop_map(|number| (ModbusType::I16, Value::Integer(number.into()))),
            any::<u32>().prop_map(|number| (ModbusType::U32, Value::Integer(number.into()))),
            any::<i32>().prop_map(|number| (ModbusType::I32, Value::Integer(number.into()))),
            (0..i64::MAX).prop_map(|number| (ModbusType::U64, Value::Integer(number))),
            any::<i64>().prop_map(|number| (ModbusType::I64, Value::Integer(number))),
            any::<f32>()
                .prop_filter("finite", |number| number.is_finite())
                .prop_map(|n| (ModbusType::F32, f64::from(n).into())),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|n| (ModbusType::F64, n.into())),
            any::<bool>().prop_map(|truth| (ModbusType::Bool, truth.into())),
            "[a-zA-Z0-9 äöü]{0,9}[a-z]".prop_map(|text| (ModbusType::String(10), text.as_str().into())),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back((data_type, value) in fitting(), order in orders()) {
            let point = holding(0, data_type, order);
            let registers = encode(&value, &point).unwrap();
            prop_assert_eq!(registers.len(), usize::from(data_type.registers()));
            prop_assert_eq!(decode(&registers, &point), Some(value));
        }

        #[test]
        fn any_registers_decode_without_panic(
            registers in prop::collection::vec(any::<u16>(), 0..8),
            order in orders(),
            length in 0_u16..9,
        ) {
            use ModbusType::*;
            for data_type in [Bool, U16, I16, U32, I32, U64, I64, F32, F64, String(length)] {
                decode(&registers, &holding(0, data_type, order));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |value: Value, data_type| encode(&value, &holding(0, data_type, ByteOrder::Abcd)).unwrap_err();
        assert_eq!(refused(70_000_i64.into(), ModbusType::U16), "the point takes whole numbers from 0 to 65535");
        assert_eq!(refused(1.5.into(), ModbusType::I32), "the point takes whole numbers from -2147483648 to 2147483647");
        assert_eq!(refused(1e300.into(), ModbusType::F32), "the point takes numbers in single precision");
        assert_eq!(refused("on".into(), ModbusType::Bool), "the point takes true or false");
        assert_eq!(refused(true.into(), ModbusType::F32), "the point takes numbers");
        assert_eq!(refused("too long".into(), ModbusType::String(3)), "the point takes texts of at most 6 bytes");
    }
}
