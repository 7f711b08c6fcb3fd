//! Notices in the form each kind of receiver wants. Several notices are one message about a flood.
//!
//! Source: CloudEvents 1.0 (JSON format); Adaptive Cards 1.4 in the envelope of Teams Workflows; Slack Block Kit; PagerDuty Events API v2.

use super::{Notice, NotifyTarget};
use crate::{
    alarm::{AlarmVerb, Priority},
    time::format_duration,
};
use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

/// Notices of a flood that people read in one message; the rest is counted.
pub const LISTED: usize = 10;
/// Longest text of one message; the receivers' own limits are a little above.
pub const LONGEST_TEXT: usize = 2_500;
/// Longest summary PagerDuty takes.
const LONGEST_SUMMARY: usize = 1_024;
/// What a template may name, each as `{name}`.
pub const PLACEHOLDERS: [&str; 10] =
    ["message", "asset", "detector", "priority", "state", "verb", "response", "since", "target", "link"];

/// The text for one notice: the target's template, or the message.
pub fn text(target: &NotifyTarget, notice: &Notice) -> String {
    if target.template.is_empty() {
        return cut(&lead(notice), LONGEST_TEXT);
    }
    cut(&fill(&target.template, target, notice), LONGEST_TEXT)
}

/// A text with its placeholders filled in; braces around anything else stay.
pub fn fill(template: &str, target: &NotifyTarget, notice: &Notice) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let known = after.split_once('}').and_then(|(name, next)| Some((placeholder(name, target, notice)?, next)));
        let (part, next) = known.unwrap_or_else(|| ("{".to_owned(), after));
        text.push_str(&part);
        rest = next;
    }
    text.push_str(rest);
    text
}

fn placeholder(name: &str, target: &NotifyTarget, notice: &Notice) -> Option<String> {
    Some(match name {
        "message" => notice.message.to_string(),
        "asset" => notice.asset_path.to_string(),
        "detector" => notice.detector.to_string(),
        "priority" => notice.about.priority.to_string(),
        "state" => notice.about.state.to_string(),
        "verb" => notice.about.verb.name().to_owned(),
        "response" => notice.about.response.to_string(),
        "since" => notice.about.since.map(|since| since.to_string()).unwrap_or_default(),
        "target" => target.name.to_string(),
        "link" => link(target, notice).unwrap_or_default(),
        _ => return None,
    })
}

/// The message with what became of the alarm, unless it was just raised.
fn lead(notice: &Notice) -> String {
    let what = match notice.about.verb {
        AlarmVerb::Raise | AlarmVerb::Unshelve | AlarmVerb::Unsuppress | AlarmVerb::ReturnToService => {
            return notice.message.to_string();
        }
        AlarmVerb::ReAlarm => "Still: ",
        AlarmVerb::Escalate => "Nobody has acknowledged: ",
        AlarmVerb::Acknowledge => "Acknowledged: ",
        AlarmVerb::Clear | AlarmVerb::Reset => "Over: ",
        _ => "Hidden: ",
    };
    format!("{what}{}", notice.message)
}

/// `17 alarms in 2m`, or the asset and the text of the only one.
pub fn subject(target: &NotifyTarget, notices: &[Notice]) -> String {
    match notices {
        [only] => {
            let text = text(target, only);
            let first = text.lines().next().unwrap_or_default();
            cut(&format!("[{}] {}: {first}", only.about.priority, only.asset_path), 200)
        }
        several => count(several),
    }
}

fn count(notices: &[Notice]) -> String {
    let times = || notices.iter().map(|notice| notice.time);
    let span = times().max().zip(times().min()).map_or(Duration::ZERO, |(last, first)| last.since(first));
    let seconds = Duration::from_secs(span.as_secs().max(1));
    format!("{} alarms in {}", notices.len(), format_duration(seconds))
}

/// The most urgent first, then the oldest.
fn ranked(notices: &[Notice]) -> Vec<&Notice> {
    let mut ranked: Vec<&Notice> = notices.iter().collect();
    ranked.sort_by_key(|notice| (notice.about.priority, notice.time));
    ranked
}

/// A whole message as plain text.
pub fn plain(target: &NotifyTarget, notices: &[Notice]) -> String {
    if let [only] = notices {
        let mut body = text(target, only);
        if target.template.is_empty() {
            let _ = write!(body, "\n\nWhere: {}\nPriority: {}", only.asset_path, only.about.priority);
            if !only.about.response.is_empty() {
                let _ = write!(body, "\nWhat to do: {}", only.about.response);
            }
            if let Some(link) = link(target, only) {
                let _ = write!(body, "\n{link}");
            }
        }
        return body;
    }
    let mut body = format!("{}\n", count(notices));
    for notice in ranked(notices).into_iter().take(LISTED) {
        let _ = write!(body, "\n[{}] {}: {}", notice.about.priority, notice.asset_path, cut(&text(target, notice), 200));
    }
    if notices.len() > LISTED {
        let _ = write!(body, "\n… and {} more", notices.len() - LISTED);
    }
    if let Some(link) = page(target, "alarms") {
        let _ = write!(body, "\n\n{link}");
    }
    cut(&body, LONGEST_TEXT)
}

/// The detector's page; none without an address of Andon's pages.
pub fn link(target: &NotifyTarget, notice: &Notice) -> Option<String> {
    page(target, &format!("detectors/{}/{}", escape(&notice.asset_path), escape(&notice.detector)))
}

