//! One HTTP client for all calls: connections are reused, every call is bounded in time, counted and retried by kind.
//!
//! Reads are retried here, with jitter and `Retry-After`; writes never are: between two tries the right answer may
//! change, so whoever writes decides again. A read that leads to where a project was moved is followed within the same API;
//! any other redirect is an error (a `POST` would turn into a `GET`, and the token would travel).
//!
//! Nothing is asked with `If-None-Match`: GitLab computes and counts such a call all the same (contract section 5.4), what
//! is large and never changes is known by its id, and the rest is read because something changed in it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::clock::Clock;
use crate::telemetry::{CallLabels, Metrics};

use super::access::{Access, ClientError};
use super::answer::{Answer, Dated, date_of, judge, kind_of, parse, reason_of, sign_of, told_limit};
use super::asker;
use super::budget::{Budget, MayBegin, Purpose};
use super::circuit::{Circuit, Sign};
use super::credential::Credential;
use super::error::{Error, Hold};

/// How often a read is tried before its failure is reported.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A longer `Retry-After` is the caller's to wait for, not a connection's.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How often a read is sent on.
const MOST_HOPS: u32 = 3;
/// What is asked of a GitLab that is down.
const PROBE: &str = "GET /version";
/// The longest answer that is read: GitLab's own diff limits keep the largest, a diff version, well below.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// GitLab, as seen with one token. Clones share everything: connections, token, budget, and whether it is there.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    way: Option<String>,
    credential: Credential,
    budget: Budget,
    circuit: Circuit,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Client {
    /// Prepares calls to `url` (a sub-path such as `https://host/gitlab` is kept) with `token`. No call takes longer than
    /// `timeout`, from connecting to the last byte.
    pub fn new(
        url: &str,
        token: &SecretString,
        timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ClientError> {
        Self::reach(&Access::new(url, token, timeout), Clock::default(), metrics)
    }

    /// Prepares calls.
    pub fn reach(access: &Access, clock: Clock, metrics: Arc<Metrics>) -> Result<Self, ClientError> {
        let base = access.base()?;
        let counters = || (clock.clone(), Arc::clone(&metrics));
        let (budget, circuit) = (counters(), counters());
        Ok(Self(Arc::new(Inner {
            http: access.http(&base)?,
            base,
            timeout: access.timeout,
            way: access.way(),
            credential: Credential::new(&access.token, access.read_token.clone())?,
            budget: Budget::new(access.calls_per_minute, budget.0, budget.1),
            circuit: Circuit::new(access.timeout, circuit.0, circuit.1),
            clock,
            metrics,
        })))
    }

    /// The name of the machine that is called, as the address has it.
    pub fn host(&self) -> &str {
        self.0.base.host_str().unwrap_or_default()
    }

    /// Through which proxy and by which certificates GitLab is reached; none where nothing was said of it.
    pub fn way(&self) -> Option<&str> {
        self.0.way.as_deref()
    }

    /// Under which every route lies.
    pub(super) fn base(&self) -> &Url {
        &self.0.base
    }

    /// The longest that one call takes.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// What may be begun: nothing while GitLab is down, and what its limits leave room for.
    pub fn may_begin(&self) -> MayBegin {
        self.0.circuit.next_probe().map_or_else(|| self.0.budget.may_begin(), MayBegin::Nothing)
    }

    /// Since when GitLab is down, if it is.
    pub fn down_since(&self) -> Option<Timestamp> {
        self.0.circuit.down_since()
    }

    /// When GitLab came back last, if it was ever down.
    pub fn back_since(&self) -> Option<Timestamp> {
        self.0.circuit.closed_at()
    }

    /// Asks whether GitLab is back, if it is down and that was not asked lately.
    pub async fn probe(&self) {
        if self.down_since().is_some()
            && let Ok(url) = self.url(PROBE, "version")
        {
            // One in a while, which waits for no turn. What it says is not the question.
            if self.0.circuit.admit().is_ok() {
                let request = self.0.http.get(url).header(AUTHORIZATION, self.0.credential.bearer());
                let _said = self.send(PROBE, request).await;
            }
        }
    }

    /// Looks whether the token was replaced where it came from. It reads a file.
    pub fn look_for_token(&self) {
        if self.0.credential.look() {
            self.0.budget.forget();
        }
    }

    /// How often the token was replaced; whoever has the receiver is told of each time.
    pub fn token_replaced(&self) -> watch::Receiver<u64> {
        self.0.credential.replaced()
    }

    /// Reads one value. `route` is the template that metrics and messages name.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
    ) -> Result<T, Error> {
        Ok(self.read_dated(route, path).await?.value)
    }

    /// Reads one value before which nothing can be taken back: it waits for no turn.
    pub(super) async fn read_at_once<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
    ) -> Result<T, Error> {
        let (_, body) = self.fetch_for(Purpose::Withdrawal, route, &self.url(route, path)?).await?;
        parse(route, &body)
    }

    /// Reads one value and GitLab's time of it.
    pub(super) async fn read_dated<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
    ) -> Result<Dated<T>, Error> {
        let url = self.url(route, path)?;
        let (headers, body) = self.fetch(route, &url).await?;
        Ok(Dated { value: parse(route, &body)?, date: date_of(&headers) })
    }

    /// Reads what is no JSON, with its headers.
    pub(super) async fn read_bytes(
        &self,
        route: &'static str,
        path: &str,
    ) -> Result<(HeaderMap, Vec<u8>), Error> {
        let url = self.url(route, path)?;
        self.fetch(route, &url).await
    }

    /// Asks by a POST that changes nothing. It is not tried again here: whoever needs the answer asks for all of it anew.
    pub(super) async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        let url = self.url(route, path)?;
        let asked = self.call(Purpose::Read, route, self.0.http.post(url).json(body)).await;
        parse(route, &asked.map_err(without_answer)?.body)
    }

    /// Writes once; the caller judges what an unclear fate means. Only 201 says that something was created: a login page
    /// of a proxy answers 200.
    pub(super) async fn write<B: Serialize + Sync>(
        &self,
        purpose: Purpose,
        route: &'static str,
        path: &str,
        body: &B,
    ) -> Result<(), Error> {
        let request = self.0.http.request(Method::POST, self.url(route, path)?).json(body);
        self.call(purpose, route, request).await?.must_be(StatusCode::CREATED, route)
    }

    /// Deletes once.
    pub(super) async fn delete(&self, route: &'static str, path: &str) -> Result<(), Error> {
        let request = self.0.http.delete(self.url(route, path)?);
        self.call(Purpose::Write, route, request).await?.must_be(StatusCode::NO_CONTENT, route)
    }

    /// Writes once, and reads what GitLab made of it: a `POST` must be answered by 201, anything else by 200.
    pub(super) async fn write_for<T: DeserializeOwned, B: Serialize + Sync>(
        &self,
        method: Method,
        route: &'static str,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        let proof = if method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
        let request = self.0.http.request(method, self.url(route, path)?).json(body);
        let answer = self.call(Purpose::Write, route, request).await?;
        answer.must_be(proof, route)?;
        parse(route, &answer.body)
    }

    pub(super) fn url(&self, route: &'static str, path: &str) -> Result<Url, Error> {
        self.0.base.join(path).map_err(|error| Error::Malformed { route, reason: error.to_string() })
    }

    pub(super) async fn fetch(&self, route: &'static str, url: &Url) -> Result<(HeaderMap, Vec<u8>), Error> {
        self.fetch_for(Purpose::Read, route, url).await
    }

    async fn fetch_for(
        &self,
        purpose: Purpose,
        route: &'static str,
        url: &Url,
    ) -> Result<(HeaderMap, Vec<u8>), Error> {
        let (mut url, mut hops) = (url.clone(), 0);
        let (mut pause, mut attempt) = (FIRST_PAUSE, 1);
        loop {
            let error = match self.call(purpose, route, self.0.http.get(url.clone())).await {
                Ok(answer) => return Ok((answer.headers, answer.body)),
                Err(error) => error,
            };
            if let Error::Redirected { to: Some(to), .. } = &error
                && hops < MOST_HOPS
                && leads_home(to, &self.0.base)
            {
                (url, hops) = (to.clone(), hops + 1);
                continue;
            }
            let wait = error.retry_after().unwrap_or(pause);
            if attempt == TRIES || !error.is_curable() || wait > LONGEST_PAUSE {
                return Err(without_answer(error));
            }
            tracing::debug!(route, attempt, %error, "reading again");
            self.0.clock.sleep(jittered(wait)).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// Makes a call, if it may be made: with a new token once more where the one that GitLab refused was replaced meanwhile.
    async fn call(
        &self,
        purpose: Purpose,
        route: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, Error> {
        let permit = self.0.budget.admit(purpose, route).await;
        let _permit = permit.map_err(|held| self.hold_back(route, held.hold, held.wait))?;
        self.0.circuit.admit().map_err(|wait| self.hold_back(route, Hold::Down, wait))?;
        let (began, again) = (Instant::now(), request.try_clone());
        let bearer = self.0.credential.bearer();
        let answer = self.send(route, request.header(AUTHORIZATION, bearer.clone())).await;
        if let (Err(Error::Unauthorized { .. }), Some(again)) = (&answer, again)
            && self.0.credential.is_outdated(&bearer)
        {
            self.0.budget.forget();
            // Both together take no longer than one may.
            let again = again.timeout(self.0.timeout.saturating_sub(began.elapsed()));
            return self.send(route, again.header(AUTHORIZATION, self.0.credential.bearer())).await;
        }
        answer
    }

    fn hold_back(&self, route: &'static str, hold: Hold, wait: Duration) -> Error {
        self.0.metrics.count_held_back(hold.as_str());
        Error::HeldBack { route, hold, wait }
    }

    async fn send(&self, route: &'static str, request: RequestBuilder) -> Result<Answer, Error> {
        let answer = async {
            let mut response = request.send().await?;
            let (status, url) = (response.status(), response.url().clone());
            let headers = std::mem::take(response.headers_mut());
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await? {
                if body.len() + piece.len() > LONGEST_ANSWER {
                    return Ok((status, url, headers, None));
                }
                body.extend_from_slice(&piece);
            }
            Ok::<_, reqwest::Error>((status, url, headers, Some(body)))
        };
        match answer.await {
            Ok((status, url, headers, body)) => {
                self.count(route, status.as_str());
                self.0.circuit.note(sign_of(route, status, &headers), status.as_str());
                if let Some(told) = told_limit(&headers) {
                    self.0.budget.learn(told);
                }
                let reason = || format!("it is longer than {LONGEST_ANSWER} bytes");
                let body = body.ok_or_else(|| Error::Malformed { route, reason: reason() })?;
                let judged = judge(route, &url, (status, &headers, &body));
                let judged = judged.map_err(|error| self.obey(error));
                judged?;
                self.0.budget.note_success(route);
                Ok(Answer { status, headers, body })
            }
            Err(error) => {
                let kind = kind_of(&error);
                self.count(route, kind);
                let reason = reason_of(kind, error);
                self.0.circuit.note(Sign::Down, &reason);
                Err(Error::NoAnswer { route, reason })
            }
        }
    }

    /// Lets a refusal hold back what it is about.
    fn obey(&self, error: Error) -> Error {
        let Error::RateLimited { route, hold, retry_after } = error else { return error };
        if hold == Hold::Route {
            let retry_after = Some(self.0.budget.pause_route(route));
            return Error::RateLimited { route, hold, retry_after };
        }
        self.0.budget.pause(retry_after);
        error
    }

    fn count(&self, route: &'static str, status: &str) {
        let labels = CallLabels { route, status: status.to_owned() };
        self.0.metrics.gitlab_calls.get_or_create(&labels).inc();
    }
}

/// Notes for whoever asks that a read was given up; one that is made again and answered was not.
fn without_answer(error: Error) -> Error {
    if error.is_of_all_calls() {
        asker::note_held_back();
    }
    error
}

/// Whether a redirect stays within the same API at the same origin: the token must go nowhere else.
pub(super) fn leads_home(to: &Url, base: &Url) -> bool {
    let brings_nobody = to.username().is_empty() && to.password().is_none();
    brings_nobody && to.origin() == base.origin() && to.path().starts_with(base.path())
}

/// Half to one and a half times the pause, so that many callers do not come back at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client makes of an answer of a server that gives the same one to everybody.
    async fn write_to(answer: &'static str) -> Result<(), Error> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _read = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let client = Client::new(&url, &"token".into(), Duration::from_secs(10), Arc::default()).unwrap();
        let written = client.write(Purpose::Write, "POST /x", "x", &serde_json::json!({})).await;
        serving.await.unwrap();
        written
    }

    #[tokio::test]
    async fn a_login_page_does_not_count_as_taken() {
        let created = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        assert_eq!(write_to(created).await, Ok(()));
        let login = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
        assert!(write_to(login).await.unwrap_err().is_unclear());
    }
}
