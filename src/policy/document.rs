//! YAML text → a tree that remembers where every word stands and how it was quoted.
//!
//! Only what a policy needs of YAML is taken: one document of mappings, lists and scalars. Tags and merge keys are
//! refused; anchors and aliases are allowed, but what an alias repeats is counted each time, so that a small text
//! can't grow into a large tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::Collector;
use super::syntax_error;

/// The longest text that is read.
const MAX_BYTES: usize = 256 * 1024;
/// The deepest nesting of mappings and lists.
const MAX_DEPTH: usize = 64;
/// The largest number of scalars, lists and mappings, with what aliases repeat.
const MAX_NODES: usize = 20_000;

/// One value of the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A scalar; `plain` when it stood without quotes, so that `true` can be told from `"true"`.
    Scalar { text: String, plain: bool },
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order of the text; keys are unique, duplicates were reported and dropped.
    Mapping(Vec<Entry>),
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// How many values it is made of, and how deep they nest.
    fn measure(&self) -> (usize, usize) {
        let parts: Vec<_> = match &self.value {
            Value::Scalar { .. } => return (1, 0),
            Value::Sequence(items) => items.iter().map(Self::measure).collect(),
            Value::Mapping(entries) => entries.iter().map(|entry| entry.value.measure()).collect(),
        };
        let nodes = parts.iter().map(|(nodes, _)| nodes).sum::<usize>() + 1;
        (nodes, parts.iter().map(|(_, depth)| *depth).max().unwrap_or(0) + 1)
    }
}

/// Reads the one document of a text; none when it has none that can be used, and then a mistake was noted.
pub(super) fn parse(notes: &mut Collector<'_>) -> Option<Node> {
    let text = notes.text();
    if text.len() > MAX_BYTES {
        let help = "split it: a directory may hold any number of policies";
        notes.error(&(0..0), format!("the file is longer than {} KiB", MAX_BYTES / 1024), help);
        return None;
    }
    let mut builder = Builder::new(text);
    for event in Parser::new_from_str(builder.body) {
        match event {
            Ok((event, span)) => {
                let span = builder.bytes(span);
                if builder.take(event, span, notes).is_err() {
                    return None;
                }
            }
            Err(error) => {
                let at = builder.offset(error.marker().index());
                syntax_error::note(notes, at, error.info());
                return None;
            }
        }
    }
    builder.finish(notes)
}

/// Reading stopped; the reason has been noted.
struct Stopped;

enum Frame {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Node>, seen: BTreeSet<String> },
}

struct Open {
    start: usize,
    anchor: usize,
    frame: Frame,
}

