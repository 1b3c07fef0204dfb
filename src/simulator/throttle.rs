//! The rate limit per user and period, and the `RateLimit-*` headers that every answer carries while there is one: a
//! self-managed GitLab has none until its administrator turns it on.

use super::api::{Answer, Body};
use super::clock::http_time;
use super::world::{RateLimit, World};
use crate::merge_request::UserId;

/// How much of a period's calls a user has made.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    limit: RateLimit,
    observed: u64,
    now: i64,
}

impl World {
    /// Counts a call; none for a token that nobody has, or without a limit.
    pub(super) fn allow(&mut self, token: Option<&str>) -> Option<Allowance> {
        let user = self.tokens.get(token?)?.user;
        self.spend(user, 1)
    }

    /// Counts calls of a user.
    pub(super) fn spend(&mut self, user: UserId, calls: u64) -> Option<Allowance> {
        let now = self.clock.now().as_second();
        // What was made before there was a limit counts by the minute.
        let period = now.div_euclid(self.rate_limit.map_or(60, |limit| limit.period));
        let count = self.observed.entry(user).or_insert((period, 0));
        if count.0 != period {
            *count = (period, 0);
        }
        count.1 = count.1.saturating_add(calls);
        let observed = count.1;
        self.rate_limit.map(|limit| Allowance { limit, observed, now })
    }
}

impl Allowance {
    fn reset(&self) -> i64 {
        (self.now.div_euclid(self.limit.period) + 1) * self.limit.period
    }

    /// 429, if the limit is reached.
    pub(super) fn refusal(&self) -> Option<Answer> {
        let over = self.observed > self.limit.calls;
        let body = Body::Bytes("text/plain", b"Retry later\n".to_vec());
        let wait = (self.reset() - self.now).to_string();
        let time = jiff::Timestamp::from_second(self.reset()).map(http_time).unwrap_or_default();
        let headers = vec![("Retry-After", wait), ("RateLimit-ResetTime", time)];
        over.then_some(Answer { status: 429, headers, body })
    }

    /// The headers of every answer.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        vec![
            header("RateLimit-Limit", self.limit.calls.to_string()),
            header("RateLimit-Name", "throttle_authenticated_api".to_owned()),
            header("RateLimit-Observed", self.observed.to_string()),
            header("RateLimit-Remaining", self.limit.calls.saturating_sub(self.observed).to_string()),
            header("RateLimit-Reset", self.reset().to_string()),
        ]
    }
}
