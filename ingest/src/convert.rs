//! From what a device said to a TQV of the property: scale, type, plausible range. The same for every protocol.

use andon_models::{Quality, StatusCode, Timestamp, Tqv, Value, ValueType, catalog::Tag, definition::Scaling};

/// A raw value with the device's own status code.
pub(crate) fn tqv(tag: &Tag, raw: Value, time: Timestamp, status: StatusCode) -> Tqv {
    let quality = status.quality();
    if quality == Quality::Bad {
        return Tqv::bad(time, status);
    }
    let Some(value) = scaled(raw, &tag.scaling, tag.value_type).coerce(tag.value_type).filter(|value| *value != Value::Null)
    else {
        return Tqv::bad(time, StatusCode::DECODING_ERROR);
    };
    if quality == Quality::Good && is_out_of_range(&value, &tag.scaling) {
        return Tqv { time, quality: Quality::Uncertain, status: StatusCode::OUT_OF_RANGE, value };
    }
    Tqv { time, quality, status, value }
}

fn scaled(raw: Value, scaling: &Scaling, value_type: ValueType) -> Value {
    let plain = scaling.scale == 1.0 && scaling.offset == 0.0;
    match raw {
        Value::Integer(_) | Value::Double(_) if !plain => {
            let number = raw.as_f64().unwrap_or(f64::NAN) * scaling.scale + scaling.offset;
            // A scaled integer is whole up to the rounding of the factor.
            Value::from(if value_type == ValueType::Integer { number.round() } else { number })
        }
        Value::Double(number) => Value::from(number),
        other => other,
    }
}

fn is_out_of_range(value: &Value, scaling: &Scaling) -> bool {
    let (Value::Integer(_) | Value::Double(_)) = value else { return false };
    let number = value.as_f64().unwrap_or_default();
    scaling.min.is_some_and(|min| number < min) || scaling.max.is_some_and(|max| number > max)
}

/// The raw number that reads back as `value`.
pub(crate) fn unscaled(value: &Value, scaling: &Scaling) -> Value {
    let plain = scaling.scale == 1.0 && scaling.offset == 0.0;
    match value {
        Value::Integer(_) | Value::Double(_) if !plain => {
            Value::from((value.as_f64().unwrap_or(f64::NAN) - scaling.offset) / scaling.scale)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use andon_models::{
        SeriesId, TagId,
        address::{Address, NodeAddress},
        definition::AssetIndex,
    };

    /// A tag to convert for.
    pub fn tag(value_type: ValueType, scaling: Scaling) -> Tag {
        Tag {
            id: TagId(0),
            source: "plc".into(),
            address: Address::OpcUa(NodeAddress("ns=2;s=X".into())),
            series: SeriesId(0),
            asset: AssetIndex(0),
            value_type,
            scaling,
            stale: None,
            read: true,
            feedback: None,
        }
    }

    fn check(value_type: ValueType, scaling: Scaling, raw: impl Into<Value>, expected: (Quality, StatusCode, Value)) {
        let tqv = tqv(&tag(value_type, scaling), raw.into(), Timestamp::EPOCH, StatusCode::GOOD);
        assert_eq!((tqv.quality, tqv.status, tqv.value), expected);
    }

    #[test]
    fn scale_type_and_range() {
        let plain = Scaling::default();
        let tenth = Scaling { scale: 0.1, offset: -40.0, min: Some(0.0), max: Some(100.0) };
        check(ValueType::Double, plain, 7_i64, (Quality::Good, StatusCode::GOOD, Value::Double(7.0)));
        check(ValueType::Double, tenth, 900_i64, (Quality::Good, StatusCode::GOOD, Value::Double(50.0)));
        check(ValueType::Double, tenth, 2_000_i64, (Quality::Uncertain, StatusCode::OUT_OF_RANGE, Value::Double(160.0)));
        check(
            ValueType::Integer,
            Scaling { scale: 0.1, ..plain },
            30_i64,
            (Quality::Good, StatusCode::GOOD, Value::Integer(3)),
        );
        check(ValueType::Boolean, plain, 1_i64, (Quality::Good, StatusCode::GOOD, Value::Boolean(true)));
        check(ValueType::Boolean, plain, 2_i64, (Quality::Bad, StatusCode::DECODING_ERROR, Value::Null));
        check(ValueType::Double, plain, "3.5", (Quality::Bad, StatusCode::DECODING_ERROR, Value::Null));
        check(ValueType::Double, plain, Value::Double(f64::NAN), (Quality::Bad, StatusCode::DECODING_ERROR, Value::Null));
    }

    #[test]
    fn a_status_of_the_device_is_kept() {
        let tag = tag(ValueType::Double, Scaling::default());
        let uncertain = tqv(&tag, 1.0.into(), Timestamp::EPOCH, StatusCode(0x4092_0000));
        assert_eq!(
            (uncertain.quality, uncertain.status.0, uncertain.value),
            (Quality::Uncertain, 0x4092_0000, Value::Double(1.0))
        );
        let bad = tqv(&tag, 1.0.into(), Timestamp::EPOCH, StatusCode(0x8034_0000));
        assert_eq!((bad.quality, bad.status.0, bad.value), (Quality::Bad, 0x8034_0000, Value::Null));
    }

    #[test]
    fn unscaling_undoes_scaling() {
        let scaling = Scaling { scale: 0.5, offset: 3.0, ..Scaling::default() };
        assert_eq!(unscaled(&Value::Double(10.0), &scaling), Value::Double(14.0));
        assert_eq!(unscaled(&Value::Boolean(true), &scaling), Value::Boolean(true));
    }
}
