//! YAML as a tree that knows where everything stands: every scalar, list and map keeps its bytes in the file.
//!
//! The parser is that of `serde_saphyr`, used event by event, because a message about a plant file must point at the word that is
//! wrong, inside a value if need be. Keys given twice, tags, and the comma that ends a formula inside `{ … }` are caught here.

use super::{diagnostic::Report, traps};
use serde_saphyr::granit_parser::{self as yaml, Event, Parser, ScalarStyle, StructureStyle};
use std::collections::HashMap;

/// Largest file: a plant of ten thousand machines takes about two megabytes.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// Nodes of one file, aliases written out.
const MAX_NODES: usize = 1_000_000;
/// Bytes of the words of one file, aliases written out: a file that repeats itself takes no more memory than a few plain ones.
const MAX_WRITTEN_BYTES: usize = 4 * MAX_FILE_BYTES;
/// Nesting of lists and maps: states in states, machines in lines in areas. Walks over the tree may recurse so deep.
const MAX_DEPTH: usize = 64;

/// Bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct At {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: At,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// A word, number or text; `plain` without quotes.
    Scalar { text: String, plain: bool },
    /// `[…]` or lines with `-`.
    List(Vec<Node>),
    /// `{…}` or lines with `key:`.
    Map(Vec<Entry>),
    /// Something already reported; whoever meets it stays silent.
    Broken,
}

/// One key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub at: At,
    /// The key stands in `{ … }` without a colon.
    pub bare: bool,
    pub value: Node,
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn size(&self) -> Size {
        let mut size = Size { nodes: 1, depth: 1, bytes: 0 };
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| size.hold(item, "")),
            Kind::Map(entries) => entries.iter().for_each(|entry| size.hold(&entry.value, &entry.key)),
            Kind::Scalar { text, .. } => return Size { nodes: 1, depth: 0, bytes: text.len() },
            Kind::Null | Kind::Broken => return Size { nodes: 1, depth: 0, bytes: 0 },
        }
        size
    }
}

/// How much a node is: nodes in it, levels of nesting, bytes of its words.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    depth: usize,
    bytes: usize,
}

impl Size {
    fn hold(&mut self, node: &Node, key: &str) {
        let inner = node.size();
        self.nodes += inner.nodes + 1;
        self.depth = self.depth.max(inner.depth + 1);
        self.bytes += inner.bytes + key.len();
    }
}

/// A list or map that is being read.
struct Open {
    start: usize,
    anchor: usize,
    flow: bool,
    /// The first key of this level, to refuse the ones that follow it.
    seen: HashMap<String, At>,
    entries: Vec<Entry>,
    items: Vec<Node>,
    is_map: bool,
    key: Option<(String, At, bool)>,
}

struct Reader<'r, 'a> {
    report: &'r Report<'a>,
    file: usize,
    text: &'a str,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    bytes: usize,
    root: Option<Node>,
}

/// Reads one file; `None` if it is not YAML, which is reported.
pub(super) fn read<'a>(report: &Report<'a>, file: usize, text: &'a str) -> Option<Node> {
    let start = At { file, start: 0, end: 0 };
    if text.len() > MAX_FILE_BYTES {
        report.error(start, "too-large", "the file is larger than 16 MiB", "split the plant into several files of one folder");
        return None;
    }
    let mut options = yaml::options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    options.set_emit_comments(false);
    let mut reader = Reader { report, file, text, open: Vec::new(), anchors: HashMap::new(), nodes: 0, bytes: 0, root: None };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                traps::explain(report, file, text, &error);
                return None;
            }
        };
        let range = span.byte_range().unwrap_or(0..0);
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                let at = At { file, start: range.start, end: range.end };
                report.error(at, "yaml", "a second document starts here", "a plant is one document: remove the `---`");
                return None;
            }
        }
        if !reader.event(event, range) {
            return None;
        }
    }
    Some(reader.root.unwrap_or(Node { at: start, kind: Kind::Null }))
}

