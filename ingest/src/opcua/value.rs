//! Values of OPC UA and ours (OPC 10000-6 section 5.1), time stamps, and node ids in their text form.

use andon_models::{Timestamp, Value, ValueType, address::NodeAddress};
use opcua::types::{DataTypeId, DataValue, DateTime, NamespaceMap, NodeId, Variant, VariantScalarTypeId};
use std::str::FromStr;

/// 1601-01-01 to 1970-01-01 in ticks of 100 ns.
const EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// A scalar as a value; arrays and structures are none.
pub(crate) fn to_value(variant: &Variant) -> Value {
    match variant {
        Variant::Boolean(truth) => Value::Boolean(*truth),
        Variant::SByte(number) => Value::Integer((*number).into()),
        Variant::Byte(number) => Value::Integer((*number).into()),
        Variant::Int16(number) => Value::Integer((*number).into()),
        Variant::UInt16(number) => Value::Integer((*number).into()),
        Variant::Int32(number) => Value::Integer((*number).into()),
        Variant::UInt32(number) => Value::Integer((*number).into()),
        Variant::Int64(number) => Value::Integer(*number),
        // Larger than any integer we keep: the nearest decimal number says more than nothing.
        Variant::UInt64(number) => i64::try_from(*number).map_or(Value::from(*number as f64), Value::Integer),
        Variant::Float(number) => Value::from(f64::from(*number)),
        Variant::Double(number) => Value::from(*number),
        Variant::String(text) => Value::from(text.as_ref()),
        Variant::LocalizedText(text) => Value::from(text.text.as_ref()),
        Variant::DateTime(time) => time_of(time).map_or(Value::Null, |time| Value::from(time.to_string().as_str())),
        Variant::Guid(guid) => Value::from(guid.to_string().as_str()),
        Variant::Variant(inner) if !matches!(**inner, Variant::Variant(_)) => to_value(inner),
        _ => Value::Null,
    }
}

/// A value in the type the node has.
///
/// Errors: it does not fit, in words.
pub(crate) fn to_variant(value: &Value, data_type: VariantScalarTypeId) -> Result<Variant, String> {
    use VariantScalarTypeId as Type;
    let whole = match value {
        Value::Integer(_) | Value::Double(_) => match value.clone().coerce(ValueType::Integer) {
            Some(Value::Integer(number)) => Some(number),
            _ => None,
        },
        _ => None,
    };
    let integer = whole.ok_or_else(|| format!("the node takes whole numbers ({data_type:?})"));
    let decimal = match value {
        Value::Integer(_) | Value::Double(_) => value.as_f64().ok_or_else(String::new),
        _ => Err(format!("the node takes numbers ({data_type:?})")),
    };
    match data_type {
        Type::Boolean => value.as_bool().map(Variant::Boolean).ok_or_else(|| "the node takes true or false".into()),
        Type::SByte => fit(integer?, data_type).map(Variant::SByte),
        Type::Byte => fit(integer?, data_type).map(Variant::Byte),
        Type::Int16 => fit(integer?, data_type).map(Variant::Int16),
        Type::UInt16 => fit(integer?, data_type).map(Variant::UInt16),
        Type::Int32 => fit(integer?, data_type).map(Variant::Int32),
        Type::UInt32 => fit(integer?, data_type).map(Variant::UInt32),
        Type::Int64 => Ok(Variant::Int64(integer?)),
        Type::UInt64 => fit(integer?, data_type).map(Variant::UInt64),
        Type::Float => match decimal? as f32 {
            number if number.is_finite() => Ok(Variant::Float(number)),
            _ => Err("the node takes numbers in single precision".into()),
        },
        Type::Double => Ok(Variant::Double(decimal?)),
        Type::String => match value {
            Value::String(text) => Ok(Variant::from(&**text)),
            _ => Err("the node takes text".into()),
        },
        other => Err(format!("nodes of type {other:?} cannot be written")),
    }
}

fn fit<T: TryFrom<i64>>(number: i64, data_type: VariantScalarTypeId) -> Result<T, String> {
    T::try_from(number).map_err(|_| format!("the node's type is {data_type:?}, which is too small for it"))
}

/// The type a value has when nothing else is known about its node.
pub(crate) fn scalar_type(variant: &Variant) -> Option<VariantScalarTypeId> {
    match variant {
        Variant::Empty | Variant::Array(_) | Variant::ExtensionObject(_) => None,
        scalar => scalar.scalar_type_id(),
    }
}

/// The type a node's DataType attribute names, where it is a plain one; abstract and derived types say nothing here.
pub(crate) fn plain_type(data_type: &NodeId) -> Option<VariantScalarTypeId> {
    use VariantScalarTypeId as Type;
    let plain = match data_type.as_data_type_id().ok()? {
        DataTypeId::Boolean => Type::Boolean,
        DataTypeId::SByte => Type::SByte,
        DataTypeId::Byte => Type::Byte,
        DataTypeId::Int16 => Type::Int16,
        DataTypeId::UInt16 => Type::UInt16,
        DataTypeId::Int32 | DataTypeId::Enumeration => Type::Int32,
        DataTypeId::UInt32 => Type::UInt32,
        DataTypeId::Int64 => Type::Int64,
        DataTypeId::UInt64 => Type::UInt64,
        DataTypeId::Float => Type::Float,
        DataTypeId::Double | DataTypeId::Duration => Type::Double,
        DataTypeId::String => Type::String,
        _ => return None,
    };
    Some(plain)
}

