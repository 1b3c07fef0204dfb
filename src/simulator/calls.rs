//! Counts and lists every call of the API.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::pattern;
use crate::merge_request::UserId;

/// How a call ended, as the caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallOutcome {
    /// With this status.
    Answered(u16),
    /// The connection was reset.
    Reset,
    /// It has not ended.
    UnderWay,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// When it came.
    pub at: Timestamp,
    /// When it ended; none while it is under way, and for ever when the caller went away.
    pub ended_at: Option<Timestamp>,
    /// `GET /projects/:id/…`, or `unknown`.
    pub route: String,
    /// The method, path and query as they came.
    pub target: String,
    /// Who called, if the token was good.
    pub user: Option<UserId>,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// The route of a call that no route knows.
pub(super) const UNKNOWN: &str = "unknown";
/// So many calls are listed; all are counted.
const LISTED: usize = 200_000;

#[derive(Debug, Default)]
struct Book {
    listed: Vec<ApiCall>,
    counts: BTreeMap<String, BTreeMap<CallOutcome, u64>>,
    begun: BTreeMap<String, u64>,
    unknown: Vec<String>,
}

/// All calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    book: Mutex<Book>,
}

impl Calls {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call came.
    pub(super) fn begin(&self, at: Timestamp, route: &str, target: String) -> usize {
        let mut book = self.book();
        if route == UNKNOWN {
            book.unknown.push(target.clone());
        }
        if let Some(count) = book.begun.get_mut(route) {
            *count += 1;
        } else {
            book.begun.insert(route.to_owned(), 1);
        }
        let index = book.listed.len();
        if index < LISTED {
            let outcome = CallOutcome::UnderWay;
            book.listed.push(ApiCall {
                at,
                ended_at: None,
                route: route.to_owned(),
                target,
                user: None,
                outcome,
            });
        }
        index
    }

    /// It ended.
    pub(super) fn end(
        &self,
        at: Timestamp,
        index: usize,
        route: &str,
        user: Option<UserId>,
        outcome: CallOutcome,
    ) {
        let mut book = self.book();
        if let Some(call) = book.listed.get_mut(index) {
            call.ended_at = Some(at);
            call.user = user;
            call.outcome = outcome;
        }
        if let Some(outcomes) = book.counts.get_mut(route) {
            *outcomes.entry(outcome).or_default() += 1;
        } else {
            book.counts.insert(route.to_owned(), BTreeMap::from([(outcome, 1)]));
        }
    }

    /// The list, oldest first.
    pub(super) fn listed(&self) -> Vec<ApiCall> {
        self.book().listed.clone()
    }

    /// How often each route ended how.
    pub(super) fn counts(&self) -> BTreeMap<String, BTreeMap<CallOutcome, u64>> {
        self.book().counts.clone()
    }

    /// How many calls came to routes that fit, whether or not they have ended.
    pub(super) fn count(&self, route: &str) -> u64 {
        let book = self.book();
        book.begun.iter().filter(|(name, _)| pattern::fits(route, name)).map(|(_, count)| count).sum()
    }

    /// Calls that no route knows.
    pub(super) fn unknown(&self) -> Vec<String> {
        self.book().unknown.clone()
    }

    /// Forgets all of them.
    pub(super) fn forget(&self) {
        *self.book() = Book::default();
    }
}
