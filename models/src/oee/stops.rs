//! Stops and losses: whole spans in which the machine stood, with their reasons, cut at the borders of the window.

use super::{
    Loss, LossClass, OeeDefinition, OeeInputs, Stop,
    timeline::{Class, Segment, at, in_order},
};
use crate::{Timestamp, window::Window};
use std::sync::Arc;

/// All stops that touch the window, by time.
pub(super) fn stops(definition: &OeeDefinition, inputs: &OeeInputs, segments: &[Segment]) -> Vec<Stop> {
    let reasons = in_order(&inputs.reason);
    let segments = &by_class(segments);
    let mut stops = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let planned = segment.class == Class::Planned;
        if !planned && segment.class != Class::Stopped || segment.span.intersection(&inputs.window).is_none() {
            continue;
        }
        let parts = reasoned(segment.span, &reasons);
        let unspecified = parts.iter().all(|(_, reason)| reason.is_empty());
        let micro = !planned
            && unspecified
            && segment.span.span() < definition.micro_stop
            && runs_before(segments, index)
            && runs_after(segments, index, inputs);
        for (span, reason) in parts {
            if let Some(window) = span.intersection(&inputs.window) {
                let continued = span.start < inputs.window.start;
                stops.push(Stop { window, reason, planned, micro, continued });
            }
        }
    }
    stops
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

/// The unplanned stops that began in the window, each once, however many reasons were given for it.
pub(super) fn began(stops: &[Stop]) -> impl Iterator<Item = &Stop> {
    let goes_on = |index: usize| {
        let before = index.checked_sub(1).map(|before| &stops[before]);
        before.is_some_and(|before| !before.planned && before.window.end == stops[index].window.start)
    };
    let first_parts = stops.iter().enumerate().filter(move |(index, _)| !goes_on(*index));
    first_parts.map(|(_, stop)| stop).filter(|stop| !stop.planned && !stop.continued)
}

/// What the stops cost, by reason, the dearest first. Planned stops are no losses.
pub(super) fn losses(stops: &[Stop]) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for stop in stops.iter().filter(|stop| !stop.planned) {
        let class = if stop.micro { LossClass::Performance } else { LossClass::Availability };
        let started = usize::from(!stop.continued);
        match losses.iter_mut().find(|loss| loss.class == class && loss.reason == stop.reason) {
            Some(loss) => {
                loss.span += stop.window.span();
                loss.count += started;
            }
            None => losses.push(Loss { reason: stop.reason.clone(), class, span: stop.window.span(), count: started }),
        }
    }
    losses.sort_by(|a, b| b.span.cmp(&a.span).then_with(|| a.reason.cmp(&b.reason)));
    losses
}
