//! Approvals by example: who counts, who does not, what is asked and what is not.

use crate::merge_request::{CheckName, UserId, VersionId};
use crate::policy::evaluate;
use crate::policy::evaluation::{Remedy, RuleState, Step, Truth, Verdict};
use crate::policy::example::{
    AUTHOR, approval, award, code, comment, compile, facts, join_group, mistakes, needs, reason, remedies,
    sha, state, truth, unknown, versions,
};
use crate::policy::fact::{AccessLevel, Account, Approval, Award, Comment, FactKey, Facts, Known};

const ONE: &str = "{approvals: {count: 1}}";
const TWO: &str = "{approvals: 2}";
const GROUP: &str = "{approvals: {count: 1, from: {groups: [shop/payments]}}}";

fn approved(approvals: Vec<Approval>) -> Facts {
    let mut facts = facts();
    facts.approvals = Some(Known::Value(approvals));
    facts.versions = Some(versions(1));
    facts.code = Some(Known::Value(code(1, &["src/a.rs"])));
    facts
}

fn why_not(require: &str, facts: &Facts) -> Vec<String> {
    assert_eq!(state(require, facts), RuleState::Waiting);
    reason(require, facts).parts.into_iter().map(|part| part.sentence).collect()
}

#[test]
fn enough_approvals_pass_and_too_few_wait() {
    assert_eq!(truth(TWO, &approved(vec![approval(2, 5), approval(3, 5)])), Truth::True);
    assert_eq!(truth(TWO, &approved(vec![approval(2, 5)])), Truth::Waiting);
    assert_eq!(
        truth(TWO, &approved(vec![approval(2, 5), approval(2, 5)])),
        Truth::Waiting,
        "one person, one slot"
    );
    assert_eq!(remedies(TWO, &approved(vec![])), [Remedy::Approve { missing: 2, from: vec![] }]);
}

#[test]
fn without_approvals_nothing_else_is_asked() {
    assert_eq!(needs(GROUP, &facts()), [FactKey::Approvals]);
    let mut facts = facts();
    facts.approvals = Some(Known::Value(vec![]));
    assert_eq!(truth(GROUP, &facts), Truth::Waiting);
    facts.approvals = Some(Known::Value(vec![approval(AUTHOR, 5)]));
    assert_eq!(truth(GROUP, &facts), Truth::Waiting, "the author's is out by itself");
    facts.approvals = Some(Known::Value(vec![approval(2, 5)]));
    let group = "shop/payments".to_owned();
    let asked = [
        FactKey::Versions,
        FactKey::Code,
        FactKey::Group(group.clone()),
        FactKey::GroupMember(group, UserId::new(2)),
    ];
    assert_eq!(needs(GROUP, &facts), asked);
}

#[test]
fn nothing_more_is_asked_once_enough_count() {
    let facts = approved(vec![approval(2, 5), approval(3, 5)]);
    let named = "{approvals: {count: 1, from: {users: [ana], groups: [shop/payments], role: owner}}}";
    assert_eq!(truth(named, &facts), Truth::True);
}

#[test]
fn who_made_the_change_does_not_approve_it() {
    let mut facts = approved(vec![approval(AUTHOR, 5)]);
    assert_eq!(why_not(ONE, &facts), ["the approval by @author does not count: the author can't approve"]);
    assert_eq!(truth("{approvals: {count: 1, allow_author: true}}", &facts), Truth::True);

    facts.approvals = Some(Known::Value(vec![approval(2, 5)]));
    facts.sightings.pushers.insert(UserId::new(2));
    assert_eq!(
        why_not(ONE, &facts),
        ["the approval by @ana does not count: has pushed to the source branch"]
    );
    assert_eq!(truth("{approvals: {count: 1, allow_committers: true}}", &facts), Truth::True);
}

