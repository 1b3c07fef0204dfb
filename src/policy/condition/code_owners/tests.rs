//! Code owners by example: who must approve, who counts, what is never taken for proof.

use crate::merge_request::UserId;
use crate::policy::evaluation::{Remedy, RuleState, Truth};
use crate::policy::example::{
    AUTHOR, approval, code, facts, file, join_group, mistakes, needs, reason, remedies, state, truth,
    unknown, user, versions,
};
use crate::policy::fact::{
    AccessLevel, Approval, ChangeKind, ChangedFile, CodeOwnersFile, FactKey, Facts, Known,
};

const OWNED: &str = "{code_owners: {every_file_owned: true}}";
const APPROVED: &str = "{code_owners: {approved: true}}";
const BOTH: &str = "{code_owners: {every_file_owned: true, approved: true}}";

/// A change of these paths, with this CODEOWNERS and these approvals.
fn change(owners: &str, paths: &[&str], approvals: Vec<Approval>) -> Facts {
    let file = CodeOwnersFile { path: "docs/CODEOWNERS".to_owned(), text: owners.to_owned() };
    Facts {
        code_owners: Some(Known::Value(Some(file))),
        code: Some(Known::Value(code(1, paths))),
        versions: Some(versions(1)),
        approvals: Some(Known::Value(approvals)),
        ..facts()
    }
}

fn parts(require: &str, facts: &Facts) -> Vec<String> {
    reason(require, facts).parts.into_iter().map(|part| part.sentence).collect()
}

#[test]
fn everything_is_asked_for_at_once_and_nothing_that_does_not_matter() {
    assert_eq!(needs(OWNED, &facts()), [FactKey::Code, FactKey::CodeOwners]);
    assert_eq!(needs(BOTH, &facts()), [FactKey::Code, FactKey::Approvals, FactKey::CodeOwners]);
    let mut facts = change("* @shop/pay\n", &["a"], vec![]);
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting, "without approvals no owner need be known");
    facts.approvals = Some(Known::Value(vec![approval(AUTHOR, 5)]));
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting, "the author's is out by itself");
    facts.approvals = None;
    facts.code_owners =
        Some(Known::Value(Some(CodeOwnersFile { path: "x".to_owned(), text: "b @ana\n".to_owned() })));
    assert_eq!(truth(APPROVED, &facts), Truth::True, "nothing is owned: no approval need be known");
    assert_eq!(truth(BOTH, &facts), Truth::Violated, "what is violated asks no further");
}

#[test]
fn each_entry_that_wins_needs_one_of_its_owners() {
    let owners = "* @ana\n[Docs]\n/docs/ @bob\n/src/ @cleo\n";
    let with = |approvals| change(owners, &["docs/a", "docs/b"], approvals);
    assert_eq!(truth(APPROVED, &with(vec![approval(2, 5), approval(3, 5)])), Truth::True);
    let missing = with(vec![approval(2, 5)]);
    let mut missing_bob = missing.clone();
    missing_bob.usernames.insert("bob".to_owned(), Known::Value(Some(UserId::new(3))));
    assert_eq!(needs(APPROVED, &missing), [FactKey::Username("bob".to_owned())], "it might be a group");
    assert_eq!(truth(APPROVED, &missing_bob), Truth::Waiting);
    assert_eq!(
        parts(APPROVED, &missing_bob),
        [
            "`/docs/` in [Docs] (line 3; `docs/a` and 1 more): 0 of 1 approvals needed; 1 more is needed from @bob"
        ]
    );
    assert_eq!(
        remedies(APPROVED, &missing_bob),
        [Remedy::Approve { missing: 1, from: vec!["@bob".to_owned()] }]
    );
    let none = with(vec![]);
    assert_eq!(remedies(APPROVED, &none).len(), 2, "one for each entry");
}

#[test]
fn a_person_may_serve_two_entries_and_counts_once_in_each() {
    let two =
        change("* @ana @@owner\n[Docs]\n/docs/ @ana\n", &["docs/a"], vec![approval(2, 5), approval(2, 6)]);
    assert_eq!(truth(APPROVED, &two), Truth::True);
    let mut facts = change("[Docs][2] @ana @bob\n*\n", &["a"], vec![approval(2, 5), approval(2, 6)]);
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting, "one person, one approval");
    facts.approvals = Some(Known::Value(vec![approval(2, 5), approval(3, 5)]));
    assert_eq!(truth(APPROVED, &facts), Truth::True);
}

