//! Words for texts that are not even YAML, or that are YAML nobody meant.
//!
//! The characters `!`, `*`, `&` and `@` mean something to YAML at the start of a value and something else to people
//! who write globs and usernames: each of them gets its own sentence.

use std::ops::Range;

use super::diagnostic::Collector;

/// As much of a word as is shown.
const LONGEST_WORD: usize = 60;

/// Notes that the parser gave up at a byte.
pub(super) fn note(notes: &mut Collector<'_>, at: usize, info: &str) {
    let text = notes.text();
    let word = word_at(text, at);
    let shown = text.get(word.clone()).unwrap_or_default();
    match shown.chars().next() {
        Some('*') => notes.error(
            &word,
            format!("an unquoted `*` starts a YAML alias, and `{shown}` refers to nothing"),
            format!("put it in quotes: `\"{shown}\"`"),
        ),
        Some('&') => note_indicator(notes, &word, '&', "anchor", shown),
        Some('!') => note_indicator(notes, &word, '!', "tag", shown),
        Some('@' | '`') => notes.error(
            &word,
            format!("`{shown}` can't begin a value without quotes"),
            format!("put it in quotes: `\"{shown}\"`"),
        ),
        Some('\t') => notes.error(&word, "a tab can't indent YAML", "indent with spaces"),
        _ => notes.error(
            &word,
            format!("this is not YAML: {info}"),
            "check the indentation and the quotes around here",
        ),
    }
}

fn note_indicator(notes: &mut Collector<'_>, word: &Range<usize>, sign: char, what: &str, shown: &str) {
    notes.error(
        word,
        format!("an unquoted `{sign}` starts a YAML {what}"),
        format!("put it in quotes: `\"{shown}\"`"),
    );
}

/// Notes a tag in front of a value: `!docs/**` is one to YAML.
pub(super) fn note_tag(notes: &mut Collector<'_>, value: &Range<usize>, tag: &str) {
    let span = before(notes.text(), value, '!').unwrap_or_else(|| value.clone());
    note_indicator(notes, &span, '!', "tag", &tag.replace("tag:yaml.org,2002:", "!!"));
}

/// Notes an anchor that nothing refers to: most likely it was meant as text.
pub(super) fn note_unused_anchor(notes: &mut Collector<'_>, value: &Range<usize>) {
    let span = before(notes.text(), value, '&').unwrap_or_else(|| value.clone());
    let shown = notes.text().get(span.clone()).unwrap_or_default();
    notes.error(
        &span,
        format!("an unquoted `&` starts a YAML anchor, and nothing refers to `{shown}`"),
        "put the text in quotes, or take the anchor away",
    );
}

/// The word that begins with a sign, at a value or before it on its line.
fn before(text: &str, value: &Range<usize>, sign: char) -> Option<Range<usize>> {
    if text.get(value.start..)?.starts_with(sign) {
        return Some(word_at(text, value.start));
    }
    let head = text.get(..value.start)?;
    let line_start = head.trim_end().rfind('\n').map_or(0, |at| at + 1);
    let start = line_start + head.get(line_start..)?.rfind(sign)?;
    Some(word_at(text, start))
}

/// From a byte to the next space or bracket.
fn word_at(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.find([' ', '\n', '\r', ',', ']', '}']).unwrap_or(rest.len());
    let first = rest.chars().next().map_or(0, char::len_utf8);
    at..at + end.clamp(first, LONGEST_WORD.max(first)).min(rest.len())
}