struct Builder<'a> {
    text: &'a str,
    body: &'a str,
    /// The byte of each character, for texts that are not ASCII.
    bytes: Option<Vec<usize>>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    unused: BTreeMap<usize, Range<usize>>,
    nodes: usize,
    root: Option<Node>,
    documents: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let bytes = (!text.is_ascii()).then(|| body.char_indices().map(|(at, _)| at).collect());
        Self {
            text,
            body,
            bytes,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            unused: BTreeMap::new(),
            nodes: 0,
            root: None,
            documents: 0,
        }
    }

    fn offset(&self, character: usize) -> usize {
        let mark = self.text.len() - self.body.len();
        let byte = match &self.bytes {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.body.len()),
            None => character.min(self.body.len()),
        };
        mark + byte
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start.index());
        start..self.offset(span.end.index()).max(start)
    }

    fn take(
        &mut self,
        event: Event<'_>,
        span: Range<usize>,
        notes: &mut Collector<'_>,
    ) -> Result<(), Stopped> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.start_document(&span, notes),
            Event::Alias(anchor) => self.repeat(anchor, span, notes),
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    syntax_error::note_tag(notes, &span, &tag.to_string());
                }
                let plain = style == ScalarStyle::Plain;
                let node = Node { span, value: Value::Scalar { text: text.into_owned(), plain } };
                self.count(1, &node.span, notes)?;
                self.close(node, anchor, notes);
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                let tag = tag.map(|tag| tag.to_string());
                self.start(span, anchor, tag, Frame::Sequence(Vec::new()), notes)
            }
            Event::MappingStart(anchor, tag) => {
                let frame = Frame::Mapping { entries: Vec::new(), key: None, seen: BTreeSet::new() };
                let tag = tag.map(|tag| tag.to_string());
                self.start(span, anchor, tag, frame, notes)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(&span, notes);
                Ok(())
            }
        }
    }

    fn start_document(&mut self, span: &Range<usize>, notes: &mut Collector<'_>) -> Result<(), Stopped> {
        self.documents += 1;
        if self.documents > 1 {
            notes.error(span, "a second document begins here", "write one policy in each file");
            return Err(Stopped);
        }
        Ok(())
    }

    fn count(
        &mut self,
        values: usize,
        span: &Range<usize>,
        notes: &mut Collector<'_>,
    ) -> Result<(), Stopped> {
        self.nodes += values;
        if self.nodes > MAX_NODES {
            let help = "split the policy into several files; what an alias repeats counts each time";
            notes.error(span, format!("the file has more than {MAX_NODES} values"), help);
            return Err(Stopped);
        }
        Ok(())
    }

    fn start(
        &mut self,
        span: Range<usize>,
        anchor: usize,
        tag: Option<String>,
        frame: Frame,
        notes: &mut Collector<'_>,
    ) -> Result<(), Stopped> {
        if let Some(tag) = tag {
            syntax_error::note_tag(notes, &span, &tag);
        }
        self.count(1, &span, notes)?;
        self.check_depth(1, &span, notes)?;
        self.open.push(Open { start: span.start, anchor, frame });
        Ok(())
    }

    fn check_depth(
        &self,
        more: usize,
        span: &Range<usize>,
        notes: &mut Collector<'_>,
    ) -> Result<(), Stopped> {
        if self.open.len() + more > MAX_DEPTH {
            let help = "split the condition into several rules";
            notes.error(span, format!("mappings and lists nest deeper than {MAX_DEPTH}"), help);
            return Err(Stopped);
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        anchor: usize,
        span: Range<usize>,
        notes: &mut Collector<'_>,
    ) -> Result<(), Stopped> {
        self.unused.remove(&anchor);
        let Some(node) = self.anchors.get(&anchor) else {
            notes.error(&span, "the alias stands inside what it refers to", "write the value out");
            return Err(Stopped);
        };
        let (values, depth) = node.measure();
        // The budget is checked before the copy is made.
        self.count(values, &span, notes)?;
        self.check_depth(depth, &span, notes)?;
        if let Some(node) = self.anchors.get(&anchor).cloned() {
            self.close(Node { span, value: node.value }, 0, notes);
        }
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>, notes: &mut Collector<'_>) {
        let Some(Open { start, anchor, frame }) = self.open.pop() else { return };
        // A block's end is the next block's beginning; its first line is enough to show where it stands.
        let rest = self.text.get(start..span.end.max(start)).unwrap_or_default();
        let end = start + rest.find('\n').unwrap_or(rest.len());
        let value = match frame {
            Frame::Sequence(items) => Value::Sequence(items),
            Frame::Mapping { entries, .. } => Value::Mapping(entries),
        };
        self.close(Node { span: start..end, value }, anchor, notes);
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, anchor: usize, notes: &mut Collector<'_>) {
        if anchor != 0 {
            self.unused.insert(anchor, node.span.clone());
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.frame) {
            None => self.root = Some(node),
            Some(Frame::Sequence(items)) => items.push(node),
            Some(Frame::Mapping { key: key @ None, .. }) => *key = Some(node),
            Some(Frame::Mapping { entries, key, seen }) => {
                if let Some(key) = key.take() {
                    add_entry(entries, seen, key, node, notes);
                }
            }
        }
    }

    fn finish(self, notes: &mut Collector<'_>) -> Option<Node> {
        for span in self.unused.values() {
            syntax_error::note_unused_anchor(notes, span);
        }
        if self.root.is_none() {
            notes.error(&(0..0), "the file is empty", "a policy begins with `policy:` and its name");
        }
        self.root
    }
}

fn add_entry(
    entries: &mut Vec<Entry>,
    seen: &mut BTreeSet<String>,
    key: Node,
    value: Node,
    notes: &mut Collector<'_>,
) {
    let Value::Scalar { text, plain } = key.value else {
        notes.error(&key.span, "a key must be a word", "write `key: value`");
        return;
    };
    if plain && text == "<<" {
        notes.error(
            &key.span,
            "merge keys (`<<`) are not read",
            "write the keys out, or alias a whole value",
        );
        return;
    }
    if !seen.insert(text.clone()) {
        let help = "keep one of them; in a mapping of conditions, put both under `all_of`";
        notes.error(&key.span, format!("`{text}` is written twice in one mapping"), help);
        return;
    }
    entries.push(Entry { key: text, key_span: key.span, value });
}

#[cfg(test)]
mod tests;
