//! What is wrong with a policy text: where, in whose words, and what would help.
//!
//! Reading never stops at the first mistake: everything that can be found is collected, so that an author mends a
//! file once.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::source::PolicySource;

/// Mistakes kept of one file; a text that has more of them is broken as a whole.
const LIMIT: usize = 100;

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file, as it was named to the compiler.
    pub file: String,
    /// The words in question, in bytes.
    pub span: Range<usize>,
    /// The line where they begin, from 1.
    pub line: usize,
    /// The column where they begin, in characters, from 1.
    pub column: usize,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence, lower case, without a final full stop.
    pub message: String,
    /// What would mend it.
    pub help: Option<String>,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The set does not compile.
    Error,
    /// The set compiles, and probably does not say what was meant.
    Warning,
}

impl Diagnostic {
    /// A mistake of the set as a whole, put at the start of its first file.
    pub(super) fn at_start(first: Option<&PolicySource>, message: String) -> Self {
        let file = first.map(|source| source.path.clone()).unwrap_or_default();
        Self { file, span: 0..0, line: 1, column: 1, severity: Severity::Error, message, help: None }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, severity, message, .. } = self;
        write!(formatter, "{file}:{line}:{column}: {severity}: {message}")?;
        if let Some(help) = &self.help {
            write!(formatter, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a set of policies; never empty, in the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes, if there are any.
    pub(super) fn of(mut found: Vec<Diagnostic>) -> Option<Self> {
        found.sort_by(|one, other| {
            (&one.file, one.span.start, &one.message).cmp(&(&other.file, other.span.start, &other.message))
        });
        // What an alias repeats is wrong once.
        found.dedup();
        (!found.is_empty()).then_some(Self(found))
    }

    /// A set that did not compile although nothing was noted: it must not be taken for a good one.
    pub(super) fn unexplained(first: Option<&PolicySource>) -> Self {
        Self(vec![Diagnostic::at_start(first, "this policy could not be compiled".to_owned())])
    }

    /// The mistakes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            diagnostic.fmt(formatter)?;
        }
        Ok(())
    }
}

/// Collects the mistakes of one file while it is read.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Notes a mistake with what would help against it.
    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.note(span, message.into(), Some(help.into()));
    }

    /// Notes a mistake that explains itself.
    pub(super) fn plain_error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.note(span, message.into(), None);
    }

    fn note(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        if self.found.len() >= LIMIT {
            return;
        }
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            span: start..end,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            severity: Severity::Error,
            message,
            help,
        });
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }
}

/// The nearest character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let text = "a: 1\nfür: ö: x\n";
        let mut notes = Collector::new("p.yaml", text);
        let at = text.find('x').unwrap();
        notes.error(&(at..at + 1), "`x` is wrong", "write y");
        let found = Diagnostics::of(notes.finish()).unwrap();
        assert_eq!(found.to_string(), "p.yaml:2:9: error: `x` is wrong\n  help: write y");
    }

    #[test]
    fn a_span_inside_a_character_or_behind_the_end_is_moved_to_a_boundary() {
        let mut notes = Collector::new("p.yaml", "ö");
        notes.plain_error(&(1..99), "odd");
        assert_eq!(notes.finish()[0].span, 0..2);
    }
}