#[test]
fn optional_sections_are_asked_for_only_where_the_policy_says_so() {
    let facts = change("^[Go]\n*.go @ana\n", &["a.go"], vec![]);
    assert_eq!(truth(APPROVED, &facts), Truth::True);
    assert_eq!(truth("{code_owners: {approved: true, optional_sections: true}}", &facts), Truth::Waiting);
    assert_eq!(truth(OWNED, &facts), Truth::True, "owned it is");
    let twice = change("^[Go]\n*.go @ana\n[go]\n*.mod @ana\n", &["a.go"], vec![]);
    assert_eq!(truth(APPROVED, &twice), Truth::Waiting, "required if it is so anywhere");
}

#[test]
fn a_policy_can_ask_for_some_sections() {
    let facts = change("* @bob\n[Docs]\n/docs/ @ana\n", &["docs/a", "src/b"], vec![approval(2, 5)]);
    assert_eq!(truth("{code_owners: {approved: true, sections: docs}}", &facts), Truth::True);
    assert_eq!(truth("{code_owners: {every_file_owned: true, sections: [Docs]}}", &facts), Truth::Violated);
    assert_eq!(
        truth("{code_owners: {every_file_owned: true, sections: [Docs, codeowners]}}", &facts),
        Truth::True
    );
    let other = "{code_owners: {approved: true, sections: [Docs, Data]}}";
    assert_eq!(reason(other, &facts).sentence, "`docs/CODEOWNERS` of `main` has no section `Data`");
    assert_eq!(truth(other, &facts), Truth::Violated);
    assert_eq!(remedies(other, &facts), [Remedy::EditCodeOwners { to: "have a section `Data`".to_owned() }]);
    let broken = change("[Docs\n/docs/ @ana\n[Data]\n", &["docs/a"], vec![approval(2, 5)]);
    let data = "{code_owners: {approved: true, sections: Data}}";
    assert_eq!(truth(data, &broken), Truth::Unknown { curable: false }, "it may be that section's");
}

#[test]
fn every_path_must_have_an_owner() {
    let paths = ["docs/a", "x", "y", "z", "pom.xml", "vendor/v"];
    let facts = change("/docs/ @ana\n!pom.xml\n/vendor/\n", &paths, vec![]);
    assert_eq!(truth(OWNED, &facts), Truth::Violated);
    assert_eq!(reason(OWNED, &facts).sentence, "by `docs/CODEOWNERS` nobody owns `x`, `y`, `z` and 2 more");
    let to = "name an owner of `x`, `y`, `z` and 2 more".to_owned();
    assert_eq!(remedies(OWNED, &facts), [Remedy::EditCodeOwners { to }]);
    assert_eq!(truth(OWNED, &change("* @ana\n", &paths, vec![])), Truth::True);
    assert_eq!(
        truth(OWNED, &change("* @ana\n", &[], vec![])),
        Truth::Violated,
        "of no file nothing is proven"
    );
    let not = format!("{{not: {OWNED}}}");
    let to = "a path that nobody owns".to_owned();
    assert_eq!(remedies(&not, &change("* @ana\n", &paths, vec![])), [Remedy::ChangeFiles { to }]);
}

#[test]
fn a_rename_out_of_an_owned_path_still_needs_its_owner() {
    let mut facts = change("/pay/ @bob\n", &[], vec![approval(2, 5)]);
    let mut code = code(1, &[]);
    code.files =
        vec![ChangedFile { old_path: "pay/a".to_owned(), kind: ChangeKind::Renamed, ..file("src/a") }];
    facts.code = Some(Known::Value(code));
    facts.usernames.insert("bob".to_owned(), Known::Value(Some(UserId::new(3))));
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting);
    assert_eq!(truth(OWNED, &facts), Truth::Violated, "the new path has none");
}

#[test]
fn without_the_file_nothing_passes() {
    let facts = Facts { code_owners: Some(Known::Value(None)), ..facts() };
    for require in [OWNED, APPROVED, BOTH] {
        assert_eq!(truth(require, &facts), Truth::Violated);
        assert_eq!(reason(require, &facts).sentence, "`main` has no CODEOWNERS file");
    }
    let hidden = Facts { code_owners: Some(unknown(true)), ..facts };
    assert_eq!(truth(BOTH, &hidden), Truth::Unknown { curable: true });
}

