//! What accompanies merge requests: who hears of it, and what GitLab's bodies say and leave out.

use countersign::merge_request::{MergeRequestRef, ProjectId, UserId};
use countersign::simulator::{
    Gitlab, Membership, NewHook, NewIssue, NewJob, NewMergeRequest, PipelineKind, ProjectSetting, Recipient,
    Simulator, SimulatorOptions, Visibility,
};
use serde_json::{Value, json};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/";

struct Scene {
    _simulator: Simulator,
    gitlab: Gitlab,
    project: ProjectId,
    which: MergeRequestRef,
    ana: UserId,
    group: u64,
    system: u64,
}

/// A hook of a group that wants everything, and one of the instance that wants nothing.
async fn scene(version: &str) -> Scene {
    let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project("shop/tools/web");
    let ana = gitlab.create_user("ana");
    let which = gitlab.open_merge_request(NewMergeRequest::in_project(project).author(ana)).unwrap();
    let hook = NewHook::of("shop", NOWHERE).without_merge_requests();
    let group = gitlab.create_hook(hook.everything_else());
    let system = gitlab.create_hook(NewHook::system(NOWHERE).without_merge_requests());
    Scene { _simulator: simulator, gitlab, project, which, ana, group, system }
}

impl Scene {
    /// What a deed made GitLab tell: to whom, as what, with which body.
    fn told(&self, deed: impl FnOnce(&Gitlab)) -> Vec<(Recipient, &'static str, Value)> {
        let before = self.gitlab.deliveries().len();
        deed(&self.gitlab);
        let told = self.gitlab.deliveries().split_off(before);
        told.into_iter().map(|sent| (sent.recipient, sent.event, sent.json())).collect()
    }

    /// The one thing that the group's hook heard.
    fn heard(&self, deed: impl FnOnce(&Gitlab)) -> (&'static str, Value) {
        let mut told = self.told(deed);
        assert_eq!(told.len(), 1, "{told:?}");
        let (recipient, event, body) = told.remove(0);
        assert_eq!(recipient, Recipient::Hook(self.group));
        (event, body)
    }
}

#[tokio::test]
async fn what_accompanies_merge_requests_is_told_as_gitlab_tells_it() {
    let scene = scene("18.3.0-ee").await;
    let (which, project, ana) = (scene.which, scene.project, scene.ana);
    let (event, body) = scene.heard(|gitlab| drop(gitlab.comment(which, "x").unwrap()));
    assert_eq!((event, &body["object_attributes"]["action"]), ("Note Hook", &json!("create")));
    assert_eq!(body["merge_request"]["iid"], json!(which.iid));
    let (event, _) = scene.heard(|gitlab| drop(gitlab.internal_comment(which, "x").unwrap()));
    assert_eq!(event, "Confidential Note Hook");

    let (event, body) = scene.heard(|gitlab| gitlab.award(which, ana, "tada").unwrap());
    assert_eq!((event, &body["event_type"]), ("Emoji Hook", &json!("award")));
    let (_, body) = scene.heard(|gitlab| gitlab.take_award_back(which, ana, "tada").unwrap());
    assert_eq!((&body["event_type"], &body["merge_request"]["iid"]), (&json!("revoke"), &json!(which.iid)));

    let (event, body) =
        scene.heard(|gitlab| drop(gitlab.write_file(project, "main", "a", Some("a")).unwrap()));
    assert_eq!((event, &body["ref"]), ("Push Hook", &json!("refs/heads/main")));
    assert_eq!(body["after"], json!(body["commits"][0]["id"]));
    let issue = scene.gitlab.create_issue(project, NewIssue::titled("x")).unwrap();
    let (event, body) =
        scene.heard(|gitlab| gitlab.change_issue(project, issue, |issue| issue.closed = true).unwrap());
    assert_eq!((event, &body["object_attributes"]["state"]), ("Issue Hook", &json!("closed")));
    let (event, body) = scene.heard(|gitlab| gitlab.tell_of_expiring_token(project, ana).unwrap());
    assert_eq!(event, "Resource Access Token Hook");
    assert_eq!(
        (&body["event_name"], &body["object_attributes"]["user_id"]),
        (&json!("expiring_access_token"), &json!(ana))
    );
}

/// GitLab: a pipeline of a branch is nobody's, and a job says no more than its ref and commit.
#[tokio::test]
async fn only_a_merge_request_s_own_pipeline_names_it() {
    let scene = scene("18.3.0-ee").await;
    let which = scene.which;
    for (kind, names, of_job) in [
        (PipelineKind::Branch, false, "change-1".to_owned()),
        (PipelineKind::MergeRequest, true, "refs/merge-requests/1/head".to_owned()),
        (PipelineKind::MergedResult, true, "refs/merge-requests/1/merge".to_owned()),
    ] {
        let mut id = 0;
        let (event, body) = scene.heard(|gitlab| id = gitlab.run_pipeline(which, kind, "running").unwrap());
        assert_eq!((event, body["merge_request"].is_object()), ("Pipeline Hook", names), "{kind:?}");
        assert_eq!(body["object_attributes"]["ref"], "change-1", "{kind:?}: the source branch");
        let job = NewJob::new("build", "success");
        let (event, body) = scene.heard(|gitlab| _ = gitlab.run_job(which, id, job).unwrap());
        assert_eq!(
            (event, &body["object_kind"], &body["ref"]),
            ("Job Hook", &json!("build"), &json!(of_job))
        );
        assert!(body.get("merge_request").is_none() && body.get("project").is_none(), "{kind:?}");
        assert_eq!(body["pipeline_id"], json!(id));
    }
}

