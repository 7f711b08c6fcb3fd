//! What another definition of a plant changes, in words of the plant: what is added, removed and changed, and what follows from it.
//!
//! Both definitions are told as facts ([`facts`]): one for each thing that an engineer names, with what is said about it. Facts of
//! one identity are compared by what they mean; comments, order of keys and spaces say nothing. What follows from a
//! change ([`consequences`]) is what the start with the new definition will do: it is told here and done elsewhere.

mod aspects;
mod consequences;
mod facts;
mod readers;
mod show;
#[cfg(test)]
mod tests;

pub use show::text;

use self::{
    aspects::{Aspect, Line},
    facts::Fact,
};
use crate::{definition::Plant, snapshot::DetectorSnapshot};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// Something else is said about it.
    Changed,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The thing: `filler.temp_limit`, `source filler2`, `Line 2/Filler 2`; with what is said about it after a space.
    pub what: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// What was said before; none for what was not there.
    pub before: Option<String>,
    /// What is said now; none for what goes.
    pub after: Option<String>,
    /// What follows from it.
    pub consequences: Vec<String>,
    /// What a back-fill has to name to compute it over history: `filler.temp_avg`; none where there is nothing to compute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<String>,
}

/// All changes from one definition to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// One by one, in the order of the files.
    pub changes: Vec<Change>,
    /// What follows from all of them together.
    pub consequences: Vec<String>,
}

impl Difference {
    /// What changes from one plant to another. `standing` says where its detectors stand now; empty when nobody knows.
    pub fn of<'a>(before: &'a Plant, after: &'a Plant, standing: impl IntoIterator<Item = &'a DetectorSnapshot>) -> Self {
        let (facts_before, facts_after) = (facts::of(before), facts::of(after));
        let known: BTreeMap<&str, &Fact> = facts_before.iter().map(|fact| (fact.id.as_str(), fact)).collect();
        let new: BTreeSet<&str> = facts_after.iter().map(|fact| fact.id.as_str()).collect();
        let teller = consequences::Teller::new(before, after, standing);
        let mut changes = Vec::new();
        let mut told = BTreeSet::new();
        for fact in &facts_after {
            let mut own = match known.get(fact.id.as_str()) {
                Some(earlier) => differences(earlier, fact),
                None if fact.parent.as_ref().is_some_and(|parent| !known.contains_key(parent.as_str())) => Vec::new(),
                None => vec![whole(fact, ChangeKind::Added)],
            };
            if let Some(first) = own.first_mut().filter(|_| told.insert(fact.group.clone())) {
                first.consequences = teller.tell(fact, known.get(fact.id.as_str()).copied(), first.kind);
                first.backfill = teller.backfill(fact);
            }
            changes.extend(own);
        }
        for fact in facts_before.iter().filter(|fact| !new.contains(fact.id.as_str())) {
            if fact.parent.as_ref().is_some_and(|parent| !new.contains(parent.as_str())) {
                continue;
            }
            let mut change = whole(fact, ChangeKind::Removed);
            if told.insert(fact.group.clone()) {
                change.consequences = teller.tell(fact, Some(fact), ChangeKind::Removed);
            }
            changes.push(change);
        }
        let consequences = if changes.is_empty() { Vec::new() } else { teller.together() };
        Self { changes, consequences }
    }

    /// Whether nothing changes: the files may be written otherwise, but they say the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A thing that comes or goes as a whole.
fn whole(fact: &Fact, kind: ChangeKind) -> Change {
    let said = Some(fact.summary()).filter(|said| !said.is_empty());
    let (before, after) = if kind == ChangeKind::Added { (None, said) } else { (said, None) };
    Change { what: fact.what.clone(), kind, before, after, consequences: Vec::new(), backfill: None }
}

/// What is said otherwise about one thing.
fn differences(before: &Fact, after: &Fact) -> Vec<Change> {
    let mut changes = Vec::new();
    if before.what != after.what {
        let (was, is) = (Some(before.what.clone()), Some(after.what.clone()));
        let what = format!("{} name", after.what);
        let kind = ChangeKind::Changed;
        changes.push(Change { what, kind, before: was, after: is, consequences: Vec::new(), backfill: None });
    }
    let empty = Vec::new();
    let names: Vec<&str> = after.aspects.iter().chain(&before.aspects).map(|aspect| aspect.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    for name in names.into_iter().filter(|name| seen.insert(name.to_owned())) {
        let lines = |aspects: &'_ [Aspect]| aspects.iter().position(|aspect| aspect.name == name);
        let was = lines(&before.aspects).map_or(&empty, |position| &before.aspects[position].lines);
        let is = lines(&after.aspects).map_or(&empty, |position| &after.aspects[position].lines);
        let what = if name.is_empty() { after.what.clone() } else { format!("{} {name}", after.what) };
        changes.extend(compare(&what, was, is));
    }
    changes
}

/// Compares what an aspect says: lines that are there before and after say nothing; others are told pair by pair.
fn compare(what: &str, before: &[Line], after: &[Line]) -> Vec<Change> {
    let missing = |lines: &[Line], others: &[Line]| -> Vec<String> {
        let mut left: Vec<&Line> = others.iter().collect();
        let gone = lines.iter().filter(|line| match left.iter().position(|other| other.compared == line.compared) {
            Some(position) => {
                left.remove(position);
                false
            }
            None => true,
        });
        gone.map(|line| line.shown.clone()).collect()
    };
    let (gone, come) = (missing(before, after), missing(after, before));
    let change = |kind, before: Option<String>, after: Option<String>| Change {
        what: what.to_owned(),
        kind,
        before,
        after,
        consequences: Vec::new(),
        backfill: None,
    };
    if gone.is_empty() && come.is_empty() {
        let order = |lines: &[Line]| Some(lines.iter().map(|line| line.shown.as_str()).collect::<Vec<_>>().join(" · "));
        let same = before.iter().map(|line| &line.compared).eq(after.iter().map(|line| &line.compared));
        return if same { Vec::new() } else { vec![change(ChangeKind::Changed, order(before), order(after))] };
    }
    (0..gone.len().max(come.len()))
        .map(|place| match (gone.get(place).cloned(), come.get(place).cloned()) {
            (Some(was), None) => change(ChangeKind::Removed, Some(was), None),
            (None, is) => change(ChangeKind::Added, None, is),
            (was, is) => change(ChangeKind::Changed, was, is),
        })
        .collect()
}
