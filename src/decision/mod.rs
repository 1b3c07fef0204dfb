//! From a merge request's address to a verdict: read, evaluate, fetch what is asked, evaluate again.
//!
//! This room posts nothing and stores nothing: the worker and `reconcile`, and later explaining and planning, call it alike. All of a
//! merge request's checks are decided from one set of facts, and all of them are of one SHA: where GitLab shows
//! another push between two reads, it starts over.

mod code;
mod doubt;
mod facts;
mod lines;
mod own;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;

use crate::gitlab::{self, Client, Dated};
use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, ProjectId, StatusCheckId};
use crate::policy::evaluation::{Evaluation, Step, Verdict};
use crate::policy::fact::{FactKey, Facts, MergeRequestFacts, Sightings};
use crate::policy::{PolicySet, evaluate};
use crate::scope::{CheckAddress, ProjectScope};

pub use self::facts::{ApprovalMemory, ReadApprovals};
use self::facts::{Moved, NewestVersion, Reader};
pub use self::own::{NOTE_MARKER, Own, Seen, commit_status_name};

/// How many rounds of questions an evaluation may take; four families deep is the longest chain there is.
const ROUNDS: usize = 12;

/// What decides: GitLab to ask, and which projects and checks are ours.
#[derive(Clone)]
pub struct Decider {
    /// GitLab.
    pub gitlab: Client,
    /// Which URLs are ours.
    pub address: CheckAddress,
    /// Which projects are ours.
    pub scope: Arc<ProjectScope>,
}

/// What the caller brings from its memory.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Pushers and version targets.
    pub sightings: Sightings,
    /// Approvals seen before.
    pub approvals: ApprovalMemory,
}

/// When the list of status checks is read. It is of the head at the moment of its read, and does not say which that is: one
/// that was read before or beside the merge request may be another head's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Beside the merge request, in the hope that its head is still this one.
    Beside(CommitSha),
    /// After it.
    After,
    /// After it, unless what it would say is remembered.
    UnlessKnown,
}

/// What to look at, and what need not be asked.
pub struct Asking<'a> {
    /// Which merge request.
    pub merge_request: MergeRequestRef,
    /// When the status list is read.
    pub listing: Listing,
    /// Which checks GitLab lists, as far as that is remembered for that SHA and target branch; where it tells nothing,
    /// the list is read.
    pub known: &'a KnownChecks<'a>,
    /// What this service itself says in GitLab.
    pub own: Own,
    /// What it means that GitLab has no such list.
    pub without_list: WithoutList,
}

/// What it means that GitLab answers 401 or 404 to the list of a merge request that it shows: it has no external status
/// checks, or none for this project any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutList {
    /// Nothing can be answered, and a verdict shows nowhere else.
    Fails,
    /// A verdict shows elsewhere, and GitLab listed checks before: what shows is taken back, for by which policies it is
    /// to be decided now is not known.
    TakesBack,
    /// A verdict shows elsewhere: it is decided as the default check.
    IsDefault,
    /// A verdict shows elsewhere, and nobody ever told of the project: nothing is to be said there.
    IsNone,
}

/// Which checks are remembered for a head and target branch; none where the list must tell.
pub type KnownChecks<'a> = dyn Fn(&MergeRequestFacts) -> Vec<Check> + Sync + 'a;

/// What GitLab's list showed for our checks.
pub type Listed = Vec<(StatusCheckId, gitlab::Status)>;

/// One of our checks on the merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// GitLab's id; none where GitLab has no external status checks and the verdict shows elsewhere alone.
    pub id: Option<StatusCheckId>,
    /// Our name.
    pub name: CheckName,
}

impl Check {
    /// The one check where GitLab has none.
    pub fn unlisted() -> Self {
        Self { id: None, name: CheckName::default() }
    }
}

/// What the first read of a merge request came to.
#[derive(Debug)]
pub enum Sight {
    /// It is open and has checks of ours: it can be decided.
    Open(Box<Open>),
    /// It is closed, and GitLab lists checks of ours for it: a `passed` there may be taken back.
    Closed(Box<Open>),
    /// It is merged or being merged, or closed without a check of ours: nothing to answer.
    Ended,
    /// GitLab is still preparing it: there is no SHA to speak about yet.
    Preparing,
    /// Its project is outside of `gitlab.projects`.
    OutOfScope,
    /// GitLab lists no check of ours for its target branch.
    NoCheck(Box<Open>),
}

