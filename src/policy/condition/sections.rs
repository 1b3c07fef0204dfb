//! `sections`: whether something is written below headings of a description.

use super::markdown::{Line, heading, is_empty_item, lines, task};
use super::vocabulary::TEXTS;
use crate::policy::document::Node;
use crate::schema::{Key, Shape, Table};

/// Below which headings.
pub(super) const SECTIONS: Shape = Shape::Mapping(&SECTIONS_TABLE);

static SECTIONS_TABLE: Table = Table {
    name: "sections",
    doc: "Below these headings, written with `#` at any level, something is written.",
    hint: Some(
        "write `sections: {all: […]}` if every one must be there, or `sections: {any: […]}` if one is enough",
    ),
    keys: &[
        Key::new("all", TEXTS, "Something is written below each of these headings."),
        Key::new("any", TEXTS, "Something is written below at least one of these headings."),
    ],
};

/// The headings below which something must be written.
#[derive(Debug, Clone)]
pub(super) struct Sections {
    all: Vec<String>,
    any: Vec<String>,
}

impl Sections {
    pub(super) fn build(node: &Node) -> Option<Self> {
        let headings = |key| -> Vec<String> {
            let words = node.get(key).map(Node::all_words).unwrap_or_default();
            words.iter().map(|words| words.text.to_owned()).collect()
        };
        let sections = Self { all: headings("all"), any: headings("any") };
        (!sections.all.is_empty() || !sections.any.is_empty()).then_some(sections)
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        let lines = lines(text);
        let written = |heading: &String| state(&lines, heading) == State::Written;
        self.all.iter().all(written) && (self.any.is_empty() || self.any.iter().any(written))
    }

    pub(super) fn describe(&self) -> String {
        let quoted = |headings: &[String], joint: &str| {
            headings.iter().map(|heading| format!("`{heading}`")).collect::<Vec<_>>().join(joint)
        };
        let all = (!self.all.is_empty()).then(|| quoted(&self.all, " and "));
        let any = (!self.any.is_empty()).then(|| quoted(&self.any, " or "));
        let both: Vec<_> = all.into_iter().chain(any).collect();
        format!("says something below the heading {}", both.join(" and below "))
    }

    /// What is wrong with each heading.
    pub(super) fn gaps(&self, text: &str) -> Vec<String> {
        let lines = lines(text);
        let none_of_any = !self.any.iter().any(|heading| state(&lines, heading) == State::Written);
        let any = self.any.iter().filter(|_| none_of_any);
        let gap = |heading: &String| match state(&lines, heading) {
            State::Written => None,
            State::Empty => Some(format!("nothing stands below `{heading}`")),
            State::Absent => Some(format!("there is no heading `{heading}`")),
        };
        self.all.iter().chain(any).filter_map(gap).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Empty,
    Written,
}

/// How far a section is; of several with one heading the best counts.
fn state(lines: &[Line], wanted: &str) -> State {
    let mut state = State::Absent;
    let mut inside: Option<usize> = None;
    for line in lines {
        let heading = if line.is_code { None } else { heading(&line.text) };
        match heading {
            Some(heading) if is_named(heading.text, wanted) => {
                inside = Some(inside.map_or(heading.level, |level| level.min(heading.level)));
                if state == State::Absent {
                    state = State::Empty;
                }
            }
            // A heading below says nothing yet, and belongs to the section.
            Some(heading) => inside = inside.filter(|level| heading.level > *level),
            None if inside.is_some() && says_something(line) => state = State::Written,
            None => {}
        }
    }
    state
}

/// In any case, and whatever is bold or followed by a colon.
fn is_named(heading: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.trim_matches(['*', '_', '`', ':', ' ']).to_lowercase();
    plain(heading) == plain(wanted)
}

/// What was meant to be filled in and is not says nothing.
fn says_something(line: &Line) -> bool {
    let is_placeholder =
        || is_empty_item(&line.text) || task(&line.text).is_some_and(|task| !task.is_settled);
    !line.text.trim().is_empty() && (line.is_code || !is_placeholder())
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::Truth;
    use crate::policy::example::{facts, mistakes, reason, truth};

    const BOTH: &str = "{description: {sections: {all: [Risk, Rollback]}}}";
    const ONE: &str = "{description: {sections: {any: [Risk, Rollback]}}}";

    fn described(text: &str) -> crate::policy::fact::Facts {
        let mut facts = facts();
        facts.merge_request.description = text.to_owned();
        facts
    }

    #[test]
    fn something_must_stand_below_each_heading() {
        for (text, both, one) in [
            ("## Risk\nnone\n## Rollback\nrevert", true, true),
            ("# risk:\nnone\n### **ROLLBACK** ##\nrevert", true, true),
            ("# Risk\n## Rollback\nrevert", true, true),
            ("## Rollback\n## Risk\nnone", false, true),
            ("## Risk\n<!-- what can go wrong? -->\n\n## Rollback\n- [ ] tried\n-\n", false, false),
            ("## Risk\n### Who\n## Rollback", false, false),
            ("## Risk\n- [x] none\n## Rollback\n```\ngit revert\n```", true, true),
            ("```\n## Risk\nnone\n```", false, false),
            ("<!--\n## Risk\nnone\n-->", false, false),
            ("## Risks\nnone", false, false),
            ("## Risk\n\n## Risk\nnone\n# Rollback\n\n# Other\nx", false, true),
        ] {
            let truth_of = |holds| if holds { Truth::True } else { Truth::Violated };
            assert_eq!(truth(BOTH, &described(text)), truth_of(both), "{text}");
            assert_eq!(truth(ONE, &described(text)), truth_of(one), "{text}");
        }
    }

    #[test]
    fn the_sentence_names_the_gaps() {
        insta::assert_snapshot!(reason(BOTH, &described("## Risk\n")).sentence, @"the description is not as required: it must be one that says something below the heading `Risk` and `Rollback`, nothing stands below `Risk`, there is no heading `Rollback`");
    }

    #[test]
    fn a_bare_list_is_refused_with_both_spellings() {
        let wrong = mistakes("policy: p\nrules: [{id: r, require: {description: {sections: [Risk]}}}]\n");
        assert!(wrong.contains("`sections: {all: […]}`"), "{wrong}");
    }
}
