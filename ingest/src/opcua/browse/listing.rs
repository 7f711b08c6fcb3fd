//! The children of a node, page by page: the server's continuation point is kept with what came before it.

use super::Visit;
use crate::IngestError;
use andon_models::browse::Browsed;
use opcua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResult, BrowseResultMask, ByteString, DataValue, NodeClass,
        NodeClassMask, NodeId, ReadValueId, ReferenceDescription, ReferenceTypeId, StatusCode, TimestampsToReturn,
    },
};
use std::{collections::HashSet, sync::Arc};

/// Children of one node that are listed: 100,000 take some 20 MB while somebody looks at them.
pub(super) const MAX_CHILDREN: usize = 100_000;
/// References of one answer: some 100 kB, so values wait a few milliseconds behind it.
pub(super) const REFERENCES: u32 = 500;
/// Properties in namespace 0 that say something about their variable; they are shown with it or not at all.
const DESCRIBING: [&str; 12] = [
    "EngineeringUnits",
    "EURange",
    "InstrumentRange",
    "Definition",
    "ValuePrecision",
    "EnumStrings",
    "EnumValues",
    "TrueState",
    "FalseState",
    "InputArguments",
    "OutputArguments",
    "NodeVersion",
];

/// What was read of the children of a node.
pub(super) struct Listing {
    session: Arc<Session>,
    node: NodeId,
    children: Vec<Child>,
    seen: HashSet<NodeId>,
    /// The server's place in its list; null when all was read.
    rest: ByteString,
}

/// A reference to a node of this server.
#[derive(Clone)]
pub(super) struct Child {
    pub node: NodeId,
    pub name: Arc<str>,
    pub class: NodeClass,
}

impl Visit<'_> {
    /// A page of the children of a node.
    pub async fn children(
        &self,
        node: &str,
        after: usize,
        limit: usize,
        kept: Option<Listing>,
    ) -> Result<(Browsed, Option<Listing>), IngestError> {
        let node = self.node(node)?;
        let kept = kept.filter(|kept| Arc::ptr_eq(&kept.session, &self.session));
        let goes_on = kept.as_ref().is_some_and(|kept| after > 0 && kept.node == node);
        let mut listing = match kept {
            Some(kept) if goes_on => kept,
            other => {
                self.forget(other).await;
                self.open(&node).await?
            }
        };
        let wanted = after.saturating_add(limit);
        while listing.children.len() <= wanted && listing.children.len() < MAX_CHILDREN && !listing.rest.is_null() {
            match self.more(&mut listing).await {
                // The server has forgotten where we were: all over again.
                Err(IngestError::Refused { .. }) if goes_on => listing = self.open(&node).await?,
                result => result?,
            }
        }
        let page: Vec<_> = listing.children.iter().skip(after).take(limit).cloned().collect();
        let mut browsed = Browsed { nodes: self.details(&page).await?, ..Browsed::default() };
        if listing.children.len() > wanted {
            browsed.next = Some(wanted);
        } else if !listing.rest.is_null() {
            browsed.note = format!("only the first {MAX_CHILDREN} are listed; look for the others by name");
        }
        Ok((browsed, Some(listing)))
    }

    async fn open(&self, node: &NodeId) -> Result<Listing, IngestError> {
        let results = self.request(self.session.browse(&[below(node)], REFERENCES, None)).await?;
        let result = results.into_iter().next().unwrap_or_default();
        if result.status_code.is_bad() {
            return Err(self.refused(node, result.status_code));
        }
        let mut listing = Listing {
            session: self.session.clone(),
            node: node.clone(),
            children: Vec::new(),
            seen: HashSet::new(),
            rest: ByteString::null(),
        };
        listing.take(self, result);
        if listing.children.is_empty() {
            self.must_exist(node).await?;
        }
        Ok(listing)
    }

    /// Some servers answer that there is nothing below a node that does not exist.
    async fn must_exist(&self, node: &NodeId) -> Result<(), IngestError> {
        let asked = [ReadValueId::new(node.clone(), AttributeId::NodeClass)];
        let answers = self.request(self.session.read(&asked, TimestampsToReturn::Neither, 0.0)).await?;
        match answers.first().map(DataValue::status).filter(StatusCode::is_bad) {
            Some(code) => Err(self.refused(node, code)),
            None => Ok(()),
        }
    }

    async fn more(&self, listing: &mut Listing) -> Result<(), IngestError> {
        let rest = std::mem::replace(&mut listing.rest, ByteString::null());
        let results = self.request(self.session.browse_next(false, &[rest])).await?;
        let result = results.into_iter().next().unwrap_or_default();
        if result.status_code.is_bad() {
            return Err(self.refused(&listing.node, result.status_code));
        }
        listing.take(self, result);
        Ok(())
    }

    /// Servers have few places to remember; one that is not needed is given back.
    pub async fn forget(&self, listing: Option<Listing>) {
        if let Some(listing) = listing.filter(|listing| !listing.rest.is_null()) {
            // A server that does not take it back forgets it with the session.
            let _ = self.request(self.session.browse_next(true, &[listing.rest])).await;
        }
    }

    /// What a reference leads to; none for what describes its owner, lies in another server, or is a type.
    pub fn child(&self, reference: ReferenceDescription) -> Option<Child> {
        let target = &reference.node_id;
        if target.server_index != 0 {
            return None;
        }
        let mut node = target.node_id.clone();
        if let Some(uri) = target.namespace_uri.value() {
            node.namespace = self.namespaces.get_index(uri)?;
        }
        let browse_name = reference.browse_name.name.as_ref();
        if reference.browse_name.namespace_index == 0 && DESCRIBING.contains(&browse_name) {
            return None;
        }
        let shown = reference.display_name.text.as_ref();
        let name = if shown.is_empty() { browse_name } else { shown };
        Some(Child { node, name: name.into(), class: reference.node_class })
    }
}

impl Listing {
    fn take(&mut self, visit: &Visit<'_>, result: BrowseResult) {
        self.rest = result.continuation_point;
        for child in result.references.into_iter().flatten().filter_map(|reference| visit.child(reference)) {
            if self.children.len() < MAX_CHILDREN && self.seen.insert(child.node.clone()) {
                self.children.push(child);
            }
        }
    }
}

/// The question for everything below a node.
pub(super) fn below(node: &NodeId) -> BrowseDescription {
    BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        include_subtypes: true,
        node_class_mask: (NodeClassMask::OBJECT | NodeClassMask::VARIABLE | NodeClassMask::METHOD).bits(),
        result_mask: BrowseResultMask::All as u32,
    }
}

/// Whether an answer says that there is more than can be remembered.
pub(super) fn is_full(code: StatusCode) -> bool {
    code == StatusCode::BadNoContinuationPoints
}
