//! Finds things by what they are told by, however many there are.

use crate::sitewise::thing::{By, Reference, Thing};
use std::collections::{BTreeSet, HashMap};

/// Things of one name that are looked at; who has more of them tells them by ids.
const MAX_ALIKE: usize = 64;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    Id,
    External,
    /// Of the template in this file.
    Logical(usize),
    Name,
}

/// Numbers of things by all their names.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<(Sort, String), BTreeSet<usize>>);

impl Index {
    /// Remembers the names of a thing; what it was called before still leads to it.
    pub fn add(&mut self, thing: &Thing, index: usize) {
        for key in keys(thing).into_iter().flatten().chain([(Sort::Name, thing.name.clone())]) {
            self.0.entry(key).or_default().insert(index);
        }
    }

    /// The thing that a description is of.
    pub fn same<'t>(&self, thing: &Thing, get: impl Fn(usize) -> &'t Thing) -> Option<usize> {
        let known = |key: (Sort, String)| self.0.get(&key).and_then(|found| found.first().copied());
        if let Some(found) = keys(thing).into_iter().flatten().find_map(known) {
            return Some(found);
        }
        let named = self.0.get(&(Sort::Name, thing.name.clone()))?;
        // A thing that is told by another id, or was renamed since, only has the same name. Two resources of a template always differ.
        let is_other = |index: usize| {
            let other = get(index);
            let resources = thing.logical_id.is_some() && other.logical_id.is_some() && other.at.file == thing.at.file;
            other.name != thing.name || other.is_same(thing) == Some(false) || resources
        };
        named.iter().copied().take(MAX_ALIKE).find(|index| !is_other(*index))
    }

    /// The thing that a reference means.
    pub fn find<'t>(&self, reference: &Reference, get: impl Fn(usize) -> &'t Thing) -> Option<usize> {
        let text = || reference.text.clone();
        let sorts: &[Sort] = match reference.by {
            By::ExternalId => &[Sort::External],
            By::Any => &[Sort::Id, Sort::External, Sort::Logical(reference.at.file), Sort::Name],
        };
        let found = sorts.iter().find_map(|sort| self.0.get(&(*sort, text())))?;
        // What has the name now comes before what had it.
        let current = found.iter().copied().take(MAX_ALIKE).find(|index| get(*index).name == reference.text);
        current.or_else(|| found.first().copied())
    }
}

fn keys(thing: &Thing) -> [Option<(Sort, String)>; 3] {
    [
        thing.id.clone().map(|id| (Sort::Id, id)),
        thing.external_id.clone().map(|id| (Sort::External, id)),
        thing.logical_id.clone().map(|id| (Sort::Logical(thing.at.file), id)),
    ]
}