#[test]
fn committers_and_co_authors_are_found_by_their_emails() {
    let committer = |email: &str| {
        let mut facts = approved(vec![approval(2, 5)]);
        let mut code = code(1, &["src/a.rs"]);
        code.commits[0].committer_email = email.to_owned();
        facts.code = Some(Known::Value(code));
        facts
    };
    let excluded = ["the approval by @ana does not count: is author, committer or co-author of a commit"];
    assert_eq!(why_not(ONE, &committer("2-ana@users.noreply.gitlab.example")), excluded);
    let mut facts = committer("Ana@X.org");
    assert_eq!(needs(ONE, &facts), [FactKey::Email("ana@x.org".to_owned())]);
    facts.emails.insert("ana@x.org".to_owned(), Known::Value(Some(UserId::new(2))));
    assert_eq!(why_not(ONE, &facts), excluded);

    let mut facts = approved(vec![approval(2, 5)]);
    let mut code = code(1, &["src/a.rs"]);
    code.commits[0].message = "fix\n\nCo-authored-by: Ana <2-ana@users.noreply.gitlab.example>".to_owned();
    facts.code = Some(Known::Value(code));
    assert_eq!(why_not(ONE, &facts), excluded);
}

#[test]
fn an_email_of_nobody_waits_unless_it_may_not_matter() {
    let mut facts = approved(vec![approval(2, 5)]);
    let mut code = code(1, &["src/a.rs"]);
    code.commits[0].author_email = "who@x.org".to_owned();
    facts.code = Some(Known::Value(code));
    facts.emails.insert("who@x.org".to_owned(), Known::Value(None));
    let why =
        "the approval by @ana does not count: the commit email `who@x.org` belongs to no user of GitLab";
    assert_eq!(why_not(ONE, &facts), [why]);
    assert_eq!(truth(ONE, &facts), Truth::Unsettled);
    assert!(matches!(&remedies(ONE, &facts)[1], Remedy::AskOperator { what } if what.contains("who@x.org")));
    assert_eq!(truth("{approvals: {count: 1, unmatched_committers: allow}}", &facts), Truth::True);
    facts.emails.insert("who@x.org".to_owned(), unknown(true));
    assert_eq!(truth(ONE, &facts), Truth::Unknown { curable: true });
    assert_eq!(
        truth("{approvals: {count: 1, unmatched_committers: allow}}", &facts),
        Truth::Unknown { curable: true }
    );
}

#[test]
fn an_approval_before_a_push_stands_only_for_the_same_patch() {
    let mut facts = approved(vec![approval(2, 5)]);
    facts.versions = Some(versions(2));
    facts.code = Some(Known::Value(code(2, &["src/a.rs"])));
    assert_eq!(
        why_not(ONE, &facts),
        ["the approval by @ana does not count: given for bbbbbbbb, whose target branch was not seen"]
    );
    assert_eq!(truth("{approvals: {count: 1, reset_on: never}}", &facts), Truth::True);

    facts.sightings.version_targets.insert(VersionId::new(1), "main".to_owned());
    assert_eq!(needs(ONE, &facts), [FactKey::Patch(VersionId::new(1))]);
    facts.patches.insert(VersionId::new(1), Known::Value(code(1, &["src/a.rs"])));
    assert_eq!(truth(ONE, &facts), Truth::True, "a rebase keeps it");
    facts.sightings.version_targets.insert(VersionId::new(1), "develop".to_owned());
    assert_eq!(truth(ONE, &facts), Truth::Unsettled, "another target branch does not, for all that is known");
    assert_eq!(remedies(ONE, &facts)[1], Remedy::ApproveAgain { username: "ana".to_owned() });
}

