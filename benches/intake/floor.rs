//! The floors: the same server library, profile, workers, listener settings and limits as the product, the product's own
//! parser, and as little else as possible.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use actix_web::middleware::NormalizePath;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use countersign::gitlab::webhook::{Delivery, parse};
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::{mpsc, oneshot};

use crate::stage::delivery::PATH;
use crate::stage::process::LISTENING;
use crate::stage::product::SECRET;

/// The product's limits and times, as they stand in its `server` room.
const LARGEST: usize = 25 * 1024 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(35);
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// As many may share a sync as may share a commit in the product.
const BATCH: usize = 512;
const BACKLOG: usize = 4096;

/// What a floor keeps of a delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Body,
    Hint,
}

/// A line to be appended, and who waits for it to be on disk.
type Line = (Vec<u8>, oneshot::Sender<()>);

struct Shared {
    keeps: Keeps,
    appender: mpsc::Sender<Line>,
}

/// Serves until it is killed.
pub fn serve(name: &str, keep: Option<&str>) {
    let keeps = match name {
        "a" => Keeps::Nothing,
        "b" => Keeps::Body,
        "b-hint" => Keeps::Hint,
        other => panic!("there is no floor `{other}`"),
    };
    let file = File::create(Path::new(keep.expect("`--keep` says where"))).expect("the file can be made");
    let (appender, inbox) = mpsc::channel(BACKLOG);
    thread::spawn(move || append(file, inbox));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
    println!("{LISTENING} on {}", listener.local_addr().expect("it is bound"));
    let shared = web::Data::new(Shared { keeps, appender });
    let server = HttpServer::new(move || {
        App::new()
            .wrap(NormalizePath::trim())
            .app_data(shared.clone())
            .service(web::resource(PATH).route(web::post().to(receive)))
    })
    .client_request_timeout(HEAD_TIMEOUT)
    .disable_signals()
    .listen(listener)
    .expect("it can be listened on");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(server.run()).expect("it serves");
}

async fn receive(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let read = tokio::time::timeout(BODY_DEADLINE, verified(&request, payload)).await;
    let Ok(Some(body)) = read else { return HttpResponse::Unauthorized().finish() };
    let Ok(delivery) = parse(&body) else { return HttpResponse::BadRequest().finish() };
    let line = match shared.keeps {
        Keeps::Nothing => None,
        Keeps::Body => Some(body),
        Keeps::Hint => Some(hint(&delivery)),
    };
    black_box(&delivery);
    if let Some(line) = line {
        let (told, written) = oneshot::channel();
        let kept = shared.appender.send((line, told)).await.is_ok() && written.await.is_ok();
        if !kept {
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().json(serde_json::json!({ "message": "taken" }))
}

/// The body, if it is signed; the HMAC runs while it arrives.
async fn verified(request: &HttpRequest, mut payload: web::Payload) -> Option<Vec<u8>> {
    let signature = request.headers().get("x-gitlab-signature")?.to_str().ok()?;
    let expected = hex::decode(signature).ok()?;
    let mut hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).ok()?;
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.ok()?;
        if body.len() + piece.len() > LARGEST {
            return None;
        }
        hmac.update(&piece);
        body.extend_from_slice(&piece);
    }
    hmac.verify_slice(&expected).ok().map(|()| body)
}

/// About what the product keeps of a delivery: where to look.
fn hint(delivery: &Delivery) -> Vec<u8> {
    format!("{delivery:?}").into_bytes()
}

/// Appends what came while the last sync ran, syncs once, tells everybody.
fn append(mut file: File, mut inbox: mpsc::Receiver<Line>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut bytes = Vec::new();
    while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
        bytes.clear();
        for (line, _) in &batch {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        file.write_all(&bytes).expect("the file can be written");
        file.sync_data().expect("the file can be synced");
        for (_, told) in batch.drain(..) {
            // Who stopped waiting does not need the answer.
            let _unheard = told.send(());
        }
    }
}
