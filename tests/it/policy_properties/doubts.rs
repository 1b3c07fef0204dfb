//! What people left unclear: an approval that nobody can date, a commit email of nobody, words that somebody may have
//! changed. Whatever it turns out to be, it never overturns what was settled before.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use countersign::policy::fact::{Code, Comment};
use countersign::policy::{Evaluation, RuleState, Verdict};
use proptest::prelude::*;

use super::{
    LEAVES, Mask, NOTHING_HIDDEN, RuleTree, World, at, distinct_rules, distinct_set, otherwise, set_of,
    states, tree_of, uncured, world,
};

/// Stands for a veto that is longer than what is kept of a comment.
pub(super) const LONG_VETO: &str = "veto, at length";

/// Which things are unclear: each bit covers those whose hash falls on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cloud {
    bits: u16,
    /// Whether it covers commit emails: a policy may say that they don't matter.
    emails_matter: bool,
}

impl Cloud {
    pub(super) fn covers(self, kind: &str, which: impl Hash) -> bool {
        (self.emails_matter || kind != "email") && self.bits >> (hash((kind, which)) % 16) & 1 == 1
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

impl World {
    /// A comment as it shows; none where it turned out that its author never said it.
    pub(super) fn clouded_comment(&self, mut comment: Comment) -> Option<Comment> {
        let is_veto = comment.body.as_deref().is_some_and(|body| body.starts_with("veto"));
        let is_long = comment.body.as_deref() == Some(LONG_VETO);
        if is_long {
            comment.body = Some(format!("{LONG_VETO}{}", "!".repeat(Comment::LONGEST_BODY)));
        }
        let draw = hash(("of the comment", self.seed, comment.id));
        if self.cleared.covers("comment", comment.id) && draw.is_multiple_of(8) {
            return None;
        }
        if self.unclear.covers("comment", comment.id) {
            match draw % 3 {
                _ if is_long => comment.body = None,
                0 if is_veto => comment.is_active = false,
                1 => comment.body = comment.body.map(|body| format!("> what?\n\n{body}")),
                _ => comment.updated_at = at(100),
            }
        }
        Some(comment)
    }

    /// A change as GitLab lists it: perhaps without all of the files, or without a text.
    pub(super) fn clouded_code(&self, mut code: Code) -> Code {
        if self.unclear.covers("list", code.version) && code.files.pop().is_some() {
            code.complete = false;
        }
        if self.unclear.covers("text", code.version)
            && let Some(file) = code.files.first_mut()
        {
            file.hunks_sha256 = None;
        }
        code
    }
}

/// The same world before and after people made it plain; where a policy says that emails of nobody don't matter, it shall not
/// matter whose they turn out to be.
fn before_and_after(world: &World, bits: u16, emails_matter: bool) -> (World, World) {
    let cloud = Cloud { bits, emails_matter };
    (World { unclear: cloud, ..world.clone() }, World { cleared: cloud, ..world.clone() })
}

/// What was settled for each rule is so still.
fn keeps(before: &Evaluation, after: &Evaluation) -> Result<(), TestCaseError> {
    let after_states: BTreeMap<_, _> = states(after);
    for (id, state) in states(before) {
        let now = after_states[&id];
        match state {
            // It was met whether it applies or not.
            RuleState::Passed => {
                prop_assert!(matches!(now, RuleState::Passed | RuleState::Skipped), "{id}: {now:?}");
            }
            RuleState::Violated | RuleState::Skipped => prop_assert_eq!(now, state, "{}", id),
            RuleState::Waiting | RuleState::Unknown { .. } => {}
        }
    }
    match before.verdict {
        Verdict::Passed | Verdict::Failed => prop_assert_eq!(after.verdict, before.verdict),
        Verdict::Waiting | Verdict::UndecidedCurable | Verdict::UndecidedIncurable => {}
    }
    Ok(())
}

/// Rules of conditions that hang on what people said, and a few others.
fn rules() -> impl Strategy<Value = Vec<RuleTree>> {
    let said = ["approvals", "vetoes", "code_owners", "draft", "target_branch"];
    let is_said = |leaf: &&str| said.iter().any(|word| leaf.starts_with(word));
    let places: Vec<_> =
        LEAVES.iter().enumerate().filter(|(_, leaf)| is_said(leaf)).map(|(place, _)| place).collect();
    let tree = || tree_of(prop::sample::select(places.clone()));
    prop::collection::vec((prop::option::of(tree()), tree()), 1..3)
}

fn emails_matter(rules: &[RuleTree]) -> bool {
    let text = |(when, require): &RuleTree| {
        [when.as_ref().map(super::Tree::yaml).unwrap_or_default(), require.yaml()].concat()
    };
    rules.iter().all(|rule| !text(rule).contains("unmatched"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_people_make_plain_never_overturns(
        rules in rules(), otherwise in otherwise(), world in world(), bits in any::<u16>(), mask in any::<u16>(),
    ) {
        let (unclear, plain) = before_and_after(&world, bits, emails_matter(&rules));
        let set = set_of(&rules, otherwise);
        let after = plain.decide(&set, NOTHING_HIDDEN);
        keeps(&unclear.decide(&set, NOTHING_HIDDEN), &after)?;
        keeps(&unclear.decide(&set, Mask(mask)), &after)?;
    }

    #[test]
    fn what_is_unclear_is_asked_for_as_little_as_all_the_rest(
        rules in rules(), otherwise in otherwise(), world in world(), bits in any::<u16>(), mask in any::<u16>(),
    ) {
        let (unclear, _) = before_and_after(&world, bits, true);
        let set = set_of(&rules, otherwise);
        let (lazy, eager) = (unclear.decide(&set, NOTHING_HIDDEN), unclear.decide_knowing_all(&set));
        prop_assert_eq!(uncured(states(&lazy)), uncured(states(&eager)));
        if unclear.decide(&set, Mask(mask)).verdict == Verdict::Waiting {
            prop_assert_ne!(lazy.verdict, Verdict::Passed, "what could not be had would have let it pass");
        }
    }

    #[test]
    fn different_approvers_in_doubt_never_overturn(
        rules in distinct_rules(), world in world(), bits in any::<u16>(), mask in any::<u16>(),
    ) {
        let world = World { draft: false, ..world };
        let (unclear, plain) = before_and_after(&world, bits, false);
        let set = distinct_set(&rules, false);
        let after = plain.decide(&set, NOTHING_HIDDEN);
        let before = unclear.decide(&set, NOTHING_HIDDEN);
        prop_assert_eq!(uncured(states(&before)), uncured(states(&unclear.decide_knowing_all(&set))));
        keeps(&before, &after)?;
        keeps(&unclear.decide(&set, Mask(mask)), &after)?;
    }
}
