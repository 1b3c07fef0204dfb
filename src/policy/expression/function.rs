//! Functions of ours that expressions call: what would loop over files, what a pattern matches, how much time has passed.
//!
//! Their patterns are written out, so each is compiled once, when the policy is read; an expression then carries only its
//! number ([`supplied_name`]), and what the number stands for is supplied at evaluation. A pattern is a value that
//! contains the texts it matches: `glob(title, "fix*")` becomes `title in @0`.

use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::Container;
use cel::common::types::{CelBool, CelString, Type as ValueType};
use cel::common::value::Val;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use super::value::Missing;
use super::vocabulary::complete;
use crate::policy::duration;
use crate::policy::finding::both;
use crate::policy::pattern::{GlobIds, PathGlobs, PathGlobsBuilder, Wildcard, partial_regex, whole_regex};
use crate::policy::view::{Touched, View};

/// One function of ours.
#[derive(Debug)]
pub(super) struct Helper {
    pub(super) name: &'static str,
    /// How it is written.
    pub(super) usage: &'static str,
    pub(super) takes: Takes,
}

/// What a function of ours takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// One or more path globs, written out.
    PathGlobs(Quantity),
    /// A length of time, written out.
    Time(Since),
    /// A text, and a pattern that is written out.
    Pattern(Syntax),
}

/// How many of the changed paths must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Any,
    All,
}

/// From when on time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Opened,
    LastPush,
}

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Wildcard,
    PathGlob,
    WholeRegex,
    PartialRegex,
}

/// Every function of ours, in the order of the reference.
#[rustfmt::skip]
pub(super) static HELPERS: &[Helper] = &[
    Helper { name: "touches", usage: "touches('**/*.rs')", takes: Takes::PathGlobs(Quantity::Any) },
    Helper { name: "touches_only", usage: "touches_only('docs/**', '*.md')", takes: Takes::PathGlobs(Quantity::All) },
    Helper { name: "path_glob", usage: "path_glob(path, 'docs/**')", takes: Takes::Pattern(Syntax::PathGlob) },
    Helper { name: "glob", usage: "glob(text, 'release/*')", takes: Takes::Pattern(Syntax::Wildcard) },
    Helper { name: "matches_whole", usage: "matches_whole(text, '[A-Z]+-[0-9]+')", takes: Takes::Pattern(Syntax::WholeRegex) },
    Helper { name: "contains_match", usage: "contains_match(text, '[A-Z]+-[0-9]+')", takes: Takes::Pattern(Syntax::PartialRegex) },
    Helper { name: "open_for", usage: "open_for('2h')", takes: Takes::Time(Since::Opened) },
    Helper { name: "quiet_for", usage: "quiet_for('2h')", takes: Takes::Time(Since::LastPush) },
];

/// The function of that name.
pub(super) fn helper(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// The name under which an expression refers to what is supplied: nobody can write it.
pub(super) fn supplied_name(number: usize) -> String {
    format!("@{number}")
}

/// The number behind [`supplied_name`].
pub(super) fn supplied_number(name: &str) -> Option<usize> {
    name.strip_prefix('@')?.parse().ok()
}

/// What a call of a function of ours was compiled to.
#[derive(Debug, Clone)]
pub(super) enum Supplied {
    Touches(Quantity, GlobIds),
    Passed(Since, SignedDuration),
    Pattern(Pattern),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Arc<Matcher>);

#[derive(Debug)]
enum Matcher {
    Wildcard(Wildcard),
    PathGlob(PathGlobs, GlobIds),
    Regex(Regex),
}

/// Compiles a pattern; the error is a sentence about it.
pub(super) fn compile_pattern(syntax: Syntax, text: &str) -> Result<Supplied, String> {
    let matcher = match syntax {
        Syntax::Wildcard => Matcher::Wildcard(Wildcard::new(text)),
        Syntax::PathGlob => {
            let (mut builder, mut ids) = (PathGlobsBuilder::default(), GlobIds::default());
            builder.add(text, &mut ids)?;
            Matcher::PathGlob(builder.build()?, ids)
        }
        Syntax::WholeRegex => Matcher::Regex(whole_regex(text)?),
        Syntax::PartialRegex => Matcher::Regex(partial_regex(text)?),
    };
    Ok(Supplied::Pattern(Pattern(Arc::new(matcher))))
}

/// Reads a length of time; the error is a sentence about it.
pub(super) fn compile_time(since: Since, text: &str) -> Result<Supplied, String> {
    let time = duration::parse(text).ok_or("write it like `10m`, `2h` or `3d`")?;
    Ok(Supplied::Passed(since, time))
}

impl Supplied {
    /// Its value, and when time alone will change it.
    pub(super) fn evaluate<'a>(
        &self,
        view: &View<'_>,
    ) -> Result<(Box<dyn Val + 'a>, Option<Timestamp>), Missing> {
        let flag = |flag: bool| -> Box<dyn Val + 'a> { Box::new(CelBool::from(flag)) };
        match self {
            Self::Touches(quantity, globs) => Ok((flag(touches(view, *quantity, globs)?), None)),
            Self::Passed(since, time) => {
                let (now, since) = match since {
                    Since::Opened => (view.now()?, view.facts.merge_request.created_at),
                    Since::LastPush => {
                        let (now, version) = both(view.now(), view.newest_version())?;
                        (now, version.created_at)
                    }
                };
                // An instant beyond the calendar never comes.
                let ripe_at = since.checked_add(*time).ok();
                let passed = ripe_at.is_some_and(|ripe| ripe <= now);
                Ok((flag(passed), ripe_at.filter(|_| !passed)))
            }
            Self::Pattern(pattern) => Ok((Box::new(pattern.clone()), None)),
        }
    }

    /// What stands for it before there are facts.
    pub(super) fn sample<'a>(&self) -> Box<dyn Val + 'a> {
        match self {
            Self::Touches(..) | Self::Passed(..) => Box::new(CelBool::from(true)),
            Self::Pattern(pattern) => Box::new(pattern.clone()),
        }
    }
}

fn touches(view: &View<'_>, quantity: Quantity, globs: &GlobIds) -> Result<bool, Missing> {
    let code = complete(view)?;
    Ok(match quantity {
        Quantity::Any => view.touches(code, globs),
        Quantity::All => {
            let mut paths = view.touched(code).flat_map(Touched::paths);
            !code.files.is_empty() && paths.all(|path| path.matches(globs))
        }
    })
}

static PATTERN: ValueType = ValueType::new_unspecified_type("pattern");

impl Val for Pattern {
    fn get_type(&self) -> &ValueType {
        &PATTERN
    }

    fn cel_type() -> &'static ValueType {
        &PATTERN
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
}

impl Container for Pattern {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let text = value.downcast_ref::<CelString<'_>>().map(CelString::inner);
        let text = text.ok_or_else(|| ExecutionError::function_error("pattern", "not a text"))?;
        Ok(match &*self.0 {
            Matcher::Wildcard(wildcard) => wildcard.matches(text),
            Matcher::PathGlob(globs, ids) => globs.matches(text).any(ids),
            Matcher::Regex(regex) => regex.is_match(text),
        })
    }
}
