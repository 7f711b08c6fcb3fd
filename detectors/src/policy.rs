//! What may be written: the rules that need nothing but the plant and the values at hand.
//!
//! A write is refused unless the engine is armed, the source and the control allow it, the value is on the list and in range,
//! the rate is kept, and the interlock holds on fresh and good values. Every refusal says which rule and why.

use crate::{
    arming::Arming,
    detector::{Body, MOST_AHEAD},
    explanation::Truth,
};
use andon_models::{
    AssetId, Quality, Timestamp, Value,
    catalog::{Catalog, Tag},
    command::HandRole,
    definition::Control,
    expression::{Reference, SlotValue},
    time::format_duration,
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

/// Most commands of the whole plant per minute. A plant file that wants more is running wild; the engine disarms itself.
pub(crate) const COMMANDS_PER_MINUTE: usize = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// How long after a start what sources tell may still be on its way: a connection takes seconds, and a command lives for ten.
pub(crate) const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// What all detectors of an engine share while they run.
#[derive(Debug)]
pub(crate) struct Desk {
    pub catalog: Arc<Catalog>,
    /// Whether anything may be written.
    pub arming: Arming,
    /// Why this data folder must not command, if it must not: it is a copy.
    pub foreign: Option<Arc<str>>,
    /// Whether the engine disarmed itself in this step.
    pub tripped: bool,
    /// The caller's time of this step.
    pub now: Timestamp,
    /// Until when sources may not have told again what they told an earlier run.
    pub settled: Timestamp,
    /// Slots of the formula under evaluation; kept to save allocations.
    pub scratch: Vec<SlotValue>,
    decided: HashMap<(AssetId, Arc<str>), VecDeque<Timestamp>>,
    minute: VecDeque<Timestamp>,
}

impl Desk {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            arming: Arming::never(),
            foreign: None,
            tripped: false,
            now: Timestamp::MIN,
            settled: Timestamp::MIN,
            scratch: Vec::new(),
            decided: HashMap::new(),
            minute: VecDeque::new(),
        }
    }

    /// Goes on as the desk of an earlier definition.
    pub fn take_over(&mut self, earlier: &Self) {
        self.arming.clone_from(&earlier.arming);
        self.foreign.clone_from(&earlier.foreign);
        self.minute.clone_from(&earlier.minute);
        // Instances were restored with the commands they remember; those of instances that are gone count as well.
        for (control, times) in &earlier.decided {
            let known = self.decided.entry(control.clone()).or_default();
            if times.len() > known.len() {
                known.clone_from(times);
            }
        }
    }

    /// Why nothing may be written at all now; none if it may.
    pub fn forbids(&self) -> Option<String> {
        match &self.foreign {
            Some(reason) => Some(format!("writes are disarmed: {reason}")),
            None if self.arming.armed => None,
            None => Some(self.arming.forbids()),
        }
    }

    /// Counts a command against the rates, also one from before a restart.
    pub fn count(&mut self, asset: AssetId, control: &Control, time: Timestamp) {
        let times = self.decided.entry((asset, control.name.clone())).or_default();
        times.insert(times.partition_point(|earlier| *earlier <= time), time);
        // More than the limit are never needed to know that it is reached.
        let most = control.at_most.map_or(0, |(most, _)| most as usize);
        while times.len() > most {
            times.pop_front();
        }
    }

    /// Goes back with the caller's time: what was decided just before counts as just before.
    pub fn clock_went_back(&mut self, by: Duration) {
        let now = self.now;
        self.settled = Timestamp::MIN;
        for time in self.decided.values_mut().chain([&mut self.minute]).flatten().filter(|time| **time > now) {
            *time = *time - by;
        }
    }

    /// Whether it is just after a start.
    pub fn settles(&self) -> bool {
        self.now <= self.settled
    }

    fn too_many_in_a_minute(&mut self) -> bool {
        let now = self.now;
        self.minute.retain(|time| counts_at(*time, MINUTE, now));
        if self.minute.len() >= COMMANDS_PER_MINUTE {
            return true;
        }
        self.minute.push_back(self.now);
        false
    }

    fn rate_exceeded(&self, asset: AssetId, control: &Control, now: Timestamp) -> Option<String> {
        let (most, span) = control.at_most?;
        let times = self.decided.get(&(asset, control.name.clone()));
        let recent = times.map_or(0, |times| times.iter().filter(|time| counts_at(**time, span, now)).count());
        (recent >= most as usize).then(|| {
            format!("at most {most} per {} are allowed, and {recent} were decided in that time", format_duration(span))
        })
    }
}

