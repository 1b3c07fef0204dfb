//! Approvals by every method, vetoes, and rules with different approvers, over HTTP.

use countersign::decision::Remembered;
use countersign::merge_request::{CommitSha, MergeRequestRef, UserId};
use countersign::policy::{Remedy, RuleState};
use countersign::simulator::{Fault, FileChange, Membership, NewCommit, Push};

use super::{Played, Stage};
use crate::world::VERSIONS;

const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";
const AWARDS: &str = "GET /projects/:id/merge_requests/:iid/award_emoji";
const REVIEWERS: &str = "GET /projects/:id/merge_requests/:iid/reviewers";
const MEMBER: &str = "GET /projects/:id/members/all/:user_id";
const COMMENT: &str = "{approvals: {count: 1, methods: [{comment: LGTM}]}}";
const EMOJI: &str = "{approvals: {count: 1, methods: [{emoji: thumbsup}]}}";
const VETO: &str =
    "{vetoes: {by: [request_changes, {comment: veto}], revoked_by: [approval, {comment: unveto}]}}";
const MAINTAINER: u8 = 40;

/// A merge request by `@ana` and a member `@bea`.
async fn scene() -> (Stage, MergeRequestRef, UserId) {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let bea = person(&stage, "bea");
    (stage, which, bea)
}

fn person(stage: &Stage, name: &str) -> UserId {
    let user = stage.ground.gitlab.create_user(name);
    stage.ground.gitlab.add_member(stage.ground.project, Membership::new(user, MAINTAINER)).unwrap();
    user
}

/// The reasons against the approvals that do not count.
fn against(played: &Played) -> Vec<String> {
    let reason = played.rules[0].require.as_ref().unwrap();
    reason.parts.iter().map(|part| part.sentence.clone()).collect()
}

/// What a service remembers that saw every version under the target branch `main`.
fn seen_on_main(stage: &Stage, which: MergeRequestRef) -> Remembered {
    let mut remembered = Remembered::default();
    for version in stage.ground.gitlab.merge_request(which).unwrap().versions {
        remembered.sightings.version_targets.insert(version.id, "main".to_owned());
    }
    remembered
}

/// A commit to which the target branch has moved on.
fn newer_base() -> CommitSha {
    CommitSha::parse(&"d".repeat(40)).unwrap()
}

async fn play_remembering(stage: &Stage, which: MergeRequestRef, require: &str) -> Played {
    let remembered = seen_on_main(stage, which);
    stage
        .play_remembering(which, &format!("policy: p\nrules: [{{id: r, require: {require}}}]\n"), &remembered)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_approves_as_a_whole_and_only_as_its_author_wrote_it() {
    let (stage, which, bea) = scene().await;
    let gitlab = stage.ground.gitlab.acting_as(bea);
    let nothing = stage.play(which, COMMENT).await;
    assert_eq!((nothing.state(), nothing.further_calls()), (RuleState::Waiting, 1), "{:?}", nothing.calls);
    for other in ["LGTM after a fix", "> LGTM", "```\nLGTM\n```", "lgtm"] {
        gitlab.comment(which, other).unwrap();
    }
    gitlab.open_thread(which, "LGTM").unwrap();
    gitlab.internal_comment(which, "LGTM").unwrap();
    gitlab.system_note(which, "LGTM").unwrap();
    let regex = "{approvals: {count: 1, methods: [{comment: {regex: '(?s).*LGTM'}}]}}";
    for require in [COMMENT, regex] {
        assert_eq!(stage.play(which, require).await.state(), RuleState::Waiting, "{require}");
    }
    let given = gitlab.comment(which, "LGTM").unwrap();
    let played = stage.play(which, COMMENT).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 5), "{:?}", played.calls);
    assert_eq!(played.calls[NOTES], 1);
    stage.ground.gitlab.comment(which, "LGTM").unwrap();
    let two = COMMENT.replace("count: 1", "count: 2");
    let alone = stage.play(which, &two).await;
    assert_eq!(alone.state(), RuleState::Waiting, "the author's word is nothing");
    gitlab.delete_comment(which, &given).unwrap();
    assert_eq!(stage.play(which, COMMENT).await.state(), RuleState::Waiting, "taken back");
}

