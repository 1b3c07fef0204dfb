//! Which event wakes whom: one policy for each kind of fact, and every event against each of them.

use std::collections::BTreeSet;

use countersign::merge_request::{MergeRequestRef, ProjectId, UserId};
use countersign::simulator::{
    CheckStatus, HookEvent, Membership, NewHook, NewIssue, NewJob, NewProject, PipelineKind, SimulatorOptions,
};

use super::{OWN_TOKEN, address, calls, counted, decided, policy, rest, world, world_on};
use crate::world::{Ground, HOOK_TOKEN, World};

/// What is there for events to happen to.
struct Scene {
    world: World,
    which: MergeRequestRef,
    pipeline: u64,
    issue: u64,
    bea: UserId,
}

impl Scene {
    async fn start(require: &str) -> Self {
        let world = world(&policy(require)).await;
        let bea = world.ground.reviewer();
        let issue = world.gitlab.create_issue(world.ground.project, NewIssue::titled("it breaks")).unwrap();
        let which = world.open(world.merge_request());
        let pipeline = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
        rest(&world).await;
        Self { world, which, pipeline, issue, bea }
    }

    /// Lets an event happen.
    fn happen(&self, event: &str) {
        let (gitlab, project) = (&self.world.gitlab, self.world.ground.project);
        match event {
            "note" => drop(gitlab.comment(self.which, "what is this?").unwrap()),
            "internal note" => drop(gitlab.internal_comment(self.which, "psst").unwrap()),
            "pipeline" => gitlab.finish_pipeline(self.which, self.pipeline, "success").unwrap(),
            "job" => _ = gitlab.run_job(self.which, self.pipeline, NewJob::new("build", "success")).unwrap(),
            "emoji" => gitlab.award(self.which, self.bea, "eyes").unwrap(),
            "emoji back" => gitlab.take_award_back(self.which, self.bea, "eyes").unwrap(),
            "issue" => gitlab.change_issue(project, self.issue, |issue| issue.closed = true).unwrap(),
            "push" => drop(gitlab.write_file(project, "main", "a.txt", Some("a")).unwrap()),
            "push elsewhere" => drop(gitlab.write_file(project, "other", "a.txt", Some("a")).unwrap()),
            "member" => gitlab.add_member(project, Membership::new(self.bea, 20)).unwrap(),
            "group member" => gitlab.add_member("shop/payments", Membership::new(self.bea, 40)).unwrap(),
            "no member" => gitlab.remove_member(project, self.bea).unwrap(),
            "token" => gitlab.tell_of_expiring_token(project, self.bea).unwrap(),
            "settings" => gitlab.set_topics(project, &["payments"]).unwrap(),
            other => panic!("nothing is called {other}"),
        }
    }
}

const ALL: [&str; 14] = [
    "note",
    "internal note",
    "pipeline",
    "job",
    "emoji",
    "emoji back",
    "issue",
    "push",
    "push elsewhere",
    "member",
    "group member",
    "no member",
    "token",
    "settings",
];

/// What a policy reads, and who wakes it.
const WAKES: &[(&str, &[&str])] = &[
    ("{not: {title: {glob: ['bad*']}}}", &[]),
    ("{labels: {none: ['wip']}}", &[]),
    (
        "{not: {labels: {all: ['wip'], set_by: {users: [bea]}}}}",
        &["push", "member", "group member", "no member"],
    ),
    ("{expression: 'size(title) > 0'}", &[]),
    ("{expression: 'unresolved_threads < 9'}", &["note", "internal note"]),
    ("{unresolved_threads: {at_most: 9}}", &["note", "internal note"]),
    (
        "{unresolved_threads: {at_most: 9, opened_by: {groups: [shop/payments]}}}",
        &["note", "internal note", "member", "group member", "no member", "push"],
    ),
    ("{pipeline: success}", &["pipeline", "push"]),
    ("{jobs: {all: [build]}}", &["pipeline", "job", "push"]),
    ("{commit_statuses: {any: [scan]}}", &["pipeline", "push"]),
    (
        "{approvals: {count: 1, methods: [{emoji: tada}]}}",
        &["emoji", "emoji back", "push", "member", "group member", "no member"],
    ),
    ("{closing_issues: {at_least: 0}}", &["issue"]),
    ("{behind_target: {at_most: 5}}", &["push"]),
    ("{conflicts: false}", &["push"]),
    ("{expression: '!has_conflicts'}", &["push"]),
    ("{changed_files: {any: ['**']}}", &["push"]),
    ("{author: {groups: [shop/payments]}}", &["push", "member", "group member", "no member"]),
    ("{reviewers: {state: requested_changes, at_most: 0}}", &["note", "internal note"]),
    ("{vetoes: {at_most: 0}}", &["note", "internal note", "push", "member", "group member", "no member"]),
    (
        "{vetoes: {by: [{comment: veto}, {emoji: thumbsdown}]}}",
        &["note", "internal note", "emoji", "emoji back", "push", "member", "group member", "no member"],
    ),
    (
        "{approvals: {count: 1, methods: [{comment: LGTM}]}}",
        &["note", "internal note", "push", "member", "group member", "no member"],
    ),
    ("{code_owners: {approved: true}}", &["push", "member", "group member", "no member"]),
    ("{age: {since: ready, at_least: 0m}}", &["note", "internal note", "push"]),
    ("{age: {since: last_push, at_least: 0m}}", &["push"]),
    ("{committers: {only_author: true}}", &["push", "member", "group member", "no member"]),
    ("{commits: {none: {merge: true}}}", &["push", "member", "group member", "no member"]),
    ("{project: {visibility: private}}", &["settings"]),
];

