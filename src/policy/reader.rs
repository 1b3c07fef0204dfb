//! Checks a tree against the tables of keys, and reads values out of a checked tree.
//!
//! [`check`] reports everything whose shape is wrong; the getters of [`Node`] say nothing and give nothing for such
//! values, so that a builder can go on and find the mistakes of meaning beside those of shape.

use std::ops::Range;

use jiff::SignedDuration;

use super::diagnostic::Collector;
use super::document::{Entry, Node, Value};
use super::duration;
use super::enumeration::list;
use super::moment::{self, Moment, Recurring};
use crate::schema::{Shape, Table, nearest};

/// A text of the file and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) text: &'a str,
    pub(super) span: &'a Range<usize>,
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The keys and values, when this is a mapping.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Scalar { .. } | Value::Sequence(_) => &[],
        }
    }

    /// The items, when this is a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar { .. } | Value::Mapping(_) => &[],
        }
    }

    /// The text, when this is a scalar that has one.
    pub(super) fn words(&self) -> Option<Words<'_>> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_empty_scalar() => Some(Words { text, span: &self.span }),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// One text, or each text of a list.
    pub(super) fn all_words(&self) -> Vec<Words<'_>> {
        self.words().into_iter().chain(self.items().iter().filter_map(Self::words)).collect()
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.plain()?.parse().ok()
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self.plain()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    pub(super) fn duration(&self) -> Option<SignedDuration> {
        duration::parse(self.words()?.text)
    }

    pub(super) fn moment(&self) -> Option<Moment> {
        moment::parse(self.words()?.text)
    }

    pub(super) fn recurring(&self) -> Option<Recurring> {
        moment::parse_recurring(self.words()?.text)
    }

    fn plain(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } => Some(text),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    fn is_empty_scalar(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => {
                text.trim().is_empty() || (*plain && matches!(text.as_str(), "null" | "~"))
            }
            Value::Sequence(_) | Value::Mapping(_) => false,
        }
    }
}

/// Reports everything about a value that does not have its shape; `what` names it in the author's words, with its backticks.
pub(super) fn check(node: &Node, shape: &Shape, what: &str, notes: &mut Collector<'_>) {
    if node.is_empty_scalar() {
        notes.error(&node.span, format!("{what} has no value"), format!("give it {}", shape.describe()));
        return;
    }
    match shape {
        Shape::OneOf(shapes) => match shapes.iter().find(|shape| is_kind(node, shape)) {
            Some(fitting) => check(node, fitting, what, notes),
            None => wrong_shape(node, shape, what, None, notes),
        },
        Shape::Mapping(table) => check_mapping(node, table, what, notes),
        Shape::List(item) => check_list(node, item, what, notes),
        Shape::Text
        | Shape::Number
        | Shape::Flag
        | Shape::Duration
        | Shape::Time
        | Shape::WindowEnd
        | Shape::Choice(_) => check_scalar(node, shape, what, notes),
    }
}

/// Whether a value is of the kind (scalar, list, mapping) that a shape has.
fn is_kind(node: &Node, shape: &Shape) -> bool {
    match (&node.value, shape) {
        (Value::Sequence(_), Shape::List(_)) | (Value::Mapping(_), Shape::Mapping(_)) => true,
        (Value::Scalar { .. }, shape) => !matches!(shape, Shape::List(_) | Shape::Mapping(_)),
        (Value::Sequence(_) | Value::Mapping(_), _) => false,
    }
}

fn check_scalar(node: &Node, shape: &Shape, what: &str, notes: &mut Collector<'_>) {
    let Some(words) = node.words() else { return wrong_shape(node, shape, what, None, notes) };
    let fits = match shape {
        Shape::Number => node.number().is_some(),
        Shape::Flag => node.flag().is_some(),
        Shape::Duration => node.duration().is_some(),
        Shape::Time => node.moment().is_some(),
        Shape::WindowEnd => node.moment().is_some() || node.recurring().is_some(),
        Shape::Choice(choices) => return check_choice(words, choices, what, notes),
        Shape::Text | Shape::List(_) | Shape::Mapping(_) | Shape::OneOf(_) => true,
    };
    if !fits {
        wrong_shape(node, shape, what, spelling_help(words.text, shape), notes);
    }
}