impl Reader<'_, '_> {
    /// Takes one event; false when the file must not be read on.
    fn event(&mut self, event: Event<'_>, range: std::ops::Range<usize>) -> bool {
        let at = self.at(range);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    traps::tag(self.report, at, &tag.original());
                    return self.node(Node { at, kind: Kind::Broken }, anchor);
                }
                let plain = style == ScalarStyle::Plain;
                let kind = match &*text {
                    "" | "~" | "null" if plain => Kind::Null,
                    _ => Kind::Scalar { text: text.into_owned(), plain },
                };
                self.node(Node { at, kind }, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).map(|(_, size)| *size) {
                Some(size) if self.open.len() + size.depth > MAX_DEPTH => self.too_deep(at),
                // Counted before it is written out.
                Some(size) => {
                    let copy = |reader: &Self| reader.anchors.get(&anchor).map(|(node, _)| node.clone());
                    self.grow(at, size.nodes, size.bytes) && copy(self).is_some_and(|node| self.node(node, 0))
                }
                None => {
                    self.report.error(at, "yaml", "this alias stands inside what it repeats", "give the value in full");
                    self.node(Node { at, kind: Kind::Broken }, 0)
                }
            },
            Event::SequenceStart(style, anchor, _) => self.push(at, anchor, style, false),
            Event::MappingStart(style, anchor, _) => self.push(at, anchor, style, true),
            Event::SequenceEnd | Event::MappingEnd => self.pop(at),
            _ => true,
        }
    }

    /// A place without the blanks around it.
    fn at(&self, range: std::ops::Range<usize>) -> At {
        let written = self.text.get(range.clone()).unwrap_or_default();
        let end = range.start + written.trim_end().len();
        At { file: self.file, start: range.start, end: end.max(range.start) }
    }

    fn push(&mut self, at: At, anchor: usize, style: StructureStyle, is_map: bool) -> bool {
        let flow = style == StructureStyle::Flow;
        if self.open.len() >= MAX_DEPTH {
            return self.too_deep(at);
        }
        let (seen, entries, items) = Default::default();
        self.open.push(Open { start: at.start, anchor, flow, seen, entries, items, is_map, key: None });
        true
    }

    fn too_deep(&self, at: At) -> bool {
        self.report.error(at, "too-large", "this is nested too deep or repeated too often", "64 levels are the limit");
        false
    }

    fn pop(&mut self, end: At) -> bool {
        let Some(mut open) = self.open.pop() else { return true };
        // A block ends where its last value ends; only `{ … }` and `[ … ]` have an end of their own.
        let last = if open.is_map { open.entries.last().map(|entry| entry.value.at.end.max(entry.at.end)) } else { None };
        let last = last.or(open.items.last().map(|item| item.at.end));
        let end = if open.flow { end.end } else { last.unwrap_or(end.start).max(open.start) };
        let at = At { file: self.file, start: open.start, end };
        let kind = if open.is_map {
            if open.flow {
                traps::comma_in_map(self.report, &mut open.entries);
            }
            Kind::Map(open.entries)
        } else {
            if open.flow {
                traps::comma_in_list(self.report, &mut open.items);
            }
            Kind::List(open.items)
        };
        self.node(Node { at, kind }, open.anchor)
    }

    fn grow(&mut self, at: At, nodes: usize, bytes: usize) -> bool {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > MAX_NODES {
            self.report.error(at, "too-large", "the file has more than a million values", "remove aliases, or split it");
        } else if self.bytes > MAX_WRITTEN_BYTES {
            let message = format!("what the file repeats by aliases makes more than {} MiB", MAX_WRITTEN_BYTES >> 20);
            self.report.error(at, "too-large", message, "remove aliases of long texts");
        }
        self.nodes <= MAX_NODES && self.bytes <= MAX_WRITTEN_BYTES
    }

    fn node(&mut self, node: Node, anchor: usize) -> bool {
        if !self.grow(node.at, 1, node.text().map_or(0, str::len)) {
            return false;
        }
        if anchor > 0 {
            let size = node.size();
            // The copy that is kept counts as well: anchors inside anchors would multiply it.
            if !self.grow(node.at, size.nodes, size.bytes) {
                return false;
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return true;
        };
        if !open.is_map {
            open.items.push(node);
            return true;
        }
        match open.key.take() {
            None => {
                let bare =
                    !self.text.get(node.at.end..).is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(':'));
                open.key = Some(key_of(self.report, node, bare && open.flow));
            }
            Some((key, at, bare)) => {
                if let Some(first) = open.seen.get(&key).filter(|_| !key.is_empty()) {
                    let line = self.report.line(*first);
                    let hint = "the second would hide the first: remove one of them";
                    self.report.error(
                        at,
                        "duplicate-key",
                        format!("`{key}` is given twice; the first is on line {line}"),
                        hint,
                    );
                } else {
                    open.seen.insert(key.clone(), at);
                    open.entries.push(Entry { key, at, bare, value: node });
                }
            }
        }
        true
    }
}