/// What becomes of a delivery that is believed.
const OUTCOMES: [&str; 3] = ["taken", "duplicate", "not_for_us"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_wakes_those_whose_policies_read_what_it_can_change_and_costs_nothing_elsewhere() {
    for (require, wakes) in WAKES {
        let scene = Scene::start(require).await;
        let world = &scene.world;
        let wakes: BTreeSet<_> = wakes.iter().copied().collect();
        let mut woken = BTreeSet::new();
        for event in ALL {
            let (before, decisions) = (calls(world), decided(world, &[scene.which]).await);
            let outcomes = OUTCOMES.map(|outcome| counted(world, outcome));
            let told = world.gitlab.deliveries().len();
            scene.happen(event);
            rest(world).await;
            let told = world.gitlab.deliveries().len() - told;
            assert!(told > 0, "{event}: GitLab tells it");
            let mut now = OUTCOMES.map(|outcome| counted(world, outcome));
            now.iter_mut().zip(outcomes).for_each(|(now, before)| *now -= before);
            // Those of group and instance may both tell of a member of a group.
            assert_eq!(now.iter().sum::<u64>(), told as u64, "{require}: each {event} is counted: {now:?}");
            if calls(world) > before {
                woken.insert(event);
                // One that is being looked at when it is told a second time is asked once more.
                let decisions = decided(world, &[scene.which]).await[0] - decisions[0];
                assert!((1..=told + 1).contains(&decisions), "{require}: {event} wakes it {decisions} times");
            } else {
                // Into which branches merge requests go is not looked up before a push is taken.
                let is_taken = event == "push elsewhere" && wakes.contains(&"push");
                let refused = if is_taken { 0 } else { told as u64 };
                assert_eq!(now[2], refused, "{require}: {event} is counted as {now:?}");
            }
        }
        assert_eq!(woken, wakes, "{require}");
        scene.world.end().await;
    }
}

/// The policy of one project has no say in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_wakes_by_the_policies_for_its_project_alone() {
    let threads = "policy: web\napplies_to: {projects: [shop/web]}\n\
                   rules: [{id: threads, require: {unresolved_threads: {at_most: 9}}}]\n";
    let world = world(&policy("{not: {title: {glob: ['bad*']}}}")).await;
    let title = std::fs::read_to_string(world.ground.folder.path().join("policies/policy.yaml")).unwrap();
    world
        .write_policies(&[
            ("pay.yaml", &title.replace("policy: gate", "policy: gate\napplies_to: {projects: [shop/pay]}")),
            ("web.yaml", threads),
        ])
        .await;
    let web = world.gitlab.create_project(NewProject::at("shop/web"));
    world.gitlab.add_member(web, Membership::new(world.ground.bot, 30)).unwrap();
    let check = countersign::simulator::NewStatusCheck::new("countersign", &address(&world))
        .secret(crate::world::SECRET);
    world.gitlab.create_status_check(web, check).unwrap();
    let there =
        world.open(countersign::simulator::NewMergeRequest::in_project(web).author(world.ground.author));
    let here = world.open(world.merge_request());
    rest(&world).await;
    let before = decided(&world, &[here, there]).await;
    for which in [here, there] {
        world.gitlab.comment(which, "what is this?").unwrap();
    }
    rest(&world).await;
    assert_eq!(decided(&world, &[here, there]).await, [before[0], before[1] + 1]);
    world.end().await;
}

/// Which policies come is not known while those on disk can't be used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_policies_are_broken_everything_wakes() {
    let world = world(&policy("{not: {title: {glob: ['bad*']}}}")).await;
    let which = world.open(world.merge_request());
    rest(&world).await;
    world.ground.write_policy("policy: [");
    crate::world::until("the trouble is known", || world.bundle().trouble().is_some()).await;
    let before = decided(&world, &[which]).await;
    world.gitlab.comment(which, "what is this?").unwrap();
    rest(&world).await;
    assert_eq!(decided(&world, &[which]).await[0], before[0] + 1);
    world.end().await;
}

