//! Projects that were moved are followed; the token goes nowhere else.

use countersign::gitlab::{Client, Error, Status};
use countersign::merge_request::{CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, StatusCheckId};
use countersign::simulator::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{BOUND, Ground, ONE, PLAIN_POLICY, RESPOND, World};

fn client(ground: &Ground) -> Client {
    Client::new(ground.simulator.url(), &ground.token.as_str().into(), BOUND, std::sync::Arc::default())
        .unwrap()
}

fn redirect(route: &str, status: u16, location: &str) -> Fault {
    let headers = vec![("Location".to_owned(), location.to_owned())];
    Fault::on(route, FaultKind::Answer { status, headers, body: String::new() })
}

/// Somebody else: whoever comes is answered 200, and what it brought is kept.
async fn stranger() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 8192];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (url, heard)
}

#[tokio::test]
async fn a_moved_project_is_read_where_it_is_now() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    ground.gitlab.move_project(ground.project, "mall/pay").unwrap();
    let found = client(&ground).checked_project("shop/pay").await.unwrap();
    assert_eq!((found.id, found.path_with_namespace.as_str()), (ground.project, "mall/pay"));
    // A bare path leads home as well.
    let path = format!("/api/v4/projects/{}", ground.project);
    ground.gitlab.fault(redirect("GET /projects/:id", 302, &path).times(1));
    assert!(client(&ground).checked_project("mall/pay").await.is_ok());
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let path = format!("/api/v4/projects/{}", ground.project);
    ground.gitlab.fault(redirect("GET /projects/:id", 301, &path));
    let error = client(&ground).checked_project("shop/pay").await.unwrap_err();
    assert!(matches!(error, Error::Redirected { status: 301, .. }), "{error}");
    assert_eq!(ground.gitlab.calls_to("GET /projects/:id"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_never_goes_to_another_host_port_scheme_or_path() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let (other, heard) = stranger().await;
    let own = ground.simulator.url().to_owned();
    let https = own.replace("http://", "https://");
    for to in [
        format!("{other}/api/v4/projects/1"),
        format!("{https}/api/v4/projects/1"),
        format!("{own}/users/sign_in"),
        "ftp://127.0.0.1/api/v4/".to_owned(),
        "//gitlab.example.com/api/v4/".to_owned(),
        String::new(),
    ] {
        let fault = ground.gitlab.fault(redirect(ONE, 301, &to));
        let which = MergeRequestRef { project: ground.project, iid: MergeRequestIid::new(1) };
        let error = client(&ground).merge_request(which).await.unwrap_err();
        assert!(matches!(error, Error::Redirected { .. }), "{to}: {error}");
        assert!(!error.is_curable() && !error.to_string().contains("/projects/1"), "{error}");
        ground.gitlab.lift(fault);
    }
    assert!(!heard.is_finished(), "somebody else was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_never_sent_on() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let which = MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };
    let sha = CommitSha::parse(&"a".repeat(40)).unwrap();
    for status in [301, 302, 307, 308] {
        let path = format!("/api/v4/projects/{}/merge_requests/1/status_check_responses", ground.project);
        let fault = ground.gitlab.fault(redirect(RESPOND, status, &path));
        let calls = ground.gitlab.calls_to("*");
        let said = client(&ground).respond(which, StatusCheckId::new(1), &sha, Status::Passed).await;
        assert!(matches!(said, Err(Error::Redirected { .. })), "{said:?}");
        assert_eq!(ground.gitlab.calls_to("*"), calls + 1, "{status}");
        ground.gitlab.lift(fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_moves_while_it_is_served_keeps_its_answers() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    world.settle().await;
    world.gitlab.move_project(world.ground.project, "mall/pay").unwrap();
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, countersign::simulator::CheckStatus::Failed, "by its number").await;
    world.end().await;
}