/// A key as text. What is no word was meant as something else; it is reported and left out by its empty name.
fn key_of(report: &Report<'_>, node: Node, bare: bool) -> (String, At, bool) {
    match node.kind {
        Kind::Scalar { text, .. } => (text, node.at, bare),
        Kind::Null if node.at.end > node.at.start => (report.source(node.at).to_owned(), node.at, bare),
        Kind::Broken => (String::new(), node.at, bare),
        _ => {
            let hint = "a text that starts with `{` or `[` needs quotes: \"{name} is high\"";
            report.error(node.at, "yaml", "a list or map cannot be a key", hint);
            (String::new(), node.at, bare)
        }
    }
}

/// The place in the file of some bytes of a scalar's text: quotes, escapes and folded lines are stepped over.
pub(super) fn inside(report: &Report<'_>, node: &Node, start: usize, end: usize) -> At {
    let Kind::Scalar { text, .. } = &node.kind else { return node.at };
    let source = report.source(node.at);
    if source == text {
        return At {
            file: node.at.file,
            start: node.at.start + start.min(source.len()),
            end: node.at.start + end.min(source.len()),
        };
    }
    let last = end.saturating_sub(1).max(start);
    let (first, last) = (position(source, text, start), position(source, text, last));
    let width = source[last..].chars().next().map_or(0, char::len_utf8);
    At { file: node.at.file, start: node.at.start + first, end: node.at.start + (last + width).min(source.len()) }
}

/// Byte of `source` where byte `wanted` of `text` was written.
fn position(source: &str, text: &str, wanted: usize) -> usize {
    let mut written = source.char_indices().peekable();
    for (offset, character) in text.char_indices() {
        while written.peek().is_some_and(|(_, found)| *found != character) && !character.is_whitespace() {
            written.next();
        }
        if offset >= wanted {
            break;
        }
        if written.peek().is_some_and(|(_, found)| *found == character || character.is_whitespace()) {
            written.next();
        }
    }
    let end = source.char_indices().next_back().map_or(0, |(at, _)| at);
    written.peek().map_or(end, |(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<Node>, Vec<String>) {
        let files = [("p.yaml".to_owned(), text.to_owned())];
        let report = Report::new(&files);
        let tree = read(&report, 0, &files[0].1);
        let shown = report.finish().into_iter().map(|found| format!("{}:{}: {}", found.line, found.column, found.message));
        (tree, shown.collect())
    }

    #[test]
    fn values_know_their_place() {
        let (tree, errors) = parsed("a: { b: ns=2;s=X.Y @plc, c: [1, 'two'] }\nd: |\n  x +\n  y\n");
        assert!(errors.is_empty(), "{errors:?}");
        let Kind::Map(entries) = tree.unwrap().kind else { panic!() };
        let Kind::Map(inner) = &entries[0].value.kind else { panic!() };
        assert_eq!((inner[0].value.text(), inner[0].value.at.start), (Some("ns=2;s=X.Y @plc"), 8));
        assert_eq!(entries[1].value.text(), Some("x +\ny\n"));
    }

    #[test]
    fn places_inside_quotes_and_folds_are_found() {
        let files = [("p.yaml".to_owned(), "a: 'it''s x'\nb: >\n  one\n  two\n".to_owned())];
        let report = Report::new(&files);
        let Kind::Map(entries) = read(&report, 0, &files[0].1).unwrap().kind else { panic!() };
        assert_eq!(report.source(inside(&report, &entries[0].value, 5, 6)), "x");
        assert_eq!(report.source(inside(&report, &entries[1].value, 4, 7)), "two");
    }

    #[test]
    fn the_second_of_two_keys_is_refused() {
        assert_eq!(parsed("a: 1\nb: 2\na: 3\n").1, ["3:1: `a` is given twice; the first is on line 1"]);
    }

    #[test]
    fn aliases_are_written_out_within_bounds() {
        assert!(parsed("a: &x {b: 1}\nc: *x\n").1.is_empty());
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", "));
        }
        assert_eq!(parsed(&bomb).1.len(), 1);
        // A long text repeated often, and one kept at every level.
        let long = "x".repeat(1 << 20);
        let often = format!("a: &a {long}\nb: [{}]\n", ["*a"; 100].join(", "));
        let nested = (0..60).map(|n| format!("&n{n} [")).collect::<String>();
        for text in [often, format!("a: {nested}{long} {long}{}\n", "]".repeat(60))] {
            let (tree, errors) = parsed(&text);
            assert!(tree.is_none() && errors.len() == 1 && errors[0].contains("64 MiB"), "{errors:?}");
        }
        assert!(parsed(&format!("a: &a {long}\nb: [*a, *a]\n")).1.is_empty());
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(parsed(&"[".repeat(500)).1.len(), 1);
    }
}
