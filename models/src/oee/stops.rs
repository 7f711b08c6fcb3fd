//! Stops and losses: whole spans in which the machine stood, with their reasons, cut at the borders of the window.
//!
//! Of all reasons given for one instant the highest priority wins, of equals the first property in the file; what a person said
//! wins over all of them. Every instant has one reason, so the spans never overlap and no time is counted twice.

use super::{
    Loss, LossClass, OeeDefinition, OeeInputs, Stop, edits,
    edits::StopEdit,
    pieces::Settings,
    reasons::Reasons,
    timeline::{Class, Segment, at, in_order},
};
use crate::{Timestamp, window::Window};
use std::sync::Arc;

/// A reason in force for a span.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    reason: Arc<str>,
    /// Whether anybody said it: a micro-stop is one of which nobody did.
    said: bool,
    by: Arc<str>,
    comment: Arc<str>,
}

/// All stops that touch the window, by time.
pub(super) fn stops(definition: &OeeDefinition, inputs: &OeeInputs, segments: &[Segment]) -> Vec<Stop> {
    let tracks: Vec<_> = inputs.reasons.iter().map(|track| in_order(track)).collect();
    let mut edits = edits::in_force(&inputs.edits);
    edits.retain(|edit| !edit.statement.is_blank());
    let joined = by_class(segments);
    let mut stops = Vec::new();
    for (index, segment) in joined.iter().enumerate() {
        let planned = segment.class == Class::Planned;
        if !planned && segment.class != Class::Stopped || segment.span.intersection(&inputs.window).is_none() {
            continue;
        }
        let parts = by_machine(segment.span, &tracks, &definition.reason_table);
        let parts = by_people(parts, &edits);
        let micro = !planned
            && parts.iter().all(|(_, given)| !given.said)
            && segment.span.span() < definition.micro_stop
            && runs_before(&joined, index)
            && runs_after(&joined, index, inputs);
        for (span, given) in parts {
            if let Some(window) = span.intersection(&inputs.window) {
                let continued = span.start < inputs.window.start;
                stops.extend(classified(window, given, continued, planned, micro, segments, &definition.reason_table));
            }
        }
    }
    stops
}

/// One part of a stop with its class. What a person says moves even a planned stop, but not the time in which the machine ran.
fn classified(
    window: Window,
    given: Given,
    continued: bool,
    planned: bool,
    micro: bool,
    segments: &[Segment],
    reasons: &Reasons,
) -> Vec<Stop> {
    let Given { reason, by, comment, .. } = given;
    let meaning = reasons.of(&reason);
    let by_plan = planned && (by.is_empty() || reason.is_empty());
    let stop = |window: Window, by_plan: bool, continued: bool| {
        let (class, planned) = match (by_plan, micro) {
            (true, _) => (LossClass::ScheduleLoss, true),
            (false, true) => (LossClass::Performance, false),
            (false, false) => (meaning.class, meaning.planned),
        };
        let (reason, comment, by) = (reason.clone(), comment.clone(), by.clone());
        Stop { window, reason, class, planned, micro, continued, comment, by }
    };
    if !planned || by_plan {
        return vec![stop(window, by_plan, continued)];
    }
    let parts = segments.iter().filter_map(|segment| Some((segment, segment.span.intersection(&window)?)));
    parts.map(|(segment, part)| stop(part, segment.running == Some(true), continued || part.start > window.start)).collect()
}

/// A planned stop is one stop, whatever the machine does meanwhile.
fn by_class(segments: &[Segment]) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::with_capacity(segments.len());
    for segment in segments {
        match joined.last_mut() {
            Some(last) if last.class == segment.class => last.span.end = segment.span.end,
            _ => joined.push(*segment),
        }
    }
    joined
}

fn runs_before(segments: &[Segment], index: usize) -> bool {
    index.checked_sub(1).is_some_and(|before| segments[before].class == Class::Running)
}

/// Nothing after the end of the window is looked at: the figures are the same whenever they are computed.
fn runs_after(segments: &[Segment], index: usize, inputs: &OeeInputs) -> bool {
    let stop = &segments[index];
    match stop.span.end.cmp(&inputs.window.end) {
        std::cmp::Ordering::Less => segments.get(index + 1).is_some_and(|after| after.class == Class::Running),
        std::cmp::Ordering::Equal => at(&in_order(&inputs.running), stop.span.end).copied().flatten() == Some(true),
        std::cmp::Ordering::Greater => false,
    }
}

type Track<'t> = std::borrow::Cow<'t, [(Timestamp, Option<Arc<str>>)]>;

