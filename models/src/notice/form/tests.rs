//! What receivers get to read.

use super::*;
use crate::{
    AssetId, EventId, Timestamp,
    alarm::AlarmState,
    notice::{NoticeAbout, NotifyChannel},
};

fn target(template: &str) -> NotifyTarget {
    NotifyTarget {
        name: "lead".into(),
        channel: NotifyChannel::Log,
        template: template.into(),
        link: "https://andon.example/".into(),
        updates: false,
        group: true,
    }
}

fn notice(number: i64, priority: Priority, verb: AlarmVerb) -> Notice {
    let time = Timestamp::from_seconds(number);
    Notice {
        time,
        target: "lead".into(),
        message: format!("Bowl <{number}> is hot").into(),
        asset_path: "Line 1/Füller".into(),
        detector: "overheat".into(),
        event: EventId::from_name(&number.to_string()),
        about: NoticeAbout {
            asset: Some(AssetId::from_name("Line 1/Füller")),
            priority,
            verb,
            state: if verb == AlarmVerb::Clear { AlarmState::Normal } else { AlarmState::Unacknowledged },
            since: Some(time),
            response: "Close V12.".into(),
        },
    }
}

fn raised() -> Notice {
    notice(7, Priority::High, AlarmVerb::Raise)
}

#[test]
fn a_template_is_filled_and_other_braces_stay() {
    let text = |template: &str| text(&target(template), &raised());
    assert_eq!(text(""), "Bowl <7> is hot");
    assert_eq!(
        text("{priority} {asset}/{detector}: {message} {{x} {nobody} {"),
        "high Line 1/Füller/overheat: Bowl <7> is hot {{x} {nobody} {"
    );
    assert_eq!(text("{response} {state} {verb} {since} {target}"), "Close V12. unacknowledged raise 1970-01-01T00:00:07Z lead");
    assert_eq!(text("{link}"), "https://andon.example/detectors/Line%201%2FF%C3%BCller/overheat");
    assert_eq!(
        super::text(&target(""), &notice(7, Priority::High, AlarmVerb::Escalate)),
        "Nobody has acknowledged: Bowl <7> is hot"
    );
    assert_eq!(PLACEHOLDERS.iter().filter(|name| placeholder(name, &target(""), &raised()).is_none()).count(), 0);
}

#[test]
fn one_is_told_whole_and_a_flood_is_counted() {
    let one = plain(&target(""), &[raised()]);
    assert_eq!(
        one,
        "Bowl <7> is hot\n\nWhere: Line 1/Füller\nPriority: high\nWhat to do: Close V12.\n\
         https://andon.example/detectors/Line%201%2FF%C3%BCller/overheat"
    );
    assert_eq!(subject(&target(""), &[raised()]), "[high] Line 1/Füller: Bowl <7> is hot");
    let mut flood: Vec<Notice> = (0..17).map(|n| notice(n * 7, Priority::Low, AlarmVerb::Raise)).collect();
    flood.push(notice(120, Priority::Critical, AlarmVerb::Raise));
    assert_eq!(subject(&target(""), &flood), "18 alarms in 2m");
    let text = plain(&target(""), &flood);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[2]), ("18 alarms in 2m", "[critical] Line 1/Füller: Bowl <120> is hot"));
    assert!(text.contains("… and 8 more") && text.ends_with("https://andon.example/alarms"), "{text}");
}

#[test]
fn programs_get_a_cloud_event() {
    let one = cloud_event(&target(""), &[raised()]);
    for (member, value) in [
        ("specversion", "1.0"),
        ("type", "andon.alarm.raise"),
        ("subject", "Line 1/Füller/overheat"),
        ("time", "1970-01-01T00:00:07Z"),
    ] {
        assert_eq!(one[member], value);
    }
    assert_eq!(one["id"], raised().event.to_string());
    assert_eq!(
        (&one["data"]["text"], &one["data"]["priority"], &one["data"]["state"]),
        (&json!("Bowl <7> is hot"), &json!("high"), &json!("unacknowledged"))
    );
    let flood = cloud_event(&target(""), &[raised(), notice(8, Priority::Low, AlarmVerb::Raise)]);
    assert_eq!((&flood["type"], &flood["data"]["count"], flood.get("subject")), (&json!("andon.alarms"), &json!(2), None));
    assert_eq!(flood["data"]["alarms"][1]["time"], "1970-01-01T00:00:08Z");
}

#[test]
fn teams_gets_a_card_and_slack_gets_blocks() {
    let card = teams(&target(""), &[raised()]);
    let content = &card["attachments"][0]["content"];
    assert_eq!(
        (&card["type"], &content["type"], &content["version"]),
        (&json!("message"), &json!("AdaptiveCard"), &json!("1.4"))
    );
    assert_eq!(content["body"][1]["text"], "Bowl <7> is hot");
    assert!(content["actions"][0]["url"].as_str().unwrap().starts_with("https://andon.example/detectors/"));
    let blocks = slack(&target(""), &[raised()]);
    assert_eq!(blocks["blocks"][1]["text"]["text"], "Bowl &lt;7&gt; is hot");
    assert!(blocks["text"].as_str().unwrap().contains("&lt;7&gt;"));
}

#[test]
fn pagerduty_keeps_one_incident_per_alarm() {
    let event = |verb| pagerduty(&target(""), "key", &notice(7, Priority::High, verb));
    let (raise, acknowledge, clear) = (event(AlarmVerb::Raise), event(AlarmVerb::Acknowledge), event(AlarmVerb::Clear));
    let actions = [&raise, &acknowledge, &clear].map(|event| event["event_action"].as_str().unwrap().to_owned());
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!(
        [&acknowledge, &clear].iter().all(|event| event["dedup_key"] == raise["dedup_key"] && event.get("payload").is_none())
    );
    assert_eq!((&raise["payload"]["severity"], &raise["payload"]["summary"]), (&json!("error"), &json!("Bowl <7> is hot")));
}

#[test]
fn no_text_is_longer_than_receivers_take() {
    let long = Notice { message: "ü".repeat(10_000).into(), ..raised() };
    assert_eq!(text(&target(""), &long).chars().count(), LONGEST_TEXT);
    let event = pagerduty(&target(""), "key", &long);
    assert_eq!(event["payload"]["summary"].as_str().unwrap().chars().count(), LONGEST_SUMMARY);
}
