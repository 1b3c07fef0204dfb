//! Commit statuses, which are parts of pipelines, and labels: what a bot can say without status checks.

use countersign::simulator::{PipelineKind, Push};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Scene, scene, taken_apart};

/// Reports on the head as the bot does.
async fn report(scene: &Scene, body: Value) -> (u16, Value) {
    report_as(scene, &scene.token, body).await
}

async fn report_as(scene: &Scene, token: &str, body: Value) -> (u16, Value) {
    let path = format!("/projects/{}/statuses/{}", scene.project, scene.head());
    taken_apart(scene.send(Method::POST, &path, token, Some(body)).await).await
}

/// Ids of the merge request's pipelines, newest first.
async fn pipelines(scene: &Scene) -> Vec<Value> {
    let list = scene.get(&scene.below("/pipelines")).await;
    list.as_array().unwrap().iter().map(|run| run["id"].clone()).collect()
}

/// Id and status of those that are listed for the head.
async fn listed(scene: &Scene) -> Vec<(Value, Value)> {
    let path = format!("/projects/{}/repository/commits/{}/statuses", scene.project, scene.head());
    let list = scene.get(&path).await;
    list.as_array().unwrap().iter().map(|said| (said["id"].clone(), said["status"].clone())).collect()
}

async fn pipeline_status(scene: &Scene) -> Value {
    scene.get(&scene.below("/pipelines")).await[0]["status"].clone()
}

#[tokio::test]
async fn a_commit_status_goes_into_the_pipeline_that_fits_and_makes_one_where_none_does() {
    let scene = scene().await;
    let branch = scene.get(&scene.below("")).await["source_branch"].clone();
    let gate = |more: Value| {
        let mut body = json!({ "state": "success", "name": "gate" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (code, said) = report(&scene, gate(json!({}))).await;
    assert_eq!((code, &said["ref"]), (201, &branch));
    let made = said["pipeline_id"].clone();
    let shown = scene.get(&scene.below("/pipelines")).await;
    assert_eq!((&shown[0]["id"], &shown[0]["source"]), (&made, &json!("external")));
    assert_eq!(shown[0]["status"], "success");

    let of_branch = scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::Branch, "success").unwrap();
    let own = scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::MergeRequest, "success").unwrap();
    let reference = format!("refs/merge-requests/{}/head", scene.merge_request.iid);
    for (more, pipeline, of) in [
        (json!({}), json!(own), &json!(reference)),
        (json!({ "ref": reference }), json!(own), &json!(reference)),
        (json!({ "ref": branch }), json!(of_branch), &branch),
        (json!({ "pipeline_id": made }), made.clone(), &branch),
        (json!({ "pipeline_id": own, "ref": reference }), json!(own), &json!(reference)),
    ] {
        let (code, said) = report(&scene, gate(more.clone())).await;
        assert_eq!((code, &said["pipeline_id"], &said["ref"]), (201, &pipeline, of), "{more}");
    }
    let before = pipelines(&scene).await;
    assert_eq!(before, [json!(own), json!(of_branch), made], "whatever fits is used");
    let absent = json!({ "message": "404 Pipeline for pipeline_id, sha and ref Not Found" });
    let reports = scene.gitlab.reports().len();
    for more in [json!({ "pipeline_id": own, "ref": branch }), json!({ "pipeline_id": 7 })] {
        assert_eq!(report(&scene, gate(more)).await, (404, absent.clone()));
    }
    assert_eq!((pipelines(&scene).await, scene.gitlab.reports().len()), (before.clone(), reports));

    scene.gitlab.push(scene.merge_request, Push::new()).unwrap();
    let (code, said) = report(&scene, gate(json!({}))).await;
    assert_eq!((code, before.contains(&said["pipeline_id"])), (201, false), "those are of another commit");
    assert_eq!(listed(&scene).await.len(), 1);
}

#[tokio::test]
async fn a_pipeline_stands_as_what_is_reported_in_it() {
    let scene = scene().await;
    scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::MergeRequest, "success").unwrap();
    let say = async |name: &str, state: &str| {
        report(&scene, json!({ "state": state, "name": name, "description": state })).await
    };
    let (code, first) = say("gate", "pending").await;
    assert_eq!((code, pipeline_status(&scene).await), (201, json!("running")));
    let (code, refused) = say("gate", "pending").await;
    assert_eq!(
        (code, refused["message"].as_str().unwrap().contains("via :enqueue from :pending")),
        (400, true)
    );
    let (code, same) = say("gate", "running").await;
    assert_eq!((code, &same["id"], &same["description"]), (201, &first["id"], &json!("running")));
    let (code, refused) = say("gate", "running").await;
    assert_eq!((code, refused["message"].as_str().unwrap().contains("via :run from :running")), (400, true));
    assert_eq!(say("gate", "success").await.1["id"], first["id"]);
    assert_eq!(pipeline_status(&scene).await, "success");

    let (code, second) = say("gate", "failed").await;
    assert_eq!((code, second["id"] == first["id"]), (201, false), "what has ended is not changed");
    assert_eq!(pipeline_status(&scene).await, "failed", "whatever the older one said");
    assert_eq!(listed(&scene).await, [(second["id"].clone(), json!("failed"))]);
    let kept = scene.gitlab.commit_statuses(scene.project).unwrap();
    let kept: Vec<_> = kept.iter().map(|said| (said.state.as_str(), said.retried)).collect();
    assert_eq!(kept, [("success", true), ("failed", false)]);

    say("lint", "canceled").await;
    assert_eq!(pipeline_status(&scene).await, "failed");
    say("gate", "success").await;
    assert_eq!(pipeline_status(&scene).await, "canceled");
    say("lint", "skipped").await;
    assert_eq!(pipeline_status(&scene).await, "success");

    // What somebody else has open is not changed; a new one stands in its place.
    let (_, open) = say("gate", "pending").await;
    let (code, other) =
        report_as(&scene, &scene.member("cleo", 30), json!({ "state": "pending", "name": "gate" })).await;
    assert_eq!((code, other["id"] == open["id"]), (201, false));
    let shown = listed(&scene).await;
    assert_eq!((shown.len(), shown.contains(&(other["id"].clone(), json!("pending")))), (2, true));
}

