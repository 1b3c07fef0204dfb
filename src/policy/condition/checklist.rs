//! `checklist`: whether every task item of a description is ticked. Whoever takes the list away has ticked nothing.

use super::markdown::{lines, task};
use super::vocabulary::NUMBER_HINT;
use crate::policy::document::Node;
use crate::schema::{Key, Shape, Table};

/// How many open items a sentence names.
const SHOWN: usize = 3;
/// How much of an item's text it shows.
const SHOWN_CHARACTERS: usize = 60;

/// What is written: `ticked` (one item at least), or how many items there must be.
pub(super) const CHECKLIST: Shape =
    Shape::OneOf(&[Shape::Choice(&["ticked"]), Shape::Mapping(&CHECKLIST_TABLE)]);

static CHECKLIST_TABLE: Table = Table {
    name: "checklist",
    doc: "Every task item is ticked, and there are enough of them.",
    hint: NUMBER_HINT,
    keys: &[Key::required(
        "at_least",
        Shape::Number,
        "How many task items there must be; 0 lets there be none.",
    )],
};

/// Every item is ticked, and there are at least so many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checklist {
    at_least: u64,
}

impl Checklist {
    pub(super) fn build(node: &Node) -> Option<Self> {
        match node.words() {
            Some(words) => (words.text == "ticked").then_some(Self { at_least: 1 }),
            None => node.get("at_least")?.number().map(|at_least| Self { at_least }),
        }
    }

    pub(super) fn holds(self, text: &str) -> bool {
        let (count, open) = read(text);
        open.is_empty() && count >= self.at_least
    }

    pub(super) fn describe(self) -> String {
        match self.at_least {
            0 => "has every item of its checklist ticked".to_owned(),
            1 => "has a checklist with every item ticked".to_owned(),
            least => format!("has a checklist of at least {least} items, every one of them ticked"),
        }
    }

    /// The items that are open.
    pub(super) fn gaps(text: &str) -> Vec<String> {
        let (_, open) = read(text);
        let clipped = |text: &String| text.chars().take(SHOWN_CHARACTERS).collect::<String>();
        let mut gaps: Vec<_> =
            open.iter().take(SHOWN).map(|text| format!("`{}` is not ticked", clipped(text))).collect();
        if let Some(more) = open.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            gaps.push(format!("nor are {more} more"));
        }
        gaps
    }
}

/// How many items there are, and the texts of those that are not ticked.
fn read(text: &str) -> (u64, Vec<String>) {
    let lines = lines(text);
    let tasks: Vec<_> =
        lines.iter().filter(|line| !line.is_code).filter_map(|line| task(&line.text)).collect();
    let open = tasks.iter().filter(|task| !task.is_settled).map(|task| task.text.to_owned()).collect();
    (tasks.len() as u64, open)
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::Truth;
    use crate::policy::example::{facts, mistakes, reason, truth};

    const TICKED: &str = "{description: {checklist: ticked}}";

    fn described(text: &str) -> crate::policy::fact::Facts {
        let mut facts = facts();
        facts.merge_request.description = text.to_owned();
        facts
    }

    #[test]
    fn every_item_must_be_ticked() {
        assert_eq!(truth(TICKED, &described("- [x] a\n  * [~] b\n1. [X] c")), Truth::True);
        assert_eq!(truth(TICKED, &described("- [x] a\n- [ ] b")), Truth::Violated);
        let hidden = "- [x] a\n```\n- [ ] b\n```\n<!-- - [ ] c -->";
        assert_eq!(truth(TICKED, &described(hidden)), Truth::True);
        let some: Vec<_> = (1..=5).map(|number| format!("- [ ] item {number}\n")).collect();
        let some = some.concat();
        insta::assert_snapshot!(reason(TICKED, &described(&some)).sentence, @"the description is not as required: it must be one that has a checklist with every item ticked, `item 1` is not ticked, `item 2` is not ticked, `item 3` is not ticked, nor are 2 more");
    }

    #[test]
    fn no_list_is_no_ticked_list_unless_that_is_said() {
        const ANY: &str = "{description: {checklist: {at_least: 0}}}";
        const TWO: &str = "{description: {checklist: {at_least: 2}}}";
        for nothing in ["", "nothing to tick", "```\n- [x] a\n```"] {
            assert_eq!(truth(TICKED, &described(nothing)), Truth::Violated);
            assert_eq!(truth(ANY, &described(nothing)), Truth::True);
        }
        assert_eq!(truth(ANY, &described("- [ ] a")), Truth::Violated);
        assert_eq!(truth(TWO, &described("- [x] a")), Truth::Violated);
        assert_eq!(truth(TWO, &described("- [x] a\n- [x] b")), Truth::True);
        assert_eq!(truth(TWO, &described("- [x] a\n- [x] b\n- [ ] c")), Truth::Violated);
        let wrong = mistakes("policy: p\nrules: [{id: r, require: {description: {checklist: done}}}]\n");
        assert!(wrong.contains("`done` is no value of `checklist`"), "{wrong}");
    }
}
