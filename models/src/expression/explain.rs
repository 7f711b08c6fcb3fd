//! Why an expression gave what it gave: every sub-expression with its result, operands before what uses them.

use super::{Children, Expression, Node, NodeKind, SlotValue};
use crate::event::ExplainedStep;
use std::sync::Arc;

impl Expression {
    /// Evaluates, and lists every sub-expression that is not a mere name or constant; the whole expression comes last.
    /// What a short-cut skipped is listed too: it helps to see both sides.
    pub fn explain(&self, slots: &[SlotValue]) -> (SlotValue, Vec<ExplainedStep>) {
        self.explain_children(slots, &|_| Vec::new())
    }

    /// The same for a formula that may read children.
    pub fn explain_children(&self, slots: &[SlotValue], children: &Children<'_>) -> (SlotValue, Vec<ExplainedStep>) {
        let steps = self.steps(&self.step_texts(), slots, children);
        (self.evaluate_children(slots, children), steps)
    }

    /// The texts of the steps, which are always the same: who explains often has them made once.
    pub fn step_texts(&self) -> Vec<Arc<str>> {
        let mut texts = Vec::new();
        self.visit_steps(&self.aggregates(), &mut |node| {
            texts.push(self.text.get(node.span.start..node.span.end).unwrap_or(&self.text).trim().into());
        });
        texts
    }

    /// The steps alone, with their texts as [`Self::step_texts`] gives them.
    pub fn steps(&self, texts: &[Arc<str>], slots: &[SlotValue], children: &Children<'_>) -> Vec<ExplainedStep> {
        let aggregates = self.aggregates();
        let pooled = if aggregates.is_empty() { Vec::new() } else { self.pooled(children) };
        let leaf = |leaf: &Node| match leaf.kind {
            NodeKind::Slot(slot) => slots.get(slot).cloned(),
            _ => pooled.get(aggregates.iter().position(|known| std::ptr::eq(*known, leaf))?).cloned(),
        };
        let row = self.row_of(&leaf);
        let mut texts = texts.iter();
        let mut steps = Vec::with_capacity(texts.len());
        self.visit_steps(&aggregates, &mut |node| {
            let result = if aggregates.is_empty() { self.value_of(node, slots) } else { SlotValue::from(row.node(node)).value };
            steps.extend(texts.next().map(|text| ExplainedStep { expression: text.clone(), result }));
        });
        steps
    }

    /// Visits what is a step: neither a mere name nor a constant, nor within an aggregate, where each child has a result of its own.
    fn visit_steps<'e>(&'e self, aggregates: &[&'e Node], visitor: &mut dyn FnMut(&'e Node)) {
        let mut within: Vec<*const Node> = Vec::new();
        for node in aggregates {
            node.visit(&mut |inner| within.push(std::ptr::from_ref(inner)));
            within.pop();
        }
        self.root.visit(&mut |node| {
            let plain = matches!(node.kind, NodeKind::Literal(_) | NodeKind::Slot(_));
            if std::ptr::eq(node, &self.root) || !(plain || within.contains(&std::ptr::from_ref(node))) {
                visitor(node);
            }
        });
    }
}
