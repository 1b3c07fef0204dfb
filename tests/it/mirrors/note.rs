//! One note on each merge request, changed in place.

use std::time::Duration;

use countersign::simulator::{CheckStatus, Fault, FaultKind, HookEvent, NewHook, Push};

use super::{
    A_WHILE, CHANGE_NOTE, CREATE_NOTE, DELETE_NOTE, NOTES, THREADS, own_note, own_notes, world, writes,
};
use crate::world::{BOUND, Ground, HOOK_TOKEN, PLAIN_POLICY, Process, REVIEW_POLICY, SECRET, World, until};

use CheckStatus::{Failed, Passed, Unanswered};

const NOTE: &[(&str, &str)] = &[("NOTE", "true")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_note_lives_as_long_as_the_merge_request() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("ANSWERS__NOTE", "true");
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request());
    world.expect(which, Unanswered, "an approval is missing").await;
    let text = own_note(&world, which);
    assert!(text.starts_with("<!-- countersign:merge-request -->\n**countersign: waiting**\n"), "{text}");
    assert!(text.contains("**met** title") && text.contains("**waiting** review: "), "{text}");
    assert!(text.contains("  - 1 more approval by members of shop\\/payments\n"), "{text}");
    let id = own_notes(&world, which)[0].id;

    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "approved").await;
    assert!(own_note(&world, which).contains("**countersign: passed**"));
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "a bad title").await;
    let text = own_note(&world, which);
    assert!(text.contains("**countersign: failed**") && text.contains("**not met** title: "), "{text}");
    world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    world.settle().await;
    world.gitlab.close(which).unwrap();
    world.settle().await;
    world.gitlab.reopen(which).unwrap();
    world.settle().await;
    assert_eq!(own_notes(&world, which)[0].id, id, "the same one");
    assert_eq!((own_notes(&world, which).len(), world.calls(CREATE_NOTE)), (1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_when_nothing_changed() {
    let mut world = world(PLAIN_POLICY, NOTE).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    let reads = world.calls(NOTES);
    for round in 0..5 {
        world.gitlab.add_label(which, &format!("label-{round}")).unwrap();
        world.settle().await;
    }
    world.gitlab.push(which, Push::new()).unwrap();
    world.expect(which, Passed, "another commit, and the same verdict").await;
    assert_eq!((writes(&world), world.calls(NOTES)), (1, reads), "{}", world.history());
    // What an earlier process wrote is not believed: it is read, and found to be right.
    world.stop().await;
    world.start_again().await;
    world.gitlab.add_label(which, "after").unwrap();
    world.expect(which, Passed, "after a restart").await;
    assert_eq!((writes(&world), world.calls(NOTES)), (1, reads + 1), "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_somebody_deleted_comes_back_with_the_next_news_and_once() {
    let world = world(PLAIN_POLICY, NOTE).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    let thread = world.gitlab.merge_request(which).unwrap().discussions[0].id.clone();
    world.gitlab.delete_comment(which, &thread).unwrap();
    assert!(own_notes(&world, which).is_empty());
    for (title, verdict) in [("bad", "failed"), ("good", "passed")] {
        world.gitlab.edit_title(which, title).unwrap();
        world.settle().await;
        assert!(own_note(&world, which).contains(&format!("**countersign: {verdict}**")));
    }
    assert_eq!(world.calls(CREATE_NOTE), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_with_a_store_each_leave_one_note() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("ANSWERS__NOTE", "true");
    let other_store = format!("sqlite:{}", ground.folder.path().join("other.db").display());
    let world = World::start_on(ground).await;
    let mut environment = world.ground.environment();
    environment.retain(|(key, _)| key != "COUNTERSIGN__STORE__URL");
    environment.push(("COUNTERSIGN__STORE__URL".to_owned(), other_store));
    let other = Process::serve(&environment);
    let hook = NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", other.url()));
    world.gitlab.create_hook(hook.token(HOOK_TOKEN).event(HookEvent::MergeRequest));
    for round in 0..3 {
        // Both look for a note before either has written one.
        let slow = world.gitlab.fault(Fault::on(CREATE_NOTE, FaultKind::Latency(Duration::from_millis(300))));
        let (before, deleted) = (world.calls(CREATE_NOTE), world.calls(DELETE_NOTE));
        let which = world.open(world.merge_request());
        world.until("both wrote", |gitlab| gitlab.calls_to(CREATE_NOTE) == before + 2).await;
        world.until("one is deleted", |gitlab| gitlab.calls_to(DELETE_NOTE) > deleted).await;
        until("one note is left", || own_notes(&world, which).len() == 1).await;
        world.gitlab.lift(slow);
        // And both go on with it.
        world.gitlab.edit_title(which, "bad").unwrap();
        until("it says failed", || own_notes(&world, which)[0].body.contains("failed")).await;
        world.settle().await;
        assert_eq!(own_notes(&world, which).len(), 1, "round {round}");
    }
    assert_eq!(other.terminate().0, Some(0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_whose_creation_was_never_heard_of_is_found_again() {
    let world = world(PLAIN_POLICY, NOTE).await;
    world.gitlab.fault(Fault::on(CREATE_NOTE, FaultKind::ApplyThenReset).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "the answer does not wait for the note").await;
    for _ in 0..10 {
        world.pass(A_WHILE).await;
    }
    assert!(own_note(&world, which).contains("**countersign: passed**"));
    assert_eq!(world.calls(CREATE_NOTE), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_arrives_late_does_not_become_the_second_one() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let ground = ground.configure("ANSWERS__NOTE", "true").configure("GITLAB__TIMEOUT", "300ms");
    let world = World::start_on(ground).await;
    world.gitlab.fault(Fault::on(CREATE_NOTE, FaultKind::ApplyAfter(Duration::from_millis(1500))).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "the answer does not wait for the note").await;
    // Within the minute that it may still be under way none is written in its place.
    world.pass(Duration::from_secs(20)).await;
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(world.calls(CREATE_NOTE), 1);
    let arrived = world.gitlab.eventually(BOUND, |_| !own_notes(&world, which).is_empty()).await;
    assert!(arrived, "it is under way");
    for _ in 0..10 {
        world.pass(A_WHILE).await;
    }
    assert_eq!((own_notes(&world, which).len(), world.calls(CREATE_NOTE)), (1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_never_arrived_is_written_after_all() {
    let world = world(PLAIN_POLICY, NOTE).await;
    world.gitlab.fault(Fault::on(CREATE_NOTE, FaultKind::Reset).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "the answer does not wait for the note").await;
    for _ in 0..10 {
        world.pass(A_WHILE).await;
    }
    assert!(own_note(&world, which).contains("**countersign: passed**"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_notes_of_an_older_time_become_one() {
    let world = world(PLAIN_POLICY, NOTE).await;
    let which = world.open(world.merge_request().quietly());
    let as_bot = world.gitlab.acting_as(world.ground.bot);
    for text in ["one", "two"] {
        as_bot.comment(which, &format!("<!-- countersign:merge-request -->\n{text}")).unwrap();
    }
    // Somebody who copies the marker, and another comment of the same user, are left alone.
    world.gitlab.comment(which, "<!-- countersign:merge-request -->\nmine").unwrap();
    as_bot.comment(which, "a word of my own").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Passed, "a good title").await;
    let notes = own_notes(&world, which);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].body.contains("**countersign: passed**") && notes[1].body == "a word of my own");
    assert_eq!(world.gitlab.merge_request(which).unwrap().discussions.len(), 3);
    assert_eq!((world.calls(CREATE_NOTE), world.calls(CHANGE_NOTE)), (0, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_notifies_nobody_commands_nothing_and_gives_no_secret_away() {
    let evil = r#"
policy: evil
rules:
  - id: title
    name: "@all `x` /approve ![x](https://evil.example/x.png) #1 shop/pay!1"
    require: { title: { glob: ["fit*"] } }
  - id: review
    require: { approvals: { count: 1, from: { users: ["bea"] } } }
"#;
    let world = world(evil, NOTE).await;
    let which = world.open(world.merge_request().title("@ana ` @bea `` <b> \n/merge ~bug"));
    world.settle().await;
    let note = own_notes(&world, which).remove(0).body;
    let outside_of_code: String = note.replace("\\`", "").split('`').step_by(2).collect();
    for reference in ["@a", "@b", "#1", "!1", "~b", "![", "://"] {
        assert!(!outside_of_code.replace('\\', "").contains(reference), "{reference}: {note}");
    }
    assert!(!outside_of_code.contains("<b>"), "{note}");
    for line in note.lines() {
        assert!(!line.trim_start_matches(['-', '*', ' ', '\\']).starts_with('/'), "{line}");
    }
    for secret in [SECRET, HOOK_TOKEN, world.ground.token.as_str()] {
        assert!(!note.contains(secret), "{note}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_write_a_note_answers_all_the_same_and_does_not_ask_at_every_event() {
    const PARKED: &str = "countersign_lanes_parked_total";
    let world = world(PLAIN_POLICY, NOTE).await;
    let fault = world.gitlab.fault(Fault::error_page(CREATE_NOTE, 403));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    assert_eq!((world.calls(CREATE_NOTE), world.count(PARKED)), (1, 1));
    assert_eq!(world.count("countersign_mirrors_total{mirror=\"note\",outcome=\"refused\"}"), 1);
    for title in ["bad", "good", "bad"] {
        world.gitlab.edit_title(which, title).unwrap();
        world.settle().await;
    }
    assert_eq!((world.calls(CREATE_NOTE), world.status(which)), (1, Failed));
    world.gitlab.lift(fault);
    world.gitlab.advance(Duration::from_secs(601));
    world.gitlab.edit_title(which, "good").unwrap();
    world.expect(which, Passed, "mended").await;
    assert!(own_note(&world, which).contains("**countersign: passed**"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_is_one_too_many_for_gitlab_is_written_later() {
    let world = world(THREADS, NOTE).await;
    let fault = world.gitlab.fault(Fault::rate_limited_json(CREATE_NOTE));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    world.pass(A_WHILE).await;
    assert!(world.calls(CREATE_NOTE) >= 2, "tried again: {}", world.history());
    world.gitlab.lift(fault);
    for _ in 0..3 {
        world.pass(A_WHILE).await;
    }
    assert!(own_note(&world, which).contains("**countersign: passed**"));
    world.end().await;
}