/// Whom GitLab lets approve, or comment, counts where the policy names nobody: no role is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_from_anybody_counts_and_a_role_must_be_asked_for() {
    let (stage, which, _) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let stranger = gitlab.create_user("stranger");
    gitlab.approve(which, stranger).unwrap();
    gitlab.acting_as(stranger).comment(which, "LGTM").unwrap();
    gitlab.award(which, stranger, "thumbsup").unwrap();
    for (method, anybody) in
        [("approval", "{approvals: 1}"), ("{comment: LGTM}", COMMENT), ("{emoji: thumbsup}", EMOJI)]
    {
        assert_eq!(stage.play(which, anybody).await.state(), RuleState::Passed, "{method}");
        let role = format!("{{approvals: {{count: 1, methods: [{method}], from: {{role: reporter}}}}}}");
        assert_eq!(stage.play(which, &role).await.state(), RuleState::Waiting, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_edited_by_somebody_else_approves_nothing() {
    let (stage, which, bea) = scene().await;
    let comment = stage.ground.gitlab.acting_as(bea).comment(which, "Not yet.").unwrap();
    let maintainer = person(&stage, "cleo");
    stage.ground.gitlab.acting_as(maintainer).edit_comment(which, &comment, "LGTM").unwrap();
    let played = stage.play(which, COMMENT).await;
    assert_eq!(played.state(), RuleState::Waiting);
    assert_eq!(
        against(&played),
        [
            "the comment by @bea does not count: it was touched after it was written, so somebody may have changed it"
        ]
    );
    let touched = stage.ground.gitlab.acting_as(bea).comment(which, "LGTM").unwrap();
    assert_eq!(stage.play(which, COMMENT).await.state(), RuleState::Passed);
    stage.ground.gitlab.acting_as(bea).reply(which, &touched, "thanks to @ana").unwrap();
    assert_eq!(
        stage.play(which, COMMENT).await.state(),
        RuleState::Waiting,
        "a reply can't be told from an edit"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emoji_lasts_as_long_as_the_change_does() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    gitlab.award(which, bea, "heart").unwrap();
    assert_eq!(stage.play(which, EMOJI).await.state(), RuleState::Waiting);
    gitlab.award(which, bea, "thumbsup").unwrap();
    let played = stage.play(which, EMOJI).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 5), "{:?}", played.calls);
    assert_eq!(played.calls[AWARDS], 1);

    gitlab.push(which, Push::new().base(&newer_base())).unwrap();
    let rebased = play_remembering(&stage, which, EMOJI).await;
    assert_eq!(rebased.state(), RuleState::Passed, "a mere rebase: {}", rebased.sentence());
    assert_eq!(stage.play(which, EMOJI).await.state(), RuleState::Waiting, "of which target nobody knows");
    gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    let changed = play_remembering(&stage, which, EMOJI).await;
    assert_eq!(changed.state(), RuleState::Waiting);
    assert!(
        against(&changed)[0].contains("since then `src/other.rs` has changed"),
        "{:?}",
        against(&changed)
    );
    gitlab.take_award_back(which, bea, "thumbsup").unwrap();
    gitlab.award(which, bea, "thumbsup").unwrap();
    assert_eq!(stage.play(which, EMOJI).await.state(), RuleState::Passed, "given again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trailer_names_the_account_that_wrote_it_or_does_nothing() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let require = "{approvals: {count: 1, methods: [{trailer: Reviewed-by}]}}";
    person(&stage, "cleo");
    gitlab.push(which, Push::new().commit(NewCommit::new("fix\n\nReviewed-by: @cleo"))).unwrap();
    gitlab.edit_description(which, "Reviewed-by: @cleo").unwrap();
    gitlab.acting_as(bea).comment(which, "I asked around.\n\nReviewed-by: @cleo").unwrap();
    let played = stage.play(which, require).await;
    assert_eq!(played.state(), RuleState::Waiting);
    assert_eq!(
        against(&played),
        ["the trailer by @bea does not count: its trailer `Reviewed-by` does not name @bea who wrote it"]
    );
    gitlab.acting_as(bea).comment(which, "I tried it.\n\nReviewed-by: @bea").unwrap();
    assert_eq!(stage.play(which, require).await.state(), RuleState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_s_comment_counts_only_if_the_bot_is_named() {
    let (stage, which, _) = scene().await;
    stage.ground.gitlab.acting_as(stage.ground.bot).comment(which, "LGTM").unwrap();
    let played = stage.play(which, COMMENT).await;
    assert_eq!(played.state(), RuleState::Waiting);
    assert!(against(&played)[0].contains("a bot is nobody"), "{:?}", against(&played));
    let named = COMMENT.replace("count: 1", "count: 1, from: {users: [countersign]}");
    assert_eq!(stage.play(which, &named).await.state(), RuleState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_notes_that_is_cut_short_passes_nothing() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    for number in 0..120 {
        gitlab.comment(which, &format!("note {number}")).unwrap();
    }
    gitlab.acting_as(bea).comment(which, "veto").unwrap();
    let whole = stage.play(which, VETO).await;
    assert_eq!((whole.state(), whole.calls[NOTES]), (RuleState::Waiting, 2));
    gitlab.fault(Fault::error_page(NOTES, 503).skip(1));
    for require in [VETO, "{not: {vetoes: {by: [{comment: veto}]}}}", COMMENT] {
        let cut = stage.play(which, require).await;
        assert_eq!(cut.state(), RuleState::Unknown { curable: true }, "{require}: {}", cut.sentence());
        gitlab.lift_all();
        gitlab.fault(Fault::error_page(NOTES, 503).skip(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_changes_holds_until_it_is_taken_back() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let require = "{vetoes: {at_most: 0}}";
    let free = stage.play(which, require).await;
    assert_eq!((free.state(), free.further_calls()), (RuleState::Passed, 1), "{:?}", free.calls);
    gitlab.review(which, bea, "requested_changes").unwrap();
    let held = stage.play(which, require).await;
    assert_eq!((held.state(), held.sentence()), (RuleState::Waiting, "1 veto: @bea by request for changes"));
    assert_eq!((held.calls[REVIEWERS], held.calls[MEMBER], held.further_calls()), (1, 1, 2));
    gitlab.push(which, Push::new().file("src/fixed.rs")).unwrap();
    assert_eq!(stage.play(which, require).await.state(), RuleState::Waiting, "a push takes nothing back");
    gitlab.approve(which, bea).unwrap();
    assert_eq!(stage.play(which, require).await.state(), RuleState::Passed);
    gitlab.fault(Fault::error_page(REVIEWERS, 404));
    let unread = stage.play(which, require).await;
    assert_eq!(unread.state(), RuleState::Unknown { curable: false }, "an old GitLab has no such list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_veto_in_words_counts_for_members_and_only_they_take_it_back() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let stranger = gitlab.create_user("stranger");
    gitlab.acting_as(stranger).comment(which, "veto").unwrap();
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Passed);
    gitlab.fault(Fault::error_page(MEMBER, 503));
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Unknown { curable: true });
    gitlab.lift_all();
    gitlab.acting_as(bea).comment(which, "veto: it is too slow").unwrap();
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Passed, "only as a whole");
    let reasoned = "{vetoes: {by: [{comment: {regex: '(?i)veto\\b.*'}}]}}";
    assert_eq!(stage.play(which, reasoned).await.state(), RuleState::Waiting);
    gitlab.acting_as(bea).comment(which, "veto").unwrap();
    gitlab.acting_as(stranger).comment(which, "unveto").unwrap();
    let held = stage.play(which, VETO).await;
    assert_eq!((held.state(), held.sentence()), (RuleState::Waiting, "1 veto: @bea by comment"));
    gitlab.acting_as(bea).comment(which, "unveto").unwrap();
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Passed);
}

/// Where a condition stands, where it stands below a `not`, and in a rule's `when` over what never holds.
async fn three_ways(stage: &Stage, which: MergeRequestRef, require: &str) -> [RuleState; 3] {
    let plain = stage.play(which, require).await.state();
    let below_not = stage.play(which, &format!("{{not: {require}}}")).await.state();
    let when =
        format!("policy: p\nrules: [{{id: r, when: {require}, require: {{title: {{regex: never}}}}}}]\n");
    [plain, below_not, stage.play_policy(which, &when).await.state()]
}

const IN_DOUBT: [RuleState; 3] = [RuleState::Waiting; 3];
const HOLDS: [RuleState; 3] = [RuleState::Passed, RuleState::Violated, RuleState::Violated];
const MISSING: [RuleState; 3] = [RuleState::Waiting, RuleState::Passed, RuleState::Skipped];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_in_doubt_settles_nothing_until_people_make_it_plain() {
    let (stage, _, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let by_zoe = NewCommit::new("feat: it").author_email("zoe@example.com");
    let which = gitlab.open_merge_request(stage.ground.merge_request().commit(by_zoe)).unwrap();
    assert_eq!(three_ways(&stage, which, "{approvals: 1}").await, MISSING);
    gitlab.approve(which, bea).unwrap();
    assert_eq!(three_ways(&stage, which, "{approvals: 1}").await, IN_DOUBT);
    assert_eq!(three_ways(&stage, which, "{approvals: 2}").await, MISSING, "one is too few whatever it is");
    let below_not = stage.play(which, "{not: {approvals: 1}}").await;
    let tells =
        |remedy: &Remedy| matches!(remedy, Remedy::AskOperator { what } if what.contains("zoe@example.com"));
    assert!(below_not.rules[0].remedies.iter().any(tells), "{:?}", below_not.rules[0].remedies);
    gitlab.create_user("zoe");
    assert_eq!(three_ways(&stage, which, "{approvals: 1}").await, HOLDS);

    let comment = gitlab.acting_as(bea).comment(which, "Not yet.").unwrap();
    assert_eq!(three_ways(&stage, which, COMMENT).await, MISSING);
    gitlab.acting_as(bea).edit_comment(which, &comment, "LGTM").unwrap();
    assert_eq!(three_ways(&stage, which, COMMENT).await, IN_DOUBT);
    gitlab.acting_as(bea).comment(which, "LGTM").unwrap();
    assert_eq!(three_ways(&stage, which, COMMENT).await, HOLDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_veto_that_was_touched_blocks_and_opens_nothing() {
    let (stage, which, bea) = scene().await;
    let gitlab = stage.ground.gitlab.acting_as(bea);
    assert_eq!(three_ways(&stage, which, VETO).await, HOLDS);
    let comment = gitlab.comment(which, "veto").unwrap();
    assert_eq!(three_ways(&stage, which, VETO).await, MISSING);
    stage.ground.gitlab.reply(which, &comment, "why?").unwrap();
    assert_eq!(three_ways(&stage, which, VETO).await, IN_DOUBT);
    let played = stage.play(which, VETO).await;
    assert!(
        played.sentence().contains("the comment by @bea may be a veto that stands"),
        "{}",
        played.sentence()
    );
    let back = |remedy: &Remedy| matches!(remedy, Remedy::RevokeVeto { username, .. } if username == "bea");
    assert!(played.rules[0].remedies.iter().all(back), "{:?}", played.rules[0].remedies);
    gitlab.comment(which, "unveto").unwrap();
    assert_eq!(three_ways(&stage, which, VETO).await, HOLDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_veto_outlives_the_account_that_said_it_and_an_approval_does_not() {
    let (stage, which, bea) = scene().await;
    let gitlab = &stage.ground.gitlab;
    let by_emoji = "{vetoes: {by: [{emoji: thumbsdown}]}}";
    let said = gitlab.acting_as(bea).comment(which, "veto").unwrap();
    gitlab.award(which, bea, "thumbsdown").unwrap();
    gitlab.acting_as(bea).comment(which, "LGTM").unwrap();
    gitlab.award(which, bea, "thumbsup").unwrap();
    assert_eq!(three_ways(&stage, which, by_emoji).await, MISSING);
    gitlab.block_user(bea).unwrap();
    for require in [VETO, by_emoji] {
        assert_eq!(three_ways(&stage, which, require).await, IN_DOUBT, "{require}");
        let played = stage.play(which, require).await;
        assert!(played.sentence().contains("the account is no longer active"), "{}", played.sentence());
        let deletes = |remedy: &Remedy| matches!(remedy, Remedy::AskOperator { what } if what.starts_with("delete the "));
        assert!(played.rules[0].remedies.iter().any(deletes), "{:?}", played.rules[0].remedies);
    }
    for require in [COMMENT, EMOJI] {
        assert_eq!(three_ways(&stage, which, require).await, MISSING, "{require}");
        let played = stage.play(which, require).await;
        assert!(against(&played)[0].ends_with("the account is no longer active"), "{:?}", against(&played));
    }
    gitlab.delete_comment(which, &said).unwrap();
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Passed, "a maintainer deleted it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_too_long_to_be_kept_may_be_a_veto_and_is_no_approval() {
    let (stage, which, bea) = scene().await;
    let by = |words: &str| format!("{{vetoes: {{by: [{{comment: {words}}}]}}}}");
    let (long, short) = (by("{regex: '(?s)veto.*'}"), by("{regex: '(?i)veto[.!]?'}"));
    stage
        .ground
        .gitlab
        .acting_as(bea)
        .comment(which, &format!("veto: {}", "because ".repeat(1_000)))
        .unwrap();
    assert_eq!(three_ways(&stage, which, &long).await, IN_DOUBT);
    for require in [short, by("veto")] {
        assert_eq!(stage.play(which, &require).await.state(), RuleState::Passed, "{require}");
    }
    let approval = "{approvals: {count: 1, methods: [{comment: {regex: '(?s)veto.*'}}]}}";
    assert_eq!(three_ways(&stage, which, approval).await, MISSING);
    stage.ground.gitlab.acting_as(bea).comment(which, "veto: because").unwrap();
    assert_eq!(three_ways(&stage, which, &long).await, MISSING, "this one is plain");
}

const TWO_RULES: &str = "policy: p
distinct_approvers: [a, b]
rules:
  - {id: a, require: {approvals: {count: 1, from: {role: developer}}}}
  - {id: b, require: {approvals: {count: 1, from: {users: [bea]}}}}
";

fn states(played: &Played) -> Vec<RuleState> {
    played.rules.iter().map(|rule| rule.state).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_rules_and_one_person_wait_for_a_second_one() {
    let (stage, which, bea) = scene().await;
    let cleo = person(&stage, "cleo");
    stage.ground.gitlab.approve(which, bea).unwrap();
    let alone = stage.play_policy(which, TWO_RULES).await;
    assert_eq!(states(&alone), [RuleState::Passed, RuleState::Waiting]);
    let sentence = &alone.rules[1].require.as_ref().unwrap().sentence;
    assert_eq!(sentence, "nobody stands for two of `a`, `b`: @bea is needed for `a`; 1 more is needed here");
    stage.ground.gitlab.approve(which, cleo).unwrap();
    let both = stage.play_policy(which, TWO_RULES).await;
    assert_eq!(states(&both), [RuleState::Passed, RuleState::Passed], "`a` gives @bea up for @cleo");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_shared_out_where_taking_the_first_would_fail() {
    let (stage, which, bea) = scene().await;
    let (cleo, dora) = (person(&stage, "cleo"), person(&stage, "dora"));
    let policy = "policy: p
distinct_approvers: [a, b]
rules:
  - {id: a, require: {approvals: {count: 2, from: {users: [bea, cleo, dora]}}}}
  - {id: b, require: {approvals: {count: 1, from: {users: [bea]}}}}
";
    for user in [bea, cleo] {
        stage.ground.gitlab.approve(which, user).unwrap();
    }
    assert_eq!(states(&stage.play_policy(which, policy).await), [RuleState::Passed, RuleState::Waiting]);
    stage.ground.gitlab.approve(which, dora).unwrap();
    assert_eq!(states(&stage.play_policy(which, policy).await), [RuleState::Passed, RuleState::Passed]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_read_before_the_versions_that_date_them() {
    let (stage, which, bea) = scene().await;
    stage.ground.gitlab.acting_as(bea).comment(which, "LGTM").unwrap();
    let text = format!(
        "policy: p\nrules: [{{id: r, when: {{changed_files: {{any: ['*.md']}}}}, require: {COMMENT}}}]\n"
    );
    let played = stage.play_policy(which, &text).await;
    assert_eq!((played.state(), played.calls[VERSIONS]), (RuleState::Passed, 2), "{:?}", played.calls);
}

/// What a push did to an approval that was given before it.
async fn after(change: impl FnOnce(&Stage, MergeRequestRef) -> Push, first: FileChange) -> RuleState {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let which = gitlab.open_merge_request(stage.ground.merge_request().file(first)).unwrap();
    let bea = person(&stage, "bea");
    gitlab.approve(which, bea).unwrap();
    assert_eq!(play_remembering(&stage, which, "{approvals: 1}").await.state(), RuleState::Passed);
    let push = change(&stage, which);
    gitlab.push(which, push).unwrap();
    play_remembering(&stage, which, "{approvals: 1}").await.state()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_lasts_exactly_as_long_as_the_patch() {
    let text = |diff: &str| FileChange::modified("src/a.rs").diff(diff);
    let plain = || text("@@ -1,3 +1,3 @@ fn f()\n a\n-b\n+c\n d\n");
    let (stands, lost) = (RuleState::Passed, RuleState::Waiting);
    let kept = |file: FileChange| move |_: &Stage, _| Push::new().file(file);

    let moved = text("@@ -71,3 +75,3 @@ fn g()\n a\n-b\n+c\n d\n");
    let rebase =
        |_: &Stage, _| Push::new().base(&newer_base()).file(moved).commit(NewCommit::new("feat: the same"));
    assert_eq!(after(rebase, plain()).await, stands, "a rebase, lines moved");
    let merge = |stage: &Stage, which| {
        let base = newer_base();
        let head = stage.ground.gitlab.head(which).unwrap();
        let commit = NewCommit::new("Merge branch 'main'").parent(head).parent(base.clone());
        Push::new().base(&base).file(plain()).commit(NewCommit::new("feat: it")).commit(commit)
    };
    assert_eq!(after(merge, plain()).await, stands, "the target branch merged in");
    let nearby = text("@@ -1,3 +1,3 @@ fn f()\n A\n-b\n+c\n d\n");
    assert_eq!(after(kept(nearby), plain()).await, lost, "the base moved under the context");
    let spaced = text("@@ -1,3 +1,3 @@ fn f()\n a\n-b\n+c \n d\n");
    assert_eq!(after(kept(spaced), plain()).await, lost, "a space");
    assert_eq!(after(kept(plain().modes("100644", "100755")), plain()).await, lost, "a mode");
    let binary = || text("Binary files a/src/a.rs and b/src/a.rs differ\n");
    assert_eq!(after(kept(binary()), binary()).await, lost, "binary files say nothing of their content");
    assert_eq!(after(kept(plain().collapsed()), plain().collapsed()).await, lost, "texts left out");
    let renamed = || FileChange::renamed("src/a.rs", "src/b.rs");
    assert_eq!(after(kept(renamed()), renamed()).await, stands, "the same rename");
    assert_eq!(
        after(kept(FileChange::renamed("src/a.rs", "src/c.rs")), renamed()).await,
        lost,
        "another one"
    );
}
