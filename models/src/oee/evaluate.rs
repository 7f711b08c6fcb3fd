//! From inputs to figures.

use super::{
    NoValue, OeeDefinition, OeeInputs, OeeResult,
    pieces::{self, Pieces},
    stops,
    timeline::{self, Class, Segment},
};
use crate::window::Window;
use std::time::Duration;

/// Performance above 1 by less than this is rounding, not a wrong ideal rate.
const SUSPECT: f64 = 1e-9;

/// Evaluates one window.
pub fn evaluate(definition: &OeeDefinition, inputs: &OeeInputs) -> OeeResult {
    let segments = timeline::segments(definition, inputs);
    let stops = stops::stops(definition, inputs, &segments);
    let rates = pieces::rates(definition, inputs);
    let good = pieces::count(&inputs.good, inputs.good_rule, inputs, &segments, &rates);
    let bad = definition.bad.is_some();
    let bad = bad.then(|| pieces::count(&inputs.bad, inputs.bad_rule, inputs, &segments, &rates));

    let time = |class: Class| -> Duration {
        let parts = segments.iter().filter(|segment| segment.class == class);
        parts.filter_map(|segment| segment.span.intersection(&inputs.window)).map(|part| part.span()).sum()
    };
    let micro_stop_time: Duration = stops.iter().filter(|stop| stop.micro).map(|stop| stop.window.span()).sum();
    let (running, stopped, unknown) = (time(Class::Running), time(Class::Stopped), time(Class::Unknown));
    let planned_busy_time = running + stopped + unknown;
    let planned_stop_time = time(Class::Planned);
    let figures = figures(planned_busy_time, running + micro_stop_time, &good, bad.as_ref());
    let calendar_time = inputs.window.span();
    let teep = figures.oee.map(|oee| oee * planned_busy_time.as_secs_f64() / calendar_time.as_secs_f64());
    let began = |micro: bool| stops::began(&stops).filter(|stop| stop.micro == micro).count();
    OeeResult {
        window: inputs.window,
        calendar_time,
        scheduled_time: planned_busy_time + planned_stop_time,
        planned_stop_time,
        planned_busy_time,
        actual_production_time: running,
        unplanned_stop_time: stopped.saturating_sub(micro_stop_time),
        micro_stop_time,
        unknown_time: unknown,
        total: figures.total,
        standard_seconds: figures.standard_seconds,
        good_standard_seconds: good.standard_seconds,
        availability: figures.availability,
        performance: figures.performance,
        quality_rate: figures.quality_rate,
        oee: figures.oee,
        teep,
        coverage: coverage(&segments, inputs.window, &good, bad.as_ref()),
        no_value_reason: figures.no_value.map_or("", NoValue::word),
        ideal_rate_suspect: figures.performance.is_some_and(|performance| performance > 1.0 + SUSPECT),
        good: good.count,
        bad: bad.and_then(|bad| bad.count),
        stop_count: began(false),
        micro_stop_count: began(true),
        losses: stops::losses(&stops),
        stops,
    }
}

/// The figures and the first reason why one is missing.
#[derive(Default)]
struct Figures {
    total: Option<f64>,
    standard_seconds: Option<f64>,
    availability: Option<f64>,
    performance: Option<f64>,
    quality_rate: Option<f64>,
    oee: Option<f64>,
    no_value: Option<NoValue>,
}

fn figures(planned_busy_time: Duration, available: Duration, good: &Pieces, bad: Option<&Pieces>) -> Figures {
    // Without a counter for them, bad pieces are not known: nobody says that there are none.
    let counted = |of: fn(&Pieces) -> Option<f64>| match bad {
        None => of(good),
        Some(bad) => of(good).zip(of(bad)).map(|(good, bad)| good + bad),
    };
    let total = counted(|pieces| pieces.count);
    let standard_seconds = counted(|pieces| pieces.standard_seconds);
    let mut figures = Figures { total, standard_seconds, ..Figures::default() };
    let (busy, run) = (planned_busy_time.as_secs_f64(), available.as_secs_f64());
    if planned_busy_time.is_zero() {
        figures.no_value = Some(NoValue::NoPlannedTime);
        return figures;
    }
    figures.availability = Some(run / busy);
    figures.oee = good.standard_seconds.map(|seconds| seconds / busy);
    figures.performance = standard_seconds.filter(|_| run > 0.0).map(|seconds| seconds / run);
    figures.quality_rate = match (bad, good.count, total) {
        (Some(_), Some(good), Some(total)) if total > 0.0 => Some(good / total),
        _ => None,
    };
    let missing = [
        (total.is_none(), NoValue::CounterBad),
        (total.is_some() && standard_seconds.is_none(), NoValue::IdealRateUnknown),
        (run == 0.0, NoValue::NoRunTime),
        (bad.is_none(), NoValue::NoBadCounter),
        (total == Some(0.0), NoValue::NoCount),
    ];
    figures.no_value = missing.into_iter().find(|(is_missing, _)| *is_missing).map(|(_, reason)| reason);
    figures
}

/// The known part of planned busy time: the state is known, and so are the counters.
fn coverage(segments: &[Segment], window: Window, good: &Pieces, bad: Option<&Pieces>) -> f64 {
    let gaps = union(good.missing.iter().chain(bad.iter().flat_map(|bad| &bad.missing)));
    let (mut busy, mut missing) = (Duration::ZERO, Duration::ZERO);
    for segment in segments.iter().filter(|segment| segment.is_busy()) {
        let Some(span) = segment.span.intersection(&window) else { continue };
        busy += span.span();
        missing += match segment.class {
            Class::Unknown => span.span(),
            _ => gaps.iter().filter_map(|gap| gap.intersection(&span)).map(|gap| gap.span()).sum(),
        };
    }
    if busy.is_zero() { 1.0 } else { 1.0 - missing.as_secs_f64() / busy.as_secs_f64() }
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
