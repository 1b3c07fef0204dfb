//! Where a part of an expression stands in the policy's file.
//!
//! YAML may have quoted, escaped or indented the text: what it made of the words is followed back, character by character.
//! Where that can't be done (folded lines, aliases), the whole value is the place.

use std::ops::Range;

/// Maps places of a scalar's text to places of the file.
#[derive(Debug)]
pub(super) struct Place {
    whole: Range<usize>,
    /// For each byte of the text, and for its end, the byte of the file.
    bytes: Option<Vec<usize>>,
}

impl Place {
    /// `span` is where the scalar stands in `file`, `text` what YAML made of it.
    pub(super) fn new(file: &str, span: &Range<usize>, text: &str) -> Self {
        let raw = file.get(span.clone()).unwrap_or_default();
        let bytes = follow(raw, text).map(|bytes| bytes.iter().map(|at| span.start + at).collect());
        Self { whole: span.clone(), bytes }
    }

    pub(super) fn of(&self, part: &Range<usize>) -> Range<usize> {
        let at = |offset| self.bytes.as_ref().and_then(|bytes| bytes.get(offset).copied());
        match (at(part.start), at(part.end)) {
            (Some(start), Some(end)) if start <= end => start..end,
            _ => self.whole.clone(),
        }
    }
}

/// The byte of `raw` for each byte of `text` and for its end; none where the two can't be brought together.
fn follow(raw: &str, text: &str) -> Option<Vec<usize>> {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    let mut written = Written::new(raw, text)?;
    for letter in text.chars() {
        let at = written.take(letter)?;
        bytes.extend(std::iter::repeat_n(at, letter.len_utf8()));
    }
    bytes.push(written.at);
    Some(bytes)
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal { indent: usize },
}

struct Written<'a> {
    raw: &'a str,
    at: usize,
    style: Style,
    /// Whether the next character begins a line of a literal block.
    line_start: bool,
}

impl<'a> Written<'a> {
    fn new(raw: &'a str, text: &str) -> Option<Self> {
        let (style, at) = match raw.chars().next()? {
            '\'' => (Style::SingleQuoted, 1),
            '"' => (Style::DoubleQuoted, 1),
            '|' => {
                let first = raw.find('\n')? + 1;
                let line = raw.get(first..)?.lines().find(|line| !line.trim().is_empty())?;
                let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
                let kept = text.lines().find(|line| !line.trim().is_empty()).map_or(0, spaces);
                (Style::Literal { indent: spaces(line).checked_sub(kept)? }, first)
            }
            _ => (Style::Plain, 0),
        };
        Some(Self { raw, at, style, line_start: true })
    }

    /// Where a character of the text is written; none if something else stands there.
    fn take(&mut self, letter: char) -> Option<usize> {
        if let Style::Literal { indent } = self.style
            && self.line_start
        {
            let line = self.raw.get(self.at..)?;
            self.at += (line.len() - line.trim_start_matches(' ').len()).min(indent);
        }
        let at = self.at;
        let mut rest = self.raw.get(at..)?.chars();
        let (mut read, mut length) = match rest.next() {
            Some(first) => (first, first.len_utf8()),
            // The last line break of a block belongs to the text, though the span may end before it.
            None if letter == '\n' => return Some(at),
            None => return None,
        };
        if (self.style == Style::SingleQuoted && read == '\'')
            || (self.style == Style::DoubleQuoted && read == '\\')
        {
            let second = rest.next()?;
            length += second.len_utf8();
            read = match second {
                'n' if read == '\\' => '\n',
                't' if read == '\\' => '\t',
                other => other,
            };
        }
        if read != letter {
            return None;
        }
        self.at += length;
        self.line_start = letter == '\n';
        Some(at)
    }
}
