//! `vetoes`: who says no to the change, and has not taken it back.
//!
//! Waiting when there are too many: only the person who vetoed can take it back. Here doubt works against the change: an
//! old veto still stands after a push, and an author may veto, too. One that may have been edited, that is perhaps quoted,
//! too long to be kept, perhaps taken back, or of an account that is no longer active keeps the condition from being true, but
//! it does not make it false: it is unsettled, and waits for the same people. Taking one back needs what an approval
//! needs: words that nobody else can have written, after the last moment at which the veto can have been said.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bounds::{Bounds, Count};
use super::flaw::{Flaw, TOUCHED};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::methods::{APPROVAL, Method, REQUEST_CHANGES, Saying, VOTE, left_out};
use super::people::People;
use super::revocation::{Revoked, is_revoked};
use super::vocabulary::PEOPLE;
use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Unknown};
use crate::policy::finding::{Doubt, Finding, Stop, known, open_of_all, open_of_any};
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

const TOO_LONG: &str = "it is longer than 4 KiB, and that is more than is read of it";

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
    /// Whether the account can still be used: else nobody can take it back.
    is_active: bool,
    /// By which method, as a noun.
    method: String,
    /// The last moment at which it can have been said; none where GitLab tells that it stands now.
    said_by: Option<Timestamp>,
    /// Whether GitLab's word for it is not known.
    unclear: Option<Unknown>,
    /// Why nobody can rely on it, if so.
    doubt: Option<String>,
}

/// Whether a veto stands.
enum Standing {
    /// It does.
    Certain,
    /// It may, although all that was asked for is known.
    Doubtful(Doubt),
    /// Not known yet.
    Open(Stop),
}

