//! Browsing a server on the session that stands: a level at a time, or a search.
//!
//! One question at a time, one request of it under way, each small: values share the connection and come in between. What is read of
//! a long list of children is kept for the next page, with the place in the server's own list.

mod details;
mod listing;
mod search;

use super::{Live, OpcUaDevice};
use crate::{IngestError, TagName};
use andon_models::browse::{Browse, Browsed};
use listing::Listing;
use opcua::{
    client::Session,
    types::{Error, NamespaceMap, NodeId, ReadValueId, StatusCode, TimestampsToReturn, VariableId, Variant},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How long a question waits for the one before it.
const TURN: Duration = Duration::from_secs(10);
/// How long a question may take: a page of 500 variables of a small PLC, several requests of up to 5 s each.
const MAX_TIME: Duration = Duration::from_secs(15);
/// Operations of one request where the server names no lower limit. A request of this size takes a server a few milliseconds, and
/// values wait no longer behind it.
const OPERATIONS: usize = 100;

/// What is kept between two questions.
#[derive(Default)]
pub(super) struct Desk {
    /// The list of children that was last read.
    listing: Option<Listing>,
}

/// One question, on its way.
struct Visit<'a> {
    device: &'a OpcUaDevice,
    session: Arc<Session>,
    namespaces: Arc<NamespaceMap>,
    uris: HashMap<u16, String>,
    limits: Limits,
    deadline: Instant,
}

/// What the server takes in one request (OPC 10000-5 section 6.3.11).
#[derive(Clone, Copy)]
struct Limits {
    read: usize,
    browse: usize,
    translate: usize,
}

impl OpcUaDevice {
    /// Answers a question about the server.
    ///
    /// # Errors
    /// See [`IngestError`]; a refusal of the server is one too.
    pub async fn browse(&self, ask: &Browse) -> Result<Browsed, IngestError> {
        let source_name = || self.shared.source.name.clone();
        let turn = timeout(TURN, self.desk.lock()).await;
        let mut desk = turn.map_err(|_| IngestError::Busy { source_name: source_name(), limit: 1 })?;
        let answered = timeout(MAX_TIME, async {
            let visit = Visit::begin(self).await?;
            if !ask.read.is_empty() {
                return visit.read_again(&ask.read).await;
            }
            if !ask.find.is_empty() {
                visit.forget(desk.listing.take()).await;
                return visit.search(&ask.node, &ask.find, ask.after, ask.limit).await;
            }
            // Whatever ends this early takes the list with it: half a list would lose nodes.
            let kept = desk.listing.take();
            let (browsed, listing) = visit.children(&ask.node, ask.after, ask.limit, kept).await?;
            desk.listing = listing;
            Ok(browsed)
        });
        answered.await.unwrap_or_else(|_| Err(IngestError::Timeout { source_name: source_name(), after: MAX_TIME }))
    }
}

impl<'a> Visit<'a> {
    async fn begin(device: &'a OpcUaDevice) -> Result<Self, IngestError> {
        let Live { session, namespaces } = device.live()?;
        let uris = namespaces.known_namespaces().iter().map(|(uri, index)| (*index, uri.clone())).collect();
        let limits = Limits::ask(device, &session).await?;
        Ok(Self { device, session, namespaces, uris, limits, deadline: Instant::now() + MAX_TIME })
    }

    async fn request<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, IngestError> {
        self.device.request(request).await
    }

    /// The node a question means; the folder of all objects when it names none.
    fn node(&self, text: &str) -> Result<NodeId, IngestError> {
        if text.is_empty() {
            return Ok(NodeId::objects_folder_id());
        }
        let parsed = andon_models::address::Address::parse(text, andon_models::address::Protocol::OpcUa);
        let node = match parsed {
            Ok(andon_models::address::Address::OpcUa(node)) => super::value::resolve(&node, &self.namespaces),
            Ok(_) => Err("it is no node id".into()),
            Err(error) => Err(format!("{error}: {}", error.hint)),
        };
        node.map_err(|reason| IngestError::Unsupported {
            source_name: self.device.shared.source.name.clone(),
            reason: reason.into(),
        })
    }

    /// A node id in the form that outlives a change of the server's table of namespaces, and in the short one where that is another.
    fn names_of(&self, node: &NodeId) -> (String, Option<String>) {
        let short = node.to_string();
        match self.uris.get(&node.namespace) {
            Some(uri) if node.namespace != 0 => {
                let escaped = uri.replace('%', "%25").replace(';', "%3B");
                (format!("nsu={escaped};{}", node.identifier), Some(short))
            }
            _ => (short, None),
        }
    }

    fn refused(&self, node: &NodeId, code: StatusCode) -> IngestError {
        let reason = super::connect::code_words(code).into();
        IngestError::Refused {
            source_name: self.device.shared.source.name.clone(),
            tag: TagName(self.names_of(node).0.into()),
            reason,
        }
    }
}

impl Limits {
    async fn ask(device: &OpcUaDevice, session: &Session) -> Result<Self, IngestError> {
        let nodes = [
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
        ];
        let nodes = nodes.map(|node| ReadValueId::new(node.into(), opcua::types::AttributeId::Value));
        let values = device.request(session.read(&nodes, TimestampsToReturn::Neither, 0.0)).await?;
        let limit = |index: usize| match values.get(index).and_then(|value| value.value.as_ref()) {
            // 0 means that there is none.
            Some(Variant::UInt32(limit)) if *limit > 0 => usize::try_from(*limit).unwrap_or(OPERATIONS).min(OPERATIONS),
            _ => OPERATIONS,
        };
        Ok(Self { read: limit(0), browse: limit(1), translate: limit(2) })
    }
}
