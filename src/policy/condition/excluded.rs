//! Who can't approve a change because they made it: its author, its committers and co-authors, and whoever pushed it.
//!
//! Commit emails are claims, and claims can only take an approval away. An email that belongs to nobody GitLab knows
//! may be an approver's second address: then approvals are in doubt until somebody says that this does not matter.

use super::makers::Makers;
use crate::merge_request::User;
use crate::policy::finding::Stop;
use crate::policy::view::View;

/// Which of them are excluded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excluded {
    pub(super) allow_author: bool,
    pub(super) allow_committers: bool,
    pub(super) allow_unmatched: bool,
}

/// Whether somebody's approval is excluded.
pub(super) enum Exclusion {
    /// It is, for this reason.
    Excluded(String),
    /// It can't be told while this commit email belongs to nobody.
    Unmatched(String),
    /// It is proven not to be.
    Free,
}

impl Excluded {
    pub(super) fn judge(self, user: &User, view: &View<'_>) -> Result<Exclusion, Stop> {
        let excluded = |why: &str| Ok(Exclusion::Excluded(why.to_owned()));
        if user.id == view.facts.merge_request.author.id {
            // The author nearly always has commits of their own: who allows the one means the other.
            return if self.allow_author {
                Ok(Exclusion::Free)
            } else {
                excluded("the author can't approve")
            };
        }
        if self.allow_committers {
            return Ok(Exclusion::Free);
        }
        if view.facts.sightings.pushers.contains(&user.id) {
            return excluded("has pushed to the source branch");
        }
        let makers = Makers::read(&view.code()?.commits, &view.facts.emails);
        if makers.users.contains(&user.id) {
            return excluded("is author, committer or co-author of a commit");
        }
        // Who is not on the list is free only if that is the list of this push.
        view.commits()?;
        let unmatched = makers.unmatched.first().filter(|_| !self.allow_unmatched).cloned();
        // Another email may still exclude the user for certain.
        match makers.stop() {
            Some(stop) => Err(stop),
            None => Ok(unmatched.map_or(Exclusion::Free, Exclusion::Unmatched)),
        }
    }
}

/// GitLab: the account behind a project or group access token is called `project_<id>_bot…` or `group_<id>_bot…`. Who may
/// make a token for a project could approve their own change with it.
pub(super) fn is_access_token(username: &str) -> bool {
    let username = username.to_lowercase();
    let rest = username.strip_prefix("project_").or_else(|| username.strip_prefix("group_"));
    let named = rest.and_then(|rest| rest.split_once("_bot"));
    named.is_some_and(|(id, _)| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_an_access_token_is_known_by_its_name() {
        for token in ["project_7_bot", "project_7_bot1", "group_12_bot_0a1b2c", "Project_7_Bot_x"] {
            assert!(is_access_token(token), "{token}");
        }
        for person in ["ana", "project_bot", "project_x_bot", "my_project_7_bot", "robot"] {
            assert!(!is_access_token(person), "{person}");
        }
    }
}
