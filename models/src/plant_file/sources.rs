//! Sources: how to reach devices and brokers. `$NAME` is filled in here, and its value is never shown again.

use super::{
    diagnostic::Report,
    fields::Fields,
    keys,
    tree::{self, Entry, Node},
};
use crate::definition::{MqttVersion, OpcUaSecurity, Secret, Source, SourceProtocol, TopicPattern};
use std::{sync::Arc, time::Duration};

/// Polling or publishing interval where none is given.
const DEFAULT_EVERY: Duration = Duration::from_secs(1);
/// Shorter intervals hurt controllers.
const SHORTEST_EVERY: Duration = Duration::from_millis(10);
/// Longer intervals are a slip of the unit.
const LONGEST_EVERY: Duration = Duration::from_secs(24 * 3600);
const MODBUS_PORT: u16 = 502;
const MQTT_PORT: u16 = 1883;

/// The environment's variables.
pub(super) struct Variables<'v>(pub &'v dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// A text with `$NAME` and `${NAME}` filled in; `$$` is a dollar sign. What is not set is reported.
    pub fn expand(&self, report: &Report<'_>, text: &str, node: &Node) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        let mut complete = true;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            let after = &rest[dollar + 1..];
            if let Some(escaped) = after.strip_prefix('$') {
                expanded.push('$');
                rest = escaped;
                continue;
            }
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let word = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, next) = braced.unwrap_or_else(|| after.split_at(word));
            if name.is_empty() {
                expanded.push('$');
            } else if let Some(value) = (self.0)(name) {
                expanded.push_str(&value);
            } else {
                let start = text.len() - rest.len() + dollar;
                let at = tree::inside(report, node, start, text.len() - next.len());
                let hint = format!("set {name} in the environment, or write `$$` for a dollar sign");
                report.error(at, "unknown-variable", format!("the variable {name} is not set"), hint);
                complete = false;
            }
            rest = next;
        }
        expanded.push_str(rest);
        complete.then_some(expanded)
    }
}

/// All sources. One that has mistakes is left out, but its name counts as known: see the second list.
pub(super) fn sources(report: &Report<'_>, variables: &Variables<'_>, entries: &[&Entry]) -> Vec<(Arc<str>, Option<Source>)> {
    entries.iter().map(|entry| (entry.key.as_str().into(), source(report, variables, entry))).collect()
}

fn source(report: &Report<'_>, variables: &Variables<'_>, entry: &Entry) -> Option<Source> {
    let what = format!("the source {}", entry.key);
    let fields = Fields::of(report, &what, entry.at, &entry.value, keys::SOURCE)?;
    let every = fields.span("every").unwrap_or(DEFAULT_EVERY);
    if !(SHORTEST_EVERY..=LONGEST_EVERY).contains(&every) {
        let at = fields.node("every").map_or(entry.at, |node| node.at);
        report.error(at, "form", format!("{what} cannot be read at that interval"), "choose one from 10ms to 1d");
    }
    let writes_allowed = fields.choice("writes") == Some("allow");
    let kinds: Vec<&str> = ["opcua", "modbus", "mqtt"].into_iter().filter(|kind| fields.entry(kind).is_some()).collect();
    let [kind] = kinds[..] else {
        let hint = "give one of `opcua: opc.tcp://host:4840`, `modbus: tcp://host:502`, `mqtt: mqtt://host:1883`";
        let count = if kinds.is_empty() { "no protocol" } else { "more than one protocol" };
        report.error(entry.at, "missing-key", format!("{what} names {count}"), hint);
        return None;
    };
    foreign_keys(&fields, &what, kind);
    let (url, node) = fields.text(kind)?;
    let url = variables.expand(report, url, node);
    let user = secret(&fields, variables, "user");
    let password = secret(&fields, variables, "password");
    let protocol = match kind {
        "opcua" => opcua(&fields, url.as_deref(), node, user, password),
        "modbus" => modbus(&fields, url.as_deref(), node),
        _ => mqtt(&fields, url.as_deref(), node, user, password),
    };
    Some(Source { name: entry.key.as_str().into(), protocol: protocol?, every, writes_allowed })
}

