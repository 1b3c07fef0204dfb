//! A remedy in words: what somebody can do, and who, so that a rule is met.

use super::enumeration::{alternatives, list};
use super::evaluation::Remedy;

impl Remedy {
    /// The remedy in one sentence without a final full stop.
    pub fn advice(&self) -> String {
        match self {
            Self::Approve { missing, from } => {
                let approvals = if *missing == 1 { "approval" } else { "approvals" };
                let by = if from.is_empty() { String::new() } else { format!(" by {}", from.join(" or ")) };
                format!("{missing} more {approvals}{by}")
            }
            Self::ApproveAgain { username } => format!("@{username} approves again"),
            Self::RevokeVeto { username, by } => {
                format!("@{username} takes the veto back: {}", by.join(" or "))
            }
            Self::EditTitle { to } => format!("change the title to {to}"),
            Self::EditDescription { to } => format!("change the description to {to}"),
            Self::AddLabel { any_of } => format!("add the label {}", alternatives(any_of)),
            Self::RemoveLabel { label } => format!("remove the label `{label}`"),
            Self::SetLabelAgain { any_of, by } => {
                format!("{} takes the label {} away and sets it again", by.join(" or "), alternatives(any_of))
            }
            Self::SetDraft { draft: true } => "mark it as draft".to_owned(),
            Self::SetDraft { draft: false } => "mark it as ready".to_owned(),
            Self::ChangeSourceBranch { to } => format!("open it from another source branch: {to}"),
            Self::ChangeTargetBranch { to } => format!("choose another target branch: {to}"),
            Self::ChangeFiles { to } => format!("change the files: {to}"),
            Self::ChangeCommits { to } => format!("change the commits: {to}"),
            Self::ChangeCommitters { to } => format!("let others make the commits: {to}"),
            Self::RunPipeline { statuses } => format!("a pipeline that ends as {}", alternatives(statuses)),
            Self::RunJobs { names, statuses } => {
                format!("jobs {} that end as {}", list(names), alternatives(statuses))
            }
            Self::ReportStatuses { names, statuses } => {
                format!("commit statuses {} that say {}", list(names), alternatives(statuses))
            }
            Self::LinkIssues { to } => format!("link {to}"),
            Self::ChangeIssues { issues, to } => format!("change {}: {to}", issues.join(", ")),
            Self::MergeOthers { merge_requests } => format!("merge {} first", merge_requests.join(", ")),
            Self::ResolveThreads { count: 1 } => "resolve 1 thread".to_owned(),
            Self::ResolveThreads { count } => format!("resolve {count} threads"),
            Self::WaitUntil { at } => format!("wait until {at}"),
            Self::ChangeAuthor { to } => format!("let somebody else open it: {to}"),
            Self::SetMilestone { to } => format!("set the milestone: {to}"),
            Self::ChangeAssignees { to } => format!("assign others: {to}"),
            Self::ChangeReviewers { to } => format!("reviewers: {to}"),
            Self::ChangeSourceProject { fork: true } => "open it from a fork".to_owned(),
            Self::ChangeSourceProject { fork: false } => "open it from this project".to_owned(),
            Self::ChangeTargetProject { to } => format!("open it in another project: {to}"),
            Self::SetSquash { squash } => tick(*squash, "squash commits"),
            Self::SetSourceBranchRemoval { removes } => tick(*removes, "delete the source branch"),
            Self::ResolveConflicts => "resolve the conflicts with the target branch".to_owned(),
            Self::Rebase { to } => format!("rebase it, or merge the target branch into it: {to}"),
            Self::ChangeProjectSettings { to } => {
                format!("a Maintainer changes the project's settings: {to}")
            }
            Self::EditCodeOwners { to } => format!("change CODEOWNERS on the target branch: {to}"),
            Self::MeetExpression { expression, holds } => {
                format!("`{expression}` must be {holds}")
            }
            Self::AskOperator { what } => format!("whoever operates countersign mends this: {what}"),
        }
    }
}

fn tick(set: bool, what: &str) -> String {
    format!("{} the tick “{what}”", if set { "set" } else { "take away" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_says_what_to_do_and_who_can() {
        let from = vec!["members of shop/payments".to_owned(), "@ana".to_owned()];
        let approve = Remedy::Approve { missing: 1, from };
        assert_eq!(approve.advice(), "1 more approval by members of shop/payments or @ana");
        assert_eq!(Remedy::Approve { missing: 2, from: Vec::new() }.advice(), "2 more approvals");
        assert_eq!(
            Remedy::AddLabel { any_of: vec!["a".to_owned(), "b".to_owned()] }.advice(),
            "add the label `a` or `b`"
        );
        assert_eq!(Remedy::SetSquash { squash: false }.advice(), "take away the tick “squash commits”");
    }
}
