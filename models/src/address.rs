//! Addresses of points in devices, as written in the plant file: `ns=2;s=Filler.Bowl.Temp`, `holding/0 float32 CDAB`, `power.kw`.

use crate::expression::Span;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

mod parse;

/// Where a tag lives in its source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A node of an OPC UA server.
    OpcUa(NodeAddress),
    /// Registers or bits of a Modbus device.
    Modbus(ModbusAddress),
    /// A value in the payloads of an MQTT topic.
    Mqtt(MqttAddress),
}

/// The language a source speaks, and with it the form of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// OPC UA.
    OpcUa,
    /// Modbus.
    Modbus,
    /// MQTT.
    Mqtt,
}

/// An address that cannot be used, with the place and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AddressError {
    /// Bytes of the text it is about.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do; empty if there is nothing to say.
    pub hint: String,
}

/// An OPC UA node id in its text form: `ns=2;s=…` or `nsu=<namespace URI>;s=…` (OPC 10000-6 section 5.3.1.10).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeAddress(pub Arc<str>);

/// A Modbus table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModbusTable {
    /// Coils: bits, read and write (functions 1, 5, 15).
    Coil,
    /// Discrete inputs: bits, read only (function 2).
    Discrete,
    /// Input registers: 16 bits, read only (function 4).
    Input,
    /// Holding registers: 16 bits, read and write (functions 3, 6, 16).
    Holding,
}

/// How registers make a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModbusType {
    /// One bit: of a bit table, or of a register (`holding/10.3`).
    Bool,
    /// Unsigned 16 bits.
    U16,
    /// Signed 16 bits.
    I16,
    /// Unsigned 32 bits.
    U32,
    /// Signed 32 bits.
    I32,
    /// Unsigned 64 bits.
    U64,
    /// Signed 64 bits.
    I64,
    /// IEEE 754 single precision (`float32`, `f32`).
    F32,
    /// IEEE 754 double precision (`float64`, `f64`).
    F64,
    /// Text of so many registers, two bytes each.
    String(u16),
}

/// The order of the bytes of a value, by the four letters engineers know; A is the most significant byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ByteOrder {
    /// Big-endian words, big-endian bytes: the Modbus standard.
    #[default]
    Abcd,
    /// Little-endian words, big-endian bytes.
    Cdab,
    /// Big-endian words, little-endian bytes.
    Badc,
    /// Little-endian all the way.
    Dcba,
}

/// A point of a Modbus device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModbusAddress {
    /// The table.
    pub table: ModbusTable,
    /// The protocol address, from 0.
    pub register: u16,
    /// The bit of the register, 0 the least significant; only with `Bool` in a register table.
    pub bit: Option<u8>,
    /// How the registers make a value.
    pub data_type: ModbusType,
    /// The order of the bytes.
    pub order: ByteOrder,
}

/// A value in MQTT payloads: `power.kw`, or `some/topic#power.kw` to name the topic in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MqttAddress {
    /// The topic; none when the source's topic with its captures says it.
    pub topic: Option<Arc<str>>,
    /// The members and indexes to walk in the JSON payload; empty when the payload is the value.
    pub path: Arc<str>,
}

impl ModbusType {
    /// Registers a value takes.
    pub fn registers(self) -> u16 {
        match self {
            Self::Bool | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
            Self::String(registers) => registers,
        }
    }
}

impl Address {
    /// The protocol whose form the address has.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::OpcUa(_) => Protocol::OpcUa,
            Self::Modbus(_) => Protocol::Modbus,
            Self::Mqtt(_) => Protocol::Mqtt,
        }
    }
}

impl ModbusTable {
    /// The name as written in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }

    /// Whether the table holds bits instead of registers.
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether points of the table can be written.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }
}

impl ModbusAddress {
    /// One past the last register (or bit) the value takes.
    pub fn end(&self) -> u32 {
        u32::from(self.register) + u32::from(self.data_type.registers())
    }

    /// Whether two values share a register; single bits of one register do not disturb each other.
    pub fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bit.is_some() || other.bit.is_some();
        !bits && self.table == other.table && u32::from(self.register) < other.end() && u32::from(other.register) < self.end()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpcUa(node) => node.fmt(f),
            Self::Modbus(address) => address.fmt(f),
            Self::Mqtt(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ModbusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table.name(), self.register)?;
        if let Some(bit) = self.bit {
            write!(f, ".{bit}")?;
        }
        if self.data_type != ModbusType::Bool {
            write!(f, " {}", self.data_type)?;
        }
        if self.order != ByteOrder::default() {
            write!(f, " {}", self.order)?;
        }
        Ok(())
    }
}

impl fmt::Display for ModbusType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::String(registers) => return write!(f, "string({registers})"),
        })
    }
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abcd => "ABCD",
            Self::Cdab => "CDAB",
            Self::Badc => "BADC",
            Self::Dcba => "DCBA",
        })
    }
}

impl fmt::Display for MqttAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topic {
            Some(topic) => write!(f, "{topic}#{}", self.path),
            None if self.path.is_empty() => f.write_str("."),
            None => f.write_str(&self.path),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpcUa => "OPC UA",
            Self::Modbus => "Modbus",
            Self::Mqtt => "MQTT",
        })
    }
}
