//! Reads and posts per decision, by the facts that a policy needs.

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, NewCommit, NewIssue, NewJob, Push};

use crate::policies;
use crate::stage::ground::Ground;

/// A policy, and the event that makes it pass.
struct Family {
    name: &'static str,
    policy: &'static str,
    /// What stands in the way.
    hinder: fn(&Ground, MergeRequestRef),
    /// Who or what clears it, and how GitLab tells.
    clear: fn(&Ground, MergeRequestRef),
    cleared_by: &'static str,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "title and labels",
        policy: policies::TITLE,
        hinder: |ground, which| ground.gitlab.add_label(which, "do-not-merge").expect("a label"),
        clear: |ground, which| ground.gitlab.remove_label(which, "do-not-merge").expect("a label"),
        cleared_by: "label removed",
    },
    Family {
        name: "code",
        policy: policies::CODE,
        hinder: |ground, which| push(ground, which, "secret/key"),
        clear: |ground, which| push(ground, which, "src/pay.rs"),
        cleared_by: "push",
    },
    Family {
        name: "approvals by group",
        policy: policies::APPROVALS,
        hinder: |_, _| (),
        clear: Ground::approve,
        cleared_by: "approved",
    },
    Family {
        name: "pipeline",
        policy: policies::PIPELINE,
        hinder: |ground, which| pipeline(ground, which, "running"),
        clear: |ground, which| {
            pipeline(ground, which, "success");
            tell(ground, which);
        },
        cleared_by: "green",
    },
    Family {
        name: "threads",
        policy: policies::THREADS,
        hinder: |ground, which| _ = ground.gitlab.open_thread(which, "why?").expect("a thread"),
        clear: |ground, which| {
            let threads = ground.gitlab.merge_request(which).expect("it is there").discussions;
            for thread in threads {
                ground.gitlab.resolve_thread(which, &thread.id).expect("a thread");
            }
        },
        cleared_by: "resolved",
    },
    Family {
        name: "jobs",
        policy: policies::JOBS,
        hinder: |ground, which| job(ground, which, "failed"),
        clear: |ground, which| {
            job(ground, which, "success");
            tell(ground, which);
        },
        cleared_by: "retried",
    },
    Family {
        name: "commit statuses",
        policy: policies::COMMIT_STATUSES,
        hinder: |ground, which| scan(ground, which, "failed"),
        clear: |ground, which| {
            scan(ground, which, "success");
            tell(ground, which);
        },
        cleared_by: "scanned",
    },
    Family {
        name: "comments",
        policy: policies::COMMENTS,
        hinder: |_, _| (),
        clear: |ground, which| {
            let bea = ground.gitlab.acting_as(ground.reviewer());
            bea.comment(which, "LGTM").expect("a comment");
            tell(ground, which);
        },
        cleared_by: "said",
    },
    Family {
        name: "emoji",
        policy: policies::EMOJI,
        hinder: |ground, which| {
            ground.gitlab.award(which, ground.reviewer(), "thumbsdown").expect("an emoji");
        },
        clear: |ground, which| {
            ground.gitlab.take_award_back(which, ground.reviewer(), "thumbsdown").expect("it is there");
            tell(ground, which);
        },
        cleared_by: "taken back",
    },
    Family {
        name: "states of reviewers",
        policy: policies::REVIEWERS,
        hinder: |ground, which| {
            ground.gitlab.set_reviewers(which, &[ground.reviewer()]).expect("a reviewer");
        },
        clear: |ground, which| {
            ground.gitlab.review(which, ground.reviewer(), "approved").expect("a review");
            // GitLab says nothing of it by itself before 19.3.
            tell(ground, which);
        },
        cleared_by: "reviewed",
    },
    Family {
        name: "label events",
        policy: policies::LABEL_EVENTS,
        hinder: |_, _| (),
        clear: |ground, which| ground.gitlab.add_label(which, "release").expect("a label"),
        cleared_by: "label added",
    },
    Family {
        name: "closing issues",
        policy: policies::ISSUES,
        hinder: |_, _| (),
        clear: |ground, which| {
            let issue = NewIssue::titled("why");
            let issue = ground.gitlab.create_issue(ground.project, issue).expect("an issue");
            ground.gitlab.edit_description(which, &format!("Closes #{issue}")).expect("a description");
        },
        cleared_by: "issue named",
    },
    Family {
        name: "CODEOWNERS",
        policy: policies::CODE_OWNERS,
        hinder: |_, _| (),
        clear: |ground, which| {
            let written = ground.gitlab.write_file(ground.project, "main", "CODEOWNERS", Some("* @bea\n"));
            written.expect("a file");
            tell(ground, which);
        },
        cleared_by: "owned",
    },
    Family {
        name: "committers",
        policy: policies::COMMITTERS,
        hinder: |ground, which| push_of(ground, which, "bea@example.com"),
        clear: |ground, which| push_of(ground, which, "ana@example.com"),
        cleared_by: "push",
    },
    Family {
        name: "the project",
        policy: policies::PROJECT,
        hinder: |ground, _| ground.gitlab.set_topics(ground.project, &[]).expect("no topics"),
        clear: |ground, which| {
            ground.gitlab.set_topics(ground.project, &["production"]).expect("a topic");
            tell(ground, which);
        },
        cleared_by: "topic added",
    },
    Family {
        name: "four rules (*)",
        policy: policies::FOUR_RULES,
        hinder: |ground, which| pipeline(ground, which, "success"),
        clear: Ground::approve,
        cleared_by: "approved",
    },
];