/// What GitLab says of the merge request itself, with our checks on it.
#[derive(Debug)]
pub struct Open {
    /// The merge request, of one read.
    pub subject: MergeRequestFacts,
    /// Our checks that apply to its target branch; empty only where it has none.
    pub checks: Vec<Check>,
    /// What GitLab shows for them, if the list was read.
    pub listed: Option<Listed>,
    /// GitLab's own names of all the checks that it lists, ours or not, if the list was read.
    pub titles: Vec<(StatusCheckId, String)>,
    /// GitLab's clock at the read: one clock dates pushes, approvals and the present.
    pub now: Timestamp,
    /// When the merge request says that it changed last.
    pub updated_at: Timestamp,
    /// What this service itself says in GitLab.
    pub own: Own,
    /// What shows of that.
    pub seen: Seen,
}

/// Verdicts and all that they were made from.
#[derive(Debug)]
pub struct Decided {
    /// One per check of ours.
    pub checks: Vec<(Check, Evaluation)>,
    /// The facts, of one SHA.
    pub facts: Facts,
    /// What GitLab showed for our checks, if the list was read.
    pub listed: Option<Listed>,
    /// The approvals as read, if they were.
    pub approvals: Option<ReadApprovals>,
    /// What shows of what this service itself says.
    pub seen: Seen,
    /// How many of the checks have no verdict because their evaluation panicked.
    pub panics: usize,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// GitLab gave no merge request to speak about.
    #[error(transparent)]
    Gitlab(#[from] gitlab::Error),
    /// The list of status checks shows no URLs, so ours can't be told apart.
    #[error("GitLab shows no URLs of status checks: the token's role on the project is below Developer")]
    UrlsHidden,
    /// GitLab listed status checks before and has no list now, so by which policies it is to be decided is not known.
    #[error("GitLab listed status checks of this merge request before and has no list of them now: {0}")]
    Unlisted(gitlab::Error),
    /// What GitLab says of the merge request can't be taken for one.
    #[error("GitLab's merge request can't be read: {0}")]
    Unreadable(String),
}

impl Decider {
    /// Reads the merge request, with the list of its status checks where that is not remembered: one round of calls.
    pub async fn sight(&self, asking: &Asking<'_>) -> Result<Sight, Failure> {
        let Asking { merge_request, listing, known, own, without_list } = asking;
        let merge_request = *merge_request;
        let beside = async {
            match listing {
                Listing::Beside(_) => self.list(merge_request).await.map(Some),
                Listing::After | Listing::UnlessKnown => Ok(None),
            }
        };
        let (read, listed) =
            futures_util::future::join(self.gitlab.merge_request(merge_request), beside).await;
        let Dated { value: read, date } = read?;
        if !self.scope.contains(project_path_of(&read)?) {
            return Ok(Sight::OutOfScope);
        }
        let is_open = match read.state.as_str() {
            "opened" => true,
            "closed" => false,
            _ => return Ok(Sight::Ended),
        };
        let Some(sha) = &read.sha else {
            return Ok(if is_open { Sight::Preparing } else { Sight::Ended });
        };
        let subject = subject_of(merge_request, sha, &read, own)?;
        let remembered = if *listing == Listing::UnlessKnown { known(&subject) } else { Vec::new() };
        let mut titles = None;
        let (checks, listed) = if remembered.is_empty() {
            let listed = match listing {
                Listing::Beside(head) if *head == subject.sha => listed.transpose(),
                _ => None,
            };
            let listed = match listed {
                Some(listed) => listed,
                None => self.list(merge_request).await,
            };
            titles = listed.as_ref().ok().map(|listed| titles_of(listed));
            self.our_checks(listed, *without_list)?
        } else {
            (remembered, None)
        };
        let titles = titles.unwrap_or_default();
        let now = date.unwrap_or_else(facts::local_time);
        let updated_at = read.updated_at;
        let seen = Seen { labels: read.labels, pipeline: read.head_pipeline };
        let own = own.clone();
        let open = Box::new(Open { subject, checks, listed, titles, now, updated_at, own, seen });
        Ok(match (is_open, open) {
            (true, open) if open.checks.is_empty() => Sight::NoCheck(open),
            (true, open) => Sight::Open(open),
            (false, open) if open.checks.is_empty() => Sight::Ended,
            (false, open) => Sight::Closed(open),
        })
    }

