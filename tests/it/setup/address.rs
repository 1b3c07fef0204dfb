//! An address that leads elsewhere, or that shows a certificate.

use actix_web::{App, HttpResponse, HttpServer, http::StatusCode, web};

use crate::world::tls;

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

/// Severity, words and remedy of what is said of the address.
async fn said(scene: &Scene, more: &[(&str, &str)]) -> (i32, [String; 3]) {
    let (code, findings) = scene.doctor(&[], more).await;
    let of_it: Vec<_> = findings.iter().filter(|finding| finding["topic"] == "address").collect();
    assert_eq!(of_it.len(), 1, "{findings:#?}");
    let text = |field: &str| of_it[0][field].as_str().unwrap_or_default().to_owned();
    (code, ["severity", "what", "remedy"].map(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_the_authority_that_signs_gitlab_too_is_fine_and_of_one_that_nobody_believes_is_told() {
    let scene = Scene::healthy().await;
    let certified = tls("localhost", scene.world.url()).await;
    let address = format!("https://localhost:{}", certified.port);
    let write = |name: &str, text: &str| {
        let path = scene.world.ground.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let other = tls("localhost", scene.world.url()).await;
    let (right, wrong) = (write("ca.pem", &certified.ca), write("other.pem", &other.ca));

    for more in [&[][..], &[("GITLAB__CA_CERTIFICATES", wrong.as_str())]] {
        let more = [&[("SERVER__PUBLIC_URL", address.as_str())], more].concat();
        let (code, [severity, what, remedy]) = said(&scene, &more).await;
        assert_eq!((code, severity.as_str()), (1, "wrong"), "{what}");
        assert!(what.contains("believed neither by this machine nor by `gitlab.ca_certificates`"), "{what}");
        assert!(remedy.contains("an authority") && !remedy.contains('\n'), "{remedy}");
    }

    // A proxy on the way to GitLab is not on GitLab's way to us: this one leads nowhere.
    let trusted = [
        ("SERVER__PUBLIC_URL", address.as_str()),
        ("GITLAB__CA_CERTIFICATES", &right),
        ("GITLAB__PROXY", "http://127.0.0.1:1"),
    ];
    let (_, [severity, what, _]) = said(&scene, &trusted).await;
    assert_eq!(severity, "fine", "{what}");
    let (_, [severity, what, _]) = said(&scene, &trusted[..2]).await;
    assert_eq!(
        (severity.as_str(), what),
        ("fine", format!("{address}/webhooks/gitlab answers with our page"))
    );

    // Trust in the authority is none in another name.
    let (_, [severity, what, remedy]) = {
        let stranger = tls("gate.example", scene.world.url()).await;
        let address = format!("https://localhost:{}", stranger.port);
        let right = write("stranger.pem", &stranger.ca);
        said(&scene, &[("SERVER__PUBLIC_URL", &address), ("GITLAB__CA_CERTIFICATES", &right)]).await
    };
    assert_eq!(severity, "wrong", "{what}");
    assert!(remedy.contains("for this very name"), "{what}: {remedy}");
    scene.world.end().await;
}
