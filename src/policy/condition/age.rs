//! `age`: how long ago the merge request was opened or pushed to.
//!
//! Runs from GitLab's own instants, never from commit dates, which anybody can write. Waiting while it is too young,
//! and the finding says when that ends; violated once it is too old, for only a push mends that.

use jiff::{SignedDuration, Timestamp};

use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::duration::render;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::finding::{Finding, Stop, both, earliest};
use crate::policy::view::View;

/// How old it must and may be.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Age {
    since: Since,
    at_least: Option<SignedDuration>,
    at_most: Option<SignedDuration>,
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Opened,
    LastPush,
}

impl Age {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bound = |key| node.get(key).and_then(Node::duration);
        let (at_least, at_most) = (bound("at_least"), bound("at_most"));
        if node.get("at_least").or(node.get("at_most")).is_none() && node.get("since").is_some() {
            builder.notes.error(&node.span, "no bound is given", "write `at_least` or `at_most`");
        }
        if let (Some(least), Some(most)) = (at_least, at_most)
            && least > most
        {
            builder.notes.error(
                &node.span,
                format!("nothing is at least {} and at most {} old", render(least), render(most)),
                "the shorter time belongs to `at_least`",
            );
        }
        let since = match node.get("since")?.words()?.text {
            "opened" => Since::Opened,
            "last_push" => Since::LastPush,
            _ => return None,
        };
        (at_least.is_some() || at_most.is_some()).then_some(Self { since, at_least, at_most })
    }

    pub(super) fn evaluate(self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let opened = view.facts.merge_request.created_at;
        let (now, since) = match self.since {
            Since::Opened => (view.now()?, opened),
            Since::LastPush => {
                let (now, version) = both(view.now(), view.newest_version())?;
                (now, version.created_at)
            }
        };
        Ok(self.judge(now, since, wanted))
    }

    fn judge(self, now: Timestamp, since: Timestamp, wanted: bool) -> Finding {
        // An instant beyond the calendar never comes.
        let instant = |bound: Option<SignedDuration>| bound.and_then(|bound| since.checked_add(bound).ok());
        let (ripe_at, last_at) = (instant(self.at_least), instant(self.at_most));
        // At `last_at` itself it still holds, a second later it does not: GitLab's instants are no finer.
        let stale_at = last_at.and_then(|last| last.checked_add(SignedDuration::from_secs(1)).ok());
        let young = self.at_least.is_some() && ripe_at.is_none_or(|ripe| now < ripe);
        let old = stale_at.is_some_and(|stale| now >= stale);
        let truth = match (young, old) {
            (_, true) => Truth::Violated,
            (true, false) => Truth::Waiting,
            (false, false) => Truth::True,
        };
        let next = earliest(ripe_at.filter(|at| *at > now), stale_at.filter(|at| *at > now));
        let remedy = match (truth, wanted) {
            (Truth::Waiting, true) => ripe_at,
            (Truth::True, false) => stale_at,
            _ => None,
        };
        let event = match self.since {
            Since::Opened => "it was opened",
            Since::LastPush => "the last push was",
        };
        let ago = render(now.duration_since(since).max(SignedDuration::ZERO));
        Finding::new("age", truth, format!("{event} {ago} ago, required is {}", self.describe()))
            .recheck_at(next)
            .mended_by(wanted, remedy.map(|at| Remedy::WaitUntil { at }))
    }

    fn describe(self) -> String {
        let least = self.at_least.map(|least| format!("at least {}", render(least)));
        let most = self.at_most.map(|most| format!("at most {}", render(most)));
        least.into_iter().chain(most).collect::<Vec<_>>().join(" and ")
    }
}
