//! Reads addresses as a plant engineer writes them. Never touches a device: whether the point exists is found out on connecting.

use super::{Address, AddressError, ByteOrder, ModbusAddress, ModbusTable, ModbusType, MqttAddress, NodeAddress, Protocol};
use crate::expression::{Span, nearest};
use std::str::FromStr;

/// The registers of a table end here: the protocol counts them with 16 bits.
const TABLE_END: u32 = 1 << 16;

impl FromStr for Address {
    type Err = AddressError;
    /// Reads an address whose source is not known, by its shape: `ns=…`, `i=…` and the like are OPC UA, a table name or a
    /// five or six digit register number is Modbus, everything else is a path in an MQTT payload.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, shape(text))
    }
}

impl Address {
    /// Reads an address of a source that speaks `protocol`.
    ///
    /// # Errors
    /// What is not an address of that protocol, with the part of the text that is wrong.
    pub fn parse(text: &str, protocol: Protocol) -> Result<Self, AddressError> {
        let trimmed = text.trim();
        let shift = text.len() - text.trim_start().len();
        let parsed = match protocol {
            Protocol::OpcUa => node(trimmed).map(Self::OpcUa),
            Protocol::Modbus => modbus(trimmed).map(Self::Modbus),
            Protocol::Mqtt => mqtt(trimmed).map(Self::Mqtt),
        };
        parsed.map_err(|mut error| {
            error.span = Span { start: error.span.start + shift, end: error.span.end + shift };
            error
        })
    }
}

/// What an address without a known source looks like.
fn shape(text: &str) -> Protocol {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    let table = first.split_once('/').map_or(first, |(table, _)| table);
    let is_node = ["ns=", "nsu=", "i=", "s=", "g=", "b="].iter().any(|prefix| text.starts_with(prefix));
    if is_node {
        Protocol::OpcUa
    } else if (first.contains('/') && !text.contains('#') && table_named(table).is_some()) || reference_number(first).is_some()
    {
        Protocol::Modbus
    } else {
        Protocol::Mqtt
    }
}

fn error(start: usize, end: usize, message: impl Into<String>, hint: impl Into<String>) -> AddressError {
    AddressError { span: Span { start, end }, message: message.into(), hint: hint.into() }
}

const NODE_FORM: &str =
    "an OPC UA node id looks like `ns=2;s=Filler.Temp`, `ns=2;i=1042` or `nsu=<namespace URI>;s=Filler.Temp`";

fn node(text: &str) -> Result<NodeAddress, AddressError> {
    let whole = |message: String| error(0, text.len(), message, NODE_FORM);
    let identifier = if let Some(rest) = text.strip_prefix("ns=") {
        let (index, identifier) =
            rest.split_once(';').ok_or_else(|| whole(format!("`{text}` has no `;` after the namespace")))?;
        let end = 3 + index.len();
        index
            .parse::<u16>()
            .map_err(|_| error(3, end, format!("`{index}` is not a namespace index (0 to 65535)"), NODE_FORM))?;
        identifier
    } else if let Some(rest) = text.strip_prefix("nsu=") {
        let (uri, identifier) =
            rest.split_once(';').ok_or_else(|| whole(format!("`{text}` has no `;` after the namespace")))?;
        if uri.is_empty() {
            return Err(whole("the namespace URI is empty".into()));
        }
        identifier
    } else {
        text
    };
    let start = text.len() - identifier.len();
    let (kind, value) = identifier.split_once('=').ok_or_else(|| whole(format!("`{text}` is not an OPC UA node id")))?;
    let fits = match kind {
        "s" | "b" => !value.is_empty(),
        "i" => value.parse::<u32>().is_ok(),
        "g" => uuid::Uuid::parse_str(value).is_ok(),
        _ => return Err(error(start, start + kind.len(), format!("`{kind}=` is not a kind of node id"), NODE_FORM)),
    };
    if fits {
        Ok(NodeAddress(text.into()))
    } else {
        Err(error(start, text.len(), format!("`{identifier}` is not a node identifier"), NODE_FORM))
    }
}

const MODBUS_FORM: &str = "write `holding/0 float32 CDAB`, `input/3 int16`, `coil/7` or `holding/10.3`: a table, the address from 0, \
                           a type, the byte order";

