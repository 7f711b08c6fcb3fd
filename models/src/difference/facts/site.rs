//! Facts of the plant as a whole: calendar, sources, notify targets, stop reasons and assets.

use super::{super::aspects::Aspects, Fact, Thing};
use crate::{
    calendar::{Shift, ShiftException},
    definition::{Asset, AssetIndex, NotifyChannel, NotifyTarget, OpcUaSecurity, Plant, Source, SourceProtocol},
    notice::Mail,
    oee::Reason,
};

/// Weekdays as written, Monday first.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn facts(plant: &Plant) -> Vec<Fact> {
    let zone = plant.calendar.time_zone.iana_name().unwrap_or("UTC");
    let calendar = |what: String, aspects| Fact::new(what.clone(), what, Thing::Calendar, aspects);
    let mut facts = vec![
        Fact::new("plant".into(), "plant name", Thing::Plant, Aspects::default().say("", &plant.name)),
        calendar("plant timezone".into(), Aspects::default().say("", zone)),
    ];
    let shifts = plant.calendar.shifts.iter();
    facts.extend(shifts.map(|shift| calendar(format!("shift {}", shift.name), Aspects::default().say("", span(shift)))));
    let days = plant.calendar.exceptions.iter();
    facts.extend(days.map(|(date, day)| calendar(format!("shifts on {date}"), Aspects::default().list("", exception(day)))));
    facts.extend(plant.sources.iter().enumerate().map(|(place, source)| source_fact(place, source)));
    facts.extend(plant.notify.iter().map(target));
    // The table is one for the whole plant; models with OEE hold it.
    let reasons = plant.models.iter().find_map(|model| model.oee.as_ref()).map(|oee| oee.reason_table.clone());
    facts.extend(reasons.iter().flat_map(|reasons| &reasons.0).map(reason));
    facts
}

pub(super) fn assets(plant: &Plant, facts: &mut Vec<Fact>) {
    for (place, asset) in plant.assets.iter().enumerate() {
        let own = asset_aspects(plant, asset);
        let mut fact = Fact::new(format!("asset {}", asset.id), &*asset.path, Thing::Asset(AssetIndex(place)), own);
        if let Some(parent) = asset.parent {
            fact = fact.of(&format!("asset {}", plant.assets[parent.0].id));
        }
        facts.push(fact);
    }
}

fn asset_aspects(plant: &Plant, asset: &Asset) -> Aspects {
    let mut aspects = Aspects::default().say("model", &plant.models[asset.model.0].name);
    for (slot, source) in &asset.slots {
        aspects = aspects.say(slot, format!("@{source}"));
    }
    for (name, value) in &asset.attributes {
        aspects = aspects.say(name, value);
    }
    for (property, alias) in &asset.aliases {
        aspects = aspects.say(&format!("alias of {property}"), alias);
    }
    aspects.maybe("external id", asset.origin.external_id.as_ref())
}

fn span(shift: &Shift) -> String {
    let days: Vec<&str> = WEEKDAYS.into_iter().zip(shift.days).filter(|(_, on)| *on).map(|(day, _)| day).collect();
    let days = if days.len() == WEEKDAYS.len() { String::new() } else { format!("{} ", days.join(",")) };
    format!("{days}{}-{}", shift.start.strftime("%H:%M"), shift.end.strftime("%H:%M"))
}

fn exception(day: &ShiftException) -> Vec<String> {
    let other = day.shifts.iter().map(|(name, shift)| match shift {
        Some(shift) => format!("{name} {}", span(shift)),
        None => format!("no {name}"),
    });
    day.closed.then(|| "closed".to_owned()).into_iter().chain(other).collect()
}

fn source_fact(place: usize, source: &Source) -> Fact {
    let aspects = Aspects::default();
    let aspects = match &source.protocol {
        SourceProtocol::OpcUa { url, user, password, security } => aspects
            .say("", url)
            .secret("user", user.as_ref())
            .secret("password", password.as_ref())
            .maybe("security", (*security == OpcUaSecurity::None).then_some("none")),
        SourceProtocol::Modbus { host, unit } => aspects.say("", format!("modbus tcp://{host}")).say("unit", unit),
        SourceProtocol::Mqtt { host, port, user, password, version, topic, time_path } => aspects
            .say("", format!("mqtt://{host}:{port}"))
            .say("topic", topic)
            .secret("user", user.as_ref())
            .secret("password", password.as_ref())
            .say("version", format!("{version:?}").to_lowercase())
            .maybe("time", time_path.as_ref()),
    };
    let aspects = aspects.span("every", Some(source.every)).maybe("writes", source.writes_allowed.then_some("allow"));
    let what = format!("source {}", source.name);
    Fact::new(what.clone(), what, Thing::Source(place), aspects)
}

fn target(target: &NotifyTarget) -> Fact {
    let aspects = Aspects::default().say("", target.channel.name());
    let aspects = match &target.channel {
        NotifyChannel::Log => aspects,
        NotifyChannel::Webhook { url, secret } => aspects.secret("url", Some(url)).secret("secret", secret.as_ref()),
        NotifyChannel::Teams { url } | NotifyChannel::Slack { url } => aspects.secret("url", Some(url)),
        NotifyChannel::PagerDuty { key, url } => aspects.secret("key", Some(key)).say("url", url),
        NotifyChannel::Email(mail) => email(aspects, mail),
        NotifyChannel::Mqtt { source, topic } => aspects.say("topic", format!("{topic} @{source}")),
        NotifyChannel::File { name } => aspects.say("file", name.to_string()),
        NotifyChannel::Program { command } => aspects.say("program", command.join(" ")),
    };
    let aspects = aspects.say("template", &target.template).say("link", &target.link);
    let aspects = aspects.flag("updates", target.updates).flag("group", target.group);
    let what = format!("notify {}", target.name);
    Fact::new(what.clone(), what, Thing::Notify, aspects)
}

fn email(aspects: Aspects, mail: &Mail) -> Aspects {
    let aspects = aspects.list("to", &mail.to).say("from", &mail.from);
    let Some(server) = &mail.server else { return aspects };
    aspects
        .say("server", format!("{}:{} {:?}", server.host, server.port, server.security))
        .secret("user", server.user.as_ref())
        .secret("password", server.password.as_ref())
}

fn reason(reason: &Reason) -> Fact {
    let aspects = Aspects::default()
        .say("", reason.class.word())
        .flag("planned", reason.planned)
        .say("priority", reason.priority)
        .list("codes", &reason.codes);
    let what = format!("reason {}", reason.name);
    Fact::new(what.clone(), what, Thing::Reason, aspects)
}