/// Whether what was decided then counts for a rate now. What lies further ahead was decided before the clock went back.
pub(crate) fn counts_at(decided: Timestamp, span: Duration, now: Timestamp) -> bool {
    decided + span > now && decided <= now + span
}

/// Who decides a write.
#[derive(Clone, Debug)]
pub(crate) enum Writer {
    /// The detector itself.
    Detector,
    /// A person.
    Person {
        /// Who.
        by: Arc<str>,
        /// What they may.
        role: HandRole,
    },
}

/// Says why a value may not be written now. A write that is only pretended needs no arming, and does not trip the limit of all.
///
/// # Errors
/// The first rule that forbids it, in words.
pub(crate) fn permit(
    body: &Body,
    desk: &mut Desk,
    control: &Control,
    tag: &Tag,
    value: &Value,
    writer: &Writer,
) -> Result<(), String> {
    check(body, desk, control, tag, value, writer)?;
    if body.pretends(control).is_none() && desk.too_many_in_a_minute() {
        let reason =
            format!("more than {COMMANDS_PER_MINUTE} commands in a minute; find out which detector runs wild, then arm again");
        desk.arming = Arming::off("andon".into(), desk.now, reason.into());
        desk.tripped = true;
        return Err(format!("more than {COMMANDS_PER_MINUTE} commands in a minute: writes are now disarmed"));
    }
    Ok(())
}

/// Everything that must hold for a write, without counting it.
///
/// # Errors
/// The first rule that forbids it, in words.
pub(crate) fn check(
    body: &Body,
    desk: &mut Desk,
    control: &Control,
    tag: &Tag,
    value: &Value,
    writer: &Writer,
) -> Result<(), String> {
    if let Some(reason) = desk.forbids().filter(|_| body.pretends(control).is_none()) {
        return Err(reason);
    }
    may_decide(body, control, writer)?;
    if !desk.catalog.plant.source(&tag.source).is_some_and(|source| source.writes_allowed) {
        return Err(format!("source {} does not allow writes (`writes: allow` in the plant file)", tag.source));
    }
    check_value(control, value)?;
    if let Some(reason) = desk.rate_exceeded(body.asset, control, body.instant) {
        return Err(reason);
    }
    match interlock(body, desk, control) {
        // A detector decides; whether it may be sent is known once its sources have told what the interlock reads.
        Err(Unmet::Unsure(_)) if desk.settles() && matches!(writer, Writer::Detector) => Ok(()),
        Err(unmet) => Err(unmet.reason()),
        Ok(()) => Ok(()),
    }
}

fn may_decide(body: &Body, control: &Control, writer: &Writer) -> Result<(), String> {
    let policy = &control.policy;
    match (writer, &policy.detectors, policy.by_hand) {
        (Writer::Detector, Some(may), _) if !may.contains(&body.program.model.name) => {
            Err(format!("the control {} does not let this detector write it (`detectors` in the plant file)", control.name))
        }
        (Writer::Detector, ..) => Ok(()),
        (Writer::Person { .. }, _, None) => {
            Err(format!("the control {} is not written by hand (`by_hand: operator` in the plant file)", control.name))
        }
        (Writer::Person { by, role }, _, Some(least)) if *role < least => Err(role_too_low(by, *role, &control.name, least)),
        (Writer::Person { .. }, ..) => Ok(()),
    }
}

/// What somebody is told who may not write a control by hand.
pub(crate) fn role_too_low(by: &str, role: HandRole, control: &str, least: HandRole) -> String {
    format!("{by} is an {role}, and the control {control} needs an {least}")
}

/// Whether a value is near enough to what the device shows, read just before.
///
/// # Errors
/// Why it is not.
pub(crate) fn check_step(control: &Control, value: &Value, current: Option<&Value>) -> Result<(), String> {
    let Some(step) = control.policy.step else { return Ok(()) };
    let Some((from, to)) = current.and_then(Value::as_f64).zip(value.as_f64()) else {
        return Err("its present value is not known, so nobody knows how large the step would be".into());
    };
    // A step of exactly the limit is allowed, whatever binary fractions make of it.
    if (to - from).abs() <= step * (1.0 + 1e-9) {
        return Ok(());
    }
    let unit = if control.unit.is_empty() { String::new() } else { format!(" {}", control.unit) };
    Err(format!("from {from}{unit} to {to}{unit} is more than a step of {step}{unit}"))
}

