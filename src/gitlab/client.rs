//! One HTTP client for all calls: connections are reused, every call is bounded in time, counted and retried by kind.
//!
//! Reads are retried here, with jitter and `Retry-After`; writes never are: between two tries the right answer may
//! change, so whoever writes decides again. Redirects are not followed (a `POST` would turn into a `GET` and the token
//! would travel): they are errors that name the remedy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::telemetry::{CallLabels, Metrics};

use super::error::{self, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a read is tried before its failure is reported.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A longer `Retry-After` is the caller's to wait for, not a connection's.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// GitLab's largest page (contract section 5.4).
const PER_PAGE: usize = 100;
/// GitLab's number of the next page, empty on the last.
const NEXT_PAGE: &str = "x-next-page";
/// The longest answer that is read: GitLab's own diff limits keep the largest, a diff version, well below.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// The longest `Retry-After` that is believed: a proxy's slip must not leave a merge request alone for days.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// How many pages of one list are read at most: 20,000 entries.
const MOST_PAGES: usize = 200;

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL can't carry API paths.
    #[error("`gitlab.url` is `{0}`: give an address such as `https://gitlab.example.com`")]
    Url(String),
    /// The token has characters that no header can carry.
    #[error("`gitlab.token` has characters that no HTTP header can carry")]
    Token,
    /// The HTTP library refused.
    #[error("the HTTP client can't be built")]
    Http(#[source] reqwest::Error),
}

/// GitLab, as seen with one token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    metrics: Arc<Metrics>,
}

/// How many calls may still be made, by several readers at a time.
#[derive(Debug)]
pub struct CallAllowance(AtomicUsize);

impl CallAllowance {
    /// So many calls.
    pub fn new(calls: usize) -> Self {
        Self(AtomicUsize::new(calls))
    }

    fn take(&self) -> bool {
        let less = |calls: usize| calls.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// A value and the moment at which GitLab gave it, on GitLab's own clock (`Date`), to the second.
#[derive(Debug, Clone)]
pub struct Dated<T> {
    /// What GitLab gave.
    pub value: T,
    /// When, if the answer said so.
    pub date: Option<Timestamp>,
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

    /// Reads a list to its end by `Link: rel="next"`. What is cut short must not look whole: a `Link` that leads nowhere
    /// is an error, and where a proxy took all paging headers away, only a page that is not full is the last one.
    pub(super) async fn read_list<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        self.read_all(route, path, query, |page| page < PER_PAGE).await
    }

    /// Reads as much of a list as there may be calls, and says whether that is all of it.
    pub(super) async fn read_list_within<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        allowance: &CallAllowance,
    ) -> Result<(Vec<T>, bool), Error> {
        self.read_pages(route, path, query, |page| page < PER_PAGE, allowance).await
    }

    /// Reads a list of which GitLab may leave entries out of any page: only its own word says which page is the last.
    pub(super) async fn read_sparse_list<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        self.read_all(route, path, query, |_| false).await
    }

    async fn read_all<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        ends: impl Fn(usize) -> bool,
    ) -> Result<Vec<T>, Error> {
        let (all, complete) =
            self.read_pages(route, path, query, ends, &CallAllowance::new(MOST_PAGES)).await?;
        let reason = || format!("the list has more than {MOST_PAGES} pages");
        if complete { Ok(all) } else { Err(Error::Malformed { route, reason: reason() }) }
    }

    /// Reads pages to the last one, or as many as there may be, and says whether that is all; `ends` tells the last one by
    /// its length where no header does.
    async fn read_pages<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        ends: impl Fn(usize) -> bool,
        allowance: &CallAllowance,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut url = self.url(route, path)?;
        url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string()).extend_pairs(query);
        let first = url.clone();
        let mut all = Vec::new();
        let mut number = 1;
        while allowance.take() {
            let (headers, body) = self.fetch(route, &url).await?;
            let page: Vec<T> = parse(route, &body)?;
            let last = page.is_empty() || ends(page.len());
            all.extend(page);
            match next_page(&headers, &self.base) {
                Next::Page(next) => url = next,
                Next::Unsaid if !last => {
                    number += 1;
                    url = first.clone();
                    url.query_pairs_mut().append_pair("page", &number.to_string());
                }
                Next::None | Next::Unsaid => return Ok((all, true)),
                Next::Unreadable => {
                    let reason = "its `Link` to the next page can't be read".to_owned();
                    return Err(Error::Malformed { route, reason });
                }
            }
        }
        Ok((all, false))
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

    /// Reads the first page of a list, and says whether there is more.
    pub(super) async fn read_page<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(Vec<T>, bool), Error> {
        let mut url = self.url(route, path)?;
        url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string()).extend_pairs(query);
        let (headers, body) = self.fetch(route, &url).await?;
        let page: Vec<T> = parse(route, &body)?;
        let more = match next_page(&headers, &self.base) {
            Next::Page(_) | Next::Unreadable => true,
            Next::Unsaid => page.len() >= PER_PAGE,
            Next::None => false,
        };
        Ok((page, more))
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

    fn url(&self, route: &'static str, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| Error::Malformed { route, reason: error.to_string() })
    }

    async fn fetch(&self, route: &'static str, url: &Url) -> Result<(HeaderMap, Vec<u8>), Error> {
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

/// A good answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn must_be(&self, status: StatusCode, route: &'static str) -> Result<(), Error> {
        if self.status == status {
            return Ok(());
        }
        let reason = format!("{} is not {}", self.status.as_u16(), status.as_u16());
        Err(Error::Malformed { route, reason })
    }
}