/// A value that is right but for its quotes, its dialect of YAML or a part left out.
fn spelling_help(text: &str, shape: &Shape) -> Option<String> {
    match (shape, text.to_lowercase().as_str()) {
        (Shape::Flag, "yes" | "on" | "true") => Some("write `true`, without quotes".to_owned()),
        (Shape::Flag, "no" | "off" | "false") => Some("write `false`, without quotes".to_owned()),
        (Shape::Number, digits) if digits.parse::<u64>().is_ok() => {
            Some(format!("write `{digits}`, without quotes"))
        }
        (Shape::Time, _) => moment::meant(text).map(|meant| format!("write `{meant}`")),
        (Shape::WindowEnd, _) => {
            let meant = moment::meant(text).or_else(|| moment::meant_recurring(text));
            meant.map(|meant| format!("write `{meant}`"))
        }
        _ => None,
    }
}

fn check_choice(words: Words<'_>, choices: &[&str], what: &str, notes: &mut Collector<'_>) {
    if choices.contains(&words.text) {
        return;
    }
    let help = match nearest(words.text, choices.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it may be {}", list(choices)),
    };
    notes.error(words.span, format!("`{}` is no value of {what}", words.text), help);
}

fn wrong_shape(node: &Node, shape: &Shape, what: &str, help: Option<String>, notes: &mut Collector<'_>) {
    let given = match &node.value {
        Value::Scalar { text, .. } => format!("`{text}`"),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    };
    let message = format!("{what} must be {}, not {given}", shape.describe());
    match help.or_else(|| hint(shape)) {
        Some(help) => notes.error(&node.span, message, help),
        None => notes.plain_error(&node.span, message),
    }
}

fn hint(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Mapping(table) => table.hint.map(str::to_owned),
        Shape::OneOf(shapes) => shapes.iter().find_map(hint),
        Shape::Text
        | Shape::Number
        | Shape::Flag
        | Shape::Duration
        | Shape::Time
        | Shape::WindowEnd
        | Shape::Choice(_)
        | Shape::List(_) => None,
    }
}

fn check_list(node: &Node, item: &Shape, what: &str, notes: &mut Collector<'_>) {
    let Value::Sequence(items) = &node.value else {
        let help = match &node.value {
            Value::Scalar { text, .. } => format!("write `{}: [{text}]`", what.trim_matches('`')),
            Value::Sequence(_) | Value::Mapping(_) => "begin each item with `- `".to_owned(),
        };
        return wrong_shape(node, &Shape::List(&Shape::Number), what, Some(help), notes);
    };
    if items.is_empty() {
        notes.error(
            &node.span,
            format!("{what} is an empty list"),
            "name at least one, or leave the key out",
        );
    }
    let entry = format!("an entry of {what}");
    for item_node in items {
        check(item_node, item, &entry, notes);
    }
}

fn check_mapping(node: &Node, table: &'static Table, what: &str, notes: &mut Collector<'_>) {
    let Value::Mapping(entries) = &node.value else {
        return wrong_shape(node, &Shape::Mapping(table), what, None, notes);
    };
    if entries.is_empty() && table.keys.iter().all(|key| !key.required) {
        let names: Vec<_> = table.keys.iter().map(|key| key.name).collect();
        notes.error(&node.span, format!("{what} is empty"), format!("it may say {}", list(&names)));
    }
    for entry in entries {
        match table.key(&entry.key) {
            Some(key) => check(&entry.value, &key.shape, &format!("`{}`", entry.key), notes),
            None => unknown_key(entry, table, what, notes),
        }
    }
    for key in table.keys.iter().filter(|key| key.required && node.get(key.name).is_none()) {
        let help = format!("write `{}: …`, {}", key.name, key.shape.describe());
        notes.error(&node.span, format!("`{}` is missing in {what}", key.name), help);
    }
}

fn unknown_key(entry: &Entry, table: &'static Table, what: &str, notes: &mut Collector<'_>) {
    let names: Vec<_> = table.keys.iter().map(|key| key.name).collect();
    let meant = table.nearest(&entry.key).map(|meant| format!("did you mean `{meant}`?"));
    let help = meant.unwrap_or_else(|| format!("it may say {}", list(&names)));
    notes.error(&entry.key_span, format!("`{}` is no key of {what}", entry.key), help);
}