pub async fn run() {
    println!("\nreads + posts per decision (GitLab's version apart, which is read once an hour)");
    println!(
        "  {:<20} {:>12} {:>22} {:>26}",
        "policy needs", "first event", "again, nothing changed", "cleared"
    );
    let mut routes = Vec::new();
    for family in FAMILIES {
        let ground = Ground::start(family.policy).await;
        // GitLab's version is read once an hour, by whoever does not pass first.
        hindered(&ground, family);
        Asked::until_settled(&ground).await;

        let which = hindered(&ground, family);
        let first = Asked::until_settled(&ground).await;
        assert_ne!(ground.status(which), CheckStatus::Passed, "{}: something stands in the way", family.name);
        ground.gitlab.resend(ground.gitlab.deliveries().len() - 1).expect("it can be sent again");
        let again = Asked::until_settled(&ground).await;
        (family.clear)(&ground, which);
        let cleared = Asked::until_settled(&ground).await;
        assert_eq!(ground.status(which), CheckStatus::Passed, "{}: nothing stands in the way", family.name);
        println!(
            "  {:<20} {:>12} {:>22} {:>26}",
            family.name,
            first.cell(),
            again.cell(),
            format!("{} ({})", cleared.cell(), family.cleared_by)
        );
        routes.push((family.name, [first, again, cleared].map(|asked| asked.routes)));
        ground.end().await;
    }
    println!("  quoted, not run here, all calls together, with four rules on GitHub:");
    println!("  {:<20} {:>12} {:>22} {:>26}", "policy-bot", "11", "8, of them 1 post", "9 (approved)");
    println!("  {:<20} {:>12} {:>22} {:>26}", "mergeable", "11", "10, of them 2 posts", "10 (approved)");
    println!("  (*) the policy that they were measured with, as near as it can be said here");
    println!("  what was asked, in the order of its end:");
    for (name, routes) in routes {
        println!("    {name}");
        for (event, routes) in ["first", "again", "cleared"].iter().zip(routes) {
            println!("      {event:<8} {routes}");
        }
    }
}

/// What one event led to.
struct Asked {
    reads: u64,
    posts: u64,
    routes: String,
}

impl Asked {
    /// Waits until everything is decided, counts, and begins to count anew.
    async fn until_settled(ground: &Ground) -> Self {
        ground.settle().await;
        let (reads, posts) = ground.calls();
        let mut calls = ground.gitlab.calls();
        calls.sort_by_key(|call| call.ended_at);
        let routes: Vec<_> = calls.iter().map(|call| short(&call.route)).collect();
        ground.gitlab.forget_calls();
        Self { reads, posts, routes: routes.join(", ") }
    }

    fn cell(&self) -> String {
        format!("{} + {}", self.reads, self.posts)
    }
}

/// A route without what all of them begin with.
fn short(route: &str) -> String {
    route.trim_start_matches("GET ").replace("/projects/:id/merge_requests/:iid", "…")
}

/// A merge request that something stands in the way of; only of a label on it anybody is told.
fn hindered(ground: &Ground, family: &Family) -> MergeRequestRef {
    let which = ground.open(ground.new_merge_request().file("src/pay.rs").quietly());
    ground.silently(|| (family.hinder)(ground, which));
    ground.gitlab.add_label(which, "look").expect("a label");
    which
}

/// A status check is not told of what has no event of the merge request's: a label stands in for the hook.
fn tell(ground: &Ground, which: MergeRequestRef) {
    ground.gitlab.add_label(which, "green").expect("a label");
}

fn job(ground: &Ground, which: MergeRequestRef, status: &str) {
    let pipeline = ground.gitlab.set_pipeline(which, status).expect("a pipeline");
    ground.gitlab.run_job(which, pipeline, NewJob::new("build", status)).expect("a job");
}

fn scan(ground: &Ground, which: MergeRequestRef, status: &str) {
    ground.gitlab.report_status(which, "scan", status).expect("a status");
}

fn push_of(ground: &Ground, which: MergeRequestRef, email: &str) {
    let commit = NewCommit::new("work").author_email(email);
    ground.gitlab.push(which, Push::new().file("src/pay.rs").commit(commit)).expect("a push");
}

fn push(ground: &Ground, which: MergeRequestRef, path: &str) {
    ground.gitlab.push(which, Push::new().file(path)).expect("a push");
}

fn pipeline(ground: &Ground, which: MergeRequestRef, status: &str) {
    ground.gitlab.set_pipeline(which, status).expect("a pipeline");
}