/// Keys that belong to another protocol.
fn foreign_keys(fields: &Fields<'_, '_>, what: &str, kind: &str) {
    let belongs: [(&str, &[&str]); 7] = [
        ("user", &["opcua", "mqtt"]),
        ("password", &["opcua", "mqtt"]),
        ("security", &["opcua"]),
        ("unit", &["modbus"]),
        ("topic", &["mqtt"]),
        ("version", &["mqtt"]),
        ("time", &["mqtt"]),
    ];
    for (key, kinds) in belongs {
        if let Some(entry) = fields.entry(key).filter(|_| !kinds.contains(&kind)) {
            let message = format!("{what} is {kind}, which has no `{key}`");
            fields.report.error(entry.at, "unknown-key", message, format!("`{key}` belongs to {}", kinds.join(" and ")));
        }
    }
}

fn secret(fields: &Fields<'_, '_>, variables: &Variables<'_>, key: &str) -> Option<Secret> {
    let (text, node) = fields.text(key)?;
    variables.expand(fields.report, text, node).map(|text| Secret(text.into()))
}

fn opcua(
    fields: &Fields<'_, '_>,
    url: Option<&str>,
    node: &Node,
    user: Option<Secret>,
    password: Option<Secret>,
) -> Option<SourceProtocol> {
    let security = match fields.choice("security") {
        Some("none") => OpcUaSecurity::None,
        _ => OpcUaSecurity::SignAndEncrypt,
    };
    let url = url?;
    let host = url.strip_prefix("opc.tcp://").filter(|host| !host.is_empty() && !host.contains(char::is_whitespace));
    if host.is_none() {
        fields.report.error(node.at, "form", "this is not the URL of an OPC UA server", "write `opc.tcp://host:4840`");
    }
    host.map(|_| SourceProtocol::OpcUa { url: url.into(), user, password, security })
}

fn modbus(fields: &Fields<'_, '_>, url: Option<&str>, node: &Node) -> Option<SourceProtocol> {
    let unit = fields.number("unit").unwrap_or(1.0);
    if unit.fract() != 0.0 || !(0.0..=255.0).contains(&unit) {
        let at = fields.node("unit").map_or(fields.at, |node| node.at);
        fields.report.error(
            at,
            "form",
            format!("`unit: {unit}` is not a Modbus unit id"),
            "write a whole number from 0 to 255",
        );
        return None;
    }
    let (host, port) = endpoint(fields, url?, node, "tcp://", MODBUS_PORT)?;
    Some(SourceProtocol::Modbus { host: format!("{host}:{port}").into(), unit: unit as u8 })
}

fn mqtt(
    fields: &Fields<'_, '_>,
    url: Option<&str>,
    node: &Node,
    user: Option<Secret>,
    password: Option<Secret>,
) -> Option<SourceProtocol> {
    fields.missing("an MQTT source", "topic", "plant/{line}/{asset}/energy");
    let version = match fields.choice("version") {
        Some("5") => MqttVersion::V5,
        _ => MqttVersion::V3,
    };
    let time_path = fields.text("time").map(|(path, _)| path.into());
    let topic = fields.text("topic").and_then(|(text, node)| {
        let topic = text.parse::<TopicPattern>();
        topic.map_err(|message| fields.report.error(node.at, "form", message, "write `plant/{line}/{asset}/energy`")).ok()
    });
    let (host, port) = endpoint(fields, url?, node, "mqtt://", MQTT_PORT)?;
    Some(SourceProtocol::Mqtt { host: host.into(), port, user, password, version, topic: topic?, time_path })
}

/// Host and port of a URL.
fn endpoint(fields: &Fields<'_, '_>, url: &str, node: &Node, scheme: &str, default_port: u16) -> Option<(String, u16)> {
    let rest = url.strip_prefix(scheme).unwrap_or(url).trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse::<u16>().ok()),
        _ => (rest, Some(default_port)),
    };
    let wrong = host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/');
    match port {
        Some(port) if !wrong => Some((host.to_owned(), port)),
        _ => {
            let hint = format!("write `{scheme}host:{default_port}`");
            fields.report.error(node.at, "form", "this is not host and port", hint);
            None
        }
    }
}
