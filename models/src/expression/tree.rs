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
        match &self.kind {
            NodeKind::Literal(_) | NodeKind::Slot(_) => {}
            NodeKind::Unary(_, operand) | NodeKind::Aggregate(_, operand) => operand.visit(visitor),
            NodeKind::Binary(_, left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
            NodeKind::In { needle, list } => {
                needle.visit(visitor);
                list.iter().for_each(|item| item.visit(visitor));
            }
            NodeKind::If { condition, then, otherwise } => {
                condition.visit(visitor);
                then.visit(visitor);
                otherwise.visit(visitor);
            }
            NodeKind::Call(_, nodes) | NodeKind::Format(_, nodes) | NodeKind::MakeTime(_, nodes) => {
                nodes.iter().for_each(|node| node.visit(visitor));
            }
            NodeKind::JsonPath(_, operand) | NodeKind::DatePart(_, _, operand) | NodeKind::Convert(_, operand) => {
                operand.visit(visitor);
            }
        }
        visitor(self);
    }

    /// How deep the tree is.
    pub(super) fn depth(&self) -> usize {
        let deepest = |nodes: &[Self]| nodes.iter().map(Self::depth).max().unwrap_or(0);
        1 + match &self.kind {
            NodeKind::Literal(_) | NodeKind::Slot(_) => 0,
            NodeKind::Unary(_, operand) | NodeKind::Aggregate(_, operand) | NodeKind::JsonPath(_, operand) => operand.depth(),
            NodeKind::DatePart(_, _, operand) | NodeKind::Convert(_, operand) => operand.depth(),
            NodeKind::Binary(_, left, right) => left.depth().max(right.depth()),
            NodeKind::In { needle, list } => needle.depth().max(deepest(list)),
            NodeKind::If { condition, then, otherwise } => condition.depth().max(then.depth()).max(otherwise.depth()),
            NodeKind::Call(_, nodes) | NodeKind::Format(_, nodes) | NodeKind::MakeTime(_, nodes) => deepest(nodes),
        }
    }

    /// Visits slots outside aggregates, and aggregates but not what is below them.
    pub(super) fn visit_leaves<'n>(&'n self, visitor: &mut dyn FnMut(&'n Node)) {
        match &self.kind {
            NodeKind::Literal(_) => {}
            NodeKind::Slot(_) | NodeKind::Aggregate(..) => visitor(self),
            NodeKind::Unary(_, operand)
            | NodeKind::JsonPath(_, operand)
            | NodeKind::DatePart(_, _, operand)
            | NodeKind::Convert(_, operand) => {
                operand.visit_leaves(visitor);
            }
            NodeKind::Binary(_, left, right) => {
                left.visit_leaves(visitor);
                right.visit_leaves(visitor);
            }
            NodeKind::In { needle, list } => {
                needle.visit_leaves(visitor);
                list.iter().for_each(|item| item.visit_leaves(visitor));
            }
            NodeKind::If { condition, then, otherwise } => {
                condition.visit_leaves(visitor);
                then.visit_leaves(visitor);
                otherwise.visit_leaves(visitor);
            }
            NodeKind::Call(_, nodes) | NodeKind::Format(_, nodes) | NodeKind::MakeTime(_, nodes) => {
                nodes.iter().for_each(|node| node.visit_leaves(visitor));
            }
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
