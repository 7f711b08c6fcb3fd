//! Addresses: each is read for the protocol of the source that the assets put into its slot, and checked against what shares it.

use super::{
    assets::AssetDraft,
    diagnostic::Report,
    model::{ControlDraft, ModelDraft, Point},
    tree::{self, At},
};
use crate::{
    address::{Address, ModbusAddress, ModbusTable, Protocol},
    definition::{Binding, Source},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The addresses of all models, by where they stand in the file.
pub(super) struct Bindings(HashMap<At, Binding>);

impl Bindings {
    pub fn of(&self, point: Point<'_>) -> Option<Binding> {
        self.0.get(&point.node.at).cloned()
    }
}

type Sources = [(Arc<str>, Option<Source>)];

/// Reads all addresses.
pub(super) fn bind(report: &Report<'_>, models: &[ModelDraft<'_>], assets: &[AssetDraft], sources: &Sources) -> Bindings {
    let slots = slot_protocols(report, assets, sources);
    let mut bindings = HashMap::new();
    for (index, model) in models.iter().enumerate() {
        for point in model.points() {
            let protocol = slots.get(&(index, point.slot)).copied();
            if let Some(address) = address(report, point, protocol) {
                bindings.insert(point.node.at, Binding { address, slot: point.slot.into() });
            }
        }
        for control in &model.controls {
            let Some(point) = control.to else { continue };
            let binding = bindings.get(&point.node.at);
            check_writable(report, point, binding);
            check_feedback(report, point, control, binding);
        }
    }
    let bindings = Bindings(bindings);
    overlaps(report, models, assets, sources, &bindings);
    refused_writes(report, models, assets, sources);
    bindings
}

/// The protocol of each slot of each model, by the first asset that fills it; a second protocol is reported.
fn slot_protocols<'a>(report: &Report<'_>, assets: &'a [AssetDraft], sources: &Sources) -> HashMap<(usize, &'a str), Protocol> {
    let mut slots = HashMap::new();
    for draft in assets {
        for ((slot, source), at) in draft.asset.slots.iter().zip(&draft.slots_at) {
            let Some(source) = sources.iter().find(|(name, _)| name == source).and_then(|(_, source)| source.as_ref()) else {
                continue;
            };
            let protocol = source.protocol.protocol();
            let first = *slots.entry((draft.asset.model.0, &**slot)).or_insert(protocol);
            if first != protocol {
                let message = format!("`{}` speaks {protocol}; other assets fill the slot `{slot}` with {first}", source.name);
                report.error(*at, "address", message, "the addresses of a slot belong to one protocol: use another slot");
            }
        }
    }
    slots
}

fn address(report: &Report<'_>, point: Point<'_>, protocol: Option<Protocol>) -> Option<Address> {
    let looks_like = point.address.parse::<Address>().ok().map(|address| address.protocol());
    let place = |start: usize, end: usize| tree::inside(report, point.node, start, end);
    if let (Some(found), Some(wanted)) = (looks_like, protocol)
        && found != wanted
        && found != Protocol::Mqtt
    {
        let message =
            format!("`{}` is an address of {found}, but the slot `{}` holds a {wanted} source", point.address, point.slot);
        report.error(place(0, point.address.len()), "address", message, "end it with the slot of the right source");
        return None;
    }
    let parsed = match protocol {
        Some(protocol) => Address::parse(point.address, protocol),
        None => point.address.parse(),
    };
    match parsed {
        Ok(address) => {
            if let Address::Modbus(modbus) = &address {
                warn_reference_number(report, point, modbus, place(0, point.address.len()));
            }
            Some(address)
        }
        Err(error) => {
            report.error(place(error.span.start, error.span.end), "address", error.message, error.hint);
            None
        }
    }
}

/// `holding/40001` where `holding/0` was meant.
fn warn_reference_number(report: &Report<'_>, point: Point<'_>, address: &ModbusAddress, at: At) {
    let base = match address.table {
        ModbusTable::Holding => 40_001,
        ModbusTable::Input => 30_001,
        ModbusTable::Discrete => 10_001,
        ModbusTable::Coil => return,
    };
    let written_as_address = point.address.contains('/');
    if let Some(meant) = address.register.checked_sub(base).filter(|meant| *meant < 9_999 && written_as_address) {
        let table = address.table.name();
        let message = format!("`{table}/{}` counts from 0, and looks like a number that counts from {base}", address.register);
        report.warning(
            at,
            "register-number",
            message,
            format!("if the manual says {}, write `{table}/{meant}`", address.register),
        );
    }
}