/// Everybody whose veto may stand, by the plainest of their vetoes.
type Vetoing<'a> = BTreeMap<UserId, (Veto<'a>, Standing)>;

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
        let vetoes = comments.iter().filter_map(|comment| {
            let doubt = match Method::clearest(&self.by, comment) {
                Saying::Nothing => return None,
                Saying::Said => comment.may_be_edited().then(|| TOUCHED.to_owned()),
                Saying::Flawed(Flaw::Certain(why) | Flaw::Doubtful(why)) => Some(why),
                Saying::TooLong => Some(TOO_LONG.to_owned()),
            };
            Some(Veto {
                user: &comment.author,
                is_active: comment.is_active,
                method: "comment".to_owned(),
                said_by: Some(comment.updated_at),
                unclear: None,
                doubt,
            })
        });
        Ok(vetoes.collect())
    }

    fn awards<'a>(&self, view: &View<'a>) -> Result<Vec<Veto<'a>>, Stop> {
        let awards = known(view.facts.awards.as_ref(), FactKey::Awards)?;
        let vetoes =
            awards.iter().filter(|award| Method::any_is_emoji(&self.by, &award.name)).map(|award| Veto {
                user: &award.user,
                is_active: award.is_active,
                method: format!("emoji `{}`", award.name),
                said_by: Some(award.created_at),
                unclear: None,
                doubt: None,
            });
        Ok(vetoes.collect())
    }

    fn is_revoked(&self, veto: &Veto<'_>, view: &View<'_>) -> Result<Revoked, Stop> {
        match (veto.said_by, &veto.unclear) {
            (Some(said_by), _) => is_revoked(veto.user.id, said_by, &self.revoked_by, view),
            // What GitLab itself shows as standing stands: when it was said is not told.
            (None, None) => Ok(Revoked::No),
            (None, Some(unclear)) => Err(Stop::Unknown(unclear.clone())),
        }
    }

    /// Whether a veto stands; none where it surely does not.
    fn standing(&self, veto: &Veto<'_>, view: &View<'_>) -> Option<Standing> {
        if !veto.is_active {
            let (method, username) = (&veto.method, &veto.user.username);
            let why = "the account is no longer active, so nobody can take it back".to_owned();
            let what = format!(
                "delete the {method} by @{username}, or activate the account so that it can be taken back"
            );
            let doubt = Doubt { why, mend: Some(Remedy::AskOperator { what }) };
            return self.from.may_have_included(veto.user).then_some(Standing::Doubtful(doubt));
        }
        let doubt = |why: String| Standing::Doubtful(Doubt { why, mend: Some(self.revoke(veto)) });
        match (self.from.includes(veto.user, view), self.is_revoked(veto, view)) {
            (Ok(Membership::No), _) | (_, Ok(Revoked::Yes)) => None,
            (Ok(Membership::Yes(_)), Ok(revoked)) => Some(match &veto.doubt {
                Some(why) => doubt(why.clone()),
                None if revoked == Revoked::Perhaps => {
                    doubt("it may have been taken back, by what nobody can rely on".to_owned())
                }
                None => Standing::Certain,
            }),
            // Either may still be enough against it.
            (membership, revoked) => {
                open_of_any([membership.err(), revoked.err()].into_iter().flatten()).map(Standing::Open)
            }
        }
    }

    /// Who vetoes, and what is open about it.
    fn vetoing<'a>(&self, vetoes: &[Veto<'a>], view: &View<'a>) -> Vetoing<'a> {
        let mut vetoing: Vetoing<'a> = BTreeMap::new();
        for veto in vetoes {
            let Some(standing) = self.standing(veto, view) else { continue };
            let plainest = match (vetoing.remove(&veto.user.id), standing) {
                (Some((veto, Standing::Certain)), _) => (veto, Standing::Certain),
                // Of what is open about one person, everything is asked.
                (Some((_, Standing::Open(before))), Standing::Open(stop)) => {
                    let open = open_of_all([before.clone(), stop]).unwrap_or(before);
                    (veto.clone(), Standing::Open(open))
                }
                (Some((before, standing)), Standing::Doubtful(_)) => (before, standing),
                (_, standing) => (veto.clone(), standing),
            };
            vetoing.insert(veto.user.id, plainest);
        }
        vetoing
    }

    /// Whether few enough veto. A doubt alone leaves it unsettled; what could not be had goes before it wherever it could settle
    /// the matter.
    fn truth(&self, vetoing: &Vetoing<'_>, hidden: Option<&Unknown>) -> Result<Truth, Stop> {
        let (mut certain, mut doubtful, mut open) = (0, 0, 0);
        let mut stops: Vec<_> = hidden.into_iter().cloned().map(Stop::Unknown).collect();
        for (_, standing) in vetoing.values() {
            match standing {
                Standing::Certain => certain += 1,
                Standing::Doubtful(_) => doubtful += 1,
                Standing::Open(stop) => {
                    open += 1;
                    stops.push(stop.clone());
                }
            }
        }
        let bounds = Bounds { at_least: None, at_most: Some(self.at_most) };
        let holds = |low: u64, more: u64| {
            bounds.hold(Count { low, high: hidden.is_none().then_some(low.saturating_add(more)) })
        };
        match (holds(certain, doubtful + open), open_of_all(stops)) {
            (Some(true), _) => Ok(Truth::True),
            (Some(false), _) => Ok(Truth::Waiting),
            (None, Some(needs @ Stop::Needs(_))) => Err(needs),
            // Without those in doubt it holds, with them it does not, whatever the rest comes to.
            (None, _)
                if holds(certain, open) == Some(true) && holds(certain + doubtful, open) == Some(false) =>
            {
                Ok(Truth::Unsettled)
            }
            (None, Some(Stop::Unknown(Unknown { curable, .. }))) if hidden.is_none() => {
                Ok(Truth::Unknown { curable })
            }
            (None, Some(stop)) => Err(stop),
            // INVARIANT: the bounds differ because something is open or in doubt.
            (None, None) => Ok(Truth::Unsettled),
        }
    }

    fn finding(&self, vetoing: &Vetoing<'_>, truth: Truth, wanted: bool) -> Finding {
        let certain = || {
            vetoing
                .values()
                .filter(|(_, standing)| matches!(standing, Standing::Certain))
                .map(|(veto, _)| veto)
        };
        let names: Vec<_> =
            certain().map(|veto| format!("@{} by {}", veto.user.username, veto.method)).collect();
        let doubts = || {
            vetoing.values().filter_map(|(veto, standing)| match standing {
                Standing::Doubtful(doubt) => Some((veto, doubt)),
                Standing::Certain | Standing::Open(_) => None,
            })
        };
        let sentence = match names.as_slice() {
            [] => "nobody vetoes".to_owned(),
            [one] => format!("1 veto: {one}"),
            many => format!("{} vetoes: {}", many.len(), many.join(", ")),
        };
        let sentence = match truth {
            Truth::Waiting if self.at_most > 0 => format!("{sentence}; at most {} may stand", self.at_most),
            Truth::Unsettled => {
                let doubts: Vec<_> = doubts().map(|(veto, doubt)| in_doubt(veto, doubt)).collect();
                format!("{sentence} for certain; {}", doubts.join("; "))
            }
            _ => sentence,
        };
        let mut finding = Finding::new("vetoes", truth, sentence);
        finding.reason.parts = vetoing.values().filter_map(|(veto, standing)| part(veto, standing)).collect();
        let mut remedies: Vec<_> =
            if wanted { certain().map(|veto| self.revoke(veto)).collect() } else { Vec::new() };
        if truth.is_open() || wanted {
            remedies.extend(doubts().filter_map(|(_, doubt)| doubt.mend.clone()));
        }
        finding.mended_by(wanted, remedies)
    }

    fn revoke(&self, veto: &Veto<'_>) -> Remedy {
        Remedy::RevokeVeto { username: veto.user.username.clone(), by: self.ways_back(veto) }
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
        let vetoing = self.vetoing(&vetoes, view);
        let truth = self.truth(&vetoing, hidden.as_ref())?;
        Ok(self.finding(&vetoing, truth, wanted))
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
                is_active: true,
                method: Method::RequestChanges.noun().to_owned(),
                said_by: None,
                unclear: unclear.then_some(Unknown { why, curable: false }),
                doubt: None,
            }
        })
        .collect())
}

fn in_doubt(veto: &Veto<'_>, doubt: &Doubt) -> String {
    format!("the {} by @{} may be a veto that stands: {}", veto.method, veto.user.username, doubt.why)
}

/// A veto of which it is not known whether it counts, as a part of the tree of reasons.
fn part(veto: &Veto<'_>, standing: &Standing) -> Option<Reason> {
    let (truth, sentence) = match standing {
        Standing::Certain | Standing::Open(Stop::Needs(_)) => return None,
        // People make it plain.
        Standing::Doubtful(doubt) => (Truth::Waiting, in_doubt(veto, doubt)),
        Standing::Open(Stop::Unknown(Unknown { why, curable })) => {
            let (method, username) = (&veto.method, &veto.user.username);
            let sentence =
                format!("whether the {method} by @{username} is a veto that stands is not known: {why}");
            (Truth::Unknown { curable: *curable }, sentence)
        }
    };
    Some(Reason { condition: "veto".to_owned(), truth, sentence, parts: Vec::new() })
}

#[cfg(test)]
mod tests;