/// A comment comes while no policy reads comments; then one does again. The pass that was given before must not be kept by what
/// was read before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_watched_over_is_looked_at_before_it_is_believed_again() {
    let threads = policy("{unresolved_threads: {at_most: 0}}");
    let world = world(&threads).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "there is no thread").await;
    world.write_policies(&[("policy.yaml", &policy("{not: {title: {glob: ['bad*']}}}"))]).await;
    rest(&world).await;
    world.until_in_force().await;
    crate::world::until_async("it is decided by the title", async || {
        world.app().store().queue().remaining_for_revision().await.unwrap() == 0
    })
    .await;
    world.gitlab.open_thread(which, "why?").unwrap();
    rest(&world).await;
    assert!(counted(&world, "not_for_us") > 0, "nobody reads threads");
    assert_eq!(world.status(which), CheckStatus::Passed);
    world.write_policies(&[("policy.yaml", &format!("# again\n{threads}"))]).await;
    world
        .until("the thread is seen", |gitlab| {
            gitlab.status(which, world.check).unwrap() != CheckStatus::Passed
        })
        .await;
    world.end().await;
}

/// GitLab tells of a token of our own: what is true is asked, and of others' tokens nothing is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_our_own_expiring_token_is_looked_at() {
    let world = world(&policy("{not: {title: {glob: ['bad*']}}}")).await;
    let looks = world.calls(OWN_TOKEN);
    let (project, bot, author): (ProjectId, _, _) =
        (world.ground.project, world.ground.bot, world.ground.author);
    world.gitlab.tell_of_expiring_token(project, author).unwrap();
    world.gitlab.tell_of_expiring_token(project, bot).unwrap();
    world.until("the token is looked at", |gitlab| gitlab.calls_to(OWN_TOKEN) > looks).await;
    rest(&world).await;
    assert_eq!(world.calls(OWN_TOKEN), looks + 1);
    world.end().await;
}

/// What was added to the headers of hooks, in this order.
const ADDED: [&str; 7] = [
    "X-Gitlab-Event-UUID",
    "X-Gitlab-Instance",
    "X-Gitlab-Webhook-UUID",
    "Idempotency-Key",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// How many of them a version sends.
const HEADERS: &[(&str, usize)] = &[
    ("14.0.0-ee", 0),
    ("14.10.0-ee", 1),
    ("15.4.0-ee", 1),
    ("15.11.0-ee", 2),
    ("16.0.0-ee", 2),
    ("16.1.0-ee", 2),
    ("16.2.0-ee", 3),
    ("17.3.0-ee", 3),
    ("17.4.0-ee", 4),
    ("18.3.0-ee", 4),
    ("19.1.0-ee", 7),
];

/// From GitLab 14.0, whose hooks carry a token and the kind of event, to one that signs everything. What a version does not
/// send yet is not missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_version_s_hooks_wake_alike() {
    for (version, added) in HEADERS {
        let options = SimulatorOptions { version: (*version).to_owned(), ..SimulatorOptions::default() };
        let ground = Ground::prepare_with(&policy("{unresolved_threads: {at_most: 9}}"), options).await;
        let ground = ground.configure("WEBHOOKS__SIGNING_TOKENS", crate::sender::SIGNING_TOKEN);
        let ground = ground.configure("WEBHOOKS__ALLOW_UNSIGNED", "shop/*");
        let world = world_on(ground).await;
        let signed = NewHook::of(world.ground.project, &address(&world)).without_merge_requests();
        let signed = signed.token(HOOK_TOKEN).signing_token(crate::sender::SIGNING_TOKEN);
        world.gitlab.create_hook(signed.event(HookEvent::Note));
        let which = world.open(world.merge_request());
        rest(&world).await;
        let (before, taken) = (decided(&world, &[which]).await[0], counted(&world, "taken"));
        world.gitlab.comment(which, "what is this?").unwrap();
        rest(&world).await;
        let sent = world.gitlab.deliveries().pop().unwrap();
        let is_sent = |header: &&str| sent.header(header).is_some();
        let headers: Vec<_> = ADDED.into_iter().filter(is_sent).collect();
        assert_eq!(headers, ADDED[..*added], "{version}");
        assert!(decided(&world, &[which]).await[0] > before, "{version}");
        let taken = counted(&world, "taken") + counted(&world, "duplicate") - taken;
        assert_eq!(taken, 2, "{version}: both hooks are believed");
        world.end().await;
    }
}
