//! Who can't approve a change because they made it: its author, its committers and co-authors, and whoever pushed it.
//!
//! Commit emails are claims, and claims can only take an approval away. An email that belongs to nobody GitLab knows
//! may be an approver's second address: then approvals wait until somebody says that this does not matter.

use std::collections::{BTreeMap, BTreeSet};

use crate::merge_request::{User, UserId};
use crate::policy::fact::{Commit, FactKey, Known, Unknown};
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
    /// It can't be told, and waits, while this commit email belongs to nobody.
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
        if let Some(email) = makers.unmatched.first()
            && !self.allow_unmatched
        {
            return Ok(Exclusion::Unmatched(email.clone()));
        }
        match makers.unknown {
            _ if !makers.needs.is_empty() => Err(Stop::Needs(makers.needs)),
            Some(unknown) => Err(Stop::Unknown(unknown)),
            None => Ok(Exclusion::Free),
        }
    }
}

/// Who made the commits, as far as their emails tell.
#[derive(Default)]
struct Makers {
    users: BTreeSet<UserId>,
    unmatched: Vec<String>,
    needs: BTreeSet<FactKey>,
    unknown: Option<Unknown>,
}

impl Makers {
    fn read(commits: &[Commit], emails: &BTreeMap<String, Known<Option<UserId>>>) -> Self {
        let mut makers = Self::default();
        for email in commits.iter().flat_map(claimed_emails).collect::<BTreeSet<_>>() {
            if let Some(id) = private_email(&email) {
                makers.users.insert(id);
                continue;
            }
            match emails.get(&email) {
                _ if email.is_empty() => makers.unmatched.push(email),
                Some(Known::Value(Some(id))) => {
                    makers.users.insert(*id);
                }
                Some(Known::Value(None)) => makers.unmatched.push(email),
                Some(Known::Unknown(unknown))
                    if makers.unknown.as_ref().is_none_or(|known| known.curable) =>
                {
                    makers.unknown = Some(unknown.clone());
                }
                Some(Known::Unknown(_)) => {}
                None => {
                    makers.needs.insert(FactKey::Email(email));
                }
            }
        }
        makers
    }
}

/// Every email that a commit claims, in lower case.
fn claimed_emails(commit: &Commit) -> impl Iterator<Item = String> + '_ {
    let direct = [commit.author_email.as_str(), commit.committer_email.as_str()];
    let co_authors = commit.message.lines().filter_map(co_author_email);
    direct.into_iter().chain(co_authors).map(|email| email.trim().to_lowercase())
}

/// The address in a `Co-authored-by: Name <address>` trailer.
fn co_author_email(line: &str) -> Option<&str> {
    const TRAILER: &str = "co-authored-by:";
    let line = line.trim_start();
    let head = line.get(..TRAILER.len())?;
    let rest = head.eq_ignore_ascii_case(TRAILER).then(|| line.get(TRAILER.len()..)).flatten()?;
    match rest.rsplit_once('<') {
        Some((_, address)) => Some(address.split('>').next().unwrap_or(address)),
        None => Some(rest),
    }
}

/// GitLab: `<id>-<username>@users.noreply.<host>` is a user's private commit email and names the user by itself.
fn private_email(email: &str) -> Option<UserId> {
    let (local, domain) = email.split_once('@')?;
    let (id, _) = local.split_once('-')?;
    let private = domain.starts_with("users.noreply.") && id.bytes().all(|byte| byte.is_ascii_digit());
    private.then(|| id.parse().ok()).flatten().map(UserId::new)
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
    fn co_authors_are_read_from_trailers_in_any_case() {
        assert_eq!(co_author_email("Co-authored-by: Ana <ana@x.org>"), Some("ana@x.org"));
        assert_eq!(co_author_email("  CO-AUTHORED-BY: Ana B <c> <ana@x.org> "), Some("ana@x.org"));
        assert_eq!(co_author_email("Co-authored-by: ana@x.org"), Some(" ana@x.org"));
        assert_eq!(co_author_email("Signed-off-by: Ana <ana@x.org>"), None);
        assert_eq!(co_author_email("ö"), None);
    }

    #[test]
    fn a_private_commit_email_names_its_user() {
        assert_eq!(private_email("42-ana@users.noreply.gitlab.com"), Some(UserId::new(42)));
        for other in [
            "ana@users.noreply.gitlab.com",
            "42-ana@gitlab.com",
            "x42-ana@users.noreply.a",
            "-a@users.noreply.a",
        ] {
            assert_eq!(private_email(other), None, "{other}");
        }
    }

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
