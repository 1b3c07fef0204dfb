//! Expressions in CEL: what no condition says, kept within bounds.
//!
//! The language is a small part of CEL with types: texts, numbers, flags, lists, and the rows of `files` and `commits`. What
//! an expression speaks of is read off its tree, so it asks for those facts alone. The crate that evaluates it knows no
//! bounds; they are all here:
//!
//! ```text
//! text ▶ parse (length, depth, a stack of its own) ▶ check (names, types, loops) ▶ try out on a sample   at load
//! facts ▶ view ▶ contents ▶ cost (steps, from real lengths) ▶ evaluate                                   at evaluation
//! ```
//!
//! Whatever can't be had, or goes wrong while it runs, is unknown: never true, and never false either, which a `not` would
//! turn into true.

mod check;
mod cost;
mod function;
mod parse;
mod place;
pub(super) mod value;
mod vocabulary;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value};
use jiff::Timestamp;

use self::check::Uses;
use self::function::{Supplied, supplied_number};
use self::parse::Fault;
use self::place::Place;
use self::value::{Content, Held, Item, Kind, Missing, Size, Type};
use self::vocabulary::Variable;
use super::builder::Builder;
use super::fact::Unknown;
use super::finding::{Stop, earliest};
use super::reader::Words;
use super::view::View;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    text: String,
    tree: IdedExpr,
    uses: Uses,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is true, or it is false.
    Settled(bool),
    /// GitLab has not settled yet what it speaks of, in words.
    Unsettled(String),
}

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Expression {
    /// Compiles an expression; none if it can't be, and then everything that is wrong with it was noted.
    pub(super) fn compile(words: Words<'_>, builder: &mut Builder<'_, '_>) -> Option<Self> {
        match Self::read(words.text, builder) {
            Ok(expression) => Some(expression),
            Err(faults) => {
                let place = Place::new(builder.notes.text(), words.span, words.text);
                for Fault { span, message, help } in faults {
                    let span = place.of(&span);
                    match help {
                        Some(help) => builder.notes.error(&span, message, help),
                        None => builder.notes.plain_error(&span, message),
                    }
                }
                None
            }
        }
    }

    fn read(text: &str, builder: &mut Builder<'_, '_>) -> Result<Self, Vec<Fault>> {
        let program = parse::parse(text).map_err(|fault| vec![fault])?;
        let mut tree = program.expression().clone();
        let uses = check::check(&mut tree, program.source_info(), builder.globs)?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let expression = Self { text, tree, uses };
        match expression.try_out() {
            Ok(()) => Ok(expression),
            Err(message) => {
                let span: Range<usize> = 0..program.source_info().source.trim_end().len();
                Err(vec![Fault { span, message, help: None }])
            }
        }
    }

    /// Its text in one line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it speaks of a variable, or calls a function of ours.
    pub(super) fn speaks_of(&self, name: &str) -> bool {
        self.uses.variables.iter().any(|variable| variable.name == name) || self.uses.helpers.contains(name)
    }

    /// Evaluates it on a sample: what the check let through must not fail for its types.
    fn try_out(&self) -> Result<(), String> {
        let contents: Vec<_> =
            self.uses.variables.iter().map(|variable| (variable.name, sample(variable.kind))).collect();
        let supplied: Vec<_> = self.uses.supplied.iter().map(Supplied::sample).collect();
        let values = contents.iter().map(|(name, content)| (*name, content.to_value())).collect::<Vec<_>>();
        let named = values.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        match self.run(&Names { named, supplied: &supplied }) {
            Ok(_) => Ok(()),
            Err(error) if depends_on_values(&error) => Ok(()),
            Err(error) => Err(format!("the expression can't be evaluated: {error}")),
        }
    }

    /// Evaluates it, and says when time alone may change what it comes to.
    pub(super) fn evaluate(&self, view: &View<'_>) -> Result<(Answer, Option<Timestamp>), Stop> {
        let mut missing = Gaps::default();
        let held: Vec<_> = self
            .uses
            .variables
            .iter()
            .filter_map(|variable| missing.note(self.hold(variable, view)).map(|held| (*variable, held)))
            .collect();
        let supplied: Vec<_> =
            self.uses.supplied.iter().filter_map(|supplied| missing.note(supplied.evaluate(view))).collect();
        if let Some(why) = missing.finish()? {
            return Ok((Answer::Unsettled(why), None));
        }
        let recheck_at = supplied.iter().fold(None, |soonest, (_, at)| earliest(soonest, *at));
        let supplied: Vec<_> = supplied.into_iter().map(|(value, _)| value).collect();
        let size_of = |name: &str| {
            let held = held.iter().find(|(variable, _)| variable.name == name);
            held.map_or(Size::default(), |(variable, held)| held.content.size(&self.uses.fields(variable)))
        };
        if let Some(why) = cost::refuse(&self.tree, &size_of) {
            return Err(Stop::Unknown(Unknown { why, curable: false }));
        }
        let named = held.iter().map(|(variable, held)| (variable.name, held.value.as_ref())).collect();
        match self.run(&Names { named, supplied: &supplied }) {
            Ok(holds) => Ok((Answer::Settled(holds), recheck_at)),
            Err(error) => Err(Stop::Unknown(Unknown { why: in_words(&error), curable: false })),
        }
    }

    /// A variable of this evaluation, if all is known that the expression looks at.
    fn hold<'a>(&self, variable: &Variable, view: &View<'a>) -> Result<Arc<Held<'a>>, Missing> {
        let held = view.memory().hold(variable.name, || (variable.read)(view))?;
        if let Content::Rows(rows) = &held.content {
            for field in self.uses.fields(variable) {
                if rows.iter().any(|row| row.field(field).is_none()) {
                    let why = format!("GitLab left out `{field}` of some of the `{}`", variable.name);
                    return Err(Missing::Stop(Stop::Unknown(Unknown { why, curable: false })));
                }
            }
        }
        Ok(held)
    }

    fn run(&self, names: &Names<'_>) -> Result<bool, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        context.set_variable_resolver(names);
        let value = Value::resolve_val(&self.tree, &context)?;
        let flag = value.downcast_ref::<CelBool>().map(|flag| *flag.inner());
        flag.ok_or_else(|| ExecutionError::function_error("expression", "neither true nor false"))
    }
}