#[tokio::test]
async fn labels_are_added_and_removed_and_remembered_by_whom() {
    let scene = scene().await;
    let cleo = scene.member("cleo", 30);
    let change = async |token: &str, body: Value| {
        taken_apart(scene.send(Method::PUT, &scene.below(""), token, Some(body)).await).await
    };
    let (code, body) = change(&scene.token, json!({ "add_labels": "ready,late" })).await;
    assert_eq!((code, &body["labels"]), (200, &json!(["late", "ready"])));
    let (code, body) = change(&cleo, json!({ "add_labels": ["done"], "remove_labels": ["late"] })).await;
    assert_eq!((code, &body["labels"]), (200, &json!(["done", "ready"])));
    let sent = scene.gitlab.deliveries();
    assert_eq!(sent.len(), 2, "one for each change");
    let changes = &sent[1].json()["changes"]["labels"];
    let titles = |labels: &Value| {
        labels.as_array().unwrap().iter().map(|label| label["title"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (titles(&changes["previous"]), titles(&changes["current"])),
        (vec![json!("late"), json!("ready")], vec![json!("done"), json!("ready")])
    );
    let events = async || {
        let events = scene.get(&scene.below("/resource_label_events")).await;
        let told = |event: &Value| {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            [&event["user"]["username"], &event["action"], &event["label"]["name"]].map(word).join(" ")
        };
        events.as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    let remembered = ["countersign add late", "countersign add ready", "cleo add done", "cleo remove late"];
    assert_eq!(events().await, remembered);

    // What changes nothing, and what is refused, leaves no trace.
    let again = json!({ "add_labels": "ready", "remove_labels": "late" });
    assert_eq!(change(&scene.token, again.clone()).await.0, 200);
    assert_eq!(change(&scene.token, json!({})).await.0, 400);
    let more = json!({ "add_labels": "mine" });
    assert_eq!(change(&scene.member("reporter", 20), more.clone()).await.0, 403);
    assert_eq!(change(&scene.stranger(), more).await.0, 404);
    assert_eq!((events().await.len(), scene.gitlab.deliveries().len()), (4, 2));
}
