//! CODEOWNERS in GitLab's dialect: a text becomes sections, entries and automata over all of their paths.
//!
//! Read as GitLab reads it (`ee/lib/gitlab/code_owners`): within a section the last entry that matches a path wins, all
//! sections apply, an exclusion (`!path`, GitLab 17.10) takes the path out of its section wherever it stands, and a
//! pattern that is written twice keeps its first place with its last owners. A section is optional only if every entry
//! in it is.
//!
//! GitLab makes the best of a line that it can't read, and then nobody need approve. Here such a line says nothing of
//! the paths that it may mean, and its number is told: they may be owned by anybody.

mod automaton;
mod glob;
mod owner;

use std::collections::HashMap;

use self::automaton::{Automaton, PathGlob};
use self::glob::{PathPattern, is_space};
pub(super) use self::owner::Owner;
use self::owner::{Owners, read_owners};
use super::fact::CodeOwnersFile;

/// GitLab's name of the section of what stands before the first heading.
const UNNAMED: &str = "codeowners";

/// A CODEOWNERS file.
#[derive(Debug)]
pub(super) struct CodeOwners {
    /// Where it lies.
    pub(super) path: String,
    sections: Vec<Section>,
    entries: Vec<Entry>,
    automaton: Automaton,
}

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    name: String,
    /// Whether its approvals may be missing.
    pub(super) optional: bool,
    /// Why its heading can't be read; what stands in it may belong to any section.
    fault: Option<String>,
}

/// An entry.
#[derive(Debug)]
pub(super) struct Entry {
    section: usize,
    /// Its line, from 1.
    pub(super) line: usize,
    /// The pattern as written.
    pub(super) pattern: String,
    /// How many of its owners must approve.
    pub(super) count: usize,
    optional: bool,
    excludes: bool,
    /// Who owns what it matches.
    pub(super) owned: Owned,
}

/// Who owns what an entry matches.
#[derive(Debug)]
pub(super) enum Owned {
    /// One of these; never empty.
    By(Vec<Owner>),
    /// Nobody: neither the entry nor the heading names an owner.
    ByNobody,
    /// It can't be told, for this reason.
    Unreadable(String),
}

impl CodeOwners {
    /// Reads a file; the error is a sentence.
    pub(super) fn parse(file: &CodeOwnersFile) -> Result<Self, String> {
        let mut reading = Reading::default();
        // A byte order mark would make the first pattern match nothing.
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
        for (index, line) in text.lines().enumerate() {
            reading.take(line.trim(), index + 1);
        }
        reading.finish(file.path.clone())
    }

    /// The entries that win for a path, at most one of each section: its owners, or that it has none, or that this can't
    /// be told.
    pub(super) fn winners(&self, path: &str) -> Vec<usize> {
        let mut found: Vec<(usize, Winner)> = Vec::new();
        for entry in self.automaton.matches(path) {
            let Some(data) = self.entries.get(entry) else { continue };
            let winner = match (data.excludes, &data.owned) {
                (true, Owned::Unreadable(_)) => Winner::Doubt(entry),
                (true, Owned::By(_) | Owned::ByNobody) => Winner::Nobody,
                (false, _) => Winner::Entry(entry),
            };
            match found.iter_mut().find(|(section, _)| *section == data.section) {
                Some((_, winning)) => winning.meet(winner),
                None => found.push((data.section, winner)),
            }
        }
        found.into_iter().filter_map(|(_, winner)| winner.entry()).collect()
    }

    /// An entry that won.
    pub(super) fn entry(&self, entry: usize) -> Option<(&Entry, &Section)> {
        let entry = self.entries.get(entry)?;
        Some((entry, self.sections.get(entry.section)?))
    }

    /// Whether it has a section of that name, in any case.
    pub(super) fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|section| section.fault.is_none() && section.is_called(name))
    }
}

impl Section {
    /// Whether it is, or may be, the section of that name.
    pub(super) fn may_be(&self, name: &str) -> bool {
        self.fault.is_some() || self.is_called(name)
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.trim().to_lowercase() == name.trim().to_lowercase()
    }

    /// The name in words; none of the unnamed section.
    pub(super) fn in_words(&self) -> Option<String> {
        (self.name != UNNAMED && self.fault.is_none()).then(|| format!("[{}]", self.name.trim()))
    }
}

/// What a section says of one path.
#[derive(Debug, Clone, Copy)]
enum Winner {
    /// The last entry that matches.
    Entry(usize),
    /// An exclusion that can't be read.
    Doubt(usize),
    /// It is excluded.
    Nobody,
}

impl Winner {
    fn meet(&mut self, later: Self) {
        *self = match (*self, later) {
            (Self::Nobody, _) | (_, Self::Nobody) => Self::Nobody,
            (Self::Doubt(entry), _) | (_, Self::Doubt(entry)) => Self::Doubt(entry),
            (Self::Entry(_), Self::Entry(entry)) => Self::Entry(entry),
        };
    }

    fn entry(self) -> Option<usize> {
        match self {
            Self::Entry(entry) | Self::Doubt(entry) => Some(entry),
            Self::Nobody => None,
        }
    }
}

/// A heading, until the next one.
#[derive(Debug, Default, Clone)]
struct Heading {
    section: usize,
    optional: bool,
    count: usize,
    owners: Vec<Owner>,
}

/// A heading as written.
struct HeadingLine<'a> {
    name: &'a str,
    optional: bool,
    count: usize,
    owners: Vec<Owner>,
}

/// A file that is being read.
#[derive(Debug)]
struct Reading {
    sections: Vec<Section>,
    heading: Heading,
    entries: Vec<(Entry, Vec<PathGlob>)>,
    /// Where each pattern of a section stands.
    places: HashMap<(usize, String), usize>,
}

