//! Alarms and their measures as text.

use serde_json::Value;
use std::fmt::Write;

/// Longest message in a list.
const WIDEST: usize = 70;

/// A list of alarms, one per line.
pub(super) fn alarms(alarms: &Value, view: &str) -> String {
    let alarms = alarms.as_array().map_or(&[][..], Vec::as_slice);
    if alarms.is_empty() {
        let which = if view == "history" { "known".to_owned() } else { view.replace('_', " ") };
        return format!("no alarm is {which}");
    }
    let rows = alarms.iter().map(|alarm| {
        let until = word(alarm, "shelved_until");
        let state = if until.is_empty() { word(alarm, "state") } else { format!("{} until {until}", word(alarm, "state")) };
        [
            alarm["priority"].to_string(),
            state,
            word(alarm, "since"),
            word(alarm, "path"),
            word(alarm, "detector"),
            message(alarm),
        ]
    });
    let header = ["PRIO", "STATE", "SINCE", "ASSET", "DETECTOR", "MESSAGE"].map(str::to_owned);
    table(std::iter::once(header).chain(rows).collect())
}

fn message(alarm: &Value) -> String {
    let text = word(alarm, "message");
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST - 1).chain(['…']).collect() }
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The measures of a span.
pub(super) fn measures(measures: &Value) -> String {
    let mut text = format!("{} to {}\n", word(measures, "from"), word(measures, "to"));
    let number = |name: &str| measures[name].as_f64().unwrap_or_default();
    let percent = |name: &str| number(name) * 100.0;
    let _ = writeln!(
        text,
        "\nannunciations   {}   {:.1} per hour   {:.2} per 10 min (better 1, at most 2)",
        measures["annunciations"],
        number("per_hour"),
        number("per_10_min")
    );
    let _ = writeln!(text, "worst 10 min    {} (at most 10)", measures["peak_per_10_min"]);
    let _ = writeln!(text, "in floods       {:.1} % of the time (at most 1 %)", percent("share_in_flood"));
    let _ = writeln!(text, "standing now    {}", measures["standing"]);
    let shares = measures["priorities"].as_array().into_iter().flatten();
    let shares: Vec<String> = shares
        .map(|one| format!("{} {:.0} %", word(one, "priority"), one["share"].as_f64().unwrap_or_default() * 100.0))
        .collect();
    let _ = writeln!(text, "priorities      {} (usual: 80 % low, 15 % medium, 5 % high)", shares.join("   "));
    list(&mut text, measures, "floods", |flood| {
        let end = flood["to"].as_str().unwrap_or("it goes on");
        format!("{}  {} to {end}", flood["annunciations"], word(flood, "from"))
    });
    let counted = |one: &Value| format!("{:>5}  {}  {}", one["count"].to_string(), word(one, "asset"), word(one, "detector"));
    for name in ["bad_actors", "chattering", "fleeting"] {
        list(&mut text, measures, name, counted);
    }
    list(&mut text, measures, "stale", |one| {
        format!("since {}  {}  {}", word(one, "since"), word(one, "asset"), word(one, "detector"))
    });
    list(&mut text, measures, "findings", |finding| finding.as_str().unwrap_or_default().to_owned());
    if measures["complete"] == false {
        text.push_str("\nthere were more changes than can be looked at: only the newest count; choose a shorter span\n");
    }
    text.trim_end().to_owned()
}

fn list(text: &mut String, measures: &Value, name: &str, line: impl Fn(&Value) -> String) {
    let Some(items) = measures[name].as_array().filter(|items| !items.is_empty()) else { return };
    let _ = writeln!(text, "\n{}", name.replace('_', " "));
    for item in items {
        let _ = writeln!(text, "  {}", line(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn alarms_are_a_table() {
        let alarm = json!({ "priority": 2, "state": "shelved", "since": "2026-01-01T00:00:00Z", "shelved_until": "2026-01-01T01:00:00Z",
            "path": "Line 1/Füller", "detector": "hot", "message": "It is hot" });
        let text = alarms(&json!([alarm]), "shelved");
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("PRIO  STATE") && lines[1].starts_with("2     shelved until 2026-01-01T01:00:00Z"),
            "{text}"
        );
        assert!(lines[1].ends_with("Line 1/Füller  hot       It is hot"), "{text}");
        assert_eq!(alarms(&json!([]), "out_of_service"), "no alarm is out of service");
    }

    #[test]
    fn measures_name_what_is_wrong() {
        let flood = json!({ "from": "2026-01-01T00:00:00Z", "to": null, "annunciations": 17 });
        let text = measures(
            &json!({ "from": "a", "to": "b", "annunciations": 17, "per_hour": 2.0, "per_10_min": 0.33, "floods": [flood],
            "priorities": [{ "priority": "high", "share": 1.0 }], "findings": ["alarms chatter"], "complete": false }),
        );
        for part in [
            "17   2.0 per hour   0.33 per 10 min",
            "17  2026-01-01T00:00:00Z to it goes on",
            "high 100 %",
            "findings\n  alarms chatter",
            "shorter span",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
