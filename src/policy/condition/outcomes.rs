//! What `jobs` and `commit_statuses` ask of things that have a name and a status, and what a status means, for `pipeline` too.
//!
//! A pattern is met when something has such a name and all that have it ended as allowed. What is missing is told from what
//! has failed: it may still come, so it never passes, and how long it is waited for is the condition's own affair.

use jiff::{SignedDuration, Timestamp};

use super::vocabulary::TEXTS;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::Truth;
use crate::policy::finding::{Finding, Stop, both};
use crate::policy::pattern::Wildcard;
use crate::policy::view::View;
use crate::schema::{Key, Shape};

/// Statuses at which a job or a status stays; anything else is not done yet.
const STATUSES: &[&str] = &["success", "failed", "canceled", "skipped", "manual"];
const STATUS: Shape = Shape::Choice(STATUSES);
const STATUS_LIST: Shape = Shape::List(&STATUS);
/// How long what is asked for may take to appear.
pub(super) const MISSING_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How many faults a sentence names.
const SHOWN: usize = 5;

/// The keys that say all this.
pub(super) const KEYS: &[Key] = &[
    Key::new("all", TEXTS, "Each of these names is there and ended so; `*` stands for any characters."),
    Key::new("any", TEXTS, "At least one of these names is there and ended so."),
    Key::new("status", Shape::OneOf(&[STATUS, STATUS_LIST]), "One of these statuses is enough (success)."),
    Key::new("if_present", Shape::Flag, "Whether what is not there does not matter (false)."),
    Key::new("missing_after", Shape::Duration, "How long after a push it may be missing (10m)."),
];

/// Which names must have which statuses.
#[derive(Debug, Clone)]
pub(super) struct Outcomes {
    all: Vec<Wildcard>,
    any: Vec<Wildcard>,
    pub(super) allowed: Vec<String>,
    pub(super) if_present: bool,
    missing_after: SignedDuration,
}

/// Something with a name and a status.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) status: &'a str,
}

/// Whether there was time enough for something to appear.
pub(super) enum Patience {
    /// Not yet: until then, if that is within the calendar.
    Until(Option<Timestamp>),
    /// There was.
    Over,
}

impl Patience {
    /// With what may take so long after the push to appear.
    pub(super) fn since_push(missing_after: SignedDuration, view: &View<'_>) -> Result<Self, Stop> {
        let (now, version) = both(view.now(), view.newest_version())?;
        Ok(match version.created_at.checked_add(missing_after).ok() {
            Some(expected_by) if now >= expected_by => Self::Over,
            expected_by => Self::Until(expected_by),
        })
    }
}

/// What a status comes to where some are allowed: a word that is none of GitLab's final ones is not done yet.
pub(super) fn status_truth(status: &str, allowed: &[String]) -> Truth {
    match status {
        _ if !STATUSES.contains(&status) => Truth::Unsettled,
        _ if allowed.iter().any(|allowed| allowed == status) => Truth::True,
        // Somebody has to start it.
        "manual" => Truth::Waiting,
        _ => Truth::Violated,
    }
}

/// What a pattern comes to; no truth if it is left out because nothing has such a name.
struct Part {
    truth: Option<Truth>,
    faults: Vec<(Truth, String)>,
}

