//! What commits come to, over facts written by hand.

use crate::merge_request::{CommitSha, UserId};
use crate::policy::evaluation::{Remedy, RuleState, Truth};
use crate::policy::example::{
    code, facts, join_group, mistakes, needs, reason, remedies, sha, state, truth, unknown,
};
use crate::policy::fact::{Code, Commit, FactKey, Facts, Known, Parentage, Signature};

const UNKNOWN: Truth = Truth::Unknown { curable: false };

fn commit(sha: CommitSha, message: &str) -> Commit {
    Commit {
        sha,
        message: message.to_owned(),
        author_email: "ana@x.org".to_owned(),
        committer_email: "Bob@x.org".to_owned(),
    }
}

/// The head `b…` above a commit `1…`, with these messages.
fn pushed(head: &str, below: &str) -> Facts {
    let commits = vec![commit(sha('b'), head), commit(sha('1'), below)];
    Facts { code: Some(Known::Value(Code { commits, ..code(1, &["a"]) })), ..facts() }
}

fn plain() -> Facts {
    pushed("feat: head", "fix: below")
}

fn sign(facts: &mut Facts, digit: char, status: Option<&str>) {
    let signature =
        status.map(|status| Signature { kind: "SSH".to_owned(), verification_status: status.to_owned() });
    facts.signatures.insert(sha(digit), Known::Value(signature));
}

fn parents(facts: &mut Facts, of: &[(char, &[char])]) {
    let one = |(digit, parents): &(char, &[char])| Parentage {
        sha: sha(*digit),
        parents: parents.iter().map(|digit| sha(*digit)).collect(),
    };
    facts.parentage = Some(Known::Value(of.iter().map(one).collect()));
}

fn signature(digit: char) -> FactKey {
    FactKey::Signature(sha(digit))
}

#[test]
fn commits_are_counted() {
    assert_eq!(needs("{commits: {at_most: 2}}", &facts()), [FactKey::Code]);
    assert_eq!(truth("{commits: {at_most: 2}}", &plain()), Truth::True);
    assert_eq!(truth("{commits: {at_most: 1}}", &plain()), Truth::Violated);
    assert_eq!(truth("{commits: {at_least: 3}}", &plain()), Truth::Violated);
    assert_eq!(
        reason("{commits: {at_most: 1}}", &plain()).sentence,
        "there are 2 commits, the bounds are at most 1"
    );
    let to = "there are at most 1 commits".to_owned();
    assert_eq!(remedies("{commits: {at_most: 1}}", &plain()), [Remedy::ChangeCommits { to }]);
}

#[test]
fn messages_are_text_and_subjects_their_first_line() {
    let facts =
        pushed("feat: head\n\nwhy\n\nRefs: #1\nSigned-off-by: B <bob@x.org>\n", "fixup! fix: below\n");
    for (commit, any, all) in [
        ("{subject: {conventional_commit: true}}", true, false),
        ("{subject: {contains: [head, below]}}", true, true),
        ("{subject: {regex: 'feat: head'}}", true, false),
        ("{subject: {glob: 'fixup!*'}}", true, false),
        ("{message: {contains: why}, subject: {contains: head}}", true, false),
        ("{message: {contains: why}, subject: {contains: below}}", false, false),
        ("{message: {regex: 'fixup! fix: below'}}", true, false),
        ("{message: {not_empty: true}}", true, true),
        ("{trailers: [signed-off-by, refs]}", true, false),
        ("{trailers: [Signed-off-by, Acked-by]}", false, false),
        ("{signed_off_by: committer}", true, false),
        ("{signed_off_by: author}", false, false),
    ] {
        let is = |quantity| truth(&format!("{{commits: {{{quantity}: {commit}}}}}"), &facts) == Truth::True;
        assert_eq!((is("any"), is("all"), is("none")), (any, all, !any), "{commit}");
    }
    let fixup = "{commits: {none: {subject: {glob: 'fixup!*'}}}}";
    assert_eq!(
        reason(fixup, &facts).sentence,
        "a commit has a subject that reads like `fixup!*` and must not: `11111111`"
    );
    let to = "not: no commit has a subject that reads like `fixup!*`".to_owned();
    assert_eq!(remedies(&format!("{{not: {fixup}}}"), &plain()), [Remedy::ChangeCommits { to }]);
    assert_eq!(
        state("{commits: {none: {subject: {contains: x}}}}", &pushed("\n \nx", "a")),
        RuleState::Violated
    );
}