#[test]
fn a_patch_is_the_same_only_if_every_part_of_it_is() {
    let base = || {
        let mut facts = approved(vec![approval(2, 5)]);
        facts.versions = Some(versions(2));
        facts.sightings.version_targets.insert(VersionId::new(1), "main".to_owned());
        facts.patches.insert(VersionId::new(1), Known::Value(code(1, &["a", "b"])));
        facts
    };
    let with = |change: &dyn Fn(&mut crate::policy::fact::Code)| {
        let mut facts = base();
        let mut code = code(2, &["b", "a"]);
        change(&mut code);
        facts.code = Some(Known::Value(code));
        truth(ONE, &facts)
    };
    assert_eq!(with(&|_| {}), Truth::True, "the order of files is nothing");
    assert_eq!(with(&|code| code.files[0].hunks_sha256 = Some("other".to_owned())), Truth::Waiting);
    assert_eq!(with(&|code| code.files[0].hunks_sha256 = None), Truth::Unsettled);
    assert_eq!(with(&|code| code.files[0].new_mode = "100755".to_owned()), Truth::Waiting);
    assert_eq!(with(&|code| code.files.truncate(1)), Truth::Waiting);
    assert_eq!(with(&|code| code.files.push(crate::policy::example::file("c"))), Truth::Waiting);
    assert_eq!(with(&|code| code.complete = false), Truth::Unsettled);
    let cut = |code: &mut crate::policy::fact::Code| {
        code.complete = false;
        code.files.truncate(1);
    };
    assert_eq!(with(&cut), Truth::Unsettled, "what is not listed may be there");
    let cut_and_more = |code: &mut crate::policy::fact::Code| {
        cut(code);
        code.files.push(crate::policy::example::file("c"));
    };
    assert_eq!(with(&cut_and_more), Truth::Waiting, "it was not in the whole list of before");
    let left_out_and_changed = |code: &mut crate::policy::fact::Code| {
        code.files[0].hunks_sha256 = None;
        code.files[1].hunks_sha256 = Some("other".to_owned());
    };
    assert_eq!(with(&left_out_and_changed), Truth::Waiting, "one certain change is enough");
    assert_eq!(with(&|code| code.files.push(code.files[0].clone())), Truth::Unsettled, "listed twice");
    assert_eq!(with(&|code| code.version = VersionId::new(9)), Truth::Unknown { curable: true });
    let mut facts = base();
    facts.code = Some(Known::Value(code(2, &["a", "b"])));
    facts.patches.insert(VersionId::new(1), unknown(true));
    assert_eq!(truth(ONE, &facts), Truth::Unknown { curable: true });
    let without_text = |version| {
        let mut code = code(version, &["a", "b"]);
        code.files[0].hunks_sha256 = None;
        Known::Value(code)
    };
    facts.code = Some(without_text(2));
    facts.patches.insert(VersionId::new(1), without_text(1));
    assert_eq!(truth(ONE, &facts), Truth::Unsettled, "two texts that were left out are not the same text");
    let why = "since then `a` may have changed: its text is left out";
    assert!(why_not(ONE, &facts)[0].ends_with(why), "{:?}", why_not(ONE, &facts));
}

#[test]
fn an_approval_says_nothing_about_a_head_without_a_version() {
    let mut facts = approved(vec![approval(2, 5)]);
    facts.merge_request.sha = sha('d');
    assert_eq!(truth(ONE, &facts), Truth::Unknown { curable: true });
    facts.versions = Some(Known::Value(vec![]));
    assert_eq!(truth(ONE, &facts), Truth::Unknown { curable: true });
}

#[test]
fn an_approval_does_not_follow_the_newest_version_to_another_target_branch() {
    let mut facts = approved(vec![approval(2, 5)]);
    let target = facts.merge_request.target_branch.clone();
    facts.sightings.version_targets.insert(VersionId::new(1), target);
    assert_eq!(truth(ONE, &facts), Truth::True);
    facts.sightings.version_targets.insert(VersionId::new(1), "elsewhere".to_owned());
    assert!(why_not(ONE, &facts)[0].contains("the target branch was `elsewhere`"));
}

#[test]
fn an_approval_of_unknown_time_does_not_count() {
    let facts = approved(vec![Approval { not_before: None, ..approval(2, 0) }]);
    for require in [ONE, "{approvals: {count: 1, reset_on: never}}"] {
        assert!(why_not(require, &facts)[0].contains("must be revoked and given again"));
    }
    let facts = approved(vec![approval(2, -5)]);
    assert_eq!(truth(ONE, &facts), Truth::Unsettled, "older than the first push");
}