/// A time stamp, unless it is none.
pub(crate) fn time_of(time: &DateTime) -> Option<Timestamp> {
    if time.is_null() {
        return None;
    }
    time.ticks().checked_sub(EPOCH_TICKS)?.checked_mul(100).map(Timestamp::from_nanos)
}

/// When a value was true: by the source, else by the server, else at arrival.
pub(crate) fn value_time(value: &DataValue, arrival: Timestamp) -> Timestamp {
    let source = value.source_timestamp.as_ref().and_then(time_of);
    source.or_else(|| value.server_timestamp.as_ref().and_then(time_of)).unwrap_or(arrival)
}

/// The node an address means in a server with these namespaces.
///
/// Errors: in words for the engineer.
pub(crate) fn resolve(address: &NodeAddress, namespaces: &NamespaceMap) -> Result<NodeId, String> {
    let text = &*address.0;
    let Some(rest) = text.strip_prefix("nsu=") else {
        return NodeId::from_str(text)
            .map_err(|_| format!("`{text}` is no node id: write `ns=2;s=Name` or `nsu=<uri>;s=Name`"));
    };
    let Some((uri, identifier)) = rest.split_once(';') else {
        return Err(format!("`{text}` is no node id: write `nsu=<uri>;s=Name`"));
    };
    let uri = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%");
    let index = namespaces.get_index(&uri).ok_or_else(|| {
        let mut known: Vec<_> = namespaces.known_namespaces().keys().map(String::as_str).collect();
        known.sort_unstable();
        format!("the server has no namespace `{uri}`; it has {}", known.join(", "))
    })?;
    NodeId::from_str(&format!("ns={index};{identifier}")).map_err(|_| format!("`{text}` is no node id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fitting() -> impl Strategy<Value = (VariantScalarTypeId, Value)> {
        use VariantScalarTypeId as Type;
        prop_oneof![
            any::<bool>().prop_map(|truth| (Type::Boolean, truth.into())),
            any::<i8>().prop_map(|number| (Type::SByte, Value::Integer(number.into()))),
            any::<u8>().prop_map(|number| (Type::Byte, Value::Integer(number.into()))),
            any::<i16>().prop_map(|number| (Type::Int16, Value::Integer(number.into()))),
            any::<u16>().prop_map(|number| (Type::UInt16, Value::Integer(number.into()))),
            any::<i32>().prop_map(|number| (Type::Int32, Value::Integer(number.into()))),
            any::<u32>().prop_map(|number| (Type::UInt32, Value::Integer(number.into()))),
            any::<i64>().prop_map(|number| (Type::Int64, Value::Integer(number))),
            (0..i64::MAX).prop_map(|number| (Type::UInt64, Value::Integer(number))),
            any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(|number| (Type::Float, f64::from(number).into())),
            any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|number| (Type::Double, number.into())),
            ".{0,20}".prop_map(|text| (Type::String, text.as_str().into())),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back((data_type, value) in fitting()) {
            let variant = to_variant(&value, data_type).unwrap();
            prop_assert_eq!(scalar_type(&variant), Some(data_type));
            prop_assert_eq!(to_value(&variant), value);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        use VariantScalarTypeId as Type;
        let refused = |value: Value, data_type| to_variant(&value, data_type).unwrap_err();
        assert_eq!(refused(300_i64.into(), Type::Byte), "the node's type is Byte, which is too small for it");
        assert_eq!(refused(1.5.into(), Type::Int32), "the node takes whole numbers (Int32)");
        assert_eq!(refused(true.into(), Type::Int32), "the node takes whole numbers (Int32)");
        assert_eq!(refused(1_i64.into(), Type::Boolean), "the node takes true or false");
        assert_eq!(refused("on".into(), Type::Double), "the node takes numbers (Double)");
        assert_eq!(refused(1e300.into(), Type::Float), "the node takes numbers in single precision");
    }

    #[test]
    fn node_ids_by_index_and_by_uri() {
        let mut namespaces = NamespaceMap::new();
        let index = namespaces.add_namespace("urn:plant");
        let resolve = |text: &str| resolve(&NodeAddress(text.into()), &namespaces);
        assert_eq!(resolve("ns=2;s=Filler.Bowl.Temp").unwrap(), NodeId::new(2, "Filler.Bowl.Temp"));
        assert_eq!(resolve("nsu=urn:plant;i=7").unwrap(), NodeId::new(index, 7_u32));
        assert!(resolve("nsu=urn:other;i=7").unwrap_err().contains("it has http://opcfoundation.org/UA/, urn:plant"));
        assert!(resolve("Filler").unwrap_err().contains("is no node id"));
    }

    #[test]
    fn times() {
        let time = Timestamp::from_millis(1_800_000_000_123);
        let date = DateTime::from(EPOCH_TICKS + 18_000_000_001_230_000);
        assert_eq!(time_of(&date), Some(time));
        assert_eq!(time_of(&DateTime::null()), None);
        let value = DataValue { source_timestamp: Some(DateTime::null()), server_timestamp: Some(date), ..DataValue::null() };
        assert_eq!(value_time(&value, Timestamp::EPOCH), time);
        assert_eq!(value_time(&DataValue::null(), Timestamp::EPOCH), Timestamp::EPOCH);
    }
}
