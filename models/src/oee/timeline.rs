//! The machine's time in segments that tile it: each instant is in exactly one state, so nothing is counted twice.

use super::{Lumps, OeeDefinition, OeeInputs};
use crate::{Timestamp, window::Window};
use std::{borrow::Cow, time::Duration};

/// What an instant is to OEE. The first that applies: off, planned, then what the machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Outside the shifts.
    Off,
    /// A planned stop: not planned busy time.
    Planned,
    /// The machine runs.
    Running,
    /// The machine stands, and nobody planned it.
    Stopped,
    /// Nothing is known.
    Unknown,
}

/// A span in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub span: Window,
    /// Whether the machine runs, planned or not, in a shift or not.
    pub running: Option<bool>,
    pub class: Class,
}

impl Segment {
    /// Whether its time is planned busy time.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.class, Class::Running | Class::Stopped | Class::Unknown)
    }
}

/// The entries of a track, by time; the caller's own when they are in order already.
pub(super) fn in_order<T: Clone>(entries: &[(Timestamp, T)]) -> Cow<'_, [(Timestamp, T)]> {
    if entries.is_sorted_by_key(|(time, _)| *time) {
        return Cow::Borrowed(entries);
    }
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|(time, _)| *time);
    Cow::Owned(sorted)
}

/// The last entry at or before an instant.
pub(super) fn at<T>(entries: &[(Timestamp, T)], time: Timestamp) -> Option<&T> {
    let after = entries.partition_point(|(entry, _)| *entry <= time);
    after.checked_sub(1).map(|last| &entries[last].1)
}

/// Segments from the first known state (or the window's start, if that is earlier) to the window's end, or to the last reading
/// when pieces are shared with the window after.
pub(super) fn segments(definition: &OeeDefinition, inputs: &OeeInputs) -> Vec<Segment> {
    let running = expire(&in_order(&inputs.running), definition.max_hold);
    let planned = in_order(&inputs.planned_stop);
    let ends = reach(inputs, &running);
    let mut borders: Vec<Timestamp> = vec![ends.start, ends.end, inputs.window.start, inputs.window.end];
    borders.extend(running.iter().map(|(time, _)| *time));
    borders.extend(inputs.scheduled.iter().flat_map(|part| [part.start, part.end]));
    if definition.planned_stop.is_some() {
        borders.extend(planned.iter().map(|(time, _)| *time));
    }
    borders.retain(|border| ends.start <= *border && *border <= ends.end);
    borders.sort_unstable();
    borders.dedup();

    let mut segments: Vec<Segment> = Vec::with_capacity(borders.len());
    for pair in borders.windows(2) {
        let span = Window { start: pair[0], end: pair[1] };
        let runs = at(&running, span.start).copied().flatten();
        let plan = match definition.planned_stop {
            Some(_) => at(&planned, span.start).copied().flatten(),
            None => Some(false),
        };
        // Only the window's own shifts are given; beside it the machine's state alone matters.
        let beside = span.end <= inputs.window.start || span.start >= inputs.window.end;
        let on_shift = beside || inputs.scheduled.iter().any(|part| part.start <= span.start && span.end <= part.end);
        let segment = Segment { span, running: runs, class: classify(on_shift, plan, runs) };
        match segments.last_mut() {
            Some(last) if (last.running, last.class) == (segment.running, segment.class) => last.span.end = span.end,
            _ => segments.push(segment),
        }
    }
    segments
}

fn classify(on_shift: bool, planned: Option<bool>, running: Option<bool>) -> Class {
    match (on_shift, planned, running) {
        (false, ..) => Class::Off,
        (true, Some(true), _) => Class::Planned,
        (true, _, Some(true)) => Class::Running,
        // Standing still without knowing whether that was planned is no stop to count.
        (true, None, _) | (true, _, None) => Class::Unknown,
        (true, Some(false), Some(false)) => Class::Stopped,
    }
}

/// A state holds at most so long without a sample; then nothing is known.
fn expire(entries: &[(Timestamp, Option<bool>)], max_hold: Option<Duration>) -> Vec<(Timestamp, Option<bool>)> {
    let Some(max_hold) = max_hold else { return entries.to_vec() };
    let mut held = Vec::with_capacity(entries.len());
    for (index, (time, value)) in entries.iter().enumerate() {
        held.push((*time, *value));
        let silent = *time + max_hold;
        if value.is_some() && entries.get(index + 1).is_none_or(|(next, _)| silent < *next) {
            held.push((silent, None));
        }
    }
    held
}

/// From when to when segments are needed.
fn reach(inputs: &OeeInputs, running: &[(Timestamp, Option<bool>)]) -> Window {
    let first = running.first().map_or(inputs.window.start, |(time, _)| *time);
    let mut reach = Window { start: inputs.window.start.min(first), end: inputs.window.end };
    if inputs.lumps == Lumps::Across {
        for (time, _) in inputs.good.iter().chain(&inputs.bad) {
            reach = Window { start: reach.start.min(*time), end: reach.end.max(*time) };
        }
    }
    reach
}
