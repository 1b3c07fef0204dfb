//! The verdicts in words: a commit status's sentence, and the text of the note.
//!
//! Never in it: secrets (facts hold none), diff text, and rules in the shadow, which authors are not shown.

use sha2::{Digest, Sha256};

use crate::decision::NOTE_MARKER;
use crate::policy::evaluation::{Enforce, RuleEvaluation, RuleState};

use super::markdown::{clip, text};
use super::standing::{CheckStanding, Standing};

/// GitLab takes no longer description of a commit status, in characters.
const LONGEST_DESCRIPTION: usize = 255;
/// How many rules of a check are shown one by one.
const RULES_SHOWN: usize = 50;
/// How many remedies of a rule are shown.
const REMEDIES_SHOWN: usize = 10;
/// How long a sentence in the note may be, in characters.
const LONGEST_SENTENCE: usize = 500;
/// From which length on no rule is added to the note, in bytes: well below GitLab's million.
const LONG_NOTE: usize = 60_000;
/// What stands before the commit, which is no part of what the note says.
const SINCE: &str = "\n\nSo since commit ";

/// The verdict in one sentence.
pub(super) fn description(check: &CheckStanding<'_>) -> String {
    let words: Vec<_> = check.evaluation.summary.split_whitespace().collect();
    clip(&words.join(" "), LONGEST_DESCRIPTION)
}

/// The text of the note.
pub(super) fn note(standing: &Standing<'_>) -> String {
    let mut note = format!("{NOTE_MARKER}\n**countersign: {}**\n", standing.state().as_str());
    for check in &standing.checks {
        write_check(check, &mut note);
    }
    format!("{}{SINCE}`{}`.", note.trim_end(), standing.sha.short())
}

/// What a note says, without the commit that it was said for, as a digest.
pub(super) fn essence(note: &str) -> String {
    let essence = note.rsplit_once(SINCE).map_or(note, |(essence, _)| essence);
    hex::encode(Sha256::digest(essence))
}

fn write_check(check: &CheckStanding<'_>, note: &mut String) {
    let summary = text(&clip(&check.evaluation.summary, LONGEST_SENTENCE));
    note.extend(["\n`", check.name.as_str(), "`: ", &summary, "\n\n"]);
    let shown = |rule: &&RuleEvaluation| rule.enforce != Enforce::Shadow && rule.state != RuleState::Skipped;
    let rules: Vec<_> =
        check.evaluation.policies.iter().flat_map(|policy| &policy.rules).filter(shown).collect();
    for (index, rule) in rules.iter().enumerate() {
        // Between rules alone: what is cut within one could end outside of its code.
        if index == RULES_SHOWN || note.len() > LONG_NOTE {
            note.extend(["- and ", &(rules.len() - index).to_string(), " more\n"]);
            return;
        }
        write_rule(rule, note);
    }
}

fn write_rule(rule: &RuleEvaluation, note: &mut String) {
    let state = match rule.state {
        RuleState::Passed | RuleState::Skipped => "met",
        RuleState::Violated => "not met",
        RuleState::Waiting => "waiting",
        RuleState::Unknown { .. } => "not known",
    };
    let warning = if rule.enforce == Enforce::Warn { " (a warning)" } else { "" };
    let name = text(&clip(&rule.name, LONGEST_SENTENCE));
    note.extend(["- **", state, "**", warning, " ", &name]);
    if rule.state == RuleState::Passed {
        note.push('\n');
        return;
    }
    note.extend([": ", &text(&clip(rule.why(), LONGEST_SENTENCE)), "\n"]);
    for remedy in rule.remedies.iter().take(REMEDIES_SHOWN) {
        note.extend(["  - ", &text(&clip(&remedy.advice(), LONGEST_SENTENCE)), "\n"]);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::standing::{Approves, Word};
    use super::*;
    use crate::merge_request::{CheckName, CommitSha};
    use crate::policy::evaluation::{Evaluation, PolicyEvaluation, Reason, Remedy, Truth, Verdict};

    fn rule(name: &str, enforce: Enforce, state: RuleState, sentence: &str) -> RuleEvaluation {
        let truth = if state == RuleState::Passed { Truth::True } else { Truth::Waiting };
        let require =
            Reason { condition: "title".to_owned(), truth, sentence: sentence.to_owned(), parts: Vec::new() };
        let approve = Remedy::Approve { missing: 1, from: vec!["@bea".to_owned()] };
        let remedies = if state == RuleState::Passed { Vec::new() } else { vec![approve] };
        let (id, name) = (name.to_owned(), name.to_owned());
        RuleEvaluation { id, name, enforce, state, when: None, require: Some(require), remedies }
    }

    fn standing(rules: Vec<RuleEvaluation>, digit: &str) -> Standing<'static> {
        let policies = vec![PolicyEvaluation { policy: "p".to_owned(), rules }];
        let evaluation = Evaluation {
            verdict: Verdict::Waiting,
            summary: "waiting: review: 1 more".to_owned(),
            policies,
            recheck_at: None,
        };
        let (name, evaluation) = (CheckName::default(), Cow::Owned(evaluation));
        Standing {
            sha: CommitSha::parse(&digit.repeat(40)).unwrap(),
            source: None,
            checks: vec![CheckStanding { name, word: Word::Pending, evaluation }],
            seen: None,
            approves: Approves::Unread,
        }
    }

    #[test]
    fn the_note_says_what_is_missing_and_who_can_give_it() {
        let rules = vec![
            rule("title", Enforce::Block, RuleState::Passed, "the title fits"),
            rule("review", Enforce::Block, RuleState::Waiting, "0 of 1 approvals needed"),
            rule("size", Enforce::Warn, RuleState::Violated, "too large"),
            rule("secret", Enforce::Shadow, RuleState::Violated, "in the shadow"),
            rule("other", Enforce::Block, RuleState::Skipped, "does not apply"),
        ];
        insta::assert_snapshot!(note(&standing(rules, "a")).replace('\u{200b}', "·"), @r"
        <!-- countersign:merge-request -->
        **countersign: waiting**

        `countersign`: waiting\: review\: 1 more

        - **met** title
        - **waiting** review: 0 of 1 approvals needed
          - 1 more approval by \@·bea
        - **not met** (a warning) size: too large
          - 1 more approval by \@·bea

        So since commit `aaaaaaaa`.
        ");
    }

    #[test]
    fn the_commit_is_no_part_of_what_it_says() {
        let rules = || vec![rule("review", Enforce::Block, RuleState::Waiting, "0 of 1")];
        let (one, other) = (note(&standing(rules(), "a")), note(&standing(rules(), "b")));
        assert_ne!(one, other);
        assert_eq!(essence(&one), essence(&other));
    }

    #[test]
    fn thousands_of_rules_do_not_make_an_endless_note() {
        let long = "@all ".repeat(10_000);
        let rules = (0..1000).map(|_| rule(&long, Enforce::Block, RuleState::Waiting, &long)).collect();
        let note = note(&standing(rules, "a"));
        assert!(note.len() < 2 * LONG_NOTE, "{}", note.len());
        assert!(note.contains(" more\n"));
        assert!(note.ends_with("So since commit `aaaaaaaa`."));
    }
}