    /// Decides all its checks of ours; none when it moved while its facts were read.
    pub async fn decide(&self, policies: &PolicySet, remembered: &Remembered, open: Open) -> Option<Decided> {
        let Open { subject, checks, listed, now, own, seen, .. } = open;
        let newest = NewestVersion::default();
        let reader = Reader { gitlab: &self.gitlab, approvals: &remembered.approvals, now, newest, own };
        let facts = Facts::new(subject, remembered.sightings.clone());
        let mut decided = decide(&reader, policies, checks, facts, listed).await.ok()?;
        decided.seen = seen;
        Some(decided)
    }

    /// Our checks by the list, with what shows for them.
    fn our_checks(
        &self,
        listed: Result<Vec<gitlab::StatusCheck>, Failure>,
        without_list: WithoutList,
    ) -> Result<(Vec<Check>, Option<Listed>), Failure> {
        let listed = match (listed, without_list) {
            (Err(Failure::Gitlab(error)), without_list) if is_without_list(&error) => {
                return match without_list {
                    WithoutList::Fails => Err(Failure::Gitlab(error)),
                    WithoutList::TakesBack => Err(Failure::Unlisted(error)),
                    WithoutList::IsDefault => Ok((vec![Check::unlisted()], None)),
                    WithoutList::IsNone => Ok((Vec::new(), None)),
                };
            }
            (listed, _) => listed?,
        };
        let ours: Vec<_> = listed
            .iter()
            .filter_map(|check| Some((check, self.address.name_of(&check.external_url)?)))
            .collect();
        let checks = ours
            .iter()
            .map(|(check, name)| Check { id: Some(StatusCheckId::new(check.id)), name: name.clone() });
        let shown = ours.iter().map(|(check, _)| (StatusCheckId::new(check.id), check.status));
        Ok((checks.collect(), Some(shown.collect())))
    }