fn check_writable(report: &Report<'_>, point: Point<'_>, binding: Option<&Binding>) {
    if let Some(Address::Modbus(address)) = binding.map(|binding| &binding.address)
        && !address.table.is_writable()
    {
        let message = format!("`{address}` can only be read");
        report.error(point.node.at, "address", message, "Modbus writes coils and holding registers only");
    }
}

/// A broker acknowledges what it takes, not what the machine does with it.
fn check_feedback(report: &Report<'_>, point: Point<'_>, control: &ControlDraft<'_>, binding: Option<&Binding>) {
    let Some(Address::Mqtt(address)) = binding.map(|binding| &binding.address) else { return };
    if address.topic.is_none() {
        let message = format!("`{}` names no topic to publish to", point.address);
        report.error(
            point.node.at,
            "address",
            message,
            "write `plant/filler/set#value`, or `plant/filler/set#.` for the bare value",
        );
    }
    if control.feedback.is_none() {
        let message = format!("nothing shows whether the machine took `{}`", control.name);
        report.error(point.node.at, "form", message, "say where its value comes back: `feedback: plant/filler/state#value @…`");
    }
}

/// Registers that two values of one device share.
fn overlaps(report: &Report<'_>, models: &[ModelDraft<'_>], assets: &[AssetDraft], sources: &Sources, bindings: &Bindings) {
    let mut devices: HashMap<&str, Vec<(ModbusAddress, Point<'_>)>> = HashMap::new();
    for draft in assets {
        for point in models[draft.asset.model.0].points() {
            let Some((_, source)) = draft.asset.slots.iter().find(|(slot, _)| **slot == *point.slot) else { continue };
            let is_modbus = sources.iter().any(|(name, found)| {
                name == source && found.as_ref().is_some_and(|found| found.protocol.protocol() == Protocol::Modbus)
            });
            if let (true, Some(Binding { address: Address::Modbus(address), .. })) = (is_modbus, bindings.of(point)) {
                devices.entry(source).or_default().push((address, point));
            }
        }
    }
    let mut told = HashSet::new();
    for points in devices.values_mut() {
        points.sort_by_key(|(address, point)| (address.table, address.register, point.node.at.start));
        // Every asset of a model brings the same points.
        points.dedup_by_key(|(_, point)| point.node.at);
        for (index, (address, point)) in points.iter().enumerate() {
            // Sorted by register: what overlaps follows at once.
            let following = points[index + 1..]
                .iter()
                .take_while(|(other, _)| other.table == address.table && u32::from(other.register) < address.end());
            let clash = following.into_iter().find(|(other, _)| other.overlaps(address) && other != address);
            if let Some((other, second)) = clash
                && told.insert((point.node.at, second.node.at))
            {
                let line = report.line(point.node.at);
                let message = format!("`{other}` overlaps `{address}` on line {line}");
                let last = address.end() - 1;
                let hint = format!("`{address}` takes the registers {} to {last}", address.register);
                report.warning(second.node.at, "register-overlap", message, hint);
            }
        }
    }
}

/// Controls behind sources that refuse all writes.
fn refused_writes(report: &Report<'_>, models: &[ModelDraft<'_>], assets: &[AssetDraft], sources: &Sources) {
    let mut told = HashSet::new();
    for draft in assets {
        for control in &models[draft.asset.model.0].controls {
            let Some(slot) = control.to.map(|point| point.slot) else { continue };
            let Some(filled) = draft.asset.slots.iter().position(|(name, _)| **name == *slot) else { continue };
            let name = &draft.asset.slots[filled].1;
            let source = sources.iter().find(|(known, _)| known == name).and_then(|(_, source)| source.as_ref());
            if source.is_some_and(|source| !source.writes_allowed) && told.insert((draft.asset.model, name.clone())) {
                let message = format!("the source {name} refuses all writes, so `{}` can never be written", control.name);
                report.warning(
                    draft.slots_at[filled],
                    "writes-refused",
                    message,
                    "say `writes: allow` in the source if that is meant",
                );
            }
        }
    }
}