/// One approval by `@ana` that nobody can tell the worth of, for every reason there is.
fn in_doubt() -> Vec<(&'static str, Facts)> {
    let given = || approved(vec![approval(2, 5)]);
    let undated = approved(vec![Approval { not_before: None, ..approval(2, 0) }]);
    let mut unmatched = given();
    let mut nobody_s = code(1, &["src/a.rs"]);
    nobody_s.commits[0].author_email = "who@x.org".to_owned();
    unmatched.code = Some(Known::Value(nobody_s));
    unmatched.emails.insert("who@x.org".to_owned(), Known::Value(None));
    let mut unseen = given();
    unseen.versions = Some(versions(2));
    unseen.code = Some(Known::Value(code(2, &["src/a.rs"])));
    let mut incomplete = unseen.clone();
    incomplete.sightings.version_targets.insert(VersionId::new(1), "main".to_owned());
    let mut cut = code(1, &["src/a.rs"]);
    cut.complete = false;
    incomplete.patches.insert(VersionId::new(1), Known::Value(cut));
    vec![
        ("when it was given", undated),
        ("whose commit it is", unmatched),
        ("of which target branch", unseen),
        ("of which change", incomplete),
    ]
}

#[test]
fn an_email_of_nobody_is_no_doubt_while_another_one_may_exclude_for_certain() {
    let mut facts = approved(vec![approval(2, 5)]);
    let mut made = code(1, &["src/a.rs"]);
    made.commits[0].author_email = "who@x.org".to_owned();
    made.commits[0].committer_email = "two@x.org".to_owned();
    facts.code = Some(Known::Value(made));
    facts.emails.insert("who@x.org".to_owned(), Known::Value(None));
    assert_eq!(needs(ONE, &facts), [FactKey::Email("two@x.org".to_owned())]);
    facts.emails.insert("two@x.org".to_owned(), Known::Value(Some(UserId::new(2))));
    assert_eq!(truth(ONE, &facts), Truth::Waiting, "it is the approver's own");
    facts.emails.insert("two@x.org".to_owned(), Known::Value(Some(UserId::new(3))));
    assert_eq!(truth(ONE, &facts), Truth::Unsettled);
}

#[test]
fn an_approval_in_doubt_passes_nothing_either_way() {
    for (doubt, facts) in in_doubt() {
        assert_eq!(truth(ONE, &facts), Truth::Unsettled, "{doubt}");
        assert_eq!(remedies(ONE, &facts)[0], Remedy::Approve { missing: 1, from: vec![] }, "{doubt}");
        assert_eq!(remedies(ONE, &facts).len(), 2, "{doubt}");
        for below in ["{not: {approvals: 1}}", "{none_of: [{approvals: 1}, {draft: true}]}"] {
            assert_eq!(state(below, &facts), RuleState::Waiting, "{doubt}: {below}");
            assert_eq!(remedies(below, &facts), remedies(ONE, &facts)[1..], "{doubt}: what makes it plain");
        }
        assert_eq!(truth(TWO, &facts), Truth::Waiting, "{doubt}: one is too few whatever it is");
        assert_eq!(state("{not: {approvals: 2}}", &facts), RuleState::Passed, "{doubt}");
        let mut beside = facts.clone();
        beside.merge_request.author.id = UserId::new(3);
        beside.approvals = Some(Known::Value(vec![approval(3, 5)]));
        assert_eq!(state("{not: {approvals: 1}}", &beside), RuleState::Passed, "{doubt}: no such approval");
    }
}

