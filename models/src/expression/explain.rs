//! Why an expression gave what it gave: every sub-expression with its result, operands before what uses them.

use super::{Children, Expression, Node, NodeKind, SlotValue};
use crate::event::ExplainedStep;

impl Expression {
    /// Evaluates, and lists every sub-expression that is not a mere name or constant; the whole expression comes last.
    /// What a short-cut skipped is listed too: it helps to see both sides.
    pub fn explain(&self, slots: &[SlotValue]) -> (SlotValue, Vec<ExplainedStep>) {
        self.explain_children(slots, &|_| Vec::new())
    }

    /// The same for a formula that may read children.
    pub fn explain_children(&self, slots: &[SlotValue], children: &Children<'_>) -> (SlotValue, Vec<ExplainedStep>) {
        let steps = self.steps(slots, children);
        (self.evaluate_children(slots, children), steps)
    }

    /// The steps alone.
    pub fn steps(&self, slots: &[SlotValue], children: &Children<'_>) -> Vec<ExplainedStep> {
        let pooled = self.pooled(children);
        let aggregates = self.aggregates();
        let leaf = |leaf: &Node| match leaf.kind {
            NodeKind::Slot(slot) => slots.get(slot).cloned(),
            _ => pooled.get(aggregates.iter().position(|known| std::ptr::eq(*known, leaf))?).cloned(),
        };
        let pools = !aggregates.is_empty();
        let row = self.row_of(&leaf);
        // What is computed child by child has no single result.
        let mut within: Vec<*const Node> = Vec::new();
        for node in &aggregates {
            node.visit(&mut |inner| within.push(std::ptr::from_ref(inner)));
            within.pop();
        }
        let mut steps = Vec::new();
        self.root.visit(&mut |node| {
            let plain =
                matches!(node.kind, NodeKind::Literal(_) | NodeKind::Slot(_)) || within.contains(&std::ptr::from_ref(node));
            if plain && !std::ptr::eq(node, &self.root) {
                return;
            }
            let written = self.text.get(node.span.start..node.span.end).unwrap_or(&self.text);
            let result = if pools { SlotValue::from(row.node(node)).value } else { self.value_of(node, slots) };
            steps.push(ExplainedStep { expression: written.trim().into(), result });
        });
        steps
    }
}
