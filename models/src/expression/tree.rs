//! Walks over the typed tree, and how its operators are written.

use super::{BinaryOperator, Node, NodeKind, UnaryOperator};

impl Node {
    /// Adds the slots read here and below, each once.
    pub fn collect_slots(&self, slots: &mut Vec<usize>) {
        self.visit(&mut |node| {
            if let NodeKind::Slot(slot) = node.kind
                && !slots.contains(&slot)
            {
                slots.push(slot);
            }
        });
    }

    /// Visits every node, operands before what uses them.
    pub fn visit<'n>(&'n self, visitor: &mut dyn FnMut(&'n Node)) {
        self.operands(&mut |operand| operand.visit(visitor));
        visitor(self);
    }

    /// Visits what it is made of, from left to right, and nothing below that.
    pub(super) fn operands<'n>(&'n self, visitor: &mut dyn FnMut(&'n Node)) {
        match &self.kind {
            NodeKind::Literal(_) | NodeKind::Slot(_) => {}
            NodeKind::Unary(_, operand)
            | NodeKind::Aggregate(_, operand)
            | NodeKind::JsonPath(_, operand)
            | NodeKind::DatePart(_, _, operand)
            | NodeKind::Convert(_, operand) => visitor(operand),
            NodeKind::Binary(_, left, right) => [left, right].into_iter().for_each(|operand| visitor(operand)),
            NodeKind::In { needle, list } => std::iter::once(&**needle).chain(list).for_each(visitor),
            NodeKind::If { condition, then, otherwise } => {
                [condition, then, otherwise].into_iter().for_each(|operand| visitor(operand));
            }
            NodeKind::Call(_, nodes) | NodeKind::Format(_, nodes) | NodeKind::MakeTime(_, nodes) => {
                nodes.iter().for_each(visitor)
            }
        }
    }

    /// How deep the tree is.
    pub(super) fn depth(&self) -> usize {
        let mut deepest = 0;
        self.operands(&mut |operand| deepest = deepest.max(operand.depth()));
        1 + deepest
    }

    /// Visits slots outside aggregates, and aggregates but not what is below them.
    pub(super) fn visit_leaves<'n>(&'n self, visitor: &mut dyn FnMut(&'n Node)) {
        match &self.kind {
            NodeKind::Slot(_) | NodeKind::Aggregate(..) => visitor(self),
            _ => self.operands(&mut |operand| operand.visit_leaves(visitor)),
        }
    }
}

impl UnaryOperator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Negate => "`-`",
            Self::Not => "`not`",
            Self::BitNot => "`bitnot`",
        }
    }
}

impl BinaryOperator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "`+`",
            Self::Subtract => "`-`",
            Self::Multiply => "`*`",
            Self::Divide => "`/`",
            Self::Remainder => "`%`",
            Self::Power => "`^`",
            Self::Equal => "`==`",
            Self::NotEqual => "`!=`",
            Self::Less => "`<`",
            Self::LessOrEqual => "`<=`",
            Self::Greater => "`>`",
            Self::GreaterOrEqual => "`>=`",
            Self::And => "`and`",
            Self::Or => "`or`",
            Self::BitAnd => "`bitand`",
            Self::BitOr => "`bitor`",
            Self::BitXor => "`bitxor`",
        }
    }
}
