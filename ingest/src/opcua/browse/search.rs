//! Looking for names below a node: level by level, within a bound of nodes and of time.

use super::{
    Visit,
    listing::{Child, MAX_CHILDREN, REFERENCES, below, is_full},
};
use crate::IngestError;
use andon_models::browse::{Browsed, Pattern};
use opcua::types::{BrowseResult, ByteString, NodeClass, NodeId, ObjectId};
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// Nodes that are looked at: with their names some 40 MB.
const MAX_VISITED: usize = MAX_CHILDREN;
/// How long is looked; what was found by then is told.
const MAX_SEARCH: Duration = Duration::from_secs(9);
/// Levels below the start: deeper is a loop through names that differ.
const MAX_DEPTH: usize = 24;
/// Nodes whose children are asked for with one request.
const NODES_PER_CALL: usize = 20;

/// A node whose children are looked at next.
struct Place {
    node: NodeId,
    path: String,
    depth: usize,
}

struct Search {
    pattern: Pattern,
    wanted: usize,
    visited: HashSet<NodeId>,
    open: VecDeque<Place>,
    found: Vec<(Child, String)>,
}

impl Visit<'_> {
    /// Nodes below a node whose name, or path, matches.
    pub async fn search(&self, node: &str, pattern: &str, after: usize, limit: usize) -> Result<Browsed, IngestError> {
        let start = self.node(node)?;
        let began = Instant::now();
        let mut search = Search {
            pattern: Pattern::new(pattern),
            wanted: after.saturating_add(limit).saturating_add(1),
            visited: HashSet::from([start.clone()]),
            open: VecDeque::from([Place { node: start.clone(), path: String::new(), depth: 0 }]),
            found: Vec::new(),
        };
        // What the server says about itself is thousands of nodes and no plant, unless somebody looks there.
        let server: NodeId = ObjectId::Server.into();
        if start != server {
            search.visited.insert(server);
        }
        let mut complete = true;
        while !search.open.is_empty() && search.found.len() < search.wanted {
            if search.visited.len() >= MAX_VISITED || began.elapsed() >= MAX_SEARCH {
                complete = false;
                break;
            }
            let count = search.open.len().min(NODES_PER_CALL).min(self.limits.browse);
            let places: Vec<_> = search.open.drain(..count).collect();
            self.look(&mut search, &places).await?;
        }
        let page: Vec<_> = search.found.iter().skip(after).take(limit).collect();
        let children: Vec<_> = page.iter().map(|(child, _)| child.clone()).collect();
        let mut nodes = self.details(&children).await?;
        for (node, (_, path)) in nodes.iter_mut().zip(page) {
            node.path = path.as_str().into();
        }
        let next = (search.found.len() >= search.wanted).then(|| after.saturating_add(limit));
        let visited = search.visited.len();
        let note = if complete {
            String::new()
        } else {
            format!("looked at {visited} nodes and stopped; there may be more: look below a node instead")
        };
        Ok(Browsed { nodes, next, note })
    }

    async fn look(&self, search: &mut Search, places: &[Place]) -> Result<(), IngestError> {
        let asked: Vec<_> = places.iter().map(|place| below(&place.node)).collect();
        let results = self.request(self.session.browse(&asked, REFERENCES, None)).await?;
        let mut rest: Vec<(usize, ByteString)> = Vec::new();
        for (index, result) in results.into_iter().enumerate().take(places.len()) {
            // The server has no place left to remember: by itself the node gets one.
            if is_full(result.status_code) && places.len() > 1 {
                search.open.push_front(Place {
                    path: places[index].path.clone(),
                    node: places[index].node.clone(),
                    ..places[index]
                });
                continue;
            }
            rest.extend(search.take(self, &places[index], result).map(|point| (index, point)));
        }
        // Every place is given back: the list is read to its end whatever was found.
        while !rest.is_empty() {
            let over = search.visited.len() >= MAX_VISITED || Instant::now() >= self.deadline;
            let points: Vec<_> = rest.iter().map(|(_, point)| point.clone()).collect();
            let results = self.request(self.session.browse_next(over, &points)).await?;
            let indexes: Vec<_> = rest.drain(..).map(|(index, _)| index).collect();
            for (index, result) in indexes.into_iter().zip(results).filter(|_| !over) {
                rest.extend(search.take(self, &places[index], result).map(|point| (index, point)));
            }
        }
        Ok(())
    }
}

impl Search {
    /// Takes an answer; gives the place where it goes on.
    fn take(&mut self, visit: &Visit<'_>, place: &Place, result: BrowseResult) -> Option<ByteString> {
        let rest = Some(result.continuation_point).filter(|point| !point.is_null());
        for child in result.references.into_iter().flatten().filter_map(|reference| visit.child(reference)) {
            if !self.visited.insert(child.node.clone()) {
                continue;
            }
            let path = if place.path.is_empty() { child.name.to_string() } else { format!("{}/{}", place.path, child.name) };
            let depth = place.depth + 1;
            if child.class != NodeClass::Method && depth < MAX_DEPTH {
                self.open.push_back(Place { node: child.node.clone(), path: path.clone(), depth });
            }
            if self.pattern.takes(&child.name, &path) {
                self.found.push((child, path));
            }
        }
        rest
    }
}
