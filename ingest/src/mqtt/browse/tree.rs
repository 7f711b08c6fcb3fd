//! What was heard as a tree: levels of topics, topics with their payload, members of JSON payloads.
//!
//! A level may have no name: `/a` and `a//b` are topics as any other (MQTT 5.0 section 4.7.1). Its node ends with the slash behind it,
//! so `/` is the unnamed level of the root, and `a/` the same as `a`.

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

/// What a level without a name is called.
const UNNAMED: &str = "(no name)";
/// The level of what a broker tells about itself. Whoever listens to all topics does not hear it (MQTT 5.0 section 4.7.2).
const BROKER: &str = "$SYS";

/// Where in the tree a question is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What all topics below it begin with: empty for the root, else with the slash.
    prefix: String,
}

impl Place {
    /// The place of a node: a member's node is `topic#path`.
    pub(super) fn of(node: &str) -> Self {
        let topic = match node.split_once('#') {
            Some((topic, _)) => topic,
            None if node.is_empty() => return Self { prefix: String::new() },
            None => node.strip_suffix('/').unwrap_or(node),
        };
        Self { prefix: format!("{topic}/") }
    }

    /// Where topics are heard that are read anew.
    pub(super) fn of_all(addresses: &[Arc<str>]) -> Vec<Self> {
        let mut places: Vec<Self> = Vec::new();
        for address in addresses {
            let of_broker = address.starts_with('$').then(|| address.split(['/', '#']).next().unwrap_or_default());
            let place = Self::of(of_broker.unwrap_or_default());
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Whether it is below what a broker tells about itself, which whoever listens to all topics does not hear.
    pub(super) fn is_of_broker(&self) -> bool {
        self.prefix.starts_with('$')
    }

    pub(super) fn is_root(&self) -> bool {
        self.prefix.is_empty()
    }

    pub(super) fn has_wildcards(&self) -> bool {
        self.prefix.contains(['+', '#'])
    }

    /// What is subscribed to for it: the topic itself and all below.
    pub(super) fn filter(&self) -> String {
        format!("{}#", self.prefix)
    }

    /// Whether who listens here hears what another place is asked for.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self.is_root() { !other.is_of_broker() } else { other.prefix.starts_with(&self.prefix) }
    }

    /// The topic at the place itself; the root is none.
    fn topic(&self) -> Option<&str> {
        self.prefix.strip_suffix('/')
    }

    fn holds(&self, topic: &str) -> bool {
        topic.starts_with(&self.prefix) || self.topic() == Some(topic)
    }
}

/// Answers a question by what was heard.
pub(super) fn answer(kept: &[Heard], ask: &Browse, routing: &Routing) -> Browsed {
    if !ask.read.is_empty() {
        return Browsed { nodes: read(kept, &ask.read, routing), ..Browsed::default() };
    }
    let place = Place::of(&ask.node);
    let Some(heard) = kept.iter().find(|heard| heard.below.covers(&place)) else { return Browsed::default() };
    let nodes = match &*ask.find {
        "" => level(heard, &place, routing),
        pattern => find(heard, &place, &Pattern::new(pattern), routing),
    };
    let end = ask.after.saturating_add(ask.limit);
    let next = (nodes.len() > end).then_some(end);
    let note = match heard.note.as_str() {
        "" if !heard.topics.keys().any(|topic| place.holds(topic)) => "nothing was heard; listen for longer".to_owned(),
        "" if nodes.is_empty() && ask.find.is_empty() => "it was heard, and nothing is below it".to_owned(),
        "" if nodes.is_empty() => format!("no topic or member that was heard matches {}", ask.find),
        note => note.to_owned(),
    };
    Browsed { nodes: nodes.into_iter().skip(ask.after).take(ask.limit).collect(), next, note }
}

/// What is right below a place: the members of its payload, then the levels below it.
fn level(heard: &Heard, place: &Place, routing: &Routing) -> Vec<SourceNode> {
    let own = place.topic().and_then(|topic| Some((topic, heard.topics.get(topic)?)));
    let mut nodes = own.map(|(topic, last)| members(topic, last, routing)).unwrap_or_default();
    let mut levels: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    for rest in heard.topics.keys().filter_map(|other| other.strip_prefix(&place.prefix)) {
        let (name, below) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        let level = levels.entry(name).or_default();
        if below { level.1 += 1 } else { level.0 = true }
    }
    for (name, (own, below)) in levels {
        let full = format!("{}{name}", place.prefix);
        let shown = if name.is_empty() { UNNAMED } else { name };
        let node = match heard.topics.get(full.as_str()).filter(|_| own) {
            Some(last) => topic_node(&full, shown, last, routing),
            None => SourceNode::new(full.as_str(), shown, NodeKind::Folder),
        };
        let count = if below == 1 { "1 topic".to_owned() } else { format!("{below} topics") };
        let description = if node.kind == NodeKind::Folder { count.into() } else { node.description.clone() };
        let id = if name.is_empty() { format!("{full}/").into() } else { node.node.clone() };
        nodes.push(SourceNode { node: id, children: node.children || below > 0, description, ..node });
    }
    if place.is_root() {
        let description = "what the broker tells about itself; listened to when it is opened".into();
        nodes.push(SourceNode { children: true, description, ..SourceNode::new(BROKER, BROKER, NodeKind::Folder) });
    }
    nodes
}

/// Topics and members whose name or path matches.
fn find(heard: &Heard, below: &Place, pattern: &Pattern, routing: &Routing) -> Vec<SourceNode> {
    let mut found = Vec::new();
    for (topic, last) in heard.topics.iter().filter(|(topic, _)| below.holds(topic)) {
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

fn read(kept: &[Heard], addresses: &[Arc<str>], routing: &Routing) -> Vec<SourceNode> {
    let one = |address: &Arc<str>| {
        let (topic, path) = address.split_once('#').unwrap_or((address, ""));
        let unheard = || SourceNode::new(address.clone(), path, NodeKind::Field).bad("nothing was heard of it");
        let Some(last) = kept.iter().find_map(|heard| heard.topics.get(topic)) else { return unheard() };
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
        let mut heard = Heard::new(Place::of(""));
        for (topic, payload) in [
            ("plant/line1/filler1/energy", r#"{"power": {"kw": 4.5}, "state": "run"}"#),
            ("plant/line1/filler1/energy/raw", "7"),
            ("plant/site/air", "ON"),
            ("other", ""),
            ("/a/b", "1"),
            ("c//d", "2"),
            ("c/", "3"),
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

    /// The topics of the plant, and of the broker.
    fn kept() -> Vec<Heard> {
        let mut broker = Heard::new(Place::of("$SYS"));
        let payload = bytes::Bytes::from_static(b"9");
        let message = Message { topic: "$SYS/broker/uptime".into(), payload, retained: true, acknowledge: None };
        assert!(broker.take(message, Timestamp::EPOCH));
        vec![heard(), broker]
    }

    fn routing() -> Routing {
        let address = MqttAddress { topic: None, path: "power.kw".into() };
        let tag = testing::tag(4, Address::Mqtt(address), ValueType::Double, true);
        let paths = [(tag.id, Arc::from("Line 1/Filler 1"))].into();
        Routing::new("plant/{line}/{asset}/energy".parse().unwrap(), vec![tag], &paths)
    }

    fn check(ask: Browse, expected: &str) {
        let browsed = answer(&kept(), &ask, &routing());
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
        check(
            Browse::default(),
            "+ (no name) = null  [] None\n+ c = null  [] None\n- other = null empty [] None\n+ plant = null  [] None\n\
             + $SYS = null  [] None",
        );
        check(Browse::children_of("plant"), "+ line1 = null  [] None\n+ site = null  [] None");
        check(Browse::children_of("plant/"), "+ line1 = null  [] None\n+ site = null  [] None");
        check(
            Browse::children_of("plant/line1/filler1/energy"),
            "- power.kw = 4.5 number [plant/line1/filler1/energy#power.kw] Some(\"power.kw\")\n\
             - state = run text [plant/line1/filler1/energy#state] Some(\"state\")\n\
             - raw = 7 number [plant/line1/filler1/energy/raw#.] None",
        );
        check(Browse::children_of("plant/site"), "- air = true boolean [plant/site/air#.] None");
        check(Browse::children_of("nowhere"), "nothing was heard; listen for longer");
        check(Browse::children_of("$SYS/broker"), "- uptime = 9 number [$SYS/broker/uptime#.] None");
        check(Browse::children_of("plant/site/air"), "it was heard, and nothing is below it");
        check(Browse { find: "xyz".into(), ..Browse::default() }, "no topic or member that was heard matches xyz");
    }

    /// Goes down from the root by the nodes that come back, as whoever opens a tree does.
    #[test]
    fn every_topic_is_reached_from_the_root() {
        let (mut reached, mut places) = (Vec::new(), vec![Arc::from("")]);
        while let Some(place) = places.pop() {
            let browsed = answer(&kept(), &Browse::children_of(&place), &routing());
            for node in browsed.nodes {
                if node.kind == NodeKind::Topic {
                    let address = node.address.as_deref().unwrap_or(&node.node);
                    reached.push(address.trim_end_matches("#.").to_owned());
                }
                if node.children {
                    assert!(places.len() < 100, "it goes round in circles at {}", node.node);
                    places.push(node.node);
                }
            }
        }
        reached.sort();
        let mut topics: Vec<String> =
            kept().iter().flat_map(|heard| heard.topics.keys().map(|topic| topic.to_string())).collect();
        topics.sort();
        assert_eq!(reached, topics);
    }

    #[test]
    fn pages_names_and_values_again() {
        check(Browse { limit: 1, after: 2, ..Browse::default() }, "- other = null empty [] None");
        check(Browse { limit: 1, after: 3, ..Browse::default() }, "+ plant = null  [] None");
        let find = Browse { find: "kw".into(), ..Browse::default() };
        check(find, "- power.kw = 4.5 number [plant/line1/filler1/energy#power.kw] Some(\"power.kw\")");
        let read = vec!["plant/line1/filler1/energy#power.kw".into(), "$SYS/broker/uptime#.".into()];
        assert_eq!(Place::of_all(&read), [Place::of(""), Place::of("$SYS")]);
        let browsed = answer(&kept(), &Browse { read, ..Browse::default() }, &routing());
        assert_eq!((browsed.nodes[0].value.clone(), &browsed.nodes[0].tags), (4.5.into(), &vec![TagId(4)]));
        assert_eq!(browsed.nodes[1].value, 9_i64.into());
    }
}
