//! What a source offers beyond the tags that are read: the question, the nodes that come back, and how each is written into the plant file.
//!
//! Only nouns and rules: crate `ingest` asks the devices, people see a [`BrowseView`].

mod line;
mod pattern;
mod view;

pub use line::{bound_text, key_for, measurement_line};
pub use pattern::Pattern;
pub use view::{BoundProperty, BrowseView, NodeView, SlotUse, names_source, view};

use crate::{Quality, TagId, Timestamp, Value, ValueType};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Nodes of one answer at most: what a person looks through, and what a small PLC answers within a second or two.
pub const MAX_NODES: usize = 500;
/// Nodes of one answer unless more or fewer are asked for.
pub const DEFAULT_NODES: usize = 100;
/// Addresses that are read anew at a time: about what a screen shows.
pub const MAX_READ: usize = 100;
/// Longest text of a node or a pattern; OPC UA allows 4,096 characters for a node id.
pub const MAX_TEXT: usize = 4_096;
/// Registers of one question at most: what one Modbus request carries.
pub const MAX_REGISTERS: u16 = 125;
/// How long an MQTT source is listened to at most.
pub const MAX_LISTEN: Duration = Duration::from_secs(30);

/// What is asked of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browse {
    /// Whose children; empty for the root. A node id, a topic or a register, as [`SourceNode::node`] gave it.
    pub node: Arc<str>,
    /// Looks for names below the node instead; see [`Pattern`].
    pub find: Arc<str>,
    /// Reads these addresses anew instead.
    pub read: Vec<Arc<str>>,
    /// So many nodes of the answer are left out: where the last answer ended.
    pub after: usize,
    /// So many are given at most.
    pub limit: usize,
    /// Modbus: registers or bits from the node on.
    pub count: u16,
    /// Modbus: the unit, if not the source's own.
    pub unit: Option<u8>,
    /// MQTT: listens anew, for so long.
    pub listen: Option<Duration>,
}

/// What a source answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Browsed {
    /// The nodes, in the order of the source.
    pub nodes: Vec<SourceNode>,
    /// Where to go on with [`Browse::after`]; none when these are all.
    pub next: Option<usize>,
    /// What there is to know about the answer: why it is short, what to ask instead; empty if nothing.
    pub note: String,
}

/// Something in a source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceNode {
    /// By what it is asked for.
    pub node: Arc<str>,
    /// What the source calls it.
    pub name: Arc<str>,
    /// Names from where the search began, joined by `/`; empty when it was not searched for.
    pub path: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// How the plant file names it; none when it holds no value.
    pub address: Option<Arc<str>>,
    /// Another form of the address: `ns=2;…` for a node, the path alone for a topic that the source's own pattern takes.
    pub short: Option<Arc<str>>,
    /// The source's word for its type; empty if it says none.
    pub data_type: Arc<str>,
    /// The type of a property that takes it; none for what no property takes.
    pub value_type: Option<ValueType>,
    /// Its unit as the source says; empty if it says none.
    pub unit: Arc<str>,
    /// Its value now.
    pub value: Value,
    /// How far it may be trusted.
    pub quality: Quality,
    /// Why it is not Good; empty if it is.
    pub problem: Arc<str>,
    /// When it was true, as the source says.
    pub time: Option<Timestamp>,
    /// What the source says about it.
    pub description: Arc<str>,
    /// Whether something may be below it.
    pub children: bool,
    /// The tags that read it.
    pub tags: Vec<TagId>,
    /// The same bytes read in other ways (Modbus).
    pub readings: Vec<SourceNode>,
}

/// What a node of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An object or a folder of an OPC UA server, or a level of topics.
    Folder,
    /// A variable of an OPC UA server.
    Variable,
    /// A method of an OPC UA server.
    Method,
    /// A topic with a payload.
    Topic,
    /// A member of a JSON payload.
    Field,
    /// A register or a bit of a Modbus device.
    Register,
    /// Registers read as a value of some type.
    Reading,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowseTrouble {
    /// The question cannot be asked of this source.
    Wrong,
    /// The source is not there now.
    Unreachable,
    /// The source refuses.
    Refused,
    /// The source does not answer in time.
    Silent,
    /// Others are asking.
    Busy,
}

