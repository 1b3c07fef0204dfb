//! `vetoes`: who says no to the change, and has not taken it back.
//!
//! Waiting when there are too many: only the person who vetoed can take it back. Here doubt works against the change: an
//! old veto still stands after a push, so does one that may have been edited, and an author may veto, too. Taking one back
//! needs what an approval needs: words that nobody else can have written, after the last moment at which the veto can
//! have been said.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::methods::{APPROVAL, Method, REQUEST_CHANGES, Saying, VOTE, left_out};
use super::people::People;
use super::vocabulary::PEOPLE;
use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{Approval, Comment, FactKey, Family, Unknown};
use crate::policy::finding::{Finding, Stop, known, open_of_all, open_of_any};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Who vetoes.
pub(super) const VETOES: Kind = Kind {
    key: Key::new("vetoes", Shape::Mapping(&TABLE), "How many people say no and have not taken it back."),
    build: |node, builder| test(Vetoes::build(node, builder)),
    reads: &[Family::Reviewers, Family::Comments, Family::Emoji, Family::Approvals, Family::People],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "vetoes",
    doc: "Vetoes that stand.",
    hint: Some("write `vetoes: {at_most: 0}`, or `vetoes: {by: [request_changes, {comment: \"veto\"}]}`"),
    keys: &[
        Key::new("at_most", Shape::Number, "How many people may veto all the same (0)."),
        Key::new("from", Shape::Mapping(&PEOPLE), "Whose count (those with at least the role reporter)."),
        Key::new(
            "by",
            Shape::List(&Shape::OneOf(&[Shape::Choice(&[REQUEST_CHANGES]), Shape::Mapping(&VOTE)])),
            "How one can veto; each entry is enough (`[request_changes]`).",
        ),
        Key::new(
            "revoked_by",
            Shape::List(&Shape::OneOf(&[Shape::Choice(&[APPROVAL]), Shape::Mapping(&VOTE)])),
            "How one can take a comment or an emoji back beside deleting it (`[approval]`).",
        ),
    ],
};

/// The states of reviewers that GitLab knows, beside the one that is a veto.
const OTHER_STATES: [&str; 6] =
    ["unreviewed", "review_started", "reviewed", "approved", "unapproved", "re_requested"];

/// Whose vetoes must not stand.
#[derive(Debug, Clone)]
struct Vetoes {
    at_most: u64,
    from: People,
    by: Vec<Method>,
    revoked_by: Vec<Method>,
}

/// Somebody's no.
#[derive(Debug, Clone)]
struct Veto<'a> {
    user: &'a User,
    /// By which method, as a noun.
    method: String,
    /// The last moment at which it can have been said; none where GitLab tells that it stands now.
    said_by: Option<Timestamp>,
    /// Whether GitLab's word for it is not known.
    unclear: Option<Unknown>,
}

/// Everybody's vetoes that may stand.
type Standing<'a> = BTreeMap<UserId, (Veto<'a>, Option<Stop>)>;

