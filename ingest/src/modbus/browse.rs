//! What a Modbus device holds. The protocol has no list of registers: shown is what the plant file reads, and any range that is
//! asked for, read in every common way so that an engineer finds the right one. Only reads; one request at a time.

mod readings;

use super::{
    ModbusDevice,
    connection::{CallError, Content, exception_words},
    decode::decode,
};
use crate::{IngestError, TagName, command::WritableDevice};
use andon_models::{
    Value, ValueType,
    address::{Address, ByteOrder, ModbusAddress, ModbusTable, ModbusType, Protocol},
    browse::{Browse, Browsed, MAX_REGISTERS, NodeKind, SourceNode},
    catalog::Tag,
};
use readings::readings;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, timeout};

/// How long a question waits for the one before it.
const TURN: Duration = Duration::from_secs(10);
/// How long a question may take. What was read by then is told.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Requests of one question: a range with holes is read in halves down to the single register.
const MAX_REQUESTS: usize = 64;
/// Points of the plant file in one answer, each with a request of its own.
const MAX_POINTS: usize = 50;
/// What was read of a table, by address; what is refused says why.
type Range = BTreeMap<u32, Result<u16, String>>;

/// The budget of one question.
struct Budget {
    requests: usize,
    until: Instant,
}

impl ModbusDevice {
    /// Answers a question about the device.
    ///
    /// # Errors
    /// See [`IngestError`]; of a range that is refused in parts, the parts say so.
    pub async fn browse(&self, ask: &Browse) -> Result<Browsed, IngestError> {
        let source_name = || self.shared.source.name.clone();
        let turn = timeout(TURN, self.browsing.lock()).await;
        let _turn = turn.map_err(|_| IngestError::Busy { source_name: source_name(), limit: 1 })?;
        if !ask.find.is_empty() {
            let reason = "registers have no names to look for; ask for a range such as holding/0 and compare the values";
            return Err(IngestError::Unsupported { source_name: source_name(), reason: reason.into() });
        }
        if !ask.read.is_empty() {
            return self.read_again(ask).await;
        }
        let other_unit = ask.unit.filter(|unit| *unit != self.unit());
        if ask.node.is_empty() {
            return match other_unit {
                None => self.points(ask).await,
                Some(unit) => {
                    let reason =
                        format!("the plant file reads nothing of unit {unit}; ask for a range of it, such as holding/0");
                    Err(IngestError::Unsupported { source_name: source_name(), reason: reason.into() })
                }
            };
        }
        let (first, wanted) = self.wanted(ask)?;
        let mut budget = Budget::new();
        // Behind the last register there is what its longest number needs.
        let more = if first.table.is_bits() { 0 } else { ModbusType::F64.registers() - 1 };
        let count = (wanted + more).min(MAX_REGISTERS);
        let range = self.range(ask.unit, first.table, first.register, count, &mut budget).await?;
        let wanted = (u32::from(first.register)..u32::from(first.register) + u32::from(wanted)).take_while(|at| *at <= 0xFFFF);
        let mut nodes: Vec<_> = wanted.filter_map(|at| self.register(first.table, at, &range)).collect();
        nodes.iter_mut().for_each(|node| self.mark(node, ask.unit));
        if other_unit.is_some() {
            // What an address of this source names is in its own unit.
            nodes.iter_mut().for_each(unaddressed);
        }
        let note = match (other_unit, budget.requests) {
            (Some(unit), _) => {
                format!("unit {unit} is another source: `{}_{unit}: {{ modbus: …, unit: {unit} }}`", source_name())
            }
            (_, 0) => "the device refuses many registers here; ask for a smaller range".into(),
            _ => String::new(),
        };
        Ok(Browsed { nodes, next: None, note })
    }

    /// What the plant file reads and writes, with its value now.
    async fn points(&self, ask: &Browse) -> Result<Browsed, IngestError> {
        let mut tags: Vec<&Tag> = self.shared.tags.values().filter(|tag| matches!(tag.address, Address::Modbus(_))).collect();
        tags.sort_by_key(|tag| (place(tag), tag.id));
        let limit = ask.limit.min(MAX_POINTS);
        let budget = Budget::new();
        let mut nodes = Vec::new();
        for tag in tags.iter().skip(ask.after).take(limit) {
            let node = reading(tag.address.to_string(), tag.value_type);
            let node = SourceNode { kind: NodeKind::Register, tags: vec![tag.id], ..node };
            if Instant::now() >= budget.until {
                break;
            }
            nodes.push(match self.read(tag).await {
                Ok(Value::Null) => node.bad("no number"),
                Ok(value) => SourceNode { value, ..node },
                Err(error @ (IngestError::NotConnected { .. } | IngestError::Timeout { .. })) => return Err(error),
                Err(error) => node.bad(error.to_string()),
            });
        }
        if tags.is_empty() {
            // Nothing was asked of the device yet: a device that is not there must not look like one without points.
            match self.connection.look(None, ModbusTable::Holding, 0, 1).await {
                Ok(_) | Err(CallError::Exception(_)) => {}
                Err(error) => return Err(self.connection.error(error, TagName("holding/0".into()))),
            }
        }
        let end = ask.after + nodes.len();
        let note =
            "Modbus has no list of its registers: these are the ones of the plant file. Ask for a range, such as holding/0.";
        Ok(Browsed { nodes, next: (end < tags.len()).then_some(end), note: note.into() })
    }

