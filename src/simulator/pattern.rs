//! `*` stands for any text, slashes included: protected branches and the routes of faults are named so.

/// Whether `text` as a whole fits `pattern`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(head) else { return false };
    tail.char_indices()
        .map(|(index, _)| index)
        .chain([tail.len()])
        .any(|index| tail.get(index..).is_some_and(|remainder| fits(rest, remainder)))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_crosses_slashes_and_everything_else_is_literal() {
        for (pattern, text) in
            [("main", "main"), ("release/*", "release/1/2"), ("*", ""), ("*-stable", "1-stable")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("main", "main2"), ("release/*", "release"), ("a*c", "ab"), ("m.in", "main")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
