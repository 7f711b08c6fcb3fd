//! What was heard as a tree: levels of topics, topics with their payload, members of JSON payloads.

use super::{Heard, Last, fields::fields};
use crate::mqtt::{
    Routing,
    payload::{Found, Payload},
};
use andon_models::{
    Value,
    browse::{Browse, Browsed, NodeKind, Pattern, SourceNode},
};
use std::{collections::BTreeMap, sync::Arc};

/// Longest text of a payload that is shown.
const MAX_SHOWN: usize = 200;

/// The topic of a node: a member's node is `topic#path`.
pub(super) fn topic_of(node: &str) -> &str {
    node.split_once('#').map_or(node, |(topic, _)| topic).trim_end_matches('/')
}

/// Answers a question by what was heard.
pub(super) fn answer(heard: &Heard, ask: &Browse, routing: &Routing) -> Browsed {
    let nodes = match (ask.read.is_empty(), &*ask.find) {
        (false, _) => read(heard, &ask.read, routing),
        (true, "") => level(heard, topic_of(&ask.node), routing),
        (true, pattern) => find(heard, topic_of(&ask.node), &Pattern::new(pattern), routing),
    };
    let none = nodes.is_empty() && ask.after == 0;
    let end = ask.after.saturating_add(ask.limit);
    let next = (nodes.len() > end).then_some(end);
    let note = match heard.note.as_str() {
        "" if none => "nothing was heard; listen for longer".to_owned(),
        note => note.to_owned(),
    };
    Browsed { nodes: nodes.into_iter().skip(ask.after).take(ask.limit).collect(), next, note }
}

/// What is right below a topic: the members of its payload, then the levels below it.
fn level(heard: &Heard, topic: &str, routing: &Routing) -> Vec<SourceNode> {
    let mut nodes = heard.topics.get(topic).map(|last| members(topic, last, routing)).unwrap_or_default();
    let prefix = if topic.is_empty() { String::new() } else { format!("{topic}/") };
    let mut levels: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    for rest in heard.topics.keys().filter_map(|other| other.strip_prefix(&prefix)) {
        let (name, below) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        let level = levels.entry(name).or_default();
        if below { level.1 += 1 } else { level.0 = true }
    }
    for (name, (own, below)) in levels {
        let full = format!("{prefix}{name}");
        let node = match heard.topics.get(full.as_str()).filter(|_| own) {
            Some(last) => topic_node(&full, name, last, routing),
            None => SourceNode::new(full.as_str(), name, NodeKind::Folder),
        };
        let count = if below == 1 { "1 topic".to_owned() } else { format!("{below} topics") };
        let description = if node.kind == NodeKind::Folder { count.into() } else { node.description.clone() };
        nodes.push(SourceNode { children: node.children || below > 0, description, ..node });
    }
    nodes
}

/// Topics and members whose name or path matches.
fn find(heard: &Heard, below: &str, pattern: &Pattern, routing: &Routing) -> Vec<SourceNode> {
    let within =
        |topic: &str| below.is_empty() || topic == below || topic.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'));
    let mut found = Vec::new();
    for (topic, last) in heard.topics.iter().filter(|(topic, _)| within(topic)) {
        let name = topic.rsplit('/').next().unwrap_or(topic);
        if pattern.takes(name, topic) {
            found.push(SourceNode { path: topic.clone(), ..topic_node(topic, name, last, routing) });
        }
        for member in members(topic, last, routing) {
            let path = format!("{topic}/{}", member.name);
            if pattern.takes(&member.name, &path) {
                found.push(SourceNode { path: path.into(), ..member });
            }
        }
    }
    found
}

fn read(heard: &Heard, addresses: &[Arc<str>], routing: &Routing) -> Vec<SourceNode> {
    let one = |address: &Arc<str>| {
        let (topic, path) = address.split_once('#').unwrap_or((address, ""));
        let unheard = || SourceNode::new(address.clone(), path, NodeKind::Field).bad("nothing was heard of it");
        let Some(last) = heard.topics.get(topic) else { return unheard() };
        if path.is_empty() || path == "." {
            return SourceNode { node: address.clone(), ..topic_node(topic, topic, last, routing) };
        }
        let member = members(topic, last, routing).into_iter().find(|member| &*member.name == path);
        member.map_or_else(unheard, |member| SourceNode { node: address.clone(), ..member })
    };
    addresses.iter().map(one).collect()
}

fn topic_node(topic: &str, name: &str, last: &Last, routing: &Routing) -> SourceNode {
    let payload = Payload::parse(&last.payload);
    let node =
        SourceNode { description: said(last).into(), time: Some(last.at), ..SourceNode::new(topic, name, NodeKind::Topic) };
    match payload.value(".") {
        Found::Value(value) => of_value(node, topic, ".", value, routing),
        _ => match &payload {
            Payload::Json(json) => {
                let children = !fields(&payload).is_empty();
                SourceNode { data_type: "JSON".into(), value: shortened(&json.to_string()), children, ..node }
            }
            Payload::Text(_) => SourceNode { data_type: "empty".into(), ..node },
            Payload::Unreadable => {
                let data_type = format!("{} bytes", last.payload.len()).into();
                SourceNode { data_type, ..node }.bad("neither JSON nor text")
            }
        },
    }
}

