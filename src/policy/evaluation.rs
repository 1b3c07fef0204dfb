//! What an evaluation says: the verdict of one check and the tree of reasons behind it.
//!
//! There is one explanation, and terminal, page, JSON and record all show this one. It is serialised into the
//! decision in the declared order.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::FactKey;

/// What one call of `evaluate` gives: there is no third way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The verdict stands.
    Decided(Evaluation),
    /// These facts are missing; never empty, and none of them is answered in the facts given.
    Needs(BTreeSet<FactKey>),
}

/// The word on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every applicable rule is proven.
    Passed,
    /// The author must change something, or no policy speaks for the merge request.
    Failed,
    /// People or time can mend it without a change.
    Waiting,
    /// Something could not be had and asking again may help: never a pass.
    UndecidedCurable,
    /// Something could not be had and no retry will help: never a pass.
    UndecidedIncurable,
}

/// The whole account of one check's evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The word.
    pub verdict: Verdict,
    /// The verdict in one sentence for people: what is missing and who can give it.
    pub summary: String,
    /// The policies that apply, in the order of their names.
    pub policies: Vec<PolicyEvaluation>,
    /// When time alone can change the verdict, at the earliest.
    pub recheck_at: Option<Timestamp>,
}

impl Evaluation {
    /// A verdict that no rule led to: it could not be had, or what it was given for is over.
    pub fn without_policies(verdict: Verdict, summary: String) -> Self {
        Self { verdict, summary, policies: Vec::new(), recheck_at: None }
    }

    /// Whether a rule that blocks is not met for sure: whatever else is unknown, it does not pass.
    pub fn is_held_back(&self) -> bool {
        let mut rules = self.policies.iter().flat_map(|policy| &policy.rules);
        rules.any(|rule| {
            rule.enforce == Enforce::Block && matches!(rule.state, RuleState::Violated | RuleState::Waiting)
        })
    }
}

/// One policy's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEvaluation {
    /// The policy's name.
    pub policy: String,
    /// Its rules, in the order of the file.
    pub rules: Vec<RuleEvaluation>,
}

/// One rule's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEvaluation {
    /// The rule's slug.
    pub id: String,
    /// The rule in the author's words, else its id.
    pub name: String,
    /// Whether it counts.
    pub enforce: Enforce,
    /// Where it stands.
    pub state: RuleState,
    /// Why it applies; none when the rule has no `when`.
    pub when: Option<Reason>,
    /// Why it is met or not; none when skipped.
    pub require: Option<Reason>,
    /// What would mend it; empty when it passed or was skipped.
    pub remedies: Vec<Remedy>,
}

/// How much a rule's state counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforce {
    /// It decides (the default).
    Block,
    /// It is shown and does not decide.
    Warn,
    /// It is recorded and neither shown to authors nor decides.
    Shadow,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// `when` is proven false: the rule says nothing here.
    Skipped,
    /// `require` is proven.
    Passed,
    /// `require` is false and only a change of the merge request mends it.
    Violated,
    /// `require` is not met yet; people or time can mend it.
    Waiting,
    /// A fact could not be had; `curable` when asking again may help.
    Unknown {
        /// Whether a retry may help.
        curable: bool,
    },
}

/// One node of the tree of reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The condition or operator, in the policy's own words: `title`, `approvals`, `all_of`.
    pub condition: String,
    /// What it came to.
    pub truth: Truth,
    /// One sentence with the matched values (never diff text), without a final full stop.
    pub sentence: String,
    /// The parts, for operators; approvals that do not count, each with its reason, for `approvals`.
    pub parts: Vec<Reason>,
}

/// Three-valued truth with its two refinements (design section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Proven.
    True,
    /// Proven false, final until the author changes something.
    Violated,
    /// Proven false, mendable by people or time.
    Waiting,
    /// Open: GitLab, a pipeline or people have not settled it yet: an approval that nobody can date is neither there nor
    /// missing.
    Unsettled,
    /// Open: the fact could not be had; `curable` when asking again may help.
    Unknown {
        /// Whether a retry may help.
        curable: bool,
    },
}