#[test]
fn a_list_without_the_head_proves_nothing() {
    let mut lost = plain();
    lost.merge_request.sha = sha('a');
    let mut empty = plain();
    empty.code = Some(Known::Value(Code { commits: Vec::new(), ..code(1, &[]) }));
    for require in [
        "{at_most: 9}",
        "{none: {merge: true}}",
        "{any: {subject: {contains: head}}}",
        "{all: {verified: true}}",
    ] {
        for facts in [&lost, &empty] {
            assert_eq!(
                truth(&format!("{{commits: {require}}}"), facts),
                Truth::Unknown { curable: true },
                "{require}"
            );
        }
    }
}

#[test]
fn a_merge_has_two_parents_and_an_unlisted_one_is_unknown() {
    const NONE: &str = "{commits: {none: {merge: true}}}";
    let mut facts = plain();
    assert_eq!(needs(NONE, &facts), [FactKey::Parentage]);
    parents(&mut facts, &[('b', &['1']), ('1', &['0'])]);
    assert_eq!(truth(NONE, &facts), Truth::True);
    parents(&mut facts, &[('b', &['1', '9']), ('1', &['0'])]);
    assert_eq!(truth(NONE, &facts), Truth::Violated);
    parents(&mut facts, &[('b', &['1'])]);
    assert_eq!(truth(NONE, &facts), UNKNOWN);
    assert_eq!(truth("{commits: {any: {merge: true}}}", &facts), UNKNOWN);
    parents(&mut facts, &[('1', &['0', '9'])]);
    assert_eq!(truth(NONE, &facts), Truth::Violated, "one is enough");
    facts.parentage = Some(unknown(true));
    assert_eq!(truth(NONE, &facts), Truth::Unknown { curable: true });
}

#[test]
fn what_is_cheap_settles_before_signatures_are_asked_for() {
    let wip = "{commits: {none: {subject: {contains: WIP}, merge: true, verified: true}}}";
    assert_eq!(truth(wip, &plain()), Truth::True, "no message says it");
    let all = "{commits: {all: {subject: {contains: feat}, verified: true}}}";
    assert_eq!(truth(all, &plain()), Truth::Violated);
    let both = "{commits: {at_most: 1, all: {verified: true}}}";
    assert_eq!(truth(both, &plain()), Truth::Violated);
    let merge = "{commits: {none: {merge: true, subject: {contains: head}}, all: {verified: true}}}";
    let mut facts = plain();
    assert_eq!(needs(merge, &facts), [FactKey::Parentage]);
    parents(&mut facts, &[('b', &['1', '9']), ('1', &['0'])]);
    assert_eq!(truth(merge, &facts), Truth::Violated);
    parents(&mut facts, &[('b', &['1']), ('1', &['0'])]);
    assert_eq!(needs(merge, &facts), [signature('1'), signature('b')]);
    // A doubt about parents does not keep a signature from settling it.
    facts.parentage = Some(unknown(true));
    let merged = "{commits: {none: {merge: true, verified: true}}}";
    assert_eq!(needs(merged, &facts), [signature('1'), signature('b')]);
    sign(&mut facts, 'b', None);
    sign(&mut facts, '1', Some("unverified"));
    assert_eq!(truth(merged, &facts), Truth::True);
}

#[test]
fn only_gitlab_s_own_word_verifies() {
    const ALL: &str = "{commits: {all: {verified: true}}}";
    let with = |head: Option<&str>| {
        let mut facts = plain();
        sign(&mut facts, 'b', head);
        sign(&mut facts, '1', Some("verified"));
        facts
    };
    assert_eq!(truth(ALL, &with(Some("verified"))), Truth::True);
    assert_eq!(truth(ALL, &with(Some("verified_system"))), Truth::True);
    for word in super::NOT_VERIFIED {
        assert_eq!(truth(ALL, &with(Some(word))), Truth::Violated, "{word}");
    }
    assert_eq!(truth(ALL, &with(None)), Truth::Violated);
    assert_eq!(truth(ALL, &with(Some("a_word_of_tomorrow"))), UNKNOWN);
    assert_eq!(truth("{commits: {none: {verified: true}}}", &with(Some("verified"))), Truth::Violated);
    let mut hidden = with(None);
    hidden.signatures.insert(sha('b'), unknown(false));
    assert_eq!(truth(ALL, &hidden), UNKNOWN);
    assert_eq!(truth("{not: {commits: {all: {verified: true}}}}", &hidden), UNKNOWN);
    assert_eq!(truth("{commits: {any: {verified: true}}}", &hidden), Truth::True);
}

