//! What the merge request says of itself, its people and its project, over HTTP: what passes, what must never pass, and
//! what it costs.

use countersign::decision::Remembered;
use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::policy::RuleState;
use countersign::policy::fact::Sightings;
use countersign::simulator::{
    Fault, FaultKind, Membership, Moment, NewCommit, NewProject, NewUser, ProjectSetting, Push,
};
use serde_json::json;

use super::{Played, Stage, answer};
use crate::world::{GROUP, GROUP_MEMBER, VERSION, VERSIONS};

const REVIEWERS: &str = "GET /projects/:id/merge_requests/:iid/reviewers";
const LABEL_EVENTS: &str = "GET /projects/:id/merge_requests/:iid/resource_label_events";
const PROJECT: &str = "GET /projects/:id";
const USERS: &str = "GET /users";
const USER: &str = "GET /users/:id";
const BRANCH: &str = "GET /projects/:id/repository/branches/:branch";
const COMMITS: &str = "GET /projects/:id/repository/commits";
const MERGE_BASE: &str = "GET /projects/:id/repository/merge_base";
const NOT_KNOWN: RuleState = RuleState::Unknown { curable: false };
const CURABLE: RuleState = RuleState::Unknown { curable: true };

/// A stage with `@bea` of `shop/payments`, `@cleo` of nothing, and a merge request of `@ana`.
struct Cast {
    stage: Stage,
    which: MergeRequestRef,
    bea: UserId,
    cleo: UserId,
}