#[test]
fn a_rule_applies_or_not_only_by_approvals_that_are_plain() {
    let rules = "policy: p\notherwise: pass\nrules: [{id: r, when: {not: {approvals: 1}}, require: {target_branch: other}}]\n";
    let verdict = |facts: &Facts| match evaluate(&compile(rules), &CheckName::default(), facts) {
        Step::Decided(evaluation) => evaluation.verdict,
        Step::Needs(keys) => panic!("needs {keys:?}"),
    };
    for (doubt, facts) in in_doubt() {
        assert_eq!(verdict(&facts), Verdict::Waiting, "{doubt}");
    }
    assert_eq!(verdict(&approved(vec![])), Verdict::Failed);
    assert_eq!(verdict(&approved(vec![approval(2, 5)])), Verdict::Passed);
}

#[test]
fn what_could_not_be_had_goes_before_a_doubt_that_it_could_settle() {
    let mut facts = approved(vec![approval(2, 5), Approval { not_before: None, ..approval(3, 0) }]);
    facts.groups.insert("g".to_owned(), unknown(true));
    let of =
        |count, users| format!("{{approvals: {{count: {count}, from: {{users: [{users}], groups: [g]}}}}}}");
    let hidden = Truth::Unknown { curable: true };
    assert_eq!(truth(&of(1, "bob"), &facts), hidden, "@ana may count");
    assert_eq!(truth(&of(2, "bob"), &facts), hidden, "without @ana @bob is too few");
    assert_eq!(truth(&of(2, "ana, bob"), &facts), Truth::Unsettled, "@bob alone decides");
    facts.approvals = Some(Known::Value(vec![Approval { not_before: None, ..approval(3, 0) }]));
    assert_eq!(truth(&of(1, "ana"), &facts), hidden, "@bob may be nobody who was asked for");
    let group = "shop/payments".to_owned();
    let asked = [FactKey::Group(group.clone()), FactKey::GroupMember(group, UserId::new(3))];
    assert_eq!(needs(GROUP, &facts), asked, "whether @bob is a member may settle it");
}

#[test]
fn groups_and_roles_prove_only_what_was_read() {
    let mut facts = approved(vec![approval(2, 5)]);
    join_group(&mut facts, "shop/payments", 2, Some(30));
    assert_eq!(truth(GROUP, &facts), Truth::True);
    join_group(&mut facts, "shop/payments", 2, None);
    assert_eq!(truth(GROUP, &facts), Truth::Waiting);
    facts.groups.insert("shop/payments".to_owned(), unknown(false));
    assert_eq!(
        state(GROUP, &facts),
        RuleState::Unknown { curable: false },
        "a 404 beside a hidden group is no proof"
    );

    let role = "{approvals: {count: 1, from: {role: maintainer}}}";
    for (level, expected) in [(None, Truth::Waiting), (Some(30), Truth::Waiting), (Some(40), Truth::True)] {
        facts.project_members.insert(UserId::new(2), Known::Value(level.map(AccessLevel)));
        assert_eq!(truth(role, &facts), expected, "{level:?}");
    }
    let either = "{approvals: {count: 1, from: {groups: [shop/payments], role: maintainer}}}";
    assert_eq!(truth(either, &facts), Truth::True, "the role is enough, the hidden group does not matter");
}

#[test]
fn an_open_approval_matters_only_while_it_could() {
    let mut facts = approved(vec![approval(2, 5), approval(3, 5)]);
    facts.groups.insert("g".to_owned(), unknown(true));
    let of = |count| format!("{{approvals: {{count: {count}, from: {{users: [ana], groups: [g]}}}}}}");
    assert_eq!(truth(&of(1), &facts), Truth::True);
    assert_eq!(truth(&of(2), &facts), Truth::Unknown { curable: true });
    assert_eq!(truth(&of(3), &facts), Truth::Waiting);
}

#[test]
fn an_access_token_counts_only_if_it_is_named() {
    let mut token = approval(2, 5);
    token.user.username = "project_7_bot_0a1b".to_owned();
    assert!(why_not(ONE, &approved(vec![token.clone()]))[0].contains("an access token is nobody"));
    let named = "{approvals: {count: 1, from: {users: [project_7_bot_0a1b]}}}";
    assert_eq!(truth(named, &approved(vec![token])), Truth::True);
}

