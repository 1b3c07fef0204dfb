//! Tables of keys: what a file may say, written once.
//!
//! A [`Table`] lists the keys of one mapping with a sentence and a [`Shape`] each. Whoever reads a file checks it
//! against the table, and [`json_schema`] renders the same table for editors, so that the two can't disagree. This
//! file knows nothing of policies or configuration, and imports none of ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The keys of one mapping.
#[derive(Debug)]
pub struct Table {
    /// The table's name, unique among the tables that refer to each other: it becomes the name in `$defs`.
    pub name: &'static str,
    /// One sentence about the mapping as a whole.
    pub doc: &'static str,
    /// What to say to somebody who wrote something else than a mapping here.
    pub hint: Option<&'static str>,
    /// The keys, in the order in which a reader should meet them.
    pub keys: &'static [Key],
}

impl Table {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The known key that a misspelt one most likely meant.
    pub fn nearest(&self, word: &str) -> Option<&'static str> {
        nearest(word, self.keys.iter().map(|key| key.name))
    }
}

/// One key of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key as written.
    pub name: &'static str,
    /// One sentence about it.
    pub doc: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether the mapping is incomplete without it.
    pub required: bool,
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, doc, shape, required: false }
    }

    /// A key that may not be left out.
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, doc, shape, required: true }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Some text, never empty.
    Text,
    /// A whole number from zero up.
    Number,
    /// `true` or `false`.
    Flag,
    /// A length of time such as `10m` or `2d`.
    Duration,
    /// A point in time such as `2026-12-20T09:00`, local or with an offset.
    Time,
    /// An end of a window of time: a point in time, or one that comes again such as `09:00`, `friday 16:00` or `12-20T09:00`.
    WindowEnd,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of at least one value.
    List(&'static Shape),
    /// A mapping with the keys of a table.
    Mapping(&'static Table),
    /// Several ways of writing the same: at most one of them a list, one a mapping.
    OneOf(&'static [Shape]),
}

impl Shape {
    /// The shape in words, with its article.
    pub fn describe(&self) -> String {
        match self {
            Self::Text => "some text".to_owned(),
            Self::Number => "a whole number".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Duration => "a length of time such as `10m`, `2h` or `3d`".to_owned(),
            Self::Time => "a time such as `2026-12-20T09:00`".to_owned(),
            Self::WindowEnd => {
                "a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`".to_owned()
            }
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::List(Shape::Text) => "a list of texts".to_owned(),
            Self::List(Shape::Mapping(_)) => "a list of mappings".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Mapping(_) => "a mapping".to_owned(),
            Self::OneOf(shapes) => shapes.iter().map(Self::describe).collect::<Vec<_>>().join(" or "),
        }
    }
}

const TIME_PATTERN: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?$";

const RECURRING_PATTERN: &str =
    "^((monday|tuesday|wednesday|thursday|friday|saturday|sunday) |[0-9]{2}-[0-9]{2}T)?[0-9]{2}:[0-9]{2}$";

/// Words between backticks, the last one after `or`.
fn quoted(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [rest @ .., last] => {
            let rest: Vec<_> = rest.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", rest.join(", "))
        }
    }
}

/// The candidate closest to a misspelt word, if one is close enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let near_enough = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= near_enough || is_plural(&word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether the two differ by a plural's `s` or `es` alone: the commonest slip in short words.
fn is_plural(word: &str, candidate: &str) -> bool {
    word.strip_prefix(candidate)
        .or_else(|| candidate.strip_prefix(word))
        .is_some_and(|rest| matches!(rest, "s" | "es"))
}

/// Whether a mapping or a list of a document may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptiness {
    /// An empty one says nothing, which is as good as leaving it out.
    Allowed,
    /// An empty one is a mistake.
    Refused,
}

/// Renders a table, and every table it refers to, as a JSON Schema (draft 2020-12).
pub fn json_schema(root: &'static Table, id: &str, emptiness: Emptiness) -> Value {
    let least = match emptiness {
        Emptiness::Allowed => 0,
        Emptiness::Refused => 1,
    };
    let mut definitions = BTreeMap::new();
    define(root, least, &mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id,
        "title": root.doc,
        "$ref": format!("#/$defs/{}", root.name),
        "$defs": definitions,
    })
}

fn define(table: &'static Table, least: usize, definitions: &mut BTreeMap<&'static str, Value>) {
    if definitions.contains_key(table.name) {
        return;
    }
    // The name is taken before the keys are rendered: tables may refer to themselves.
    definitions.insert(table.name, Value::Null);
    let mut properties = Map::new();
    for key in table.keys {
        let mut schema = render(&key.shape, least, definitions);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), json!(key.doc));
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<_> = table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let definition = json!({
        "description": table.doc,
        "type": "object",
        "properties": properties,
        "required": required,
        "minProperties": least,
        "additionalProperties": false,
    });
    definitions.insert(table.name, definition);
}

fn render(shape: &Shape, least: usize, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Number => json!({ "type": "integer", "minimum": 0 }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Duration => json!({ "type": "string", "pattern": "^([0-9]+(w|d|h|m|s))+$" }),
        Shape::Time => json!({ "type": "string", "pattern": TIME_PATTERN }),
        Shape::WindowEnd => json!({ "type": "string", "anyOf": [
            { "pattern": TIME_PATTERN },
            { "pattern": RECURRING_PATTERN },
        ] }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List(item) => {
            json!({ "type": "array", "minItems": least, "items": render(item, least, definitions) })
        }
        Shape::Mapping(table) => {
            define(table, least, definitions);
            json!({ "$ref": format!("#/$defs/{}", table.name) })
        }
        Shape::OneOf(shapes) => {
            let shapes: Vec<_> = shapes.iter().map(|shape| render(shape, least, definitions)).collect();
            json!({ "anyOf": shapes })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TREE: Table = Table {
        name: "tree",
        doc: "A tree.",
        hint: None,
        keys: &[
            Key::required("name", Shape::Text, "Its name."),
            Key::new("branches", Shape::List(&Shape::Mapping(&TREE)), "Its branches."),
            Key::new("age", Shape::OneOf(&[Shape::Number, Shape::Duration]), "How old it is."),
        ],
    };

    #[test]
    fn a_table_that_refers_to_itself_is_rendered_once() {
        let schema = json_schema(&TREE, "urn:tree", Emptiness::Refused);
        assert_eq!(schema["$ref"], "#/$defs/tree");
        assert_eq!(schema["$defs"]["tree"]["properties"]["branches"]["items"]["$ref"], "#/$defs/tree");
        assert_eq!(schema["$defs"]["tree"]["required"], json!(["name"]));
        assert_eq!(schema["$defs"]["tree"]["additionalProperties"], json!(false));
    }

    #[test]
    fn a_misspelt_key_is_recognised_and_a_foreign_one_is_not() {
        assert_eq!(TREE.nearest("brnaches"), Some("branches"));
        assert_eq!(TREE.nearest("ages"), Some("age"));
        assert_eq!(TREE.nearest("colour"), None);
    }

    const EITHER: Shape = Shape::OneOf(&[Shape::Number, Shape::Duration]);

    #[test]
    fn shapes_describe_themselves() {
        assert_eq!(Shape::Choice(&["a", "b", "c"]).describe(), "one of `a`, `b` or `c`");
        assert_eq!(EITHER.describe(), "a whole number or a length of time such as `10m`, `2h` or `3d`");
    }
}
