//! An address that GitLab could call and that yet leads elsewhere.

use actix_web::{App, HttpResponse, HttpServer, http::StatusCode, web};

use super::{Scene, complaints};

/// A proxy that sends everybody on to the service, with that status.
fn redirecting(status: u16, to: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let send_on = move |path: web::Path<String>| {
        let location = format!("{to}/{path}");
        let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
        async move { answer.insert_header(("Location", location)).finish() }
    };
    let server = HttpServer::new(move || App::new().route("/{path:.*}", web::to(send_on.clone())));
    tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_sends_callers_on_is_wrong_although_our_page_is_where_it_leads() {
    let scene = Scene::bare().await;
    for status in [301, 302, 307, 308] {
        let proxy = redirecting(status, scene.world.url().to_owned());
        let (code, findings) = scene.doctor(&[], &[("SERVER__PUBLIC_URL", &proxy)]).await;
        assert!(complaints(&findings).contains(&"wrong address".to_owned()), "{status}: {findings:#?}");
        let of_it: Vec<_> = findings.iter().filter(|finding| finding["topic"] == "address").collect();
        assert_eq!((code, of_it.len()), (1, 1), "{status}: {findings:#?}");
        let what = format!(
            "{proxy}/webhooks/gitlab sends callers elsewhere ({status}): GitLab loses the body on the way"
        );
        assert_eq!(of_it[0]["what"], what.as_str());
        assert!(of_it[0]["remedy"].as_str().unwrap().contains("without a redirect"), "{}", of_it[0]);
    }
    scene.world.end().await;
}