fn modbus(text: &str) -> Result<ModbusAddress, AddressError> {
    let words = words(text);
    let Some((start, place)) = words.first().copied() else {
        return Err(error(0, text.len(), "the address is empty", MODBUS_FORM));
    };
    let end = start + place.len();
    let (place_of, bit) = match place.rsplit_once('.') {
        Some((place_of, bit)) => {
            let number = bit.parse::<u8>().ok().filter(|bit| *bit < 16);
            let wrong = || error(end - bit.len(), end, format!("`{bit}` is not a bit of a register (0 to 15)"), MODBUS_FORM);
            (place_of, Some(number.ok_or_else(wrong)?))
        }
        None => (place, None),
    };
    let (table, register) = register(place_of, start)?;
    if bit.is_some() && table.is_bits() {
        let message = format!("`{}` is a table of bits already: `{place_of}` is enough", table.name());
        return Err(error(start, end, message, MODBUS_FORM));
    }
    let default = if table.is_bits() || bit.is_some() { ModbusType::Bool } else { ModbusType::U16 };
    let (mut data_type, mut order) = (None, None);
    for (at, word) in words.iter().skip(1).copied() {
        if let Some(known) = type_named(word).filter(|_| data_type.is_none() && order.is_none()) {
            data_type = Some(known);
        } else if let Some(known) = order_named(word).filter(|_| order.is_none()) {
            order = Some(known);
        } else {
            return Err(error(
                at,
                at + word.len(),
                format!("`{word}` is neither a type nor a byte order here"),
                modbus_words(word),
            ));
        }
    }
    let address =
        ModbusAddress { table, register, bit, data_type: data_type.unwrap_or(default), order: order.unwrap_or_default() };
    check_modbus(text, address)
}

fn check_modbus(text: &str, address: ModbusAddress) -> Result<ModbusAddress, AddressError> {
    let whole = |message: String| Err(error(0, text.len(), message, MODBUS_FORM));
    if (address.table.is_bits() || address.bit.is_some()) && address.data_type != ModbusType::Bool {
        return whole(format!("one bit cannot be {}", address.data_type));
    }
    if !address.table.is_bits() && address.bit.is_none() && address.data_type == ModbusType::Bool {
        return whole(format!("name the bit: `{}/{}.0`", address.table.name(), address.register));
    }
    if matches!(address.data_type, ModbusType::String(0)) {
        return whole("a string takes at least one register".into());
    }
    if address.end() > TABLE_END {
        return whole(format!("the value would end at register {}, the table ends at 65535", address.end() - 1));
    }
    Ok(address)
}

/// The words of a text with their byte offsets.
fn words(text: &str) -> Vec<(usize, &str)> {
    let base = text.as_ptr() as usize;
    text.split_whitespace().map(|word| (word.as_ptr() as usize - base, word)).collect()
}

/// `holding/0`, or the old `40001`.
fn register(place: &str, start: usize) -> Result<(ModbusTable, u16), AddressError> {
    let end = start + place.len();
    if let Some(found) = reference_number(place) {
        return Ok(found);
    }
    let Some((table, number)) = place.split_once('/') else {
        return Err(error(start, end, format!("`{place}` is not a Modbus address"), MODBUS_FORM));
    };
    let known = table_named(table).ok_or_else(|| {
        let message = format!("`{table}` is not a Modbus table");
        error(start, start + table.len(), message, "the tables are holding, input, coil and discrete")
    })?;
    let register = number
        .parse::<u16>()
        .map_err(|_| error(end - number.len(), end, format!("`{number}` is not a Modbus address (0 to 65535)"), MODBUS_FORM))?;
    Ok((known, register))
}

/// The old notation that counts from 1 and puts the table in front: `40001` is `holding/0`, `300001` is `input/0`.
fn reference_number(text: &str) -> Option<(ModbusTable, u16)> {
    if !matches!(text.len(), 5 | 6) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let table = match text.as_bytes()[0] {
        b'0' => ModbusTable::Coil,
        b'1' => ModbusTable::Discrete,
        b'3' => ModbusTable::Input,
        b'4' => ModbusTable::Holding,
        _ => return None,
    };
    let number: u32 = text[1..].parse().ok()?;
    Some((table, u16::try_from(number.checked_sub(1)?).ok()?))
}

fn table_named(text: &str) -> Option<ModbusTable> {
    Some(match text {
        "coil" => ModbusTable::Coil,
        "discrete" => ModbusTable::Discrete,
        "input" => ModbusTable::Input,
        "holding" => ModbusTable::Holding,
        _ => return None,
    })
}

fn type_named(text: &str) -> Option<ModbusType> {
    Some(match text {
        "bool" => ModbusType::Bool,
        "u16" | "uint16" => ModbusType::U16,
        "i16" | "int16" => ModbusType::I16,
        "u32" | "uint32" => ModbusType::U32,
        "i32" | "int32" => ModbusType::I32,
        "u64" | "uint64" => ModbusType::U64,
        "i64" | "int64" => ModbusType::I64,
        "f32" | "float32" => ModbusType::F32,
        "f64" | "float64" => ModbusType::F64,
        _ => ModbusType::String(text.strip_prefix("string(")?.strip_suffix(')')?.parse().ok()?),
    })
}

fn order_named(text: &str) -> Option<ByteOrder> {
    Some(match text {
        "ABCD" => ByteOrder::Abcd,
        "CDAB" => ByteOrder::Cdab,
        "BADC" => ByteOrder::Badc,
        "DCBA" => ByteOrder::Dcba,
        _ => return None,
    })
}