impl Default for Reading {
    fn default() -> Self {
        let unnamed = Section { name: UNNAMED.to_owned(), optional: false, fault: None };
        let heading = Heading { count: 1, ..Heading::default() };
        Self { sections: vec![unnamed], heading, entries: Vec::new(), places: HashMap::new() }
    }
}

impl Reading {
    fn take(&mut self, line: &str, number: usize) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        match read_heading(line) {
            Some(heading) => self.begin(heading, number),
            None => self.entry(line, number),
        }
    }

    fn begin(&mut self, heading: Option<HeadingLine<'_>>, number: usize) {
        let Some(HeadingLine { name, optional, count, owners }) = heading else {
            let fault = Some(format!("the heading in line {number} can't be read"));
            self.sections.push(Section { name: String::new(), optional: false, fault });
            self.heading = Heading { section: self.sections.len() - 1, count: 1, ..Heading::default() };
            return;
        };
        // GitLab: only the first heading of a file is not the unnamed section's in another case.
        let is_first = self.sections.len() == 1;
        let is_same = |section: &&Section| {
            let same = if is_first {
                section.name == name
            } else {
                section.name.to_lowercase() == name.to_lowercase()
            };
            section.fault.is_none() && same
        };
        let section = self.sections.iter().position(|section| is_same(&section)).unwrap_or_else(|| {
            self.sections.push(Section { name: name.to_owned(), optional: false, fault: None });
            self.sections.len() - 1
        });
        self.heading = Heading { section, optional, count, owners };
    }

    fn entry(&mut self, line: &str, number: usize) {
        let (pattern, owners) = split_entry(line);
        let (excludes, path) = match pattern.strip_prefix('!') {
            Some(path) => (true, path),
            None => (false, pattern),
        };
        let owners = read_owners(owners);
        let wide = matches!(owners, Owners::Unreadable(_));
        let path = PathPattern::read(path, wide && !excludes);
        let fault = self.sections.get(self.heading.section).and_then(|section| section.fault.clone());
        let owned = match (fault, &path.fault, owners) {
            (Some(fault), _, _) => Owned::Unreadable(fault),
            (None, Some(fault), _) => Owned::Unreadable(format!("line {number} can't be read: {fault}")),
            (None, None, Owners::Of(_) | Owners::Unreadable(_)) if excludes => {
                Owned::Unreadable(format!("line {number} can't be read: an exclusion has no owners"))
            }
            (None, None, Owners::Unreadable(word)) => {
                Owned::Unreadable(format!("line {number} can't be read: `{word}` is no owner"))
            }
            (None, None, Owners::Of(owners)) => Owned::By(owners),
            (None, None, Owners::None) if excludes || self.heading.owners.is_empty() => Owned::ByNobody,
            (None, None, Owners::None) => Owned::By(self.heading.owners.clone()),
        };
        let Heading { section, optional, count, .. } = self.heading;
        let pattern = pattern.to_owned();
        let entry = Entry { section, line: number, pattern, count, optional, excludes, owned };
        let place = self.places.entry((section, path.key)).or_insert(self.entries.len());
        match self.entries.get_mut(*place) {
            Some(earlier) => *earlier = (entry, path.globs),
            None => self.entries.push((entry, path.globs)),
        }
    }

    fn finish(mut self, path: String) -> Result<CodeOwners, String> {
        let (mut patterns, mut entries) = (Vec::new(), Vec::new());
        for (section, data) in self.sections.iter_mut().enumerate() {
            let mut inside = self.entries.iter().filter(|(entry, _)| entry.section == section).peekable();
            data.optional = inside.peek().is_some() && inside.all(|(entry, _)| entry.optional);
        }
        for (index, (entry, globs)) in self.entries.into_iter().enumerate() {
            patterns.extend(globs.into_iter().map(|glob| (index, glob)));
            entries.push(entry);
        }
        let automaton =
            Automaton::build(patterns).map_err(|error| format!("`{path}` is too large: {}", error.kind()))?;
        Ok(CodeOwners { path, sections: self.sections, entries, automaton })
    }
}

/// A heading; `None` within if it can't be read, and none at all if the line is none.
#[expect(clippy::option_option, reason = "no heading, one that can't be read, and one that can")]
fn read_heading(line: &str) -> Option<Option<HeadingLine<'_>>> {
    let (optional, rest) = match line.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let body = rest.trim_start().strip_prefix('[')?;
    let is_tight = rest.starts_with('[');
    Some(heading_of(body, optional).filter(|_| is_tight))
}

/// What follows a heading's first bracket.
fn heading_of(body: &str, optional: bool) -> Option<HeadingLine<'_>> {
    let (name, rest) = body.split_once(']')?;
    let (count, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    // GitLab: no number, and none below 1, is 1.
    let digits = count.bytes().all(|byte| byte.is_ascii_digit());
    let count = if count.is_empty() { 1 } else { count.parse().ok().filter(|_| digits)? };
    let owners = match read_owners(rest) {
        Owners::None => Vec::new(),
        Owners::Of(owners) if owners.len() == rest.split_whitespace().count() => owners,
        Owners::Of(_) | Owners::Unreadable(_) => return None,
    };
    let is_apart = rest.is_empty() || rest.starts_with(char::is_whitespace);
    let named = !name.trim().is_empty() && is_apart;
    named.then_some(HeadingLine { name, optional, count: count.max(1), owners })
}

/// The pattern and what follows it: the first space without a backslash before it divides them.
fn split_entry(line: &str) -> (&str, &str) {
    let mut before = None;
    for (at, sign) in line.char_indices() {
        if is_space(sign) && before != Some('\\') {
            return line.split_at_checked(at).unwrap_or((line, ""));
        }
        before = Some(sign);
    }
    (line, "")
}

#[cfg(test)]
mod tests;