/// Turns a status code into the kind of error that it means.
fn judge(route: &'static str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
    let retry_after = || {
        let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
    };
    let code = status.as_u16();
    match code {
        200..=299 => Ok(()),
        401 => Err(Error::Unauthorized { route }),
        403 => Err(Error::Forbidden { route }),
        404 => Err(Error::NotFound { route, message: error::message(body) }),
        409 => Err(Error::HeadMoved { head: error::head_in(&error::message(body)) }),
        429 => Err(Error::RateLimited { route, retry_after: retry_after() }),
        // 408 also stands on a connection that was closed for being idle, before our request was even sent.
        408 | 425 | 500.. => Err(Error::Unavailable { route, status: code, retry_after: retry_after() }),
        _ => Err(Error::Refused { route, status: code, message: error::message(body) }),
    }
}

/// Reads an answer; what can't be read is said with the field. Finding its name costs, so only what failed is read again.
fn parse<T: DeserializeOwned>(route: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let again = &mut serde_json::Deserializer::from_slice(body);
        let named = serde_path_to_error::deserialize::<_, T>(again).err();
        let reason = named.map_or_else(|| error.to_string(), |named| named.to_string());
        Error::Malformed { route, reason }
    })
}

/// What the headers say of a further page.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// There is one.
    Page(Url),
    /// There is none.
    None,
    /// There is one, and where can't be told.
    Unreadable,
    /// Nothing.
    Unsaid,
}

/// The next page: a `Link` must never lead the token elsewhere. Behind a proxy GitLab may name itself by another scheme
/// or host, so only the path and the query are taken from it.
fn next_page(headers: &HeaderMap, base: &Url) -> Next {
    // A proxy may add a `Link` of its own before GitLab's.
    let mut links =
        headers.get_all(LINK).iter().flat_map(|links| links.to_str().unwrap_or_default().split(", "));
    let next_number = headers.get(NEXT_PAGE);
    if let Some(next) = links.find(|link| link.contains("rel=\"next\"")) {
        return page_of(next, base).map_or(Next::Unreadable, Next::Page);
    }
    match next_number {
        Some(number) if !number.is_empty() => Next::Unreadable,
        None if !headers.contains_key(LINK) => Next::Unsaid,
        Some(_) | None => Next::None,
    }
}

fn page_of(link: &str, base: &Url) -> Option<Url> {
    let address = link.split_once('<')?.1.split_once('>')?.0;
    let named = Url::parse(address).ok()?;
    let at = named.path().find("/api/v4/")?;
    let mut url = base.join(named.path().get(at + "/api/v4/".len()..)?).ok()?;
    url.set_query(named.query());
    Some(url)
}

fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok()
}

fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else {
        "connection"
    }
}

/// The innermost cause, without the URL (it names a project).
fn reason_of(kind: &str, error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{kind} ({cause})")
}

/// Whether a URL leads to this very machine: a proxy of the environment would look for it on its own.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Half to one and a half times the pause, so that many callers do not come back at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_never_leads_to_another_host() {
        let base = Url::parse("http://gitlab.internal/git/api/v4/").unwrap();
        let mut headers = HeaderMap::new();
        let link = "<https://evil.example/api/v4/projects/1/versions?page=2>; rel=\"next\", <https://x/>; rel=\"last\"";
        headers.insert(LINK, HeaderValue::from_static(link));
        let Next::Page(next) = next_page(&headers, &base) else { panic!("no next page") };
        assert_eq!(next.as_str(), "http://gitlab.internal/git/api/v4/projects/1/versions?page=2");
    }

    #[test]
    fn a_gitlab_on_this_machine_is_told_from_others() {
        let here = |url: &str| is_this_machine(&Url::parse(url).unwrap());
        assert!(
            ["http://127.0.0.1:8080/", "http://[::1]/git", "http://localhost:3000/"].into_iter().all(here)
        );
        assert!(
            !["https://gitlab.example.com/", "http://10.0.0.5/", "http://localhost.example.com/"]
                .into_iter()
                .any(here)
        );
    }

    #[test]
    fn a_list_that_was_cut_short_does_not_look_whole() {
        let base = Url::parse("http://gitlab.internal/api/v4/").unwrap();
        let next = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            next_page(&headers, &base)
        };
        let first = ("link", "<http://gitlab.internal/api/v4/x?page=1>; rel=\"first\"");
        assert_eq!(next(&[first]), Next::None);
        assert_eq!(next(&[first, (NEXT_PAGE, "")]), Next::None);
        assert_eq!(next(&[(NEXT_PAGE, "")]), Next::None);
        assert_eq!(next(&[]), Next::Unsaid);
        assert_eq!(next(&[("link", "</x?page=2>; rel=\"next\"")]), Next::Unreadable);
        assert_eq!(next(&[("link", "<http://proxy/other?page=2>; rel=\"next\"")]), Next::Unreadable);
        assert_eq!(next(&[first, (NEXT_PAGE, "2")]), Next::Unreadable);
        let second = ("link", "<http://gitlab.internal/api/v4/x?page=2>; rel=\"next\"");
        let behind_another = next(&[("link", "</style.css>; rel=preload"), second]);
        assert_eq!(behind_another, Next::Page(base.join("x?page=2").unwrap()));
    }

    #[test]
    fn a_pause_of_days_is_not_believed() {
        let mut headers = HeaderMap::new();
        for (said, believed) in [("7", 7), ("86400", 600), ("18446744073709551615", 600)] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(said));
            let judged = judge("x", StatusCode::TOO_MANY_REQUESTS, &headers, b"");
            let pause = judged.unwrap_err().retry_after();
            assert_eq!(pause, Some(Duration::from_secs(believed)), "{said}");
        }
    }

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

    #[test]
    fn the_date_header_is_gitlabs_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(date_of(&headers), Some("1994-11-06T08:49:37Z".parse().unwrap()));
    }
}