impl Cast {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let bea = stage.ground.reviewer();
        let cleo = stage.ground.gitlab.create_user("cleo");
        let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
        Self { stage, which, bea, cleo }
    }

    fn gitlab(&self) -> &countersign::simulator::Gitlab {
        &self.stage.ground.gitlab
    }

    async fn play(&self, require: &str) -> Played {
        self.stage.play(self.which, require).await
    }

    /// Where a rule stands, and how many further calls it took.
    async fn come_to(&self, require: &str) -> (RuleState, usize) {
        let played = self.play(require).await;
        (played.state(), played.further_calls())
    }

    /// The groups and members of the stage can't be seen any more.
    fn hide_group(&self) {
        let bot = self.stage.ground.bot;
        self.gitlab().remove_member("shop/payments", bot).unwrap();
    }

    /// A push of one commit with this author.
    fn push_by(&self, email: &str) {
        let commit = NewCommit::new("feat: more").author_email(email);
        self.gitlab().push(self.which, Push::new().commit(commit)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_milestone_origin_and_conflicts_cost_nothing_further() {
    const ALL: &str = "{milestone: 'v1*', squash: true, removes_source_branch: false, from_fork: false, \
                       first_contribution: true, conflicts: false, assignees: {from: {users: [bea]}}, \
                       reviewers: {at_least: 1}, project: {paths: 'shop/*'}}";
    let cast = Cast::new().await;
    let (gitlab, which) = (cast.gitlab(), cast.which);
    assert_eq!(cast.come_to(ALL).await, (RuleState::Violated, 0), "it is no first contribution");
    gitlab.set_first_contribution(which, Some(true)).unwrap();
    assert_eq!(cast.come_to(ALL).await, (RuleState::Waiting, 0));
    gitlab.set_milestone(which, Some("v1.2")).unwrap();
    gitlab.set_squash(which, true).unwrap();
    gitlab.set_source_branch_removal(which, false).unwrap();
    gitlab.set_assignees(which, &[cast.bea]).unwrap();
    gitlab.set_reviewers(which, &[cast.cleo]).unwrap();
    assert_eq!(cast.come_to(ALL).await, (RuleState::Passed, 0));

    gitlab.set_conflicts(which, None).unwrap();
    assert_eq!(cast.come_to(ALL).await, (RuleState::Waiting, 0), "GitLab has not looked");
    gitlab.set_conflicts(which, Some(true)).unwrap();
    assert_eq!(cast.come_to(ALL).await, (RuleState::Violated, 0));
    gitlab.set_conflicts(which, Some(false)).unwrap();
    gitlab.set_first_contribution(which, None).unwrap();
    assert_eq!(cast.come_to(ALL).await, (NOT_KNOWN, 0), "an older GitLab does not say");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_stays_one_when_it_is_deleted() {
    let cast = Cast::new().await;
    let fork = cast.gitlab().create_project(NewProject::at("ana/pay"));
    let new = cast.stage.ground.merge_request().fork(fork);
    let which = cast.gitlab().open_merge_request(new).unwrap();
    assert_eq!(cast.stage.play(which, "{from_fork: true}").await.state(), RuleState::Passed);
    cast.gitlab().delete_project(fork).unwrap();
    assert_eq!(cast.stage.play(which, "{from_fork: true}").await.state(), RuleState::Passed);
    // Where there is no source branch GitLab would say 0; the commits are still there.
    assert_eq!(cast.stage.play(which, "{behind_target: {at_most: 0}}").await.state(), RuleState::Passed);
    cast.gitlab().write_file(cast.stage.ground.project, "main", "a", Some("1")).unwrap();
    assert_eq!(cast.stage.play(which, "{behind_target: {at_most: 0}}").await.state(), RuleState::Violated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assignees_are_looked_up_only_where_that_can_matter() {
    const FROM: &str = "{assignees: {from: {groups: [Shop/Payments]}}}";
    let cast = Cast::new().await;
    let (gitlab, which) = (cast.gitlab(), cast.which);
    assert_eq!(cast.come_to(FROM).await, (RuleState::Waiting, 0), "nobody is assigned");
    gitlab.set_assignees(which, &[cast.cleo]).unwrap();
    assert_eq!(cast.come_to(FROM).await, (RuleState::Waiting, 2), "the group and the one member of it");
    gitlab.set_assignees(which, &[cast.cleo, cast.bea]).unwrap();
    assert_eq!(cast.come_to(FROM).await, (RuleState::Passed, 3));
    gitlab.fault(Fault::error_page(GROUP_MEMBER, 500));
    assert_eq!(cast.come_to(FROM).await.0, CURABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviewers_cost_one_read_for_their_states_and_pass_nobody_of_whom_it_is_not_known() {
    const APPROVED: &str = "{reviewers: {state: approved, from: {groups: [shop/payments]}}}";
    const BLOCKED: &str = "{reviewers: {state: requested_changes, at_most: 0}}";
    let cast = Cast::new().await;
    let (gitlab, which) = (cast.gitlab(), cast.which);
    assert_eq!(cast.come_to(BLOCKED).await, (RuleState::Passed, 0), "nobody was asked to review");
    gitlab.set_reviewers(which, &[cast.bea, cast.cleo]).unwrap();
    let played = cast.play(APPROVED).await;
    assert_eq!((played.state(), played.further_calls(), played.calls[REVIEWERS]), (RuleState::Waiting, 1, 1));
    gitlab.approve(which, cast.bea).unwrap();
    assert_eq!(cast.come_to(APPROVED).await, (RuleState::Passed, 3), "states, group and one member");
    gitlab.review(which, cast.cleo, "requested_changes").unwrap();
    assert_eq!(cast.come_to(BLOCKED).await, (RuleState::Waiting, 1));
    gitlab.review(which, cast.cleo, "pondering").unwrap();
    assert_eq!(cast.come_to(BLOCKED).await.0, NOT_KNOWN, "a word that is not known");

    cast.hide_group();
    assert_eq!(cast.come_to(APPROVED).await.0, NOT_KNOWN, "a hidden group");
    for kind in [FaultKind::Truncate, FaultKind::Garbage] {
        let fault = gitlab.fault(Fault::on(REVIEWERS, kind));
        assert_eq!(cast.come_to(BLOCKED).await.0, CURABLE);
        gitlab.lift(fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_it_is_behind_is_counted_in_two_reads_and_proven_by_a_third_where_there_is_nothing_to_count()
{
    const LEVEL: &str = "{behind_target: {at_most: 1}}";
    let cast = Cast::new().await;
    let project = cast.stage.ground.project;
    let pushed = |number: u32| {
        cast.gitlab().write_file(project, "main", "a", Some(&number.to_string())).unwrap();
    };
    let played = cast.play(LEVEL).await;
    assert_eq!((played.state(), played.further_calls(), played.calls[MERGE_BASE]), (RuleState::Passed, 3, 1));
    for (number, expected) in [(1, RuleState::Passed), (2, RuleState::Violated)] {
        pushed(number);
        let played = cast.play(LEVEL).await;
        assert_eq!((played.state(), played.further_calls()), (expected, 2), "{:?}", played.calls);
        assert_eq!((played.calls[BRANCH], played.calls[COMMITS]), (1, 1));
    }
    (3..=1_001).for_each(pushed);
    let played = cast.play(LEVEL).await;
    assert_eq!((played.state(), played.calls[COMMITS]), (RuleState::Violated, 10), "and no more are counted");
    assert_eq!(cast.come_to("{behind_target: {at_most: 2000}}").await.0, NOT_KNOWN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distance_that_can_not_be_counted_is_not_none() {
    const LEVEL: &str = "{behind_target: {at_most: 9}}";
    let cast = Cast::new().await;
    let project = cast.stage.ground.project;
    let play_with = async |fault: Fault| {
        let fault = cast.gitlab().fault(fault);
        let found = cast.come_to(LEVEL).await.0;
        let below_not = cast.come_to(&format!("{{not: {LEVEL}}}")).await.0;
        assert_eq!(found, below_not);
        cast.gitlab().lift(fault);
        found
    };
    for route in [BRANCH, COMMITS, MERGE_BASE] {
        assert_eq!(play_with(Fault::error_page(route, 503)).await, CURABLE, "{route}");
    }
    // Level with the target, which is proven by where the two part and not by an empty list.
    let unknown_ref = answer(400, &json!({ "message": "Could not find ref" }));
    assert_eq!(play_with(Fault::on(MERGE_BASE, unknown_ref)).await, NOT_KNOWN);
    let elsewhere = Fault::saying(MERGE_BASE, "id", json!("1".repeat(40)));
    assert_eq!(play_with(elsewhere).await, CURABLE);
    cast.gitlab().write_file(project, "main", "a", Some("1")).unwrap();
    assert_eq!(cast.come_to(LEVEL).await.0, RuleState::Passed);
    let nothing = Fault::on(COMMITS, answer(200, &json!([])));
    assert_eq!(play_with(nothing).await, CURABLE, "an empty list where there are commits");
    let other = json!([{ "id": "1".repeat(40), "parent_ids": [] }]);
    assert_eq!(play_with(Fault::on(COMMITS, answer(200, &other))).await, CURABLE, "commits of another range");
    let gone = answer(404, &json!({ "message": "404 Branch Not Found" }));
    assert_eq!(play_with(Fault::on(BRANCH, gone)).await, NOT_KNOWN);
}

/// What is counted is the head that is decided, whatever the source branch is for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_comes_and_goes_or_another_target_does_not_bring_the_head_nearer() {
    const LEVEL: &str = "{behind_target: {at_most: 0}}";
    for route in [BRANCH, COMMITS] {
        let cast = Cast::new().await;
        let (gitlab, which, project) = (cast.gitlab(), cast.which, cast.stage.ground.project);
        let head = gitlab.head(which).unwrap();
        let main = gitlab.write_file(project, "main", "a", Some("1")).unwrap();
        gitlab.on_call(Moment::before(route), move |gitlab| {
            let rebased = Push::new().base(&main).commit(NewCommit::new("feat: rebased"));
            gitlab.push(which, rebased).unwrap();
        });
        gitlab.on_call(Moment::after(route), move |gitlab| _ = gitlab.push(which, Push::to(&head)).unwrap());
        assert_eq!(cast.come_to(LEVEL).await.0, RuleState::Violated, "a rebase at {route}");
        gitlab.on_call(Moment::before(route), move |gitlab| {
            gitlab.set_target_branch(which, "stable").unwrap();
        });
        assert_eq!(cast.come_to(LEVEL).await.0, RuleState::Violated, "another target at {route}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_project_cost_one_read() {
    const ALL: &str = "{project: {paths: [shop/pay], topics: {all: [payments], any: [go, rust], none: [legacy]}, \
                       visibility: private, merge_method: [rebase_merge, ff], squash_option: default_on}}";
    let cast = Cast::new().await;
    let (gitlab, project) = (cast.gitlab(), cast.stage.ground.project);
    assert_eq!(
        cast.come_to("{project: {paths: [bank/*], visibility: private}}").await,
        (RuleState::Violated, 0)
    );
    assert_eq!(cast.come_to(ALL).await, (RuleState::Waiting, 1));
    gitlab.set_topics(project, &["Payments", "rust"]).unwrap();
    gitlab.configure_project(project, ProjectSetting::MergeMethod("ff")).unwrap();
    gitlab.configure_project(project, ProjectSetting::SquashOption(Some("default_on"))).unwrap();
    assert_eq!(cast.come_to(ALL).await, (RuleState::Passed, 1));
    gitlab.configure_project(project, ProjectSetting::SquashOption(None)).unwrap();
    assert_eq!(cast.come_to(ALL).await.0, NOT_KNOWN, "a GitLab that does not say it");
    gitlab.fault(Fault::on(PROJECT, FaultKind::Garbage));
    assert_eq!(cast.come_to(ALL).await.0, CURABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_one_by_its_account() {
    const BOTS: &str = "{author: {bots: true}}";
    let cast = Cast::new().await;
    let open = |user| {
        let gitlab = cast.gitlab();
        gitlab.add_member(cast.stage.ground.project, Membership::new(user, 30)).unwrap();
        gitlab.open_merge_request(cast.stage.ground.merge_request().author(user)).unwrap()
    };
    let bot = open(cast.gitlab().create_user(NewUser::named("renovate").bot()));
    let mask = open(cast.gitlab().create_user("project_7_bot_0a1b"));
    for (which, expected) in [(bot, RuleState::Passed), (mask, RuleState::Violated)] {
        let played = cast.stage.play(which, BOTS).await;
        assert_eq!((played.state(), played.further_calls(), played.calls[USER]), (expected, 1, 1));
    }
    cast.gitlab().fault(Fault::error_page(USER, 502));
    assert_eq!(cast.stage.play(bot, BOTS).await.state(), CURABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_author_in_a_hidden_group_passes_nothing() {
    let cast = Cast::new().await;
    cast.hide_group();
    for require in ["{author: {groups: [shop/payments]}}", "{not: {author: {groups: [shop/payments]}}}"] {
        assert_eq!(cast.come_to(require).await.0, NOT_KNOWN, "{require}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committers_are_found_by_their_emails_and_cost_one_read_each() {
    const ALL: &str = "{committers: {all: {users: [ana], groups: [shop/payments]}}}";
    const NONE: &str = "{committers: {none: {groups: [shop/payments]}}}";
    const ONLY: &str = "{committers: {only_author: true}}";
    let cast = Cast::new().await;
    let played = cast.play(ONLY).await;
    assert_eq!(played.state(), RuleState::Passed);
    assert_eq!((played.calls[VERSIONS], played.calls[VERSION], played.calls[USERS]), (1, 1, 1));
    assert_eq!(played.further_calls(), 3, "{:?}", played.calls);

    cast.push_by("bea@example.com");
    let played = cast.play(ALL).await;
    assert_eq!(played.state(), RuleState::Passed);
    assert_eq!((played.calls[GROUP], played.calls[GROUP_MEMBER]), (1, 1), "the author is named");
    // The list of versions, the version, an address, the name `ana` for the one of whom only the id is known, a group, a member.
    assert_eq!(played.further_calls(), 6, "{:?}", played.calls);
    for (require, expected) in [
        (ONLY, RuleState::Violated),
        (NONE, RuleState::Violated),
        ("{committers: {any: {groups: [shop/payments]}}}", RuleState::Passed),
        ("{committers: {any: {users: [cleo]}}}", RuleState::Violated),
        ("{committers: {none: {bots: true}}}", RuleState::Passed),
    ] {
        assert_eq!(cast.come_to(require).await.0, expected, "{require}");
    }
    cast.hide_group();
    for require in [ALL, NONE, "{committers: {any: {groups: [shop/payments]}}}"] {
        assert_eq!(cast.come_to(require).await.0, NOT_KNOWN, "{require}");
    }
    cast.gitlab().fault(Fault::error_page(USERS, 500));
    assert_eq!(cast.come_to(ONLY).await.0, CURABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_email_of_nobody_passes_nothing() {
    let cast = Cast::new().await;
    cast.push_by("somebody@elsewhere.test");
    for demand in ["all: {role: guest}", "any: {users: [bea]}", "none: {users: [bea]}", "only_author: true"] {
        for require in
            [format!("{{committers: {{{demand}}}}}"), format!("{{not: {{committers: {{{demand}}}}}}}")]
        {
            let played = cast.play(&require).await;
            assert_eq!(played.state(), RuleState::Waiting, "{require}");
            let email = "the commit email `somebody@elsewhere.test` belongs to no user of GitLab";
            let reason = played.rules[0].require.as_ref().unwrap();
            let told = reason.parts.first().unwrap_or(reason);
            assert_eq!(told.sentence, email, "{require}");
        }
    }
    let none = "{committers: {none: {users: [bea]}, unmatched: allow}}";
    assert_eq!(cast.come_to(none).await.0, RuleState::Passed);
    let all = "{committers: {all: {role: guest}, unmatched: allow}}";
    assert_eq!(cast.come_to(all).await.0, RuleState::Waiting, "nobody at all is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_seen_pushing_made_it_too() {
    let cast = Cast::new().await;
    let sightings = Sightings { pushers: [cast.cleo].into(), ..Sightings::default() };
    let remembered = Remembered { sightings, ..Remembered::default() };
    let text = "policy: p\nrules: [{id: r, require: {committers: {only_author: true}}}]\n";
    let played = cast.stage.play_remembering(cast.which, text, &remembered).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Violated, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_set_a_label_costs_one_read_and_the_last_one_counts() {
    const FREEZE: &str = "{labels: {all: ['freeze::*'], set_by: {groups: [shop/payments]}}}";
    let cast = Cast::new().await;
    let (gitlab, which) = (cast.gitlab(), cast.which);
    let (bea, cleo) = (gitlab.acting_as(cast.bea), gitlab.acting_as(cast.cleo));
    assert_eq!(cast.come_to(FREEZE).await, (RuleState::Waiting, 0), "no label, no question");
    bea.add_label(which, "freeze::exception").unwrap();
    let played = cast.play(FREEZE).await;
    assert_eq!(
        (played.state(), played.further_calls(), played.calls[LABEL_EVENTS]),
        (RuleState::Passed, 3, 1)
    );
    assert_eq!(played.sentence(), "`freeze::exception` was set by @bea (member of `shop/payments`)");
    cleo.remove_label(which, "freeze::exception").unwrap();
    cleo.add_label(which, "freeze::exception").unwrap();
    assert_eq!(cast.come_to(FREEZE).await, (RuleState::Waiting, 3));
    gitlab.delete_user(cast.cleo).unwrap();
    assert_eq!(cast.come_to(FREEZE).await, (RuleState::Waiting, 1), "an account that is gone is nobody");
    bea.remove_label(which, "freeze::exception").unwrap();
    bea.add_label(which, "freeze::exception").unwrap();
    assert_eq!(cast.come_to(FREEZE).await.0, RuleState::Passed);
    cast.hide_group();
    assert_eq!(cast.come_to(FREEZE).await.0, NOT_KNOWN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn label_events_that_are_missing_or_cut_short_pass_nothing() {
    const FREEZE: &str = "{labels: {all: [freeze], set_by: {users: [bea]}}}";
    let cast = Cast::new().await;
    let (gitlab, which) = (cast.gitlab(), cast.which);
    let (bea, cleo) = (gitlab.acting_as(cast.bea), gitlab.acting_as(cast.cleo));
    bea.add_label(which, "freeze").unwrap();
    for _ in 0..55 {
        bea.add_label(which, "busy").unwrap();
        bea.remove_label(which, "busy").unwrap();
    }
    assert_eq!(cast.come_to(FREEZE).await, (RuleState::Passed, 2), "two pages");
    cleo.remove_label(which, "freeze").unwrap();
    cleo.add_label(which, "freeze").unwrap();
    assert_eq!(cast.come_to(FREEZE).await.0, RuleState::Waiting, "the second page tells");
    for kind in [FaultKind::Truncate, FaultKind::Garbage] {
        let fault = gitlab.fault(Fault::on(LABEL_EVENTS, kind).skip(1));
        assert_eq!(cast.come_to(FREEZE).await.0, CURABLE, "the first page alone would pass");
        gitlab.lift(fault);
    }
    gitlab.forget_label_events(which).unwrap();
    for require in [FREEZE.to_owned(), format!("{{not: {FREEZE}}}")] {
        assert_eq!(cast.come_to(&require).await.0, RuleState::Waiting, "{require}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_approves_only_where_bots_are_meant() {
    let cast = Cast::new().await;
    let gitlab = cast.gitlab();
    let token = gitlab.create_user(NewUser::named("project_7_bot_0a1b").bot());
    gitlab.add_member(cast.stage.ground.project, Membership::new(token, 30)).unwrap();
    gitlab.approve(cast.which, token).unwrap();
    for (from, expected) in [
        ("role: developer", RuleState::Waiting),
        ("bots: true", RuleState::Passed),
        ("users: [bea]", RuleState::Waiting),
    ] {
        let require = format!("{{approvals: {{count: 1, from: {{{from}}}}}}}");
        assert_eq!(cast.come_to(&require).await.0, expected, "{from}");
    }
}
