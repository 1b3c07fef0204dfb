//! What GitLab answered: good or bad, dated, read as what the route gives.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::error::{self, Error};

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

/// Turns a status code into the kind of error that it means.
pub(super) fn judge(
    route: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Error> {
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
pub(super) fn parse<T: DeserializeOwned>(route: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let again = &mut serde_json::Deserializer::from_slice(body);
        let named = serde_path_to_error::deserialize::<_, T>(again).err();
        let reason = named.map_or_else(|| error.to_string(), |named| named.to_string());
        Error::Malformed { route, reason }
    })
}

pub(super) fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok()
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
            let judged = judge("x", StatusCode::TOO_MANY_REQUESTS, &headers, b"");
            let pause = judged.unwrap_err().retry_after();
            assert_eq!(pause, Some(Duration::from_secs(believed)), "{said}");
        }
    }

    #[test]
    fn the_date_header_is_gitlabs_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(date_of(&headers), Some("1994-11-06T08:49:37Z".parse().unwrap()));
    }
}