#[test]
fn of_a_list_that_is_not_complete_only_what_is_missing_is_proven() {
    let with = |approvals| {
        let mut facts = change("/a @ana\n", &["a"], approvals);
        let mut code = code(1, &["a"]);
        code.complete = false;
        facts.code = Some(Known::Value(code));
        facts
    };
    let open = Truth::Unknown { curable: false };
    assert_eq!(truth(APPROVED, &with(vec![approval(2, 5)])), open);
    assert_eq!(truth(APPROVED, &with(vec![])), Truth::Waiting);
    assert_eq!(truth(OWNED, &with(vec![])), open);
    let mut nothing = with(vec![]);
    nothing.code_owners =
        Some(Known::Value(Some(CodeOwnersFile { path: "x".to_owned(), text: "/b @ana".to_owned() })));
    assert_eq!((truth(APPROVED, &nothing), truth(OWNED, &nothing)), (open, Truth::Violated));
}

#[test]
fn a_line_that_cant_be_read_is_never_nobody() {
    let facts = change("* @ana\n/src/ bob\n", &["src/a"], vec![approval(2, 5)]);
    let open = Truth::Unknown { curable: false };
    assert_eq!((truth(APPROVED, &facts), truth(OWNED, &facts)), (open, open));
    let what = "`docs/CODEOWNERS`: line 2 can't be read: `bob` is no owner; it may say who owns `src/a`";
    assert_eq!(remedies(APPROVED, &facts), [Remedy::AskOperator { what: what.to_owned() }]);
    let elsewhere = change("* @ana\n/src/ bob\n", &["a"], vec![approval(2, 5)]);
    assert_eq!(truth(BOTH, &elsewhere), Truth::True, "it says nothing of other paths");
}

#[test]
fn a_hidden_group_and_an_unknown_address_pass_nothing() {
    let open = Truth::Unknown { curable: false };
    let mut facts = change("* @shop/secret\n", &["a"], vec![approval(2, 5)]);
    let group = "shop/secret".to_owned();
    let asked = [FactKey::Group(group.clone()), FactKey::GroupMember(group.clone(), UserId::new(2))];
    assert_eq!(needs(APPROVED, &facts), asked);
    join_group(&mut facts, &group, 2, None);
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting);
    facts.groups.insert(group.clone(), unknown(false));
    facts.group_members.entry(group.clone()).or_default().insert(UserId::new(2), unknown(false));
    assert_eq!(truth(APPROVED, &facts), open);
    let what = "who the owner `@shop/secret` in CODEOWNERS is can't be told: GitLab did not answer";
    assert!(remedies(APPROVED, &facts).contains(&Remedy::AskOperator { what: what.to_owned() }));

    let mut facts = change("* Who@X.org\n", &["a"], vec![approval(2, 5)]);
    assert_eq!(needs(APPROVED, &facts), [FactKey::Email("who@x.org".to_owned())]);
    facts.emails.insert("who@x.org".to_owned(), Known::Value(None));
    assert_eq!(truth(APPROVED, &facts), open);
    facts.emails.insert("who@x.org".to_owned(), Known::Value(Some(UserId::new(3))));
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting);
    facts.emails.insert("who@x.org".to_owned(), Known::Value(Some(UserId::new(2))));
    assert_eq!(truth(APPROVED, &facts), Truth::True);

    let another = change("* @ana @shop/secret who@x.org\n", &["a"], vec![approval(2, 5)]);
    assert_eq!(
        truth(APPROVED, &another),
        Truth::True,
        "another owner approves, the hidden ones do not matter"
    );
}

#[test]
fn a_name_that_is_no_user_s_is_a_group() {
    let mut facts = change("* @shop\n", &["a"], vec![approval(2, 5)]);
    facts.usernames.insert("shop".to_owned(), Known::Value(None));
    let asked = [FactKey::Group("shop".to_owned()), FactKey::GroupMember("shop".to_owned(), UserId::new(2))];
    assert_eq!(needs(APPROVED, &facts), asked);
    join_group(&mut facts, "shop", 2, Some(30));
    assert_eq!(truth(APPROVED, &facts), Truth::True);
    facts.usernames.insert("shop".to_owned(), unknown(true));
    assert_eq!(truth(APPROVED, &facts), Truth::Unknown { curable: true });
}