    async fn read_again(&self, ask: &Browse) -> Result<Browsed, IngestError> {
        let mut budget = Budget::new();
        let mut nodes = Vec::new();
        for text in &ask.read {
            let address = self.address(text)?;
            let count = if address.table.is_bits() { 1 } else { address.data_type.registers() };
            let range = self.range(ask.unit, address.table, address.register, count, &mut budget).await?;
            let node =
                self.value(&address, &range).unwrap_or_else(|| reading(text.to_string(), ValueType::Double).bad("not read"));
            nodes.push(SourceNode { node: text.clone(), ..node });
        }
        Ok(Browsed { nodes, ..Browsed::default() })
    }

    /// Where a range begins and how many it has: `holding/0` with a count of its own, `holding/0..19`, or `holding/0..`.
    fn wanted(&self, ask: &Browse) -> Result<(ModbusAddress, u16), IngestError> {
        let Some((first, last)) = ask.node.split_once("..") else { return Ok((self.address(&ask.node)?, ask.count)) };
        let first = self.address(first)?;
        if last.is_empty() {
            return Ok((first, ask.count));
        }
        let count = last.parse().ok().and_then(|last: u16| last.checked_sub(first.register)?.checked_add(1));
        let count = count.filter(|count| *count <= MAX_REGISTERS).ok_or_else(|| {
            let reason = format!("`{}` is no range of 1 to {MAX_REGISTERS}; write holding/0..19", ask.node);
            IngestError::Unsupported { source_name: self.shared.source.name.clone(), reason: reason.into() }
        })?;
        Ok((first, count))
    }

    fn address(&self, text: &str) -> Result<ModbusAddress, IngestError> {
        match Address::parse(text, Protocol::Modbus) {
            Ok(Address::Modbus(address)) => Ok(address),
            Ok(_) => Err(String::new()),
            Err(error) => Err(format!("{error}; {}", error.hint)),
        }
        .map_err(|reason| IngestError::Unsupported { source_name: self.shared.source.name.clone(), reason: reason.into() })
    }

    fn unit(&self) -> u8 {
        match self.shared.source.protocol {
            andon_models::definition::SourceProtocol::Modbus { unit, .. } => unit,
            _ => 0,
        }
    }

    /// Reads a range; a part that is refused is read in halves, until the refused register is alone.
    async fn range(
        &self,
        unit: Option<u8>,
        table: ModbusTable,
        start: u16,
        count: u16,
        budget: &mut Budget,
    ) -> Result<Range, IngestError> {
        let end = (u32::from(start) + u32::from(count)).min(1 << 16);
        let mut open = vec![(u32::from(start), end)];
        let mut range = Range::new();
        let mut answered = false;
        while let Some((from, to)) = open.pop() {
            if !budget.spend() {
                range.extend((from..to).map(|at| (at, Err("not read: too many refusals here".to_owned()))));
                continue;
            }
            let size = u16::try_from(to - from).unwrap_or(MAX_REGISTERS);
            match self.connection.look(unit, table, from as u16, size).await {
                Ok(Content::Bits(bits)) => {
                    answered = true;
                    range.extend((from..to).zip(bits).map(|(at, bit)| (at, Ok(u16::from(bit)))));
                }
                Ok(Content::Registers(registers)) => {
                    answered = true;
                    range.extend((from..to).zip(registers).map(|(at, register)| (at, Ok(register))));
                }
                Err(CallError::Exception(_)) if to - from > 1 => {
                    let middle = from + (to - from) / 2;
                    open.extend([(middle, to), (from, middle)]);
                }
                Err(CallError::Exception(code)) => _ = range.insert(from, Err(exception_words(code))),
                Err(error) if !answered => {
                    return Err(self.connection.error(error, TagName(format!("{}/{from}", table.name()).into())));
                }
                Err(_) => range.extend((from..to).map(|at| (at, Err("the device did not answer".to_owned())))),
            }
        }
        Ok(range)
    }

