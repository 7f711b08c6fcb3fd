//! From inputs to figures.

use super::{
    LossClass, OeeDefinition, OeeInputs, OeeResult, OeeTotals, Stop,
    pieces::{self, Pieces, Settings},
    stops,
    timeline::{self, Class, Segment},
};
use crate::window::Window;
use std::time::Duration;

/// Evaluates one window.
pub fn evaluate(definition: &OeeDefinition, inputs: &OeeInputs) -> OeeResult {
    let segments = timeline::segments(definition, inputs);
    let stops = stops::stops(definition, inputs, &segments);
    let settings = Settings::new(definition, inputs);
    let counters = Counters {
        good: pieces::count(&inputs.good, inputs.good_rule, inputs, &segments, &settings),
        bad: definition.bad.is_some().then(|| pieces::count(&inputs.bad, inputs.bad_rule, inputs, &segments, &settings)),
        rework: (definition.rework.is_some())
            .then(|| pieces::count(&inputs.rework, inputs.rework_rule, inputs, &segments, &settings)),
    };
    let totals = totals(definition, inputs, &segments, &stops, &settings, &counters);
    let losses = stops::losses(&stops, &settings);
    let unknown = union(spans_of(Class::Unknown, inputs, &segments).iter());
    OeeResult::of(inputs.window, totals, stops, unknown, losses)
}

/// The spans of one class within the window.
fn spans_of(class: Class, inputs: &OeeInputs, segments: &[Segment]) -> Vec<Window> {
    let parts = segments.iter().filter(|segment| segment.class == class);
    parts.filter_map(|segment| segment.span.intersection(&inputs.window)).collect()
}

/// What the counters say.
struct Counters {
    good: Pieces,
    bad: Option<Pieces>,
    rework: Option<Pieces>,
}

impl Counters {
    fn all(&self) -> impl Iterator<Item = &Pieces> {
        [Some(&self.good), self.bad.as_ref(), self.rework.as_ref()].into_iter().flatten()
    }

    /// Of all counters there are. Without one for them, bad pieces are not known: nobody says that there are none.
    fn sum(&self, of: fn(&Pieces) -> Option<f64>) -> Option<f64> {
        self.all().try_fold(0.0, |sum, pieces| Some(sum + of(pieces)?))
    }
}

/// Breakdowns, set-ups and micro-stops: what a stop counts as.
fn is_breakdown(stop: &Stop) -> bool {
    stop.class == LossClass::Availability && !stop.planned
}

fn is_setup(stop: &Stop) -> bool {
    stop.class == LossClass::Availability && stop.planned
}

fn is_minor(stop: &Stop) -> bool {
    stop.class == LossClass::Performance
}

fn is_schedule_loss(stop: &Stop) -> bool {
    stop.class == LossClass::ScheduleLoss
}

fn totals(
    definition: &OeeDefinition,
    inputs: &OeeInputs,
    segments: &[Segment],
    stops: &[Stop],
    settings: &Settings,
    counters: &Counters,
) -> OeeTotals {
    let stopped =
        |kind: fn(&Stop) -> bool| -> Vec<Window> { stops.iter().filter(|stop| kind(stop)).map(|stop| stop.window).collect() };
    let length = |spans: &[Window]| -> Duration { spans.iter().map(Window::span).sum() };
    let capacity =
        |spans: &[Window]| -> Option<f64> { spans.iter().try_fold(0.0, |sum, span| Some(sum + settings.capacity(*span)?)) };
    let (running, unknown) = (spans_of(Class::Running, inputs, segments), spans_of(Class::Unknown, inputs, segments));
    let (minor, setup, breakdown) = (stopped(is_minor), stopped(is_setup), stopped(is_breakdown));
    let known: Vec<Window> = [&running, &minor, &setup, &breakdown].into_iter().flatten().copied().collect();
    let gaps = union(counters.all().flat_map(|pieces| &pieces.missing));
    let uncounted = known.iter().flat_map(|span| gaps.iter().filter_map(|gap| gap.intersection(span)));
    let uncounted: Duration = uncounted.map(|gap| gap.span()).sum();
    let startup = counters.bad.as_ref().and_then(|bad| bad.startup).filter(|_| definition.startup.is_some());
    let count = |pieces: &Option<Pieces>| pieces.as_ref().and_then(|pieces| pieces.count);
    OeeTotals {
        machines: 1,
        calendar_time: inputs.window.span(),
        schedule_loss_time: length(&stopped(is_schedule_loss)),
        planned_busy_time: length(&known) + length(&unknown),
        actual_production_time: length(&running),
        micro_stop_time: length(&minor),
        setup_time: length(&setup),
        breakdown_time: length(&breakdown),
        unknown_time: length(&unknown),
        uncovered_time: length(&unknown) + uncounted,
        good: counters.good.count,
        bad: count(&counters.bad),
        rework: count(&counters.rework),
        startup_bad: startup.map(|(pieces, _)| pieces),
        total: counters.sum(|pieces| pieces.count),
        standard_seconds: counters.sum(|pieces| pieces.standard_seconds),
        good_standard_seconds: counters.good.standard_seconds,
        rework_standard_seconds: counters.rework.as_ref().and_then(|rework| rework.standard_seconds),
        startup_standard_seconds: startup.and_then(|(_, seconds)| seconds),
        running_capacity: capacity(&running),
        micro_stop_capacity: capacity(&minor),
        setup_capacity: capacity(&setup),
        breakdown_capacity: capacity(&breakdown),
        micro_stops: stops::began(stops, is_minor) as u64,
        setups: stops::began(stops, is_setup) as u64,
        breakdowns: stops::began(stops, is_breakdown) as u64,
    }
}

/// Spans joined where they touch or overlap.
fn union<'w>(windows: impl Iterator<Item = &'w Window>) -> Vec<Window> {
    let mut sorted: Vec<Window> = windows.copied().collect();
    sorted.sort_unstable();
    let mut joined: Vec<Window> = Vec::new();
    for window in sorted {
        match joined.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => joined.push(window),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
