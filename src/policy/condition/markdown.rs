//! The little of Markdown that a description is read by: lines without comments, fenced code told apart, task items, headings,
//! and lines that begin with a word and a colon.
//!
//! What a reader of the page does not see as such must not count: a template's instructions in `<!-- -->`, and an example in
//! a code block.

/// A line as a reader sees it, comments taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether it stands in a fenced code block, whose fences are lines of it.
    pub(super) is_code: bool,
}

/// An item of a task list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task<'a> {
    /// Whether it is ticked, or marked as inapplicable.
    pub(super) is_settled: bool,
    pub(super) text: &'a str,
}

/// A heading, written with `#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading<'a> {
    /// 1 to 6; a smaller number is a higher level.
    pub(super) level: usize,
    pub(super) text: &'a str,
}

/// The lines of a text.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut read = Vec::new();
    let (mut fence, mut in_comment) = (None, false);
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        if let Some((sign, length)) = fence {
            if is_end_of_fence(line, sign, length) {
                fence = None;
            }
            read.push(Line { text: line.to_owned(), is_code: true });
            continue;
        }
        if !in_comment {
            fence = start_of_fence(line);
        }
        if fence.is_some() {
            read.push(Line { text: line.to_owned(), is_code: true });
            continue;
        }
        let paragraph = rest.clone().take_while(|line| !line.trim().is_empty());
        let ends_in_paragraph = || paragraph.clone().any(|line| line.contains("-->"));
        let text = without_comments(line, &mut in_comment, ends_in_paragraph);
        read.push(Line { text, is_code: false });
    }
    read
}

/// What stands behind `word:` on each line that begins so, in any case and perhaps as an item of a list.
pub(super) fn lines_of(word: &str, text: &str) -> Vec<String> {
    let behind = |line: &Line| {
        let text = line.text.trim();
        let text = behind_bullet(text).unwrap_or(text);
        let (head, value) = text.split_once(':')?;
        head.trim().eq_ignore_ascii_case(word).then(|| value.trim().to_owned())
    };
    lines(text).iter().filter(|line| !line.is_code).filter_map(behind).collect()
}

/// GitLab: `- [ ]`, `* [x]`, `+ [~]`, `1. [ ]`, `1) [ ]`, at any depth and in quotations.
pub(super) fn task(line: &str) -> Option<Task<'_>> {
    let mut rest = line.trim_start();
    while let Some(quoted) = rest.strip_prefix('>') {
        rest = quoted.trim_start();
    }
    let (mark, text) = behind_bullet(rest)?.strip_prefix('[')?.split_once(']')?;
    let is_settled = match mark {
        " " | "\u{a0}" => false,
        "x" | "X" | "~" => true,
        _ => return None,
    };
    (text.is_empty() || text.starts_with(char::is_whitespace)).then(|| Task { is_settled, text: text.trim() })
}

pub(super) fn heading(line: &str) -> Option<Heading<'_>> {
    let indented = line.len() - line.trim_start_matches(' ').len();
    let rest = line.trim_start_matches(' ').trim_end();
    let text = rest.trim_start_matches('#');
    let level = rest.len() - text.len();
    let is_heading =
        indented < 4 && (1..=6).contains(&level) && (text.is_empty() || text.starts_with([' ', '\t']));
    is_heading.then(|| Heading { level, text: text.trim_end_matches('#').trim() })
}

/// Whether a line is a bullet with nothing behind it.
pub(super) fn is_empty_item(line: &str) -> bool {
    matches!(line.trim(), "-" | "*" | "+")
}

/// What stands behind the sign of a list's item.
fn behind_bullet(text: &str) -> Option<&str> {
    let digits = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let numbered = (digits.len() < text.len()).then(|| digits.strip_prefix(['.', ')'])).flatten();
    let rest = text.strip_prefix(['-', '*', '+']).or(numbered)?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
}

/// GitLab: what stands behind backticks on the line of the fence has no backtick itself, else it is code within a line.
fn start_of_fence(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    ['`', '~'].into_iter().find_map(|sign| {
        let rest = line.trim_start_matches(sign);
        let length = line.len() - rest.len();
        (length >= 3 && !(sign == '`' && rest.contains('`'))).then_some((sign, length))
    })
}