/// What somebody can do so that a rule is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "snake_case")]
pub enum Remedy {
    /// More people must approve.
    Approve {
        /// How many more.
        missing: u32,
        /// Whose approval counts, in words (`members of shop/payments`, `@ana`).
        from: Vec<String>,
    },
    /// An approval must be given again.
    ApproveAgain {
        /// By whom.
        username: String,
    },
    /// A veto must be taken back.
    RevokeVeto {
        /// By whom.
        username: String,
        /// How, in words; each way is enough.
        by: Vec<String>,
    },
    /// The title must change.
    EditTitle {
        /// To what, in words.
        to: String,
    },
    /// The description must change.
    EditDescription {
        /// To what, in words.
        to: String,
    },
    /// A label must be added.
    AddLabel {
        /// One of these.
        any_of: Vec<String>,
    },
    /// A label must be removed.
    RemoveLabel {
        /// Which.
        label: String,
    },
    /// The draft mark must go (or come).
    SetDraft {
        /// What it must be.
        draft: bool,
    },
    /// The source branch does not fit: open it from another.
    ChangeSourceBranch {
        /// What would fit, in words.
        to: String,
    },
    /// The target branch must change.
    ChangeTargetBranch {
        /// What would fit, in words.
        to: String,
    },
    /// Files must be changed, or left alone.
    ChangeFiles {
        /// What would fit, in words.
        to: String,
    },
    /// Commits must be made otherwise.
    ChangeCommits {
        /// What would fit, in words.
        to: String,
    },
    /// The pipeline must reach a status.
    RunPipeline {
        /// One of these.
        statuses: Vec<String>,
    },
    /// Jobs of the pipeline must reach a status.
    RunJobs {
        /// Their names, `*` for any characters.
        names: Vec<String>,
        /// One of these.
        statuses: Vec<String>,
    },
    /// Another system must report a status of the head.
    ReportStatuses {
        /// Under these names, `*` for any characters.
        names: Vec<String>,
        /// One of these.
        statuses: Vec<String>,
    },
    /// Issues must be linked, or no longer be.
    LinkIssues {
        /// What would fit, in words.
        to: String,
    },
    /// Linked issues must change: their labels, their state or their milestone.
    ChangeIssues {
        /// As people refer to them.
        issues: Vec<String>,
        /// What would fit, in words.
        to: String,
    },
    /// Other merge requests must be merged first.
    MergeOthers {
        /// As people refer to them.
        merge_requests: Vec<String>,
    },
    /// Threads must be resolved.
    ResolveThreads {
        /// How many.
        count: u32,
    },
    /// Only time helps.
    WaitUntil {
        /// Until then.
        at: Timestamp,
    },
    /// Somebody else must open the merge request.
    ChangeAuthor {
        /// Who would fit, in words.
        to: String,
    },
    /// The milestone must change.
    SetMilestone {
        /// To what, in words.
        to: String,
    },
    /// Other people must be assigned.
    ChangeAssignees {
        /// Who, in words.
        to: String,
    },
    /// Other people must be asked to review, or those asked must go on.
    ChangeReviewers {
        /// Who, and how far they must be, in words.
        to: String,
    },
    /// It must be opened from another project.
    ChangeSourceProject {
        /// Whether that is a fork.
        fork: bool,
    },
    /// The tick that squashes commits must be set or taken away.
    SetSquash {
        /// What it must be.
        squash: bool,
    },
    /// The tick that deletes the source branch must be set or taken away.
    SetSourceBranchRemoval {
        /// What it must be.
        removes: bool,
    },
    /// The conflicts with the target branch must be resolved.
    ResolveConflicts,
    /// The head must have more of the target branch: rebase it, or merge the target branch into it.
    Rebase {
        /// How far it may be behind, in words.
        to: String,
    },
    /// It belongs into another project.
    ChangeTargetProject {
        /// Which would fit, in words.
        to: String,
    },
    /// A maintainer must change the project's settings.
    ChangeProjectSettings {
        /// To what, in words.
        to: String,
    },
    /// The commits must be made by others.
    ChangeCommitters {
        /// By whom, in words.
        to: String,
    },
    /// A label must be taken away and set again.
    SetLabelAgain {
        /// One of these.
        any_of: Vec<String>,
        /// By whom, in words: one of these.
        by: Vec<String>,
    },
    /// The CODEOWNERS file of the target branch must say something else.
    EditCodeOwners {
        /// What, in words.
        to: String,
    },
    /// What an expression speaks of must change.
    MeetExpression {
        /// The expression.
        expression: String,
        /// Whether it must be true, or false.
        holds: bool,
    },
    /// An operator must mend something (a group that can't be read, a token).
    AskOperator {
        /// What, in words.
        what: String,
    },
}
