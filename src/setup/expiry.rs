//! Tokens that expire: how long ours is still good, told days ahead.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::finding::Finding;
use super::wording::moment;
use crate::clock::Clock;
use crate::gitlab::{Client, Error};
use crate::merge_request::UserId;
use crate::telemetry::Metrics;

/// How often the token is looked at.
const LOOK: Duration = Duration::from_hours(24);
/// How soon again, where GitLab did not tell.
const AGAIN: Duration = Duration::from_mins(10);
/// With so many days left the log tells it, once each.
const TOLD_AT: [i64; 5] = [30, 14, 7, 3, 1];
/// With fewer days left the doctor warns, and calls it wrong.
const WARNED: i64 = 14;
const WRONG: i64 = 3;
const TOPIC: &str = "token-expiry";
const REMEDY: &str = "make a new token, and put it where `gitlab.token_file` says";

/// What the doctor says of it.
pub(super) fn examine(expires_at: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(expires_at) = expires_at else { return Finding::fine(TOPIC, "token", "it does not expire") };
    let left = days_left(expires_at, now);
    let what = format!("it expires {}, on {}", in_days(left), moment(expires_at));
    match left {
        _ if left < WRONG => Finding::wrong(TOPIC, "token", what, REMEDY),
        _ if left < WARNED => Finding::warning(TOPIC, "token", what, REMEDY),
        _ => Finding::fine(TOPIC, "token", what),
    }
}

/// Looks at the token now, daily, and when it was replaced, for ever: the metric says until when it is good, the log warns.
/// Looks again when GitLab tells that the token of its user will expire; of others' tokens GitLab is not asked.
pub async fn watch(
    gitlab: Client,
    clock: Clock,
    metrics: Arc<Metrics>,
    mut expiring: mpsc::Receiver<UserId>,
) {
    let mut warning = Warning::default();
    let mut own = None;
    let mut is_told = false;
    let mut replaced = gitlab.token_replaced();
    loop {
        let next = match gitlab.own_token().await {
            Ok(token) => {
                own = token.as_ref().and_then(|token| token.user).or(own);
                let expires_at = token.and_then(|token| token.expires_at);
                metrics.tell_token_expiry(expires_at);
                let due = warning.due(expires_at, clock.now());
                let told = expires_at.filter(|_| is_told).map(|at| days_left(at, clock.now()));
                if let Some(left) = due.or(told) {
                    tracing::warn!(days = left, "GitLab's token expires {}: {REMEDY}", in_days(left));
                }
                LOOK
            }
            Err(error @ Error::Unauthorized { .. }) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "GitLab does not accept the token: {REMEDY}");
                AGAIN
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the token could not be looked at");
                AGAIN
            }
        };
        is_told = tokio::select! {
            () = tokio::time::sleep(next) => false,
            () = told_of(&mut expiring, own) => true,
            // The sender lives in `gitlab`.
            _ = replaced.changed() => false,
        };
    }
}

/// Waits until GitLab tells of a token that may be our own: its user's, or anybody's where it is not known whose ours is.
async fn told_of(expiring: &mut mpsc::Receiver<UserId>, own: Option<UserId>) {
    while let Some(user) = expiring.recv().await {
        if own.is_none_or(|own| own == user) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Which of the marks was told last.
#[derive(Debug, Default)]
struct Warning {
    told: Option<i64>,
}

impl Warning {
    /// How many days are left, if that is to be told now: once at each mark.
    fn due(&mut self, expires_at: Option<Timestamp>, now: Timestamp) -> Option<i64> {
        let left = days_left(expires_at?, now);
        let mark = TOLD_AT.into_iter().rfind(|mark| left <= *mark);
        if mark == self.told {
            return None;
        }
        self.told = mark;
        mark.map(|_| left)
    }
}

/// Whole days; below zero once it is over.
fn days_left(expires_at: Timestamp, now: Timestamp) -> i64 {
    expires_at.duration_since(now).as_secs().div_euclid(SignedDuration::from_hours(24).as_secs())
}

fn in_days(left: i64) -> String {
    match left {
        ..0 => "no more: it has expired".to_owned(),
        0 => "within a day".to_owned(),
        1 => "in a day".to_owned(),
        _ => format!("in {left} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::finding::Severity;

    fn after(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn the_doctor_warns_two_weeks_ahead_and_calls_three_days_wrong() {
        for (days, severity) in [
            (365, Severity::Fine),
            (14, Severity::Fine),
            (13, Severity::Warning),
            (3, Severity::Warning),
            (2, Severity::Wrong),
            (0, Severity::Wrong),
            (-5, Severity::Wrong),
        ] {
            let finding = examine(Some(after(days)), Timestamp::UNIX_EPOCH);
            assert_eq!(finding.severity(), severity, "{days}: {}", finding.what);
        }
        assert_eq!(examine(None, Timestamp::UNIX_EPOCH).severity(), Severity::Fine);
    }

    #[test]
    fn the_log_tells_each_mark_once_and_begins_anew_with_another_token() {
        let expires_at = Some(after(40));
        let mut warning = Warning::default();
        let told: Vec<_> = (0..45).filter_map(|day| warning.due(expires_at, after(day))).collect();
        assert_eq!(told, [30, 14, 7, 3, 1]);
        assert_eq!(warning.due(Some(after(400)), after(41)), None, "there is a new token");
        assert_eq!(warning.due(Some(after(400)), after(380)), Some(20));
        assert_eq!(warning.due(None, after(380)), None, "it does not expire");
    }
}