#[test]
fn a_signature_is_somebody_s_by_the_committer_s_address() {
    const ALL: &str = "{commits: {all: {signed_by: {users: [bob], groups: [shop/web]}}}}";
    let email = || FactKey::Email("bob@x.org".to_owned());
    let mut facts = plain();
    assert_eq!(needs(ALL, &facts), [signature('1'), signature('b')]);
    sign(&mut facts, 'b', Some("verified"));
    sign(&mut facts, '1', Some("verified"));
    assert_eq!(needs(ALL, &facts), [email()]);
    facts.emails.insert("bob@x.org".to_owned(), Known::Value(None));
    assert_eq!(truth(ALL, &facts), UNKNOWN, "it is somebody's, GitLab does not show whose");
    assert_eq!(truth("{commits: {none: {signed_by: {users: [bob]}}}}", &facts), UNKNOWN);
    facts.emails.insert("bob@x.org".to_owned(), Known::Value(Some(UserId::new(3))));
    let bob = UserId::new(3);
    assert_eq!(
        needs(ALL, &facts),
        [
            FactKey::Group("shop/web".to_owned()),
            FactKey::GroupMember("shop/web".to_owned(), bob),
            FactKey::Username("bob".to_owned())
        ]
    );
    facts.usernames.insert("bob".to_owned(), Known::Value(Some(UserId::new(4))));
    join_group(&mut facts, "shop/web", 3, None);
    assert_eq!(truth(ALL, &facts), Truth::Violated);
    join_group(&mut facts, "shop/web", 3, Some(10));
    assert_eq!(truth(ALL, &facts), Truth::True);
    join_group(&mut facts, "shop/web", 3, None);
    facts.usernames.insert("bob".to_owned(), Known::Value(Some(bob)));
    assert_eq!(truth(ALL, &facts), Truth::True);
    sign(&mut facts, '1', Some("verified_system"));
    assert_eq!(truth(ALL, &facts), Truth::Violated, "GitLab's signature is nobody's");
}

#[test]
fn a_private_address_of_any_host_names_nobody_here() {
    let mut facts = plain();
    let commits =
        vec![Commit { committer_email: "3-bob@users.noreply.evil.org".to_owned(), ..commit(sha('b'), "a") }];
    facts.code = Some(Known::Value(Code { commits, ..code(1, &["a"]) }));
    sign(&mut facts, 'b', Some("verified"));
    let email = FactKey::Email("3-bob@users.noreply.evil.org".to_owned());
    assert_eq!(needs("{commits: {all: {signed_by: {role: owner}}}}", &facts), [email]);
}

#[test]
fn what_says_nothing_of_commits_is_refused() {
    insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require:\n      commits: {all: {merge: false}, any: {subject: {conventional_commit: false}}, none: {trailers: [\"Refs:\"], message: {regex: \"(\"}}}\n  - {id: s, require: {commits: {all: {}}}}\n  - {id: t, require: {commits: {all: [merge]}}}\n  - {id: u, require: {commits: 2}}\n"), @r#"
    p.yaml:5:30: error: `merge: false` says nothing
      help: write `none: {merge: true}`
    p.yaml:5:75: error: `conventional_commit: false` says nothing
      help: write `none: {subject: {conventional_commit: true}}`
    p.yaml:5:102: error: `Refs:` is no trailer's name
      help: write the name alone, such as `Signed-off-by`
    p.yaml:5:129: error: `(` is not a regular expression: unclosed group
      help: escape what is meant literally with a backslash; look-around is not supported
    p.yaml:6:38: error: `all` is empty
      help: it may say `message`, `subject`, `trailers`, `signed_off_by`, `merge`, `verified`, `signed_by`
    p.yaml:7:38: error: `all` must be a mapping, not a list
      help: write `{subject: {…}}`, `{signed_off_by: author}`, `{merge: true}` or `{verified: true}`
    p.yaml:8:32: error: `commits` must be a mapping, not `2`
      help: write `commits: {all: {…}}`, `commits: {none: {…}}` or `commits: {at_most: …}`
    "#);
}
