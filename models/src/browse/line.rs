//! A node as a line of the plant file.

use super::{NodeKind, SourceNode};
use crate::{ValueType, sitewise::key_of};

/// `bowl_temp: { unit: °C, from: ns=2;s=Filler.Bowl.Temp @plc }`, ready to be pasted below `measurements:`; none for what no
/// property takes.
pub fn measurement_line(node: &SourceNode, slot: &str) -> Option<String> {
    let (address, value_type) = (node.address.as_ref()?, node.value_type?);
    let mut members = Vec::new();
    if value_type != ValueType::Double {
        members.push(format!("type: {}", type_word(value_type)));
    }
    if !node.unit.is_empty() {
        members.push(format!("unit: {}", text(&node.unit)));
    }
    members.push(format!("from: {}", bound_text(address, slot)));
    Some(format!("{}: {{ {} }}", key_for(node), members.join(", ")))
}

/// An address with its slot as a value of the plant file, quoted where YAML would read it otherwise.
pub fn bound_text(address: &str, slot: &str) -> String {
    text(&format!("{address} @{slot}"))
}

/// The name a property of this node gets, in the form of the plant file: the last part of its name that is more than a number; of
/// registers the table and the place.
pub fn key_for(node: &SourceNode) -> String {
    let name = &*node.name;
    if matches!(node.kind, NodeKind::Register | NodeKind::Reading) {
        // Not how it is read.
        return key_of(name.split(' ').next().unwrap_or(name), "value");
    }
    let last = name.rsplit(['.', '/', '#']).find(|part| part.chars().any(char::is_alphabetic)).unwrap_or(name);
    key_of(if last.is_empty() { name } else { last }, "value")
}

/// The plant file's word for a type.
pub(super) fn type_word(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Boolean => "bool",
        ValueType::Integer => "int",
        ValueType::Double => "double",
        ValueType::String => "string",
    }
}

/// A text within braces: plain where that is surely the text, else in quotes.
fn text(words: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let starts = words.starts_with(|first: char| first.is_alphanumeric() || first == '°' || first == '/');
    let plain = |letter: char| letter.is_alphanumeric() || " _-./;:=@#+()°³²%".contains(letter);
    let read_otherwise = words.contains(": ")
        || words.ends_with(':')
        || words.contains(" #")
        || words.trim() != words
        || words.parse::<f64>().is_ok()
        || WORDS.contains(&words.to_ascii_lowercase().as_str());
    if starts && words.chars().all(plain) && !read_otherwise {
        words.to_owned()
    } else {
        serde_json::Value::from(words).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant_file;

    fn node(name: &str, address: &str, unit: &str, value_type: ValueType) -> SourceNode {
        SourceNode {
            address: Some(address.into()),
            unit: unit.into(),
            value_type: Some(value_type),
            ..SourceNode::new(address, name, NodeKind::Variable)
        }
    }

    fn check(node: &SourceNode, expected: &str) {
        let line = measurement_line(node, "plc").unwrap();
        assert_eq!(line, expected);
        // Whatever it looks like, the plant file takes it as it was meant.
        let source = match node.kind {
            NodeKind::Variable => "{ opcua: opc.tcp://h:4840 }",
            NodeKind::Reading => "{ modbus: tcp://h }",
            _ => "{ mqtt: mqtt://h, topic: a/b }",
        };
        let file = format!(
            "plant: P\nsources:\n  s: {source}\nmodels:\n  m:\n    measurements:\n      {line}\nassets:\n  A: {{ model: m, plc: s }}\n"
        );
        let loaded = plant_file::load(&[("p.yaml".into(), file)], &|_| None);
        let plant = loaded.plant.unwrap_or_else(|| panic!("{line}: {:?}", loaded.diagnostics));
        let property = &plant.models[0].properties[0];
        assert_eq!((property.value_type, &*property.unit), (node.value_type.unwrap(), &*node.unit), "{line}");
    }

    #[test]
    fn lines_that_the_plant_file_takes() {
        check(
            &node("Bowl.Temp", "ns=2;s=Filler.Bowl.Temp", "°C", ValueType::Double),
            "temp: { unit: °C, from: ns=2;s=Filler.Bowl.Temp @plc }",
        );
        check(
            &node("GoodCount", "nsu=urn:x:line1;i=7", "", ValueType::Integer),
            "good_count: { type: int, from: nsu=urn:x:line1;i=7 @plc }",
        );
        let odd = node("Level [1]", "nsu=http://x.org/UA/;s=\"DB\".\"Level[1]\"", "%", ValueType::Double);
        check(&odd, "level_1: { unit: \"%\", from: \"nsu=http://x.org/UA/;s=\\\"DB\\\".\\\"Level[1]\\\" @plc\" }");
        let reading = node("holding/0 float32 CDAB", "holding/0 float32 CDAB", "", ValueType::Double);
        check(&SourceNode { kind: NodeKind::Reading, ..reading }, "holding_0: { from: holding/0 float32 CDAB @plc }");
        let field = node("values[0].kW", "site/air#values[0].kW", "kW", ValueType::Double);
        check(&SourceNode { kind: NodeKind::Field, ..field }, "kw: { unit: kW, from: \"site/air#values[0].kW @plc\" }");
        check(&node("Running", "i=2", "", ValueType::Boolean), "running: { type: bool, from: i=2 @plc }");
    }

    #[test]
    fn what_no_property_takes_has_no_line() {
        let array = SourceNode { value_type: None, ..node("Curve", "i=3", "", ValueType::Double) };
        assert_eq!(measurement_line(&array, "plc"), None);
    }
}