/// A stop in parts of one reason each, by what controllers say.
fn by_machine(stop: Window, tracks: &[Track<'_>], reasons: &Reasons) -> Vec<(Window, Given)> {
    let explained: Vec<Vec<(Window, Arc<str>)>> = tracks.iter().map(|track| reasoned(stop, track)).collect();
    let mut borders: Vec<Timestamp> = explained.iter().flatten().map(|(span, _)| span.start).collect();
    borders.extend([stop.start, stop.end]);
    borders.sort_unstable();
    borders.dedup();
    let mut parts: Vec<(Window, Given)> = Vec::new();
    for pair in borders.windows(2) {
        let span = Window { start: pair[0], end: pair[1] };
        let holds = |parts: &Vec<(Window, Arc<str>)>| {
            let part = parts.iter().find(|(part, _)| part.start <= span.start && span.end <= part.end);
            part.map(|(_, reason)| reason.clone()).filter(|reason| !reason.is_empty())
        };
        let mut best: Option<(i64, Arc<str>)> = None;
        for given in explained.iter().filter_map(holds) {
            let reason = reasons.of(&given);
            if best.as_ref().is_none_or(|(priority, _)| reason.priority > *priority) {
                best = Some((reason.priority, reason.name));
            }
        }
        let reason = best.map(|(_, name)| name);
        let given =
            Given { said: reason.is_some(), reason: reason.unwrap_or_default(), by: Arc::default(), comment: Arc::default() };
        match parts.last_mut() {
            Some((last, known)) if *known == given => last.end = span.end,
            _ => parts.push((span, given)),
        }
    }
    parts
}

/// A stop in parts of one reason each. A reason given during the stop also explains its beginning, and holds until another is
/// given: operators and controllers name a stop after it began.
fn reasoned(stop: Window, reasons: &[(Timestamp, Option<Arc<str>>)]) -> Vec<(Window, Arc<str>)> {
    let given = |reason: Option<&Option<Arc<str>>>| reason.cloned().flatten().filter(|reason| !reason.trim().is_empty());
    let begin = reasons.partition_point(|(time, _)| *time <= stop.start);
    let mut parts: Vec<(Window, Arc<str>)> = Vec::new();
    let mut since = stop.start;
    let mut current = given(at(reasons, stop.start));
    for (time, reason) in reasons[begin..].iter().take_while(|(time, _)| *time < stop.end) {
        let Some(next) = given(Some(reason)) else { continue };
        match current.replace(next.clone()) {
            Some(before) if before != next => {
                parts.push((Window { start: since, end: *time }, before));
                since = *time;
            }
            _ => {}
        }
    }
    parts.push((Window { start: since, end: stop.end }, current.unwrap_or_default()));
    parts
}

/// What people said, laid over it.
fn by_people(parts: Vec<(Window, Given)>, edits: &[StopEdit]) -> Vec<(Window, Given)> {
    let mut cut = Vec::new();
    for (span, given) in parts {
        let mut from = span.start;
        for edit in edits {
            let Some(part) = edit.span.intersection(&Window { start: from, end: span.end }) else { continue };
            if from < part.start {
                cut.push((Window { start: from, end: part.start }, given.clone()));
            }
            let said = &edit.statement;
            let named = !said.reason.is_empty();
            let reason = if named { said.reason.clone() } else { given.reason.clone() };
            let said_so = given.said || named;
            cut.push((part, Given { reason, said: said_so, by: said.by.clone(), comment: said.comment.clone() }));
            from = part.end;
        }
        if from < span.end {
            cut.push((Window { start: from, end: span.end }, given));
        }
    }
    cut
}

/// The stops of one kind that began in the window, each once, however many reasons were given for it.
pub(super) fn began<'s>(stops: &'s [Stop], kind: impl Fn(&Stop) -> bool + 's) -> usize {
    let first_parts = stops.iter().enumerate().filter(|(index, stop)| kind(stop) && !goes_on(stops, *index, &kind));
    first_parts.filter(|(_, stop)| !stop.continued).count()
}

/// Whether a part of a stop goes on where the one before it, of the same kind, ended.
fn goes_on(stops: &[Stop], index: usize, kind: impl Fn(&Stop) -> bool) -> bool {
    let before = index.checked_sub(1).map(|before| &stops[before]);
    before.is_some_and(|before| kind(before) && before.window.end == stops[index].window.start)
}

/// What the stops cost, by reason, the dearest first: the Pareto. Schedule losses are no losses of the machine.
pub(super) fn losses(stops: &[Stop], settings: &Settings) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for (index, stop) in stops.iter().enumerate().filter(|(_, stop)| stop.class != LossClass::ScheduleLoss) {
        // A comment in the middle of a stop makes parts of it, not stops.
        let same = |other: &Stop| (other.class, other.planned, &other.reason) == (stop.class, stop.planned, &stop.reason);
        let counts = !stop.continued && !goes_on(stops, index, same);
        let one = Loss {
            reason: stop.reason.clone(),
            class: stop.class,
            planned: stop.planned,
            span: stop.window.span(),
            count: u64::from(counts),
            units: settings.capacity(stop.window),
        };
        add(&mut losses, one);
    }
    sort(&mut losses);
    losses
}

/// Adds a loss to those of the same reason.
pub(super) fn add(losses: &mut Vec<Loss>, more: Loss) {
    let same = |loss: &&mut Loss| (loss.class, loss.planned, &loss.reason) == (more.class, more.planned, &more.reason);
    match losses.iter_mut().find(same) {
        Some(loss) => {
            loss.span += more.span;
            loss.count += more.count;
            loss.units = loss.units.zip(more.units).map(|(one, other)| one + other);
        }
        None => losses.push(more),
    }
}

/// The dearest first.
pub(super) fn sort(losses: &mut [Loss]) {
    losses.sort_by(|a, b| {
        b.span.cmp(&a.span).then_with(|| (&a.reason, a.class, a.planned).cmp(&(&b.reason, b.class, b.planned)))
    });
}