const BY_WORDS: &str =
    "{approvals: {count: 1, methods: [{comment: LGTM}, {emoji: thumbsup}, {trailer: Reviewed-by}]}}";

/// Everybody is a person, nobody has approved in GitLab.
fn said(comments: Vec<Comment>, awards: Vec<Award>) -> Facts {
    let mut facts = approved(vec![]);
    facts.comments = Some(Known::Value(comments));
    facts.awards = Some(Known::Value(awards));
    facts.accounts = (1..5).map(|id| (UserId::new(id), Known::Value(Account { bot: false }))).collect();
    facts
}

#[test]
fn only_the_methods_in_use_are_asked_for_and_all_at_once() {
    assert_eq!(needs(BY_WORDS, &facts()), [FactKey::Comments, FactKey::Awards]);
    assert_eq!(needs("{approvals: {count: 1, methods: [{emoji: thumbsup}]}}", &facts()), [FactKey::Awards]);
    let all = "{approvals: {count: 1, methods: [approval, {comment: LGTM}, {emoji: thumbsup}]}}";
    assert_eq!(needs(all, &facts()), [FactKey::Approvals, FactKey::Comments, FactKey::Awards]);
    let mut facts = said(vec![comment(2, 5, "LGTM")], vec![]);
    facts.accounts.clear();
    assert_eq!(needs(BY_WORDS, &facts), [FactKey::Account(UserId::new(2))]);
}

#[test]
fn each_method_is_enough() {
    for facts in [
        said(vec![comment(2, 5, "LGTM")], vec![]),
        said(vec![comment(2, 5, "fine\n\nReviewed-by: @ana")], vec![]),
        said(vec![], vec![award(2, 5, "thumbsup")]),
    ] {
        assert_eq!(truth(BY_WORDS, &facts), Truth::True);
    }
    let sentence = reason(BY_WORDS, &said(vec![comment(2, 5, "LGTM")], vec![])).sentence;
    assert_eq!(sentence, "1 of 1 approvals needed: @ana (anybody's counts, by comment)");
    assert_eq!(
        truth(BY_WORDS, &said(vec![comment(2, 5, "LGTM!")], vec![award(2, 5, "heart")])),
        Truth::Waiting
    );
    assert_eq!(
        truth(ONE, &said(vec![comment(2, 5, "LGTM")], vec![])),
        Truth::Waiting,
        "only if it is a method"
    );
}

#[test]
fn one_person_counts_once_and_by_the_best_of_their_approvals() {
    let two = BY_WORDS.replace("count: 1", "count: 2");
    let facts = said(vec![comment(2, 5, "LGTM"), comment(2, 6, "LGTM")], vec![award(2, 7, "thumbsup")]);
    assert_eq!(truth(&two, &facts), Truth::Waiting);
    let mut facts = said(vec![comment(2, 5, "LGTM")], vec![award(2, 15, "thumbsup")]);
    facts.versions = Some(versions(2));
    facts.code = Some(Known::Value(code(2, &["src/a.rs"])));
    let found = reason(BY_WORDS, &facts);
    assert_eq!(found.truth, Truth::True, "the emoji was given after the push");
    assert_eq!(found.sentence, "1 of 1 approvals needed: @ana (anybody's counts, by emoji `thumbsup`)");
    assert!(found.parts[0].sentence.starts_with("the comment by @ana does not count: given for bbbbbbbb"));
}

