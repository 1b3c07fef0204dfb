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
        Self { whole: span.clone(), bytes: follow(file, span, text) }
    }

    pub(super) fn of(&self, part: &Range<usize>) -> Range<usize> {
        let at = |offset| self.bytes.as_ref().and_then(|bytes| bytes.get(offset).copied());
        match (at(part.start), at(part.end)) {
            (Some(start), Some(end)) if start <= end => start..end,
            _ => self.whole.clone(),
        }
    }
}

/// The byte of the file for each byte of `text` and for its end; none where the two can't be brought together.
fn follow(file: &str, span: &Range<usize>, text: &str) -> Option<Vec<usize>> {
    let styles = [
        bare(file, span, text)?,
        (Style::SingleQuoted, span.start + 1),
        (Style::DoubleQuoted, span.start + 1),
    ];
    // A block may begin with a quote of its own, so the quotes are tried last.
    styles.into_iter().find_map(|(style, at)| {
        let line_start = at < span.start;
        let mut written = Written { file: file.get(..span.end)?, at, style, line_start };
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for letter in text.chars() {
            let at = written.take(letter)?;
            bytes.extend(std::iter::repeat_n(at, letter.len_utf8()));
        }
        bytes.push(written.at);
        Some(bytes)
    })
}

/// How a scalar without quotes would be written, and where it begins.
fn bare(file: &str, span: &Range<usize>, text: &str) -> Option<(Style, usize)> {
    let line = file.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let has_line_of_its_own = file.get(line..span.start)?.trim().is_empty();
    // A block's first line may begin with spaces that belong to the text.
    let indent = spaces(file.get(line..)?).saturating_sub(spaces(text));
    Some((Style::Bare { indent }, if has_line_of_its_own { line } else { span.start }))
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    SingleQuoted,
    DoubleQuoted,
    /// On one line, or on lines of its own whose first columns do not belong to it.
    Bare {
        indent: usize,
    },
}

struct Written<'a> {
    /// The file up to the scalar's end.
    file: &'a str,
    at: usize,
    style: Style,
    /// Whether the next character begins a line of a block.
    line_start: bool,
}

impl Written<'_> {
    /// Where a character of the text is written; none if something else stands there.
    fn take(&mut self, letter: char) -> Option<usize> {
        if let Style::Bare { indent } = self.style
            && self.line_start
        {
            self.at += spaces(self.file.get(self.at..)?).min(indent);
        }
        let at = self.at;
        let mut rest = self.file.get(at..)?.chars();
        let (mut read, mut length) = match rest.next() {
            Some(first) => (first, first.len_utf8()),
            // The last line break of a block belongs to the text, though the span may end before it.
            None if letter == '\n' => return Some(at),
            None => return None,
        };
        let escape = match self.style {
            Style::SingleQuoted => read == '\'',
            Style::DoubleQuoted => read == '\\',
            Style::Bare { .. } => false,
        };
        if escape {
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

fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}
