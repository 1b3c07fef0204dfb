//! Vetoes by example: whose stand, what takes them back, what is asked and what is not.

use crate::merge_request::UserId;
use crate::policy::evaluation::{Remedy, RuleState, Truth};
use crate::policy::example::{
    AUTHOR, approval, at, award, comment, facts, mistakes, needs, reason, remedies, state, truth, unknown,
    user,
};
use crate::policy::fact::{AccessLevel, Approval, Award, Comment, FactKey, Facts, Known, Reviewer};

const NONE: &str = "{vetoes: {at_most: 0}}";
const BY_WORDS: &str =
    "{vetoes: {by: [{comment: veto}, {emoji: thumbsdown}], revoked_by: [approval, {comment: unveto}]}}";

fn reviewed(states: &[(u64, &str)]) -> Facts {
    let reviewer = |(id, state): &(u64, &str)| Reviewer { user: user(*id), state: (*state).to_owned() };
    let mut facts = facts();
    facts.reviewers = Some(Known::Value(states.iter().map(reviewer).collect()));
    facts.project_members = (1..5).map(|id| (UserId::new(id), Known::Value(Some(AccessLevel(20))))).collect();
    facts
}

fn said(comments: Vec<Comment>, awards: Vec<Award>) -> Facts {
    let mut facts = reviewed(&[]);
    facts.comments = Some(Known::Value(comments));
    facts.awards = Some(Known::Value(awards));
    facts.approvals = Some(Known::Value(vec![]));
    facts
}

#[test]
fn a_request_for_changes_stands_until_the_review_says_otherwise() {
    assert_eq!(needs(NONE, &facts()), [FactKey::Reviewers]);
    assert_eq!(truth(NONE, &reviewed(&[(2, "reviewed"), (3, "approved")])), Truth::True);
    let facts = reviewed(&[(2, "requested_changes"), (3, "unreviewed")]);
    let found = reason(NONE, &facts);
    assert_eq!(
        (found.truth, found.sentence.as_str()),
        (Truth::Waiting, "1 veto: @ana by request for changes")
    );
    let by = vec!["an approval, or another review".to_owned()];
    assert_eq!(remedies(NONE, &facts), [Remedy::RevokeVeto { username: "ana".to_owned(), by }]);
    assert_eq!(truth("{vetoes: {at_most: 1}}", &facts), Truth::True);
    assert_eq!(truth("{not: {vetoes: {at_most: 0}}}", &facts), Truth::True);
}

#[test]
fn a_state_that_nobody_knows_passes_nothing() {
    assert_eq!(truth(NONE, &reviewed(&[(2, "declined")])), Truth::Unknown { curable: false });
    let beside = reviewed(&[(2, "declined"), (3, "requested_changes")]);
    assert_eq!(truth(NONE, &beside), Truth::Waiting, "the other one settles it");
    assert_eq!(
        truth(NONE, &Facts { reviewers: Some(unknown(true)), ..facts() }),
        Truth::Unknown { curable: true }
    );
}

#[test]
fn a_stranger_blocks_nothing_and_an_unread_membership_passes_nothing() {
    let mut facts = reviewed(&[(2, "requested_changes")]);
    facts.project_members.clear();
    assert_eq!(needs(NONE, &facts), [FactKey::ProjectMember(UserId::new(2))]);
    for (level, expected) in [(None, Truth::True), (Some(15), Truth::True), (Some(20), Truth::Waiting)] {
        facts.project_members.insert(UserId::new(2), Known::Value(level.map(AccessLevel)));
        assert_eq!(truth(NONE, &facts), expected, "{level:?}");
    }
    facts.project_members.insert(UserId::new(2), unknown(true));
    assert_eq!(truth(NONE, &facts), Truth::Unknown { curable: true });
    assert_eq!(truth("{vetoes: {at_most: 1}}", &facts), Truth::True, "it does not matter");
    assert_eq!(truth("{vetoes: {from: {users: [ana]}}}", &facts), Truth::Waiting);
}

