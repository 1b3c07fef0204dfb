//! Several words in one sentence, each between backticks.

/// `a`, `b`, `c`.
pub(super) fn list(words: &[impl AsRef<str>]) -> String {
    joined(words, ", ")
}

/// `a` or `b` or `c`.
pub(super) fn alternatives(words: &[impl AsRef<str>]) -> String {
    joined(words, " or ")
}

/// The same with other words between them.
pub(super) fn joined(words: &[impl AsRef<str>], joint: &str) -> String {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(joint)
}
