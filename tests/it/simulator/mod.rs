//! The simulator itself, seen from outside: what a client sees, and what a receiver gets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere")]

mod answers;
mod companions;
mod configuration;
mod deliveries;
mod faults;
mod python_gitlab;
mod reading;
mod reviews;
mod statuses;

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use countersign::merge_request::{MergeRequestRef, ProjectId, StatusCheckId};
use countersign::simulator::{
    Edition, Gitlab, Membership, NewMergeRequest, NewStatusCheck, NewToken, NewUser, Simulator,
    SimulatorOptions,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// A GitLab with one project, one merge request, one check, and a bot that may answer.
struct Scene {
    simulator: Simulator,
    gitlab: Gitlab,
    project: ProjectId,
    merge_request: MergeRequestRef,
    check: StatusCheckId,
    token: String,
    http: reqwest::Client,
}

async fn scene() -> Scene {
    scene_of(SimulatorOptions::default()).await
}

async fn scene_of_version(version: &str) -> Scene {
    scene_of(SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() }).await
}

async fn scene_of_edition(edition: Edition) -> Scene {
    scene_of(SimulatorOptions { edition, ..SimulatorOptions::default() }).await
}

async fn scene_of(options: SimulatorOptions) -> Scene {
    let simulator = Simulator::start(options).await.unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project("shop/web");
    let (_, token) = gitlab.create_bot("countersign", project).unwrap();
    let merge_request = gitlab.open_merge_request(NewMergeRequest::in_project(project).quietly()).unwrap();
    let new = NewStatusCheck::new("countersign", "http://127.0.0.1:9/webhooks/gitlab?secret=1");
    let check = gitlab.create_status_check(project, new).unwrap();
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Scene { simulator, gitlab, project, merge_request, check, token, http }
}

impl Scene {
    fn url(&self, path: &str) -> String {
        format!("{}/api/v4{path}", self.simulator.url())
    }

    /// A path below the merge request.
    fn below(&self, path: &str) -> String {
        format!("/projects/{}/merge_requests/{}{path}", self.project, self.merge_request.iid)
    }

    fn head(&self) -> String {
        self.gitlab.head(self.merge_request).unwrap().to_string()
    }

    /// A token of a new member with that level.
    fn member(&self, name: &str, level: u8) -> String {
        let user = self.gitlab.create_user(name);
        self.gitlab.add_member(self.project, Membership::new(user, level)).unwrap();
        self.gitlab.create_token(NewToken::of(user)).unwrap()
    }

    /// A token of somebody who is no member.
    fn stranger(&self) -> String {
        let user = self.gitlab.create_user(NewUser::named("stranger"));
        self.gitlab.create_token(NewToken::of(user)).unwrap()
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let mut request = self.http.request(method, self.url(path)).header("PRIVATE-TOKEN", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path, &self.token, None).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Status and body of a GET by a token.
    async fn get_as(&self, token: &str, path: &str) -> (u16, Value) {
        taken_apart(self.send(Method::GET, path, token, None).await).await
    }

    /// Status and body of an answer to the check.
    async fn post_as(&self, token: &str, body: Value) -> (u16, Value) {
        let path = self.below("/status_check_responses");
        taken_apart(self.send(Method::POST, &path, token, Some(body)).await).await
    }

    async fn post(&self, status: &str) -> (u16, Value) {
        self.post_as(&self.token, self.answer(status)).await
    }

    fn answer(&self, status: &str) -> Value {
        json!({ "external_status_check_id": self.check, "sha": self.head(), "status": status })
    }

    /// The word that the list shows for the check.
    async fn shown(&self) -> String {
        let list = self.get(&self.below("/status_checks")).await;
        list[0]["status"].as_str().unwrap().to_owned()
    }
}

async fn taken_apart(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

/// What a receiver of deliveries got: headers and body of each.
type Received = Arc<Mutex<Vec<(Vec<(String, String)>, Vec<u8>)>>>;

/// Somebody who takes deliveries and answers with a status.
fn receiver(status: u16) -> (String, Received) {
    let received = Received::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks/gitlab", listener.local_addr().unwrap());
    let data = web::Data::from(Arc::clone(&received));
    let take = move |request: HttpRequest, body: web::Bytes, received: web::Data<Mutex<Vec<_>>>| {
        let headers = request.headers().iter();
        let headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        received.lock().unwrap().push((headers, body.to_vec()));
        async move { HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish() }
    };
    let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(take)));
    tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    (url, received)
}