fn members(topic: &str, last: &Last, routing: &Routing) -> Vec<SourceNode> {
    let member = |(path, value): (String, Value)| {
        let node = SourceNode::new(format!("{topic}#{path}"), path.as_str(), NodeKind::Field);
        of_value(SourceNode { time: Some(last.at), ..node }, topic, &path, value, routing)
    };
    fields(&Payload::parse(&last.payload)).into_iter().map(member).collect()
}

fn of_value(node: SourceNode, topic: &str, path: &str, value: Value, routing: &Routing) -> SourceNode {
    let (data_type, value_type) = match &value {
        Value::Boolean(_) => ("boolean", andon_models::ValueType::Boolean),
        // A sender writes 5 for 5.0.
        Value::Integer(_) | Value::Double(_) => ("number", andon_models::ValueType::Double),
        _ => ("text", andon_models::ValueType::String),
    };
    let value = match value {
        Value::String(text) => shortened(&text),
        other => other,
    };
    SourceNode {
        address: Some(format!("{topic}#{path}").into()),
        short: routing.takes(topic).then(|| path.into()),
        data_type: data_type.into(),
        value_type: Some(value_type),
        value,
        tags: routing.tags(topic, path),
        ..node
    }
}

fn said(last: &Last) -> &'static str {
    if last.retained { "retained" } else { "live" }
}

fn shortened(text: &str) -> Value {
    if text.chars().count() <= MAX_SHOWN {
        return text.into();
    }
    let short: String = text.chars().take(MAX_SHOWN).chain(['…']).collect();
    short.as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mqtt::client::Message, testing};
    use andon_models::{
        TagId, Timestamp, ValueType,
        address::{Address, MqttAddress},
    };

    fn heard() -> Heard {
        let mut heard = Heard::new("");
        for (topic, payload) in [
            ("plant/line1/filler1/energy", r#"{"power": {"kw": 4.5}, "state": "run"}"#),
            ("plant/line1/filler1/energy/raw", "7"),
            ("plant/site/air", "ON"),
            ("other", ""),
        ] {
            let message = Message {
                topic: topic.into(),
                payload: bytes::Bytes::copy_from_slice(payload.as_bytes()),
                retained: topic != "other",
                acknowledge: None,
            };
            assert!(heard.take(message, Timestamp::EPOCH));
        }
        heard
    }

    fn routing() -> Routing {
        let address = MqttAddress { topic: None, path: "power.kw".into() };
        let tag = testing::tag(4, Address::Mqtt(address), ValueType::Double, true);
        let paths = [(tag.id, Arc::from("Line 1/Filler 1"))].into();
        Routing::new("plant/{line}/{asset}/energy".parse().unwrap(), vec![tag], &paths)
    }

    fn check(ask: Browse, expected: &str) {
        let browsed = answer(&heard(), &ask, &routing());
        let lines = browsed.nodes.iter().map(|node| {
            let open = if node.children { "+" } else { "-" };
            let address = node.address.as_deref().unwrap_or("");
            format!("{open} {} = {} {} [{address}] {:?}", node.name, node.value, node.data_type, node.short.as_deref())
        });
        let text = lines.chain([browsed.note].into_iter().filter(|note| !note.is_empty())).collect::<Vec<_>>().join("\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn levels_topics_and_members() {
        check(Browse::default(), "- other = null empty [] None\n+ plant = null  [] None");
        check(Browse::children_of("plant"), "+ line1 = null  [] None\n+ site = null  [] None");
        check(
            Browse::children_of("plant/line1/filler1/energy"),
            "- power.kw = 4.5 number [plant/line1/filler1/energy#power.kw] Some(\"power.kw\")\n\
             - state = run text [plant/line1/filler1/energy#state] Some(\"state\")\n\
             - raw = 7 number [plant/line1/filler1/energy/raw#.] None",
        );
        check(Browse::children_of("plant/site"), "- air = true boolean [plant/site/air#.] None");
        check(Browse::children_of("nowhere"), "nothing was heard; listen for longer");
    }

    #[test]
    fn pages_names_and_values_again() {
        check(Browse { limit: 1, ..Browse::default() }, "- other = null empty [] None");
        check(Browse { limit: 1, after: 1, ..Browse::default() }, "+ plant = null  [] None");
        let find = Browse { find: "kw".into(), ..Browse::default() };
        check(find, "- power.kw = 4.5 number [plant/line1/filler1/energy#power.kw] Some(\"power.kw\")");
        let read = vec!["plant/line1/filler1/energy#power.kw".into()];
        let browsed = answer(&heard(), &Browse { read, ..Browse::default() }, &routing());
        assert_eq!((browsed.nodes[0].value.clone(), &browsed.nodes[0].tags), (4.5.into(), &vec![TagId(4)]));
    }
}