#[test]
fn what_is_said_by_words_is_dated_like_an_approval() {
    let mut facts = said(vec![comment(2, 5, "LGTM")], vec![award(3, 5, "thumbsup")]);
    facts.versions = Some(versions(2));
    facts.sightings.version_targets.insert(VersionId::new(1), "main".to_owned());
    facts.code = Some(Known::Value(code(2, &["src/a.rs"])));
    facts.patches.insert(VersionId::new(1), Known::Value(code(1, &["src/b.rs"])));
    assert_eq!(
        why_not(BY_WORDS, &facts),
        [
            "the comment by @ana does not count: given for bbbbbbbb; since then `src/a.rs` has changed",
            "the emoji `thumbsup` by @bob does not count: given for bbbbbbbb; since then `src/a.rs` has changed"
        ]
    );
    facts.patches.insert(VersionId::new(1), Known::Value(code(1, &["src/a.rs"])));
    assert_eq!(truth(&BY_WORDS.replace("count: 1", "count: 2"), &facts), Truth::True, "a rebase keeps them");
}

#[test]
fn words_that_nobody_can_rely_on_approve_nothing_and_are_listed() {
    let edited = Comment { updated_at: crate::policy::example::at(6), ..comment(2, 5, "LGTM") };
    let in_thread = Comment { in_thread: true, ..comment(3, 5, "LGTM") };
    let internal = Comment { internal: true, ..comment(4, 5, "LGTM") };
    let mut facts = said(vec![edited, in_thread, internal, comment(AUTHOR, 5, "LGTM")], vec![]);
    assert_eq!(
        why_not(BY_WORDS, &facts),
        [
            "the comment by @ana does not count: it was touched after it was written, so somebody may have changed it",
            "the comment by @bob does not count: it stands in a thread or on a line and not for the whole change",
            "the comment by @cleo does not count: it is internal, so not everybody can see it",
            "the comment by @author does not count: the author can't approve"
        ]
    );
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unsettled, "what was touched may be meant");
    let Some(Known::Value(comments)) = &mut facts.comments else { panic!("they are there") };
    comments.remove(0);
    assert_eq!(truth(BY_WORDS, &facts), Truth::Waiting, "nothing else may");
    facts.comments = Some(Known::Value(vec![
        Comment { system: true, ..comment(2, 5, "LGTM") },
        Comment { body: None, ..comment(3, 5, "") },
        comment(4, 5, "Reviewed-by: @ana"),
    ]));
    assert_eq!(
        why_not(BY_WORDS, &facts),
        ["the trailer by @cleo does not count: its trailer `Reviewed-by` does not name @cleo who wrote it"]
    );
}

#[test]
fn words_that_may_be_quoted_are_in_doubt_and_too_many_are_none() {
    let quoted = said(vec![comment(2, 5, "> is it?\n\nLGTM")], vec![]);
    assert_eq!(truth(BY_WORDS, &quoted), Truth::Unsettled);
    assert_eq!(
        why_not(BY_WORDS, &quoted),
        ["the comment by @ana does not count: quotes, code or HTML stand in it"]
    );
    assert_eq!(state(&format!("{{not: {BY_WORDS}}}"), &quoted), RuleState::Waiting);
    let in_thread = Comment { in_thread: true, ..comment(2, 5, "> is it?\n\nLGTM") };
    assert_eq!(truth(BY_WORDS, &said(vec![in_thread], vec![])), Truth::Waiting, "it can't count anyway");
    let regex = "{approvals: {count: 1, methods: [{comment: {regex: '(?s)LGTM.*'}}]}}";
    let long = said(vec![Comment { body: None, ..comment(2, 5, "") }], vec![]);
    assert_eq!(truth(regex, &long), Truth::Waiting, "an approval is short");
    assert_eq!(why_not(regex, &long), Vec::<String>::new(), "and that is not worth a word");
}

#[test]
fn an_account_that_was_blocked_vouches_for_nothing_and_is_listed() {
    let comment = Comment { is_active: false, ..comment(2, 5, "LGTM") };
    let award = Award { is_active: false, ..award(3, 5, "thumbsup") };
    let facts = said(vec![comment], vec![award]);
    assert_eq!(truth(BY_WORDS, &facts), Truth::Waiting);
    assert_eq!(
        why_not(BY_WORDS, &facts),
        [
            "the comment by @ana does not count: the account is no longer active",
            "the emoji `thumbsup` by @bob does not count: the account is no longer active"
        ]
    );
    assert_eq!(remedies(BY_WORDS, &facts).len(), 1, "nobody can give it again");
    assert_eq!(state(&format!("{{not: {BY_WORDS}}}"), &facts), RuleState::Passed);
}

