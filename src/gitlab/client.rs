//! One HTTP client for all calls: connections are reused, every call is bounded in time, counted and retried by kind.
//!
//! Reads are retried here, with jitter and `Retry-After`; writes never are: between two tries the right answer may
//! change, so whoever writes decides again. Redirects are not followed (a `POST` would turn into a `GET` and the token
//! would travel): they are errors that name the remedy.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::telemetry::{CallLabels, Metrics};

use super::access::{ClientError, is_this_machine};
use super::answer::{Answer, Dated, date_of, judge, kind_of, parse, reason_of};
use super::error::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a read is tried before its failure is reported.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A longer `Retry-After` is the caller's to wait for, not a connection's.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The longest answer that is read: GitLab's own diff limits keep the largest, a diff version, well below.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// GitLab, as seen with one token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
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
        let mut base = Url::parse(url).map_err(|_| ClientError::Url(url.to_owned()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(ClientError::Url(url.to_owned()));
        }
        let path = format!("{}/api/v4/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| ClientError::Token)?;
        bearer.set_sensitive(true);
        let mut builder = reqwest::Client::builder();
        if is_this_machine(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ClientError::Http)?;
        Ok(Self { http, base, timeout, metrics })
    }

    /// The name of the machine that is called, as the address has it.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// Under which every route lies.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The longest that one call takes.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads one value. `route` is the template that metrics and messages name.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
    ) -> Result<T, Error> {
        Ok(self.read_dated(route, path).await?.value)
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
        parse(route, &self.call(route, self.http.post(url).json(body)).await?.body)
    }

    /// Writes once; the caller judges what an unclear fate means. Only 201 says that something was created: a login page
    /// of a proxy answers 200.
    pub(super) async fn write<B: Serialize + Sync>(
        &self,
        route: &'static str,
        path: &str,
        body: &B,
    ) -> Result<(), Error> {
        let request = self.http.request(Method::POST, self.url(route, path)?).json(body);
        self.call(route, request).await?.must_be(StatusCode::CREATED, route)
    }

    /// Deletes once.
    pub(super) async fn delete(&self, route: &'static str, path: &str) -> Result<(), Error> {
        let request = self.http.delete(self.url(route, path)?);
        self.call(route, request).await?.must_be(StatusCode::NO_CONTENT, route)
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
        let request = self.http.request(method, self.url(route, path)?).json(body);
        let answer = self.call(route, request).await?;
        answer.must_be(proof, route)?;
        parse(route, &answer.body)
    }

    pub(super) fn url(&self, route: &'static str, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| Error::Malformed { route, reason: error.to_string() })
    }

    pub(super) async fn fetch(&self, route: &'static str, url: &Url) -> Result<(HeaderMap, Vec<u8>), Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let error = match self.call(route, self.http.get(url.clone())).await {
                Ok(answer) => return Ok((answer.headers, answer.body)),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or(pause);
            if attempt == TRIES || !error.is_curable() || wait > LONGEST_PAUSE {
                return Err(error);
            }
            tracing::debug!(route, attempt, %error, "reading again");
            tokio::time::sleep(jittered(wait)).await;
            pause *= 2;
        }
        Err(Error::NoAnswer { route, reason: "it was not tried".to_owned() })
    }

    async fn call(&self, route: &'static str, request: reqwest::RequestBuilder) -> Result<Answer, Error> {
        let answer = async {
            let mut response = request.send().await?;
            let status = response.status();
            let headers = std::mem::take(response.headers_mut());
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await? {
                if body.len() + piece.len() > LONGEST_ANSWER {
                    return Ok((status, headers, None));
                }
                body.extend_from_slice(&piece);
            }
            Ok::<_, reqwest::Error>((status, headers, Some(body)))
        };
        match answer.await {
            Ok((status, headers, body)) => {
                self.count(route, status.as_str());
                let reason = || format!("it is longer than {LONGEST_ANSWER} bytes");
                let body = body.ok_or_else(|| Error::Malformed { route, reason: reason() })?;
                judge(route, status, &headers, &body)?;
                Ok(Answer { status, headers, body })
            }
            Err(error) => {
                let kind = kind_of(&error);
                self.count(route, kind);
                Err(Error::NoAnswer { route, reason: reason_of(kind, error) })
            }
        }
    }

    fn count(&self, route: &'static str, status: &str) {
        let labels = CallLabels { route, status: status.to_owned() };
        self.metrics.gitlab_calls.get_or_create(&labels).inc();
    }
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
        let written = client.write("POST /x", "x", &serde_json::json!({})).await;
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
