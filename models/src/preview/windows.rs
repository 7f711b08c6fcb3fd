//! A metric over windows, sample by sample: the row rules of the language, on plain data.

use super::{Finding, Input, Names, kept};
use crate::{
    Quality, Timestamp, Tqv, Value, ValueType,
    expression::{AggregateInput, Expression, Node, NodeKind, SlotValue, aggregate},
    plant_file::Severity,
    window::Window,
};

/// What an aggregate looks at: per series, its argument at each sample.
type Argument = Vec<Vec<(Timestamp, Value)>>;

/// Refuses a slot that has many values in a window and nothing that makes them one.
pub(super) fn check(names: &Names<'_>, expression: &Expression) -> Result<(), Finding> {
    for leaf in expression.leaves() {
        let NodeKind::Slot(slot) = leaf.kind else { continue };
        let reference = &expression.references[slot];
        if !names.stands_alone(reference) {
            let message = format!("`{reference}` has many values in a window");
            let hint = format!("say how they become one: `avg({reference})`, `max({reference})`, `latest({reference})`");
            return Err(Finding { severity: Severity::Error, span: leaf.span, message, hint, nearest: None });
        }
    }
    Ok(())
}

/// The results per window, at its end; a window without one has no point.
pub(super) fn compute(
    expression: &Expression,
    value_type: ValueType,
    windows: &[Window],
    inputs: &[Input<'_>],
) -> Result<Vec<Tqv>, Finding> {
    let aggregates = expression.aggregates();
    let arguments = aggregates.iter().map(|node| argument(expression, node, inputs)).collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::with_capacity(windows.len());
    for window in windows {
        let found = aggregates
            .iter()
            .zip(&arguments)
            .map(|(node, argument)| SlotValue::good(result(node, argument, *window, inputs), Some(window.end)));
        let found: Vec<SlotValue> = found.collect();
        let slots: Vec<SlotValue> = inputs.iter().map(|input| known_at(input, window.end)).collect();
        let SlotValue { value, quality, .. } = expression.evaluate_metric(&slots, &found);
        let value = kept(value, value_type);
        if value != Value::Null {
            let good = Tqv::good(window.end, value);
            results.push(Tqv { quality, ..good });
        }
    }
    Ok(results)
}

fn slot_of(node: &Node) -> Option<usize> {
    let mut read = Vec::new();
    node.collect_slots(&mut read);
    read.first().copied()
}

/// The argument of an aggregate at every sample of its slot; `Null` where that is not Good.
fn argument(expression: &Expression, node: &Node, inputs: &[Input<'_>]) -> Result<Argument, Finding> {
    let NodeKind::Aggregate(kind, operand) = &node.kind else { return Ok(Vec::new()) };
    let series = slot_of(operand).and_then(|slot| inputs.get(slot)).map_or(&[][..], |input| input.series);
    if series.len() > 1 && kind.carries_in() {
        let message = format!("`{kind}` of several machines has no preview");
        let hint = "it is followed machine by machine when it is computed: apply it to see its values".to_owned();
        return Err(Finding { severity: Severity::Warning, span: node.span, message, hint, nearest: None });
    }
    let at = |tqv: &Tqv| {
        let slot = SlotValue::from(tqv);
        let result = expression.evaluate_part(operand, &|_| Some(slot.clone()));
        (tqv.time, if result.quality == Quality::Good { result.value } else { Value::Null })
    };
    let each = series.iter().map(|samples| samples.iter().map(at).collect::<Vec<_>>());
    if series.len() < 2 {
        return Ok(each.collect());
    }
    let mut pooled: Vec<_> = each.flatten().collect();
    pooled.sort_by_key(|(time, _)| *time);
    Ok(vec![pooled])
}

fn result(node: &Node, argument: &Argument, window: Window, inputs: &[Input<'_>]) -> Value {
    let NodeKind::Aggregate(kind, operand) = &node.kind else { return Value::Null };
    let counter = slot_of(operand).and_then(|slot| inputs.get(slot)).map(|input| input.counter).unwrap_or_default();
    let samples = argument.first().map_or(&[][..], Vec::as_slice);
    aggregate(*kind, AggregateInput { window, samples, counter })
}

/// What was known of a slot at an instant.
fn known_at(input: &Input<'_>, time: Timestamp) -> SlotValue {
    let samples = input.series.first().map_or(&[][..], Vec::as_slice);
    let after = samples.partition_point(|tqv| tqv.time <= time);
    after.checked_sub(1).map_or_else(SlotValue::missing, |last| SlotValue::from(&samples[last]))
}
