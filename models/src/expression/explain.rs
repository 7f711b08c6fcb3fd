//! Why an expression gave what it gave: every sub-expression with its result, operands before what uses them.

use super::{Expression, NodeKind, SlotValue, evaluate::Row};
use crate::event::ExplainedStep;

impl Expression {
    /// Evaluates, and lists every sub-expression that is not a mere name or constant; the whole expression comes last.
    /// What a short-cut skipped is listed too: it helps to see both sides.
    pub fn explain(&self, slots: &[SlotValue]) -> (SlotValue, Vec<ExplainedStep>) {
        let row = Row { slots, aggregates: &[] };
        let mut steps = Vec::new();
        self.root.visit(&mut |node| {
            let plain = matches!(node.kind, NodeKind::Literal(_) | NodeKind::Slot(_));
            if plain && !std::ptr::eq(node, &self.root) {
                return;
            }
            let written = self.text.get(node.span.start..node.span.end).unwrap_or(&self.text);
            steps.push(ExplainedStep { expression: written.trim().into(), result: SlotValue::from(row.node(node)).value });
        });
        (self.evaluate(slots), steps)
    }
}