#[test]
fn words_veto_wherever_they_stand() {
    for veto in [
        comment(2, 5, " veto "),
        comment(AUTHOR, 5, "veto"),
        Comment { in_thread: true, internal: true, ..comment(2, 5, "veto") },
    ] {
        assert_eq!(truth(BY_WORDS, &said(vec![veto], vec![])), Truth::Waiting);
    }
    assert_eq!(truth(BY_WORDS, &said(vec![], vec![award(2, 5, "thumbsdown")])), Truth::Waiting);
    for nothing in [comment(2, 5, "no veto"), Comment { system: true, ..comment(2, 5, "veto") }] {
        assert_eq!(truth(BY_WORDS, &said(vec![nothing], vec![])), Truth::True);
    }
    let both = said(vec![comment(2, 5, "veto")], vec![award(2, 6, "thumbsdown")]);
    assert_eq!(reason(BY_WORDS, &both).sentence, "1 veto: @ana by comment", "one person, one veto");
}

/// Why the only veto that is not plain may not stand, once it is seen that it passes nothing either way.
fn doubt(require: &str, facts: &Facts) -> String {
    assert_eq!((truth(require, facts), state(require, facts)), (Truth::Unsettled, RuleState::Waiting));
    let not = format!("{{not: {require}}}");
    assert_eq!(state(&not, facts), RuleState::Waiting, "it makes no `not` true");
    assert_eq!(remedies(&not, facts), remedies(require, facts), "what makes it plain");
    let [part] = &reason(require, facts).parts[..] else { panic!("one veto is in doubt") };
    assert!(reason(require, facts).sentence.ends_with(&part.sentence), "{}", part.sentence);
    part.sentence.clone()
}

#[test]
fn a_veto_that_may_not_be_its_author_s_is_in_doubt() {
    let touched = Comment { updated_at: at(9), ..comment(2, 5, "veto") };
    let quoted = comment(2, 5, "> what?\n\nveto");
    for (veto, why) in [
        (touched, "it was touched after it was written, so somebody may have changed it"),
        (quoted, "quotes, code or HTML stand in it"),
    ] {
        let facts = said(vec![veto.clone()], vec![]);
        assert_eq!(doubt(BY_WORDS, &facts), format!("the comment by @ana may be a veto that stands: {why}"));
        assert!(reason(BY_WORDS, &facts).sentence.starts_with("nobody vetoes for certain; "));
        let by = vec!["deleting the comment", "an approval", "a comment that says `unveto`"];
        let by = by.into_iter().map(str::to_owned).collect();
        assert_eq!(remedies(BY_WORDS, &facts), [Remedy::RevokeVeto { username: "ana".to_owned(), by }]);
        let one = BY_WORDS.replace("{by:", "{at_most: 1, by:");
        assert_eq!(truth(&one, &facts), Truth::True, "one may stand");
        let both = said(vec![veto.clone(), comment(3, 5, "veto")], vec![]);
        assert_eq!(truth(BY_WORDS, &both), Truth::Waiting, "the other one is plain");
        assert_eq!(truth(&one, &both), Truth::Unsettled);
        let twice = said(vec![veto.clone(), comment(2, 6, "veto")], vec![]);
        assert_eq!(reason(BY_WORDS, &twice).sentence, "1 veto: @ana by comment", "the plainer one counts");
        let mut stranger = said(vec![veto], vec![]);
        stranger.project_members.insert(UserId::new(2), Known::Value(None));
        assert_eq!(truth(BY_WORDS, &stranger), Truth::True, "a stranger's words are nothing anyway");
    }
}