#[test]
fn a_role_means_direct_members_with_exactly_that_role() {
    let mut facts = change("* @@developers\n", &["a"], vec![approval(2, 5)]);
    assert_eq!(needs(APPROVED, &facts), [FactKey::DirectProjectMember(UserId::new(2))]);
    for (level, expected) in [(None, Truth::Waiting), (Some(40), Truth::Waiting), (Some(30), Truth::True)] {
        facts.direct_project_members.insert(UserId::new(2), Known::Value(level.map(AccessLevel)));
        assert_eq!(truth(APPROVED, &facts), expected, "{level:?}");
    }
}

#[test]
fn what_makes_an_approval_not_count_is_what_it_is_for_approvals() {
    let own = change("* @author @ana\n", &["a"], vec![approval(AUTHOR, 5)]);
    assert_eq!(truth(APPROVED, &own), Truth::Waiting);
    assert_eq!(truth("{code_owners: {approved: true, allow_author: true}}", &own), Truth::True);
    let mut pushed = change("* @ana\n", &["a"], vec![approval(2, 5)]);
    pushed.sightings.pushers.insert(UserId::new(2));
    assert_eq!(truth(APPROVED, &pushed), Truth::Waiting);
    assert_eq!(truth("{code_owners: {approved: true, allow_committers: true}}", &pushed), Truth::True);
    let mut late = change("* @ana\n", &["a"], vec![approval(2, 5)]);
    late.versions = Some(versions(2));
    late.code = Some(Known::Value(code(2, &["a"])));
    assert_eq!(truth(APPROVED, &late), Truth::Unsettled, "a push came after it");
    assert!(remedies(APPROVED, &late).contains(&Remedy::ApproveAgain { username: "ana".to_owned() }));
    assert_eq!(truth("{code_owners: {approved: true, reset_on: never}}", &late), Truth::True);
    let mut unmatched = change("* @ana\n", &["a"], vec![approval(2, 5)]);
    let mut commits = code(1, &["a"]);
    commits.commits[0].author_email = "who@x.org".to_owned();
    unmatched.code = Some(Known::Value(commits));
    unmatched.emails.insert("who@x.org".to_owned(), Known::Value(None));
    assert_eq!(truth(APPROVED, &unmatched), Truth::Unsettled);
    assert_eq!(state(APPROVED, &unmatched), RuleState::Waiting);
    let not = format!("{{not: {APPROVED}}}");
    assert_eq!(state(&not, &unmatched), RuleState::Waiting, "and it makes no `not` true");
    assert!(
        matches!(&remedies(&not, &unmatched)[..], [Remedy::AskOperator { what }] if what.contains("who@x.org"))
    );
    let mut other = change("* @ana\n/b @bob\n", &["a", "b"], vec![approval(2, 5)]);
    (other.code, other.emails) = (unmatched.code.clone(), unmatched.emails.clone());
    if let Some(Known::Value(code)) = &mut other.code {
        code.files.push(file("b"));
    }
    other.usernames.insert("bob".to_owned(), Known::Value(Some(UserId::new(3))));
    assert_eq!(truth(APPROVED, &other), Truth::Waiting, "another entry waits in any case");
    let allow = "{code_owners: {approved: true, unmatched_committers: allow}}";
    assert_eq!(truth(allow, &unmatched), Truth::True);
    let mut token = approval(2, 5);
    token.user.username = "project_7_bot_0a1b".to_owned();
    let mut by_role = change("* @@developer\n", &["a"], vec![token.clone()]);
    by_role.direct_project_members.insert(UserId::new(2), Known::Value(Some(AccessLevel(30))));
    assert_eq!(truth(APPROVED, &by_role), Truth::Waiting, "an access token is nobody");
    assert_eq!(truth(APPROVED, &change("* @project_7_bot_0a1b\n", &["a"], vec![token])), Truth::True);
}