#[test]
fn a_bot_s_words_count_only_if_it_is_named() {
    let mut facts = said(vec![comment(2, 5, "LGTM")], vec![]);
    facts.accounts.insert(UserId::new(2), Known::Value(Account { bot: true }));
    assert!(why_not(BY_WORDS, &facts)[0].contains("a bot is nobody"));
    let named = BY_WORDS.replace("count: 1", "count: 1, from: {users: [ana]}");
    assert_eq!(truth(&named, &facts), Truth::True);
    facts.accounts.insert(UserId::new(2), unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true });
}

#[test]
fn a_method_that_can_t_be_asked_for_leaves_it_open_only_while_it_could_matter() {
    let mut facts = said(vec![comment(2, 5, "LGTM")], vec![]);
    facts.awards = Some(unknown(true));
    assert_eq!(truth(BY_WORDS, &facts), Truth::True);
    facts.comments = Some(Known::Value(vec![]));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: true });
    facts.comments = Some(unknown(false));
    facts.awards = Some(Known::Value(vec![]));
    assert_eq!(truth(BY_WORDS, &facts), Truth::Unknown { curable: false });
}

#[test]
fn an_approval_that_is_no_method_is_listed_where_it_is_known() {
    let mut facts = said(vec![], vec![]);
    facts.approvals = Some(Known::Value(vec![approval(2, 5)]));
    assert_eq!(
        why_not(BY_WORDS, &facts),
        ["the approval by @ana does not count: `approval` is not one of the methods"]
    );
}

#[test]
fn methods_that_say_nothing_are_refused() {
    insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require:\n      approvals:\n        count: 1\n        methods:\n          - aproval\n          - {comment: LGTM, emoji: thumbsup}\n          - {comment: {regex: \"(\"}}\n          - {comment: {regex: \".*\"}}\n          - {emoji: \"+1\"}\n          - {emoji: 👍}\n          - {trailer: \"Reviewed by\"}\n          - {reaction: x}\n"), @r#"
    p.yaml:8:13: error: `aproval` is no value of an entry of `methods`
      help: did you mean `approval`?
    p.yaml:9:13: error: an entry names more than one way
      help: give each its own entry: `[{comment: …}, {emoji: …}]`
    p.yaml:10:31: error: `(` is not a regular expression: unclosed group
      help: escape what is meant literally with a backslash; look-around is not supported
    p.yaml:11:31: error: `.*` matches an empty comment
      help: ask for at least one word
    p.yaml:12:21: error: `+1` is no emoji's name
      help: write its own name without colons, such as `thumbsup` for `+1` and 👍
    p.yaml:13:21: error: `👍` is no emoji's name
      help: write its own name without colons, such as `thumbsup` for `+1` and 👍
    p.yaml:14:23: error: `Reviewed by` is no trailer
      help: write the word before the colon, such as `Reviewed-by`
    p.yaml:15:14: error: `reaction` is no key of an entry of `methods`
      help: it may say `comment`, `emoji`, `trailer`
    "#);
}

#[test]
fn nonsense_is_refused() {
    insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {approvals: 0}\n  - id: s\n    require: {approvals: {from: {users: [\"a b\"]}, resets_on: never}}\n"), @r#"
    p.yaml:4:26: error: no approval at all is always there
      help: take the condition away, or say how many are needed
    p.yaml:6:26: error: `count` is missing in `approvals`
      help: write `count: …`, a whole number
    p.yaml:6:42: error: `a b` is no name for `users`
      help: write the name as GitLab's address shows it; patterns are not read here
    p.yaml:6:51: error: `resets_on` is no key of `approvals`
      help: did you mean `reset_on`?
    "#);
}