#[test]
fn what_could_not_be_had_goes_before_a_doubt_that_it_could_settle() {
    let touched = Comment { updated_at: at(9), ..comment(2, 5, "veto") };
    let mut facts = said(vec![touched, comment(3, 5, "veto")], vec![]);
    facts.project_members.insert(UserId::new(3), unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true }, "the other one may be plain");
    let one = BY_WORDS.replace("{by:", "{at_most: 1, by:");
    assert_eq!(truth(&one, &facts), Truth::Unknown { curable: true }, "or none");
    facts.project_members.remove(&UserId::new(3));
    assert_eq!(needs(BY_WORDS, &facts), [FactKey::ProjectMember(UserId::new(3))]);
    facts.comments = Some(Known::Value(vec![Comment { updated_at: at(9), ..comment(2, 5, "veto") }]));
    facts.awards = Some(unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true }, "others may have vetoed");
}

#[test]
fn a_veto_of_an_account_that_is_no_longer_active_is_in_doubt() {
    let mut comments = said(vec![Comment { is_active: false, ..comment(2, 5, "veto") }], vec![]);
    let awards = said(vec![], vec![Award { is_active: false, ..award(2, 5, "thumbsdown") }]);
    let why = "the account is no longer active, so nobody can take it back";
    for (facts, method) in [(&comments, "comment"), (&awards, "emoji `thumbsdown`")] {
        assert_eq!(doubt(BY_WORDS, facts), format!("the {method} by @ana may be a veto that stands: {why}"));
        let what =
            format!("delete the {method} by @ana, or activate the account so that it can be taken back");
        assert_eq!(remedies(BY_WORDS, facts), [Remedy::AskOperator { what }]);
    }
    comments.project_members.insert(UserId::new(2), Known::Value(None));
    doubt(BY_WORDS, &comments);
    comments.project_members.clear();
    doubt(BY_WORDS, &comments);
    let of_bob = BY_WORDS.replace("{by:", "{from: {users: [bob]}, by:");
    assert_eq!(truth(&of_bob, &comments), Truth::True, "by name it was never meant");
    let unveto = Comment { is_active: false, ..comment(2, 6, "unveto") };
    let veto = Comment { is_active: false, ..comment(2, 5, "veto") };
    doubt(BY_WORDS, &said(vec![veto, unveto], vec![]));
}

#[test]
fn a_comment_too_long_to_be_kept_may_be_a_veto_by_a_regex() {
    const REGEX: &str = "{vetoes: {by: [{comment: {regex: '(?s)veto.*'}}], revoked_by: [{emoji: heart}]}}";
    let long = || Comment { body: None, ..comment(2, 5, "") };
    let facts = said(vec![long()], vec![]);
    assert_eq!(
        doubt(REGEX, &facts),
        "the comment by @ana may be a veto that stands: it is longer than 4 KiB, and that is more than is read of it"
    );
    assert_eq!(
        truth(REGEX, &said(vec![long()], vec![award(2, 6, "heart")])),
        Truth::True,
        "taken back since"
    );
    assert_eq!(truth(BY_WORDS, &facts), Truth::True, "no longer text is exactly a short one");
    let short = REGEX.replace("(?s)veto.*", "(?i)veto[.!]?");
    assert_eq!(truth(&short, &facts), Truth::True, "nothing so long matches");
    let by_system = said(vec![Comment { system: true, ..long() }], vec![]);
    assert_eq!(truth(REGEX, &by_system), Truth::True);
}

#[test]
fn a_veto_that_may_have_been_taken_back_is_in_doubt() {
    let veto = || comment(2, 5, "veto");
    let why = "the comment by @ana may be a veto that stands: it may have been taken back, by what nobody can rely on";
    for back in [Comment { updated_at: at(7), ..comment(2, 6, "unveto") }, comment(2, 6, "> eh?\n\nunveto")] {
        assert_eq!(doubt(BY_WORDS, &said(vec![veto(), back], vec![])), why);
    }
    let mut facts = said(vec![veto()], vec![]);
    facts.approvals = Some(Known::Value(vec![Approval { not_before: None, ..approval(2, 6) }]));
    assert_eq!(doubt(BY_WORDS, &facts), why);
    let long = Comment { body: None, ..comment(2, 6, "") };
    let by_regex = BY_WORDS.replace("{comment: unveto}", "{comment: {regex: '(?s)unveto.*'}}");
    assert_eq!(
        truth(&by_regex, &said(vec![veto(), long], vec![])),
        Truth::Waiting,
        "what takes back is short"
    );
}