/// The names of types that are shown.
const TYPES: [&str; 9] = ["bool", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"];

/// What to write instead of a word that is neither type nor order.
fn modbus_words(word: &str) -> String {
    if order_named(&word.to_ascii_uppercase()).is_some() {
        return format!("write the order in capitals: {}", word.to_ascii_uppercase());
    }
    if word.eq_ignore_ascii_case("float") || word.eq_ignore_ascii_case("real") {
        return "write float32 or float64".into();
    }
    if let Some(near) = nearest(word, TYPES) {
        return format!("did you mean `{near}`?");
    }
    "types: bool, uint16, int16, uint32, int32, uint64, int64, float32, float64, string(<registers>); then an order: ABCD, CDAB, \
     BADC or DCBA"
        .into()
}

const MQTT_FORM: &str = "write the members to walk in the JSON payload, `power.kw` or `values[0].kw`, or `.` when the payload is the value; \
                         `some/topic#power.kw` names the topic in full";

fn mqtt(text: &str) -> Result<MqttAddress, AddressError> {
    let (topic, path) = match text.split_once('#') {
        Some((topic, path)) => (Some(topic), path),
        None => (None, text),
    };
    if text.is_empty() {
        return Err(error(0, 0, "the address is empty", MQTT_FORM));
    }
    if let Some(topic) = topic.filter(|topic| topic.is_empty() || topic.contains(['+', '{'])) {
        return Err(error(0, topic.len(), format!("`{topic}` is not a full topic"), MQTT_FORM));
    }
    if let Some(at) = path.find(char::is_whitespace) {
        let start = text.len() - path.len();
        return Err(error(start, text.len(), format!("`{}` has a space after `{}`", path, &path[..at]), MQTT_FORM));
    }
    let path = if path == "." { "" } else { path };
    Ok(MqttAddress { topic: topic.map(Into::into), path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match text.parse::<Address>() {
            Ok(address) => format!("{}: {address}", address.protocol()),
            Err(error) => format!("{}..{}: {}", error.span.start, error.span.end, error.message),
        }
    }

    #[test]
    fn addresses_are_known_by_their_shape() {
        assert_eq!(shown("ns=2;s=Filler.Bowl.Temp"), "OPC UA: ns=2;s=Filler.Bowl.Temp");
        assert_eq!(shown("nsu=urn:line;i=42"), "OPC UA: nsu=urn:line;i=42");
        assert_eq!(shown("holding/0 float32 CDAB"), "Modbus: holding/0 float32 CDAB");
        assert_eq!(shown("holding/10.3"), "Modbus: holding/10.3");
        assert_eq!(shown("coil/7"), "Modbus: coil/7");
        assert_eq!(shown("input/3 i16"), "Modbus: input/3 int16");
        assert_eq!(shown("holding/4 string(8)"), "Modbus: holding/4 string(8)");
        assert_eq!(shown("40001 f32"), "Modbus: holding/0 float32");
        assert_eq!(shown("400011"), "Modbus: holding/10 uint16");
        assert_eq!(shown("power.kw"), "MQTT: power.kw");
        assert_eq!(shown("."), "MQTT: .");
        assert_eq!(shown("plant/air#bar"), "MQTT: plant/air#bar");
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["ns=0;i=2258", "holding/0 float32 CDAB", "discrete/2", "input/9 uint16", "a/b#c.d[0]", ".", "x", "a/b#"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(Address::parse(&address.to_string(), address.protocol()), Ok(address), "{text}");
        }
    }

    #[test]
    fn mistakes_name_the_word() {
        assert_eq!(shown("ns=x;s=A"), "3..4: `x` is not a namespace index (0 to 65535)");
        assert_eq!(shown("ns=2;q=A"), "5..6: `q=` is not a kind of node id");
        assert_eq!(shown("holding/0 flaot32"), "10..17: `flaot32` is neither a type nor a byte order here");
        assert_eq!(shown("holding/70000"), "8..13: `70000` is not a Modbus address (0 to 65535)");
        assert_eq!(shown("holding/65535 float32"), "0..21: the value would end at register 65536, the table ends at 65535");
        assert_eq!(shown("holding/1.16"), "10..12: `16` is not a bit of a register (0 to 15)");
        assert_eq!(shown("coil/7 float32"), "0..14: one bit cannot be float32");
        let wrong = Address::parse("holdng/0", Protocol::Modbus).unwrap_err();
        assert_eq!((wrong.span.start, wrong.span.end, wrong.message.as_str()), (0, 6, "`holdng` is not a Modbus table"));
    }

    #[test]
    fn overlap_is_by_register_not_by_bit() {
        let modbus = |text: &str| match text.parse::<Address>().unwrap() {
            Address::Modbus(address) => address,
            other => panic!("{other}"),
        };
        assert!(modbus("holding/0 float32").overlaps(&modbus("holding/1 uint16")));
        assert!(!modbus("holding/0 float32").overlaps(&modbus("holding/2 uint16")));
        assert!(!modbus("holding/0 float32").overlaps(&modbus("input/0 uint16")));
        assert!(!modbus("holding/0.1").overlaps(&modbus("holding/0 uint16")));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            for protocol in [Protocol::OpcUa, Protocol::Modbus, Protocol::Mqtt] {
                let _ = Address::parse(&text, protocol);
            }
            let _ = text.parse::<Address>();
        }
    }
}
