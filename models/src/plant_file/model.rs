//! Models as declared: names, keys, types and units of every property, before any formula is read.
//!
//! Formulas refer to one another in any order and across models, so all names are collected first; [`super::declare`] fills them in, [`super::resolve`] does the rest.

use super::{
    diagnostic::Report,
    oee,
    tree::{At, Entry, Node},
};
use crate::{
    Value, ValueType,
    command::WritePolicy,
    definition::{CounterRule, Hierarchy, ModelKind, Origin, Scaling},
    oee::{OeeFigure, OeeOfChildren},
    window::WindowSpec,
};
use std::{sync::Arc, time::Duration};

/// A model as declared.
pub(super) struct ModelDraft<'n> {
    pub name: Arc<str>,
    pub at: At,
    /// The name its ids derive from: the first it ever had.
    pub identity: String,
    pub properties: Vec<PropertyDraft<'n>>,
    pub controls: Vec<ControlDraft<'n>>,
    pub hierarchies: Vec<Hierarchy>,
    pub oee: Option<oee::OeeDraft<'n>>,
    pub oee_of: Option<OeeOfChildren>,
    pub detectors: &'n [Entry],
    pub origin: Origin,
    pub kind: ModelKind,
    pub composites: &'n [Entry],
    pub implements: &'n [Entry],
}

/// A property as declared.
pub(super) struct PropertyDraft<'n> {
    pub name: Arc<str>,
    pub key: Arc<str>,
    pub at: At,
    /// The name its id derives from.
    pub identity: String,
    pub unit: Arc<str>,
    /// Known at once for attributes, measurements and OEE figures; otherwise the formula tells.
    pub value_type: Option<ValueType>,
    pub normal: Option<(f64, f64)>,
    pub stale: Option<Duration>,
    pub target: Option<f64>,
    pub hidden: bool,
    pub origin: Origin,
    pub composite: Option<(&'n str, &'n Node)>,
    pub kind: KindDraft<'n>,
}

pub(super) enum KindDraft<'n> {
    Attribute { default: Value },
    Measurement { from: Option<Point<'n>>, counter: Option<CounterRule>, scaling: Scaling },
    Transform { formula: Option<Formula<'n>> },
    Metric { window: WindowSpec, formula: Option<Formula<'n>> },
    Oee { window: WindowSpec, figure: OeeFigure },
    OeeRecord { window: WindowSpec },
}

/// A formula in the file.
#[derive(Clone, Copy)]
pub(super) struct Formula<'n> {
    pub text: &'n str,
    pub node: &'n Node,
    /// In the form of SiteWise, with these variables; none for the plant file's own form.
    pub declared: Option<&'n [Entry]>,
}

/// An address with its slot, as written.
#[derive(Clone, Copy)]
pub(super) struct Point<'n> {
    pub address: &'n str,
    pub slot: &'n str,
    pub node: &'n Node,
}

pub(super) struct ControlDraft<'n> {
    pub name: Arc<str>,
    pub at: At,
    pub identity: String,
    pub unit: Arc<str>,
    pub value_type: ValueType,
    pub to: Option<Point<'n>>,
    pub allow: Vec<Value>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub interlock: Option<Formula<'n>>,
    pub verify: Option<Duration>,
    pub at_most: Option<(u32, Duration)>,
    /// Where its value shows.
    pub feedback: Option<Point<'n>>,
    /// Without the feedback's address, which is read with the source.
    pub policy: WritePolicy,
}

impl ModelDraft<'_> {
    /// The slots its addresses name.
    pub fn slots(&self) -> Vec<&str> {
        let mut slots = Vec::new();
        for point in self.points() {
            if !slots.contains(&point.slot) {
                slots.push(point.slot);
            }
        }
        slots
    }

    /// All addresses in it.
    pub fn points(&self) -> impl Iterator<Item = Point<'_>> {
        let read = self.properties.iter().filter_map(|property| match &property.kind {
            KindDraft::Measurement { from, .. } => *from,
            _ => None,
        });
        read.chain(self.controls.iter().flat_map(|control| [control.to, control.feedback]).flatten())
    }
}

impl PropertyDraft<'_> {
    pub fn window(&self) -> Option<&WindowSpec> {
        match &self.kind {
            KindDraft::Metric { window, .. } | KindDraft::Oee { window, .. } | KindDraft::OeeRecord { window } => Some(window),
            _ => None,
        }
    }
}

pub(super) fn draft_of<'n>(name: &str, at: At, kind: KindDraft<'n>) -> PropertyDraft<'n> {
    PropertyDraft {
        name: name.into(),
        key: name.into(),
        at,
        identity: name.to_owned(),
        unit: "".into(),
        value_type: None,
        normal: None,
        stale: None,
        target: None,
        hidden: false,
        origin: Origin::default(),
        composite: None,
        kind,
    }
}

/// Longest name of a property, model or detector.
pub(crate) const MAX_KEY: usize = 64;

/// Words of the expression language cannot be names.
pub(crate) const RESERVED: [&str; 14] = [
    "and",
    "or",
    "not",
    "in",
    "true",
    "false",
    "null",
    "if",
    "parent",
    "acknowledged",
    "shelved",
    "suppressed",
    "asset",
    "detector",
];

/// Reports a name that formulas and SQL could not use.
pub(super) fn check_name(report: &Report<'_>, kind: &str, name: &str, at: At) {
    if name.is_empty() {
        return;
    }
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let rest = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !first || !rest || name.len() > MAX_KEY {
        let plain: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        let plain = plain.trim_matches('_').trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let hint = match plain.is_empty() || plain.len() > MAX_KEY {
            true => format!("write small letters, digits and _; at most {MAX_KEY}"),
            false => format!("write small letters, digits and _: `{plain}`"),
        };
        report.error(at, "name", format!("`{name}` cannot be the name of a {kind}"), hint);
    } else if RESERVED.contains(&name) {
        report.error(
            at,
            "name",
            format!("`{name}` cannot be the name of a {kind}"),
            "the word has another meaning in formulas",
        );
    }
}
