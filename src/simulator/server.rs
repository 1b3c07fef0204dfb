//! The HTTP side: one service takes every request, lets faults have their way, and makes bytes of the answer.
//!
//! A reset is a real one: each connection keeps a second handle to its socket, which is shut down without a word.

use std::any::Any;
use std::io;
use std::net::{Shutdown, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Map, Value};

use super::accounts::Scope;
use super::api::{self, Answer, Body, Call, Found};
use super::calls::{CallOutcome, UNKNOWN};
use super::clock::http_time;
use super::digest;
use super::faults::{self, FaultKind};
use super::shared::Shared;
use super::throttle::Allowance;
use crate::merge_request::UserId;

/// The largest body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// A second handle to a connection's socket.
struct Connection(std::net::TcpStream);

/// Serves on the listener until the handle stops it.
pub(super) fn serve(listener: TcpListener, shared: Arc<Shared>, workers: usize) -> io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&shared)))
            .app_data(web::PayloadConfig::new(BODY_LIMIT))
            .default_service(web::to(take))
    })
    .on_connect(keep_connection)
    .workers(workers)
    .keep_alive(std::time::Duration::from_secs(75))
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

fn keep_connection(io: &dyn Any, extensions: &mut Extensions) {
    let stream = io.downcast_ref::<actix_web::rt::net::TcpStream>();
    if let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) {
        extensions.insert(Connection(socket.into()));
    }
}

/// One call from its first byte to its last.
async fn take(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let method = request.method().as_str();
    let path = request.uri().path();
    let elsewhere = path == "/api/graphql" || path.starts_with("/oauth/");
    let rest = path.strip_prefix("/api/v4").or_else(|| elsewhere.then_some(path));
    let found = rest.and_then(|path| api::find(method, path));
    let route = found.as_ref().map_or(UNKNOWN, |found| found.route.name);
    let target = format!("{method} {}", request.uri());
    let index = shared.calls.begin(shared.clock.now(), route, target);
    let (response, user) = fare(&request, &body, &shared, found, route).await;
    let outcome = response
        .as_ref()
        .map_or(CallOutcome::Reset, |response| CallOutcome::Answered(response.status().as_u16()));
    shared.calls.end(shared.clock.now(), index, route, user, outcome);
    response.unwrap_or_else(|| {
        reset(&request);
        HttpResponse::InternalServerError().finish()
    })
}

/// What becomes of a call: a response, or none when the connection is to be reset.
async fn fare(
    request: &HttpRequest,
    body: &web::Bytes,
    shared: &Arc<Shared>,
    found: Option<Found>,
    route: &'static str,
) -> (Option<HttpResponse>, Option<UserId>) {
    let fate = shared.faults.fate(route);
    if !fate.latency.is_zero() {
        tokio::time::sleep(fate.latency).await;
    }
    if let Some(FaultKind::ApplyAfter(time)) = fate.fault {
        // A task of its own: the server drops this one when the caller hangs up.
        let (call, world) = (call_of(request, body), Arc::clone(shared));
        let task = actix_web::rt::spawn(async move {
            tokio::time::sleep(time).await;
            happen(&world, route, false);
            let processed = process(call, &world, found);
            happen(&world, route, true);
            processed
        });
        let Ok((answer, allowance, user)) = task.await else { return (None, None) };
        return (Some(written(request, shared, &answer, allowance.as_ref())), user);
    }
    happen(shared, route, false);
    match &fate.fault {
        Some(FaultKind::Reset) => return (None, None),
        Some(FaultKind::Hang) => hang(shared).await,
        Some(FaultKind::Answer { status, headers, body }) => {
            return (Some(said(shared, *status, headers, body.clone())), None);
        }
        _ => {}
    }
    let (mut answer, allowance, user) = process(call_of(request, body), shared, found);
    happen(shared, route, true);
    if let Body::Json(json) = &mut answer.body {
        for (field, value) in &fate.bends {
            faults::bend(json, field, value.as_ref());
        }
    }
    let response = match fate.fault {
        Some(FaultKind::ApplyThenReset) => None,
        Some(FaultKind::ApplyThenHang) => {
            hang(shared).await;
            Some(written(request, shared, &answer, allowance.as_ref()))
        }
        Some(FaultKind::Garbage) => {
            let body = Body::Bytes("application/json", b"{\"id\": 12, <html>".to_vec());
            Some(written(request, shared, &Answer { body, ..answer }, allowance.as_ref()))
        }
        Some(FaultKind::Truncate) => Some(truncated(&answer)),
        _ => Some(written(request, shared, &answer, allowance.as_ref())),
    };
    (response, user)
}

/// Does what was asked for before or after a call of this route.
fn happen(shared: &Arc<Shared>, route: &str, after: bool) {
    for deed in shared.faults.deeds(route, after) {
        deed(shared);
    }
}

async fn hang(shared: &Shared) {
    // Nobody drops the sender while the server runs; if it did, hanging would be over too.
    _ = shared.faults.hang().changed().await;
}

