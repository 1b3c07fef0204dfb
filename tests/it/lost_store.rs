//! A store that is gone or older than what GitLab shows: nothing of it may let a false `passed` stand.

use std::path::Path;

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::CheckStatus;
use countersign::status_check::{Drift, SweepKind};

use crate::world::{Ground, REVIEW_POLICY, World, delete_database, until};

/// What becomes false while the service is away.
#[derive(Debug, Clone, Copy)]
enum Change {
    ApprovalWithdrawn,
    TitleMadeBad,
    ForeignPass,
}

const CHANGES: [Change; 3] = [Change::ApprovalWithdrawn, Change::TitleMadeBad, Change::ForeignPass];

struct Scene {
    world: World,
    bea: UserId,
    merge_requests: Vec<MergeRequestRef>,
}

/// One merge request for each change, each waiting for an approval.
async fn scene() -> Scene {
    scene_on(Ground::prepare(REVIEW_POLICY).await).await
}

async fn scene_on(ground: Ground) -> Scene {
    let world = World::start_on(ground).await;
    let bea = world.ground.reviewer();
    let merge_requests = CHANGES.iter().map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    Scene { world, bea, merge_requests }
}

impl Scene {
    fn each(&self) -> impl Iterator<Item = (MergeRequestRef, Change)> {
        self.merge_requests.iter().copied().zip(CHANGES)
    }

    /// All of them pass by right, but for the one that a foreigner will pass.
    async fn approve(&self) {
        for (merge_request, change) in self.each() {
            if !matches!(change, Change::ForeignPass) {
                self.world.gitlab.approve(merge_request, self.bea).unwrap();
                self.world.expect(merge_request, CheckStatus::Passed, "approved").await;
            }
        }
    }

    /// While nobody listens.
    fn change(&self) {
        let gitlab = &self.world.gitlab;
        gitlab.hold_deliveries();
        for (merge_request, change) in self.each() {
            match change {
                Change::ApprovalWithdrawn => gitlab.unapprove(merge_request, self.bea).unwrap(),
                Change::TitleMadeBad => gitlab.edit_title(merge_request, "bad").unwrap(),
                Change::ForeignPass => {
                    let passed = CheckStatus::Passed;
                    let author = self.world.ground.author;
                    gitlab.post_status_as(author, merge_request, self.world.check, passed).unwrap();
                }
            }
        }
    }

    /// One event for each, and no `passed` is left.
    async fn nothing_passes_after_one_event(&self) {
        let gitlab = &self.world.gitlab;
        for (merge_request, _) in self.each() {
            gitlab.add_label(merge_request, "seen").unwrap();
        }
        gitlab.release_deliveries();
        self.nothing_passes().await;
    }

    /// The service has looked around by itself; what was told meanwhile is still kept back.
    async fn nothing_passes_without_any_event(&self) {
        self.world.swept(1).await;
        self.nothing_passes().await;
    }

    async fn nothing_passes(&self) {
        for (merge_request, change) in self.each() {
            let shown = self.world.settled_status(merge_request).await;
            assert_ne!(shown, CheckStatus::Passed, "{change:?}\n{}", self.world.account(merge_request).await);
        }
    }
}

/// Without a full sweep: a store that is new knows of no project to look back to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_store_was_deleted_no_false_passed_outlives_the_next_event() {
    let mut scene = scene().await;
    scene.approve().await;
    scene.world.stop().await;
    delete_database(&scene.world.ground.database());
    scene.change();
    scene.world.start_again().await;
    scene.nothing_passes_after_one_event().await;
    scene.world.end().await;
}

/// It looks at what the token reaches, and at all of it, since it knows of nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_store_was_deleted_one_sweep_without_any_event_puts_everything_right() {
    let mut scene = scene_on(Ground::prepare(REVIEW_POLICY).await.configure("SWEEP__FULL", "1h")).await;
    scene.approve().await;
    let good = scene.world.open(scene.world.merge_request());
    scene.world.gitlab.approve(good, scene.bea).unwrap();
    scene.world.expect(good, CheckStatus::Passed, "approved").await;
    scene.world.stop().await;
    delete_database(&scene.world.ground.database());
    scene.change();
    let new = scene.world.open(scene.world.merge_request());
    scene.world.gitlab.approve(new, scene.bea).unwrap();
    scene.world.start_again().await;
    until("it has swept", || scene.world.sweeps_of(SweepKind::Full) == 1).await;
    // What was told meanwhile is still kept back.
    scene.world.rest().await;
    for ((which, change), shown) in
        scene.each().zip([CheckStatus::Pending, CheckStatus::Failed, CheckStatus::Pending])
    {
        assert_eq!(scene.world.status(which), shown, "{change:?}");
    }
    assert_eq!(scene.world.status(good), CheckStatus::Passed);
    assert_eq!(scene.world.posted(good), [CheckStatus::Passed], "nothing was said in vain");
    assert_eq!(scene.world.status(new), CheckStatus::Passed, "nobody told of it");
    assert_eq!(scene.world.drift(Drift::NeverDecided), (1, 1), "nothing showed on the new one");
    assert_eq!(
        scene.world.drift(Drift::ForeignStatus),
        (3, 3),
        "a new store can't tell ours from a stranger's"
    );
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_store_was_replaced_by_an_older_copy_no_false_passed_outlives_the_next_start() {
    let mut scene = scene().await;
    scene.world.stop().await;
    let copy = copy_of(&scene.world.ground.database());
    scene.world.start_again().await;
    scene.approve().await;
    scene.world.stop().await;
    delete_database(&scene.world.ground.database());
    std::fs::rename(copy, scene.world.ground.database()).unwrap();
    scene.change();
    scene.world.start_again().await;
    scene.nothing_passes_without_any_event().await;
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_passed_that_came_while_the_service_was_away_does_not_outlive_the_next_start() {
    let mut scene = scene().await;
    scene.approve().await;
    scene.world.stop().await;
    scene.change();
    scene.world.start_again().await;
    scene.nothing_passes_without_any_event().await;
    scene.world.end().await;
}

fn copy_of(database: &Path) -> std::path::PathBuf {
    let copy = database.with_extension("older");
    std::fs::copy(database, &copy).unwrap();
    copy
}