    async fn list(&self, merge_request: MergeRequestRef) -> Result<Vec<gitlab::StatusCheck>, Failure> {
        let listed = self.gitlab.status_checks(merge_request).await?;
        if !listed.is_empty() && listed.iter().all(|check| check.external_url.is_empty()) {
            return Err(Failure::UrlsHidden);
        }
        Ok(listed)
    }
}

fn titles_of(listed: &[gitlab::StatusCheck]) -> Vec<(StatusCheckId, String)> {
    listed.iter().map(|check| (StatusCheckId::new(check.id), check.name.clone())).collect()
}

/// GitLab: without Ultimate the routes of status checks answer 401, in the Community Edition 404 (contract section 1.3).
fn is_without_list(error: &gitlab::Error) -> bool {
    matches!(error, gitlab::Error::Unauthorized { .. } | gitlab::Error::NotFound { .. })
}

/// The loop: every round answers all that was asked, so it ends.
async fn decide(
    reader: &Reader<'_>,
    policies: &PolicySet,
    checks: Vec<Check>,
    mut facts: Facts,
    listed: Option<Listed>,
) -> Result<Decided, Moved> {
    let mut approvals = None;
    for _ in 0..ROUNDS {
        let Evaluated { evaluations, needs, panics } = evaluate_all(policies, &checks, &facts);
        if needs.is_empty() {
            let checks = checks.into_iter().zip(evaluations).collect();
            let seen = Seen::default();
            return Ok(Decided { checks, facts, listed, approvals, seen, panics });
        }
        if let Some(read) = reader.answer(&mut facts, needs).await? {
            approvals = Some(read);
        }
    }
    let evaluations = checks.iter().map(|_| undecidable("the evaluation asked for ever more facts"));
    let checks = checks.iter().cloned().zip(evaluations).collect();
    Ok(Decided { checks, facts, listed, approvals, seen: Seen::default(), panics: 0 })
}

/// What facts that were read before come to at another time or under other policies.
#[derive(Debug)]
pub struct Recollection {
    /// Every check with its evaluation. What was not read stands in it as unknown.
    pub checks: Vec<(Check, Evaluation)>,
    /// All that is known, and what was asked for besides.
    pub facts: Facts,
    /// Whether anything was asked for that was not read.
    pub is_partial: bool,
}

/// Decides from facts that were read before, with the present as given; none where a defect of ours left no verdict.
pub fn recall(
    policies: &PolicySet,
    checks: Vec<Check>,
    mut facts: Facts,
    now: Timestamp,
) -> Option<Recollection> {
    facts.now = None;
    let mut is_partial = false;
    for _ in 0..ROUNDS {
        let Evaluated { evaluations, needs, panics } = evaluate_all(policies, &checks, &facts);
        if panics > 0 {
            return None;
        }
        if needs.is_empty() {
            let checks = checks.into_iter().zip(evaluations).collect();
            return Some(Recollection { checks, facts, is_partial });
        }
        for key in needs {
            if key == FactKey::Now {
                facts.now = Some(now);
            } else {
                is_partial = true;
                facts.leave_unread(key);
            }
        }
    }
    None
}

/// One round over all checks.
#[derive(Default)]
struct Evaluated {
    evaluations: Vec<Evaluation>,
    /// What any of them still needs.
    needs: BTreeSet<FactKey>,
    panics: usize,
}

/// Evaluates every check.
fn evaluate_all(policies: &PolicySet, checks: &[Check], facts: &Facts) -> Evaluated {
    let mut all = Evaluated::default();
    for check in checks {
        // A panic is a defect of ours and must neither pass anything nor take other merge requests down.
        let step = catch_unwind(AssertUnwindSafe(|| evaluate(policies, &check.name, facts)));
        match step {
            Ok(Step::Decided(evaluation)) => all.evaluations.push(evaluation),
            Ok(Step::Needs(keys)) => all.needs.extend(keys),
            Err(_) => {
                all.panics += 1;
                tracing::error!(check = %check.name, "an evaluation panicked; nothing passes by it");
                all.evaluations
                    .push(undecidable("the evaluation panicked, which is a defect of countersign"));
            }
        }
    }
    all
}

fn undecidable(why: &str) -> Evaluation {
    Evaluation::without_policies(Verdict::UndecidedIncurable, format!("could not be decided: {why}"))
}

/// GitLab: `has_conflicts` is false until somebody has tried (contract section 5.4).
fn conflicts_of(read: &gitlab::MergeRequest) -> Option<bool> {
    match read.merge_status.as_deref() {
        _ if read.has_conflicts => Some(true),
        Some("can_be_merged" | "cannot_be_merged") => Some(false),
        _ => None,
    }
}

fn project_path_of(read: &gitlab::MergeRequest) -> Result<&str, Failure> {
    let doubt = || Failure::Unreadable(format!("`{}` is no reference to one", read.references.full));
    read.project_path().ok_or_else(doubt)
}

fn subject_of(
    merge_request: MergeRequestRef,
    sha: &str,
    read: &gitlab::MergeRequest,
    own: &Own,
) -> Result<MergeRequestFacts, Failure> {
    if (read.project_id, read.iid) != (merge_request.project.get(), merge_request.iid.get()) {
        return Err(Failure::Unreadable(format!("it says that it is {}!{}", read.project_id, read.iid)));
    }
    let draft = read.draft.or(read.work_in_progress);
    let draft =
        draft.ok_or_else(|| Failure::Unreadable("it does not say whether it is a draft".to_owned()))?;
    Ok(MergeRequestFacts {
        merge_request,
        project_path: project_path_of(read)?.to_owned(),
        web_url: read.web_url.clone(),
        sha: CommitSha::parse(sha).map_err(|error| Failure::Unreadable(error.to_string()))?,
        title: read.title.clone(),
        description: read.description.clone().unwrap_or_default(),
        labels: read.labels.difference(&own.labels).cloned().collect(),
        draft,
        source_branch: read.source_branch.clone(),
        target_branch: read.target_branch.clone(),
        source_project: read.source_project_id.map(ProjectId::new),
        author: read.author.user(),
        created_at: read.created_at,
        milestone: read.milestone.as_ref().map(|milestone| milestone.title.clone()),
        assignees: read.assignees.iter().map(gitlab::BasicUser::user).collect(),
        reviewers: read
            .reviewers
            .iter()
            .filter(|reviewer| !own.reviews_as(reviewer))
            .map(gitlab::BasicUser::user)
            .collect(),
        squash: read.squash,
        removes_source_branch: read
            .should_remove_source_branch
            .or(read.force_remove_source_branch)
            .unwrap_or_default(),
        has_conflicts: conflicts_of(read),
        first_contribution: read.first_contribution,
    })
}
