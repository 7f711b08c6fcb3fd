//! The plant itself: the sections of all files put together, name and time zone, shifts, notification targets.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest, text_of},
    keys,
    tree::{At, Entry, Kind, Node},
};
use crate::calendar::{ShiftCalendar, ShiftException};
use jiff::tz::TimeZone;
use std::{collections::HashMap, sync::Arc};

/// The sections of all files, merged.
#[derive(Default)]
pub(super) struct Sections<'n> {
    pub plant: Option<&'n Entry>,
    pub shifts: Vec<&'n Entry>,
    pub exceptions: Vec<&'n Entry>,
    pub reasons: Vec<&'n Entry>,
    pub sources: Vec<&'n Entry>,
    pub notify: Vec<&'n Entry>,
    pub models: Vec<&'n Entry>,
    pub assets: Vec<&'n Entry>,
    pub inputs: Vec<&'n Entry>,
    pub targets: Vec<&'n Entry>,
    pub detectors: Vec<&'n Entry>,
}

/// Puts the files together; a name given in two files is reported.
pub(super) fn merge<'n>(report: &Report<'_>, roots: &'n [Node]) -> Sections<'n> {
    let mut sections = Sections::default();
    let mut seen = HashMap::new();
    for root in roots {
        let start = At { end: root.at.start, ..root.at };
        let Some(fields) = Fields::of(report, "a plant file", start, root, keys::FILE) else { continue };
        if let Some(plant) = fields.entry("plant") {
            if let Some(first) = sections.plant {
                let message = format!("`plant` is given twice; the first is on line {} of another file", report.line(first.at));
                report.error(plant.at, "duplicate-key", message, "keep it in one file");
            }
            sections.plant.get_or_insert(plant);
        }
        let lists = [
            ("shifts", &mut sections.shifts),
            ("exceptions", &mut sections.exceptions),
            ("reasons", &mut sections.reasons),
            ("sources", &mut sections.sources),
            ("notify", &mut sections.notify),
            ("models", &mut sections.models),
            ("assets", &mut sections.assets),
            ("inputs", &mut sections.inputs),
            ("targets", &mut sections.targets),
            ("detectors", &mut sections.detectors),
        ];
        for (name, list) in lists {
            for entry in fields.names(name).iter().filter(|entry| !entry.key.is_empty()) {
                if seen.insert((name, entry.key.as_str()), entry.at).is_some() {
                    let message = format!("`{}` is in the {name} of another file too", entry.key);
                    report.error(entry.at, "duplicate-key", message, "rename one of them");
                } else {
                    list.push(entry);
                }
            }
        }
    }
    sections
}

/// Name and time zone.
pub(super) fn plant(report: &Report<'_>, entry: Option<&Entry>) -> (Arc<str>, TimeZone) {
    let Some(entry) = entry else {
        let hint = "begin with `plant: { name: Bottling North, timezone: Europe/Berlin }`";
        report.error(At::default(), "missing-key", "the plant has no name", hint);
        return ("".into(), TimeZone::UTC);
    };
    if let (Some(name), Kind::Scalar { .. }) = (entry.value.text(), &entry.value.kind) {
        return (name.into(), TimeZone::UTC);
    }
    let Some(fields) = Fields::of(report, "plant", entry.at, &entry.value, keys::PLANT) else {
        return ("".into(), TimeZone::UTC);
    };
    fields.missing("the plant", "name", "Bottling North");
    let zone = fields.text("timezone").and_then(|(name, node)| {
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let near = crate::expression::nearest(name, known.iter().map(String::as_str));
            let hint =
                near.map_or("write a name such as Europe/Berlin or UTC".into(), |near| format!("did you mean `{near}`?"));
            report.error(node.at, "unknown-name", format!("there is no time zone `{name}`"), hint);
        }
        zone
    });
    (fields.owned("name").into(), zone.unwrap_or(TimeZone::UTC))
}

/// The shift calendar.
pub(super) fn calendar(report: &Report<'_>, time_zone: TimeZone, entries: &[&Entry], exceptions: &[&Entry]) -> ShiftCalendar {
    let mut calendar = ShiftCalendar::new(time_zone);
    for entry in entries {
        let nodes = match &entry.value.kind {
            Kind::List(items) => items.iter().collect(),
            _ => vec![&entry.value],
        };
        for node in nodes {
            let Some(text) = text_of(report, &entry.key, node) else { continue };
            match ShiftCalendar::parse_shift(&entry.key, text) {
                Ok(shift) => calendar.shifts.push(shift),
                Err(message) => report.error(node.at, "shift", message, "write `Mon-Fri 06:00-14:00` in plant time"),
            }
        }
    }
    for entry in exceptions {
        match ShiftCalendar::parse_dates(&entry.key) {
            Ok(dates) => {
                let Some(day) = exception(report, &calendar, entry) else { continue };
                dates.into_iter().for_each(|date| drop(calendar.exceptions.insert(date, day.clone())));
            }
            Err(message) => report.error(entry.at, "shift", message, "for example `2026-12-25: closed`"),
        }
    }
    if let (Some((one, other)), Some(entry)) = (calendar.overlapping(), entries.first()) {
        let at = entries.iter().find(|entry| *entry.key == *other).map_or(entry.at, |entry| entry.at);
        let message = format!("the shifts {one} and {other} overlap");
        report.warning(at, "shift-overlap", message, "what both cover is counted twice in shift metrics");
    }
    calendar
}

/// How the shifts of a day differ: `closed`, or a map of shifts.
fn exception(report: &Report<'_>, calendar: &ShiftCalendar, entry: &Entry) -> Option<ShiftException> {
    if entry.value.text() == Some("closed") {
        return Some(ShiftException { closed: true, shifts: Vec::new() });
    }
    let Kind::Map(entries) = &entry.value.kind else {
        let hint = "write `closed`, or shifts: `{ late: closed, extra: 08:00-12:00 }`";
        report.error(entry.at, "form", format!("the exception {} says nothing", entry.key), hint);
        return None;
    };
    let mut shifts = Vec::new();
    for shift in entries {
        let Some(text) = text_of(report, &shift.key, &shift.value) else { continue };
        if text == "closed" {
            let names: Vec<&str> = calendar.shifts.iter().map(|shift| &*shift.name).collect();
            if !names.contains(&shift.key.as_str()) {
                let hint = suggest(&shift.key, names, "shifts");
                report.error(shift.at, "unknown-name", format!("there is no shift `{}` to close", shift.key), hint);
            }
            shifts.push((shift.key.as_str().into(), None));
            continue;
        }
        match ShiftCalendar::parse_shift(&shift.key, text) {
            Ok(read) => shifts.push((shift.key.as_str().into(), Some(read))),
            Err(message) => report.error(shift.value.at, "shift", message, "write `06:00-14:00` in plant time, or `closed`"),
        }
    }
    Some(ShiftException { closed: false, shifts })
}