fn page(target: &NotifyTarget, path: &str) -> Option<String> {
    let base = target.link.trim_end_matches('/');
    (!base.is_empty()).then(|| format!("{base}/{path}"))
}

/// One segment of an address.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            other => _ = write!(escaped, "%{other:02X}"),
        }
    }
    escaped
}

/// A CloudEvent: `andon.alarm.<verb>` for one, `andon.alarms` with all of them in `data.alarms` for a flood.
pub fn cloud_event(target: &NotifyTarget, notices: &[Notice]) -> Value {
    let newest = notices.iter().max_by_key(|notice| notice.time);
    let time = newest.map(|notice| notice.time.to_string()).unwrap_or_default();
    let id = notices.first().map(|notice| notice.event.to_string()).unwrap_or_default();
    let (kind, subject, data) = match notices {
        [only] => {
            let subject = format!("{}/{}", only.asset_path, only.detector);
            (format!("andon.alarm.{}", only.about.verb.name()), subject, data(target, only))
        }
        several => {
            let alarms: Vec<Value> = several.iter().map(|notice| data(target, notice)).collect();
            let text = count(several);
            ("andon.alarms".to_owned(), String::new(), json!({ "text": text, "count": several.len(), "alarms": alarms }))
        }
    };
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": "/andon",
        "type": kind,
        "time": time,
        "datacontenttype": "application/json",
        "data": data,
    });
    if !subject.is_empty() {
        event["subject"] = subject.into();
    }
    event
}

fn data(target: &NotifyTarget, notice: &Notice) -> Value {
    json!({
        "id": notice.event.to_string(),
        "time": notice.time.to_string(),
        "text": text(target, notice),
        "message": notice.message,
        "asset": notice.asset_path,
        "asset_id": notice.about.asset.map(|asset| asset.to_string()),
        "detector": notice.detector,
        "priority": notice.about.priority,
        "verb": notice.about.verb.name(),
        "state": notice.about.state.name(),
        "since": notice.about.since.map(|since| since.to_string()),
        "response": notice.about.response,
        "link": link(target, notice),
    })
}

/// A card for a Teams workflow.
pub fn teams(target: &NotifyTarget, notices: &[Notice]) -> Value {
    let title = subject(target, notices);
    let mut body = vec![json!({ "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": title })];
    let mut actions = Vec::new();
    let mut open = |address: Option<String>| {
        actions.extend(address.map(|url| json!({ "type": "Action.OpenUrl", "title": "Open in Andon", "url": url })));
    };
    if let [only] = notices {
        body.push(json!({ "type": "TextBlock", "wrap": true, "text": text(target, only) }));
        let mut facts = vec![fact("Where", &only.asset_path), fact("Priority", &only.about.priority.to_string())];
        if !only.about.response.is_empty() {
            facts.push(fact("What to do", &only.about.response));
        }
        body.push(json!({ "type": "FactSet", "facts": facts }));
        open(link(target, only));
    } else {
        body.push(json!({ "type": "TextBlock", "wrap": true, "text": plain(target, notices).replace('\n', "\n\n") }));
        open(page(target, "alarms"));
    }
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    });
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card });
    json!({ "type": "message", "attachments": [attachment] })
}

fn fact(title: &str, value: &str) -> Value {
    json!({ "title": title, "value": value })
}

/// Blocks for a Slack webhook.
pub fn slack(target: &NotifyTarget, notices: &[Notice]) -> Value {
    // Slack reads these three as its own marks.
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = subject(target, notices);
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    let mut blocks = vec![section(format!("*{}*", safe(&title)))];
    let address = if let [only] = notices {
        blocks.push(section(safe(&text(target, only))));
        let mut context = format!("{} · {}", safe(&only.asset_path), only.about.priority);
        if !only.about.response.is_empty() {
            let _ = write!(context, " · {}", safe(&only.about.response));
        }
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": context }] }));
        link(target, only)
    } else {
        blocks.push(section(safe(&plain(target, notices))));
        page(target, "alarms")
    };
    blocks.extend(address.map(|url| section(format!("<{url}|Open in Andon>"))));
    json!({ "text": safe(&title), "blocks": blocks })
}

/// An event for PagerDuty: an alarm is one incident from its first call to its end.
pub fn pagerduty(target: &NotifyTarget, key: &str, notice: &Notice) -> Value {
    let action = match notice.about.verb {
        AlarmVerb::Acknowledge => "acknowledge",
        _ if notice.about.state.stands() => "trigger",
        // A `notify` that no alarm stands behind is still a call.
        AlarmVerb::Raise | AlarmVerb::Escalate | AlarmVerb::ReAlarm => "trigger",
        _ => "resolve",
    };
    let place = notice.about.asset.map_or_else(|| notice.asset_path.to_string(), |asset| asset.to_string());
    let mut event =
        json!({ "routing_key": key, "event_action": action, "dedup_key": format!("andon/{place}/{}", notice.detector) });
    if action == "trigger" {
        let severity = match notice.about.priority {
            Priority::Critical => "critical",
            Priority::High => "error",
            Priority::Medium => "warning",
            Priority::Low => "info",
        };
        event["payload"] = json!({
            "summary": cut(&text(target, notice), LONGEST_SUMMARY),
            "source": notice.asset_path,
            "severity": severity,
            "timestamp": notice.time.to_string(),
            "component": notice.detector,
            "custom_details": { "response": notice.about.response, "id": notice.event.to_string() },
        });
        event["client"] = "Andon".into();
        if let Some(url) = link(target, notice) {
            event["client_url"] = url.into();
        }
    }
    event
}

/// A text of so many characters at most.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