    /// A register or bit of a range with every way to read it.
    fn register(&self, table: ModbusTable, at: u32, range: &Range) -> Option<SourceNode> {
        let register = u16::try_from(at).ok()?;
        let plain = ModbusAddress {
            table,
            register,
            bit: None,
            data_type: if table.is_bits() { ModbusType::Bool } else { ModbusType::U16 },
            order: ByteOrder::default(),
        };
        let node = SourceNode { kind: NodeKind::Register, ..self.value(&plain, range)? };
        let name = format!("{}/{register}", table.name());
        let mut node = SourceNode { node: name.as_str().into(), name: name.into(), ..node };
        if let (false, Some(Ok(word))) = (table.is_bits(), range.get(&at)) {
            node.description = format!("0x{word:04X} · {word:016b}").into();
            node.readings = readings(&plain, range, |address| self.value(address, range));
            node.children = !node.readings.is_empty();
        }
        Some(node)
    }

    /// A value at an address of the range; none when the range does not hold it.
    fn value(&self, address: &ModbusAddress, range: &Range) -> Option<SourceNode> {
        let count = if address.table.is_bits() { 1 } else { address.data_type.registers() };
        let start = u32::from(address.register);
        let words: Vec<&Result<u16, String>> =
            (start..start + u32::from(count)).map(|at| range.get(&at)).collect::<Option<_>>()?;
        let node = reading(address.to_string(), type_of(address.data_type));
        let node = SourceNode { data_type: address.data_type.to_string().into(), ..node };
        if let Some(Err(reason)) = words.iter().find(|word| word.is_err()) {
            // No line of the plant file reads what the device refuses.
            let mut refused = node.bad(reason.as_str());
            unaddressed(&mut refused);
            return Some(refused);
        }
        let registers: Vec<u16> = words.into_iter().filter_map(|word| word.as_ref().ok().copied()).collect();
        Some(match decode(&registers, address) {
            Some(value) => SourceNode { value, ..node },
            None => node.bad("no number"),
        })
    }

    /// Says which tags read a node, and the ways to read it.
    fn mark(&self, node: &mut SourceNode, unit: Option<u8>) {
        if unit.is_some_and(|unit| unit != self.unit()) {
            return;
        }
        let wanted = self.address(&node.node).ok();
        let mut tags: Vec<_> = self
            .shared
            .tags
            .values()
            .filter(|tag| matches!((&tag.address, &wanted), (Address::Modbus(of), Some(wanted)) if same(of, wanted, node.kind)))
            .map(|tag| tag.id)
            .collect();
        tags.sort_unstable();
        node.tags = tags;
        node.readings.iter_mut().for_each(|reading| self.mark(reading, unit));
    }
}

impl Budget {
    fn new() -> Self {
        Self { requests: MAX_REQUESTS, until: Instant::now() + MAX_TIME }
    }

    fn spend(&mut self) -> bool {
        let left = self.requests > 0 && Instant::now() < self.until;
        self.requests = self.requests.saturating_sub(1);
        left
    }
}

/// Whether a tag reads a node: a register whatever begins in it, a way to read it only that way.
fn same(tag: &ModbusAddress, node: &ModbusAddress, kind: NodeKind) -> bool {
    let here = tag.table == node.table && tag.register == node.register;
    here && (kind == NodeKind::Register || (tag.data_type, tag.order, tag.bit) == (node.data_type, node.order, node.bit))
}

/// Takes away how the plant file would name a node.
fn unaddressed(node: &mut SourceNode) {
    (node.address, node.value_type) = (None, None);
    node.readings.iter_mut().for_each(unaddressed);
}

fn reading(address: String, value_type: ValueType) -> SourceNode {
    let node = SourceNode::new(address.as_str(), address.as_str(), NodeKind::Reading);
    SourceNode { address: Some(address.into()), value_type: Some(value_type), ..node }
}

fn type_of(data_type: ModbusType) -> ValueType {
    match data_type {
        ModbusType::Bool => ValueType::Boolean,
        ModbusType::F32 | ModbusType::F64 => ValueType::Double,
        ModbusType::String(_) => ValueType::String,
        _ => ValueType::Integer,
    }
}

fn place(tag: &Tag) -> (ModbusTable, u16) {
    match &tag.address {
        Address::Modbus(address) => (address.table, address.register),
        _ => (ModbusTable::Coil, 0),
    }
}
