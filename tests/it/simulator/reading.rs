//! Reading: merge requests, versions, people, files, and the manners of the REST API.

use countersign::merge_request::CommitSha;
use countersign::simulator::{
    CheckStatus, DiffLimits, Edition, FileChange, Gitlab, Membership, NewCommit, NewGroup, NewMergeRequest,
    NewProject, NewUser, PipelineKind, Push, Visibility,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene;

/// Something that somebody does.
type Deed<'a> = &'a dyn Fn(&Gitlab);

#[tokio::test]
async fn a_merge_request_says_what_it_is() {
    let scene = scene().await;
    scene.gitlab.add_label(scene.merge_request, "ready").unwrap();
    scene.gitlab.set_draft(scene.merge_request, true).unwrap();
    let body = scene.get(&scene.below("")).await;
    assert_eq!(body["references"]["full"], "shop/web!1");
    assert_eq!(body["changes_count"], "1");
    assert_eq!((&body["labels"], &body["draft"]), (&json!(["ready"]), &json!(true)));
    assert_eq!(body["detailed_merge_status"], "draft_status");
    assert_eq!(body["diff_refs"]["head_sha"], body["sha"]);
    let by_path = scene.get("/projects/shop%2Fweb/merge_requests/1").await;
    assert_eq!(by_path["id"], body["id"]);
}

#[tokio::test]
async fn everything_can_have_the_id_that_a_test_wants() {
    let scene = scene().await;
    let project =
        scene.gitlab.create_project(NewProject::at("demo/tmp").id(72_081_820).visibility(Visibility::Public));
    let head = CommitSha::parse(&"2f".repeat(20)).unwrap();
    let author = scene.gitlab.create_user(NewUser::named("real").id(4_575_606));
    let new = NewMergeRequest::in_project(project).iid(3).id(405_095_454).head(&head).author(author);
    scene.gitlab.open_merge_request(new).unwrap();
    let body = scene.get("/projects/72081820/merge_requests/3").await;
    assert_eq!((&body["sha"], &body["id"]), (&json!(head), &json!(405_095_454)));
    assert_eq!(body["author"]["id"], 4_575_606);
}

#[tokio::test]
async fn a_version_holds_its_own_files_and_commits_whatever_was_pushed_later() {
    let scene = scene().await;
    let push = Push::new()
        .file(FileChange::renamed("a.rs", "b.rs"))
        .file(FileChange::added("big.bin").too_large())
        .commit(NewCommit::new("feat: one").author_email("ana@example.com"))
        .commit(NewCommit::new("fix: two").committer_email("ben@example.com"))
        .said_size("1000+");
    let head = scene.gitlab.push(scene.merge_request, push).unwrap();
    scene.gitlab.push(scene.merge_request, Push::new().file("c.rs")).unwrap();
    let versions = scene.get(&scene.below("/versions")).await;
    let older = &versions[1];
    assert_eq!((&older["head_commit_sha"], &older["real_size"]), (&json!(head), &json!("1000+")));
    let version = scene.get(&scene.below(&format!("/versions/{}", older["id"]))).await;
    let messages: Vec<&Value> =
        version["commits"].as_array().unwrap().iter().map(|commit| &commit["message"]).collect();
    assert_eq!(messages, ["fix: two", "feat: one"]);
    assert_eq!(
        (&version["commits"][0]["id"], &version["commits"][0]["committer_email"]),
        (&json!(head), &json!("ben@example.com"))
    );
    let renamed = &version["diffs"][0];
    assert_eq!(
        (&renamed["renamed_file"], &renamed["old_path"], &renamed["new_path"]),
        (&json!(true), &json!("a.rs"), &json!("b.rs"))
    );
    assert_eq!((&version["diffs"][1]["too_large"], &version["diffs"][1]["diff"]), (&json!(true), &json!("")));
    assert_eq!(scene.get(&scene.below("/diffs")).await[0]["new_path"], "c.rs");
    let base = &older["base_commit_sha"].as_str().unwrap();
    let compared =
        scene.get(&format!("/projects/{}/repository/compare?from={base}&to={head}", scene.project)).await;
    assert_eq!(compared["diffs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn approvals_say_when_unless_the_version_is_too_old() {
    let scene = scene().await;
    let ana = scene.gitlab.create_user("ana");
    scene.gitlab.require_approvals(scene.merge_request, 2).unwrap();
    scene.gitlab.approve(scene.merge_request, ana).unwrap();
    let body = scene.get(&scene.below("/approvals")).await;
    assert_eq!((&body["approved"], &body["approvals_left"]), (&json!(false), &json!(1)));
    assert_eq!(body["approved_by"][0]["user"]["username"], "ana");
    assert!(body["approved_by"][0]["approved_at"].is_string());
    scene.gitlab.say_approved_at(false);
    assert!(scene.get(&scene.below("/approvals")).await["approved_by"][0].get("approved_at").is_none());
}

#[tokio::test]
async fn a_merged_result_has_the_head_as_a_parent() {
    let scene = scene().await;
    scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::MergeRequest, "failed").unwrap();
    scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::MergedResult, "success").unwrap();
    let pipelines = scene.get(&scene.below("/pipelines")).await;
    assert_eq!(
        (&pipelines[0]["status"], &pipelines[0]["ref"]),
        (&json!("success"), &json!("refs/merge-requests/1/merge"))
    );
    let sha = pipelines[0]["sha"].as_str().unwrap();
    assert_ne!(sha, scene.head());
    let commit = scene.get(&format!("/projects/{}/repository/commits/{sha}", scene.project)).await;
    assert_eq!(commit["parent_ids"][1], json!(scene.head()));
    assert_eq!(scene.get(&scene.below("")).await["head_pipeline"]["status"], "success");
}

#[tokio::test]
async fn threads_say_whether_they_are_resolved() {
    let scene = scene().await;
    let thread = scene.gitlab.open_thread(scene.merge_request, "why?").unwrap();
    scene.gitlab.system_note(scene.merge_request, "changed the title").unwrap();
    scene.gitlab.resolve_thread(scene.merge_request, &thread).unwrap();
    let list = scene.get(&scene.below("/discussions")).await;
    assert_eq!((&list[0]["id"], &list[0]["notes"][0]["resolved"]), (&json!(thread), &json!(true)));
    assert_eq!(
        (&list[1]["notes"][0]["system"], &list[1]["notes"][0]["resolvable"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn membership_is_inherited_invited_and_hidden() {
    let scene = scene().await;
    let gitlab = &scene.gitlab;
    gitlab.create_group("shop/payments");
    gitlab.create_group("auditors");
    let [ana, ben, cem, dora] = ["ana", "ben", "cem", "dora"].map(|name| gitlab.create_user(name));
    gitlab.add_member("shop", Membership::new(ana, 40)).unwrap();
    gitlab.add_member("shop/payments", Membership::new(ben, 30).awaiting()).unwrap();
    gitlab.add_member("auditors", Membership::new(cem, 50)).unwrap();
    gitlab.invite_group("shop/payments", "auditors", 20).unwrap();
    gitlab.add_member("shop", Membership::new(scene.gitlab.create_user("countersign"), 30)).unwrap();
    let member = |user| format!("/groups/shop%2Fpayments/members/all/{user}");
    assert_eq!(scene.get(&member(ana)).await["access_level"], 40);
    assert_eq!(scene.get(&member(ben)).await["membership_state"], "awaiting");
    assert_eq!(scene.get(&member(cem)).await["access_level"], 20);
    assert_eq!(scene.get_as(&scene.token, &member(dora)).await, (404, json!({ "message": "404 Not found" })));
    assert_eq!(
        scene.get(&format!("/projects/{}/members/all/{ana}", scene.project)).await["access_level"],
        40
    );
    let hidden = (404, json!({ "message": "404 Group Not Found" }));
    assert_eq!(scene.get_as(&scene.token, "/groups/auditors").await, hidden);
    gitlab.create_group(NewGroup::at("open").visibility(Visibility::Public));
    assert_eq!(scene.get("/groups/open").await["full_path"], "open");
}

#[tokio::test]
async fn direct_members_are_told_from_inherited_ones() {
    let scene = scene().await;
    let [ana, ben] = ["ana", "ben"].map(|name| scene.gitlab.create_user(name));
    scene.gitlab.add_member("shop", Membership::new(ana, 40)).unwrap();
    scene.gitlab.add_member("shop", Membership::new(ben, 40)).unwrap();
    scene.gitlab.add_member(scene.project, Membership::new(ben, 30)).unwrap();
    let member = |user| format!("/projects/{}/members/{user}", scene.project);
    assert_eq!(scene.get(&member(ben)).await["access_level"], 30);
    assert_eq!(scene.get_as(&scene.token, &member(ana)).await.0, 404);
}

#[tokio::test]
async fn a_branch_shows_its_head_and_a_file_is_read_at_a_commit() {
    let scene = scene().await;
    let (gitlab, project) = (&scene.gitlab, scene.project);
    let old = gitlab.write_file(project, "release/1.2", "docs/CODEOWNERS", Some("* @ana\n")).unwrap();
    let new = gitlab.write_file(project, "release/1.2", "docs/CODEOWNERS", None).unwrap();
    let branch = scene.get(&format!("/projects/{project}/repository/branches/release%2F1%2E2")).await;
    assert_eq!((&branch["commit"]["id"], &branch["name"]), (&json!(new), &json!("release/1.2")));
    let gone = (404, json!({ "message": "404 Branch Not Found" }));
    let path = format!("/projects/{project}/repository/branches/release");
    assert_eq!(scene.get_as(&scene.token, &path).await, gone);
    let file = |sha: &str| format!("/projects/{project}/repository/files/docs%2FCODEOWNERS/raw?ref={sha}");
    let read = scene.send(Method::GET, &file(old.as_str()), &scene.token, None).await;
    assert_eq!(read.headers()["x-gitlab-commit-id"], old.as_str());
    assert_eq!(read.text().await.unwrap(), "* @ana\n");
    let absent = (404, json!({ "message": "404 File Not Found" }));
    assert_eq!(scene.get_as(&scene.token, &file(new.as_str())).await, absent);
    let unknown = (404, json!({ "message": "404 Commit Not Found" }));
    assert_eq!(scene.get_as(&scene.token, &file(&"9".repeat(40))).await, unknown);
}

#[tokio::test]
async fn a_membership_that_expired_gives_no_rights_but_may_still_be_listed() {
    let scene = scene().await;
    let token = scene.member("temp", 30);
    let temp = scene.gitlab.create_user("temp");
    let yesterday = jiff::civil::date(2020, 1, 1);
    scene.gitlab.add_member(scene.project, Membership::new(temp, 30).expires_at(yesterday)).unwrap();
    assert_eq!(scene.get_as(&token, &scene.below("")).await.0, 404);
    let path = format!("/projects/{}/members/all/{temp}", scene.project);
    assert_eq!(scene.get(&path).await["expires_at"], "2020-01-01");
}

#[tokio::test]
async fn people_are_found_by_name_and_by_public_address_only() {
    let scene = scene().await;
    let ana = scene.gitlab.create_user("ana");
    scene.gitlab.create_user(NewUser::named("shy").public_email(None));
    assert_eq!(scene.get("/users?username=ANA").await[0]["id"], json!(ana));
    assert_eq!(scene.get("/users?username=an").await, json!([]), "no part of a name, no group");
    assert_eq!(scene.get("/users?username=shop").await, json!([]));
    assert_eq!(scene.get("/users?search=ana%40example.com").await[0]["id"], json!(ana));
    assert_eq!(scene.get("/users?search=shy%40example.com").await, json!([]));
    assert_eq!(scene.get(&format!("/users/{ana}")).await["bot"], false);
}

#[tokio::test]
async fn lists_come_in_pages_that_say_where_the_next_one_is() {
    let scene = scene().await;
    for _ in 0..24 {
        scene.gitlab.open_merge_request(NewMergeRequest::in_project(scene.project).quietly()).unwrap();
    }
    let path = format!("/projects/{}/merge_requests?state=opened", scene.project);
    let first = scene.send(Method::GET, &path, &scene.token, None).await;
    let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("x-total"), header("x-next-page"), header("x-per-page")),
        ("25".into(), "2".into(), "20".into())
    );
    let link = header("link");
    let next = link.split(", ").find(|part| part.ends_with("rel=\"next\"")).unwrap();
    let next = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(first.json::<Vec<Value>>().await.unwrap().len(), 20);
    let second = scene.http.get(next).header("PRIVATE-TOKEN", &scene.token).send().await.unwrap();
    assert!(!second.headers()["link"].to_str().unwrap().contains("rel=\"next\""));
    assert_eq!(second.json::<Vec<Value>>().await.unwrap().len(), 5);
    let most = scene.send(Method::GET, &format!("{path}&per_page=1000"), &scene.token, None).await;
    assert_eq!(most.headers()["x-per-page"], "100");
}

#[tokio::test]
async fn beyond_ten_thousand_entries_no_page_says_how_many_there_are() {
    let scene = scene().await;
    let push = |commits: usize| {
        let push = (0..commits).fold(Push::new(), |push, _| push.commit(NewCommit::new("feat: one")));
        scene.gitlab.push(scene.merge_request, push).unwrap();
    };
    // Both totals, the next page, and whether the next and the last one are linked.
    let page = async |number: u32| {
        let path = scene.below(&format!("/commits?per_page=100&page={number}"));
        let response = scene.send(Method::GET, &path, &scene.token, None).await;
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let link = header("link").unwrap();
        let linked = ["next", "last"].map(|relation| link.contains(&format!("rel=\"{relation}\"")));
        let told = ["x-total", "x-total-pages", "x-next-page"].map(header);
        (told, linked)
    };
    let some = |text: &str| Some(text.to_owned());
    push(10_000);
    assert_eq!(page(1).await, ([some("10000"), some("100"), some("2")], [true, true]));
    push(10_001);
    assert_eq!(page(1).await, ([None, None, some("2")], [true, false]));
    assert_eq!(page(101).await, ([None, None, some("")], [false, false]));
}

#[tokio::test]
async fn a_sweep_asks_for_what_changed_since() {
    let scene = scene().await;
    scene.gitlab.advance(std::time::Duration::from_hours(1));
    let since = scene.gitlab.now();
    let other = scene.gitlab.open_merge_request(NewMergeRequest::in_project(scene.project)).unwrap();
    let query = format!("updated_after={since}&order_by=updated_at&sort=asc");
    let list = scene.get(&format!("/projects/{}/merge_requests?{query}", scene.project)).await;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["iid"]), (1, &json!(other.iid)));
    let everywhere = scene.get(&format!("/merge_requests?scope=all&{query}")).await;
    assert_eq!(everywhere.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_gitlab_touches_moves_to_the_end_of_the_list_and_nothing_else_does() {
    let scene = scene().await;
    let (gitlab, which) = (&scene.gitlab, scene.merge_request);
    let (ana, list) = (gitlab.create_user("ana"), format!("/projects/{}/merge_requests", scene.project));
    let thread = gitlab.open_thread(which, "why?").unwrap();
    let other = gitlab.open_thread(which, "and this?").unwrap();
    let mut since = gitlab.now();
    let mut moved = async |gitlab: &Gitlab| {
        let query = format!("scope=all&state=opened&updated_after={since}&order_by=updated_at&sort=asc");
        let found = scene.get(&format!("{list}?{query}")).await.as_array().unwrap().len();
        gitlab.advance(std::time::Duration::from_secs(1));
        since = gitlab.now();
        found == 1
    };
    assert!(!moved(gitlab).await);
    let deeds: [(&str, bool, Deed<'_>); 13] = [
        ("a title", true, &|gitlab| gitlab.edit_title(which, "feat: another").unwrap()),
        ("a label", true, &|gitlab| gitlab.add_label(which, "ready").unwrap()),
        ("a push", true, &|gitlab| _ = gitlab.push(which, Push::new()).unwrap()),
        ("an approval", true, &|gitlab| gitlab.approve(which, ana).unwrap()),
        ("an approval taken back", true, &|gitlab| gitlab.unapprove(which, ana).unwrap()),
        ("a comment", true, &|gitlab| _ = gitlab.comment(which, "well").unwrap()),
        ("an answer in a thread", true, &|gitlab| gitlab.reply(which, &thread, "so").unwrap()),
        ("a thread that is not the last", false, &|gitlab| gitlab.resolve_thread(which, &thread).unwrap()),
        ("the last thread", true, &|gitlab| gitlab.resolve_thread(which, &other).unwrap()),
        ("a merge train", true, &|gitlab| _ = gitlab.put_on_merge_train(which).unwrap()),
        ("a pipeline", false, &|gitlab| _ = gitlab.set_pipeline(which, "success").unwrap()),
        ("an answer to a check", false, &|gitlab| {
            gitlab.post_status_as(ana, which, scene.check, CheckStatus::Passed).unwrap();
        }),
        ("closing it", false, &|gitlab| gitlab.close(which).unwrap()),
    ];
    for (what, moves, deed) in deeds {
        deed(gitlab);
        assert_eq!(moved(gitlab).await, moves, "{what}");
    }
}

#[tokio::test]
async fn a_train_shows_a_place_on_it_until_a_push_takes_it_off() {
    let scene = scene().await;
    let path = format!("/projects/{}/merge_trains/merge_requests/1", scene.project);
    let absent = (404, json!({ "message": "404 Merge Train Merge Request Not Found" }));
    assert_eq!(scene.get_as(&scene.token, &path).await, absent);
    let pipeline = scene.gitlab.put_on_merge_train(scene.merge_request).unwrap();
    let place = scene.get(&path).await;
    assert_eq!((&place["status"], &place["target_branch"]), (&json!("fresh"), &json!("main")));
    assert_eq!((&place["merge_request"]["iid"], &place["merged_at"]), (&json!(1), &Value::Null));
    assert_eq!(
        (&place["pipeline"]["id"], &place["pipeline"]["ref"]),
        (&json!(pipeline), &json!("refs/merge-requests/1/train"))
    );
    assert!(scene.gitlab.put_on_merge_train(scene.merge_request).is_err(), "it is on it");
    scene.gitlab.push(scene.merge_request, Push::new()).unwrap();
    assert_eq!(scene.get_as(&scene.token, &path).await, absent);
    assert_eq!(scene.get(&scene.below("/pipelines")).await[0]["status"], "canceled");
    scene.gitlab.put_on_merge_train(scene.merge_request).unwrap();
    scene.gitlab.merge(scene.merge_request).unwrap();
    let place = scene.get(&path).await;
    assert_eq!(place["status"], "merged");
    assert!(place["merged_at"].is_string() && place["duration"].is_number());
}

#[tokio::test]
async fn every_answer_carries_the_date_the_rate_and_a_tag_that_saves_the_body() {
    let scene = scene().await;
    scene.gitlab.advance(std::time::Duration::from_hours(400 * 24));
    let unlimited = scene.send(Method::GET, &scene.below(""), &scene.token, None).await;
    assert!(!unlimited.headers().contains_key("ratelimit-remaining"), "a limit is off until it is turned on");
    scene.gitlab.set_rate_limit(Some(2000));
    let first = scene.send(Method::GET, &scene.below(""), &scene.token, None).await;
    let year = scene.gitlab.now().strftime("%Y").to_string();
    assert!(first.headers()["date"].to_str().unwrap().contains(&year));
    assert!(first.headers().contains_key("ratelimit-remaining"));
    let tag = first.headers()["etag"].clone();
    assert!(tag.to_str().unwrap().starts_with("W/\""));
    let request = scene.http.get(scene.url(&scene.below(""))).header("PRIVATE-TOKEN", &scene.token);
    let second = request.header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(second.status(), 304);
}

#[tokio::test]
async fn a_moved_project_sends_readers_on_and_writers_away() {
    let scene = scene().await;
    scene.gitlab.move_project(scene.project, "mall/web").unwrap();
    let moved =
        scene.send(Method::GET, "/projects/shop%2Fweb/merge_requests/1?a=b", &scene.token, None).await;
    let target = format!("{}?a=b", scene.url(&scene.below("")));
    assert_eq!(
        (moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()),
        (301, target.as_str())
    );
    let path = "/projects/shop%2Fweb/merge_requests/1/status_check_responses";
    let refused = scene.send(Method::POST, path, &scene.token, Some(scene.answer("passed"))).await;
    assert_eq!(refused.status(), 404);
    assert_eq!(scene.get(&scene.below("")).await["references"]["full"], "mall/web!1");
}

#[tokio::test]
async fn files_are_read_at_a_commit() {
    let scene = scene().await;
    let old = scene.gitlab.write_file(scene.project, "main", ".gate/a.yml", Some("one")).unwrap();
    scene.gitlab.write_file(scene.project, "main", ".gate/a.yml", Some("two")).unwrap();
    let read = async |reference: &str| {
        let path = format!("/projects/{}/repository/files/.gate%2Fa.yml/raw?ref={reference}", scene.project);
        let response = scene.send(Method::GET, &path, &scene.token, None).await;
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(read(old.as_str()).await, (200, "one".to_owned()));
    assert_eq!(read("main").await, (200, "two".to_owned()));
    let absent = format!("/projects/{}/repository/files/x/raw?ref=main", scene.project);
    assert_eq!(scene.get_as(&scene.token, &absent).await, (404, json!({ "message": "404 File Not Found" })));
}

#[tokio::test]
async fn the_repository_lists_a_range_with_parents_and_a_signature_has_a_verdict() {
    let scene = scene().await;
    let (gitlab, which) = (&scene.gitlab, scene.merge_request);
    let commits =
        Push::new().commit(NewCommit::new("one")).commit(NewCommit::new("two").signed("SSH", "verified"));
    let head = gitlab.push(which, commits).unwrap();
    let base = gitlab.merge_request(which).unwrap().newest_version().unwrap().base.clone();
    let commits = format!("/projects/{}/repository/commits", scene.project);
    let list = scene.get(&format!("{commits}?ref_name={base}..{head}")).await;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["id"]), (2, &json!(head)));
    assert_eq!((&list[0]["parent_ids"][0], &list[1]["parent_ids"]), (&list[1]["id"], &json!([base])));
    assert_eq!(scene.get(&scene.below("/commits")).await[0]["parent_ids"], json!([]), "it keeps none there");
    let signature = scene.get(&format!("{commits}/{head}/signature")).await;
    assert_eq!(
        (&signature["signature_type"], &signature["verification_status"]),
        (&json!("SSH"), &json!("verified"))
    );
    let unsigned = format!("{commits}/{}/signature", list[1]["id"].as_str().unwrap());
    let absent = (404, json!({ "message": "404 Signature Not Found" }));
    assert_eq!(scene.get_as(&scene.token, &unsigned).await, absent);
    let unknown = format!("{commits}/{}/signature", "0".repeat(40));
    let absent = (404, json!({ "message": "404 Commit Not Found" }));
    assert_eq!(scene.get_as(&scene.token, &unknown).await, absent);
}

#[tokio::test]
async fn a_deleted_fork_leaves_no_source_project() {
    let scene = scene().await;
    let fork = scene.gitlab.create_project("ana/web");
    let new = NewMergeRequest::in_project(scene.project).iid(9).fork(fork);
    scene.gitlab.open_merge_request(new).unwrap();
    let path = format!("/projects/{}/merge_requests/9", scene.project);
    assert_eq!(scene.get(&path).await["source_project_id"], json!(fork));
    scene.gitlab.delete_project(fork).unwrap();
    assert_eq!(scene.get(&path).await["source_project_id"], Value::Null);
}

#[tokio::test]
async fn version_and_edition_can_be_asked() {
    let scene = scene().await;
    assert_eq!(scene.get("/version").await["version"], "18.3.0-ee");
    assert_eq!(scene.get("/metadata").await["enterprise"], true);
    assert_eq!(scene.get("/personal_access_tokens/self").await["scopes"], json!(["api"]));
    scene.gitlab.install("15.1.0", Edition::Community);
    assert_eq!(scene.get_as(&scene.token, "/metadata").await.0, 404);
}

#[tokio::test]
async fn beyond_the_diff_limits_files_are_counted_and_not_listed() {
    let scene = scene().await;
    scene.gitlab.set_diff_limits(DiffLimits { files: 3, with_text: 2 });
    let files = ["a", "b", "c", "d"].into_iter().map(FileChange::modified);
    scene.gitlab.push(scene.merge_request, files.fold(Push::new(), Push::file)).unwrap();
    let newest = scene.get(&scene.below("/versions")).await[0].clone();
    assert_eq!((&newest["real_size"], &newest["state"]), (&json!("3+"), &json!("overflow")));
    assert_eq!(scene.get(&scene.below("")).await["changes_count"], "3+");
    let version = scene.get(&scene.below(&format!("/versions/{}", newest["id"]))).await;
    let shown: Vec<_> = version["diffs"].as_array().unwrap().iter().map(|diff| &diff["collapsed"]).collect();
    assert_eq!(shown, [false, false, true]);
    assert_eq!(version["diffs"][2]["diff"], "");
}

#[tokio::test]
async fn graphql_answers_200_and_says_what_failed() {
    let scene = scene().await;
    let iid = scene.merge_request.iid.to_string();
    let send = async |query: &str, iid: Value| {
        let body = json!({ "query": query, "variables": { "path": "shop/web", "iid": iid } });
        let url = format!("{}/api/graphql", scene.simulator.url());
        let request = scene.http.post(url).bearer_auth(&scene.token).json(&body);
        super::taken_apart(request.send().await.unwrap()).await
    };
    let ask = async |fields: &str, iid: &Value| {
        let query = format!(
            "query($path: ID!, $iid: String!) {{ project(fullPath: $path) {{ id mergeRequest(iid: $iid) {{ {fields} }} }} queryComplexity {{ limit }} }}"
        );
        send(&query, iid.clone()).await
    };
    let (status, good) = ask("iid diffHeadSha diffStats { path additions }", &json!(iid)).await;
    let found = &good["data"]["project"];
    assert_eq!((status, &found["id"]), (200, &json!(format!("gid://gitlab/Project/{}", scene.project))));
    assert_eq!(found["mergeRequest"]["diffHeadSha"], scene.head());
    assert_eq!(found["mergeRequest"]["diffStats"], json!([{ "path": "README.md", "additions": 1 }]));
    let message = async |fields: &str, iid: Value| {
        let (status, answer) = ask(fields, &iid).await;
        assert_eq!((status, &answer["data"]), (200, &Value::Null));
        answer["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    let unknown = message("nonsense", json!(iid)).await;
    assert_eq!(unknown, "Field 'nonsense' doesn't exist on type 'MergeRequest'");
    let many = message(&"title ".repeat(250), json!(iid)).await;
    assert!(many.contains("exceeds max complexity of 250"), "{many}");
    assert!(message("iid", json!(1)).await.contains("Variable $iid of type String!"));
    scene.gitlab.fail_field("diffStats", Some("Timeout"));
    let (_, failed) = ask("iid diffStats { path }", &json!(iid)).await;
    assert_eq!(failed["data"]["project"]["mergeRequest"], json!({ "iid": iid, "diffStats": null }));
    assert_eq!(failed["errors"][0]["path"], json!(["project", "mergeRequest", "diffStats"]));
    assert!(ask("approvalsLeft", &json!(iid)).await.1["errors"].is_null());
    scene.gitlab.install("18.3.0", Edition::Community);
    assert!(message("approvalsLeft", json!(iid)).await.contains("doesn't exist"));
    let (_, hidden) = send("{ project(fullPath: \"shop/none\") { id } }", json!(iid)).await;
    assert_eq!(hidden, json!({ "data": { "project": null } }));
}
