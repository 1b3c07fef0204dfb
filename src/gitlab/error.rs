//! What can go wrong between us and GitLab, in kinds that a caller can act on.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::merge_request::CommitSha;

/// Why a call is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// GitLab is down.
    Down,
    /// So many calls are not granted to us.
    Limit,
    /// So many calls of this route are not.
    Route,
}

impl Hold {
    /// The word of the metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Limit => "limit",
            Self::Route => "route",
        }
    }
}

/// A call that gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// 401: the token is wrong or expired, or (on status check routes) the project has no Ultimate licence.
    #[error(
        "GitLab answered 401 to {route}: the token is not accepted, or external status checks are not licensed"
    )]
    Unauthorized {
        /// The route's template.
        route: &'static str,
    },
    /// 403: the token's role or scope does not suffice.
    #[error("GitLab answered 403 to {route}: the token's role or scope does not suffice")]
    Forbidden {
        /// The route's template.
        route: &'static str,
    },
    /// 404: absent, or hidden from the token. GitLab does not tell which.
    #[error("GitLab answered 404 to {route}: absent, or hidden from the token")]
    NotFound {
        /// The route's template.
        route: &'static str,
        /// GitLab's words, clipped: mostly what was not found.
        message: String,
    },
    /// 409 to an answer: the head has moved (contract section 1.3).
    #[error("the head of the source branch has moved")]
    HeadMoved {
        /// The present head, when the body names it.
        head: Option<CommitSha>,
    },
    /// 429: too many calls.
    #[error("GitLab answered 429 to {route}: too many calls")]
    RateLimited {
        /// The route's template.
        route: &'static str,
        /// What it is about: all calls, or those of the route.
        hold: Hold,
        /// When GitLab would like to hear from us again, if it says so.
        retry_after: Option<Duration>,
    },
    /// Not called at all: GitLab is down or has heard enough from us.
    #[error("{route} is held back: {}", match .hold {
        Hold::Down => "GitLab is down",
        Hold::Limit => "no more calls are granted for now",
        Hold::Route => "no more calls of this kind are granted for now",
    })]
    HeldBack {
        /// The route's template.
        route: &'static str,
        /// Why.
        hold: Hold,
        /// For how long at least.
        wait: Duration,
    },
    /// A redirect that is not followed: the token goes nowhere else, and what is written is written once.
    #[error(
        "GitLab answered {status} to {route}, which leads to {}: that is not followed",
        .to.as_ref().map_or_else(|| "nowhere".to_owned(), |to| to.origin().ascii_serialization())
    )]
    Redirected {
        /// The route's template.
        route: &'static str,
        /// The status code.
        status: u16,
        /// Where it leads, if that can be read.
        to: Option<Url>,
    },
    /// Another 3xx or 4xx.
    #[error("GitLab answered {status} to {route}: {message}")]
    Refused {
        /// The route's template.
        route: &'static str,
        /// The status code.
        status: u16,
        /// GitLab's words, clipped.
        message: String,
    },
    /// 5xx, from GitLab or a proxy before it; 408 and 425, by which either asks for the same once more.
    #[error("GitLab answered {status} to {route}")]
    Unavailable {
        /// The route's template.
        route: &'static str,
        /// The status code.
        status: u16,
        /// When to try again, if it says so.
        retry_after: Option<Duration>,
    },
    /// No answer: time-out, reset, refused, TLS, DNS, a proxy that does not let us through.
    #[error("no answer from GitLab to {route}: {reason}")]
    NoAnswer {
        /// The route's template.
        route: &'static str,
        /// What happened, without the URL.
        reason: String,
    },
    /// An answer that does not read as what the route gives.
    #[error("GitLab's answer to {route} can't be read: {reason}")]
    Malformed {
        /// The route's template.
        route: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody mending anything.
    pub fn is_curable(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Redirected { .. }
            | Self::Refused { .. } => false,
            Self::HeadMoved { .. }
            | Self::HeldBack { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::NoAnswer { .. }
            | Self::Malformed { .. } => true,
        }
    }

    /// Whether the call got no answer for no other reason than that all calls have to wait.
    pub(super) fn is_of_all_calls(&self) -> bool {
        matches!(self, Self::RateLimited { hold, .. } | Self::HeldBack { hold, .. } if *hold != Hold::Route)
    }

    /// Whether GitLab may not be there at all. A plain 500 is of the one call: where a merge request gives it, it always does.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::Unavailable { status: 502..=504, .. })
    }

    /// Whether a write that ended so may have taken effect all the same.
    pub fn is_unclear(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoAnswer { .. } | Self::Malformed { .. })
    }

    /// When GitLab would like to hear from us again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::HeldBack { wait, .. } => Some(*wait),
            _ => None,
        }
    }
}

/// The words of an error body, in either of GitLab's envelopes (contract section 1.3), else its first characters.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        message: Option<serde_json::Value>,
        error: Option<serde_json::Value>,
    }
    let words = serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| {
        let value = envelope.message.or(envelope.error)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    let words = words.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    words.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// The present head in a 409's words: the last of them.
pub(super) fn head_in(message: &str) -> Option<CommitSha> {
    message.split_whitespace().next_back().and_then(|word| CommitSha::parse(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_envelopes_and_html_give_words() {
        assert_eq!(message(br#"{"message":"404 Not found"}"#), "404 Not found");
        assert_eq!(message(br#"{"error":"sha is missing"}"#), "sha is missing");
        assert_eq!(message(br#"{"message":{"error":"later"}}"#), r#"{"error":"later"}"#);
        assert_eq!(message(b"<html>\n502</html>"), "<html>502</html>");
    }

    #[test]
    fn a_409_names_the_present_head() {
        let head = "b".repeat(40);
        let words = format!("SHA does not match HEAD of source branch: {head}");
        assert_eq!(head_in(&words).map(|sha| sha.to_string()), Some(head));
        assert_eq!(head_in("SHA does not match"), None);
    }
}