impl Vetoes {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let from = match node.get("from") {
            Some(from) => People::build(from, builder),
            None => Some(People::with_role("reporter")),
        };
        let mut methods = |key: &str, otherwise| match node.get(key) {
            Some(methods) => Method::build_all(methods, builder),
            None => Some(vec![otherwise]),
        };
        let by = methods("by", Method::RequestChanges);
        let revoked_by = methods("revoked_by", Method::Approval);
        let at_most = match node.get("at_most") {
            Some(at_most) => at_most.number()?,
            None => 0,
        };
        Some(Self { at_most, from: from?, by: by?, revoked_by: revoked_by? })
    }

    /// Every veto that was said, and what could not be had of them; all ways are asked for at once.
    fn vetoes<'a>(&self, view: &View<'a>) -> Result<(Vec<Veto<'a>>, Option<Unknown>), Stop> {
        let (mut vetoes, mut stops) = (Vec::new(), Vec::new());
        let mut hear = |heard: Result<Vec<Veto<'a>>, Stop>| match heard {
            Ok(heard) => vetoes.extend(heard),
            Err(stop) => stops.push(stop),
        };
        if self.by.iter().any(|method| matches!(method, Method::RequestChanges)) {
            hear(requests(view));
        }
        if self.by.iter().any(Method::is_written) {
            hear(self.comments(view));
        }
        if self.by.iter().any(|method| matches!(method, Method::Emoji(_))) {
            hear(self.awards(view));
        }
        match open_of_all(stops) {
            None => Ok((vetoes, None)),
            // Anybody may have vetoed by what could not be had.
            Some(Stop::Unknown(hidden)) => Ok((vetoes, Some(hidden))),
            Some(needs @ Stop::Needs(_)) => Err(needs),
        }
    }

    fn comments<'a>(&self, view: &View<'a>) -> Result<Vec<Veto<'a>>, Stop> {
        let comments = known(view.facts.comments.as_ref(), FactKey::Comments)?;
        let vetoes = comments.iter().filter(|comment| says(&self.by, comment) != Saying::Nothing);
        Ok(vetoes
            .map(|comment| Veto {
                user: &comment.author,
                method: "comment".to_owned(),
                said_by: Some(comment.updated_at),
                unclear: None,
            })
            .collect())
    }

    fn awards<'a>(&self, view: &View<'a>) -> Result<Vec<Veto<'a>>, Stop> {
        let awards = known(view.facts.awards.as_ref(), FactKey::Awards)?;
        let vetoes = awards.iter().filter(|award| is_emoji(&self.by, &award.name)).map(|award| Veto {
            user: &award.user,
            method: format!("emoji `{}`", award.name),
            said_by: Some(award.created_at),
            unclear: None,
        });
        Ok(vetoes.collect())
    }

    /// Whether a veto was taken back.
    fn is_revoked(&self, veto: &Veto<'_>, view: &View<'_>) -> Result<bool, Stop> {
        // What GitLab itself shows as standing stands: when it was said is not told.
        let Some(said_by) = veto.said_by else {
            return veto.unclear.clone().map_or(Ok(false), |unclear| Err(Stop::Unknown(unclear)));
        };
        let (id, facts) = (veto.user.id, view.facts);
        let mut stops = Vec::new();
        let mut revoked = false;
        let mut hear = |heard: Result<bool, Stop>| match heard {
            Ok(heard) => revoked |= heard,
            Err(stop) => stops.push(stop),
        };
        if self.revoked_by.iter().any(|method| matches!(method, Method::Approval)) {
            let approvals = known(facts.approvals.as_ref(), FactKey::Approvals);
            hear(approvals.map(|approvals| {
                let by = |approval: &Approval| {
                    approval.user.id == id && approval.not_before.is_some_and(|given| given > said_by)
                };
                approvals.iter().any(by)
            }));
        }
        if self.revoked_by.iter().any(Method::is_written) {
            let comments = known(facts.comments.as_ref(), FactKey::Comments);
            hear(comments.map(|comments| {
                comments.iter().any(|comment| {
                    comment.author.id == id
                        && comment.created_at > said_by
                        && !comment.may_be_edited()
                        && says(&self.revoked_by, comment) == Saying::Said
                })
            }));
        }
        if self.revoked_by.iter().any(|method| matches!(method, Method::Emoji(_))) {
            let awards = known(facts.awards.as_ref(), FactKey::Awards);
            hear(awards.map(|awards| {
                awards.iter().any(|award| {
                    award.user.id == id
                        && award.created_at > said_by
                        && is_emoji(&self.revoked_by, &award.name)
                })
            }));
        }
        match open_of_any(stops) {
            _ if revoked => Ok(true),
            None => Ok(false),
            Some(stop) => Err(stop),
        }
    }

    /// Who vetoes, by the plainest of their vetoes, and what is open about it.
    fn standing<'a>(&self, vetoes: &[Veto<'a>], view: &View<'a>) -> Standing<'a> {
        let mut standing: Standing<'a> = BTreeMap::new();
        for veto in vetoes {
            let open = match (self.from.includes(veto.user, view), self.is_revoked(veto, view)) {
                (Ok(Membership::No), _) | (_, Ok(true)) => continue,
                (Ok(Membership::Yes(_)), Ok(false)) => None,
                // Either may still be enough against it.
                (membership, revoked) => open_of_any([membership.err(), revoked.err()].into_iter().flatten()),
            };
            let certain = standing.get(&veto.user.id).is_some_and(|(_, open)| open.is_none());
            if !certain {
                // Of what is open about one person, everything is asked.
                let before = standing.remove(&veto.user.id).and_then(|(_, before)| before);
                let open = open.and_then(|open| open_of_all(before.into_iter().chain([open])));
                standing.insert(veto.user.id, (veto.clone(), open));
            }
        }
        standing
    }

    fn finding(&self, standing: &Standing<'_>, truth: Truth, wanted: bool) -> Finding {
        let certain = || standing.values().filter(|(_, open)| open.is_none()).map(|(veto, _)| veto);
        let names: Vec<_> =
            certain().map(|veto| format!("@{} by {}", veto.user.username, veto.method)).collect();
        let sentence = match names.as_slice() {
            [] => "nobody vetoes".to_owned(),
            [one] => format!("1 veto: {one}"),
            many => format!("{} vetoes: {}", many.len(), many.join(", ")),
        };
        let sentence = match truth {
            Truth::Waiting if self.at_most > 0 => format!("{sentence}; at most {} may stand", self.at_most),
            _ => sentence,
        };
        let mut finding = Finding::new("vetoes", truth, sentence);
        finding.reason.parts =
            standing.values().filter_map(|(veto, open)| open_part(veto, open.as_ref())).collect();
        let revoke = certain().map(|veto| Remedy::RevokeVeto {
            username: veto.user.username.clone(),
            by: self.ways_back(veto),
        });
        let remedies: Vec<_> = if wanted { revoke.collect() } else { Vec::new() };
        finding.mended_by(wanted, remedies)
    }

    /// How a veto can be taken back, in words.
    fn ways_back(&self, veto: &Veto<'_>) -> Vec<String> {
        if veto.said_by.is_none() {
            return vec!["an approval, or another review".to_owned()];
        }
        let deleting = format!("deleting the {}", veto.method);
        [deleting].into_iter().chain(self.revoked_by.iter().map(Method::describe)).collect()
    }
}