/// Why there is no answer, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BrowseRefusal {
    /// What kind of trouble.
    pub trouble: BrowseTrouble,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Default for Browse {
    fn default() -> Self {
        Self {
            node: "".into(),
            find: "".into(),
            read: Vec::new(),
            after: 0,
            limit: DEFAULT_NODES,
            count: 10,
            unit: None,
            listen: None,
        }
    }
}

impl Browse {
    /// The children of a node.
    pub fn children_of(node: &str) -> Self {
        Self { node: node.into(), ..Self::default() }
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// What is beyond one, in words.
    pub fn check(&self) -> Result<(), BrowseRefusal> {
        let wrong =
            |message: String, hint: &str| Err(BrowseRefusal { trouble: BrowseTrouble::Wrong, message, hint: hint.into() });
        let texts = [&self.node, &self.find].into_iter().chain(&self.read);
        if texts.into_iter().any(|text| text.len() > MAX_TEXT) {
            return wrong(format!("a node has at most {MAX_TEXT} bytes"), "");
        }
        if self.limit == 0 || self.limit > MAX_NODES {
            return wrong(format!("an answer has 1 to {MAX_NODES} nodes"), "ask again with `after` for the rest");
        }
        if self.read.len() > MAX_READ {
            return wrong(format!("{} addresses are too many; {MAX_READ} are read at a time", self.read.len()), "read fewer");
        }
        if self.count == 0 || self.count > MAX_REGISTERS {
            return wrong(format!("a range has 1 to {MAX_REGISTERS} registers"), "ask for the next range with another node");
        }
        if self.listen.is_some_and(|span| span > MAX_LISTEN) {
            return wrong(
                format!("a broker is listened to for {} s at most", MAX_LISTEN.as_secs()),
                "ask again, or for a deeper topic",
            );
        }
        Ok(())
    }
}

impl SourceNode {
    /// A node that says nothing but what it is.
    pub fn new(node: impl Into<Arc<str>>, name: impl Into<Arc<str>>, kind: NodeKind) -> Self {
        let nothing: Arc<str> = "".into();
        Self {
            node: node.into(),
            name: name.into(),
            path: nothing.clone(),
            kind,
            address: None,
            short: None,
            data_type: nothing.clone(),
            value_type: None,
            unit: nothing.clone(),
            value: Value::Null,
            quality: Quality::Good,
            problem: nothing.clone(),
            time: None,
            description: nothing,
            children: false,
            tags: Vec::new(),
            readings: Vec::new(),
        }
    }

    /// The same node with a value that cannot be used.
    pub fn bad(self, problem: impl Into<Arc<str>>) -> Self {
        Self { quality: Quality::Bad, problem: problem.into(), value: Value::Null, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_beyond_a_limit_is_refused_with_the_limit() {
        assert_eq!(Browse::default().check(), Ok(()));
        let refused = |ask: Browse| ask.check().unwrap_err().message;
        assert_eq!(refused(Browse { limit: 0, ..Browse::default() }), "an answer has 1 to 500 nodes");
        assert_eq!(refused(Browse { count: 126, ..Browse::default() }), "a range has 1 to 125 registers");
        let listen = Some(MAX_LISTEN + Duration::from_secs(1));
        assert_eq!(refused(Browse { listen, ..Browse::default() }), "a broker is listened to for 30 s at most");
        assert_eq!(refused(Browse::children_of(&"x".repeat(MAX_TEXT + 1))), "a node has at most 4096 bytes");
        let read = vec!["i=1".into(); MAX_READ + 1];
        assert_eq!(refused(Browse { read, ..Browse::default() }), "101 addresses are too many; 100 are read at a time");
    }
}
