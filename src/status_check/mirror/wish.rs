//! What each mirror is to say of a merge request.

use crate::merge_request::CheckName;
use crate::status_check::settings::{Mirrors, StateLabels};
use crate::store::{KnownMirror, Mirror};

use super::account::{description, essence, note};
use super::standing::{CheckStanding, Standing, State, Word};

/// What the approval mirror says while it says nothing.
pub(super) const NOT_APPROVED: &str = "not approved";

/// What one mirror is to say.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) mirror: Mirror,
    /// In a form that tells one word from another.
    pub(super) said: String,
    /// Whether it says that the merge request passes.
    pub(super) passes: bool,
    pub(super) content: Content,
}

/// What is to be there then.
#[derive(Debug)]
pub(super) enum Content {
    /// An approval, or none.
    Approval { given: bool },
    /// This label of ours, and no other.
    Label { wanted: Option<String>, others: Vec<String> },
    /// A commit status.
    Status { check: CheckName, state: &'static str, description: String },
    /// The note with this text.
    Note { body: String },
}

/// What all of them are to say. Who is to leave standing what stands wishes nothing.
pub(super) fn wishes(settings: &Mirrors, standing: &Standing<'_>, known: &[KnownMirror]) -> Vec<Wish> {
    let mut wishes = Vec::new();
    if settings.commit_status {
        wishes.extend(standing.checks.iter().filter_map(|check| status(standing, check)));
    }
    wishes.extend(approval(settings, standing, known));
    wishes.extend(label(&settings.labels, standing));
    if settings.note {
        let body = note(standing);
        let said = essence(&body);
        wishes.push(Wish { mirror: Mirror::Note, said, passes: false, content: Content::Note { body } });
    }
    wishes
}

fn status(standing: &Standing<'_>, check: &CheckStanding<'_>) -> Option<Wish> {
    let state = match check.word {
        Word::Passed => "success",
        Word::Pending => "pending",
        Word::Failed => "failed",
        Word::Kept => return None,
    };
    let description = description(check);
    // GitLab takes no other sentence for what is pending already.
    let said = if check.word == Word::Pending { state.to_owned() } else { format!("{state}: {description}") };
    let (name, sha) = (check.name.clone(), standing.sha.clone());
    Some(Wish {
        mirror: Mirror::CommitStatus { check: name.clone(), sha },
        said,
        passes: check.word == Word::Passed,
        content: Content::Status { check: name, state, description },
    })
}

/// An approval that was given before this way was turned off is taken back: nobody watches over it any more.
fn approval(settings: &Mirrors, standing: &Standing<'_>, known: &[KnownMirror]) -> Option<Wish> {
    let may_stand = known.iter().any(|known| known.mirror == Mirror::Approval && known.may_pass);
    let given = match standing.word() {
        _ if !settings.approval && may_stand => false,
        _ if !settings.approval => return None,
        Word::Passed => true,
        Word::Kept => return None,
        Word::Pending | Word::Failed => false,
    };
    let said = if given { format!("approved {}", standing.sha) } else { NOT_APPROVED.to_owned() };
    Some(Wish { mirror: Mirror::Approval, said, passes: given, content: Content::Approval { given } })
}

fn label(labels: &StateLabels, standing: &Standing<'_>) -> Option<Wish> {
    let all = labels.all();
    if all.is_empty() || standing.word() == Word::Kept {
        return None;
    }
    // What passes and may not be given a pass says that it is not decided.
    let state = standing.state();
    let wanted = match state {
        State::Passed => &labels.passed,
        State::Failed => &labels.failed,
        State::Waiting => &labels.waiting,
        State::Undecided => &labels.undecided,
    };
    let others = all.into_iter().filter(|label| Some(label) != wanted.as_ref()).collect();
    let (said, passes) = (wanted.clone().unwrap_or_default(), state == State::Passed && wanted.is_some());
    let content = Content::Label { wanted: wanted.clone(), others };
    Some(Wish { mirror: Mirror::Labels, said, passes, content })
}
