//! The values that expressions work on: what their types are called, how facts become values, and the store that keeps a
//! value for all expressions of one evaluation.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelInt, CelList, CelString, Type as ValueType};
use cel::common::value::{CowVal, Val};

use crate::policy::finding::Stop;

/// The type of an expression: one thing, or a list of things. Lists of lists are not needed and not there; `List(None)` is
/// the type of `[]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    One(Kind),
    List(Option<Kind>),
}

/// The type of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Number,
    Text,
    Row(&'static Record),
}

/// The shape of the rows of one list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// One row, in words.
    pub(super) one: &'static str,
    /// Rows, in words.
    pub(super) many: &'static str,
    pub(super) fields: &'static [Field],
}

/// One field of a row: always there, though what GitLab left out is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

impl Type {
    pub(super) const FLAG: Self = Self::One(Kind::Flag);
    pub(super) const NUMBER: Self = Self::One(Kind::Number);
    pub(super) const TEXT: Self = Self::One(Kind::Text);
    pub(super) const TEXTS: Self = Self::List(Some(Kind::Text));

    /// The type in words, with its article.
    pub(super) fn describe(self) -> String {
        match self {
            Self::One(kind) => kind.one().to_owned(),
            Self::List(Some(kind)) => format!("a list of {}", kind.many()),
            Self::List(None) => "an empty list".to_owned(),
        }
    }

    /// The type that has both; none if they have nothing in common.
    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::List(None), list @ Self::List(_)) | (list @ Self::List(_), Self::List(None)) => Some(list),
            _ => None,
        }
    }
}

impl Kind {
    fn one(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Row(record) => record.one,
        }
    }

    fn many(self) -> &'static str {
        match self {
            Self::Flag => "true and false",
            Self::Number => "numbers",
            Self::Text => "texts",
            Self::Row(record) => record.many,
        }
    }
}

/// What a variable holds, before it becomes a value.
#[derive(Debug, Clone)]
pub(in crate::policy) enum Content<'a> {
    Flag(bool),
    Number(i64),
    Text(Cow<'a, str>),
    Texts(Vec<&'a str>),
    Rows(Vec<&'a dyn Item>),
}

/// One row of a list.
pub(in crate::policy) trait Item: fmt::Debug + Send + Sync {
    /// What a field says; none where GitLab left it out, and then nothing is known that depends on it.
    fn field(&self, name: &str) -> Option<Content<'_>>;
}

/// Why a variable has no value.
#[derive(Debug, Clone)]
pub(super) enum Missing {
    /// It was not asked for yet, or could not be had.
    Stop(Stop),
    /// GitLab has not settled it yet, in words.
    Unsettled(String),
}

impl From<Stop> for Missing {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A number of something; what no number can hold is as good as the largest.
pub(super) fn number<'a>(count: impl TryInto<i64>) -> Content<'a> {
    Content::Number(count.try_into().unwrap_or(i64::MAX))
}

impl<'a> From<&'a str> for Content<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> Content<'a> {
    pub(super) fn to_value(&self) -> Box<dyn Val + 'a> {
        match self {
            Self::Flag(flag) => Box::new(CelBool::from(*flag)),
            Self::Number(number) => Box::new(CelInt::from(*number)),
            Self::Text(Cow::Borrowed(text)) => Box::new(CelString::from(*text)),
            Self::Text(Cow::Owned(text)) => Box::new(CelString::from(text.clone())),
            Self::Texts(texts) => {
                let texts =
                    texts.iter().map(|text| -> Box<dyn Val + 'a> { Box::new(CelString::from(*text)) });
                Box::new(CelList::from(texts.collect::<Vec<_>>()))
            }
            Self::Rows(items) => {
                let rows = items.iter().map(|item| -> Box<dyn Val + 'a> { Box::new(Row(*item)) });
                Box::new(CelList::from(rows.collect::<Vec<_>>()))
            }
        }
    }

    /// How large it is; of rows only these fields are looked at.
    pub(super) fn size(&self, fields: &[&'static str]) -> Size {
        let bytes = |text: &str| text.len() as u64;
        match self {
            Self::Flag(_) | Self::Number(_) => Size::default(),
            Self::Text(text) => Size { items: 0, bytes: bytes(text) },
            Self::Texts(texts) => {
                let longest = texts.iter().map(|text| bytes(text)).max().unwrap_or(0);
                Size { items: texts.len() as u64, bytes: longest }
            }
            Self::Rows(rows) => {
                let texts = rows.iter().flat_map(|row| fields.iter().filter_map(|field| row.field(field)));
                let longest = texts.map(|text| text.size(&[]).bytes).max().unwrap_or(0);
                Size { items: rows.len() as u64, bytes: longest }
            }
        }
    }
}

/// An upper bound of how large a value is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Entries, if it is a list.
    pub(super) items: u64,
    /// The longest text in it.
    pub(super) bytes: u64,
}

/// A row as a value: its fields are read where they are asked for.
#[derive(Debug, Clone, Copy)]
struct Row<'v>(&'v dyn Item);

static ROW: ValueType = ValueType::new_unspecified_type("row");

impl Val for Row<'_> {
    fn get_type(&self) -> &ValueType {
        &ROW
    }

    fn cel_type() -> &'static ValueType {
        &ROW
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(*self)
    }
}

impl Indexer for Row<'_> {
    fn get<'b, 'w>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let name = index.downcast_ref::<CelString<'_>>().map(CelString::inner).unwrap_or_default();
        let content = self.0.field(name).ok_or_else(|| ExecutionError::no_such_key(name))?;
        Ok(CowVal::Owned(content.to_value()))
    }

    fn steal<'w>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

/// A variable's content with its value.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) content: Content<'a>,
    pub(super) value: Box<dyn Val + 'a>,
}

/// The variables that were read in one evaluation: each is made once, for all expressions.
#[derive(Debug, Default)]
pub(in crate::policy) struct Memory<'a>(RefCell<BTreeMap<&'static str, Arc<Held<'a>>>>);

impl<'a> Memory<'a> {
    /// What is held under a name, else what is read now.
    pub(super) fn hold(
        &self,
        name: &'static str,
        read: impl FnOnce() -> Result<Content<'a>, Missing>,
    ) -> Result<Arc<Held<'a>>, Missing> {
        if let Some(held) = self.0.borrow().get(name) {
            return Ok(Arc::clone(held));
        }
        let content = read()?;
        let held = Arc::new(Held { value: content.to_value(), content });
        self.0.borrow_mut().insert(name, Arc::clone(&held));
        Ok(held)
    }
}