/// What the facts lack for an expression, all of it at once.
#[derive(Default)]
struct Gaps {
    needs: BTreeSet<super::fact::FactKey>,
    unknown: Option<Unknown>,
    unsettled: Option<String>,
}

impl Gaps {
    fn note<T>(&mut self, result: Result<T, Missing>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(Missing::Stop(Stop::Needs(keys))) => self.needs.extend(keys),
            // What no retry can cure weighs most, as among the parts of an `all_of`.
            Err(Missing::Stop(Stop::Unknown(unknown))) => {
                if self.unknown.as_ref().is_none_or(|known| known.curable && !unknown.curable) {
                    self.unknown = Some(unknown);
                }
            }
            Err(Missing::Unsettled(why)) => self.unsettled = self.unsettled.take().or(Some(why)),
        }
        None
    }

    /// What is unknown stays so whatever else there is to ask; what is not settled might yet turn out to be unknown.
    fn finish(self) -> Result<Option<String>, Stop> {
        if let Some(unknown) = self.unknown {
            return Err(Stop::Unknown(unknown));
        }
        if !self.needs.is_empty() {
            return Err(Stop::Needs(self.needs));
        }
        Ok(self.unsettled)
    }
}

/// What the names of an expression stand for.
struct Names<'a> {
    named: Vec<(&'static str, &'a (dyn Val + 'a))>,
    supplied: &'a [Box<dyn Val + 'a>],
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(number) = supplied_number(name) {
            return self.supplied.get(number).map(|value| CowVal::Borrowed(value.as_ref()));
        }
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| CowVal::Borrowed(*value))
    }
}

/// Whether other facts could have let it succeed.
fn depends_on_values(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::IndexOutOfBounds(_)
    )
}

/// What went wrong while it ran; never the values themselves, which may be long.
fn in_words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "the expression divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number of the expression grows too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => {
            "the expression asks for an entry that its list does not have".to_owned()
        }
        _ => "the expression can't be evaluated on this merge request".to_owned(),
    }
}

/// Something of a type.
fn sample(kind: Type) -> Content<'static> {
    match kind {
        Type::One(kind) => sample_of(kind),
        Type::List(Some(Kind::Row(record))) => Content::Rows(vec![record]),
        Type::List(_) => Content::Texts(vec!["text"]),
    }
}

fn sample_of(kind: Kind) -> Content<'static> {
    match kind {
        Kind::Flag => Content::Flag(true),
        Kind::Number => Content::Number(1),
        Kind::Text | Kind::Row(_) => "text".into(),
    }
}

impl Item for value::Record {
    fn field(&self, name: &str) -> Option<Content<'_>> {
        self.fields.iter().find(|field| field.name == name).map(|field| sample_of(field.kind))
    }
}

#[cfg(test)]
mod tests;