/// GitLab would let these pass once everybody who can approve has: here nobody waits for what can't come.
#[test]
fn an_entry_that_asks_for_more_than_its_owners_can_give_says_so() {
    let mut facts = change("[Docs][2] @ana\n/docs/\n", &["docs/a"], vec![approval(2, 5)]);
    assert_eq!(needs(APPROVED, &facts), [FactKey::Username("ana".to_owned())], "it might be a group");
    facts.usernames.insert("ana".to_owned(), Known::Value(Some(UserId::new(2))));
    let found = reason(APPROVED, &facts);
    assert_eq!(
        (found.truth, found.sentence.as_str()),
        (
            Truth::Violated,
            "`/docs/` in [Docs] (line 2; `docs/a`): 2 approvals are needed, and only 1 of its owners can approve: @ana"
        )
    );
    let to = "name 1 more owner of `/docs/` (line 2)".to_owned();
    assert_eq!(remedies(APPROVED, &facts), [Remedy::EditCodeOwners { to }]);
    assert_eq!(remedies(&format!("{{not: {APPROVED}}}"), &facts), []);
    facts.usernames.insert("ana".to_owned(), unknown(true));
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting, "not proven");

    let alone = change("* @Author\n", &["a"], vec![approval(AUTHOR, 5)]);
    assert_eq!(truth(APPROVED, &alone), Truth::Violated);
    assert_eq!(
        reason(APPROVED, &alone).sentence,
        "`*` (line 1; `a`): 1 approval is needed, and none of its owners can approve; the author can't"
    );
    assert_eq!(truth("{code_owners: {approved: true, allow_author: true}}", &alone), Truth::True);
    // How many people these are is not known.
    for many in ["@shop/pay", "@@developer", "@author @shop/pay", "@author @@owner"] {
        let facts = change(&format!("[Docs][3]\n* {many}\n"), &["a"], vec![]);
        assert_eq!(truth(APPROVED, &facts), Truth::Waiting, "{many}");
    }
    let mut group = change("[Docs][2]\n* @payers\n", &["a"], vec![]);
    group.usernames.insert("payers".to_owned(), Known::Value(None));
    assert_eq!(truth(APPROVED, &group), Truth::Waiting);
    let address = change("[Docs][2]\n* x@example.com\n", &["a"], vec![]);
    assert_eq!(truth(APPROVED, &address), Truth::Violated, "an address is one person's");
    let beside = change("* @shop/pay\n[Docs]\n* @author\n", &["a"], vec![approval(2, 5)]);
    assert_eq!(truth(APPROVED, &beside), Truth::Violated, "whatever the other entry comes to");
}

#[test]
fn what_waits_anyway_asks_for_nothing_more() {
    let facts = change("* @shop/pay\n[Docs][2] @ana @bob\n/docs/\n", &["docs/a"], vec![approval(2, 5)]);
    assert_eq!(truth(APPROVED, &facts), Truth::Waiting);
    assert!(parts(APPROVED, &facts)[0].contains("not looked at"), "{:?}", parts(APPROVED, &facts));
}

#[test]
fn people_can_be_whoever_owns_a_changed_path() {
    let author = "{author: {code_owners: true}}";
    assert_eq!(needs(author, &facts()), [FactKey::Code, FactKey::CodeOwners]);
    assert_eq!(truth(author, &change("^[Docs]\n/docs/ @author\n", &["docs/a"], vec![])), Truth::True);
    let mut other = change("/docs/ @ana\n/src/ @author\n", &["docs/a"], vec![]);
    other.usernames.insert("ana".to_owned(), Known::Value(Some(UserId::new(2))));
    assert_eq!(truth(author, &other), Truth::Violated);
    assert_eq!(
        truth(author, &Facts { code_owners: Some(Known::Value(None)), ..other.clone() }),
        Truth::Violated
    );
    let unread = change("/docs/ junk\n", &["docs/a"], vec![]);
    assert_eq!(truth(author, &unread), Truth::Unknown { curable: false });

    let from = "{approvals: {count: 1, from: {code_owners: true}}}";
    other.approvals = Some(Known::Value(vec![approval(2, 5)]));
    assert_eq!(truth(from, &other), Truth::True);
    other.approvals = Some(Known::Value(vec![approval(3, 5)]));
    assert_eq!(truth(from, &other), Truth::Waiting);
    let words = vec!["code owners of a changed path".to_owned()];
    assert_eq!(remedies(from, &other), [Remedy::Approve { missing: 1, from: words }]);
    assert_eq!(user(3).username, "bob");
}

#[test]
fn what_asks_for_nothing_is_refused() {
    insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {code_owners: {approved: false}}\n  - id: s\n    require: {code_owners: {every_file_owned: true, reset_on: never, sections: []}}\n  - id: t\n    require: {author: {code_owners: false}}\n"), @"
    p.yaml:4:28: error: `code_owners` asks for nothing
      help: write `every_file_owned: true`, `approved: true`, or both
    p.yaml:6:63: error: `reset_on` says nothing without `approved`
      help: write `approved: true` beside it, or leave it out
    p.yaml:6:80: error: `sections` is an empty list
      help: name at least one, or leave the key out
    p.yaml:8:37: error: `code_owners: false` means nobody
      help: leave it out, or write `code_owners: true`
    ");
}
