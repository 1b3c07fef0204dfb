//! Foreign words in a note of ours: they are shown as they are and do nothing.
//!
//! GitLab makes mentions, references to issues, links, images and commands out of text. A title or a name must not notify
//! anybody, leave a trace in another issue, or load anything: in a note of ours it would do so in our name.

/// What follows one of these is a reference for GitLab (users, issues, merge requests, labels, milestones, snippets, epics,
/// alerts, iterations, vulnerabilities): some versions resolve escapes before they look for references.
const BEGIN_REFERENCES: &str = "@#!~%$&^*[";
/// Seen by nobody, and no part of any reference.
const NOTHING: char = '\u{200b}';

/// The words on one line, with what stands between backticks as code.
pub(super) fn text(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let pieces: Vec<&str> = words.split('`').collect();
    let last = pieces.len().saturating_sub(1);
    let mut text = String::with_capacity(words.len());
    for (index, piece) in pieces.iter().enumerate() {
        let (is_code, is_inner) = (index % 2 == 1 && index < last, index > 0 && index < last);
        match (is_code, piece.trim().is_empty()) {
            (true, false) => text.extend(["`", piece, "`"]),
            // Two codes without anything between them would be one.
            (_, true) if is_inner => text.push(NOTHING),
            (_, _) => {
                if index % 2 == 1 {
                    text.push_str("\\`");
                }
                escape(piece, &mut text);
            }
        }
    }
    text
}

fn escape(piece: &str, text: &mut String) {
    let mut characters = piece.chars().filter(|character| !character.is_control()).peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii_punctuation() {
            text.push('\\');
        }
        text.push(character);
        let is_address = character == ':' && characters.peek() == Some(&'/');
        if is_address || BEGIN_REFERENCES.contains(character) {
            text.push(NOTHING);
        }
    }
}

/// The first characters of a text that may be of any length.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What GitLab would find in a text after it resolved the escapes, outside of code.
    fn plain(markdown: &str) -> String {
        let outside: Vec<_> = markdown.split('`').step_by(2).collect();
        outside.join("").replace('\\', "")
    }

    #[test]
    fn code_stays_code_and_the_rest_says_nothing_to_gitlab() {
        assert_eq!(text("the title `a_b` is not *so*"), "the title `a_b` is not \\*\u{200b}so\\*\u{200b}");
        assert_eq!(text("@ana approves again"), "\\@\u{200b}ana approves again");
        assert_eq!(text("a ` b"), "a \\` b");
        assert_eq!(text("`a``b`"), "`a`\u{200b}`b`");
    }

    #[test]
    fn nobody_is_mentioned_nothing_is_referred_to_and_no_command_is_given() {
        let evil = [
            "@all",
            "`x`@all",
            "`` @all ``",
            "` @all",
            "a`b`c`@all`",
            "#12",
            "shop/web!3",
            "~bug",
            "%v1",
            "$7",
            "&4",
            "[vulnerability:1]",
            "![x](http://evil/x.png)",
            "https://evil.example/x",
            "<img src=x>",
            "*iteration:3",
            "\n/approve",
            "x\r\n/merge\r\n",
            "\u{2028}/close",
        ];
        for words in evil {
            let shown = plain(&text(words));
            for (at, _) in shown.match_indices(['@', '#', '!', '~', '%', '$', '&', '[', '*']) {
                assert_eq!(
                    shown.get(at + 1..).and_then(|after| after.chars().next()),
                    Some(NOTHING),
                    "{words:?} is {shown:?}"
                );
            }
            assert!(!shown.contains("://"), "{words:?} is {shown:?}");
            assert!(!text(words).contains(['\n', '\r']), "{words:?}");
        }
        assert_eq!(text("<b>"), "\\<b\\>");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äö…");
    }
}