#[tokio::test]
async fn members_of_groups_are_told_to_groups_and_all_members_to_the_instance() {
    let scene = scene("18.3.0-ee").await;
    let (project, ana) = (scene.project, scene.ana);
    let name = |told: &[(Recipient, &'static str, Value)]| {
        told.iter().map(|(to, event, body)| (*to, *event, body["event_name"].clone())).collect::<Vec<_>>()
    };
    let told = scene.told(|gitlab| gitlab.add_member("shop", Membership::new(ana, 30)).unwrap());
    let [group, system] = [Recipient::Hook(scene.group), Recipient::Hook(scene.system)];
    let event = json!("user_add_to_group");
    assert_eq!(name(&told), [(group, "Member Hook", event.clone()), (system, "System Hook", event)]);
    assert!(told.iter().all(|(_, _, body)| body.get("project_id").is_none()));
    let told = scene.told(|gitlab| gitlab.add_member(project, Membership::new(ana, 20)).unwrap());
    assert_eq!(name(&told), [(system, "System Hook", json!("user_add_to_team"))]);
    assert_eq!(told[0].2["project_path_with_namespace"], "shop/tools/web");
    let told = scene.told(|gitlab| gitlab.add_member(project, Membership::new(ana, 30)).unwrap());
    assert_eq!(name(&told), [(system, "System Hook", json!("user_update_for_team"))]);
    let told = scene.told(|gitlab| gitlab.remove_member(project, ana).unwrap());
    assert_eq!(name(&told), [(system, "System Hook", json!("user_remove_from_team"))]);
    assert_eq!(name(&scene.told(|gitlab| gitlab.remove_member(project, ana).unwrap())), [], "she was none");
}

/// GitLab: of a project that is renamed or moved no change is told beside it.
#[tokio::test]
async fn what_becomes_of_a_project_is_told_to_the_instance_alone() {
    let scene = scene("18.3.0-ee").await;
    let project = scene.project;
    let heard = |deed: &dyn Fn(&Gitlab)| {
        let told = scene.told(deed);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].0, told[0].1), (Recipient::Hook(scene.system), "System Hook"));
        told[0].2.clone()
    };
    for deed in [
        &|gitlab: &Gitlab| gitlab.set_topics(project, &["rust"]).unwrap(),
        &|gitlab: &Gitlab| gitlab.configure_project(project, ProjectSetting::MergeMethod("ff")).unwrap(),
        &|gitlab: &Gitlab| gitlab.set_visibility(project, Visibility::Internal).unwrap(),
    ] as [&dyn Fn(&Gitlab); 3]
    {
        let body = heard(deed);
        assert_eq!((&body["event_name"], &body["project_id"]), (&json!("project_update"), &json!(project)));
        assert_eq!(body["path_with_namespace"], "shop/tools/web");
        assert!(body.get("old_path_with_namespace").is_none() && body.get("object_kind").is_none());
    }
    for (path, event) in [("shop/tools/site", "project_rename"), ("mall/site", "project_transfer")] {
        let body = heard(&|gitlab: &Gitlab| gitlab.move_project(project, path).unwrap());
        assert_eq!((&body["event_name"], &body["path_with_namespace"]), (&json!(event), &json!(path)));
        assert_eq!((&body["path"], &body["project_visibility"]), (&json!("site"), &json!("internal")));
    }
    let body = heard(&|gitlab: &Gitlab| gitlab.move_project(project, "mall/shop").unwrap());
    assert_eq!(body["old_path_with_namespace"], "mall/site");
}

#[tokio::test]
async fn older_versions_tell_of_neither_emoji_nor_edited_comments() {
    for (version, emoji, edited) in [("16.1.0-ee", 0, 0), ("16.2.0-ee", 1, 0), ("16.11.0-ee", 1, 1)] {
        let scene = scene(version).await;
        let which = scene.which;
        let told = scene.told(|gitlab| gitlab.award(which, scene.ana, "tada").unwrap());
        assert_eq!(told.len(), emoji, "{version}");
        let comment = scene.gitlab.comment(which, "x").unwrap();
        let told = scene.told(|gitlab| gitlab.edit_comment(which, &comment, "y").unwrap());
        assert_eq!(told.len(), edited, "{version}");
        assert!(told.iter().all(|(_, _, body)| body["object_attributes"]["action"] == "update"));
        let told = scene.told(|gitlab| gitlab.delete_comment(which, &comment).unwrap());
        assert_eq!(told.len(), 0, "{version}: nobody hears of what is gone");
    }
}
