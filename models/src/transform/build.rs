//! From a catalog to transforms in the order of their dependencies.

use super::{Derived, Input, Transforms, Work, formula};
use crate::{
    SeriesId, Timestamp, Tqv, ValueType,
    catalog::Catalog,
    definition::{AssetIndex, PropertyKind},
    expression::Expression,
};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    sync::Arc,
};

/// Prepares the wanted transforms of a catalog.
pub(super) fn build(catalog: &Catalog, wanted: &dyn Fn(SeriesId) -> bool) -> Transforms {
    let mut transforms =
        Transforms { positions: Default::default(), inputs: Vec::new(), derived: Vec::new(), work: Work::default() };
    for entry in catalog.series().iter().filter(|entry| wanted(entry.id)) {
        let Some(property) = catalog.property(entry.id) else { continue };
        let PropertyKind::Transform { expression } = &property.kind else { continue };
        transforms.add(catalog, entry.asset, expression, property.value_type, entry.id);
    }
    transforms.finish()
}

/// Prepares one formula of an asset, whose results go to a series of its own.
pub(super) fn single(
    catalog: &Catalog,
    asset: AssetIndex,
    expression: &Arc<Expression>,
    value_type: ValueType,
    output: SeriesId,
) -> Transforms {
    let mut transforms =
        Transforms { positions: Default::default(), inputs: Vec::new(), derived: Vec::new(), work: Work::default() };
    transforms.add(catalog, asset, expression, value_type, output);
    transforms.finish()
}

impl Transforms {
    fn add(
        &mut self,
        catalog: &Catalog,
        asset: AssetIndex,
        expression: &Arc<Expression>,
        value_type: ValueType,
        output: SeriesId,
    ) {
        let slots = expression.references.iter().map(|reference| {
            let series = catalog.resolve(asset, reference);
            series.first().map(|series| self.input(*series, catalog))
        });
        let slots: Vec<Option<usize>> = slots.collect();
        let output = self.input(output, catalog);
        let asks = formula::asks(expression);
        if !asks.is_empty() {
            for position in slots.iter().flatten() {
                self.inputs[*position].good.get_or_insert_default();
            }
        }
        self.derived.push(Derived { expression: expression.clone(), value_type, slots, asks, output });
    }

    fn finish(mut self) -> Self {
        self.sort();
        for derived in self.derived.iter().filter(|derived| derived.asks.is_empty()) {
            let changing = |position: &usize| !self.inputs[*position].constant;
            let read: BTreeSet<usize> = derived.slots.iter().flatten().copied().filter(changing).collect();
            if read.len() > 1 {
                read.into_iter().for_each(|position| self.inputs[position].joined = true);
            }
        }
        self.work.is_due = vec![false; self.derived.len()];
        self
    }

    fn input(&mut self, series: SeriesId, catalog: &Catalog) -> usize {
        if let Some(position) = self.positions.get(&series) {
            return *position;
        }
        let attribute = catalog.attribute(series);
        let constant = attribute.is_some();
        let newest = attribute.map(|value| Tqv::good(Timestamp::MIN, value));
        self.inputs.push(Input {
            series,
            newest,
            previous: None,
            late: None,
            good: None,
            constant,
            joined: false,
            readers: Vec::new(),
        });
        self.positions.insert(series, self.inputs.len() - 1);
        self.inputs.len() - 1
    }

    /// Puts every transform after those it reads, and leaves out circles, which the plant file's checks refuse anyway.
    fn sort(&mut self) {
        let mut writers: Vec<Option<usize>> = vec![None; self.inputs.len()];
        for (index, derived) in self.derived.iter().enumerate() {
            writers[derived.output] = Some(index);
        }
        let reads = |derived: &Derived| {
            let mut reads: Vec<usize> = derived.slots.iter().flatten().filter_map(|position| writers[*position]).collect();
            reads.sort_unstable();
            reads.dedup();
            reads
        };
        let reads: Vec<Vec<usize>> = self.derived.iter().map(reads).collect();
        let mut waiting: Vec<usize> = reads.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..waiting.len()).filter(|index| waiting[*index] == 0).map(Reverse).collect();
        let mut read_by: Vec<Vec<usize>> = vec![Vec::new(); reads.len()];
        for (index, reads) in reads.iter().enumerate() {
            reads.iter().for_each(|read| read_by[*read].push(index));
        }
        let mut sorted = Vec::with_capacity(self.derived.len());
        while let Some(Reverse(index)) = ready.pop() {
            sorted.push(self.derived[index].clone());
            for reader in &read_by[index] {
                waiting[*reader] -= 1;
                if waiting[*reader] == 0 {
                    ready.push(Reverse(*reader));
                }
            }
        }
        for (index, derived) in sorted.iter().enumerate() {
            for position in derived.slots.iter().flatten() {
                let readers = &mut self.inputs[*position].readers;
                if readers.last() != Some(&index) {
                    readers.push(index);
                }
            }
        }
        self.derived = sorted;
    }
}