impl Outcomes {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        if !node.entries().is_empty() && node.get("all").or(node.get("any")).is_none() {
            builder.notes.error(&node.span, "no name is given", "write `all: […]` or `any: […]`");
        }
        let texts =
            |key| node.get(key).map(Node::all_words).unwrap_or_default().into_iter().map(|words| words.text);
        let allowed: Vec<_> = texts("status").map(str::to_owned).collect();
        let outcomes = Self {
            all: texts("all").map(Wildcard::new).collect(),
            any: texts("any").map(Wildcard::new).collect(),
            allowed: if allowed.is_empty() { vec!["success".to_owned()] } else { allowed },
            if_present: node.get("if_present").and_then(Node::flag).unwrap_or_default(),
            missing_after: node.get("missing_after").and_then(Node::duration).unwrap_or(MISSING_AFTER),
        };
        (!outcomes.names().is_empty()).then_some(outcomes)
    }

    /// Every pattern.
    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().chain(&self.any).map(|pattern| pattern.as_str().to_owned()).collect()
    }

    /// Whether a pattern has nothing that it fits.
    pub(super) fn misses_something(&self, found: &[Named<'_>]) -> bool {
        let mut patterns = self.all.iter().chain(&self.any);
        patterns.any(|pattern| !found.iter().any(|named| pattern.matches(named.name)))
    }

    /// Whether there was time enough since the push for what is missing.
    pub(super) fn patience(&self, view: &View<'_>) -> Result<Patience, Stop> {
        Patience::since_push(self.missing_after, view)
    }

    /// What they come to; a pattern without anything that it fits comes to `missing`, which is true where that is fine.
    pub(super) fn judge(&self, condition: &str, what: &str, found: &[Named<'_>], missing: Truth) -> Finding {
        let part = |pattern: &Wildcard| self.part(what, pattern, found, missing);
        let (all, any): (Vec<_>, Vec<_>) =
            (self.all.iter().map(part).collect(), self.any.iter().map(part).collect());
        let mut alternatives = any.iter().filter_map(|part| part.truth).peekable();
        let one_of_them = if alternatives.peek().is_none() { Truth::True } else { Truth::any(alternatives) };
        let truth = Truth::all(all.iter().filter_map(|part| part.truth).chain([one_of_them]));
        if truth == Truth::True {
            return Finding::new(condition, truth, self.held(what, found));
        }
        let any = any.iter().filter(|_| one_of_them != Truth::True);
        let faults = all.iter().chain(any).flat_map(|part| &part.faults);
        let faults: Vec<_> = faults.filter(|fault| fault.0 == truth).map(|fault| fault.1.as_str()).collect();
        let more = faults.len().checked_sub(SHOWN).filter(|more| *more > 0);
        let more = more.map(|more| format!("and {more} more"));
        let shown = faults.iter().take(SHOWN).map(|fault| (*fault).to_owned());
        let sentence = shown.chain(more).collect::<Vec<_>>().join(", ");
        Finding::new(condition, truth, sentence)
    }

    fn part(&self, what: &str, pattern: &Wildcard, found: &[Named<'_>], missing: Truth) -> Part {
        let fitting: Vec<_> = found.iter().filter(|named| pattern.matches(named.name)).collect();
        if fitting.is_empty() {
            let yet = if missing == Truth::Unsettled { " yet" } else { "" };
            let fault = (missing, format!("there is no {what} `{}`{yet}", pattern.as_str()));
            return Part { truth: Some(missing).filter(|truth| *truth != Truth::True), faults: vec![fault] };
        }
        let truths = fitting.iter().map(|named| self.truth_of(named.status));
        let faults =
            fitting.iter().map(|named| (self.truth_of(named.status), self.fault(what, named))).collect();
        Part { truth: Some(Truth::all(truths)), faults }
    }

    fn truth_of(&self, status: &str) -> Truth {
        status_truth(status, &self.allowed)
    }

    fn fault(&self, what: &str, named: &Named<'_>) -> String {
        let Named { name, status } = named;
        match self.truth_of(status) {
            Truth::Waiting => format!("the {what} `{name}` waits for somebody to start it"),
            Truth::Unsettled | Truth::Unknown { .. } => {
                format!("the {what} `{name}` is not done: `{status}`")
            }
            Truth::True | Truth::Violated => {
                format!("the {what} `{name}` ended as `{status}`, not as {}", alternatives(&self.allowed))
            }
        }
    }

    fn held(&self, what: &str, found: &[Named<'_>]) -> String {
        let good = |named: &&Named<'_>| {
            let mut patterns = self.all.iter().chain(&self.any);
            self.truth_of(named.status) == Truth::True && patterns.any(|pattern| pattern.matches(named.name))
        };
        let good: Vec<_> = found.iter().filter(good).map(|named| format!("`{}`", named.name)).collect();
        match good.len().checked_sub(SHOWN) {
            _ if good.is_empty() => format!("there is no {what} {}", alternatives(&self.names())),
            Some(more) if more > 0 => {
                let shown = good.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                format!("{shown} and {more} more ended as {}", alternatives(&self.allowed))
            }
            _ => format!("{} ended as {}", good.join(", "), alternatives(&self.allowed)),
        }
    }
}
