//! A browsed source as text: the tree, then the lines to paste.

use super::Opened;
use andon_models::{
    Value,
    browse::{BrowseView, NodeKind, NodeView},
};
use std::fmt::Write as _;

/// Columns of a name; a longer one pushes the rest of its line.
const NAME: usize = 36;
/// Letters of a text that are shown.
const MAX_TEXT: usize = 60;

/// The tree of an answer with what to paste below it.
pub fn text(first: &BrowseView, nodes: &[Opened], found: bool) -> String {
    let mut out = String::new();
    for (index, node) in nodes.iter().enumerate() {
        branch(&mut out, node, "", index + 1 == nodes.len(), found);
    }
    if nodes.is_empty() {
        out.push_str(if found { "Nothing of that name was found.\n" } else { "There is nothing below it.\n" });
    }
    if !first.note.is_empty() {
        let _ = writeln!(out, "\n{}.", first.note);
    }
    let mut lines = Vec::new();
    collect(nodes, &mut lines);
    if !lines.is_empty() {
        let _ = writeln!(out, "\nmeasurements:          # for a model whose assets say `{}: {}`", first.slot, first.source);
        lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    out.trim_end().to_owned()
}

fn branch(out: &mut String, opened: &Opened, before: &str, last: bool, found: bool) {
    let node = &opened.node;
    let (fork, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
    let name = if found { &node.path } else { &node.name };
    let width = NAME.saturating_sub(before.chars().count());
    let _ = writeln!(out, "{}", format!("{before}{fork}{name:width$} {}", said(node)).trim_end());
    let before = format!("{before}{rest}");
    for line in readings(&node.readings) {
        let _ = writeln!(out, "{before}{line}");
    }
    for (index, below) in opened.below.iter().enumerate() {
        branch(out, below, &before, index + 1 == opened.below.len(), false);
    }
    if opened.more && opened.below.is_empty() && node.kind != NodeKind::Folder {
        let _ = writeln!(out, "{before}…");
    }
}

/// What stands behind a name.
fn said(node: &NodeView) -> String {
    let mut parts = Vec::new();
    match node.kind {
        NodeKind::Folder if node.description.is_empty() => {}
        NodeKind::Folder => parts.push(node.description.to_string()),
        NodeKind::Method => parts.push("method".into()),
        _ if !node.problem.is_empty() => parts.push(node.problem.to_string()),
        _ => parts.push(format!("{} {}", short(&node.value), node.unit).trim_end().to_owned()),
    }
    if !node.data_type.is_empty() {
        parts.push(node.data_type.to_string());
    }
    if node.kind == NodeKind::Register && !node.description.is_empty() {
        parts.push(node.description.to_string());
    }
    if let Some(bound) = node.bound.first() {
        let more = if node.bound.len() > 1 { format!(" and {} more", node.bound.len() - 1) } else { String::new() };
        parts.push(format!("← {} {}{more}", bound.asset, bound.property));
    }
    parts.join("  ")
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(text) if text.chars().count() > MAX_TEXT => text.chars().take(MAX_TEXT).chain(['…']).collect(),
        // Beyond what a plant measures: the wrong way to read the bytes has up to 300 digits.
        Value::Double(number) if *number != 0.0 && !(1e-6..1e15).contains(&number.abs()) => format!("{number:.3e}"),
        other => other.to_string(),
    }
}

/// One line per type: `float32   82.5 CDAB · 1.1e-38 ABCD`.
fn readings(readings: &[NodeView]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for reading in readings {
        let order = reading.node.rsplit(' ').next().filter(|word| ["CDAB", "BADC", "DCBA"].contains(word)).unwrap_or("ABCD");
        let one = format!("{} {order}", short(&reading.value));
        match lines.iter_mut().find(|(data_type, _)| **data_type == *reading.data_type) {
            Some((_, all)) => all.push(one),
            None => lines.push((reading.data_type.to_string(), vec![one])),
        }
    }
    lines.into_iter().map(|(data_type, all)| format!("{data_type:<10} {}", all.join(" · "))).collect()
}

/// The lines of what nothing reads yet. A register has too many meanings for one.
fn collect(nodes: &[Opened], lines: &mut Vec<String>) {
    for opened in nodes {
        let raw = opened.node.kind == NodeKind::Register && !opened.node.readings.is_empty();
        if opened.node.bound.is_empty() && !raw {
            lines.extend(opened.node.line.as_deref().map(str::to_owned));
        }
        collect(&opened.below, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{
        Quality,
        browse::{BoundProperty, SlotUse},
    };

    fn node(name: &str, kind: NodeKind, value: Value) -> NodeView {
        let nothing: std::sync::Arc<str> = "".into();
        NodeView {
            node: name.into(),
            name: name.into(),
            path: format!("A/{name}").into(),
            kind,
            address: None,
            short: None,
            data_type: nothing.clone(),
            r#type: None,
            unit: nothing.clone(),
            value,
            quality: Quality::Good,
            problem: nothing.clone(),
            time: None,
            description: nothing,
            children: false,
            key: "k".into(),
            line: None,
            bound: Vec::new(),
            about: Vec::new(),
            readings: Vec::new(),
        }
    }

    fn leaf(node: NodeView) -> Opened {
        Opened { node, below: Vec::new(), more: false }
    }

    fn answer(note: &str) -> BrowseView {
        let slots: Vec<SlotUse> = Vec::new();
        BrowseView {
            source: "plc1".into(),
            protocol: "opcua".into(),
            node: "".into(),
            nodes: Vec::new(),
            next: None,
            note: note.into(),
            slot: "plc".into(),
            slots,
        }
    }

    #[test]
    fn a_tree_with_values_what_reads_them_and_lines_for_the_rest() {
        let bound = vec![BoundProperty { asset: "L/F".into(), property: "temp".into() }];
        let temp = NodeView {
            unit: "°C".into(),
            data_type: "Double".into(),
            line: Some("temp: { from: a @plc }".into()),
            bound,
            ..node("Temp", NodeKind::Variable, 78.5.into())
        };
        let level = NodeView { line: Some("level: { from: b @plc }".into()), ..node("Level", NodeKind::Variable, Value::Null) };
        let folder =
            Opened { node: node("Filler", NodeKind::Folder, Value::Null), below: vec![leaf(temp), leaf(level)], more: false };
        let expected = "\
└─ Filler
   ├─ Temp                              78.5 °C  Double  ← L/F temp
   └─ Level                             –

measurements:          # for a model whose assets say `plc: plc1`
  level: { from: b @plc }";
        assert_eq!(text(&answer(""), &[folder], false), expected);
    }

    #[test]
    fn a_register_shows_each_way_to_read_it_by_type() {
        let reading = |node_: &str, data_type: &str, value: Value| NodeView {
            node: node_.into(),
            data_type: data_type.into(),
            ..node(node_, NodeKind::Reading, value)
        };
        let register = NodeView {
            readings: vec![
                reading("holding/0 float32 CDAB", "float32", 82.5.into()),
                reading("holding/0 uint16", "uint16", 5_i64.into()),
                reading("holding/0 float32", "float32", 1e-38.into()),
            ],
            line: Some("holding_0: { from: holding/0 uint16 @plc }".into()),
            ..node("holding/0", NodeKind::Register, 5_i64.into())
        };
        let shown = text(&answer("only these"), &[leaf(register)], false);
        assert!(shown.contains("   float32    82.5 CDAB · 1.000e-38 ABCD\n   uint16     5 ABCD"), "{shown}");
        assert!(shown.ends_with("\nonly these."), "{shown}");
    }
}
