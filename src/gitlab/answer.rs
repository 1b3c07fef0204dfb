//! What GitLab answered: good or bad, dated, read as what the route gives.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::Url;

use super::circuit::Sign;
use super::error::{self, Error, Hold};
use super::window::ToldLimit;

/// The longest window that is believed: GitLab's are a minute, or an hour.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// The longest `Retry-After` that is believed: a proxy's slip must not leave a merge request alone for days.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// A value and the moment at which GitLab gave it, on GitLab's own clock (`Date`), to the second.
#[derive(Debug, Clone)]
pub struct Dated<T> {
    /// What GitLab gave.
    pub value: T,
    /// When, if the answer said so.
    pub date: Option<Timestamp>,
}

/// A good answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn must_be(&self, status: StatusCode, route: &'static str) -> Result<(), Error> {
        if self.status == status {
            return Ok(());
        }
        let reason = format!("{} is not {}", self.status.as_u16(), status.as_u16());
        Err(Error::Malformed { route, reason })
    }
}

/// Turns a status code into the kind of error that it means. `url` is what was called.
pub(super) fn judge(
    route: &'static str,
    url: &Url,
    (status, headers, body): (StatusCode, &HeaderMap, &[u8]),
) -> Result<(), Error> {
    let retry_after = || {
        let seconds = text(headers, RETRY_AFTER.as_str())?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
    };
    let code = status.as_u16();
    match code {
        200..=299 => Ok(()),
        301 | 302 | 303 | 307 | 308 => {
            let location = text(headers, LOCATION.as_str());
            Err(Error::Redirected { route, status: code, to: location.and_then(|to| url.join(to).ok()) })
        }
        401 => Err(Error::Unauthorized { route }),
        403 => Err(Error::Forbidden { route }),
        404 => Err(Error::NotFound { route, message: error::message(body) }),
        409 => Err(Error::HeadMoved { head: error::head_in(&error::message(body)) }),
        429 => {
            let hold = if is_of_route(headers, body) { Hold::Route } else { Hold::Limit };
            Err(Error::RateLimited { route, hold, retry_after: retry_after() })
        }
        // What is asked in clear is refused by a proxy so, and GitLab never heard of it: as where there is no tunnel.
        407 => {
            let reason = "the proxy does not know us (407)".to_owned();
            Err(Error::NoAnswer { route, reason })
        }
        // 408 also stands on a connection that was closed for being idle, before our request was even sent.
        408 | 425 | 500.. => Err(Error::Unavailable { route, status: code, retry_after: retry_after() }),
        _ => Err(Error::Refused { route, status: code, message: error::message(body) }),
    }
}

/// What an answer says of GitLab itself. A 500 is of that one call; a page for people comes from what stands before GitLab,
/// whose API has none, but for a file that is read raw.
pub(super) fn sign_of(route: &'static str, status: StatusCode, headers: &HeaderMap) -> Sign {
    let is_page = text(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"));
    match status.as_u16() {
        407 | 502..=504 => Sign::Down,
        500.. if is_page => Sign::Down,
        200..=299 if is_page && !route.ends_with("/raw") => Sign::Down,
        408 | 425 | 500.. => Sign::Unclear,
        _ if is_page => Sign::Unclear,
        _ => Sign::Alive,
    }
}

/// What an answer says of the rate limit (contract section 5.4).
pub(super) fn told_limit(headers: &HeaderMap) -> Option<ToldLimit> {
    let number = |name| text(headers, name)?.trim().parse::<u64>().ok();
    let limit = number("ratelimit-limit").filter(|limit| *limit > 0)?;
    let remaining = number("ratelimit-remaining")?;
    let observed = number("ratelimit-observed").unwrap_or(0).max(limit.saturating_sub(remaining));
    let window = number("ratelimit-reset")?;
    let resets_at = Timestamp::from_second(i64::try_from(window).ok()?).ok()?;
    let resets_in = Duration::try_from(resets_at.duration_since(date_of(headers)?)).unwrap_or_default();
    let name = text(headers, "ratelimit-name").unwrap_or_default().to_owned();
    Some(ToldLimit { name, limit, observed, window, resets_in: resets_in.min(LONGEST_WINDOW) })
}

/// Whether a 429 is of one route: an application's limit says so in JSON, and never for how long (contract section 5.4).
fn is_of_route(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_json = serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| body.is_object());
    is_json && !headers.contains_key(RETRY_AFTER) && !headers.contains_key("ratelimit-resettime")
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads an answer; what can't be read is said with the field. Finding its name costs, so only what failed is read again.
pub(super) fn parse<T: DeserializeOwned>(route: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let again = &mut serde_json::Deserializer::from_slice(body);
        let named = serde_path_to_error::deserialize::<_, T>(again).err();
        let reason = named.map_or_else(|| error.to_string(), |named| named.to_string());
        Error::Malformed { route, reason }
    })
}

pub(super) fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text(headers, DATE.as_str())?).ok()
}

pub(super) fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else {
        "connection"
    }
}

/// The innermost cause, without the URL (it names a project).
pub(super) fn reason_of(kind: &str, error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{kind} ({cause})")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_pause_of_days_is_not_believed() {
        let mut headers = HeaderMap::new();
        for (said, believed) in [("7", 7), ("86400", 600), ("18446744073709551615", 600)] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(said));
            let answer = (StatusCode::TOO_MANY_REQUESTS, &headers, b"".as_slice());
            let judged = judge("x", &Url::parse("http://gitlab.internal/").unwrap(), answer);
            let pause = judged.unwrap_err().retry_after();
            assert_eq!(pause, Some(Duration::from_secs(believed)), "{said}");
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn gitlab_is_told_from_what_stands_before_it() {
        let sign = |route, status, kind| {
            sign_of(route, StatusCode::from_u16(status).unwrap(), &headers(&[("content-type", kind)]))
        };
        for (status, kind, expected) in [
            (200, "application/json", Sign::Alive),
            (404, "application/json", Sign::Alive),
            (429, "text/plain", Sign::Alive),
            (200, "text/html; charset=utf-8", Sign::Down),
            (403, "text/html", Sign::Unclear),
            (407, "text/html", Sign::Down),
            (500, "application/json", Sign::Unclear),
            (500, "text/html", Sign::Down),
            (502, "application/json", Sign::Down),
            (503, "text/plain", Sign::Down),
            (408, "text/plain", Sign::Unclear),
        ] {
            assert_eq!(sign("GET /x", status, kind), expected, "{status} {kind}");
        }
        assert_eq!(sign("GET /files/:path/raw", 200, "text/html"), Sign::Unclear);
    }

    #[test]
    fn the_two_limits_are_told_apart_and_read() {
        let user = headers(&[
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("ratelimit-limit", "2000"),
            ("ratelimit-name", "throttle_authenticated_api"),
            ("ratelimit-observed", "2001"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "784111800"),
            ("retry-after", "23"),
        ]);
        let resets_in = Duration::from_secs(23);
        let name = "throttle_authenticated_api".to_owned();
        let told = ToldLimit { name, limit: 2000, observed: 2001, window: 784_111_800, resets_in };
        assert_eq!(told_limit(&user), Some(told));
        assert!(!is_of_route(&user, b"Retry later\n"));
        assert!(is_of_route(&HeaderMap::new(), br#"{"message":{"error":"too many times"}}"#));
        assert!(!is_of_route(&HeaderMap::new(), b"Retry later\n"));
        assert_eq!(told_limit(&HeaderMap::new()), None);
    }

    #[test]
    fn the_date_header_is_gitlabs_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(date_of(&headers), Some("1994-11-06T08:49:37Z".parse().unwrap()));
    }
}