fn is_end_of_fence(line: &str, sign: char, length: usize) -> bool {
    let line = line.trim();
    line.len() >= length && line.trim_start_matches(sign).is_empty()
}

/// The line without what stands in comments. One that begins within a line must end in the same paragraph, one that begins the
/// line goes on to its end wherever that is.
fn without_comments(line: &str, in_comment: &mut bool, ends_in_paragraph: impl Fn() -> bool) -> String {
    let mut shown = String::new();
    let mut rest = line;
    loop {
        if *in_comment {
            let Some((_, behind)) = rest.split_once("-->") else { return shown };
            *in_comment = false;
            rest = behind;
        }
        let Some((before, behind)) = rest.split_once("<!--") else {
            shown.push_str(rest);
            return shown;
        };
        shown.push_str(before);
        if !behind.contains("-->") && !shown.trim().is_empty() && !ends_in_paragraph() {
            shown.push_str("<!--");
            shown.push_str(behind);
            return shown;
        }
        *in_comment = true;
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        lines(text).into_iter().filter(|line| !line.is_code).map(|line| line.text).collect()
    }

    #[test]
    fn comments_are_taken_out_wherever_they_end() {
        assert_eq!(shown("a <!-- b --> c <!-- d -->"), ["a  c "]);
        assert_eq!(shown("<!-- a\n\nb\n--> c\nd"), ["", "", "", " c", "d"]);
        assert_eq!(shown("a <!-- b\nc --> d"), ["a ", " d"]);
        assert_eq!(shown("`<!--` begins one\n\nb -->"), ["`<!--` begins one", "", "b -->"]);
        assert_eq!(shown("<!-- never closed\n\na"), ["", "", ""]);
    }

    #[test]
    fn fenced_code_is_told_apart() {
        assert_eq!(shown("a\n```sh\nb\n~~~\n```\nc"), ["a", "c"]);
        assert_eq!(shown("~~~~\na\n~~~\nb\n~~~~~\nc"), ["c"]);
        assert_eq!(shown("```a``` is code in a line\nb"), ["```a``` is code in a line", "b"]);
        assert_eq!(shown("```\n<!--\n```\na"), ["a"], "a comment does not begin in code");
        assert_eq!(shown("<!--\n```\n-->\na"), ["", "", "", "a"], "nor code in a comment");
    }

    #[test]
    fn task_items_are_gitlabs() {
        for open in
            ["- [ ] a", "* [ ] a", "+ [ ] a", "1. [ ] a", "12) [ ] a", "   - [ ] a", "> > - [ ] a", "- [ ]"]
        {
            assert_eq!(task(open).map(|task| task.is_settled), Some(false), "{open}");
        }
        for settled in ["- [x] a", "- [X] a", "- [~] a"] {
            assert_eq!(task(settled), Some(Task { is_settled: true, text: "a" }), "{settled}");
        }
        for other in ["[ ] a", "-[ ] a", "- [] a", "- [y] a", "- [ ](link)", "- a [ ]", "ö", ". [ ] a"] {
            assert_eq!(task(other), None, "{other}");
        }
    }

    #[test]
    fn headings_have_a_level() {
        assert_eq!(heading("## Risk ##"), Some(Heading { level: 2, text: "Risk" }));
        assert_eq!(heading("  # A # b"), Some(Heading { level: 1, text: "A # b" }));
        assert_eq!(heading("#"), Some(Heading { level: 1, text: "" }));
        for other in ["#12", "    # a", "####### a", "a # b", ""] {
            assert_eq!(heading(other), None, "{other}");
        }
    }

    #[test]
    fn a_line_is_known_by_its_word() {
        let text = "Depends-On: !1\n- depends-on : !2\n<!-- Depends-On: !3 -->\n```\nDepends-On: !4\n```\nIt Depends-On: !5";
        assert_eq!(lines_of("Depends-On", text), ["!1", "!2"]);
    }
}