fn check_value(control: &Control, value: &Value) -> Result<(), String> {
    let unit = if control.unit.is_empty() { String::new() } else { format!(" {}", control.unit) };
    if *value == Value::Null {
        return Err("there is no value to write".into());
    }
    if !control.allow.is_empty() {
        let allowed = |allowed: &Value| allowed.clone().coerce(control.value_type).as_ref() == Some(value);
        if !control.allow.iter().any(allowed) {
            let list: Vec<String> = control.allow.iter().map(Value::to_string).collect();
            return Err(format!("{value}{unit} is not on the list of allowed values ({})", list.join(", ")));
        }
    }
    let Some(number) = value.as_f64() else { return Ok(()) };
    if let Some(min) = control.min.filter(|min| number < *min) {
        return Err(format!("{value}{unit} is below the lowest allowed value {min}{unit}"));
    }
    if let Some(max) = control.max.filter(|max| number > *max) {
        return Err(format!("{value}{unit} is above the highest allowed value {max}{unit}"));
    }
    Ok(())
}

/// Why an interlock is not met, in words.
pub(crate) enum Unmet {
    /// A value it reads is not known well enough.
    Unsure(String),
    /// It does not hold.
    Fails(String),
}

impl Unmet {
    /// The words.
    pub fn reason(self) -> String {
        let (Self::Unsure(reason) | Self::Fails(reason)) = self;
        reason
    }
}

/// Whether the interlock of a control holds on fresh and good values.
///
/// # Errors
/// Why it does not.
pub(crate) fn interlock(body: &Body, desk: &mut Desk, control: &Control) -> Result<(), Unmet> {
    let Some((_, formula)) = body.program.interlocks.iter().find(|(name, _)| *name == control.name) else {
        return match &control.interlock {
            // Compiled together with the write action; a control without one has no interlock.
            Some(interlock) => Err(Unmet::Fails(format!("the interlock `{}` is not known here", interlock.text))),
            None => Ok(()),
        };
    };
    let places = formula.lines.iter().flat_map(|line| body.places_of(*line).map(move |place| (*line, place)));
    for (line, place) in places {
        if let Some(doubt) = doubt(body, &desk.catalog, desk.now, line, place) {
            let name = &body.origins[place].name;
            return Err(Unmet::Unsure(format!("interlock `{}`: {name} is {doubt}", formula.expression.text)));
        }
    }
    let slots = body.gather(formula, &mut desk.scratch);
    match Truth::of(&body.evaluate(formula, slots)) {
        Truth::Holds => Ok(()),
        Truth::Fails | Truth::Unknown => Err(Unmet::Fails(format!("interlock `{}` does not hold", formula.expression.text))),
    }
}

/// Why a value must not drive a write; none if it may.
fn doubt(body: &Body, catalog: &Catalog, desk_now: Timestamp, line: usize, place: usize) -> Option<String> {
    let slot = &body.values[place];
    if matches!(body.program.table[line].reference, Reference::Variable(_) | Reference::Alarm(_)) {
        return None;
    }
    if slot.quality != Quality::Good {
        return Some(if slot.value == Value::Null && slot.time.is_none() {
            "not known yet".into()
        } else {
            slot.quality.to_string()
        });
    }
    let stale = body.series[place].and_then(|series| catalog.property(series)).and_then(|property| property.stale);
    // Silence makes old too: what the samples' time has not reached, the caller's time has.
    let (now, time) = (body.event_now(desk_now), slot.time?);
    if time > now + MOST_AHEAD {
        return Some(format!("from the future: its time is {time}"));
    }
    let age = now.since(time);
    stale
        .filter(|stale| age > *stale)
        .map(|stale| format!("stale: {} old, {} are allowed", format_duration(age), format_duration(stale)))
}

/// Why a command must not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// The rule that forbids it, in words.
    pub reason: Arc<str>,
    /// Whether it is only too early after a start: what the interlock reads has not been told anew. Ask again.
    pub passing: bool,
}

impl From<String> for Unsent {
    fn from(reason: String) -> Self {
        Self { reason: reason.into(), passing: false }
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