impl Test for Vetoes {
    fn leaves_out(&self) -> Vec<Family> {
        left_out(self.by.iter().chain(&self.revoked_by))
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let (vetoes, hidden) = self.vetoes(view)?;
        let standing = self.standing(&vetoes, view);
        let certain = standing.values().filter(|(_, open)| open.is_none()).count() as u64;
        let count = Count { low: certain, high: hidden.is_none().then_some(standing.len() as u64) };
        let bounds = Bounds { at_least: None, at_most: Some(self.at_most) };
        let truth = match bounds.hold(count) {
            Some(true) => Truth::True,
            Some(false) => Truth::Waiting,
            None => {
                let open = standing.values().filter_map(|(_, open)| open.clone());
                match open_of_all(open.chain(hidden.clone().map(Stop::Unknown))) {
                    Some(Stop::Unknown(Unknown { curable, .. })) if hidden.is_none() => {
                        Truth::Unknown { curable }
                    }
                    Some(stop) => return Err(stop),
                    // INVARIANT: the bounds differ because something is open.
                    None => Truth::Unknown { curable: true },
                }
            }
        };
        Ok(self.finding(&standing, truth, wanted))
    }
}

/// Reviewers who ask for changes, and those in a state that is not known.
fn requests<'a>(view: &View<'a>) -> Result<Vec<Veto<'a>>, Stop> {
    let reviewers = known(view.facts.reviewers.as_ref(), FactKey::Reviewers)?;
    let vetoes = reviewers.iter().filter(|reviewer| !OTHER_STATES.contains(&reviewer.state.as_str()));
    Ok(vetoes
        .map(|reviewer| {
            let why = format!("`{}` is no state of a reviewer that is known here", reviewer.state);
            let unclear = reviewer.state != "requested_changes";
            Veto {
                user: &reviewer.user,
                method: Method::RequestChanges.noun().to_owned(),
                said_by: None,
                unclear: unclear.then_some(Unknown { why, curable: false }),
            }
        })
        .collect())
}

/// What a comment says by one of the methods: the clearest of it.
fn says(methods: &[Method], comment: &Comment) -> Saying {
    let sayings: Vec<_> = methods.iter().map(|method| method.read(comment)).collect();
    let clear = sayings.iter().position(|saying| *saying == Saying::Said);
    let clear = clear.or_else(|| sayings.iter().position(|saying| *saying != Saying::Nothing));
    clear.and_then(|at| sayings.into_iter().nth(at)).unwrap_or(Saying::Nothing)
}

fn is_emoji(methods: &[Method], name: &str) -> bool {
    methods.iter().any(|method| method.is_emoji(name))
}

/// A veto of which it is not known whether it counts, as a part of the tree of reasons.
fn open_part(veto: &Veto<'_>, open: Option<&Stop>) -> Option<Reason> {
    let Some(Stop::Unknown(Unknown { why, curable })) = open else { return None };
    let (method, username) = (&veto.method, &veto.user.username);
    Some(Reason {
        condition: "veto".to_owned(),
        truth: Truth::Unknown { curable: *curable },
        sentence: format!("whether the {method} by @{username} is a veto that stands is not known: {why}"),
        parts: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
