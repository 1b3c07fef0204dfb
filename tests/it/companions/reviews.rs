//! A review that is submitted: what wakes those whom it holds up, by release of GitLab.

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Membership, SimulatorOptions};
use countersign::status_check::SweepKind;

use super::{decided, policy, rest, world_on};
use crate::world::{Ground, World};

const ASKS_FOR_CHANGES: &str = "requested_changes";

/// One that passes as long as nobody asks for changes, and somebody who may.
struct Scene {
    world: World,
    which: MergeRequestRef,
    bea: UserId,
}

impl Scene {
    async fn start(version: &str) -> Self {
        let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
        let world = world_on(Ground::prepare_with(&policy("{vetoes: {at_most: 0}}"), options).await).await;
        let bea = world.ground.reviewer();
        world.gitlab.add_member(world.ground.project, Membership::new(bea, 30)).unwrap();
        let which = world.open(world.merge_request().reviewer(bea));
        world.expect(which, CheckStatus::Passed, "nobody asked for changes").await;
        rest(&world).await;
        Self { world, which, bea }
    }

    /// What GitLab tells while something happens, and how often the merge request is decided for it.
    async fn told(&self, happen: impl FnOnce(&Self)) -> (Vec<String>, usize) {
        let gitlab = &self.world.gitlab;
        let (before, decisions) = (gitlab.deliveries().len(), decided(&self.world, &[self.which]).await[0]);
        happen(self);
        rest(&self.world).await;
        let told = gitlab.deliveries().into_iter().skip(before);
        let told = told.map(|sent| format!("{} {}", sent.event, sent.action.unwrap_or_default())).collect();
        (told, decided(&self.world, &[self.which]).await[0] - decisions)
    }

    fn passes(&self) -> bool {
        self.world.status(self.which) == CheckStatus::Passed
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn since_19_3_a_review_wakes_by_the_merge_request_s_own_event() {
    let scene = Scene::start("19.3.0-ee").await;
    let (told, decisions) = scene
        .told(|scene| scene.world.gitlab.review(scene.which, scene.bea, ASKS_FOR_CHANGES).unwrap())
        .await;
    assert_eq!(told, ["status check update"]);
    assert!(decisions > 0 && !scene.passes(), "{decisions}");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_19_3_a_review_wakes_by_its_comment() {
    let scene = Scene::start("19.2.0-ee").await;
    let (told, decisions) = scene
        .told(|scene| {
            let (gitlab, which, bea) = (&scene.world.gitlab, scene.which, scene.bea);
            gitlab.review_with_comment(which, bea, ASKS_FOR_CHANGES, "not like this").unwrap();
        })
        .await;
    assert_eq!(told, ["Note Hook create"]);
    assert!(decisions > 0 && !scene.passes(), "{decisions}");
    scene.world.end().await;
}

/// What is to be known of it: nobody tells, and so the pass stands until a sweep looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_19_3_a_review_without_a_comment_is_found_by_the_sweep_alone() {
    let scene = Scene::start("19.2.0-ee").await;
    let (told, decisions) = scene
        .told(|scene| scene.world.gitlab.review(scene.which, scene.bea, ASKS_FOR_CHANGES).unwrap())
        .await;
    assert_eq!((told, decisions), (vec![], 0));
    assert!(scene.passes(), "nobody knows of it yet");
    scene.world.sweep(SweepKind::Full).await;
    assert!(!scene.passes(), "the sweep reads how far the reviewers are");
    scene.world.end().await;
}