fn reset(request: &HttpRequest) {
    let Some(Connection(stream)) = request.conn_data::<Connection>() else { return };
    // With a linger time of zero the close that follows the shutdown sends RST.
    if let Ok(copy) = stream.try_clone().and_then(tokio::net::TcpStream::from_std) {
        _ = copy.set_zero_linger();
    }
    _ = stream.shutdown(Shutdown::Both);
}

/// What a request asks for.
fn call_of(request: &HttpRequest, body: &web::Bytes) -> Call {
    Call {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        params: Vec::new(),
        query: url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect(),
        fields: fields(request, body),
        token: token(request),
        user: UserId::new(0),
        scope: Scope::ReadUser,
        token_id: 0,
    }
}

/// What the world answers: the answer, what is left of the caller's rate, and who that is.
type Processed = (Answer, Option<Allowance>, Option<UserId>);

/// Lets the world answer a call.
fn process(mut call: Call, shared: &Shared, found: Option<Found>) -> Processed {
    let Some(mut found) = found else { return (Answer::no_route(), None, None) };
    call.params = std::mem::take(&mut found.params);
    shared.world(|world| {
        let allowance = world.allow(call.token.as_deref());
        if let Some(refusal) = allowance.as_ref().and_then(Allowance::refusal) {
            return (refusal, allowance, None);
        }
        let answer = api::answer(world, &found, &mut call);
        let user = Some(call.user).filter(|user| user.get() != 0);
        (answer, allowance, user)
    })
}

fn token(request: &HttpRequest) -> Option<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = || header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    header("private-token").or_else(bearer).map(str::to_owned)
}

/// JSON or form fields; what is neither has none.
fn fields(request: &HttpRequest, body: &web::Bytes) -> Map<String, Value> {
    let json = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    if json.is_some_and(|value| value.contains("json")) {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let mut fields = Map::new();
    for (key, value) in url::form_urlencoded::parse(body) {
        match fields.get_mut(key.as_ref()) {
            Some(Value::Array(values)) if key.ends_with("[]") => values.push(value.into_owned().into()),
            _ if key.ends_with("[]") => _ = fields.insert(key.into_owned(), vec![value.into_owned()].into()),
            _ => _ = fields.insert(key.into_owned(), value.into_owned().into()),
        }
    }
    fields
}

fn bytes_of(answer: &Answer) -> (&'static str, Vec<u8>) {
    match &answer.body {
        Body::Json(value) => ("application/json", value.to_string().into_bytes()),
        Body::Bytes(kind, bytes) => (kind, bytes.clone()),
        Body::Empty => ("", Vec::new()),
    }
}

/// The answer with the headers that every answer has; 304 if the caller has it already.
fn written(
    request: &HttpRequest,
    shared: &Shared,
    answer: &Answer,
    allowance: Option<&Allowance>,
) -> HttpResponse {
    let (kind, bytes) = bytes_of(answer);
    let mut headers: Vec<(String, String)> =
        answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    headers.extend(allowance.into_iter().flat_map(Allowance::headers));
    if !kind.is_empty() {
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
    }
    if request.method().as_str() == "GET" && answer.status == 200 {
        let etag = format!("W/\"{}\"", digest::hex_of(&bytes).get(..32).unwrap_or_default());
        let known = request.headers().get("if-none-match").and_then(|value| value.to_str().ok());
        let fresh = known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
        headers.push(("ETag".to_owned(), etag));
        if fresh {
            return respond(shared, 304, &headers, Vec::new());
        }
    }
    respond(shared, answer.status, &headers, bytes)
}

/// The answer of a fault. A rate limit that says when to come back also says it as a time.
fn said(shared: &Shared, status: u16, headers: &[(String, String)], body: String) -> HttpResponse {
    let mut headers = headers.to_vec();
    let wait = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let wait = wait.and_then(|(_, value)| value.parse::<i64>().ok());
    if let Some(reset) =
        wait.and_then(|wait| shared.clock.now().checked_add(jiff::SignedDuration::from_secs(wait)).ok())
    {
        headers.push(("RateLimit-Reset".to_owned(), reset.as_second().to_string()));
        headers.push(("RateLimit-ResetTime".to_owned(), http_time(reset)));
    }
    respond(shared, status, &headers, body.into_bytes())
}

fn respond(shared: &Shared, status: u16, headers: &[(String, String)], bytes: Vec<u8>) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        let (name, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            response.insert_header((name, value));
        }
    }
    response.insert_header(("Date", http_time(shared.clock.now())));
    response.body(bytes)
}

/// Promises the whole body, sends half, and breaks off.
fn truncated(answer: &Answer) -> HttpResponse {
    let (kind, mut bytes) = bytes_of(answer);
    let whole = u64::try_from(bytes.len()).unwrap_or_default().max(2);
    bytes.truncate(bytes.len() / 2);
    let pieces = [Ok(web::Bytes::from(bytes)), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let body = actix_web::body::SizedStream::new(whole, futures_util::stream::iter(pieces));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).insert_header(("Content-Type", kind)).body(body)
}