#[test]
fn only_the_same_person_takes_it_back_and_only_later() {
    let veto = || comment(2, 5, "veto");
    let with = |comment| truth(BY_WORDS, &said(vec![veto(), comment], vec![]));
    assert_eq!(with(comment(2, 6, "unveto")), Truth::True);
    assert_eq!(with(Comment { in_thread: true, ..comment(2, 6, "unveto") }), Truth::True);
    assert_eq!(with(comment(3, 6, "unveto")), Truth::Waiting);
    assert_eq!(with(comment(2, 4, "unveto")), Truth::Waiting);
    assert_eq!(with(comment(2, 6, "> unveto")), Truth::Waiting);

    let mut facts = said(vec![veto()], vec![]);
    for (given, expected) in
        [(approval(2, 6), Truth::True), (approval(2, 4), Truth::Waiting), (approval(3, 6), Truth::Waiting)]
    {
        facts.approvals = Some(Known::Value(vec![given]));
        assert_eq!(truth(BY_WORDS, &facts), expected);
    }
    facts.comments = Some(Known::Value(vec![Comment { updated_at: at(9), ..veto() }]));
    facts.approvals = Some(Known::Value(vec![approval(2, 6)]));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unsettled, "it may have become a veto since");
}

#[test]
fn what_takes_a_veto_back_is_asked_for_only_where_there_is_one() {
    let mut facts = said(vec![], vec![]);
    facts.approvals = None;
    facts.project_members.clear();
    assert_eq!(truth(BY_WORDS, &facts), Truth::True);
    facts.comments = Some(Known::Value(vec![comment(2, 5, "veto")]));
    assert_eq!(needs(BY_WORDS, &facts), [FactKey::Approvals, FactKey::ProjectMember(UserId::new(2))]);
    facts.project_members.insert(UserId::new(2), unknown(false));
    assert_eq!(needs(BY_WORDS, &facts), [FactKey::Approvals], "it may be enough");
    facts.approvals = Some(Known::Value(vec![approval(2, 6)]));
    assert_eq!(truth(BY_WORDS, &facts), Truth::True);
    facts.approvals = Some(unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true });
}

#[test]
fn a_list_that_could_not_be_had_passes_nothing() {
    let mut facts = said(vec![], vec![]);
    facts.comments = Some(unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true });
    facts.awards = Some(Known::Value(vec![award(2, 5, "thumbsdown")]));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true }, "it may have been taken back");
    let certain = BY_WORDS.replace("{comment: unveto}", "{emoji: heart}");
    assert_eq!(truth(&certain, &facts), Truth::Waiting);
}

#[test]
fn nonsense_is_refused() {
    insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {vetoes: {by: [approval, {trailer: x}], revoked_by: [request_changes], at_most: none}}\n  - id: s\n    require: {vetoes: {}}\n"), @r#"
    p.yaml:4:29: error: `approval` is no value of an entry of `by`
      help: it may be `request_changes`
    p.yaml:4:40: error: `trailer` is no key of an entry of `by`
      help: it may say `comment`, `emoji`
    p.yaml:4:67: error: `request_changes` is no value of an entry of `revoked_by`
      help: it may be `approval`
    p.yaml:4:94: error: `at_most` must be a whole number, not `none`
    p.yaml:6:23: error: `vetoes` is empty
      help: it may say `at_most`, `from`, `by`, `revoked_by`
    "#);
}
